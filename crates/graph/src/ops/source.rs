//! Where values come from: constants, inputs, states, indices; and the conversion between types.

use std::sync::Arc;

use crate::dtype::{DType, Element};
use crate::error::{ErrorKind, OpError};
use crate::executor::StateId;
use crate::op::{Class, Map, Op};
use crate::reference::{Data, RefValue};
use crate::shape::{Shape, resolve_axis};
use crate::tensor::Tensor;
use crate::value::Value;

/// The op of a poisoned tensor.
#[derive(Clone, Copy, Debug)]
pub struct Poison;

/// A tensor with the same number everywhere.
#[derive(Clone, Debug)]
pub struct Full {
    /// The number, rounded to `dtype` where it is used.
    pub value: f64,
    /// The element type.
    pub dtype: DType,
    /// The extents.
    pub shape: Shape,
}

/// A tensor with given elements.
#[derive(Clone, Debug)]
pub struct Constant(pub Arc<Value>);

/// A tensor whose value is given anew for each run.
#[derive(Clone, Debug)]
pub struct Input {
    /// What messages call it.
    pub name: String,
    /// The element type.
    pub dtype: DType,
    /// The extents.
    pub shape: Shape,
}

/// A tensor whose value lives in a store and may be updated by a run.
#[derive(Clone, Debug)]
pub struct State {
    /// The entry of the store.
    pub id: StateId,
    /// What messages call it.
    pub name: String,
    /// The element type.
    pub dtype: DType,
    /// The extents.
    pub shape: Shape,
}

/// The index along one axis, as elements.
#[derive(Clone, Debug)]
pub struct Iota {
    /// The counted axis.
    pub axis: usize,
    /// The element type.
    pub dtype: DType,
    /// The extents.
    pub shape: Shape,
}

/// Conversion to another element type.
#[derive(Clone, Copy, Debug)]
pub struct Cast(pub DType);

/// The same value, through which no gradient flows.
#[derive(Clone, Copy, Debug)]
pub struct Detach;

fn not_here(what: &str) -> OpError {
    OpError::new(
        ErrorKind::Internal,
        format!("{what} has no kernel: the executor supplies its value"),
    )
}

impl Op for Poison {
    fn name(&self) -> &'static str {
        "poison"
    }
    fn infer(&self, _: &[Tensor]) -> Result<(Shape, DType), OpError> {
        Ok((Shape::scalar(), DType::F32))
    }
    fn reference(&self, _: &[RefValue], _: &Shape, _: DType) -> Result<Data, OpError> {
        Err(not_here("a poisoned tensor"))
    }
    fn key(&self) -> Option<String> {
        None
    }
}

impl Op for Full {
    fn name(&self) -> &'static str {
        "full"
    }
    fn infer(&self, _: &[Tensor]) -> Result<(Shape, DType), OpError> {
        Ok((self.shape.clone(), self.dtype))
    }
    fn reference(&self, _: &[RefValue], shape: &Shape, dtype: DType) -> Result<Data, OpError> {
        Ok(match dtype.is_float() {
            true => Data::Float(vec![self.value; shape.numel()]),
            false => Data::Int(vec![dtype.round_float(self.value) as i64; shape.numel()]),
        })
    }
    fn class(&self) -> Class<'_> {
        Class::Source
    }
}

impl Op for Constant {
    fn name(&self) -> &'static str {
        "constant"
    }
    fn infer(&self, _: &[Tensor]) -> Result<(Shape, DType), OpError> {
        Ok((self.0.shape().clone(), self.0.dtype()))
    }
    fn reference(&self, _: &[RefValue], _: &Shape, _: DType) -> Result<Data, OpError> {
        Ok(RefValue::from_value(&self.0).data)
    }
    fn class(&self) -> Class<'_> {
        Class::Source
    }
    fn key(&self) -> Option<String> {
        Some(format!("constant@{:p}", Arc::as_ptr(&self.0)))
    }
}

