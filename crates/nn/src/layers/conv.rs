//! Convolution.

use std::sync::Arc;

use thalweg_graph::ops::ConvSpec;
use thalweg_graph::{Layer, OpError, Shape, Tensor};

use crate::init::{Init, fans};
use crate::layers::spatial::{Padding, PerAxis, check_spatial, extents, kind};
use crate::layers::{check_dtype, checked, needs_one};
use crate::param::Param;
use crate::spec::ConvOptions;
use crate::{Forward, Module};

/// A kernel that slides over `AXES` spatial axes (a cross-correlation, as networks call convolution):
///
/// `y[n, o, i] = bias[o] + Σ_c Σ_k weight[o, c, k] · x[n, c, stride·i + dilation·k − padding]`
///
/// where c runs over the channels of o's group and x is 0 outside.
///
/// Shapes: `[N, C, D…] → [N, O, D′…]`, D′ = ⌊(D + padding − dilation·(K − 1) − 1) / stride⌋ + 1 with the padding of both
/// sides. Parameters, as PyTorch's: `weight` `[O, C/groups, K…]` and `bias` `[O]`, both uniform in ±1/√fan at first,
/// fan = C/groups·K. Defaults: stride 1, no padding, dilation 1, one group, a bias. As many groups as channels are a
/// depth-wise convolution.
///
/// Errors: another rank or number of channels, a kernel that is larger than the padded input, groups that do not divide
/// both numbers of channels, `"same"` with a stride, a size of 0, an input that is not `f32`.
///
/// ```
/// use thalweg_graph::{DType, Tensor};
/// use thalweg_nn::{Conv2d, Forward, Padding};
/// let images = Tensor::zeros(DType::F32, [8, 3, 32, 32]);
/// let same = Conv2d::new(3, 16, 3).padding(Padding::Same).forward(&images);
/// assert_eq!(same.shape().dims(), [8, 16, 32, 32]);
/// let halved = Conv2d::new(3, 16, [3, 5]).stride(2).padding([1, 2]).forward(&images);
/// assert_eq!(halved.shape().dims(), [8, 16, 16, 16]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct Conv<const AXES: usize> {
    #[module(flatten)]
    layer: Arc<Layer>,
    inputs: usize,
    #[module(skip)]
    options: ConvOptions,
    weight: Param,
    bias: Option<Param>,
}

/// [`Conv`] over sequences, `[N, C, L]`.
pub type Conv1d = Conv<1>;
/// [`Conv`] over images, `[N, C, H, W]`.
pub type Conv2d = Conv<2>;
/// [`Conv`] over volumes or films, `[N, C, D, H, W]`.
pub type Conv3d = Conv<3>;

