//! Ops with a kernel of their own. What has none here runs by its reference kernel, which allocates and is slow; `inspect`
//! says so.

use thalweg_graph::{DType, Error, RefValue, Shape, Tensor, Value};
use thalweg_plan::Call;

use crate::pool::Pool;

/// A call with its kernel chosen.
pub(crate) struct Caller {
    tensor: Tensor,
    inputs: Vec<Operand>,
    to: usize,
}

struct Operand {
    buffer: usize,
    offset: usize,
    dtype: DType,
    shape: Shape,
}

impl Caller {
    pub fn new(call: &Call) -> Caller {
        let inputs = call
            .inputs
            .iter()
            .zip(call.tensor.inputs())
            .map(|(&(buffer, offset), t)| Operand {
                buffer,
                offset,
                dtype: t.dtype(),
                shape: t.shape().clone(),
            })
            .collect();
        Caller { tensor: call.tensor.clone(), inputs, to: call.to }
    }

    pub fn name(&self) -> &'static str {
        self.tensor.op().name()
    }

    pub fn is_slow(&self) -> bool {
        true
    }

    /// # Safety
    /// The buffers are valid for what the plan says of them.
    pub unsafe fn run(&self, _pool: &Pool, bases: &[*mut u8]) -> Result<(), Error> {
        // SAFETY: the caller's promise.
        unsafe { self.reference(bases) }
    }

    /// # Safety
    /// As for [`Caller::run`].
    unsafe fn reference(&self, bases: &[*mut u8]) -> Result<(), Error> {
        let inputs: Vec<RefValue> = self
            .inputs
            .iter()
            .map(|operand| {
                let mut value = Value::zeros(operand.dtype, &operand.shape);
                let bytes = value.bytes_mut();
                // SAFETY: the buffer holds the operand from its offset on.
                let from = unsafe {
                    let start = bases[operand.buffer].add(operand.offset * operand.dtype.size());
                    std::slice::from_raw_parts(start, bytes.len())
                };
                bytes.copy_from_slice(from);
                RefValue::from_value(&value)
            })
            .collect();
        let (shape, dtype) = (self.tensor.shape(), self.tensor.dtype());
        let data = self.tensor.op().reference(&inputs, shape, dtype);
        let data = data.map_err(|e| self.tensor.error_here(e))?;
        let value = RefValue { shape: shape.clone(), dtype, data }.to_value();
        let bytes = value.bytes();
        // SAFETY: the result's buffer has its size.
        unsafe { bases[self.to].copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(())
    }
}
