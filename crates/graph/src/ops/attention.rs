//! Scaled dot-product attention, a composite: the decomposition holds every score, a kernel that sees the whole need
//! not.
//!
//! [`Attention`] packs its result and, for the backward pass, the logarithm of each soft-max denominator; its gradient
//! is the composite [`AttentionGrad`], whose own gradient is that of its decomposition. (Vaswani et al. 2017, "Attention
//! Is All You Need"; the backward pass by recomputed tiles: Dao 2023, "FlashAttention-2".)

use crate::composite;
use crate::dtype::DType;
use crate::error::OpError;
use crate::layout::Layout;
use crate::op::Op;
use crate::reference::{Data, RefValue};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// `(q, k, v)` or `(q, k, v, mask)`: what [`Tensor::attention`] computes, as one row of numbers: the result in the
/// order `[B, Tq, H, Dv]`, then ln Σⱼ exp(scoreᵢⱼ) of each query in the order `[B, H, Tq]` (−∞ where a query may
/// attend to nothing). Only the gradient reads the latter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attention {
    /// What scores are multiplied by; 1/√D as a rule.
    pub scale: f64,
    /// Whether query i may only attend to keys j ≤ i.
    pub causal: bool,
}

/// `(q, k, v, packed, g)`, or with the mask as the sixth: the gradients of q, k and v, as one row of numbers, each in
/// the order `[B, T, H, D]`. `packed` is the result of [`Attention`], `g` the cotangent of what
/// [`Tensor::attention`] gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionGrad(pub Attention);

/// The extents of queries, keys and values that fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionSize {
    /// B, the sequences.
    pub batch: usize,
    /// H, the heads.
    pub heads: usize,
    /// Tq.
    pub queries: usize,
    /// Tk.
    pub keys: usize,
    /// D, the extent of a query and of a key.
    pub width: usize,
    /// Dv, the extent of a value.
    pub value_width: usize,
}

impl AttentionSize {
    /// The extents of the inputs `(q, k, v, …)`, which are known to fit together.
    pub fn of(inputs: &[Tensor]) -> AttentionSize {
        let (q, k, v) = (inputs[0].shape(), inputs[1].shape(), inputs[2].shape());
        AttentionSize {
            batch: q[0],
            heads: q[1],
            queries: q[2],
            keys: k[2],
            width: q[3],
            value_width: v[3],
        }
    }

    /// `[B, H, Tq, D]`.
    pub fn q(&self) -> [usize; 4] {
        [self.batch, self.heads, self.queries, self.width]
    }

    /// `[B, H, Tk, D]`.
    pub fn k(&self) -> [usize; 4] {
        [self.batch, self.heads, self.keys, self.width]
    }

    /// `[B, H, Tk, Dv]`.
    pub fn v(&self) -> [usize; 4] {
        [self.batch, self.heads, self.keys, self.value_width]
    }

    /// The result's shape, `[B, H, Tq, Dv]`.
    pub fn result(&self) -> [usize; 4] {
        [self.batch, self.heads, self.queries, self.value_width]
    }

    /// `[B, H, Tq, Tk]`, to which masks broadcast.
    pub fn scores(&self) -> [usize; 4] {
        [self.batch, self.heads, self.queries, self.keys]
    }

    /// One number for each query, `[B, H, Tq, 1]`.
    pub fn rows(&self) -> [usize; 4] {
        [self.batch, self.heads, self.queries, 1]
    }
}

