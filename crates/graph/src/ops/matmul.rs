//! The (batched) matrix product.

use crate::dtype::DType;
use crate::error::OpError;
use crate::op::{Class, Op};
use crate::reference::{Data, RefValue};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// `[…, m, k] × […, k, n] → […, m, n]`, the leading axes being equal.
#[derive(Clone, Copy, Debug)]
pub struct MatMul;

impl Op for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let (a, b) = (&inputs[0], &inputs[1]);
        if a.dtype() != b.dtype() || !a.dtype().is_float() {
            let (a, b) = (a.dtype(), b.dtype());
            return Err(OpError::dtype(format!(
                "expects two float tensors of one type, got {a} and {b}"
            ))
            .hint("convert with cast(…) first"));
        }
        let (ra, rb) = (a.rank(), b.rank());
        if ra < 2 || ra != rb || a.shape()[..ra - 2] != b.shape()[..rb - 2] {
            return Err(OpError::shape(format!(
                "batches of {} and {} differ",
                a.shape(),
                b.shape()
            )));
        }
        if a.dim(-1) != b.dim(-2) {
            return Err(OpError::shape(format!(
                "the last axis of {} must equal the last but one of {}, got {} and {}",
                a.shape(),
                b.shape(),
                a.dim(-1),
                b.dim(-2)
            ))
            .hint("transpose one of them with t(), or check the layer's sizes"));
        }
        let mut shape = a.shape().to_vec();
        shape[ra - 1] = b.dim(-1);
        Ok((shape.into(), a.dtype()))
    }

    fn grad(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        let (a, b) = (&inputs[0], &inputs[1]);
        Ok(vec![Some(g.matmul(&b.t())), Some(a.t().matmul(g))])
    }

    fn reference(&self, inputs: &[RefValue], shape: &Shape, _: DType) -> Result<Data, OpError> {
        let (a, b) = (inputs[0].floats(), inputs[1].floats());
        let (m, n) = (shape[shape.rank() - 2], shape[shape.rank() - 1]);
        let k = inputs[0].shape[shape.rank() - 1];
        let mut out = vec![0.0; shape.numel()];
        for (place, slot) in out.iter_mut().enumerate() {
            let (batch, i, j) = (place / (m * n), place / n % m, place % n);
            *slot = (0..k)
                .map(|p| a[(batch * m + i) * k + p] * b[(batch * k + p) * n + j])
                .fold(0.0, |sum, product| sum + product);
        }
        Ok(Data::Float(out))
    }

    fn class(&self) -> Class<'_> {
        Class::MatMul
    }

    fn multiply_adds(&self, inputs: &[Tensor], output: &Tensor) -> u64 {
        output.numel() as u64 * inputs[0].dim(-1) as u64
    }
}

impl Tensor {
    /// The matrix product, as `torch.matmul`: `[m, k] × [k, n] → [m, n]`; leading axes are batches and
    /// broadcast; a vector on the left is a row, on the right a column, and its axis disappears again.
    #[track_caller]
    pub fn matmul(&self, other: &Tensor) -> Tensor {
        let (a, b) = (self, other);
        if let Some(poisoned) = [a, b].into_iter().find(|t| t.error().is_some()) {
            return poisoned.clone();
        }
        if a.rank() == 0 || b.rank() == 0 {
            let what =
                format!("expects at least one axis each, got {} and {}", a.shape(), b.shape());
            return Tensor::poison(
                "matmul",
                OpError::shape(what).hint("multiply by a scalar with *"),
            );
        }
        if a.rank() == 1 {
            return a.unsqueeze(0).matmul(b).squeeze(if b.rank() == 1 { 0 } else { -2 });
        }
        if b.rank() == 1 {
            return a.matmul(&b.unsqueeze(-1)).squeeze(-1);
        }
        if a.rank() > 2 && b.rank() == 2 && a.dim(-1) == b.dim(0) {
            // One tall product is faster than a batch of short ones against the same matrix.
            let mut shape = a.shape().to_vec();
            shape[a.rank() - 1] = b.dim(-1);
            let tall = a.flatten(0, -2).matmul(b);
            return if tall.error().is_some() { tall } else { tall.reshape(shape) };
        }
        let batch = |t: &Tensor| Shape::from(&t.shape()[..t.rank() - 2]);
        let Some(common) = batch(a).broadcast_with(&batch(b)) else {
            let what = format!("batches of {} and {} do not broadcast", a.shape(), b.shape());
            return Tensor::poison("matmul", OpError::shape(what));
        };
        let lifted = |t: &Tensor| Shape::from([common.dims(), &t.shape()[t.rank() - 2..]].concat());
        Tensor::from_op(MatMul, &[a.broadcast_to(lifted(a)), b.broadcast_to(lifted(b))])
    }
}
