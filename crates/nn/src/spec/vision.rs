//! The options of the layers over space, as configs spell them. The layers hold them, and [`LayerSpec`] carries them.

use serde::{Deserialize, Serialize};
use thalweg_graph::{OpError, Shape};

use super::{LayerSpec, epsilon, one, tenth, yes};
use crate::layers::*;
use crate::module::Network;

fn once() -> PerAxis {
    PerAxis::All(1)
}
fn nothing() -> PerAxis {
    PerAxis::All(0)
}
fn unpadded() -> Padding {
    Padding::Zeros(nothing())
}

/// The options of a [`Conv`]: `{ type = "conv2d", out = 32, kernel = 3, padding = "same" }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvOptions {
    /// The number of output channels.
    pub out: usize,
    /// The extents of the kernel.
    pub kernel: PerAxis,
    /// The distance between two places of the kernel; 1 by default.
    #[serde(default = "once")]
    pub stride: PerAxis,
    /// What surrounds the input; nothing by default.
    #[serde(default = "unpadded")]
    pub padding: Padding,
    /// The distance between two taps of the kernel; 1 by default.
    #[serde(default = "once")]
    pub dilation: PerAxis,
    /// Into how many groups the channels are cut that do not see each other; 1 by default.
    #[serde(default = "one")]
    pub groups: usize,
    /// Whether there is a bias; yes by default.
    #[serde(default = "yes")]
    pub bias: bool,
}

impl ConvOptions {
    /// The defaults for so many output channels and a kernel of these extents.
    pub fn new(out: usize, kernel: impl Into<PerAxis>) -> ConvOptions {
        ConvOptions {
            out,
            kernel: kernel.into(),
            stride: once(),
            padding: unpadded(),
            dilation: once(),
            groups: 1,
            bias: true,
        }
    }
}

/// The options of a [`ConvTranspose`]: `{ type = "conv_transpose2d", out = 16, kernel = 2, stride = 2 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvTransposeOptions {
    /// The number of output channels.
    pub out: usize,
    /// The extents of the kernel.
    pub kernel: PerAxis,
    /// The distance between the places to which two neighbours go; 1 by default.
    #[serde(default = "once")]
    pub stride: PerAxis,
    /// What is cut off on both sides of the output; nothing by default.
    #[serde(default = "nothing")]
    pub padding: PerAxis,
    /// What is added at the end of the output; nothing by default.
    #[serde(default = "nothing")]
    pub output_padding: PerAxis,
    /// The distance between two taps of the kernel; 1 by default.
    #[serde(default = "once")]
    pub dilation: PerAxis,
    /// Into how many groups the channels are cut that do not see each other; 1 by default.
    #[serde(default = "one")]
    pub groups: usize,
    /// Whether there is a bias; yes by default.
    #[serde(default = "yes")]
    pub bias: bool,
}

impl ConvTransposeOptions {
    /// The defaults for so many output channels and a kernel of these extents.
    pub fn new(out: usize, kernel: impl Into<PerAxis>) -> ConvTransposeOptions {
        ConvTransposeOptions {
            out,
            kernel: kernel.into(),
            stride: once(),
            padding: nothing(),
            output_padding: nothing(),
            dilation: once(),
            groups: 1,
            bias: true,
        }
    }
}

/// The options of a [`MaxPool`]: `{ type = "max_pool2d", kernel = 3, stride = 2, padding = 1 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaxPoolOptions {
    /// The extents of the window.
    pub kernel: PerAxis,
    /// The distance between two windows; the kernel by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<PerAxis>,
    /// What surrounds the input on both sides; nothing by default.
    #[serde(default = "nothing")]
    pub padding: PerAxis,
    /// The distance between two taps of the window; 1 by default.
    #[serde(default = "once")]
    pub dilation: PerAxis,
    /// Whether the number of windows is rounded up; no by default.
    #[serde(default)]
    pub ceil: bool,
}

impl MaxPoolOptions {
    /// The defaults for windows of these extents.
    pub fn new(kernel: impl Into<PerAxis>) -> MaxPoolOptions {
        let kernel = kernel.into();
        MaxPoolOptions { kernel, stride: None, padding: nothing(), dilation: once(), ceil: false }
    }
}

