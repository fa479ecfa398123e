//! What is done with data where nobody says otherwise.

use thalweg_cpu::Isa;
use thalweg_data::{Dataset, Fractions, Standardise, Targets};
use thalweg_nn::optim::AdamW;
use thalweg_nn::presets::{self, Preset, Shapes};
use thalweg_nn::{Schedule, losses};

use super::config::{Config, DataConfig, TrainConfig, isa_name};
use super::network::NetworkConfig;
use crate::BatchSize;

/// The training rows up to which a set is small: it gets more epochs of smaller batches.
const SMALL_SET: usize = 5_000;

impl Config {
    /// What is done with a data set where nobody says otherwise. `brings_test`: the set has a test part of its own;
    /// `preset`: the network that was asked for.
    #[must_use]
    pub fn defaults(data: &Dataset, brings_test: bool, preset: Option<&'static Preset>) -> Config {
        let small = data.rows() <= SMALL_SET;
        let (epochs, batch_size, lr) = if small { (40, 32, 3e-3) } else { (10, 64, 2e-3) };
        let loss = match &data.targets {
            Targets::Classes { .. } | Targets::Sequence { .. } => {
                losses::CrossEntropy::default().into()
            }
            Targets::Values { .. } => losses::Mse::default().into(),
        };
        let network = preset
            .or_else(|| presets::preset("mlp"))
            .and_then(|preset| NetworkConfig::preset(preset, &shapes_of(data)).ok());
        Config {
            data: DataConfig {
                path: data.name.clone(),
                target: "label".into(),
                split: Fractions { valid: 0.1, test: if brings_test { 0.0 } else { 0.2 } },
                standardise: Standardise::Global,
            },
            network: network.unwrap_or_default(),
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
}

/// What the sizes of a network for `data` follow from.
#[must_use]
pub fn shapes_of(data: &Dataset) -> Shapes<'_> {
    Shapes { sample: data.features.shape(), vocabulary: None, outputs: data.targets.width() }
}
