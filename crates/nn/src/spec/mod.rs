//! Layer specifications: a network as data. What a config file's `[network]` table, a saved model and the
//! builder of [`Sequential`](crate::Sequential) hold; sizes of inputs are left to inference.

use std::str::FromStr;

use serde::de::value::{Error as SerdeError, MapDeserializer};
use serde::{Deserialize, Serialize};
use thalweg_graph::{OpError, Shape};

use crate::dag::Node;
use crate::layers::{
    BatchNorm1d, Dropout, Elu, Embedding, Flatten, Gelu, Join, LayerNorm, LeakyRelu, Linear,
    LogSoftmax, Prelu, Relu, Sigmoid, Silu, Softmax, Softplus, Tanh,
};
use crate::module::Network;

/// One layer, without the sizes that its input decides.
///
/// In a config: `{ type = "linear", out = 128 }`, `{ type = "leaky_relu" }`. Fields that are left out take
/// PyTorch's defaults; an unknown field is an error.
///
/// ```
/// use thalweg_nn::LayerSpec;
/// let spec: LayerSpec = "elu".parse()?;
/// assert_eq!(spec, LayerSpec::Elu { alpha: 1.0 });
/// assert!("elo".parse::<LayerSpec>().unwrap_err().to_string().contains("`elu`"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum LayerSpec {
    /// [`Linear`] to `out` outputs.
    Linear {
        /// The number of outputs.
        out: usize,
        /// Whether there is a bias; yes by default.
        #[serde(default = "yes")]
        bias: bool,
    },
    /// [`Embedding`] of `num` ids as `dim` numbers each.
    Embedding {
        /// The number of ids.
        num: usize,
        /// The numbers per id.
        dim: usize,
        /// The id that stands for nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        padding_idx: Option<usize>,
    },
    /// [`Flatten`] from axis `start`.
    Flatten {
        /// The first axis joined; 1 by default.
        #[serde(default = "one")]
        start: usize,
    },
    /// [`Dropout`] with probability `p`.
    Dropout {
        /// The probability of dropping; 0.5 by default.
        #[serde(default = "half")]
        p: f64,
    },
    /// [`BatchNorm1d`] over as many channels as axis 1 has.
    BatchNorm1d {
        /// Added to the variance; 1e-5 by default.
        #[serde(default = "epsilon")]
        eps: f64,
        /// The new batch's weight in the running statistics; 0.1 by default.
        #[serde(default = "tenth")]
        momentum: f64,
        /// Whether there are weight and bias; yes by default.
        #[serde(default = "yes")]
        affine: bool,
    },
    /// [`LayerNorm`] over the last `axes` axes.
    LayerNorm {
        /// How many of the last axes are normalised together; 1 by default.
        #[serde(default = "one")]
        axes: usize,
        /// Added to the variance; 1e-5 by default.
        #[serde(default = "epsilon")]
        eps: f64,
        /// Whether there are weight and bias; yes by default.
        #[serde(default = "yes")]
        affine: bool,
    },
    /// [`Relu`].
    Relu {},
    /// [`LeakyRelu`].
    LeakyRelu {
        /// The slope below 0; 0.01 by default.
        #[serde(default = "hundredth")]
        alpha: f64,
    },
    /// [`Elu`].
    Elu {
        /// The depth below 0; 1 by default.
        #[serde(default = "unit")]
        alpha: f64,
    },
    /// [`Sigmoid`].
    Sigmoid {},
    /// [`Tanh`].
    Tanh {},
    /// [`Softmax`].
    Softmax {
        /// The axis that sums to 1; the last by default.
        #[serde(default = "last")]
        axis: isize,
    },
    /// [`LogSoftmax`].
    LogSoftmax {
        /// The axis whose exponentials sum to 1; the last by default.
        #[serde(default = "last")]
        axis: isize,
    },
    /// [`Gelu`].
    Gelu {
        /// Whether by tanh instead of the error function; no by default.
        #[serde(default)]
        tanh: bool,
    },
    /// [`Silu`].
    Silu {},
    /// [`Softplus`].
    Softplus {},
    /// [`Prelu`].
    Prelu {
        /// Whether each channel (axis 1) learns a slope of its own; no by default.
        #[serde(default)]
        per_channel: bool,
    },
    /// The sum of several nodes: see [`Join`].
    Add {},
    /// The product of several nodes, element by element.
    Multiply {},
    /// Several nodes one after the other.
    Concat {
        /// The joined axis; the last by default.
        #[serde(default = "last")]
        axis: isize,
    },
}

