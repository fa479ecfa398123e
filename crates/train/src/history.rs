//! What a training reports: every batch, every epoch, and in the end the whole of it.

use serde::{Deserialize, Serialize};

use crate::checkpoint::Standing;
use crate::metrics::Metrics;
use crate::run::insights::Finding;

/// Whether training goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// It goes on.
    Go,
    /// It ends as after an interruption: [`Stopped::Interrupted`].
    Stop,
    /// It ends with the step, as by a time limit: [`Stopped::MaxTime`].
    Enough,
}

/// Watches a training, and can end it. Observers see numbers only: the weights are the same bits with and without them.
pub trait Observer {
    /// After every batch.
    fn batch(&mut self, _report: &BatchReport) -> Control {
        Control::Go
    }

    /// After every epoch, its validation included.
    fn epoch(&mut self, _report: &EpochReport) -> Control {
        Control::Go
    }

    /// When something unhealthy is seen for the first time.
    fn finding(&mut self, _finding: &Finding) {}

    /// Between two batches, and after the last: here a checkpoint can be taken, at the cost of writing it.
    fn standing(&mut self, _standing: &Standing<'_>) -> Control {
        Control::Go
    }
}

/// Nobody watches.
impl Observer for () {}

/// One batch.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchReport {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The batch within its epoch, counted from 1.
    pub batch: usize,
    /// Batches in an epoch.
    pub batches: usize,
    /// The optimizer's steps so far, skipped ones included.
    pub step: u64,
    /// The steps of the whole training, if nothing ends it before.
    pub total_steps: u64,
    /// Rows in this batch.
    pub rows: usize,
    /// Rows seen in this epoch so far.
    pub rows_seen: usize,
    /// The learning rate.
    pub lr: f64,
    /// The loss of this batch, without penalties.
    pub loss: f64,
    /// This epoch so far.
    pub train: TrainScores,
    /// The norm of the gradient before clipping; of the batches of a step only its last one knows it.
    pub grad_norm: Option<f64>,
    /// Whether this batch ended a step that changed nothing, since loss or gradient were not finite.
    pub skipped: bool,
}

/// How an epoch went on the rows it learned from, measured while the weights were moving (and dropout was dropping).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainScores {
    /// The mean of the batches' losses without penalties, weighted by their rows (with `reduction = "sum"`: their
    /// sum); batches with a loss that is not finite do not count, NaN if there were only those.
    pub loss: f64,
    /// The share of rows whose class was predicted; classification only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
}

/// One epoch. Serialised without [`timing`](EpochReport::timing), so that equal runs give equal lines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The optimizer's steps so far, skipped ones included.
    pub steps: u64,
    /// Rows learned from: fewer than all where training ended within the epoch.
    pub rows: usize,
    /// The learning rate of the last step.
    pub lr: f64,
    /// On the rows learned from.
    pub train: TrainScores,
    /// On the validation part; `None` without one, and where an interruption or the time limit ended the epoch early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid: Option<Metrics>,
    /// The mean norm of the gradient over the steps that were not skipped, before clipping; NaN if all were.
    pub grad_norm: f64,
    /// Steps that changed nothing, since loss or gradient were not finite.
    pub skipped_steps: u64,
    /// What the clock said.
    #[serde(skip)]
    pub timing: Timing,
}

/// Clock times; they are reported and decide nothing but `max_time`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Timing {
    /// Of the steps of the epoch.
    pub train_seconds: f64,
    /// Of the validation.
    pub valid_seconds: f64,
    /// Rows learned from in a second of `train_seconds`.
    pub samples_per_second: f64,
}

/// Why a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// All epochs were done.
    Epochs,
    /// `max_steps` were done.
    MaxSteps,
    /// The validation loss did not get better for `patience` epochs.
    EarlyStopping,
    /// The training loss did not fall by `tol` for `tol_patience` epochs.
    Converged,
    /// `max_time` had passed.
    MaxTime,
    /// The observer said so.
    Interrupted,
}

/// A whole training.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct History {
    /// Its epochs in order; the last may be a part of one.
    pub epochs: Vec<EpochReport>,
    /// The epoch with the lowest validation loss (training loss where there is no validation), counted from 1; 0 if no
    /// epoch had a finite loss.
    pub best_epoch: usize,
    /// Whether the weights now are those of the best epoch rather than the last ones.
    pub restored: bool,
    /// Why it ended.
    pub stopped: Stopped,
    /// Steps of the optimizer, skipped ones included.
    pub steps: u64,
    /// Parameters on which the loss does not depend: their gradient is zero. A layer that `forward` does not use?
    pub unreached: Vec<String>,
    /// What looked unhealthy, in the order in which it was first seen.
    pub health: Vec<Finding>,
    /// Clock time from start to end, compilation and validation included.
    #[serde(skip)]
    pub train_seconds: f64,
}
