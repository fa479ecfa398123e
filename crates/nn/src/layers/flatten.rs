//! Many axes into one.

use std::sync::Arc;

use thalweg_graph::{Layer, OpError, Tensor};

use crate::layers::{forward_in, origin};
use crate::{Forward, Module};

/// Joins all axes from `start` (1 by default, so that the batch axis stays) into one: `[N, 28, 28] → [N, 784]`.
///
/// No parameters. Errors: an input without axis `start`.
///
/// ```
/// use thalweg_graph::{DType, Tensor};
/// use thalweg_nn::{Flatten, Forward};
/// let images = Tensor::zeros(DType::F32, [64, 28, 28]);
/// assert_eq!(Flatten::new().forward(&images).shape().dims(), [64, 784]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct Flatten {
    #[module(flatten)]
    layer: Arc<Layer>,
    start: usize,
}

impl Flatten {
    /// Keeps the first axis and joins the others.
    #[track_caller]
    pub fn new() -> Flatten {
        Flatten::from_axis(1)
    }

    /// Keeps the axes before `start` and joins the others.
    #[track_caller]
    pub fn from_axis(start: usize) -> Flatten {
        Flatten { layer: Layer::new("Flatten"), start }
    }

    fn check(&self, x: &Tensor) -> Result<(), OpError> {
        if self.start < x.rank() || (self.start == 0 && x.rank() == 0) {
            return Ok(());
        }
        let (start, shape) = (self.start, x.shape());
        let what = format!("joins the axes from {start} on, got {shape}{}", origin(x));
        Err(OpError::shape(what).hint("the first axis counts samples; is it missing?"))
    }
}

impl Default for Flatten {
    #[track_caller]
    fn default() -> Flatten {
        Flatten::new()
    }
}

impl Forward for Flatten {
    fn forward(&self, x: &Tensor) -> Tensor {
        let join = || match x.rank() {
            0 => x.reshape([1]),
            _ => x.flatten(self.start as isize, -1),
        };
        forward_in(&self.layer, x, || self.check(x), join)
    }
}
