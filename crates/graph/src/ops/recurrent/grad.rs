//! The backward pass of a recurrence.

use super::walk::walk;
use super::{Cell, Operands, Recurrent};
use crate::composite;
use crate::dtype::DType;
use crate::error::OpError;
use crate::grad::grad_or_none;
use crate::op::Op;
use crate::reference::{Data, RefValue};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// `(the inputs of a [`Recurrent`], its result, the cotangents of h after every step, [those of c])` → the flat blocks
/// that [`Blocks`](super::Blocks) describes.
///
/// Its meaning is the gradient of the loop, computed from the inputs alone, so its gradient is that of ordinary ops. A kernel
/// reads the states and gates in the result of the forward pass instead of computing them again.
#[derive(Clone, Debug)]
pub struct RecurrentGrad {
    /// The op whose gradient this is.
    pub of: Recurrent,
}

impl RecurrentGrad {
    fn decompose(&self, inputs: &[Tensor]) -> Tensor {
        let given = self.of.operands(inputs);
        let (after, _) = self.of.after_and_before();
        let steps = given.x.dim(0);
        // Whatever is added to a hidden projection has that projection's gradient.
        let shift = given.x.zeros_like();
        let walked = walk(self.of.how, &given, Some(&shift));
        let states = [walked.h, walked.c].into_iter().filter(|block| !block.is_empty());
        let states: Vec<Tensor> =
            states.map(|block| Tensor::concat(&block[after..after + steps], 0)).collect();
        let results = Tensor::concat(&states, 0);
        let cotangents = Tensor::concat(&inputs[self.of.inputs() + 1..], 0);
        let Operands { x, h0, c0, .. } = given;
        let mut wanted = vec![shift];
        wanted.extend((self.of.how.cell == Cell::Gru).then(|| x.clone()));
        wanted.push(h0.clone());
        wanted.extend(c0.cloned());
        match grad_or_none(&results, Some(&cotangents), &wanted) {
            Ok(found) => {
                let flat = found
                    .into_iter()
                    .zip(&wanted)
                    .map(|(g, of)| g.unwrap_or_else(|| of.zeros_like()).flatten(0, -1));
                Tensor::concat(&flat.collect::<Vec<_>>(), 0)
            }
            Err(error) => Tensor::poison(self.name(), composite::inner(error)),
        }
    }
}

impl Op for RecurrentGrad {
    fn name(&self) -> &'static str {
        "recurrent_grad"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let (given, rest) = inputs.split_at(self.of.inputs());
        let b = self.of.check(given)?;
        let want: [Shape; 2] = [[b.len()].into(), [b.steps, b.batch, b.units].into()];
        for (i, tensor) in rest.iter().enumerate() {
            let (want, got) = (&want[i.min(1)], tensor.shape());
            if want != got {
                let name = ["the forward result", "the cotangents of h", "the cotangents of c"][i];
                return Err(OpError::shape(format!("{name} must be {want}, got {got}")));
            }
        }
        Ok(([b.grad_len()].into(), inputs[0].dtype()))
    }
    fn grad(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        composite::gradient(inputs, g, |inputs| self.decompose(inputs))
    }
    fn reference(&self, inputs: &[RefValue], _: &Shape, _: DType) -> Result<Data, OpError> {
        composite::reference(inputs, |inputs| self.decompose(inputs))
    }
    fn multiply_adds(&self, inputs: &[Tensor], output: &Tensor) -> u64 {
        self.of.multiply_adds(inputs, output)
    }
}
