//! A part of a row.

use std::sync::Arc;

use thalweg_graph::{DType, Layer, OpError, Tensor};

use crate::layers::{checked, origin};
use crate::{Forward, Module};

/// The columns `start..start + len` of each row: `[N, width] → [N, len]`, or `[N, shape…]` where a shape is given.
/// Where they are ids, they become `i64`.
///
/// No parameters. Errors: an input that is not `[N, width]`, no columns, columns behind the last one, a shape of
/// another number of elements.
///
/// ```
/// use thalweg_graph::{DType, Tensor};
/// use thalweg_nn::{Columns, Forward};
/// let rows = Tensor::zeros(DType::F32, [64, 3 + 2 + 784]);
/// assert_eq!(Columns::new(0, 3).forward(&rows).shape().dims(), [64, 3]);
/// assert_eq!(Columns::new(3, 2).ids().forward(&rows).dtype(), DType::I64);
/// assert_eq!(Columns::new(5, 784).shape([1, 28, 28]).forward(&rows).shape().dims(), [64, 1, 28, 28]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct Columns {
    #[module(flatten)]
    layer: Arc<Layer>,
    start: usize,
    len: usize,
    ids: bool,
    shape: Vec<usize>,
}

impl Columns {
    /// The `len` columns from `start` on.
    #[track_caller]
    pub fn new(start: usize, len: usize) -> Columns {
        let layer = Layer::new(format!("Columns {start}..{}", start.saturating_add(len)));
        Columns { layer, start, len, ids: false, shape: vec![len] }
    }

    /// As `i64`.
    #[must_use]
    pub fn ids(mut self) -> Columns {
        self.ids = true;
        self
    }

    /// With samples of this shape.
    #[must_use]
    pub fn shape(mut self, shape: impl Into<Vec<usize>>) -> Columns {
        self.shape = shape.into();
        self
    }

    fn check(&self, x: &Tensor) -> Result<Vec<usize>, OpError> {
        let (start, len, shape) = (self.start, self.len, &self.shape);
        let &[rows, width] = x.shape().dims() else {
            let what = format!("expects rows [N, width], got {}{}", x.shape(), origin(x));
            return Err(OpError::shape(what).hint("it cuts the rows of a table"));
        };
        if len == 0 || start.checked_add(len).is_none_or(|end| end > width) {
            let what = format!("{len} columns from {start} on, of rows of {width}{}", origin(x));
            return Err(
                OpError::argument(what).hint("it takes at least one, and none behind the last")
            );
        }
        if shape.iter().try_fold(1usize, |all, &extent| all.checked_mul(extent)) != Some(len) {
            return Err(OpError::argument(format!("{len} columns cannot be {shape:?}"))
                .hint("the product of the shape is to be the number of columns"));
        }
        Ok([&[rows], &shape[..]].concat())
    }
}

impl Forward for Columns {
    fn forward(&self, x: &Tensor) -> Tensor {
        checked(
            &self.layer,
            x,
            || self.check(x),
            |shape| {
                let part = x.narrow(1, self.start, self.len).reshape(shape);
                if self.ids { part.cast(DType::I64) } else { part }
            },
        )
    }
}
