//! Slicing and reversing: evenly spaced elements along each axis.

use crate::dtype::DType;
use crate::error::OpError;
use crate::layout::Layout;
use crate::op::{Class, Op};
use crate::ops::movement::take;
use crate::ops::pad::Pad;
use crate::ops::source::bad_axis;
use crate::reference::{Data, RefValue};
use crate::shape::{Shape, resolve_axis};
use crate::tensor::Tensor;

/// `start + step·i` along each axis, for `i < len`.
#[derive(Clone, Debug)]
pub struct Slice {
    /// The place of the first element along each axis.
    pub starts: Vec<usize>,
    /// The number of elements taken along each axis.
    pub lens: Vec<usize>,
    /// The distance between two of them; negative walks backwards.
    pub steps: Vec<isize>,
}

impl Op for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let x = &inputs[0];
        for axis in 0..x.rank() {
            let (start, len, step) = (self.starts[axis], self.lens[axis], self.steps[axis]);
            let reach = isize::try_from(len.max(1) - 1).ok().and_then(|n| n.checked_mul(step));
            let last = reach.and_then(|reach| start.checked_add_signed(reach));
            let inside = |i: usize| i < x.shape()[axis];
            if len > 0 && !(inside(start) && last.is_some_and(inside)) {
                let extent = x.shape()[axis];
                return Err(OpError::argument(format!(
                    "axis {axis} has {extent} elements; {len} from {start} by {step} reach outside"
                )));
            }
        }
        Ok((Shape::from(&self.lens), x.dtype()))
    }
    fn grad(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        // Walking backwards is walking forwards over the flipped cotangent.
        let mut g = g.clone();
        let mut starts = self.starts.clone();
        for (axis, start) in starts.iter_mut().enumerate() {
            let (step, len) = (self.steps[axis], self.lens[axis]);
            if step < 0 && len > 0 {
                g = g.flip(&[axis as isize]);
                *start = start.wrapping_add_signed((len - 1) as isize * step);
            }
        }
        let steps = self.steps.iter().map(|step| step.unsigned_abs()).collect();
        let shape = inputs[0].shape().clone();
        Ok(vec![Some(Tensor::from_op(Pad { shape, starts, steps, value: 0.0 }, &[g]))])
    }
    fn reference(&self, inputs: &[RefValue], shape: &Shape, _: DType) -> Result<Data, OpError> {
        take(self, &inputs[0], shape)
    }
    fn class(&self) -> Class<'_> {
        Class::View
    }
    fn view(&self, input: &Layout, shape: &Shape) -> Option<Layout> {
        let strides = input.strides.iter().zip(&self.steps).map(|(&s, &step)| s * step).collect();
        let offset = if shape.numel() == 0 { input.offset } else { input.at(&self.starts) };
        Some(Layout { shape: shape.clone(), strides, offset })
    }
}

impl Tensor {
    /// `len` elements from `start` along `axis`.
    #[track_caller]
    pub fn narrow(&self, axis: isize, start: usize, len: usize) -> Tensor {
        self.slice(axis, start, len, 1)
    }

    /// The elements `start + step·i` for `i < len` along `axis`; a negative step walks backwards.
    #[track_caller]
    pub fn slice(&self, axis: isize, start: usize, len: usize, step: isize) -> Tensor {
        if self.error().is_some() {
            return self.clone();
        }
        let Some(axis) = resolve_axis(axis, self.rank()) else {
            return Tensor::poison("slice", bad_axis(axis, self.rank()));
        };
        if step == 0 {
            return Tensor::poison("slice", OpError::argument("the step must not be 0"));
        }
        let (mut starts, mut lens) = (vec![0; self.rank()], self.shape().to_vec());
        let mut steps = vec![1; self.rank()];
        (starts[axis], lens[axis], steps[axis]) = (start, len, step);
        Tensor::from_op(Slice { starts, lens, steps }, std::slice::from_ref(self))
    }

    /// Reverses the order along `axes`.
    #[track_caller]
    pub fn flip(&self, axes: &[isize]) -> Tensor {
        if self.error().is_some() {
            return self.clone();
        }
        let axes = match self.axes(axes) {
            Ok(axes) => axes,
            Err(error) => return Tensor::poison("flip", error),
        };
        let lens = self.shape().to_vec();
        let flipped = |axis: usize| axes.contains(&axis) && lens[axis] > 0;
        let starts = (0..lens.len()).map(|a| if flipped(a) { lens[a] - 1 } else { 0 }).collect();
        let steps = (0..lens.len()).map(|a| if flipped(a) { -1 } else { 1 }).collect();
        Tensor::from_op(Slice { starts, lens, steps }, std::slice::from_ref(self))
    }
}