impl Op for Input {
    fn name(&self) -> &'static str {
        "input"
    }
    fn infer(&self, _: &[Tensor]) -> Result<(Shape, DType), OpError> {
        Ok((self.shape.clone(), self.dtype))
    }
    fn reference(&self, _: &[RefValue], _: &Shape, _: DType) -> Result<Data, OpError> {
        Err(not_here("an input"))
    }
    fn class(&self) -> Class<'_> {
        Class::Source
    }
    fn key(&self) -> Option<String> {
        None
    }
}

impl Op for State {
    fn name(&self) -> &'static str {
        "state"
    }
    fn infer(&self, _: &[Tensor]) -> Result<(Shape, DType), OpError> {
        Ok((self.shape.clone(), self.dtype))
    }
    fn reference(&self, _: &[RefValue], _: &Shape, _: DType) -> Result<Data, OpError> {
        Err(not_here("a state"))
    }
    fn class(&self) -> Class<'_> {
        Class::Source
    }
    fn key(&self) -> Option<String> {
        Some(format!("state {:?} {} {}", self.id, self.dtype, self.shape))
    }
}

impl Op for Iota {
    fn name(&self) -> &'static str {
        "iota"
    }
    fn infer(&self, _: &[Tensor]) -> Result<(Shape, DType), OpError> {
        if self.dtype == DType::Bool {
            return Err(OpError::dtype("counts in a number type, got bool"));
        }
        Ok((self.shape.clone(), self.dtype))
    }
    fn reference(&self, _: &[RefValue], shape: &Shape, dtype: DType) -> Result<Data, OpError> {
        let index = shape.indices().map(|i| i[self.axis]);
        Ok(match dtype.is_float() {
            true => Data::Float(index.map(|i| i as f64).collect()),
            false => Data::Int(index.map(|i| i as i64).collect()),
        })
    }
    fn class(&self) -> Class<'_> {
        Class::Map(Map::Iota { axis: self.axis })
    }
}

impl Op for Cast {
    fn name(&self) -> &'static str {
        "cast"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        Ok((inputs[0].shape().clone(), self.0))
    }
    fn grad(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        let from = inputs[0].dtype();
        Ok(vec![from.is_float().then(|| g.cast(from))])
    }
    fn reference(&self, inputs: &[RefValue], _: &Shape, dtype: DType) -> Result<Data, OpError> {
        Ok(match (&inputs[0].data, dtype.is_float()) {
            (Data::Float(x), true) => Data::Float(x.clone()),
            (Data::Float(x), false) => {
                Data::Int(x.iter().map(|&x| dtype.round_float(x) as i64).collect())
            }
            (Data::Int(x), true) => Data::Float(x.iter().map(|&x| x as f64).collect()),
            (Data::Int(x), false) => Data::Int(x.clone()),
        })
    }
    fn class(&self) -> Class<'_> {
        Class::Map(Map::Cast(self.0))
    }
}

impl Op for Detach {
    fn name(&self) -> &'static str {
        "detach"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        Ok((inputs[0].shape().clone(), inputs[0].dtype()))
    }
    fn grad(&self, _: &[Tensor], _: &Tensor, _: &Tensor) -> Result<Vec<Option<Tensor>>, OpError> {
        Ok(vec![None])
    }
    fn reference(&self, inputs: &[RefValue], _: &Shape, _: DType) -> Result<Data, OpError> {
        Ok(inputs[0].data.clone())
    }
    fn class(&self) -> Class<'_> {
        Class::View
    }
    fn view(&self, input: &crate::layout::Layout, _: &Shape) -> Option<crate::layout::Layout> {
        Some(input.clone())
    }
}

impl Tensor {
    /// The same number everywhere.
    #[track_caller]
    pub fn full(value: f64, dtype: DType, shape: impl Into<Shape>) -> Tensor {
        Tensor::from_op(Full { value, dtype, shape: shape.into() }, &[])
    }

