//! How a network learns: the fit loop, metrics, early stopping, the run folder.

mod aim;
mod augment;
mod checkpoint;
mod counts;
mod diverged;
pub mod error;
mod fit;
pub mod generate;
mod goal;
mod health;
pub mod history;
pub mod judge;
pub mod metrics;
mod monitor;
pub mod options;
pub mod part;
mod preflight;
mod programs;
mod range_test;
pub mod run;
mod sample;
mod step;
mod trainer;

pub use augment::Augment;
pub use checkpoint::{Checkpoint, Standing};
pub use error::TrainError;
pub use generate::{Generator, Sampling, Translator};
pub use history::{
    BatchReport, Control, EpochReport, History, Observer, Stopped, Timing, TrainScores,
};
pub use metrics::{
    ClassCounts, ClassScores, Classification, LabelCounts, LabelScores, Labels, Metrics,
    PlaceCounts, Probabilities, Reconstruction, Regression, RegressionSums, Sequences,
};
pub use options::{BatchSize, Extension, FitOptions};
pub use part::Part;
pub use preflight::Preflight;
pub use range_test::RangeTest;
pub use sample::Sample;
pub use trainer::Trainer;