/// That the inputs `(q, k, v, …)` and the mask fit together.
fn check(inputs: &[Tensor], mask: Option<&Tensor>) -> Result<AttentionSize, OpError> {
    let named = [("queries", &inputs[0]), ("keys", &inputs[1]), ("values", &inputs[2])];
    for (name, t) in named {
        let (dtype, shape) = (t.dtype(), t.shape());
        if !dtype.is_float() || dtype != inputs[0].dtype() {
            let what = format!("{name} must be floats of one type, got {dtype}{shape}");
            return Err(OpError::dtype(what).hint("convert with cast(…) first"));
        }
        if t.rank() != 4 {
            let what = format!("{name} must be [B, H, T, D], got {shape}");
            let hint = "split the heads off the last axis and move them before the positions";
            return Err(OpError::shape(what).hint(hint));
        }
    }
    let [q, k, v] = named;
    for (axis, first, other) in [(0, q, k), (1, q, k), (3, q, k), (0, k, v), (1, k, v), (2, k, v)] {
        let (want, got) = (first.1.shape()[axis], other.1.shape()[axis]);
        if want != got {
            let (letter, shape) = (["B", "H", "T", "D"][axis], other.1.shape());
            return Err(OpError::shape(format!(
                "axis {axis} ({letter}) of the {} must be {want}, as of the {}, got {got} in {shape}",
                other.0, first.0
            )));
        }
    }
    let size = AttentionSize::of(inputs);
    if size.keys == 0 {
        let what = format!("axis 2 (T) of the keys must be at least 1, got 0 in {}", k.1.shape());
        return Err(OpError::shape(what).hint("a sequence needs a position to attend to"));
    }
    if let Some(mask) = mask {
        check_mask(mask, size.scores())?;
    }
    Ok(size)
}

fn check_mask(mask: &Tensor, scores: [usize; 4]) -> Result<(), OpError> {
    let (dtype, shape) = (mask.dtype(), mask.shape());
    if dtype != DType::Bool {
        let what = format!("the mask must be bool, got {dtype}{shape}");
        return Err(OpError::dtype(what).hint("true where a query may attend to a key"));
    }
    let wrong = match shape.rank() {
        4 => (0..4).find(|&axis| shape[axis] != 1 && shape[axis] != scores[axis]),
        _ => {
            let what = format!("the mask must broadcast to {scores:?}, got {shape}");
            return Err(OpError::shape(what).hint("[B, 1, 1, Tk] masks the padding of the keys"));
        }
    };
    let Some(axis) = wrong else { return Ok(()) };
    let (want, got) = (scores[axis], shape[axis]);
    let what = format!("axis {axis} of the mask must be 1 or {want}, got {got} in {shape}");
    Err(OpError::shape(what).hint("[B, 1, 1, Tk] masks the padding of the keys"))
}

/// The shape of a row of the elements of several parts.
fn flat(parts: &[[usize; 4]]) -> Result<Shape, OpError> {
    let sum = parts.iter().try_fold(0usize, |sum, part| {
        Shape::from(part).checked_numel().and_then(|n| sum.checked_add(n))
    });
    let sum = sum.ok_or_else(|| OpError::shape("the result has too many elements"))?;
    Ok(Shape::from([sum]))
}

/// `[B, H, T, D]` as a row of numbers in the order `[B, T, H, D]`: that in which heads lie side by side.
fn joined(x: &Tensor) -> Tensor {
    x.transpose(1, 2).reshape([x.numel()])
}

/// Back from [`joined`]: the `[B, H, T, D]` that begins at `start`.
fn parted(row: &Tensor, start: usize, [b, h, t, d]: [usize; 4]) -> Tensor {
    row.narrow(0, start, b * h * t * d).reshape([b, t, h, d]).transpose(1, 2)
}

