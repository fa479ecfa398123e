//! What is done with data where nobody says otherwise.

use thalweg_cpu::Isa;
use thalweg_data::{
    Dataset, Encoding, Fractions, Level, Loaded, SourceOptions, Standardise, Targets,
};
use thalweg_nn::optim::AdamW;
use thalweg_nn::presets::{self, Preset, Shapes, TableShape};
use thalweg_nn::{Answer, Loss, Schedule, losses};

use super::config::{Config, DataConfig, Objective, TrainConfig, isa_name};
use super::network::NetworkConfig;
use crate::BatchSize;
use crate::judge::threshold::Metric;

/// The training rows up to which a set is small: it gets more epochs of smaller batches.
const SMALL_SET: usize = 5_000;

/// The presets whose networks reconstruct what they are given.
pub(super) const AUTOENCODERS: [&str; 2] = ["autoencoder", "vae"];

impl Config {
    /// What is done with data for a goal where nobody says otherwise. `preset`: the network that was asked for.
    #[must_use]
    pub fn defaults(loaded: &Loaded, goal: Objective, preset: Option<&'static Preset>) -> Config {
        let preset = preset.or_else(|| presets::preset(preset_for(&loaded.encoding, goal)));
        let network = preset
            .and_then(|preset| NetworkConfig::preset(preset, &shapes_of(loaded, goal)).ok())
            .unwrap_or_default();
        let habits = Habits::of(loaded);
        let split = loaded.fractions.unwrap_or(match (&loaded.parts, &loaded.test) {
            (Some(_), _) => Fractions { valid: 0.0, test: 0.0 },
            (None, Some(_)) => Fractions { valid: 0.1, test: 0.0 },
            (None, None) => Fractions { valid: 0.1, test: 0.2 },
        });
        let learned = match &loaded.parts {
            Some(parts) => parts.train.len(),
            None => (loaded.train.rows() as f64 * (1.0 - split.valid - split.test)) as usize,
        };
        // Few rows make a few steps at least.
        let batch = habits.batch.min((learned / 4).max(1));
        Config {
            data: DataConfig {
                path: loaded.train.name.clone(),
                source: SourceOptions {
                    target: Some(target_of(&loaded.encoding).into()),
                    ..SourceOptions::default()
                },
                standardise: match loaded.encoding {
                    Encoding::Table(_) => Standardise::Off,
                    _ => Standardise::Global,
                },
                split,
                ignore_checks: false,
            },
            network,
            train: TrainConfig {
                goal,
                epochs: habits.epochs,
                batch_size: BatchSize::Rows(batch),
                drop_last: false,
                lr: habits.lr,
                seed: 0,
                max_steps: None,
                max_time: None,
                patience: habits.patience,
                tol: None,
                tol_patience: 3,
                restore_best: habits.patience.is_some(),
                accumulate: 1,
                clip_norm: habits.clip_norm,
                clip_value: None,
                l1: 0.0,
                l2: habits.l2,
                mixup: 0.0,
                noise: 0.0,
                augment: vec![],
                metric: Metric::Accuracy,
                balance: false,
                isa: isa_name(Isa::detect()).into(),
                loss: loss_for(&loaded.train.targets, goal),
                optimizer: AdamW::default().into(),
                schedule: Schedule::OneCycle {
                    max: None,
                    total: None,
                    pct_start: 0.3,
                    div: 25.0,
                    final_div: 1e4,
                },
                health: true,
                groups: vec![],
                extended: vec![],
            },
        }
    }
}

/// How long and in what steps a kind of data is learned.
struct Habits {
    epochs: usize,
    batch: usize,
    lr: f64,
    patience: Option<usize>,
    clip_norm: Option<f64>,
    l2: f64,
}

impl Habits {
    fn of(loaded: &Loaded) -> Habits {
        let small = loaded.train.rows() <= SMALL_SET;
        let (epochs, batch, lr) = if small { (40, 32, 3e-3) } else { (10, 64, 2e-3) };
        let plain = Habits { epochs, batch, lr, patience: None, clip_norm: None, l2: 0.0 };
        match loaded.encoding {
            Encoding::Values => plain,
            Encoding::Table(_) => Habits::of_table(loaded.train.rows()),
            Encoding::Images(_) | Encoding::Audio(_) => Habits { patience: Some(10), ..plain },
            Encoding::Language(_) | Encoding::Pairs(_) => {
                Habits { epochs: 10, batch: 32, clip_norm: Some(1.0), ..plain }
            }
            Encoding::Text(_) | Encoding::Labelled(_) => {
                // Words are learned by heart sooner than characters.
                let of_words =
                    matches!(&loaded.encoding, Encoding::Text(t) if t.level == Level::Word);
                let (epochs, lr) = if of_words { (8, 2e-3) } else { (epochs.max(16), 3e-3) };
                Habits { epochs, lr, patience: Some(6), clip_norm: Some(1.0), ..plain }
            }
            // Of most users and items little is known: what is learned of them is held near 0.
            Encoding::Ratings(_) => {
                Habits { epochs: 30, batch: 256, lr: 1e-3, patience: Some(5), l2: 3e-4, ..plain }
            }
            Encoding::Series(_) => {
                Habits { epochs: 200, batch: 32, patience: Some(20), clip_norm: Some(1.0), ..plain }
            }
        }
    }

