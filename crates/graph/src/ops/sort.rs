//! Order along an axis: sorting is choosing by the sorted places, so that only the places need a kernel.

use std::cmp::Ordering;

use crate::dtype::DType;
use crate::error::OpError;
use crate::op::Op;
use crate::reference::{Data, RefValue};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// The places along `axis` in the order of their elements, as `i64`. Equal elements keep their order; NaN counts
/// as greater than every number.
#[derive(Clone, Debug)]
pub struct Argsort {
    /// The sorted axis.
    pub axis: usize,
    /// The greatest first.
    pub descending: bool,
}

impl Argsort {
    /// The places `0..n` of one row, sorted by `compare(i, j)` (ascending, turned around where the op descends).
    fn order(&self, n: usize, compare: impl Fn(usize, usize) -> Ordering) -> Vec<i64> {
        let mut places: Vec<usize> = (0..n).collect();
        match self.descending {
            true => places.sort_by(|&i, &j| compare(j, i)),
            false => places.sort_by(|&i, &j| compare(i, j)),
        }
        places.into_iter().map(|place| place as i64).collect()
    }
}

/// The order of floats with NaN (all NaNs being equal) after every number, and −0 equal to 0.
pub fn nan_last(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

impl Op for Argsort {
    fn name(&self) -> &'static str {
        "argsort"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        Ok((inputs[0].shape().clone(), DType::I64))
    }
    fn reference(&self, inputs: &[RefValue], shape: &Shape, _: DType) -> Result<Data, OpError> {
        let n = shape[self.axis];
        let inner: usize = shape[self.axis + 1..].iter().product();
        let mut out = vec![0; shape.numel()];
        for row in 0..shape.numel() / n.max(1) {
            let at = |i: usize| (row / inner * n + i) * inner + row % inner;
            let order = match &inputs[0].data {
                Data::Float(x) => self.order(n, |i, j| nan_last(x[at(i)], x[at(j)])),
                Data::Int(x) => self.order(n, |i, j| x[at(i)].cmp(&x[at(j)])),
            };
            order.into_iter().enumerate().for_each(|(i, place)| out[at(i)] = place);
        }
        Ok(Data::Int(out))
    }
}

impl Tensor {
    /// The places along `axis` in the order of their elements, as `i64`; stable. NaN is greater than every number:
    /// last when ascending, first when `descending`.
    #[track_caller]
    pub fn argsort(&self, axis: isize, descending: bool) -> Tensor {
        match self.axis_or_poison("argsort", axis, &[]) {
            Ok(axis) => Tensor::from_op(Argsort { axis, descending }, std::slice::from_ref(self)),
            Err(poisoned) => poisoned,
        }
    }

    /// The elements in order along `axis`, and the places they come from: see [`Tensor::argsort`]. Gradients flow
    /// back to those places.
    #[track_caller]
    pub fn sort(&self, axis: isize, descending: bool) -> (Tensor, Tensor) {
        let places = self.argsort(axis, descending);
        (self.gather(axis, &places), places)
    }

    /// The `k` greatest (or least) elements along `axis`, best first, and the places they come from; of equal
    /// elements the first comes first. NaN is greater than every number.
    #[track_caller]
    pub fn topk(&self, k: usize, axis: isize, largest: bool) -> (Tensor, Tensor) {
        let extent = self.dim(axis);
        let places = match self.axis_or_poison("topk", axis, &[]) {
            Err(poisoned) => poisoned,
            Ok(_) if k > extent => {
                let shape = self.shape();
                let what = format!(
                    "k must be at most {extent}, the extent of axis {axis} of {shape}, got {k}"
                );
                Tensor::poison("topk", OpError::argument(what))
            }
            Ok(_) => self.argsort(axis, largest).narrow(axis, 0, k),
        };
        (self.gather(axis, &places), places)
    }
}
