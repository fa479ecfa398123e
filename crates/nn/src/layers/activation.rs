//! Activations as layers: the functions of [`Activations`](crate::Activations) for where a network is a list.

use std::sync::Arc;

use thalweg_graph::{Layer, OpError, Tensor};

use crate::activations::Activations;
use crate::init::Init;
use crate::layers::{check_float, forward_in, needs_one, origin};
use crate::param::Param;
use crate::{Forward, Module};

macro_rules! activations {
    ($(
        $(#[$doc:meta])*
        $name:ident($($field:ident: $type:ty),*) = |$layer:ident, $x:ident| $forward:expr;
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Module)]
        pub struct $name {
            #[module(flatten)]
            layer: Arc<Layer>,
            $($field: $type,)*
        }

        impl $name {
            /// The layer; its arguments are those of the function.
            #[track_caller]
            #[allow(clippy::new_without_default, reason = "only some of them have no arguments")]
            pub fn new($($field: $type),*) -> $name {
                let kind = [stringify!($name).to_owned() $(, $field.to_string())*].join(" ");
                $name { layer: Layer::new(kind) $(, $field)* }
            }
        }

        impl Forward for $name {
            fn forward(&self, $x: &Tensor) -> Tensor {
                let $layer = self;
                forward_in(&self.layer, $x, || check_float($x), || $forward)
            }
        }
    )*};
}

activations! {
    /// `max(0, x)`: see [`Tensor::relu`].
    ///
    /// ```
    /// use thalweg_graph::{NoStates, Reference, Tensor};
    /// use thalweg_nn::{Forward, Relu};
    /// let y = Relu::new().forward(&Tensor::new(&[-1.0f32, 2.0], [2]));
    /// assert_eq!(Reference::new().evaluate(&[y], &[], &NoStates)?[0].floats(), [0.0, 2.0]);
    /// # Ok::<(), thalweg_graph::Error>(())
    /// ```
    Relu() = |_layer, x| x.relu();

    /// `x` where x > 0, else `αx` (PyTorch's α is 0.01): see [`Activations::leaky_relu`].
    LeakyRelu(alpha: f64) = |layer, x| x.leaky_relu(layer.alpha);

    /// `x` where x > 0, else `α(eˣ − 1)` (PyTorch's α is 1): see [`Activations::elu`].
    Elu(alpha: f64) = |layer, x| x.elu(layer.alpha);

    /// `1/(1+e⁻ˣ)`: see [`Tensor::sigmoid`].
    Sigmoid() = |_layer, x| x.sigmoid();

    /// `(eˣ−e⁻ˣ)/(eˣ+e⁻ˣ)`: see [`Tensor::tanh`].
    Tanh() = |_layer, x| x.tanh();

    /// `e^(x−max)/Σ` along an axis, usually −1: see [`Activations::softmax`].
    Softmax(axis: isize) = |layer, x| x.softmax(layer.axis);

    /// The logarithm of the softmax along an axis, usually −1: see [`Activations::log_softmax`].
    LogSoftmax(axis: isize) = |layer, x| x.log_softmax(layer.axis);

    /// `x·sigmoid(x)`: see [`Activations::silu`].
    Silu() = |_layer, x| x.silu();

    /// `ln(1 + eˣ)`: see [`Tensor::softplus`].
    Softplus() = |_layer, x| x.softplus();
}

/// `x·Φ(x)`, Φ being the normal distribution function: see [`Activations::gelu`] and, for the approximation that
/// GPT-2 was trained with, [`Activations::gelu_tanh`].
#[derive(Clone, Debug, Module)]
pub struct Gelu {
    #[module(flatten)]
    layer: Arc<Layer>,
    tanh: bool,
}

impl Gelu {
    /// By the error function.
    #[track_caller]
    #[allow(clippy::new_without_default, reason = "as the other activations")]
    pub fn new() -> Gelu {
        Gelu { layer: Layer::new("Gelu"), tanh: false }
    }

    /// By tanh, PyTorch's `approximate="tanh"`.
    #[track_caller]
    pub fn tanh() -> Gelu {
        Gelu { layer: Layer::new("Gelu (tanh)"), tanh: true }
    }
}

impl Forward for Gelu {
    fn forward(&self, x: &Tensor) -> Tensor {
        let apply = || if self.tanh { x.gelu_tanh() } else { x.gelu() };
        forward_in(&self.layer, x, || check_float(x), apply)
    }
}

/// `x` where x > 0, else `ax` with a learned slope: one for all, or one per channel (axis 1). After
/// [He et al. 2015](https://arxiv.org/abs/1502.01852).
///
/// Parameter, as PyTorch's: `weight` `[channels]`, 0.25 at first. Errors: 0 channels, an input whose axis 1 is not
/// the number of channels (where there is more than one), an input that is not a float.
#[derive(Clone, Debug, Module)]
pub struct Prelu {
    #[module(flatten)]
    layer: Arc<Layer>,
    weight: Param,
}

impl Prelu {
    /// With `channels` slopes; 1 is one slope for all.
    #[track_caller]
    pub fn new(channels: usize) -> Prelu {
        let weight = Param::new("weight", [channels], Init::Constant(0.25));
        Prelu { layer: Layer::new(format!("Prelu {channels}")), weight }
    }

    fn check(&self, x: &Tensor) -> Result<(), OpError> {
        check_float(x)?;
        match self.weight.shape()[0] {
            0 => Err(needs_one("channels")),
            channels if channels > 1 && x.dim(1) != channels => {
                let shape = x.shape();
                let what = format!("axis 1 must be {channels}, got {shape}{}", origin(x));
                Err(OpError::shape(what)
                    .hint("channels are on axis 1; Prelu::new(1) fits any shape"))
            }
            _ => Ok(()),
        }
    }
}

impl Forward for Prelu {
    fn forward(&self, x: &Tensor) -> Tensor {
        forward_in(&self.layer, x, || self.check(x), || x.prelu(&self.weight.tensor()))
    }
}
