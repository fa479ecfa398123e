//! Transposed convolution.

use std::sync::Arc;

use thalweg_graph::ops::ConvSpec;
use thalweg_graph::{Layer, OpError, Tensor};

use crate::layers::conv::{biased, check_channels, parameters};
use crate::layers::spatial::{PerAxis, check_spatial, extents, kind};
use crate::layers::{check_dtype, checked};
use crate::param::Param;
use crate::spec::ConvTransposeOptions;
use crate::{Forward, Module};

/// The transpose of a [`Conv`](crate::Conv) over `AXES` spatial axes, which enlarges what that makes smaller: each
/// element of the input adds the kernel, times itself, to the output at `stride·i − padding`.
///
/// Shapes: `[N, C, D…] → [N, O, D′…]`, D′ = (D − 1)·stride − 2·padding + dilation·(K − 1) + output_padding + 1. Parameters,
/// as PyTorch's: `weight` `[C, O/groups, K…]` and `bias` `[O]`, both uniform in ±1/√fan at first, fan = O/groups·K. Defaults:
/// stride 1, no padding, no output padding, dilation 1, one group, a bias. The output padding says which of the
/// extents that the convolution would map to D is meant, and must be below the stride.
///
/// Errors: another rank or number of channels, an output padding that is not below the stride, groups that do not divide
/// both numbers of channels, a padding that leaves nothing, a size of 0, an input that is not `f32`.
///
/// ```
/// use thalweg_graph::{DType, Tensor};
/// use thalweg_nn::{ConvTranspose2d, Forward};
/// let small = Tensor::zeros(DType::F32, [8, 16, 7, 7]);
/// let doubled = ConvTranspose2d::new(16, 3, 3).stride(2).padding(1).output_padding(1);
/// assert_eq!(doubled.forward(&small).shape().dims(), [8, 3, 14, 14]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct ConvTranspose<const AXES: usize> {
    #[module(flatten)]
    layer: Arc<Layer>,
    inputs: usize,
    #[module(skip)]
    options: ConvTransposeOptions,
    weight: Param,
    bias: Option<Param>,
}

/// [`ConvTranspose`] over sequences, `[N, C, L]`.
pub type ConvTranspose1d = ConvTranspose<1>;
/// [`ConvTranspose`] over images, `[N, C, H, W]`.
pub type ConvTranspose2d = ConvTranspose<2>;
/// [`ConvTranspose`] over volumes or films, `[N, C, D, H, W]`.
pub type ConvTranspose3d = ConvTranspose<3>;

impl<const AXES: usize> ConvTranspose<AXES> {
    /// A layer from `inputs` to `outputs` channels with a kernel of these extents.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, kernel: impl Into<PerAxis>) -> Self {
        Self::with(inputs, ConvTransposeOptions::new(outputs, kernel))
    }

    /// A layer for inputs of `inputs` channels with all options.
    #[track_caller]
    pub fn with(inputs: usize, options: ConvTransposeOptions) -> Self {
        let ConvTransposeOptions { out, kernel, groups, bias, .. } = &options;
        let head = [inputs, out.checked_div(*groups).unwrap_or(0)];
        let (weight, bias) = parameters(head, kernel, AXES, bias.then_some(*out));
        let name = kind("ConvTranspose", AXES);
        let kind = format!("{name} {inputs} → {out}, {}", extents(kernel, AXES));
        ConvTranspose { layer: Layer::new(kind), inputs, options, weight, bias }
    }

    /// The distance between the places to which two neighbours go; 1 unless told otherwise.
    pub fn stride(mut self, stride: impl Into<PerAxis>) -> Self {
        self.options.stride = stride.into();
        self
    }

    /// What is cut off on both sides of the output; nothing unless told otherwise.
    pub fn padding(mut self, padding: impl Into<PerAxis>) -> Self {
        self.options.padding = padding.into();
        self
    }

    /// What is added at the end of the output; nothing unless told otherwise.
    pub fn output_padding(mut self, output_padding: impl Into<PerAxis>) -> Self {
        self.options.output_padding = output_padding.into();
        self
    }

    /// The distance between two taps of the kernel; 1 unless told otherwise.
    pub fn dilation(mut self, dilation: impl Into<PerAxis>) -> Self {
        self.options.dilation = dilation.into();
        self
    }

    /// Into how many groups the channels are cut that do not see each other; 1 unless told otherwise. It makes the
    /// parameters anew, so it comes before the layer is bound or shared.
    #[track_caller]
    pub fn groups(self, groups: usize) -> Self {
        Self::with(self.inputs, ConvTransposeOptions { groups, ..self.options })
    }

    /// Only convolves: no bias.
    pub fn without_bias(mut self) -> Self {
        self.options.bias = false;
        self.bias = None;
        self
    }

    /// `[C, O/groups, K…]`.
    pub fn weight(&self) -> &Param {
        &self.weight
    }

    /// `[O]`, where there is one.
    pub fn bias(&self) -> Option<&Param> {
        self.bias.as_ref()
    }

    /// How the kernel slides over the output, and the output padding, where `x` fits.
    fn check(&self, x: &Tensor) -> Result<(ConvSpec, Vec<usize>), OpError> {
        let options = &self.options;
        check_channels(self.inputs, options.out, options.groups)?;
        options.kernel.resolve("kernel", AXES)?;
        let padding = options.padding.resolve("padding", AXES)?;
        let spec = ConvSpec {
            stride: options.stride.resolve("stride", AXES)?,
            padding: padding.into_iter().map(|cut| [cut, cut]).collect(),
            dilation: options.dilation.resolve("dilation", AXES)?,
            groups: options.groups,
        };
        let output_padding = options.output_padding.resolve("output_padding", AXES)?;
        check_spatial(x, AXES, Some(self.inputs))?;
        check_dtype(x, &self.weight)?;
        Ok((spec, output_padding))
    }
}

impl<const AXES: usize> Forward for ConvTranspose<AXES> {
    fn forward(&self, x: &Tensor) -> Tensor {
        let convolve = |(spec, output_padding): (ConvSpec, Vec<usize>)| {
            let y = x.conv_transpose(&self.weight.tensor(), &spec, &output_padding);
            biased(y, &self.bias, AXES)
        };
        checked(&self.layer, x, || self.check(x), convolve)
    }
}
