//! Windows whose place is known only at run time: caches, cursors. The static ones are
//! [`Tensor::slice`] and [`Tensor::update_slice`].

use crate::dtype::DType;
use crate::error::OpError;
use crate::op::Op;
use crate::reference::{Data, RefValue};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// `(x, starts)`: the window of extents `lens` of `x` whose first element is at `starts`.
#[derive(Clone, Debug)]
pub struct SliceAt {
    /// The extents of the window.
    pub lens: Shape,
}

/// `(x, update, starts)`: `x` with the window whose first element is at `starts` replaced by `update`.
#[derive(Clone, Debug)]
pub struct UpdateSliceAt;

fn window_fits(x: &Tensor, window: &Shape, starts: &Tensor) -> Result<(), OpError> {
    let shape = x.shape();
    if starts.dtype() != DType::I64 || starts.shape().dims() != [shape.rank()] {
        let (dtype, got) = (starts.dtype(), starts.shape());
        return Err(OpError::argument(format!(
            "the starts must be i64[{}], one per axis of {shape}, got {dtype}{got}",
            shape.rank()
        )));
    }
    let fits =
        window.rank() == shape.rank() && window.iter().zip(shape.iter()).all(|(w, d)| w <= d);
    match fits {
        true => Ok(()),
        false => Err(OpError::shape(format!("a window of {window} does not fit into {shape}"))),
    }
}

/// Where the window's first element lies: the starts, checked.
pub fn window_starts(starts: &[i64], window: &Shape, shape: &Shape) -> Result<Vec<usize>, OpError> {
    for (axis, &start) in starts.iter().enumerate() {
        let last = (shape[axis] - window[axis]) as i64;
        if !(0..=last).contains(&start) {
            let (len, extent) = (window[axis], shape[axis]);
            return Err(OpError::value(format!(
                "start {start} of axis {axis} is outside 0..{}: {len} of {extent} elements are taken",
                last + 1
            )));
        }
    }
    Ok(starts.iter().map(|&start| start as usize).collect())
}

/// The places of the window's elements in a tensor of `shape`, in row-major order.
fn places(starts: &[usize], window: &Shape, shape: &Shape) -> Vec<usize> {
    let strides = shape.strides();
    (window.indices())
        .map(|at| (0..at.len()).map(|a| (starts[a] + at[a]) * strides[a] as usize).sum())
        .collect()
}

impl Op for SliceAt {
    fn name(&self) -> &'static str {
        "slice_at"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        window_fits(&inputs[0], &self.lens, &inputs[1])?;
        Ok((self.lens.clone(), inputs[0].dtype()))
    }
    fn grad(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        Ok(vec![Some(inputs[0].zeros_like().update_slice_at(g, &inputs[1])), None])
    }
    fn reference(&self, inputs: &[RefValue], shape: &Shape, _: DType) -> Result<Data, OpError> {
        let x = &inputs[0];
        let starts = window_starts(&inputs[1].ints(), shape, &x.shape)?;
        Ok(x.data.pick(places(&starts, shape, &x.shape).into_iter()))
    }
}

impl Op for UpdateSliceAt {
    fn name(&self) -> &'static str {
        "update_slice_at"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let (x, update) = (&inputs[0], &inputs[1]);
        if x.dtype() != update.dtype() {
            let (a, b) = (x.dtype(), update.dtype());
            return Err(OpError::dtype(format!("expects one type, got {a} and {b}"))
                .hint("convert one of them with cast(…)"));
        }
        window_fits(x, update.shape(), &inputs[2])?;
        Ok((x.shape().clone(), x.dtype()))
    }
    fn grad(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        let (update, starts) = (&inputs[1], &inputs[2]);
        let dx = g.update_slice_at(&update.zeros_like(), starts);
        Ok(vec![Some(dx), Some(g.slice_at(starts, update.shape())), None])
    }
    fn reference(&self, inputs: &[RefValue], shape: &Shape, _: DType) -> Result<Data, OpError> {
        let update = &inputs[1];
        let starts = window_starts(&inputs[2].ints(), &update.shape, shape)?;
        let places = places(&starts, &update.shape, shape);
        Ok(match (&inputs[0].data, &update.data) {
            (Data::Float(x), Data::Float(update)) => {
                let mut out = x.clone();
                places.iter().zip(update).for_each(|(&place, &u)| out[place] = u);
                Data::Float(out)
            }
            _ => {
                let mut out = inputs[0].ints();
                places.iter().zip(update.ints()).for_each(|(&place, u)| out[place] = u);
                Data::Int(out)
            }
        })
    }
}

impl Tensor {
    /// The window of extents `lens` whose first element is at `starts`, an `i64` tensor with one element per axis.
    /// A window that reaches outside is an error at run time. The gradient is [`Tensor::update_slice_at`] of zeros.
    #[track_caller]
    pub fn slice_at(&self, starts: &Tensor, lens: impl Into<Shape>) -> Tensor {
        Tensor::from_op(SliceAt { lens: lens.into() }, &[self.clone(), starts.clone()])
    }

    /// This tensor with the window whose first element is at `starts` replaced by `update`; `starts` is an `i64`
    /// tensor with one element per axis. A window that reaches outside is an error at run time.
    #[track_caller]
    pub fn update_slice_at(&self, update: &Tensor, starts: &Tensor) -> Tensor {
        Tensor::from_op(UpdateSliceAt, &[self.clone(), update.clone(), starts.clone()])
    }

    /// This tensor with the window whose first element is at `starts` replaced by `update`.
    #[track_caller]
    pub fn update_slice(&self, update: &Tensor, starts: &[usize]) -> Tensor {
        if let Some(poisoned) = [self, update].into_iter().find(|t| t.error().is_some()) {
            return poisoned.clone();
        }
        let (shape, window) = (self.shape(), update.shape());
        let after: Option<Vec<usize>> = (starts.len() == shape.rank()
            && window.rank() == shape.rank())
        .then(|| (0..shape.rank()).map(|a| shape[a].checked_sub(starts[a])?.checked_sub(window[a])))
        .and_then(Iterator::collect);
        let Some(after) = after else {
            return Tensor::poison(
                "update_slice",
                OpError::shape(format!(
                    "a window of {window} at {starts:?} does not fit into {shape}"
                )),
            );
        };
        let inside = Tensor::ones(DType::Bool, window).pad(starts, &after, 0.0);
        Tensor::select(&inside, &update.pad(starts, &after, 0.0), self)
    }
}
