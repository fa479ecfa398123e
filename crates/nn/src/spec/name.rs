//! What configs call the layers.

use std::str::FromStr;

use serde::Deserialize;
use serde::de::value::{Error as SerdeError, MapDeserializer};

use super::LayerSpec;

impl LayerSpec {
    /// The name in configs: `linear`, `leaky_relu`.
    pub fn name(&self) -> &'static str {
        match self {
            LayerSpec::Linear { .. } => "linear",
            LayerSpec::Embedding(_) => "embedding",
            LayerSpec::Flatten { .. } => "flatten",
            LayerSpec::Dropout { .. } => "dropout",
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
            LayerSpec::Conv1d(_) => "conv1d",
            LayerSpec::Conv2d(_) => "conv2d",
            LayerSpec::Conv3d(_) => "conv3d",
            LayerSpec::ConvTranspose1d(_) => "conv_transpose1d",
            LayerSpec::ConvTranspose2d(_) => "conv_transpose2d",
            LayerSpec::ConvTranspose3d(_) => "conv_transpose3d",
            LayerSpec::MaxPool1d(_) => "max_pool1d",
            LayerSpec::MaxPool2d(_) => "max_pool2d",
            LayerSpec::MaxPool3d(_) => "max_pool3d",
            LayerSpec::AvgPool1d(_) => "avg_pool1d",
            LayerSpec::AvgPool2d(_) => "avg_pool2d",
            LayerSpec::AvgPool3d(_) => "avg_pool3d",
            LayerSpec::AdaptiveAvgPool1d(_) => "adaptive_avg_pool1d",
            LayerSpec::AdaptiveAvgPool2d(_) => "adaptive_avg_pool2d",
            LayerSpec::AdaptiveAvgPool3d(_) => "adaptive_avg_pool3d",
            LayerSpec::AdaptiveMaxPool1d(_) => "adaptive_max_pool1d",
            LayerSpec::AdaptiveMaxPool2d(_) => "adaptive_max_pool2d",
            LayerSpec::AdaptiveMaxPool3d(_) => "adaptive_max_pool3d",
            LayerSpec::BatchNorm1d(_) => "batch_norm1d",
            LayerSpec::BatchNorm2d(_) => "batch_norm2d",
            LayerSpec::BatchNorm3d(_) => "batch_norm3d",
            LayerSpec::InstanceNorm1d(_) => "instance_norm1d",
            LayerSpec::InstanceNorm2d(_) => "instance_norm2d",
            LayerSpec::InstanceNorm3d(_) => "instance_norm3d",
            LayerSpec::Dropout1d(_) => "dropout1d",
            LayerSpec::Dropout2d(_) => "dropout2d",
            LayerSpec::Dropout3d(_) => "dropout3d",
            LayerSpec::GroupNorm(_) => "group_norm",
            LayerSpec::GlobalAvgPool {} => "global_avg_pool",
            LayerSpec::GlobalMaxPool {} => "global_max_pool",
            LayerSpec::Upsample(_) => "upsample",
            LayerSpec::StochasticDepth { .. } => "stochastic_depth",
            LayerSpec::GaussianNoise { .. } => "gaussian_noise",
            LayerSpec::Reparameterize { .. } => "reparameterize",
            LayerSpec::Reshape { .. } => "reshape",
            LayerSpec::Unsqueeze { .. } => "unsqueeze",
            LayerSpec::Rnn(_) => "rnn",
            LayerSpec::RnnRelu(_) => "rnn_relu",
            LayerSpec::Lstm(_) => "lstm",
            LayerSpec::Gru(_) => "gru",
            LayerSpec::MultiheadAttention(_) => "multihead_attention",
            LayerSpec::TransformerEncoder(_) => "transformer_encoder",
            LayerSpec::TransformerDecoderLayer(_) => "transformer_decoder_layer",
            LayerSpec::SinusoidalPositions {} => "sinusoidal_positions",
            LayerSpec::LearnedPositions { .. } => "learned_positions",
            LayerSpec::PoolTime { .. } => "pool_time",
            LayerSpec::Transpose { .. } => "transpose",
            LayerSpec::Columns(_) => "columns",
            LayerSpec::PiecewiseLinear(_) => "piecewise_linear",
            LayerSpec::Periodic(_) => "periodic",
            LayerSpec::Categories(_) => "categories",
            LayerSpec::MemberLinear(_) => "member_linear",
            LayerSpec::MemberMean { .. } => "member_mean",
            LayerSpec::TwoTower(_) => "two_tower",
            LayerSpec::Seq2Seq(_) => "seq2seq",
            LayerSpec::Forecaster(_) => "forecaster",
            LayerSpec::Add {} => "add",
            LayerSpec::Multiply {} => "multiply",
            LayerSpec::Concat { .. } => "concat",
        }
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
