//! Padding, the transpose of slicing; and joining tensors along an axis.

use crate::dtype::DType;
use crate::error::OpError;
use crate::op::Op;
use crate::ops::slice::Slice;
use crate::ops::source::bad_axis;
use crate::reference::{Data, RefValue};
use crate::shape::{Shape, resolve_axis};
use crate::tensor::Tensor;

/// A tensor of `shape` filled with `value`, with the input's elements at `starts + steps·i`.
#[derive(Clone, Debug)]
pub struct Pad {
    /// The extents of the result.
    pub shape: Shape,
    /// The place of the input's first element along each axis.
    pub starts: Vec<usize>,
    /// The distance between two of its elements along each axis, at least 1.
    pub steps: Vec<usize>,
    /// What fills the rest.
    pub value: f64,
}

/// The inputs one after the other along `axis`.
#[derive(Clone, Debug)]
pub struct Concat {
    /// The joined axis.
    pub axis: usize,
}

impl Pad {
    /// The slice of the result that holds the input.
    pub fn window(&self, input: &Shape) -> Slice {
        let steps = self.steps.iter().map(|&s| s as isize).collect();
        Slice { starts: self.starts.clone(), lens: input.to_vec(), steps }
    }
}

impl Op for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let x = &inputs[0];
        for axis in 0..x.rank() {
            let last = (x.shape()[axis].max(1) - 1)
                .checked_mul(self.steps[axis])
                .and_then(|reach| reach.checked_add(self.starts[axis]));
            if x.shape()[axis] > 0 && last.is_none_or(|last| last >= self.shape[axis]) {
                let (from, to) = (x.shape(), &self.shape);
                return Err(OpError::shape(format!(
                    "axis {axis} of {from} does not fit into {to}"
                )));
            }
        }
        Ok((self.shape.clone(), x.dtype()))
    }
    fn grad(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        let window = self.window(inputs[0].shape());
        Ok(vec![Some(Tensor::from_op(window, std::slice::from_ref(g)))])
    }
    fn reference(&self, inputs: &[RefValue], shape: &Shape, dtype: DType) -> Result<Data, OpError> {
        let x = &inputs[0];
        let strides = shape.strides();
        let places = x.shape.indices().map(|index| -> usize {
            (0..index.len())
                .map(|a| (self.starts[a] + index[a] * self.steps[a]) * strides[a] as usize)
                .sum()
        });
        Ok(match &x.data {
            Data::Float(x) => {
                let mut out = vec![self.value; shape.numel()];
                places.zip(x).for_each(|(place, &x)| out[place] = x);
                Data::Float(out)
            }
            Data::Int(x) => {
                let mut out = vec![dtype.round_float(self.value) as i64; shape.numel()];
                places.zip(x).for_each(|(place, &x)| out[place] = x);
                Data::Int(out)
            }
        })
    }
}

impl Op for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let first = inputs.first().ok_or_else(|| OpError::argument("needs at least one tensor"))?;
        let mut shape = first.shape().to_vec();
        shape[self.axis] = 0;
        for (i, x) in inputs.iter().enumerate() {
            let fits = x.rank() == first.rank()
                && (0..x.rank()).all(|a| a == self.axis || x.shape()[a] == first.shape()[a]);
            if !fits {
                return Err(OpError::shape(format!(
                    "all axes but axis {} must agree, got {} first and {} at place {i}",
                    self.axis,
                    first.shape(),
                    x.shape()
                )));
            }
            if x.dtype() != first.dtype() {
                return Err(OpError::dtype(format!(
                    "expects one type, got {} first and {} at place {i}",
                    first.dtype(),
                    x.dtype()
                ))
                .hint("convert with cast(…) first"));
            }
            shape[self.axis] = shape[self.axis]
                .checked_add(x.shape()[self.axis])
                .ok_or_else(|| OpError::shape("the joined axis overflows"))?;
        }
        Ok((shape.into(), first.dtype()))
    }
    fn grad(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        let mut start = 0;
        Ok((inputs.iter())
            .map(|x| {
                let len = x.shape()[self.axis];
                start += len;
                Some(g.narrow(self.axis as isize, start - len, len))
            })
            .collect())
    }
    fn reference(&self, inputs: &[RefValue], shape: &Shape, dtype: DType) -> Result<Data, OpError> {
        // (which input, which place in it) for every element of the result.
        let mut owner = Vec::with_capacity(shape[self.axis]);
        for (i, x) in inputs.iter().enumerate() {
            owner.extend((0..x.shape[self.axis]).map(|at| (i, at)));
        }
        let strides: Vec<Vec<isize>> = inputs.iter().map(|x| x.shape.strides()).collect();
        let places = shape.indices().map(|mut index| {
            let (input, at) = owner[index[self.axis]];
            index[self.axis] = at;
            let place: isize =
                index.iter().zip(&strides[input]).map(|(&i, &s)| i as isize * s).sum();
            (input, place as usize)
        });
        Ok(match dtype.is_float() {
            true => {
                let all: Vec<Vec<f64>> = inputs.iter().map(RefValue::floats).collect();
                Data::Float(places.map(|(i, place)| all[i][place]).collect())
            }
            false => {
                let all: Vec<Vec<i64>> = inputs.iter().map(RefValue::ints).collect();
                Data::Int(places.map(|(i, place)| all[i][place]).collect())
            }
        })
    }
}

impl Tensor {
    /// Adds `before[i]` and `after[i]` elements of `value` at the two ends of axis `i`.
    #[track_caller]
    pub fn pad(&self, before: &[usize], after: &[usize], value: f64) -> Tensor {
        if self.error().is_some() {
            return self.clone();
        }
        let rank = self.rank();
        if before.len() != rank || after.len() != rank {
            let what = format!("{} and {} amounts for rank {rank}", before.len(), after.len());
            return Tensor::poison("pad", OpError::argument(what).hint("give one amount per axis"));
        }
        let grown: Option<Vec<usize>> = (0..rank)
            .map(|a| self.shape()[a].checked_add(before[a])?.checked_add(after[a]))
            .collect();
        match grown {
            Some(shape) => {
                let (shape, starts) = (shape.into(), before.to_vec());
                let op = Pad { shape, starts, steps: vec![1; rank], value };
                Tensor::from_op(op, std::slice::from_ref(self))
            }
            None => Tensor::poison("pad", OpError::shape("the padded extents overflow")),
        }
    }

    /// The tensors one after the other along `axis`; all other axes must agree.
    #[track_caller]
    pub fn concat(tensors: &[Tensor], axis: isize) -> Tensor {
        let Some(first) = tensors.first() else {
            return Tensor::poison("concat", OpError::argument("needs at least one tensor"));
        };
        match (tensors.iter().find(|t| t.error().is_some()), resolve_axis(axis, first.rank())) {
            (Some(poisoned), _) => poisoned.clone(),
            (None, Some(axis)) => Tensor::from_op(Concat { axis }, tensors),
            (None, None) => Tensor::poison("concat", bad_axis(axis, first.rank())),
        }
    }

    /// The tensors, all of one shape, along a new axis at `axis`.
    #[track_caller]
    pub fn stack(tensors: &[Tensor], axis: isize) -> Tensor {
        let mut lifted = Vec::with_capacity(tensors.len());
        for tensor in tensors {
            // Not in a closure, which would hide the caller's line.
            lifted.push(tensor.unsqueeze(axis));
        }
        Tensor::concat(&lifted, axis)
    }
}
