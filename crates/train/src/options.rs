//! How long, in what portions and at what rate a network learns.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use thalweg_nn::Schedule;
use thalweg_nn::schedule::Better;

use crate::augment::Augment;
use crate::error::TrainError;

/// The rows of one batch. In a config file and on the command line: a number, or `full`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchSize {
    /// So many rows, at least 1; the last batch of an epoch may be shorter.
    Rows(usize),
    /// All rows in every step: full-batch gradient descent.
    Full,
}

/// More steps after the end of a training: two thirds of them at a constant rate, which then falls linearly to 0. Patience
/// begins anew with them, and what ended the training before them does not end it when it is repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// The step that it begins with, counted from 0.
    pub from: u64,
    /// How many steps.
    pub steps: u64,
    /// The rate of the first of them.
    pub lr: f64,
}

impl Extension {
    /// The rate of step `step` of the training, where it belongs to the extension.
    pub(crate) fn lr(&self, step: u64) -> Option<f64> {
        let t = step.checked_sub(self.from).filter(|&t| t < self.steps)?;
        let decay = self.steps.div_ceil(3);
        let left = self.steps - t;
        Some(if left >= decay { self.lr } else { self.lr * left as f64 / decay as f64 })
    }
}

/// The options of [`Trainer::fit`](crate::Trainer::fit).
///
/// ```
/// use thalweg_train::{BatchSize, FitOptions};
/// let options = FitOptions { epochs: 5, batch_size: BatchSize::Rows(64), ..FitOptions::default() };
/// assert_eq!(options.lr, 0.001);
/// assert!(options.check().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FitOptions {
    /// How often every row is seen; default 20.
    pub epochs: usize,
    /// The rows of one batch; default 32.
    pub batch_size: BatchSize,
    /// Leaves the last batch of an epoch out where it is shorter than the others; default false.
    pub drop_last: bool,
    /// The base learning rate; default 0.001.
    pub lr: f64,
    /// How the rate goes over the optimizer's steps; default constant. `reduce_on_plateau` watches the validation loss
    /// (the training loss where there is no validation part), once an epoch.
    pub schedule: Schedule,
    /// Stop after so many steps of the optimizer; default: no limit but `epochs`.
    pub max_steps: Option<u64>,
    /// Early stopping: stop after so many epochs in a row without a better validation loss; default: never.
    pub patience: Option<usize>,
    /// Convergence: stop when for `tol_patience` epochs in a row the training loss (penalties included) was not at
    /// least `tol` below the best one so far; default: never.
    pub tol: Option<f64>,
    /// See `tol`; default 10.
    pub tol_patience: usize,
    /// Whether training ends with the weights of the epoch with the best validation loss, whatever ended it, an
    /// error included; without a validation part the last ones are kept. Default true.
    pub restore_best: bool,
    /// How many batches make up one step of the optimizer; default 1.
    pub accumulate: usize,
    /// Decides the initial weights, the order of the rows and what dropout drops; default 0.
    pub seed: u64,
    /// λ of the penalty λ·Σ|w| over the weights; default 0. Weights are the trained parameters with two axes or more:
    /// biases and the scales of normalisations are not penalised.
    pub l1: f64,
    /// λ of the penalty λ·Σw² over the same weights; default 0.
    pub l2: f64,
    /// α of mix-up, [`thalweg_nn::augment::mixup`]: each sample and its target are mixed with those of another. For samples
    /// of numbers, and targets that are one class or numbers; default 0, none.
    pub mixup: f64,
    /// The standard deviation of normal noise that training adds to the samples, scaled as the network sees them; an
    /// autoencoder is to give them back without it. For samples of numbers; default 0, none.
    pub noise: f64,
    /// How images are changed in training; default not at all. For samples of numbers `[…, height, width]`.
    pub augment: Vec<Augment>,
    /// What was added to the training after it had ended; default nothing.
    pub extended: Vec<Extension>,
    /// Whether the network is looked at while it learns, now and then and on a few rows, to find what is unhealthy
    /// in it: dead and saturated units, gradients that vanish or explode, wild steps, losses that stand still or
    /// drift apart. The weights are the same bits without. Default true.
    pub health: bool,
    /// Stop at the end of the step in which so much time has passed; in a config file in seconds. Default: never.
    #[serde(with = "seconds")]
    pub max_time: Option<Duration>,
}

impl Default for FitOptions {
    fn default() -> FitOptions {
        FitOptions {
            epochs: 20,
            batch_size: BatchSize::Rows(32),
            drop_last: false,
            lr: 1e-3,
            schedule: Schedule::Constant,
            max_steps: None,
            patience: None,
            tol: None,
            tol_patience: 10,
            restore_best: true,
            accumulate: 1,
            seed: 0,
            l1: 0.0,
            l2: 0.0,
            mixup: 0.0,
            noise: 0.0,
            augment: Vec::new(),
            extended: Vec::new(),
            health: true,
            max_time: None,
        }
    }
}

/// The greatest learning rate: with a larger one a single step could overflow `f32`.
const MAX_LR: f64 = 1e30;

