//! Pooling: each window of a channel becomes one number.

use std::sync::Arc;

use thalweg_graph::ops::PoolSpec;
use thalweg_graph::{Layer, OpError, Tensor};

use crate::layers::spatial::{PerAxis, check_spatial, extents, kind};
use crate::layers::{checked, forward_in};
use crate::spec::{AvgPoolOptions, MaxPoolOptions};
use crate::{Forward, Module};

/// The greatest element of each window over `AXES` spatial axes; NaN wins. Its gradient goes to the first greatest.
///
/// Shapes: `[N, C, D…] → [N, C, D′…]`, D′ = ⌊(D + 2·padding − dilation·(K − 1) − 1) / stride⌋ + 1, rounded up with `ceil`, where
/// a last window must begin inside the input or the padding before it. Defaults, as PyTorch's: the stride is the
/// kernel, no padding (which counts as −∞), dilation 1, no `ceil`. Errors: another rank, a kernel larger than the padded
/// input, a padding above half the kernel, a size of 0, an input that is not a float.
///
/// ```
/// use thalweg_graph::{NoStates, Reference, Tensor};
/// use thalweg_nn::{Forward, MaxPool2d};
/// let x = Tensor::new(&[1.0f32, 5.0, 2.0, 3.0], [1, 1, 2, 2]);
/// let y = MaxPool2d::new(2).forward(&x);
/// assert_eq!(Reference::new().evaluate(&[y], &[], &NoStates)?[0].floats(), [5.0]);
/// # Ok::<(), thalweg_graph::Error>(())
/// ```
#[derive(Clone, Debug, Module)]
pub struct MaxPool<const AXES: usize> {
    #[module(flatten)]
    layer: Arc<Layer>,
    #[module(skip)]
    options: MaxPoolOptions,
}

/// [`MaxPool`] over sequences, `[N, C, L]`.
pub type MaxPool1d = MaxPool<1>;
/// [`MaxPool`] over images, `[N, C, H, W]`.
pub type MaxPool2d = MaxPool<2>;
/// [`MaxPool`] over volumes or films, `[N, C, D, H, W]`.
pub type MaxPool3d = MaxPool<3>;

/// The mean of each window over `AXES` spatial axes.
///
/// Shapes and defaults are those of [`MaxPool`], without dilation. Padding counts as zeros, unless told
/// [otherwise](AvgPool::without_padding_in_mean). Errors: as [`MaxPool`].
#[derive(Clone, Debug, Module)]
pub struct AvgPool<const AXES: usize> {
    #[module(flatten)]
    layer: Arc<Layer>,
    #[module(skip)]
    options: AvgPoolOptions,
}

/// [`AvgPool`] over sequences, `[N, C, L]`.
pub type AvgPool1d = AvgPool<1>;
/// [`AvgPool`] over images, `[N, C, H, W]`.
pub type AvgPool2d = AvgPool<2>;
/// [`AvgPool`] over volumes or films, `[N, C, D, H, W]`.
pub type AvgPool3d = AvgPool<3>;

macro_rules! windows {
    ($($pool:ident $options:ident $name:literal;)*) => {$(
        impl<const AXES: usize> $pool<AXES> {
            /// Windows of these extents, side by side.
            #[track_caller]
            pub fn new(kernel: impl Into<PerAxis>) -> Self {
                Self::with($options::new(kernel))
            }

            /// A layer with all options.
            #[track_caller]
            pub fn with(options: $options) -> Self {
                let window = extents(&options.kernel, AXES);
                let layer = Layer::new(format!("{} {window}", kind($name, AXES)));
                $pool { layer, options }
            }

            /// The distance between two windows; the kernel's extents unless told otherwise.
            pub fn stride(mut self, stride: impl Into<PerAxis>) -> Self {
                self.options.stride = Some(stride.into());
                self
            }

            /// What surrounds the input on both sides; nothing unless told otherwise.
            pub fn padding(mut self, padding: impl Into<PerAxis>) -> Self {
                self.options.padding = padding.into();
                self
            }

            /// Rounds the number of windows up.
            pub fn ceil(mut self) -> Self {
                self.options.ceil = true;
                self
            }
        }
    )*};
}

windows! {
    MaxPool MaxPoolOptions "MaxPool";
    AvgPool AvgPoolOptions "AvgPool";
}

/// The windows of `kernel`, where `x` has `axes` spatial axes. What depends on the extents is checked by the op.
fn pool_spec(
    x: &Tensor,
    axes: usize,
    kernel: &PerAxis,
    stride: &Option<PerAxis>,
    padding: &PerAxis,
    dilation: &PerAxis,
    ceil: bool,
) -> Result<PoolSpec, OpError> {
    let spec = PoolSpec {
        kernel: kernel.resolve("kernel", axes)?,
        stride: stride.as_ref().unwrap_or(kernel).resolve("stride", axes)?,
        padding: padding.resolve("padding", axes)?,
        dilation: dilation.resolve("dilation", axes)?,
        ceil,
    };
    check_spatial(x, axes, None)?;
    Ok(spec)
}

impl<const AXES: usize> MaxPool<AXES> {
    /// The distance between two taps of the window; 1 unless told otherwise.
    pub fn dilation(mut self, dilation: impl Into<PerAxis>) -> Self {
        self.options.dilation = dilation.into();
        self
    }
}

