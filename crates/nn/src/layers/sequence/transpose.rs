//! Two axes exchanged.

use std::sync::Arc;

use thalweg_graph::shape::resolve_axis;
use thalweg_graph::{Layer, OpError, Tensor};

use crate::layers::{forward_in, origin};
use crate::{Forward, Module};

/// Exchanges two axes: `[N, T, F]`, as sequences are, and `[N, F, T]`, as convolutions want them.
///
/// No parameters. Errors: an input without one of the axes.
///
/// ```
/// use thalweg_graph::{DType, Tensor};
/// use thalweg_nn::{Forward, Transpose};
/// let x = Tensor::zeros(DType::F32, [2, 30, 8]);
/// assert_eq!(Transpose::new(1, 2).forward(&x).shape().dims(), [2, 8, 30]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct Transpose {
    #[module(flatten)]
    layer: Arc<Layer>,
    a: isize,
    b: isize,
}

impl Transpose {
    /// Exchanges axes `a` and `b`; negative ones count from the end.
    #[track_caller]
    pub fn new(a: isize, b: isize) -> Transpose {
        Transpose { layer: Layer::new(format!("Transpose {a}, {b}")), a, b }
    }

    fn check(&self, x: &Tensor) -> Result<(), OpError> {
        match [self.a, self.b].into_iter().find(|&axis| resolve_axis(axis, x.rank()).is_none()) {
            None => Ok(()),
            Some(axis) => {
                let what = format!("there is no axis {axis} in {}{}", x.shape(), origin(x));
                Err(OpError::argument(what).hint("the first axis counts samples; is it missing?"))
            }
        }
    }
}

impl Forward for Transpose {
    fn forward(&self, x: &Tensor) -> Tensor {
        forward_in(&self.layer, x, || self.check(x), || x.transpose(self.a, self.b))
    }
}
