//! The slow way: an op's reference kernel on copies of its inputs.

use thalweg_graph::{Layout, OpError, RefValue, Tensor, Value};

/// Computes `tensor` by its reference kernel.
///
/// # Safety
/// `inputs` are the addresses of the first elements of its inputs and where the others lie, `to` is the address of the
/// result, each valid for the elements that the shapes say.
pub unsafe fn run<'a>(
    tensor: &Tensor,
    inputs: impl Iterator<Item = (*mut u8, &'a Layout)>,
    to: *mut u8,
) -> Result<(), OpError> {
    let inputs: Vec<RefValue> = inputs
        .zip(tensor.inputs())
        .map(|((from, layout), input)| {
            let mut value = Value::zeros(input.dtype(), input.shape());
            let bytes = value.bytes_mut();
            if layout.is_contiguous() {
                // SAFETY: the caller's promise.
                bytes.copy_from_slice(unsafe { std::slice::from_raw_parts(from, bytes.len()) });
                return RefValue::from_value(&value);
            }
            let size = input.dtype().size();
            for (index, element) in layout.shape.indices().zip(bytes.chunks_exact_mut(size)) {
                let place = layout.at(&index) as isize - layout.offset as isize;
                // SAFETY: the caller's promise: the layout's elements are there.
                let from = unsafe { from.offset(place * size as isize) };
                // SAFETY: as above.
                element.copy_from_slice(unsafe { std::slice::from_raw_parts(from, size) });
            }
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
