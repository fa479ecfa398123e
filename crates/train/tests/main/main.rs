//! Trainings from end to end, and what they report.

mod data;
mod determinism;
mod errors;
mod generate;
mod kinds;
mod labels;
mod learning;
mod measuring;
mod metrics;
mod options;
mod stopping;
