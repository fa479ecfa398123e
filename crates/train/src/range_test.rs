//! Which learning rate: a range test, after [Smith 2015](https://arxiv.org/abs/1506.01186).

use std::time::Instant;

use thalweg_nn::Network;

use crate::error::TrainError;
use crate::fit::{Fit, feed};
use crate::monitor::BatchScores;
use crate::options::FitOptions;
use crate::part::Part;
use crate::step::Place;
use crate::trainer::Trainer;

/// Steps of the test.
const STEPS: usize = 100;
/// Fewer steps than these tell nothing.
const FEWEST: usize = 20;
/// The first rate and the last.
const RATES: (f64, f64) = (1e-6, 1.0);
/// What the mean of the losses keeps of the past.
const MEMORY: f64 = 0.9;
/// How much greater than the least the mean is where the test ends.
const TOO_MUCH: f64 = 3.0;
/// Steps to each side over which a slope is measured.
const SPAN: usize = 3;

/// The outcome of a range test.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeTest {
    /// The rate that was found.
    pub lr: f64,
    /// The loss before, and the least on the way (means over some steps).
    pub losses: (f64, f64),
    /// The rate at which the loss was least.
    pub least_at: f64,
}

impl<N: Network> Trainer<N> {
    /// Looks for a learning rate: makes up to 100 steps on batches of `train`, at rates that grow from 10⁻⁶ to 1 by the same
    /// factor, and takes the rate at which the loss (an exponential mean, 0.9) falls fastest before it is least. Every
    /// value is put back. Where `options.max_time` is short, the same range is gone through in fewer steps. `None` where no rate
    /// makes the loss fall by 2 %, or the time is too short for 20 steps.
    ///
    /// # Errors
    /// As [`Trainer::fit`].
    pub fn find_lr(
        &mut self,
        train: &Part,
        options: &FitOptions,
    ) -> Result<Option<RangeTest>, TrainError> {
        let options = FitOptions { patience: None, ..options.clone() };
        let mut fit = Fit::new(self, train, None, &options)?;
        let values = fit.trainer.store.deep_clone();
        let curve = fit.range_test();
        fit.trainer.store = values;
        fit.leave();
        let (curve, steps) = curve?;
        Ok(choose(&curve, steps))
    }
}

fn rate(step: usize, steps: usize) -> f64 {
    let share = step as f64 / (steps - 1) as f64;
    RATES.0 * libm::pow(RATES.1 / RATES.0, share)
}

impl<N: Network> Fit<'_, N> {
    /// The mean loss at each rate, as far as that makes sense, and how many rates the range has.
    fn range_test(&mut self) -> Result<(Vec<f64>, usize), TrainError> {
        let (began, mut steps) = (Instant::now(), STEPS);
        let (kind, options, train) = (self.goal.kind, self.options, self.train);
        let (mut curve, mut mean, mut least) = (Vec::new(), 0.0, f64::INFINITY);
        let batches = self.batches.clone();
        let batches = (0..).flat_map(|epoch| batches.epoch(epoch));
        for (step, rows) in batches.take(STEPS).enumerate() {
            let (compiled, cpu, store) = self.program(Place::Last, rows.len())?;
            feed(compiled, train, options, kind, 1, &rows)?;
            compiled.set(rate(step, steps), [options.seed as i64, step as i64], 1.0);
            let loss = BatchScores::of(compiled.run(cpu, store)?).loss;
            mean = MEMORY * mean + (1.0 - MEMORY) * loss;
            let unbiased = mean / (1.0 - libm::pow(MEMORY, (step + 1) as f64));
            least = unbiased.min(least);
            if !unbiased.is_finite() || unbiased > least * TOO_MUCH {
                break;
            }
            curve.push(unbiased);
            if let Some(most) = options.max_time {
                let took = began.elapsed();
                if step == 0 {
                    let in_time = most.as_secs_f64() / took.as_secs_f64().max(1e-9);
                    steps = (in_time as usize).min(STEPS);
                }
                if steps < FEWEST || took >= most {
                    return Ok((Vec::new(), STEPS));
                }
            }
            if step + 1 == steps {
                break;
            }
        }
        Ok((curve, steps))
    }
}

fn choose(curve: &[f64], steps: usize) -> Option<RangeTest> {
    let first = *curve.first()?;
    let (bottom, least) = (curve.iter().copied().enumerate())
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .filter(|(_, least)| *least < first * 0.98)?;
    let slope = |i: usize| curve[(i + SPAN).min(curve.len() - 1)] - curve[i.saturating_sub(SPAN)];
    let steepest = (0..=bottom).min_by(|&a, &b| slope(a).total_cmp(&slope(b)))?;
    Some(RangeTest {
        lr: rate(steepest, steps),
        losses: (first, least),
        least_at: rate(bottom, steps),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_where_the_loss_falls_fastest() {
        let curve: Vec<f64> = (0..90)
            .map(|i| match i {
                0..40 => 2.0,
                40..60 => 2.0 - (i - 40) as f64 * 0.05,
                _ => 1.0 + (i - 60) as f64 * 0.04,
            })
            .collect();
        let found = choose(&curve, 100).unwrap_or_else(|| panic!("the loss falls"));
        assert!(
            found.lr >= rate(40, 100)
                && found.lr < rate(60, 100)
                && found.least_at == rate(60, 100)
        );
        assert_eq!(choose(&[2.0; 50], 100), None);
        assert_eq!(choose(&[], 100), None);
    }
}