impl<const AXES: usize> Conv<AXES> {
    /// A layer from `inputs` to `outputs` channels with a kernel of these extents.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, kernel: impl Into<PerAxis>) -> Self {
        Self::with(inputs, ConvOptions::new(outputs, kernel))
    }

    /// A layer for inputs of `inputs` channels with all options.
    #[track_caller]
    pub fn with(inputs: usize, options: ConvOptions) -> Self {
        let ConvOptions { out, kernel, groups, bias, .. } = &options;
        let head = [*out, inputs.checked_div(*groups).unwrap_or(0)];
        let (weight, bias) = parameters(head, kernel, AXES, bias.then_some(*out));
        let kind = format!("{} {inputs} → {out}, {}", kind("Conv", AXES), extents(kernel, AXES));
        Conv { layer: Layer::new(kind), inputs, options, weight, bias }
    }

    /// The distance between two places of the kernel; 1 unless told otherwise.
    pub fn stride(mut self, stride: impl Into<PerAxis>) -> Self {
        self.options.stride = stride.into();
        self
    }

    /// What surrounds the input; nothing unless told otherwise.
    pub fn padding(mut self, padding: impl Into<Padding>) -> Self {
        self.options.padding = padding.into();
        self
    }

    /// The distance between two taps of the kernel; 1 unless told otherwise.
    pub fn dilation(mut self, dilation: impl Into<PerAxis>) -> Self {
        self.options.dilation = dilation.into();
        self
    }

    /// Into how many groups the channels are cut that do not see each other; 1 unless told otherwise. It makes the
    /// weight anew, so it comes before the layer is bound or shared.
    #[track_caller]
    pub fn groups(self, groups: usize) -> Self {
        Self::with(self.inputs, ConvOptions { groups, ..self.options })
    }

    /// Only convolves: no bias.
    pub fn without_bias(mut self) -> Self {
        self.options.bias = false;
        self.bias = None;
        self
    }

    /// `[O, C/groups, K…]`.
    pub fn weight(&self) -> &Param {
        &self.weight
    }

    /// `[O]`, where there is one.
    pub fn bias(&self) -> Option<&Param> {
        self.bias.as_ref()
    }

    /// How the kernel slides over `x`, where `x` fits. What depends on the extents is checked by the op.
    fn check(&self, x: &Tensor) -> Result<ConvSpec, OpError> {
        let ConvOptions { out, kernel, stride, padding, dilation, groups, .. } = &self.options;
        check_channels(self.inputs, *out, *groups)?;
        let kernel = kernel.resolve("kernel", AXES)?;
        let stride = stride.resolve("stride", AXES)?;
        let dilation = dilation.resolve("dilation", AXES)?;
        let padding = padding.resolve(&kernel, &stride, &dilation)?;
        check_spatial(x, AXES, Some(self.inputs))?;
        check_dtype(x, &self.weight)?;
        Ok(ConvSpec { stride, padding, dilation, groups: *groups })
    }
}

impl<const AXES: usize> Forward for Conv<AXES> {
    fn forward(&self, x: &Tensor) -> Tensor {
        let convolve = |spec| biased(x.conv(&self.weight.tensor(), &spec), &self.bias, AXES);
        checked(&self.layer, x, || self.check(x), convolve)
    }
}

/// A weight whose first axes are `head` and a bias of `bias` elements, with PyTorch's starts. A kernel with the wrong
/// number of extents is reported later, and is left out here.
#[track_caller]
pub(super) fn parameters(
    head: [usize; 2],
    kernel: &PerAxis,
    axes: usize,
    bias: Option<usize>,
) -> (Param, Option<Param>) {
    let kernel = kernel.resolve("kernel", axes).unwrap_or_default();
    let shape = Shape::from([&head[..], &kernel].concat());
    let fan_in = fans(&shape).0;
    let bias = bias.map(|out| Param::new("bias", [out], Init::layer_bias(fan_in)));
    (Param::new("weight", shape, Init::layer_weight()), bias)
}

pub(super) fn check_channels(inputs: usize, outputs: usize, groups: usize) -> Result<(), OpError> {
    let sizes = [("input channels", inputs), ("output channels", outputs), ("groups", groups)];
    if let Some((name, _)) = sizes.iter().find(|(_, size)| *size == 0) {
        return Err(needs_one(name));
    }
    match sizes[..2].iter().find(|(_, channels)| !channels.is_multiple_of(groups)) {
        Some((name, channels)) => {
            let what = format!("groups must divide the {channels} {name}, got {groups}");
            Err(OpError::argument(what).hint("as many groups as channels make it depth-wise"))
        }
        None => Ok(()),
    }
}

/// `y` with the bias of each channel added.
#[track_caller]
pub(super) fn biased(y: Tensor, bias: &Option<Param>, axes: usize) -> Tensor {
    match bias {
        Some(bias) => y + per_channel(&bias.tensor(), axes),
        None => y,
    }
}

/// A vector of channels seen so that it broadcasts over `axes` axes behind them.
#[track_caller]
pub(super) fn per_channel(vector: &Tensor, axes: usize) -> Tensor {
    let mut shape = vec![1; axes + 1];
    shape[0] = vector.numel();
    vector.reshape(shape)
}
