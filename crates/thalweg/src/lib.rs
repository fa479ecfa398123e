//! The library's front door: what a program needs to build, train and run networks.
//!
//! ```
//! use thalweg::prelude::*;
//!
//! let network = Sequential::new().linear(32).relu().linear(3);
//! let x = Tensor::new(&[0.5f32; 8], [2, 4]);
//! assert_eq!(network.forward(&x).shape().dims(), [2, 3]);
//! ```
//!
//! Every room of the house is here under its own name: [`graph`] (tensors, ops, gradients), [`nn`] (layers, losses,
//! optimizers), [`cpu`] (the executor), [`data`] and [`train`].

mod model;

pub use model::{Model, Prediction};
pub use thalweg_cpu as cpu;
pub use thalweg_data as data;
pub use thalweg_data::tabular::Cell;
pub use thalweg_graph as graph;
pub use thalweg_graph::gradcheck;
pub use thalweg_plan as plan;
pub use thalweg_train as train;

/// What networks are of; see the crate `thalweg_nn`.
pub mod nn {
    pub use thalweg_nn::*;

    // The trait, and its derive macro that names this crate.
    pub use thalweg_nn::FacadeModule as Module;
    pub use thalweg_nn::module::Module;
}

/// What most programs use: `use thalweg::prelude::*;`.
pub mod prelude {
    pub use crate::nn::Module;
    pub use thalweg_cpu::Cpu;
    pub use thalweg_graph::{DType, Error, Executor, Shape, Tensor, Value, grad};
    pub use thalweg_nn::{
        Activations, BatchNorm2d, Conv1d, Conv2d, Dropout, Embedding, Flatten, Forward, Gru, Init,
        LayerNorm, Linear, Loss, Lstm, MaxPool2d, Mode, MultiheadAttention, Network, Optimizer,
        Param, Schedule, Sequential, Store, TransformerEncoderLayer, Updater,
    };
}

/// The programs of the README, kept true by running them.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
