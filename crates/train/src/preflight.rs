//! What can be known before a training: does the loss begin where chance puts it, does every parameter learn, can the
//! network learn one batch by heart, and what will it cost.

use std::time::{Duration, Instant};

use thalweg_nn::{Loss, Network};

use crate::aim::Aim;
use crate::error::TrainError;
use crate::fit::{Fit, feed};
use crate::goal::Kind;
use crate::monitor::BatchScores;
use crate::options::FitOptions;
use crate::part::Part;
use crate::run::insights::{Check, Status};
use crate::step::Place;
use crate::trainer::Trainer;

/// Steps in which a batch is to be learned.
const STEPS: usize = 30;
/// What is left of the loss after them, at the most.
const LEFT: f64 = 0.9;

/// The check whose outcome depends on how many steps there was time for.
pub(crate) const ONE_BATCH: &str = "one batch";

/// What was found out before a training.
#[derive(Clone, Debug)]
pub struct Preflight {
    /// What was looked at: `initial loss`, `gradients`, `one batch`.
    pub checks: Vec<Check>,
    /// Bytes that training will use, as planned.
    pub memory: usize,
    /// How long a step takes.
    pub step: Duration,
    /// Steps of the whole training.
    pub steps: u64,
}

impl<N: Network> Trainer<N> {
    /// Tries a training out on its first batch, for about `limit`, and puts every value back: the training that follows
    /// has the same bits as without.
    ///
    /// # Errors
    /// As [`Trainer::prepare`].
    pub fn preflight(
        &mut self,
        train: &Part,
        valid: Option<&Part>,
        options: &FitOptions,
        limit: Duration,
    ) -> Result<Preflight, TrainError> {
        let mut fit = Fit::new(self, train, valid, options)?;
        let values = fit.trainer.store.deep_clone();
        let found = fit.try_out(limit);
        fit.trainer.store = values;
        let memory = fit.trainer.planned_memory();
        let steps = fit.state.total_steps;
        fit.leave();
        let (checks, step) = found?;
        Ok(Preflight { checks, memory, step, steps })
    }
}

impl<N: Network> Fit<'_, N> {
    fn try_out(&mut self, limit: Duration) -> Result<(Vec<Check>, Duration), TrainError> {
        let began = Instant::now();
        let rows = self.batches.epoch(0).next().unwrap_or_default();
        let mut checks = Vec::new();
        let first = self.without_gradient(&rows);
        let (kind, options, train) = (self.goal.kind, self.options, self.train);
        let (compiled, cpu, store) = self.program(Place::Last, rows.len())?;
        feed(compiled, train, options, kind, 1, &rows)?;
        // The same units drop out each time, and the same noise is added.
        compiled.set(options.lr, [options.seed as i64, 0], 1.0);
        let mut losses = Vec::new();
        let mut step = Duration::MAX;
        while losses.len() < STEPS {
            let started = Instant::now();
            losses.push(BatchScores::of(compiled.run(cpu, store)?).loss);
            step = step.min(started.elapsed());
            // What is left must be worth it.
            if began.elapsed() + step * (STEPS - losses.len()) as u32 / 3 > limit {
                break;
            }
        }
        let scaled = matches!(self.trainer.aim, Aim::Scaled(_));
        checks.push(initial_loss(&self.trainer.loss, kind, scaled, losses[0]));
        checks.push(self.gradients(first, &rows));
        checks.push(one_batch(&losses, rows.len()));
        Ok((checks, step))
    }

    /// The parameters that get no gradient from these rows.
    fn without_gradient(&mut self, rows: &[usize]) -> Vec<String> {
        let mut without = self.trainer.unreached.clone();
        let seen = self.look(rows);
        let zero = seen.iter().flat_map(|seen| &seen.grads).filter(|(_, grad)| *grad == 0.0);
        for (parameter, _) in zero {
            if !without.contains(parameter) {
                without.push(parameter.clone());
            }
        }
        without
    }

    /// Whether every parameter that is trained gets a gradient: those of `first` did not before the first step. What stands
    /// before a layer whose weights begin at 0 learns from the second step on, and is looked at again.
    fn gradients(&mut self, mut first: Vec<String>, rows: &[usize]) -> Check {
        let name = "gradients".to_string();
        if !first.is_empty() {
            let now = self.without_gradient(rows);
            first.retain(|parameter| now.contains(parameter));
        }
        let without = first;
        match without.is_empty() {
            true => {
                let saw = "every parameter gets one".to_string();
                Check { name, saw, ..Check::default() }
            }
            false => Check {
                name,
                status: Status::Warn,
                saw: format!("none reaches {}", without.join(", ")),
                action: "see whether forward uses these layers, and whether units before or after them are dead"
                    .into(),
            },
        }
    }
}

fn initial_loss(loss: &Loss, kind: Kind, scaled: bool, first: f64) -> Check {
    let name = "initial loss".to_string();
    let chance = match (loss, kind) {
        (Loss::CrossEntropy(_), Kind::Classes(classes) | Kind::Sequence { classes, .. }) => {
            Some((libm::log(classes as f64), format!("ln {classes}")))
        }
        (Loss::BinaryCrossEntropy(_), _) => Some((std::f64::consts::LN_2, "ln 2".to_string())),
        (Loss::Mse(_), Kind::Values(_)) if scaled => {
            Some((1.0, "the variance of the targets".to_string()))
        }
        _ => None,
    };
    let warn = |saw: String, action: &str| Check {
        name: name.clone(),
        status: Status::Warn,
        saw,
        action: action.into(),
    };
    match chance {
        _ if !first.is_finite() => Check {
            status: Status::Fail,
            ..warn(
                format!("{first}"),
                "look for extreme values in the data, and use smaller first weights",
            )
        },
        None => Check { name, saw: format!("{first:.4}"), ..Check::default() },
        Some((chance, what)) if first > chance * 3.0 + 0.5 => warn(
            format!("{first:.4}, far above chance, {chance:.4} ({what})"),
            "scale the inputs, or use smaller first weights or a normalisation",
        ),
        Some((chance, what)) => Check {
            name,
            saw: format!("{first:.4}; chance is {chance:.4} ({what})"),
            ..Check::default()
        },
    }
}

fn one_batch(losses: &[f64], rows: usize) -> Check {
    let name = ONE_BATCH.to_string();
    let (first, steps) = (losses[0], losses.len());
    let least = losses[steps.saturating_sub(3)..].iter().copied().fold(f64::INFINITY, f64::min);
    let saw = format!("{rows} rows, loss {first:.4} → {least:.4} in {steps} steps");
    match () {
        _ if steps < STEPS / 3 => {
            Check { name, saw: "not tried: a step takes too long".into(), ..Check::default() }
        }
        _ if least < first * LEFT || least < 1e-3 => Check { name, saw, ..Check::default() },
        _ => Check {
            name,
            status: Status::Warn,
            saw: format!("{saw}: it is hardly learned"),
            action:
                "try a higher learning rate (`--lr find`), a larger network or less regularisation"
                    .into(),
        },
    }
}