impl Attention {
    /// The weights pᵢⱼ `[B, H, Tq, Tk]`, and the logarithms of their denominators `[B, H, Tq, 1]`.
    fn weights(&self, q: &Tensor, k: &Tensor, mask: Option<&Tensor>) -> (Tensor, Tensor) {
        let mut scores = q.matmul(&k.t()) * self.scale;
        let never = Tensor::full_like(&scores, f64::NEG_INFINITY);
        if let Some(mask) = mask {
            scores = Tensor::select(mask, &scores, &never);
        }
        if self.causal {
            let place = |axis| Tensor::iota(DType::I64, scores.shape(), axis);
            scores = Tensor::select(&place(-2).ge(&place(-1)), &scores, &never);
        }
        // The shift cancels in the weights, so its gradient is left out. Where all scores are −∞ it is 0, as −∞ − −∞ is
        // not a number.
        let top = scores.detach().max(&[-1]).keepdim(&scores, &[-1]);
        let nothing = top.equal(&Tensor::full_like(&top, f64::NEG_INFINITY));
        let shift = Tensor::select(&nothing, &top.zeros_like(), &top);
        let exps = (&scores - &shift).exp();
        let total = exps.sum(&[-1]).keepdim(&scores, &[-1]);
        let weights = exps / Tensor::select(&nothing, &Tensor::full_like(&total, 1.0), &total);
        (weights, shift + total.log())
    }

    fn decompose(&self, inputs: &[Tensor]) -> Tensor {
        let (weights, log_totals) = self.weights(&inputs[0], &inputs[1], inputs.get(3));
        let result = weights.matmul(&inputs[2]);
        Tensor::concat(&[joined(&result), log_totals.reshape([log_totals.numel()])], 0)
    }
}

/// Queries, keys, values and cotangents may lie anywhere as long as the elements of each are side by side; masks
/// anywhere at all.
fn reads(is_mask: bool, layout: &Layout) -> bool {
    is_mask || layout.shape.last() == Some(&1) || layout.strides.last() == Some(&1)
}

impl Op for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let size = check(inputs, inputs.get(3))?;
        Ok((flat(&[size.result(), size.rows()])?, inputs[0].dtype()))
    }
    fn grad(
        &self,
        inputs: &[Tensor],
        packed: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        let size = AttentionSize::of(inputs);
        let mut all = inputs[..3].to_vec();
        all.extend([packed.clone(), parted(g, 0, size.result())]);
        all.extend(inputs.get(3).cloned());
        let row = Tensor::from_op(AttentionGrad(*self), &all);
        let (of_q, of_k) = (inputs[0].numel(), inputs[1].numel());
        let mut gradients = vec![
            Some(parted(&row, 0, size.q())),
            Some(parted(&row, of_q, size.k())),
            Some(parted(&row, of_q + of_k, size.v())),
        ];
        gradients.resize(inputs.len(), None);
        Ok(gradients)
    }
    fn reference(&self, inputs: &[RefValue], _: &Shape, _: DType) -> Result<Data, OpError> {
        composite::reference(inputs, |x| self.decompose(x))
    }
    fn reads(&self, input: usize, layout: &Layout) -> bool {
        reads(input == 3, layout)
    }
    fn multiply_adds(&self, inputs: &[Tensor], _: &Tensor) -> u64 {
        let size = AttentionSize::of(inputs);
        let pairs = |query: usize| match self.causal {
            true => (query + 1).min(size.keys),
            false => size.keys,
        };
        let pairs = (0..size.queries).map(|query| pairs(query) as u64).sum::<u64>();
        (size.batch * size.heads * (size.width + size.value_width)) as u64 * pairs
    }
}

impl AttentionGrad {
    /// Where what is packed stands among the inputs.
    const PACKED: usize = 3;

    /// With P the weights and dP = g·vᵀ: dv = Pᵀ·g, dS = P ∘ (dP − Σⱼ P ∘ dP)·scale, dq = dS·k, dk = dSᵀ·q.
    fn decompose(&self, inputs: &[Tensor]) -> Tensor {
        let (q, k, v, g) = (&inputs[0], &inputs[1], &inputs[2], &inputs[4]);
        let (weights, _) = self.0.weights(q, k, inputs.get(5));
        let by_weight = g.matmul(&v.t());
        let mean = (&weights * &by_weight).sum(&[-1]).keepdim(&weights, &[-1]);
        let by_score = &weights * (by_weight - mean) * self.0.scale;
        let (dq, dk) = (by_score.matmul(k), by_score.t().matmul(q));
        let dv = weights.t().matmul(g);
        Tensor::concat(&[joined(&dq), joined(&dk), joined(&dv)], 0)
    }
}