fn yes() -> bool {
    true
}
fn one() -> usize {
    1
}
fn last() -> isize {
    -1
}
fn unit() -> f64 {
    1.0
}
fn half() -> f64 {
    0.5
}
fn tenth() -> f64 {
    0.1
}
fn hundredth() -> f64 {
    0.01
}
fn epsilon() -> f64 {
    1e-5
}

impl LayerSpec {
    /// The name in configs: `linear`, `leaky_relu`.
    pub fn name(&self) -> &'static str {
        match self {
            LayerSpec::Linear { .. } => "linear",
            LayerSpec::Embedding { .. } => "embedding",
            LayerSpec::Flatten { .. } => "flatten",
            LayerSpec::Dropout { .. } => "dropout",
            LayerSpec::BatchNorm1d { .. } => "batch_norm1d",
            LayerSpec::LayerNorm { .. } => "layer_norm",
            LayerSpec::Relu {} => "relu",
            LayerSpec::LeakyRelu { .. } => "leaky_relu",
            LayerSpec::Elu { .. } => "elu",
            LayerSpec::Sigmoid {} => "sigmoid",
            LayerSpec::Tanh {} => "tanh",
            LayerSpec::Softmax { .. } => "softmax",
            LayerSpec::LogSoftmax { .. } => "log_softmax",
            LayerSpec::Gelu { .. } => "gelu",
            LayerSpec::Silu {} => "silu",
            LayerSpec::Softplus {} => "softplus",
            LayerSpec::Prelu { .. } => "prelu",
            LayerSpec::Add {} => "add",
            LayerSpec::Multiply {} => "multiply",
            LayerSpec::Concat { .. } => "concat",
        }
    }

    /// The layer for inputs of shape `input`, the batch axis first. Fails where the shape lacks the axis that
    /// decides a size; what else is wrong is reported by the layer's `forward`.
    #[track_caller]
    pub fn build(&self, input: &Shape) -> Result<Box<dyn Network>, OpError> {
        let extent = |axis: isize| {
            let found = thalweg_graph::shape::resolve_axis(axis, input.rank());
            found.map(|axis| input[axis]).ok_or_else(|| {
                let what = format!("{} takes its size from axis {axis}", self.name());
                OpError::shape(format!("{what}, got an input of shape {input}"))
                    .hint("the first axis counts samples; is it missing?")
            })
        };
        Ok(match *self {
            LayerSpec::Linear { out, bias: true } => Box::new(Linear::new(extent(-1)?, out)),
            LayerSpec::Linear { out, bias: false } => {
                Box::new(Linear::without_bias(extent(-1)?, out))
            }
            LayerSpec::Embedding { num, dim, padding_idx } => {
                let table = Embedding::new(num, dim);
                Box::new(match padding_idx {
                    Some(index) => table.padding_idx(index),
                    None => table,
                })
            }
            LayerSpec::Flatten { start } => Box::new(Flatten::from_axis(start)),
            LayerSpec::Dropout { p } => Box::new(Dropout::new(p)),
            LayerSpec::BatchNorm1d { eps, momentum, affine } => {
                let norm = BatchNorm1d::new(extent(1)?).eps(eps).momentum(momentum);
                Box::new(if affine { norm } else { norm.without_affine() })
            }
            LayerSpec::LayerNorm { axes, eps, affine } => {
                extent(-(axes.min(isize::MAX as usize) as isize))?;
                let norm = LayerNorm::new(&input[input.rank() - axes..]).eps(eps);
                Box::new(if affine { norm } else { norm.without_affine() })
            }
            LayerSpec::Relu {} => Box::new(Relu::new()),
            LayerSpec::LeakyRelu { alpha } => Box::new(LeakyRelu::new(alpha)),
            LayerSpec::Elu { alpha } => Box::new(Elu::new(alpha)),
            LayerSpec::Sigmoid {} => Box::new(Sigmoid::new()),
            LayerSpec::Tanh {} => Box::new(Tanh::new()),
            LayerSpec::Softmax { axis } => Box::new(Softmax::new(axis)),
            LayerSpec::LogSoftmax { axis } => Box::new(LogSoftmax::new(axis)),
            LayerSpec::Gelu { tanh: false } => Box::new(Gelu::new()),
            LayerSpec::Gelu { tanh: true } => Box::new(Gelu::tanh()),
            LayerSpec::Silu {} => Box::new(Silu::new()),
            LayerSpec::Softplus {} => Box::new(Softplus::new()),
            LayerSpec::Prelu { per_channel: false } => Box::new(Prelu::new(1)),
            LayerSpec::Prelu { per_channel: true } => Box::new(Prelu::new(extent(1)?)),
            LayerSpec::Add {} | LayerSpec::Multiply {} | LayerSpec::Concat { .. } => {
                let what = format!("{} joins several inputs", self.name());
                return Err(OpError::argument(what).hint(
                    "it belongs into a network of named nodes, with inputs = [\"a\", \"b\"]",
                ));
            }
        })
    }

    /// The layer for inputs of these shapes, where it is one that takes several.
    #[track_caller]
    pub(crate) fn build_join(&self, _: &[Shape]) -> Option<Result<Box<dyn Node>, OpError>> {
        Some(Ok(Box::new(match *self {
            LayerSpec::Add {} => Join::add(),
            LayerSpec::Multiply {} => Join::multiply(),
            LayerSpec::Concat { axis } => Join::concat(axis),
            _ => return None,
        })))
    }
}