/// The options of an [`AvgPool`]: `{ type = "avg_pool2d", kernel = 2 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AvgPoolOptions {
    /// The extents of the window.
    pub kernel: PerAxis,
    /// The distance between two windows; the kernel by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<PerAxis>,
    /// What surrounds the input on both sides; nothing by default.
    #[serde(default = "nothing")]
    pub padding: PerAxis,
    /// Whether the number of windows is rounded up; no by default.
    #[serde(default)]
    pub ceil: bool,
    /// Whether padding counts as zeros in the mean; yes by default.
    #[serde(default = "yes")]
    pub count_include_pad: bool,
}

impl AvgPoolOptions {
    /// The defaults for windows of these extents.
    pub fn new(kernel: impl Into<PerAxis>) -> AvgPoolOptions {
        AvgPoolOptions {
            kernel: kernel.into(),
            stride: None,
            padding: nothing(),
            ceil: false,
            count_include_pad: true,
        }
    }
}

/// The options of an [`AdaptiveAvgPool`] or [`AdaptiveMaxPool`]: `{ type = "adaptive_avg_pool2d", size = 7 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdaptivePoolOptions {
    /// The extents of the output.
    pub size: PerAxis,
}

/// How [`Upsample`] finds what lies between the elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interpolation {
    /// The nearest element.
    #[default]
    Nearest,
    /// Linear along each axis; `bilinear` and `trilinear` are other names for it.
    #[serde(alias = "bilinear", alias = "trilinear")]
    Linear,
}

/// The options of an [`Upsample`]: `{ type = "upsample", scale = 2, mode = "bilinear" }`. Either `scale` or `size`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpsampleOptions {
    /// By how much the extents are multiplied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<PerAxis>,
    /// The extents of the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<PerAxis>,
    /// Nearest by default.
    #[serde(default)]
    pub mode: Interpolation,
    /// Whether the first and the last elements of input and output coincide; no by default.
    #[serde(default)]
    pub align_corners: bool,
}

impl UpsampleOptions {
    /// By a scale.
    pub fn scale(scale: impl Into<PerAxis>, mode: Interpolation) -> UpsampleOptions {
        UpsampleOptions { scale: Some(scale.into()), size: None, mode, align_corners: false }
    }

    /// To a size.
    pub fn size(size: impl Into<PerAxis>, mode: Interpolation) -> UpsampleOptions {
        UpsampleOptions { scale: None, size: Some(size.into()), mode, align_corners: false }
    }
}

/// The options of a [`BatchNorm`]: `{ type = "batch_norm2d" }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchNormOptions {
    /// Added to the variance; 1e-5 by default.
    #[serde(default = "epsilon")]
    pub eps: f64,
    /// The new batch's weight in the running statistics; 0.1 by default.
    #[serde(default = "tenth")]
    pub momentum: f64,
    /// Whether there are weight and bias; yes by default.
    #[serde(default = "yes")]
    pub affine: bool,
}

impl Default for BatchNormOptions {
    fn default() -> BatchNormOptions {
        BatchNormOptions { eps: epsilon(), momentum: tenth(), affine: true }
    }
}

/// The options of a [`GroupNorm`]: `{ type = "group_norm", groups = 8 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupNormOptions {
    /// The number of groups.
    pub groups: usize,
    /// Added to the variance; 1e-5 by default.
    #[serde(default = "epsilon")]
    pub eps: f64,
    /// Whether there are weight and bias; yes by default.
    #[serde(default = "yes")]
    pub affine: bool,
}

/// The options of an [`InstanceNorm`]: `{ type = "instance_norm2d" }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceNormOptions {
    /// Added to the variance; 1e-5 by default.
    #[serde(default = "epsilon")]
    pub eps: f64,
    /// Whether there are weight and bias; no by default.
    #[serde(default)]
    pub affine: bool,
}

impl Default for InstanceNormOptions {
    fn default() -> InstanceNormOptions {
        InstanceNormOptions { eps: epsilon(), affine: false }
    }
}

/// The options of a [`ChannelDropout`]: `{ type = "dropout2d", p = 0.2 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelDropoutOptions {
    /// The probability of dropping; 0.5 by default.
    #[serde(default = "super::half")]
    pub p: f64,
}

