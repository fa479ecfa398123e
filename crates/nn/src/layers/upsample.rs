//! Larger extents by repetition or interpolation.

use std::sync::Arc;

use thalweg_graph::{Layer, OpError, Tensor};

use crate::layers::checked;
use crate::layers::spatial::{PerAxis, check_spatial, extents};
use crate::spec::{Interpolation, UpsampleOptions};
use crate::{Forward, Module};

/// Enlarges (or reduces) the spatial axes, by a scale or to a size: by the nearest element, or by linear interpolation
/// (linear, bilinear, trilinear: the same rule for 1, 2 and 3 axes).
///
/// Shapes: `[N, C, D…] → [N, C, scale·D…]` or `[N, C, size…]`, for 1 to 3 axes D. Output i sits at (i + ½)·D/D′ − ½ of the input,
/// kept inside; with [aligned corners](Upsample::align_corners) at i·(D − 1)/(D′ − 1). Same numbers as PyTorch's. Errors:
/// another rank, a size of 0, numbers that are not one per axis, an input that is not a float.
///
/// ```
/// use thalweg_graph::{NoStates, Reference, Tensor};
/// use thalweg_nn::{Forward, Upsample};
/// let x = Tensor::new(&[1.0f32, 3.0], [1, 1, 2]);
/// let y = [Upsample::nearest(2).forward(&x), Upsample::linear(2).forward(&x)];
/// let y = Reference::new().evaluate(&y, &[], &NoStates)?;
/// assert_eq!(y[0].floats(), [1.0, 1.0, 3.0, 3.0]);
/// assert_eq!(y[1].floats(), [1.0, 1.5, 2.5, 3.0]);
/// # Ok::<(), thalweg_graph::Error>(())
/// ```
#[derive(Clone, Debug, Module)]
pub struct Upsample {
    #[module(flatten)]
    layer: Arc<Layer>,
    #[module(skip)]
    options: UpsampleOptions,
}

impl Upsample {
    /// Repeats each element `scale` times along each axis.
    #[track_caller]
    pub fn nearest(scale: impl Into<PerAxis>) -> Upsample {
        Upsample::with(UpsampleOptions::scale(scale, Interpolation::Nearest))
    }

    /// Interpolates to `scale` times the extents.
    #[track_caller]
    pub fn linear(scale: impl Into<PerAxis>) -> Upsample {
        Upsample::with(UpsampleOptions::scale(scale, Interpolation::Linear))
    }

    /// A layer with all options.
    #[track_caller]
    pub fn with(options: UpsampleOptions) -> Upsample {
        let to = match (&options.scale, &options.size) {
            (Some(scale), _) => format!(" by {}", extents(scale, 1)),
            (None, Some(size)) => format!(" to {}", extents(size, 1)),
            (None, None) => String::new(),
        };
        Upsample { layer: Layer::new(format!("Upsample{to}")), options }
    }

    /// Lets the first and the last elements of input and output coincide; for linear interpolation.
    pub fn align_corners(mut self) -> Upsample {
        self.options.align_corners = true;
        self
    }

    /// The extents of the output.
    fn check(&self, x: &Tensor) -> Result<Vec<usize>, OpError> {
        let UpsampleOptions { scale, size, mode, align_corners } = &self.options;
        if *align_corners && *mode == Interpolation::Nearest {
            return Err(OpError::argument("align_corners is for linear interpolation")
                .hint("leave it out, or take mode = \"linear\""));
        }
        let axes = x.rank().saturating_sub(2).clamp(1, 3);
        check_spatial(x, axes, None)?;
        match (scale, size) {
            (Some(scale), None) => {
                let scale = scale.resolve("scale", axes)?;
                let larger = scale.iter().zip(&x.shape()[2..]);
                Ok(larger.map(|(scale, extent)| scale.saturating_mul(*extent)).collect())
            }
            (None, Some(size)) => size.resolve("size", axes),
            _ => Err(OpError::argument("needs either a scale or a size")
                .hint("scale = 2 doubles every spatial axis")),
        }
    }
}

impl Forward for Upsample {
    fn forward(&self, x: &Tensor) -> Tensor {
        let UpsampleOptions { mode, align_corners, .. } = self.options;
        checked(
            &self.layer,
            x,
            || self.check(x),
            |size| match mode {
                Interpolation::Nearest => x.upsample_nearest(&size),
                Interpolation::Linear => x.upsample_linear(&size, align_corners),
            },
        )
    }
}