/// A specification by its name alone (`relu`, `dropout`), where every field has a default.
impl FromStr for LayerSpec {
    type Err = UnknownLayer;

    fn from_str(name: &str) -> Result<LayerSpec, UnknownLayer> {
        let fields = MapDeserializer::<_, SerdeError>::new([("type", name)].into_iter());
        LayerSpec::deserialize(fields).map_err(|error| UnknownLayer(error.to_string()))
    }
}

/// A name that is no layer's, or a layer that needs more than its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnknownLayer(String);

/// The layers of a multi-layer perceptron: for each size of `hidden` a linear layer, `activation` and, where `dropout`
/// is above 0, dropout; then a linear layer to `out` outputs. Inputs are `[N, features]`: put a
/// [`LayerSpec::Flatten`] before it for images.
///
/// ```
/// use thalweg_nn::{LayerSpec, mlp};
/// let names: Vec<&str> = mlp(&[512, 256], LayerSpec::Relu {}, 0.0, 10).iter().map(LayerSpec::name).collect();
/// assert_eq!(names, ["linear", "relu", "linear", "relu", "linear"]);
/// ```
pub fn mlp(hidden: &[usize], activation: LayerSpec, dropout: f64, out: usize) -> Vec<LayerSpec> {
    let mut specs = Vec::new();
    for &size in hidden {
        specs.push(LayerSpec::Linear { out: size, bias: true });
        specs.push(activation.clone());
        // Not `dropout > 0.0`: a NaN must reach the layer, which reports it.
        if dropout != 0.0 {
            specs.push(LayerSpec::Dropout { p: dropout });
        }
    }
    specs.push(LayerSpec::Linear { out, bias: true });
    specs
}
