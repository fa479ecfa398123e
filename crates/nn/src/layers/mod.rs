//! The layers, one file each. Every layer holds the [`Layer`] that messages call it by, its
//! parameters under PyTorch's names, and a `forward` that says what is wrong with its input before it
//! builds anything.
//!
//! Constructors never fail: a size of 0 or a probability of 2 is reported by `forward`, as a poisoned tensor that
//! names the layer.

mod activation;
mod attention;
mod batch_norm;
mod dropout;
mod embedding;
mod flatten;
mod forecaster;
mod join;
mod layer_norm;
mod linear;
mod padding;
mod pool_time;
mod positions;
mod recurrent;
mod seq2seq;
mod transformer;
mod two_tower;

pub use activation::{
    Elu, Gelu, LeakyRelu, LogSoftmax, Prelu, Relu, Sigmoid, Silu, Softmax, Softplus, Tanh,
};
pub use attention::MultiheadAttention;
pub use batch_norm::BatchNorm1d;
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use flatten::Flatten;
pub use forecaster::Forecaster;
pub use join::Join;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use padding::{lengths, within};
pub use pool_time::{Pool, PoolTime};
pub use positions::{LearnedPositions, SinusoidalPositions, rotate};
pub use recurrent::{Carry, Gru, Lstm, Rnn};
pub use seq2seq::{Seq2Seq, Seq2SeqSize};
pub use transformer::{TransformerDecoderLayer, TransformerEncoder, TransformerEncoderLayer};
pub use two_tower::TwoTower;

use std::sync::Arc;

use thalweg_graph::{Layer, OpError, Tensor};

/// Runs a layer's `forward` in its name: on an input that `check` accepts, else poisoned with what it says, at the line
/// that called `forward`.
#[track_caller]
fn forward_in(
    layer: &Arc<Layer>,
    x: &Tensor,
    check: impl FnOnce() -> Result<(), OpError>,
    forward: impl FnOnce() -> Tensor,
) -> Tensor {
    if x.error().is_some() {
        return x.clone();
    }
    let _entered = layer.enter();
    match check() {
        Ok(()) => forward(),
        Err(error) => Tensor::poison("forward", error),
    }
}

/// Where a wrong input came from: `, from 'flatten' at src/net.rs:31`.
fn origin(x: &Tensor) -> String {
    format!(", from '{}' at {}:{}", x.op().name(), x.site().file(), x.site().line())
}

/// The error of a size that a layer was made with.
fn needs_one(name: &str) -> OpError {
    OpError::argument(format!("{name} must be at least 1, got 0"))
        .hint("give the layer the size it was meant to have")
}

/// Accepts floats.
fn check_float(x: &Tensor) -> Result<(), OpError> {
    if x.dtype().is_float() {
        return Ok(());
    }
    let what = format!("expects a float input, got {}{}{}", x.dtype(), x.shape(), origin(x));
    Err(OpError::dtype(what).hint("convert with cast(DType::F32) first"))
}
