//! How a network learns: the fit loop, metrics, early stopping, the run folder.

pub mod error;
mod fit;
pub mod generate;
mod goal;
pub mod history;
pub mod metrics;
mod monitor;
pub mod options;
pub mod part;
mod programs;
pub mod run;
mod step;
mod trainer;

pub use error::TrainError;
pub use generate::{Generator, Sampling};
pub use history::{
    BatchReport, Control, EpochReport, History, Observer, Stopped, Timing, TrainScores,
};
pub use metrics::{ClassCounts, ClassScores, Classification, Metrics, Regression, RegressionSums};
pub use options::{BatchSize, FitOptions};
pub use part::Part;
pub use trainer::Trainer;
