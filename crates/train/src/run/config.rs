//! What a run does, every choice spelt out: the tables of `config.toml`. A [`Config`] is made by
//! [`Draft::resolve`](super::Draft::resolve), which fills in what nobody said; writing it down and reading it back
//! gives the same run, bit for bit.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use thalweg_cpu::Isa;
use thalweg_data::{Dataset, Fractions, Standardise};
use thalweg_nn::optim::{AdamW, Group};
use thalweg_nn::{LayerSpec, Loss, Optimizer, Schedule, Updater, losses, mlp};

use crate::{BatchSize, FitOptions, TrainError};

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
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// The name of an embedded set, or a path (in a file: relative to it).
    pub path: String,
    /// What the predictions are called.
    pub target: String,
    /// The shares of the rows that are held out: `{ valid = 0.1, test = 0.2 }`.
    #[serde(deserialize_with = "strict")]
    pub split: Fractions,
    /// How values are scaled: `global` (one mean and deviation for all), `per_feature` or `off`.
    pub standardise: Standardise,
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

/// The table `[network]`: either `layers`, or a multi-layer perceptron of `hidden` sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// The sizes of the hidden layers, from the input on; `[]` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<Vec<usize>>,
    /// What follows each hidden layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<LayerSpec>,
    /// The probability of dropout after each hidden layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,
    /// All layers, the one that gives the outputs included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<Vec<LayerSpec>>,
}

/// The table `[train]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
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
    /// Stop after this many epochs without a better validation loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    /// The greatest norm of the gradient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// The greatest absolute value in the gradient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_value: Option<f64>,
    /// λ of λ·Σ|w| added to the loss.
    pub l1: f64,
    /// λ of λ·Σw² added to the loss.
    pub l2: f64,
    /// The instruction set, on which the last bits depend: `avx512`, `avx2` or `portable`.
    pub isa: String,
    /// What is made small.
    pub loss: Loss,
    /// How gradients become new weights.
    pub optimizer: Optimizer,
    /// How the learning rate goes over the run.
    pub schedule: Schedule,
    /// What is different for some parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
}

/// The networks that `--preset` knows, each with what it is.
pub const PRESETS: &[(&str, &str)] = &[
    ("linear", "no hidden layer: logistic regression"),
    ("mlp", "two hidden layers, their sizes chosen for the data (the default)"),
    ("mlp-large", "1024-512-256 with dropout 0.2"),
];

/// The sizes from which on images get the wide network.
const WIDE_INPUT: usize = 256;
/// The training rows up to which a set is small: it gets more epochs of smaller batches.
const SMALL_SET: usize = 5_000;

impl NetworkConfig {
    /// A preset for samples of `width` values; `None` where there is none of that name.
    #[must_use]
    pub fn preset(name: &str, width: usize) -> Option<NetworkConfig> {
        let (hidden, dropout) = match name {
            "linear" => (vec![], 0.0),
            "mlp" if width >= WIDE_INPUT => (vec![512, 256], 0.1),
            "mlp" => (vec![128, 64], 0.2),
            "mlp-large" => (vec![1024, 512, 256], 0.2),
            _ => return None,
        };
        let activation = Some(LayerSpec::Relu {});
        Some(NetworkConfig {
            hidden: Some(hidden),
            activation,
            dropout: Some(dropout),
            layers: None,
        })
    }

    /// The layers for samples of shape `sample` and `outputs` outputs.
    #[must_use]
    pub fn layers(&self, sample: &[usize], outputs: usize) -> Vec<LayerSpec> {
        if let Some(layers) = &self.layers {
            return layers.clone();
        }
        let hidden = self.hidden.as_deref().unwrap_or_default();
        let activation = self.activation.clone().unwrap_or(LayerSpec::Relu {});
        let mut layers = mlp(hidden, activation, self.dropout.unwrap_or(0.0), outputs);
        if sample.len() > 1 {
            layers.insert(0, LayerSpec::Flatten { start: 1 });
        }
        layers
    }
}

impl Config {
    /// What is done with a data set where nobody says otherwise. `brings_test`: the set has a test part of its own.
    #[must_use]
    pub fn defaults(data: &Dataset, brings_test: bool) -> Config {
        let (rows, width) = (data.rows(), data.features.width());
        let small = rows <= SMALL_SET;
        let (epochs, batch_size, lr) = if small { (40, 32, 3e-3) } else { (10, 64, 2e-3) };
        let loss = match &data.targets {
            thalweg_data::Targets::Classes { .. } => losses::CrossEntropy::default().into(),
            thalweg_data::Targets::Values { .. } => losses::Mse::default().into(),
        };
        let network = NetworkConfig::preset("mlp", width);
        let network = network.unwrap_or(NetworkConfig {
            hidden: None,
            activation: None,
            dropout: None,
            layers: None,
        });
        Config {
            data: DataConfig {
                path: data.name.clone(),
                target: "label".into(),
                split: Fractions { valid: 0.1, test: if brings_test { 0.0 } else { 0.2 } },
                standardise: Standardise::Global,
            },
            network,
            train: TrainConfig {
                epochs,
                batch_size: BatchSize::Rows(batch_size),
                drop_last: false,
                lr,
                seed: 0,
                max_steps: None,
                max_time: None,
                patience: None,
                tol: None,
                tol_patience: 3,
                restore_best: false,
                accumulate: 1,
                clip_norm: None,
                clip_value: None,
                l1: 0.0,
                l2: 0.0,
                isa: isa_name(Isa::detect()).into(),
                loss,
                optimizer: AdamW::default().into(),
                schedule: Schedule::OneCycle {
                    max: None,
                    total: None,
                    pct_start: 0.3,
                    div: 25.0,
                    final_div: 1e4,
                },
                groups: vec![],
            },
        }
    }

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

    #[test]
    fn presets_are_what_they_say() {
        assert!(PRESETS.iter().all(|(name, _)| NetworkConfig::preset(name, 64).is_some()));
        assert!(NetworkConfig::preset("resnet", 64).is_none());
        let mlp = NetworkConfig::preset("mlp", 784).map(|network| network.layers(&[28, 28], 10));
        let names: Vec<&str> = mlp.iter().flatten().map(LayerSpec::name).collect();
        let want = ["flatten", "linear", "relu", "dropout", "linear", "relu", "dropout", "linear"];
        assert_eq!(names, want);
    }
}
