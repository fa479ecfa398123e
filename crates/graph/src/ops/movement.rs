//! Movement: the same elements at other places. Each of these is a change of strides, so that most of
//! them never touch memory.

use crate::dtype::DType;
use crate::error::OpError;
use crate::layout::Layout;
use crate::op::{Class, Op};
use crate::ops::matmul::MatMul;
use crate::ops::source::bad_axis;
use crate::reference::{Data, RefValue};
use crate::shape::{Shape, resolve_axis};
use crate::tensor::Tensor;

/// The same elements in row-major order under another shape.
#[derive(Clone, Debug)]
pub struct Reshape(pub Shape);

/// Axis `i` of the result is axis `order[i]` of the input.
#[derive(Clone, Debug)]
pub struct Permute {
    /// A permutation of the axes.
    pub order: Vec<usize>,
}

/// Axes of extent 1 (and new leading axes) repeated up to the given shape.
#[derive(Clone, Debug)]
pub struct Broadcast(pub Shape);

pub(super) fn take(op: &dyn Op, input: &RefValue, shape: &Shape) -> Result<Data, OpError> {
    let layout = op.view(&Layout::contiguous(&input.shape), shape);
    let layout = layout.ok_or_else(|| OpError::shape("contiguous memory must have a view"))?;
    Ok(input.data.pick(shape.indices().map(|index| layout.at(&index))))
}

impl Op for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let x = &inputs[0];
        if self.0.checked_numel() != Some(x.numel()) {
            let (from, to) = (x.shape(), &self.0);
            return Err(OpError::shape(format!(
                "{from} has {} elements, {to} does not",
                x.numel()
            )));
        }
        Ok((self.0.clone(), x.dtype()))
    }
    fn grad(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        Ok(vec![Some(g.reshape(inputs[0].shape()))])
    }
    fn reference(&self, inputs: &[RefValue], _: &Shape, _: DType) -> Result<Data, OpError> {
        Ok(inputs[0].data.clone())
    }
    fn class(&self) -> Class<'_> {
        Class::View
    }
    fn view(&self, input: &Layout, shape: &Shape) -> Option<Layout> {
        input.reshape(shape)
    }
}

impl Op for Permute {
    fn name(&self) -> &'static str {
        "permute"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let x = &inputs[0];
        let dims: Vec<usize> = self.order.iter().map(|&a| x.shape()[a]).collect();
        Ok((dims.into(), x.dtype()))
    }
    fn grad(&self, _: &[Tensor], _: &Tensor, g: &Tensor) -> Result<Vec<Option<Tensor>>, OpError> {
        let mut back = vec![0isize; self.order.len()];
        for (place, &axis) in self.order.iter().enumerate() {
            back[axis] = place as isize;
        }
        // The transpose of a product is the product of the transposes, which needs no copy: the gradient of a
        // weight comes out in the weight's own layout.
        let (rows, last) = (back.len().saturating_sub(2), back.len().saturating_sub(1));
        let swaps = (0..back.len()).all(|a| match a {
            _ if a == rows => back[a] == last as isize,
            _ if a == last => back[a] == rows as isize,
            _ => back[a] == a as isize,
        });
        if swaps && last > 0 && g.op().downcast::<MatMul>().is_some() {
            return Ok(vec![Some(g.inputs()[1].t().matmul(&g.inputs()[0].t()))]);
        }
        Ok(vec![Some(g.permute(&back))])
    }
    fn reference(&self, inputs: &[RefValue], shape: &Shape, _: DType) -> Result<Data, OpError> {
        take(self, &inputs[0], shape)
    }
    fn class(&self) -> Class<'_> {
        Class::View
    }
    fn view(&self, input: &Layout, shape: &Shape) -> Option<Layout> {
        let strides = self.order.iter().map(|&a| input.strides[a]).collect();
        Some(Layout { shape: shape.clone(), strides, offset: input.offset })
    }
}

