//! Trainings from end to end, and what they report.

mod data;
mod determinism;
mod errors;
mod generate;
mod health;
mod judge;
mod kinds;
mod labels;
mod learning;
mod measuring;
mod members;
mod metrics;
mod options;
mod resume;
mod stopping;
