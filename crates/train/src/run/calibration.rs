//! What validation rows teach about a network's answers, and how answers are read with it. `model.json` keeps it.
//!
//! The validation rows have chosen the epoch too, so what is learned of them is a little too good; the figures that count
//! are those of the test rows.

use serde::{Deserialize, Serialize};
use thalweg_data::Targets;

use super::task::Task;
use crate::Part;
use crate::judge::calibration::{largest, probabilities, temperature};
use crate::judge::conformal::Strangeness;
use crate::judge::threshold::{Metric, Tuned, tune};

/// Fewer rows teach nothing that could be relied on.
const FEWEST: usize = 20;

/// What validation rows have taught about a network's answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// How many validation rows there were; 0 where nothing was learned.
    pub rows: usize,
    /// What logits are divided by before they become probabilities.
    pub temperature: f32,
    /// From more than which probability on the second of two classes is said.
    pub threshold: f32,
    /// What the threshold was chosen for.
    pub metric: Metric,
    /// How strange the truth was: one list for classes, for numbers one for each number of a row.
    pub strangeness: Vec<Strangeness>,
}

impl Default for Calibration {
    fn default() -> Calibration {
        let metric = Metric::default();
        Calibration { rows: 0, temperature: 1.0, threshold: 0.5, metric, strangeness: vec![] }
    }
}

impl Calibration {
    /// What is learned from the answers to validation rows: `scores` as [`crate::Trainer::examine`] shows them. Also the best
    /// threshold, whether it was taken or not.
    #[must_use]
    pub fn learn(
        task: Task,
        metric: Metric,
        valid: &Part,
        scores: &[f32],
    ) -> (Calibration, Option<Tuned>) {
        let none = Calibration { metric, ..Calibration::default() };
        let rows = valid.rows.len();
        match &valid.data.targets {
            _ if rows < FEWEST || scores.iter().any(|score| !score.is_finite()) => (none, None),
            Targets::Classes { labels, names } if task == Task::Classification => {
                let labels: Vec<i64> = valid.rows.iter().map(|&row| labels[row]).collect();
                none.of_classes(scores, names.len(), &labels)
            }
            Targets::Values { values, dims } if task != Task::Reconstruction => {
                let strangeness = (0..*dims).map(|i| {
                    let said = scores.iter().skip(i).step_by(*dims);
                    let errors = valid.rows.iter().zip(said);
                    Strangeness::new(
                        errors.map(|(row, y)| (values[row * dims + i] - y).abs()).collect(),
                    )
                });
                (Calibration { rows, strangeness: strangeness.collect(), ..none }, None)
            }
            _ => (none, None),
        }
    }

    fn of_classes(
        self,
        logits: &[f32],
        classes: usize,
        labels: &[i64],
    ) -> (Calibration, Option<Tuned>) {
        // As f32, which JSON keeps to the bit.
        let temperature = temperature(logits, classes, labels) as f32;
        let helps = helps(f64::from(temperature), logits, classes, labels);
        let temperature = if helps { temperature } else { 1.0 };
        let p = probabilities(logits, classes, f64::from(temperature));
        let strangeness = vec![Strangeness::of_classes(&p, classes, labels)];
        let learned = Calibration { rows: labels.len(), temperature, strangeness, ..self };
        if classes != 2 {
            return (learned, None);
        }
        let second: Vec<f64> = p.chunks_exact(2).map(|row| row[1]).collect();
        let truth: Vec<bool> = labels.iter().map(|&label| label == 1).collect();
        let tuned = tune(learned.metric, &second, &truth);
        let threshold = match tuned {
            Some(tuned) if tuned.is_worth_it() => tuned.value as f32,
            _ => learned.threshold,
        };
        (Calibration { threshold, ..learned }, tuned)
    }

    /// Whether nothing was learned.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.rows == 0
    }

    /// The probability of each class, row by row.
    #[must_use]
    pub fn probabilities(&self, logits: &[f32], classes: usize) -> Vec<f64> {
        probabilities(logits, classes, f64::from(self.temperature))
    }

    /// The class that is said: the likeliest, of two the second where its probability is above the threshold.
    #[must_use]
    pub fn said(&self, probabilities: &[f64]) -> usize {
        match probabilities {
            [_, second] => usize::from(*second > f64::from(self.threshold)),
            _ => largest(probabilities),
        }
    }
}

/// Whether a temperature makes the logarithmic loss less by more than a standard error of the difference: a few rows that
/// are surely wrong say little about the others.
fn helps(temperature: f64, logits: &[f32], classes: usize, labels: &[i64]) -> bool {
    let losses = |temperature| {
        let p = probabilities(logits, classes, temperature);
        let rows = labels.iter().enumerate();
        let loss = |(row, &label): (usize, &i64)| {
            -libm::log(p[row * classes + label as usize].max(f64::MIN_POSITIVE))
        };
        rows.map(loss).collect::<Vec<f64>>()
    };
    let (before, after) = (losses(1.0), losses(temperature));
    let n = labels.len() as f64;
    let gains = || before.iter().zip(&after).map(|(before, after)| before - after);
    let mean = gains().sum::<f64>() / n;
    let square = gains().map(|gain| (gain - mean) * (gain - mean)).sum::<f64>();
    mean > (square / n / n).sqrt()
}