/// The layer for inputs of shape `input`, where `spec` is one of this family.
#[track_caller]
pub(super) fn build(spec: &LayerSpec, input: &Shape) -> Result<Option<Box<dyn Network>>, OpError> {
    use LayerSpec as Spec;
    let channels = || spec.extent(input, 1);
    Ok(Some(match spec.clone() {
        Spec::Conv1d(options) => Box::new(Conv1d::with(channels()?, options)),
        Spec::Conv2d(options) => Box::new(Conv2d::with(channels()?, options)),
        Spec::Conv3d(options) => Box::new(Conv3d::with(channels()?, options)),
        Spec::ConvTranspose1d(options) => Box::new(ConvTranspose1d::with(channels()?, options)),
        Spec::ConvTranspose2d(options) => Box::new(ConvTranspose2d::with(channels()?, options)),
        Spec::ConvTranspose3d(options) => Box::new(ConvTranspose3d::with(channels()?, options)),
        Spec::MaxPool1d(options) => Box::new(MaxPool1d::with(options)),
        Spec::MaxPool2d(options) => Box::new(MaxPool2d::with(options)),
        Spec::MaxPool3d(options) => Box::new(MaxPool3d::with(options)),
        Spec::AvgPool1d(options) => Box::new(AvgPool1d::with(options)),
        Spec::AvgPool2d(options) => Box::new(AvgPool2d::with(options)),
        Spec::AvgPool3d(options) => Box::new(AvgPool3d::with(options)),
        Spec::AdaptiveAvgPool1d(options) => Box::new(AdaptiveAvgPool1d::new(options.size)),
        Spec::AdaptiveAvgPool2d(options) => Box::new(AdaptiveAvgPool2d::new(options.size)),
        Spec::AdaptiveAvgPool3d(options) => Box::new(AdaptiveAvgPool3d::new(options.size)),
        Spec::AdaptiveMaxPool1d(options) => Box::new(AdaptiveMaxPool1d::new(options.size)),
        Spec::AdaptiveMaxPool2d(options) => Box::new(AdaptiveMaxPool2d::new(options.size)),
        Spec::AdaptiveMaxPool3d(options) => Box::new(AdaptiveMaxPool3d::new(options.size)),
        Spec::GlobalAvgPool {} => Box::new(GlobalAvgPool::new()),
        Spec::GlobalMaxPool {} => Box::new(GlobalMaxPool::new()),
        Spec::Upsample(options) => Box::new(Upsample::with(options)),
        Spec::BatchNorm1d(options) => Box::new(BatchNorm1d::with(channels()?, options)),
        Spec::BatchNorm2d(options) => Box::new(BatchNorm2d::with(channels()?, options)),
        Spec::BatchNorm3d(options) => Box::new(BatchNorm3d::with(channels()?, options)),
        Spec::InstanceNorm1d(options) => Box::new(InstanceNorm1d::with(channels()?, options)),
        Spec::InstanceNorm2d(options) => Box::new(InstanceNorm2d::with(channels()?, options)),
        Spec::InstanceNorm3d(options) => Box::new(InstanceNorm3d::with(channels()?, options)),
        Spec::Dropout1d(options) => Box::new(Dropout1d::new(options.p)),
        Spec::Dropout2d(options) => Box::new(Dropout2d::new(options.p)),
        Spec::Dropout3d(options) => Box::new(Dropout3d::new(options.p)),
        Spec::GroupNorm(GroupNormOptions { groups, eps, affine }) => {
            let norm = GroupNorm::new(groups, channels()?).eps(eps);
            Box::new(if affine { norm } else { norm.without_affine() })
        }
        Spec::StochasticDepth { p } => Box::new(StochasticDepth::new(p)),
        Spec::GaussianNoise { std } => Box::new(GaussianNoise::new(std)),
        Spec::Reparameterize { beta } => Box::new(Reparameterize::new(beta)),
        Spec::Reshape { shape } => Box::new(Reshape::new(shape)),
        Spec::Unsqueeze { axis } => Box::new(Unsqueeze::new(axis)),
        _ => return Ok(None),
    }))
}
