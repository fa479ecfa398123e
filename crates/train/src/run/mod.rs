//! A training run from end to end: what was asked for ([`draft`]), what that means for the data at hand
//! ([`config`]), the training itself ([`session`]), and the folder that holds all of it ([`folder`], [`model`]).
//! [`layers`] and [`microscope`] look into what was trained.
//!
//! ```text
//! Draft (file < --set < flags) ──resolve(data)──▶ Config ──▶ Session ──train──▶ RunFolder
//!                                                                │                  │
//!                                              Model ◀──load─────┴──────────────────┘
//! ```

mod balance;
mod baselines;
mod blame;
pub mod calibration;
mod checkpoint;
pub mod config;
pub mod data;
pub mod defaults;
pub mod dot;
pub mod draft;
mod error;
mod examples;
mod findings;
pub mod folder;
mod importance;
pub mod init;
pub mod insights;
pub mod judging;
mod labels;
pub mod layers;
mod linear;
mod memory;
pub mod microscope;
mod mistakes;
pub mod model;
pub mod network;
pub mod resume;
pub mod session;
mod slopes;
mod stories;
pub mod task;
mod works;
mod writer;

pub use calibration::Calibration;
pub use config::{Config, DataConfig, TrainConfig};
pub use data::{PartName, RunData};
pub use draft::Draft;
pub use error::RunError;
pub use folder::RunFolder;
pub use model::{Model, ModelFile};
pub use network::NetworkConfig;
pub use session::{Session, Summary};
pub use task::Task;
pub use thalweg_nn::{LayerSpec, NodeSpec, Updater, presets::presets};
pub use writer::Writer;

/// The version of thalweg, as `summary.json` and `model.json` record it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
