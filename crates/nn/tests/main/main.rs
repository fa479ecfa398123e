//! What thalweg-nn promises, checked with the reference executor.

mod activations;
mod context;
mod dag;
mod derive;
mod golden;
mod gradients;
mod help;
mod layers;
mod losses;
mod normalise;
mod optimizers;
mod presets;
mod regularise;
mod sequence;
mod sequential;
mod store;
mod tabular;
mod vision;
