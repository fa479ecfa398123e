//! Layer specifications: a network as data. What a config file's `[network]` table, a saved model and the
//! builder of [`Sequential`](crate::Sequential) hold; sizes of inputs are left to inference.

mod name;
mod sequence;
mod tabular;
mod vision;

use serde::{Deserialize, Serialize};
use thalweg_graph::{OpError, Shape};

use crate::dag::Node;
use crate::layers::{
    Answer, Dropout, Elu, Flatten, Gelu, Join, LayerNorm, LeakyRelu, Linear, LogSoftmax, Pool,
    Prelu, Relu, Sigmoid, Silu, Softmax, Softplus, Tanh,
};
use crate::module::Network;
pub use name::UnknownLayer;
pub use sequence::{
    AttentionOptions, DecoderOptions, EmbeddingOptions, ForecasterOptions, RecurrentOptions,
    Seq2SeqOptions, TransformerOptions, TwoTowerOptions,
};
pub use tabular::{
    CategoriesOptions, ColumnsOptions, MemberLinearOptions, PeriodicOptions, PiecewiseLinearOptions,
};
pub use vision::{
    AdaptivePoolOptions, AvgPoolOptions, BatchNormOptions, ChannelDropoutOptions, ConvOptions,
    ConvTransposeOptions, GroupNormOptions, InstanceNormOptions, Interpolation, MaxPoolOptions,
    UpsampleOptions,
};

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
    /// [`Embedding`](crate::Embedding).
    Embedding(EmbeddingOptions),
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
    /// [`Conv1d`](crate::Conv1d).
    Conv1d(ConvOptions),
    /// [`Conv2d`](crate::Conv2d).
    Conv2d(ConvOptions),
    /// [`Conv3d`](crate::Conv3d).
    Conv3d(ConvOptions),
    /// [`ConvTranspose1d`](crate::ConvTranspose1d).
    ConvTranspose1d(ConvTransposeOptions),
    /// [`ConvTranspose2d`](crate::ConvTranspose2d).
    ConvTranspose2d(ConvTransposeOptions),
    /// [`ConvTranspose3d`](crate::ConvTranspose3d).
    ConvTranspose3d(ConvTransposeOptions),
    /// [`MaxPool1d`](crate::MaxPool1d).
    MaxPool1d(MaxPoolOptions),
    /// [`MaxPool2d`](crate::MaxPool2d).
    MaxPool2d(MaxPoolOptions),
    /// [`MaxPool3d`](crate::MaxPool3d).
    MaxPool3d(MaxPoolOptions),
    /// [`AvgPool1d`](crate::AvgPool1d).
    AvgPool1d(AvgPoolOptions),
    /// [`AvgPool2d`](crate::AvgPool2d).
    AvgPool2d(AvgPoolOptions),
    /// [`AvgPool3d`](crate::AvgPool3d).
    AvgPool3d(AvgPoolOptions),
    /// [`AdaptiveAvgPool1d`](crate::AdaptiveAvgPool1d).
    AdaptiveAvgPool1d(AdaptivePoolOptions),
    /// [`AdaptiveAvgPool2d`](crate::AdaptiveAvgPool2d).
    AdaptiveAvgPool2d(AdaptivePoolOptions),
    /// [`AdaptiveAvgPool3d`](crate::AdaptiveAvgPool3d).
    AdaptiveAvgPool3d(AdaptivePoolOptions),
    /// [`AdaptiveMaxPool1d`](crate::AdaptiveMaxPool1d).
    AdaptiveMaxPool1d(AdaptivePoolOptions),
    /// [`AdaptiveMaxPool2d`](crate::AdaptiveMaxPool2d).
    AdaptiveMaxPool2d(AdaptivePoolOptions),
    /// [`AdaptiveMaxPool3d`](crate::AdaptiveMaxPool3d).
    AdaptiveMaxPool3d(AdaptivePoolOptions),
    /// [`BatchNorm1d`](crate::BatchNorm1d).
    BatchNorm1d(BatchNormOptions),
    /// [`BatchNorm2d`](crate::BatchNorm2d).
    BatchNorm2d(BatchNormOptions),
    /// [`BatchNorm3d`](crate::BatchNorm3d).
    BatchNorm3d(BatchNormOptions),
    /// [`InstanceNorm1d`](crate::InstanceNorm1d).
    InstanceNorm1d(InstanceNormOptions),
    /// [`InstanceNorm2d`](crate::InstanceNorm2d).
    InstanceNorm2d(InstanceNormOptions),
    /// [`InstanceNorm3d`](crate::InstanceNorm3d).
    InstanceNorm3d(InstanceNormOptions),
    /// [`Dropout1d`](crate::Dropout1d).
    Dropout1d(ChannelDropoutOptions),
    /// [`Dropout2d`](crate::Dropout2d).
    Dropout2d(ChannelDropoutOptions),
    /// [`Dropout3d`](crate::Dropout3d).
    Dropout3d(ChannelDropoutOptions),
    /// [`GroupNorm`](crate::GroupNorm).
    GroupNorm(GroupNormOptions),
    /// [`GlobalAvgPool`](crate::GlobalAvgPool).
    GlobalAvgPool {},
    /// [`GlobalMaxPool`](crate::GlobalMaxPool).
    GlobalMaxPool {},
    /// [`Upsample`](crate::Upsample).
    Upsample(UpsampleOptions),
    /// [`StochasticDepth`](crate::StochasticDepth).
    StochasticDepth {
        /// The probability of dropping a sample.
        p: f64,
    },
    /// [`GaussianNoise`](crate::GaussianNoise).
    GaussianNoise {
        /// The standard deviation.
        std: f64,
    },
    /// [`Reparameterize`](crate::Reparameterize).
    Reparameterize {
        /// The weight of the divergence; 1 by default.
        #[serde(default = "unit")]
        beta: f64,
    },
    /// [`Reshape`](crate::Reshape).
    Reshape {
        /// The shape of a sample; one extent may be −1.
        shape: Vec<isize>,
    },
    /// [`Unsqueeze`](crate::Unsqueeze).
    Unsqueeze {
        /// The new axis, the batch axis being 0.
        axis: isize,
    },
    /// [`Rnn`](crate::Rnn) with tanh. It takes the ids of a padded sequence as a second input, as do the other layers
    /// over sequences.
    Rnn(RecurrentOptions),
    /// [`Rnn`](crate::Rnn) with relu.
    RnnRelu(RecurrentOptions),
    /// [`Lstm`](crate::Lstm).
    Lstm(RecurrentOptions),
    /// [`Gru`](crate::Gru).
    Gru(RecurrentOptions),
    /// [`MultiheadAttention`](crate::MultiheadAttention) of a sequence to itself.
    MultiheadAttention(AttentionOptions),
    /// [`TransformerEncoder`](crate::TransformerEncoder).
    TransformerEncoder(TransformerOptions),
    /// [`TransformerDecoderLayer`](crate::TransformerDecoderLayer) of a sequence and a memory.
    TransformerDecoderLayer(DecoderOptions),
    /// [`SinusoidalPositions`](crate::SinusoidalPositions).
    SinusoidalPositions {},
    /// [`LearnedPositions`](crate::LearnedPositions).
    LearnedPositions {
        /// The greatest number of places; that of the input by default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<usize>,
    },
    /// [`PoolTime`](crate::PoolTime).
    PoolTime {
        /// `mean` by default, `max` or `last`.
        #[serde(default)]
        how: Pool,
    },
    /// [`Transpose`](crate::Transpose).
    Transpose {
        /// The two axes.
        axes: [isize; 2],
    },
    /// [`TwoTower`](crate::TwoTower).
    TwoTower(TwoTowerOptions),
    /// [`Seq2Seq`](crate::Seq2Seq).
    #[serde(rename = "seq2seq")]
    Seq2Seq(Seq2SeqOptions),
    /// [`Forecaster`](crate::Forecaster).
    Forecaster(ForecasterOptions),
    /// [`Columns`](crate::Columns).
    Columns(ColumnsOptions),
    /// [`PiecewiseLinear`](crate::PiecewiseLinear).
    PiecewiseLinear(PiecewiseLinearOptions),
    /// [`Periodic`](crate::Periodic).
    Periodic(PeriodicOptions),
    /// [`Categories`](crate::Categories).
    Categories(CategoriesOptions),
    /// [`MemberLinear`](crate::MemberLinear).
    MemberLinear(MemberLinearOptions),
    /// [`MemberMean`](crate::MemberMean).
    MemberMean {
        /// What the members put out: `numbers`, `classes` or `labels`.
        #[serde(default)]
        of: Answer,
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
    /// The layer for inputs of shape `input`, the batch axis first. Fails where the shape lacks the axis that
    /// decides a size; what else is wrong is reported by the layer's `forward`.
    #[track_caller]
    pub fn build(&self, input: &Shape) -> Result<Box<dyn Network>, OpError> {
        for family in [vision::build, sequence::build, tabular::build] {
            if let Some(layer) = family(self, input)? {
                return Ok(layer);
            }
        }
        let extent = |axis| self.extent(input, axis);
        Ok(match *self {
            LayerSpec::Linear { out, bias: true } => Box::new(Linear::new(extent(-1)?, out)),
            LayerSpec::Linear { out, bias: false } => {
                Box::new(Linear::without_bias(extent(-1)?, out))
            }
            LayerSpec::Flatten { start } => Box::new(Flatten::from_axis(start)),
            LayerSpec::Dropout { p } => Box::new(Dropout::new(p)),
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
            // Of the layers with one input there is none left.
            _ => {
                let what = format!("{} joins several inputs", self.name());
                return Err(OpError::argument(what).hint(
                    "it belongs into a network of named nodes, with inputs = [\"a\", \"b\"]",
                ));
            }
        })
    }

    /// The extent of axis `axis` of an input, which decides a size.
    fn extent(&self, input: &Shape, axis: isize) -> Result<usize, OpError> {
        let found = thalweg_graph::shape::resolve_axis(axis, input.rank());
        found.map(|axis| input[axis]).ok_or_else(|| {
            let what = format!("{} takes its size from axis {axis}", self.name());
            OpError::shape(format!("{what}, got an input of shape {input}"))
                .hint("the first axis counts samples; is it missing?")
        })
    }

    /// The layer for inputs of these shapes, where it is one that takes several.
    #[track_caller]
    pub(crate) fn build_join(&self, inputs: &[Shape]) -> Option<Result<Box<dyn Node>, OpError>> {
        if let Some(layer) = sequence::build_node(self, inputs) {
            return Some(layer);
        }
        Some(Ok(Box::new(match *self {
            LayerSpec::Add {} => Join::add(),
            LayerSpec::Multiply {} => Join::multiply(),
            LayerSpec::Concat { axis } => Join::concat(axis),
            _ => return None,
        })))
    }
}

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