impl FitOptions {
    /// Whether every option is in its range; the error names the first that is not.
    pub fn check(&self) -> Result<(), TrainError> {
        let at_least_one = |name, n: u64| match n {
            0 => Err(TrainError::option(name, "must be at least 1, got 0", "1 is the least")),
            _ => Ok(()),
        };
        at_least_one("epochs", self.epochs as u64)?;
        if self.batch_size == BatchSize::Rows(0) {
            let hint = "give a number of rows, or \"full\" for all of them";
            return Err(TrainError::option("batch_size", "must be at least 1, got 0", hint));
        }
        if !(self.lr > 0.0 && self.lr <= MAX_LR) {
            let problem = format!("must be > 0 and at most {MAX_LR:e}, got {}", self.lr);
            return Err(TrainError::option("lr", problem, "0.001 is usual for Adam, 0.1 for SGD"));
        }
        let hint = "see Schedule for what each number means";
        self.schedule.check().map_err(|problem| TrainError::option("schedule", problem, hint))?;
        if let Schedule::ReduceOnPlateau(options) = &self.schedule
            && options.mode == Better::Max
        {
            let problem = "reduce_on_plateau watches the loss, which gets better downwards";
            return Err(TrainError::option(
                "schedule",
                problem,
                "leave mode out, or set it to min",
            ));
        }
        at_least_one("max_steps", self.max_steps.unwrap_or(1))?;
        at_least_one("patience", self.patience.unwrap_or(1) as u64)?;
        at_least_one("tol_patience", self.tol_patience as u64)?;
        at_least_one("accumulate", self.accumulate as u64)?;
        let numbers = [
            ("tol", self.tol.unwrap_or(0.0)),
            ("l1", self.l1),
            ("l2", self.l2),
            ("mixup", self.mixup),
            ("noise", self.noise),
        ];
        for (name, x) in numbers {
            if !(x.is_finite() && x >= 0.0) {
                let problem = format!("must be finite and at least 0, got {x}");
                return Err(TrainError::option(name, problem, "0 is the least"));
            }
        }
        if let Some(Extension { lr, .. }) =
            self.extended.iter().find(|extension| !(extension.lr > 0.0 && extension.lr <= MAX_LR))
        {
            let problem = format!("lr must be > 0 and at most {MAX_LR:e}, got {lr}");
            let hint = "`thalweg resume` writes these entries";
            return Err(TrainError::option("extended", problem, hint));
        }
        match self.max_time {
            Some(Duration::ZERO) => {
                let hint = "leave it out for no limit";
                Err(TrainError::option("max_time", "must be more than 0 seconds", hint))
            }
            _ => Ok(()),
        }
    }

    /// The rows of a batch of a part with `rows` rows.
    pub(crate) fn batch_rows(&self, rows: usize) -> usize {
        match self.batch_size {
            BatchSize::Rows(batch) => batch,
            BatchSize::Full => rows,
        }
    }
}

impl fmt::Display for BatchSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BatchSize::Rows(rows) => write!(f, "{rows}"),
            BatchSize::Full => f.write_str("full"),
        }
    }
}

impl FromStr for BatchSize {
    type Err = String;

    fn from_str(text: &str) -> Result<BatchSize, String> {
        match (text, text.parse()) {
            ("full", _) => Ok(BatchSize::Full),
            (_, Ok(rows)) => Ok(BatchSize::Rows(rows)),
            _ => Err(format!("a batch size is a number of rows or \"full\", not \"{text}\"")),
        }
    }
}

impl Serialize for BatchSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            BatchSize::Rows(rows) => serializer.serialize_u64(*rows as u64),
            BatchSize::Full => serializer.serialize_str("full"),
        }
    }
}

impl<'de> Deserialize<'de> for BatchSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<BatchSize, D::Error> {
        struct NumberOrFull;
        impl Visitor<'_> for NumberOrFull {
            type Value = BatchSize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of rows or \"full\"")
            }

            fn visit_u64<E: de::Error>(self, rows: u64) -> Result<BatchSize, E> {
                let wrong = || E::invalid_value(de::Unexpected::Unsigned(rows), &self);
                usize::try_from(rows).map(BatchSize::Rows).map_err(|_| wrong())
            }

            fn visit_i64<E: de::Error>(self, rows: i64) -> Result<BatchSize, E> {
                let wrong = || E::invalid_value(de::Unexpected::Signed(rows), &self);
                usize::try_from(rows).map(BatchSize::Rows).map_err(|_| wrong())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<BatchSize, E> {
                text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(NumberOrFull)
    }
}

/// A duration as a number of seconds.
mod seconds {
    use super::*;

    pub(super) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(|time| time.as_secs_f64()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let seconds = Option::<f64>::deserialize(deserializer)?;
        let time = seconds.map(|seconds| {
            Duration::try_from_secs_f64(seconds)
                .map_err(|_| de::Error::custom(format!("{seconds} is no number of seconds")))
        });
        time.transpose()
    }
}
