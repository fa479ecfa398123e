//! Running sums.

use crate::dtype::DType;
use crate::error::OpError;
use crate::op::Op;
use crate::reference::{Data, RefValue};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// Element `i` along `axis` is the sum of elements `0..=i`, added in that order.
#[derive(Clone, Debug)]
pub struct Cumsum {
    /// The axis that is summed along.
    pub axis: usize,
}

impl Op for Cumsum {
    fn name(&self) -> &'static str {
        "cumsum"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let x = &inputs[0];
        match x.dtype() {
            DType::Bool => Err(OpError::dtype(format!("expects numbers, got bool{}", x.shape()))
                .hint("convert with cast(…) first")),
            dtype => Ok((x.shape().clone(), dtype)),
        }
    }
    /// Element `i` takes part in every sum from `i` on: the running sum of the cotangent from the end.
    fn grad(&self, _: &[Tensor], _: &Tensor, g: &Tensor) -> Result<Vec<Option<Tensor>>, OpError> {
        let axis = self.axis as isize;
        Ok(vec![Some(g.flip(&[axis]).cumsum(axis).flip(&[axis]))])
    }
    fn reference(&self, inputs: &[RefValue], shape: &Shape, _: DType) -> Result<Data, OpError> {
        let step = shape.strides()[self.axis] as usize;
        let follows = |place: usize| !(place / step).is_multiple_of(shape[self.axis]);
        Ok(match inputs[0].data.clone() {
            Data::Float(mut x) => {
                (0..x.len()).filter(|&i| follows(i)).for_each(|i| x[i] += x[i - step]);
                Data::Float(x)
            }
            Data::Int(mut x) => {
                (0..x.len())
                    .filter(|&i| follows(i))
                    .for_each(|i| x[i] = x[i].wrapping_add(x[i - step]));
                Data::Int(x)
            }
        })
    }
}

impl Tensor {
    /// The running sum along `axis`: element `i` is the sum of elements `0..=i`. Integers wrap around.
    #[track_caller]
    pub fn cumsum(&self, axis: isize) -> Tensor {
        match self.axis_or_poison("cumsum", axis, &[]) {
            Ok(axis) => Tensor::from_op(Cumsum { axis }, std::slice::from_ref(self)),
            Err(poisoned) => poisoned,
        }
    }
}
