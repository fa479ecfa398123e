//! What a run does, every choice spelt out: the tables of `config.toml`. A [`Config`] is made by
//! [`Draft::resolve`](super::Draft::resolve), which fills in what nobody said; writing it down and reading it back
//! gives the same run, bit for bit.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use thalweg_cpu::Isa;
use thalweg_data::{Fractions, SourceOptions, Standardise};
use thalweg_nn::optim::Group;
use thalweg_nn::{Loss, Optimizer, Schedule, Updater};

use super::network::NetworkConfig;
use crate::judge::threshold::Metric;
use crate::{Augment, BatchSize, Extension, FitOptions, TrainError};

/// A run, fully described.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What is learned from.
    pub data: DataConfig,
    /// What learns.
    pub network: NetworkConfig,
    /// How it learns.
    pub train: TrainConfig,
}

/// The table `[data]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataConfig {
    /// The name of an embedded set, or a path (in a file: relative to it).
    pub path: String,
    /// What is known about the source: its kind, columns, sizes, the rows for the test. `target` is also what the
    /// predictions are called. All of it stands directly in `[data]`.
    #[serde(flatten)]
    pub source: SourceOptions,
    /// How values are scaled: `global` (one mean and deviation for all), `per_feature` or `off`.
    pub standardise: Standardise,
    /// The shares of the rows that are held out: `{ valid = 0.1, test = 0.2 }`.
    #[serde(deserialize_with = "strict")]
    pub split: Fractions,
    /// Trains although a check of the data has failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignore_checks: bool,
}

impl DataConfig {
    /// The keys of the table. Since it is flattened, serde lets others pass.
    pub(super) fn keys() -> Vec<&'static str> {
        ["path", "standardise", "split", "ignore_checks"]
            .into_iter()
            .chain(SourceOptions::names())
            .collect()
    }

    /// What the predictions are called.
    #[must_use]
    pub fn target(&self) -> &str {
        self.source.target.as_deref().unwrap_or("label")
    }
}

/// What a network is to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// The targets of the data.
    #[default]
    Targets,
    /// The sample itself: an autoencoder.
    Reconstruct,
}

/// Fractions without any other key.
fn strict<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Fractions, D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        valid: f64,
        test: f64,
    }
    Strict::deserialize(deserializer).map(|Strict { valid, test }| Fractions { valid, test })
}

/// The table `[train]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// What the network is to say: the `targets` of the data, or `reconstruct` the sample itself.
    pub goal: Objective,
    /// Passes over the training rows.
    pub epochs: usize,
    /// Rows in a step, or `"full"`.
    pub batch_size: BatchSize,
    /// Leaves the last batch of an epoch out where it is shorter than the others.
    pub drop_last: bool,
    /// The learning rate that the schedule starts from.
    pub lr: f64,
    /// Decides the split, the first weights, the order of the rows and dropout.
    pub seed: u64,
    /// Stop after this many steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_steps: Option<u64>,
    /// Stop after this time, saving included: `90s`, `10m`, `1h30m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_time: Option<String>,
    /// Stop after this many epochs without a better validation loss; or `off`.
    #[serde(default, with = "off")]
    pub patience: Option<usize>,
    /// Stop where the training loss has improved by less than this for `tol_patience` epochs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tol: Option<f64>,
    /// See `tol`.
    pub tol_patience: usize,
    /// Keep the weights of the epoch with the least validation loss instead of the last ones.
    pub restore_best: bool,
    /// Batches whose gradients are added up for one step.
    pub accumulate: usize,
    /// The greatest norm of the gradient; or `off`.
    #[serde(default, with = "off")]
    pub clip_norm: Option<f64>,
    /// The greatest absolute value in the gradient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_value: Option<f64>,
    /// λ of λ·Σ|w| added to the loss.
    pub l1: f64,
    /// λ of λ·Σw² added to the loss.
    pub l2: f64,
    /// α of mix-up: each sample and its target are mixed with those of another; 0 for none.
    #[serde(default)]
    pub mixup: f64,
    /// The standard deviation of noise added to samples while training; 0 for none.
    #[serde(default)]
    pub noise: f64,
    /// How images are changed while training: `flip`, `shift`.
    #[serde(default)]
    pub augment: Vec<Augment>,
    /// The instruction set, on which the last bits depend: `avx512`, `avx2` or `portable`.
    pub isa: String,
    /// What the threshold of two classes is chosen for on the validation rows: `accuracy`, `f1`, `balanced_accuracy`, or
    /// `auc`, which leaves it at 0.5.
    #[serde(default)]
    pub metric: Metric,
    /// Whether the rows of each class together count the same, however many there are.
    #[serde(default)]
    pub balance: bool,
    /// What is made small.
    pub loss: Loss,
    /// How gradients become new weights.
    pub optimizer: Optimizer,
    /// How the learning rate goes over the run.
    pub schedule: Schedule,
    /// Whether the network is looked at for what is unhealthy while it learns.
    #[serde(default = "yes")]
    pub health: bool,
    /// What is different for some parameters.
    #[serde(default)]
    pub groups: Vec<Group>,
    /// What `thalweg resume` added to the run after it had ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extended: Vec<Extension>,
}