impl Op for Broadcast {
    fn name(&self) -> &'static str {
        "broadcast_to"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let x = &inputs[0];
        if !x.shape().broadcasts_to(&self.0) {
            let (from, to) = (x.shape(), &self.0);
            return Err(OpError::shape(format!("{from} cannot be broadcast to {to}"))
                .hint("aligned at the last axis, extents must be equal or 1"));
        }
        Ok((self.0.clone(), x.dtype()))
    }
    /// The one place where broadcasting is undone: the cotangent is summed over the repeated axes.
    fn grad(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        let from = inputs[0].shape();
        let lead = self.0.rank() - from.rank();
        let repeated: Vec<isize> = (0..self.0.rank())
            .filter(|&axis| axis < lead || from[axis - lead] != self.0[axis])
            .map(|axis| axis as isize)
            .collect();
        Ok(vec![Some(g.sum(&repeated).reshape(from))])
    }
    fn reference(&self, inputs: &[RefValue], shape: &Shape, _: DType) -> Result<Data, OpError> {
        take(self, &inputs[0], shape)
    }
    fn class(&self) -> Class<'_> {
        Class::View
    }
    fn view(&self, input: &Layout, shape: &Shape) -> Option<Layout> {
        let lead = shape.rank() - input.shape.rank();
        let strides = (0..shape.rank())
            .map(|axis| match axis.checked_sub(lead) {
                Some(old) if input.shape[old] == shape[axis] => input.strides[old],
                _ => 0,
            })
            .collect();
        Some(Layout { shape: shape.clone(), strides, offset: input.offset })
    }
}

impl Tensor {
    /// The same elements in row-major order under another shape, which must hold as many.
    #[track_caller]
    pub fn reshape(&self, shape: impl Into<Shape>) -> Tensor {
        let shape = shape.into();
        match *self.shape() == shape {
            true => self.clone(),
            false => Tensor::from_op(Reshape(shape), std::slice::from_ref(self)),
        }
    }

    /// Joins the axes `first..=last` into one; negative axes count from the end.
    #[track_caller]
    pub fn flatten(&self, first: isize, last: isize) -> Tensor {
        let rank = self.rank();
        if self.error().is_some() {
            return self.clone();
        }
        match (resolve_axis(first, rank), resolve_axis(last, rank)) {
            (Some(a), Some(b)) if a <= b => {
                let dims = self.shape();
                let mut shape = dims[..a].to_vec();
                shape.push(dims[a..=b].iter().product());
                shape.extend(&dims[b + 1..]);
                self.reshape(shape)
            }
            (Some(_), Some(_)) => Tensor::poison(
                "flatten",
                OpError::argument(format!(
                    "the first axis {first} comes after the last axis {last}"
                )),
            ),
            (None, _) => Tensor::poison("flatten", bad_axis(first, rank)),
            (_, None) => Tensor::poison("flatten", bad_axis(last, rank)),
        }
    }

    /// Inserts an axis of extent 1 at `axis` (−1 is after the last).
    #[track_caller]
    pub fn unsqueeze(&self, axis: isize) -> Tensor {
        if self.error().is_some() {
            return self.clone();
        }
        match resolve_axis(axis, self.rank() + 1) {
            Some(axis) => {
                let mut shape = self.shape().to_vec();
                shape.insert(axis, 1);
                self.reshape(shape)
            }
            None => Tensor::poison("unsqueeze", bad_axis(axis, self.rank() + 1)),
        }
    }

    /// Removes the axis `axis`, whose extent must be 1.
    #[track_caller]
    pub fn squeeze(&self, axis: isize) -> Tensor {
        if self.error().is_some() {
            return self.clone();
        }
        match resolve_axis(axis, self.rank()) {
            Some(axis) if self.shape()[axis] == 1 => {
                let mut shape = self.shape().to_vec();
                shape.remove(axis);
                self.reshape(shape)
            }
            Some(_) => {
                let (shape, extent) = (self.shape(), self.dim(axis));
                let what = format!("axis {axis} of {shape} must have extent 1, got {extent}");
                Tensor::poison("squeeze", OpError::shape(what))
            }
            None => Tensor::poison("squeeze", bad_axis(axis, self.rank())),
        }
    }