impl Op for AttentionGrad {
    fn name(&self) -> &'static str {
        "attention_grad"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let size = check(inputs, inputs.get(5))?;
        let dtype = inputs[0].dtype();
        let packed = flat(&[size.result(), size.rows()])?;
        let named = [("packed result", packed), ("cotangent", size.result().into())];
        for ((name, want), t) in named.into_iter().zip(&inputs[3..]) {
            if *t.shape() != want || t.dtype() != dtype {
                let (got, shape) = (t.dtype(), t.shape());
                let what = format!("the {name} must be {dtype}{want}, got {got}{shape}");
                return Err(OpError::shape(what));
            }
        }
        Ok((flat(&[size.q(), size.k(), size.v()])?, dtype))
    }
    /// What is packed follows from the other inputs: their gradients are whole without it.
    fn grad(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        composite::gradient(inputs, g, |x| self.decompose(x))
    }
    fn reference(&self, inputs: &[RefValue], _: &Shape, _: DType) -> Result<Data, OpError> {
        composite::reference(inputs, |x| self.decompose(x))
    }
    fn reads(&self, input: usize, layout: &Layout) -> bool {
        match input {
            Self::PACKED => layout.is_contiguous(),
            _ => reads(input == 5, layout),
        }
    }
}

impl Tensor {
    /// Scaled dot-product attention: softmax(q·kᵀ·scale)·v along the keys, of queries `[B, H, Tq, D]` (this tensor), keys
    /// `[B, H, Tk, D]` and values `[B, H, Tk, Dv]`, giving `[B, H, Tq, Dv]`. As PyTorch's
    /// `scaled_dot_product_attention`.
    ///
    /// `mask` is `bool`, true where a query may attend to a key, and broadcasts to `[B, H, Tq, Tk]`: `[B, 1, 1, Tk]` masks
    /// padding. With `causal`, query i may attend to keys j ≤ i only, counted from the first of each also where Tq ≠
    /// Tk. A query that may attend to nothing gets zeros, and zero gradients. NaN in what a query may attend to makes its
    /// result NaN; the values it may not attend to must be finite.
    ///
    /// The result lies in memory as `[B, Tq, H, Dv]`, so that joining the heads, `transpose(1, 2)` and `reshape`, costs
    /// nothing.
    ///
    /// ```
    /// use thalweg_graph::{NoStates, Reference, Tensor, ops::Attention};
    /// let x = |numbers: &[f64]| Tensor::new(numbers, [1, 1, 2, 1]);
    /// let (q, k, v) = (x(&[0.0, 0.0]), x(&[1.0, 2.0]), x(&[3.0, 5.0]));
    /// let y = q.attention(&k, &v, None, &Attention { scale: 1.0, causal: true });
    /// let y = &Reference::new().evaluate(&[y], &[], &NoStates)?[0];
    /// assert_eq!(y.floats(), [3.0, 4.0]);
    /// # Ok::<(), thalweg_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn attention(
        &self,
        k: &Tensor,
        v: &Tensor,
        mask: Option<&Tensor>,
        options: &Attention,
    ) -> Tensor {
        let mut inputs = vec![self.clone(), k.clone(), v.clone()];
        if let Some(mask) = mask {
            let missing = 4usize.saturating_sub(mask.rank());
            let lifted = [&[1; 4][..missing], mask.shape().dims()].concat();
            inputs.push(if mask.error().is_some() { mask.clone() } else { mask.reshape(lifted) });
        }
        let packed = Tensor::from_op(*options, &inputs);
        if packed.error().is_some() {
            return packed;
        }
        parted(&packed, 0, AttentionSize::of(&inputs).result())
    }
}
