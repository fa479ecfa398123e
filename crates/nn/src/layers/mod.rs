//! The layers, one file each. Every layer holds the [`Layer`] that messages call it by, its
//! parameters under PyTorch's names, and a `forward` that says what is wrong with its input before it
//! builds anything.
//!
//! Constructors never fail: a size of 0 or a probability of 2 is reported by `forward`, as a poisoned tensor that
//! names the layer.

mod activation;
mod batch_norm;
mod conv;
mod conv_transpose;
mod dropout;
mod embedding;
mod flatten;
mod group_norm;
mod join;
mod layer_norm;
mod linear;
mod noise;
mod penalised;
mod pool;
mod reshape;
mod sequence;
mod spatial;
mod tabular;
mod upsample;

pub use activation::{
    Elu, Gelu, LeakyRelu, LogSoftmax, Prelu, Relu, Sigmoid, Silu, Softmax, Softplus, Tanh,
};
pub use batch_norm::{BatchNorm, BatchNorm1d, BatchNorm2d, BatchNorm3d};
pub use conv::{Conv, Conv1d, Conv2d, Conv3d};
pub use conv_transpose::{ConvTranspose, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d};
pub use dropout::{ChannelDropout, Dropout, Dropout1d, Dropout2d, Dropout3d, StochasticDepth};
pub use embedding::Embedding;
pub use flatten::Flatten;
pub use group_norm::{GroupNorm, InstanceNorm, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d};
pub use join::Join;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use noise::{GaussianNoise, Reparameterize};
pub use penalised::Penalised;
pub use pool::{
    AdaptiveAvgPool, AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AdaptiveMaxPool,
    AdaptiveMaxPool1d, AdaptiveMaxPool2d, AdaptiveMaxPool3d, AvgPool, AvgPool1d, AvgPool2d,
    AvgPool3d, GlobalAvgPool, GlobalMaxPool, MaxPool, MaxPool1d, MaxPool2d, MaxPool3d,
};
pub use reshape::{Reshape, Unsqueeze};
pub use sequence::*;
pub use spatial::{Padding, PerAxis};
pub use tabular::*;
pub use upsample::Upsample;

use std::sync::Arc;

use thalweg_graph::{Layer, OpError, Tensor};

use crate::param::Param;

/// Runs a layer's `forward` in its name: on an input that `check` accepts, else poisoned with what it says, at the line
/// that called `forward`.
#[track_caller]
fn forward_in(
    layer: &Arc<Layer>,
    x: &Tensor,
    check: impl FnOnce() -> Result<(), OpError>,
    forward: impl FnOnce() -> Tensor,
) -> Tensor {
    checked(layer, x, check, |()| forward())
}

/// [`forward_in`] with what `check` finds out.
#[track_caller]
fn checked<T>(
    layer: &Arc<Layer>,
    x: &Tensor,
    check: impl FnOnce() -> Result<T, OpError>,
    forward: impl FnOnce(T) -> Tensor,
) -> Tensor {
    if x.error().is_some() {
        return x.clone();
    }
    let _entered = layer.enter();
    match check() {
        Ok(found) => forward(found),
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

/// Accepts inputs of a parameter's type.
fn check_dtype(x: &Tensor, param: &Param) -> Result<(), OpError> {
    if x.dtype() == param.dtype() {
        return Ok(());
    }
    let (want, got) = (param.dtype(), x.dtype());
    let what = format!("expects {want}, got {got}{}{}", x.shape(), origin(x));
    Err(OpError::dtype(what).hint(format!("convert with cast(DType::{want:?}) first")))
}