    /// All zero.
    #[track_caller]
    pub fn zeros(dtype: DType, shape: impl Into<Shape>) -> Tensor {
        Tensor::full(0.0, dtype, shape)
    }

    /// All one.
    #[track_caller]
    pub fn ones(dtype: DType, shape: impl Into<Shape>) -> Tensor {
        Tensor::full(1.0, dtype, shape)
    }

    /// A scalar.
    #[track_caller]
    pub fn scalar(value: f64, dtype: DType) -> Tensor {
        Tensor::full(value, dtype, Shape::scalar())
    }

    /// The same number everywhere, in the shape and type of `other`.
    #[track_caller]
    pub fn full_like(other: &Tensor, value: f64) -> Tensor {
        match other.error() {
            Some(_) => other.clone(),
            None => Tensor::full(value, other.dtype(), other.shape()),
        }
    }

    /// All zero, in the shape and type of `self`.
    #[track_caller]
    pub fn zeros_like(&self) -> Tensor {
        Tensor::full_like(self, 0.0)
    }

    /// A constant with the elements of `value`.
    #[track_caller]
    pub fn constant(value: Value) -> Tensor {
        Tensor::from_op(Constant(Arc::new(value)), &[])
    }

    /// A constant with the elements `data` in row-major order; poisoned where their number is not that of `shape`.
    #[track_caller]
    pub fn new<T: Element>(data: &[T], shape: impl Into<Shape>) -> Tensor {
        let shape = shape.into();
        match Value::new(data, &shape) {
            Some(value) => Tensor::constant(value),
            None => Tensor::poison(
                "constant",
                OpError::shape(format!("{} elements do not fill the shape {shape}", data.len())),
            ),
        }
    }

    /// A placeholder whose value is given for each run.
    #[track_caller]
    pub fn input(name: &str, dtype: DType, shape: impl Into<Shape>) -> Tensor {
        Tensor::from_op(Input { name: name.to_owned(), dtype, shape: shape.into() }, &[])
    }

    /// A read of the store's entry `id`, as it was before the run.
    #[track_caller]
    pub fn state(id: StateId, name: &str, dtype: DType, shape: impl Into<Shape>) -> Tensor {
        Tensor::from_op(State { id, name: name.to_owned(), dtype, shape: shape.into() }, &[])
    }

    /// The index along `axis` (negative counts from the end): `[[0, 1, 2], [0, 1, 2]]` for axis 1 of `[2, 3]`.
    #[track_caller]
    pub fn iota(dtype: DType, shape: impl Into<Shape>, axis: isize) -> Tensor {
        let shape = shape.into();
        match resolve_axis(axis, shape.rank()) {
            Some(axis) => Tensor::from_op(Iota { axis, dtype, shape }, &[]),
            None => Tensor::poison("iota", bad_axis(axis, shape.rank())),
        }
    }

    /// Conversion to `dtype`: floats to integers truncate towards zero and saturate (NaN gives 0), integers
    /// among each other wrap around, `bool` is `x ≠ 0`. The gradient is converted back.
    #[track_caller]
    pub fn cast(&self, dtype: DType) -> Tensor {
        match self.dtype() == dtype {
            true => self.clone(),
            false => Tensor::from_op(Cast(dtype), std::slice::from_ref(self)),
        }
    }

    /// The same value, through which no gradient flows.
    #[track_caller]
    pub fn detach(&self) -> Tensor {
        Tensor::from_op(Detach, std::slice::from_ref(self))
    }
}

/// The error of an axis that a tensor of this rank does not have.
pub(crate) fn bad_axis(axis: isize, rank: usize) -> OpError {
    let error =
        OpError::argument(format!("axis {axis} is out of range for a tensor of rank {rank}"));
    match rank {
        0 => error.hint("a scalar has no axes"),
        _ => error.hint(format!("axes go from 0 to {} or from -{rank} to -1", rank - 1)),
    }
}