impl<const AXES: usize> Forward for MaxPool<AXES> {
    fn forward(&self, x: &Tensor) -> Tensor {
        let MaxPoolOptions { kernel, stride, padding, dilation, ceil } = &self.options;
        let check = || pool_spec(x, AXES, kernel, stride, padding, dilation, *ceil);
        checked(&self.layer, x, check, |spec| x.max_pool(&spec))
    }
}

impl<const AXES: usize> AvgPool<AXES> {
    /// Takes the mean of what a window sees of the input, padding left out.
    pub fn without_padding_in_mean(mut self) -> Self {
        self.options.count_include_pad = false;
        self
    }
}

impl<const AXES: usize> Forward for AvgPool<AXES> {
    fn forward(&self, x: &Tensor) -> Tensor {
        let AvgPoolOptions { kernel, stride, padding, ceil, count_include_pad } = &self.options;
        let dense = PerAxis::All(1);
        let check = || pool_spec(x, AXES, kernel, stride, padding, &dense, *ceil);
        checked(&self.layer, x, check, |spec| x.avg_pool(&spec, *count_include_pad))
    }
}

macro_rules! adaptive {
    ($($(#[$doc:meta])* $pool:ident $name:literal $op:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Module)]
        pub struct $pool<const AXES: usize> {
            #[module(flatten)]
            layer: Arc<Layer>,
            #[module(skip)]
            size: PerAxis,
        }

        impl<const AXES: usize> $pool<AXES> {
            /// To these extents.
            #[track_caller]
            pub fn new(size: impl Into<PerAxis>) -> Self {
                let size = size.into();
                let layer = Layer::new(format!("{} {}", kind($name, AXES), extents(&size, AXES)));
                $pool { layer, size }
            }
        }

        impl<const AXES: usize> Forward for $pool<AXES> {
            fn forward(&self, x: &Tensor) -> Tensor {
                let check = || {
                    check_spatial(x, AXES, None)?;
                    self.size.resolve("size", AXES)
                };
                checked(&self.layer, x, check, |size| x.$op(&size))
            }
        }
    )*};
}

adaptive! {
    /// The means of as many windows as the output is to have: window i of S reaches from ⌊i·D/S⌋ to ⌈(i + 1)·D/S⌉.
    ///
    /// Shapes: `[N, C, D…] → [N, C, S…]`. Errors: another rank, a size of 0, an input that is not a float.
    AdaptiveAvgPool "AdaptiveAvgPool" adaptive_avg_pool;
    /// The greatest elements of as many windows as the output is to have; windows and errors are those of
    /// [`AdaptiveAvgPool`], NaN and gradient those of [`MaxPool`].
    AdaptiveMaxPool "AdaptiveMaxPool" adaptive_max_pool;
}

/// [`AdaptiveAvgPool`] over sequences, `[N, C, L]`.
pub type AdaptiveAvgPool1d = AdaptiveAvgPool<1>;
/// [`AdaptiveAvgPool`] over images, `[N, C, H, W]`.
pub type AdaptiveAvgPool2d = AdaptiveAvgPool<2>;
/// [`AdaptiveAvgPool`] over volumes or films, `[N, C, D, H, W]`.
pub type AdaptiveAvgPool3d = AdaptiveAvgPool<3>;
/// [`AdaptiveMaxPool`] over sequences, `[N, C, L]`.
pub type AdaptiveMaxPool1d = AdaptiveMaxPool<1>;
/// [`AdaptiveMaxPool`] over images, `[N, C, H, W]`.
pub type AdaptiveMaxPool2d = AdaptiveMaxPool<2>;
/// [`AdaptiveMaxPool`] over volumes or films, `[N, C, D, H, W]`.
pub type AdaptiveMaxPool3d = AdaptiveMaxPool<3>;

macro_rules! global {
    ($($(#[$doc:meta])* $pool:ident $op:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Module)]
        pub struct $pool {
            #[module(flatten)]
            layer: Arc<Layer>,
        }

        impl $pool {
            /// The layer.
            #[track_caller]
            #[allow(clippy::new_without_default, reason = "as the layers with arguments")]
            pub fn new() -> $pool {
                $pool { layer: Layer::new(stringify!($pool)) }
            }
        }

        impl Forward for $pool {
            fn forward(&self, x: &Tensor) -> Tensor {
                let space: Vec<isize> = (2..x.rank() as isize).collect();
                // With fewer than three axes `check` says which of the ranks there are is nearest.
                let axes = space.len().clamp(1, 3);
                forward_in(&self.layer, x, || check_spatial(x, axes, None), || x.$op(&space))
            }
        }
    )*};
}

global! {
    /// The mean of each channel over all spatial axes: `[N, C, D…] → [N, C]`, for 1 to 3 axes D. After
    /// [Lin, Chen and Yan 2013](https://arxiv.org/abs/1312.4400). Errors: another rank, an input that is not a float.
    GlobalAvgPool mean;
    /// The greatest element of each channel over all spatial axes: `[N, C, D…] → [N, C]`, for 1 to 3 axes D; NaN wins, and
    /// ties share the gradient. Errors: another rank, an input that is not a float.
    GlobalMaxPool max;
}
