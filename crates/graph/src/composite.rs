//! Composite ops: ops that are a composition of primitives, kept whole because a kernel that sees the whole is faster.
//!
//! A composite says what it is by a function `decompose` from its inputs to its result. That function is its reference
//! kernel ([`fn@reference`]) and its gradient rule ([`gradient`]); an op whose backward pass has a kernel of its own
//! writes a rule that emits that kernel's op, another composite, whose own gradient falls back on this. So gradients
//! of any order exist.

use crate::dtype::DType;
use crate::error::{ErrorKind, OpError};
use crate::executor::NoStates;
use crate::grad::grad_or_none;
use crate::ops::Reshape;
use crate::reference::{Data, RefValue, Reference};
use crate::tensor::Tensor;
use crate::value::Value;

/// The reference kernel of a composite: its decomposition, evaluated in `f64`.
pub fn reference(
    inputs: &[RefValue],
    decompose: impl FnOnce(&[Tensor]) -> Tensor,
) -> Result<Data, OpError> {
    let constants: Vec<Tensor> = inputs.iter().map(wide).collect();
    let result = decompose(&constants);
    let values = Reference::wide().evaluate(&[result], &[], &NoStates).map_err(inner)?;
    match values.into_iter().next() {
        Some(value) => Ok(value.data),
        None => Err(OpError::new(ErrorKind::Internal, "a composite without a result")),
    }
}

/// A constant of the same elements, floats as `f64`.
fn wide(input: &RefValue) -> Tensor {
    let value = match input.dtype.is_float() {
        true => Value::from_f64(DType::F64, &input.floats(), &input.shape),
        false => Value::from_i64(input.dtype, &input.ints(), &input.shape),
    };
    Tensor::constant(value.unwrap_or_else(|| Value::zeros(input.dtype, &input.shape)))
}

/// The gradient rule of a composite: that of its decomposition.
pub fn gradient(
    inputs: &[Tensor],
    g: &Tensor,
    decompose: impl FnOnce(&[Tensor]) -> Tensor,
) -> Result<Vec<Option<Tensor>>, OpError> {
    // One input may be computed from another: the rule sees each as a leaf of its own.
    let leaves: Vec<Tensor> = inputs.iter().map(alias).collect();
    let result = decompose(&leaves);
    grad_or_none(&result, Some(g), &leaves).map_err(inner)
}

/// The same tensor as another node, through which gradients pass.
pub fn alias(x: &Tensor) -> Tensor {
    Tensor::from_op(Reshape(x.shape().clone()), std::slice::from_ref(x))
}

/// An error from inside a decomposition, to be given the composite's own place.
pub(crate) fn inner(error: crate::error::Error) -> OpError {
    OpError {
        kind: error.kind(),
        what: error.what().to_owned(),
        hint: error.hint().map(str::to_owned),
    }
}