    /// The members of a table's network learn for long where rows are few, as each step costs next to nothing; the best
    /// epoch counts. Millions of rows teach in a few rounds what there is to learn.
    fn of_table(rows: usize) -> Habits {
        let (epochs, batch, lr) = match rows {
            0..2_000 => ((1_600 * 32 / rows.max(1)).clamp(60, 200), 32, 2e-3),
            2_000..10_000 => (60, 64, 2e-3),
            10_000..200_000 => (30, 256, 4e-3),
            200_000..2_000_000 => (10, 1024, 4e-3),
            _ => (3, 1024, 4e-3),
        };
        let patience = Some((epochs / 4).max(3));
        Habits { epochs, batch, lr, patience, clip_norm: None, l2: 0.0 }
    }
}

/// The network for a kind of data.
pub(super) fn preset_for(encoding: &Encoding, goal: Objective) -> &'static str {
    match encoding {
        _ if goal == Objective::Reconstruct => AUTOENCODERS[0],
        Encoding::Values => "mlp",
        Encoding::Table(_) => "table",
        Encoding::Images(images) if images.frames.is_some() => "cnn3d",
        Encoding::Images(_) => "lenet",
        Encoding::Audio(_) => "audio-cnn",
        Encoding::Language(_) => "char-lm",
        Encoding::Text(_) => "lstm",
        Encoding::Ratings(_) => "two-tower",
        Encoding::Series(_) => "forecaster",
        Encoding::Labelled(_) => "tagger",
        Encoding::Pairs(_) => "seq2seq",
    }
}

fn loss_for(targets: &Targets, goal: Objective) -> Loss {
    match (goal, targets) {
        (Objective::Reconstruct, _) | (_, Targets::Values { .. }) => losses::Mse::default().into(),
        (_, Targets::Labels { .. }) => losses::BinaryCrossEntropy::default().into(),
        _ => losses::CrossEntropy::default().into(),
    }
}

/// What predictions are called.
fn target_of(encoding: &Encoding) -> &str {
    match encoding {
        Encoding::Text(text) => &text.target,
        Encoding::Ratings(ratings) => &ratings.target,
        Encoding::Series(series) => &series.column,
        Encoding::Table(table) => &table.target.column,
        Encoding::Language(_) | Encoding::Pairs(_) => "text",
        Encoding::Labelled(_) => "tags",
        Encoding::Values | Encoding::Images(_) | Encoding::Audio(_) => "label",
    }
}

/// What the sizes of a network follow from.
#[must_use]
pub fn shapes_of(loaded: &Loaded, goal: Objective) -> Shapes<'_> {
    shapes(&loaded.train, &loaded.encoding, goal)
}

/// As [`shapes_of`], of a set and its encoding.
#[must_use]
pub fn shapes<'a>(data: &'a Dataset, encoding: &'a Encoding, goal: Objective) -> Shapes<'a> {
    Shapes {
        sample: data.features.shape(),
        vocabulary: encoding.ids().into_iter().max(),
        outputs: match goal {
            Objective::Targets => data.targets.width(),
            Objective::Reconstruct => data.features.width(),
        },
        places: match &data.targets {
            Targets::Sequence { length, .. } => Some(*length),
            Targets::Classes { .. } | Targets::Labels { .. } | Targets::Values { .. } => None,
        },
        table: match encoding {
            Encoding::Table(table) => Some(TableShape {
                numbers: &table.layout.numbers,
                categories: &table.layout.categories,
                texts: &table.layout.texts,
                images: &table.layout.images,
                sounds: &table.layout.sounds,
                rows: table.layout.rows,
                answer: match &data.targets {
                    Targets::Classes { .. } | Targets::Sequence { .. } => Answer::Classes,
                    Targets::Labels { .. } => Answer::Labels,
                    Targets::Values { .. } => Answer::Numbers,
                },
            }),
            _ => None,
        },
    }
}
