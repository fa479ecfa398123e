//! The slow way: an op's reference kernel on copies of its inputs.

use thalweg_graph::{OpError, RefValue, Tensor, Value};

/// Computes `tensor` by its reference kernel.
///
/// # Safety
/// `inputs` are the addresses of its inputs, `to` that of the result, each valid for the elements that the shapes say.
pub unsafe fn run(
    tensor: &Tensor,
    inputs: impl Iterator<Item = *mut u8>,
    to: *mut u8,
) -> Result<(), OpError> {
    let inputs: Vec<RefValue> = inputs
        .zip(tensor.inputs())
        .map(|(from, input)| {
            let mut value = Value::zeros(input.dtype(), input.shape());
            let bytes = value.bytes_mut();
            // SAFETY: the caller's promise.
            bytes.copy_from_slice(unsafe { std::slice::from_raw_parts(from, bytes.len()) });
            RefValue::from_value(&value)
        })
        .collect();
    let (shape, dtype) = (tensor.shape(), tensor.dtype());
    let data = tensor.op().reference(&inputs, shape, dtype)?;
    let value = RefValue { shape: shape.clone(), dtype, data }.to_value();
    // SAFETY: the caller's promise: the result has room for what its shape says.
    unsafe { to.copy_from_nonoverlapping(value.bytes().as_ptr(), value.bytes().len()) };
    Ok(())
}