impl Config {
    /// The config as the text of `config.toml`.
    ///
    /// # Errors
    /// A number that TOML cannot hold, in words.
    pub fn to_toml(&self) -> Result<String, String> {
        toml::to_string(self).map_err(|error| error.to_string())
    }
}

impl TrainConfig {
    /// What the trainer is told; `max_time` is left to the caller, who knows what it has used already.
    #[must_use]
    pub fn fit_options(&self, max_time: Option<Duration>) -> FitOptions {
        FitOptions {
            epochs: self.epochs,
            batch_size: self.batch_size,
            drop_last: self.drop_last,
            lr: self.lr,
            schedule: self.schedule.clone(),
            max_steps: self.max_steps,
            patience: self.patience,
            tol: self.tol,
            tol_patience: self.tol_patience,
            restore_best: self.restore_best,
            accumulate: self.accumulate,
            seed: self.seed,
            l1: self.l1,
            l2: self.l2,
            mixup: self.mixup,
            noise: self.noise,
            augment: self.augment.clone(),
            extended: self.extended.clone(),
            health: self.health,
            max_time,
        }
    }

    /// The optimizer with all that surrounds it.
    #[must_use]
    pub fn updater(&self) -> Updater {
        Updater {
            optimizer: self.optimizer.clone(),
            groups: self.groups.clone(),
            clip_norm: self.clip_norm,
            clip_value: self.clip_value,
            guard: true,
        }
    }

    /// The first of the numbers that cannot be used: its key, what is wrong, what to do.
    pub(crate) fn problem(&self) -> Option<(&'static str, String, String)> {
        if let Err(TrainError::Option { option, problem, hint }) = self.fit_options(None).check() {
            return Some((option, problem, hint));
        }
        if self.seed > i64::MAX as u64 {
            let hint = format!("TOML, and so config.toml, holds numbers up to {}", i64::MAX);
            return Some(("seed", format!("{} is too large", self.seed), hint));
        }
        if let Some(time) = &self.max_time
            && parse_duration(time).is_none()
        {
            let what = format!("'{time}' is no length of time");
            return Some(("max_time", what, "write 90s, 10m or 1h30m".into()));
        }
        match isa_named(&self.isa) {
            None => {
                let hint = "instruction sets are avx512, avx2 and portable";
                Some(("isa", format!("'{}' is unknown", self.isa), hint.into()))
            }
            Some(isa) if !isa.is_available() => {
                let hint = "portable works everywhere; its results differ in the last bits";
                Some(("isa", format!("this machine has no {}", self.isa), hint.into()))
            }
            Some(_) => None,
        }
    }
}

fn yes() -> bool {
    true
}

/// A number, or `off`: a default that is a number must be written down where it was switched off.
mod off {
    use serde::de::{DeserializeOwned, Deserializer, Error};
    use serde::{Deserialize, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum OrOff<T> {
        Number(T),
        Word(String),
    }

    pub(super) fn serialize<T: Serialize + Clone, S: Serializer>(
        number: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match number {
            Some(number) => number.serialize(serializer),
            None => serializer.serialize_str("off"),
        }
    }

    pub(super) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        match OrOff::<T>::deserialize(deserializer) {
            Ok(OrOff::Number(number)) => Ok(Some(number)),
            Ok(OrOff::Word(word)) if word == "off" => Ok(None),
            _ => Err(D::Error::custom("expected a number, not negative, or \"off\"")),
        }
    }
}

/// The instruction set that a config names.
#[must_use]
pub fn isa_named(name: &str) -> Option<Isa> {
    Isa::ALL.into_iter().find(|&isa| isa_name(isa) == name)
}

/// What a config calls an instruction set.
#[must_use]
pub fn isa_name(isa: Isa) -> &'static str {
    match isa {
        Isa::Portable => "portable",
        Isa::Avx2 => "avx2",
        Isa::Avx512 => "avx512",
    }
}

/// A length of time in words, such as `90s`, `10m`, `1h30m` or `45` (seconds); greater than 0.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (mut seconds, mut number) = (0.0, String::new());
    for c in text.trim().chars() {
        let unit = match c {
            '0'..='9' | '.' => {
                number.push(c);
                continue;
            }
            's' => 1.0,
            'm' => 60.0,
            'h' => 3600.0,
            'd' => 86_400.0,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * unit;
        number.clear();
    }
    if !number.is_empty() {
        seconds += number.parse::<f64>().ok()?;
    }
    Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        let seconds = |text| parse_duration(text).map(|time| time.as_secs_f64());
        assert_eq!(seconds("90s"), Some(90.0));
        assert_eq!(seconds("10m"), Some(600.0));
        assert_eq!(seconds("1h30m"), Some(5400.0));
        assert_eq!(seconds("1.5"), Some(1.5));
        for wrong in ["", "0", "m", "10x", "-5s", "1h-3m", "1e400s"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