    /// Axis `i` of the result is axis `order[i]` of this tensor; every axis must be named once.
    #[track_caller]
    pub fn permute(&self, order: &[isize]) -> Tensor {
        if self.error().is_some() {
            return self.clone();
        }
        let rank = self.rank();
        if order.len() != rank {
            let what = format!("{} axes are named for a tensor of rank {rank}", order.len());
            return Tensor::poison("permute", OpError::argument(what).hint("name every axis once"));
        }
        if let Err(error) = self.axes(order) {
            return Tensor::poison("permute", error);
        }
        let order: Vec<usize> = order.iter().filter_map(|&a| resolve_axis(a, rank)).collect();
        match order.iter().enumerate().all(|(i, &a)| i == a) {
            true => self.clone(),
            false => Tensor::from_op(Permute { order }, std::slice::from_ref(self)),
        }
    }

    /// Exchanges two axes.
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Tensor {
        if self.error().is_some() {
            return self.clone();
        }
        let rank = self.rank();
        match (resolve_axis(a, rank), resolve_axis(b, rank)) {
            (Some(a), Some(b)) => {
                let mut order = self.all_axes();
                order.swap(a, b);
                self.permute(&order)
            }
            (None, _) => Tensor::poison("transpose", bad_axis(a, rank)),
            (_, None) => Tensor::poison("transpose", bad_axis(b, rank)),
        }
    }

    /// Exchanges the last two axes: the transpose of a matrix, or of each in a batch.
    #[track_caller]
    pub fn t(&self) -> Tensor {
        self.transpose(-2, -1)
    }

    /// Repeats axes of extent 1, and adds leading axes, up to `shape`.
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl Into<Shape>) -> Tensor {
        let shape = shape.into();
        match *self.shape() == shape {
            true => self.clone(),
            false => Tensor::from_op(Broadcast(shape), std::slice::from_ref(self)),
        }
    }

    /// Broadcasts tensors to their common shape; the poisoned tensor to return where there is none.
    #[track_caller]
    pub(crate) fn broadcast_all(op: &str, inputs: &[&Tensor]) -> Result<Vec<Tensor>, Tensor> {
        if let Some(&poisoned) = inputs.iter().find(|t| t.error().is_some()) {
            return Err(poisoned.clone());
        }
        let mut shape = Shape::scalar();
        for input in inputs {
            shape = match shape.broadcast_with(input.shape()) {
                Some(shape) => shape,
                None => {
                    let shapes: Vec<String> =
                        inputs.iter().map(|t| t.shape().to_string()).collect();
                    let what = format!("shapes {} do not broadcast", shapes.join(" and "));
                    let error = OpError::shape(what)
                        .hint("aligned at the last axis, extents must be equal or 1");
                    return Err(Tensor::poison(op, error));
                }
            };
        }
        let mut widened = Vec::with_capacity(inputs.len());
        for input in inputs {
            // Not in a closure, which would hide the caller's line.
            widened.push(input.broadcast_to(&shape));
        }
        Ok(widened)
    }

    /// The tensor repeated `times[i]` times along axis `i`.
    #[track_caller]
    pub fn repeat(&self, times: &[usize]) -> Tensor {
        if self.error().is_some() {
            return self.clone();
        }
        if times.len() != self.rank() {
            let what =
                format!("{} counts are given for a tensor of rank {}", times.len(), self.rank());
            return Tensor::poison(
                "repeat",
                OpError::argument(what).hint("give one count per axis"),
            );
        }
        let (mut spread, mut wide, mut joined) = (vec![], vec![], vec![]);
        for (&extent, &n) in self.shape().iter().zip(times) {
            spread.extend([1, extent]);
            wide.extend([n, extent]);
            joined.push(match n.checked_mul(extent) {
                Some(total) => total,
                None => {
                    let what = format!("{n} times {extent} elements overflow");
                    return Tensor::poison("repeat", OpError::shape(what));
                }
            });
        }
        self.reshape(spread).broadcast_to(wide).reshape(joined)
    }
}
