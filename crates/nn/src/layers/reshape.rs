//! Other axes for the same numbers.

use std::sync::Arc;

use thalweg_graph::{Layer, OpError, Shape, Tensor};

use crate::layers::{checked, forward_in, origin};
use crate::{Forward, Module};

/// Gives each sample another shape: `[N, …] → [N, shape…]`, in the same order of elements. One extent may be −1: it takes
/// what is left. PyTorch's `Unflatten(1, shape)`, for any number of axes.
///
/// No parameters. Errors: a scalar, another number of elements, an extent below −1, more than one −1.
///
/// ```
/// use thalweg_graph::{DType, Tensor};
/// use thalweg_nn::{Forward, Reshape};
/// let rows = Tensor::zeros(DType::F32, [64, 784]);
/// assert_eq!(Reshape::new([1, 28, -1]).forward(&rows).shape().dims(), [64, 1, 28, 28]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct Reshape {
    #[module(flatten)]
    layer: Arc<Layer>,
    shape: Vec<isize>,
}

impl Reshape {
    /// To samples of this shape.
    #[track_caller]
    pub fn new(shape: impl Into<Vec<isize>>) -> Reshape {
        let shape = shape.into();
        Reshape { layer: Layer::new(format!("Reshape {shape:?}")), shape }
    }

    /// The shape of the whole output.
    fn check(&self, x: &Tensor) -> Result<Shape, OpError> {
        let shape = &self.shape;
        if shape.iter().any(|&extent| extent < -1)
            || shape.iter().filter(|&&extent| extent == -1).count() > 1
        {
            let what = format!("the shape may have one -1 and no other negative, got {shape:?}");
            return Err(OpError::argument(what).hint("-1 stands for what is left"));
        }
        let Some(&rows) = x.shape().first() else {
            let what = format!("expects [N, …], got a scalar{}", origin(x));
            return Err(OpError::shape(what).hint("the first axis counts samples"));
        };
        let elements: usize = x.shape()[1..].iter().product();
        let known = shape.iter().filter_map(|&extent| usize::try_from(extent).ok());
        let known = known.fold(1usize, usize::saturating_mul);
        let left = elements.checked_div(known).unwrap_or(0);
        let extents = shape.iter().map(|&extent| usize::try_from(extent).unwrap_or(left));
        let extents: Vec<usize> = std::iter::once(rows).chain(extents).collect();
        if extents[1..].iter().fold(1usize, |product, &extent| product.saturating_mul(extent))
            != elements
        {
            let (all, from) = (x.shape(), origin(x));
            let what =
                format!("samples of {elements} elements cannot be {shape:?}, got {all}{from}");
            return Err(OpError::shape(what).hint("the product of the shape is to be that"));
        }
        Ok(extents.into())
    }
}

impl Forward for Reshape {
    fn forward(&self, x: &Tensor) -> Tensor {
        checked(&self.layer, x, || self.check(x), |shape| x.reshape(shape))
    }
}

/// Puts an axis of extent 1 in: `[N, 28, 28] → [N, 1, 28, 28]` with axis 1, the channel that a convolution looks for.
///
/// The axis counts in the output, the batch axis being 0; negative ones from the end. No parameters. Errors: axis 0, an
/// axis that the output does not have.
///
/// ```
/// use thalweg_graph::{DType, Tensor};
/// use thalweg_nn::{Forward, Unsqueeze};
/// let images = Tensor::zeros(DType::F32, [64, 28, 28]);
/// assert_eq!(Unsqueeze::new(1).forward(&images).shape().dims(), [64, 1, 28, 28]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct Unsqueeze {
    #[module(flatten)]
    layer: Arc<Layer>,
    axis: isize,
}

impl Unsqueeze {
    /// Puts axis `axis` in.
    #[track_caller]
    pub fn new(axis: isize) -> Unsqueeze {
        Unsqueeze { layer: Layer::new(format!("Unsqueeze axis {axis}")), axis }
    }

    fn check(&self, x: &Tensor) -> Result<(), OpError> {
        let rank = x.rank() as isize;
        match (1..=rank).contains(&self.axis) || (-rank..0).contains(&self.axis) {
            true => Ok(()),
            false => {
                let (axis, shape, from) = (self.axis, x.shape(), origin(x));
                let what =
                    format!("the new axis must be in 1..={rank}, got {axis} for {shape}{from}");
                Err(OpError::argument(what).hint("axis 0 counts samples"))
            }
        }
    }
}

impl Forward for Unsqueeze {
    fn forward(&self, x: &Tensor) -> Tensor {
        forward_in(&self.layer, x, || self.check(x), || x.unsqueeze(self.axis))
    }
}
