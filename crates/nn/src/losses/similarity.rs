//! Losses between distributions and between directions.

use serde::{Deserialize, Serialize};
use thalweg_graph::{OpError, Tensor};

use super::{Checked, Reduction, check_pair, or_poison, poisoned, reduce};

/// Kullback–Leibler divergence Σ y (ln y − ln q) of the target y from the prediction, which is given as ln q
/// (as `log_softmax` makes it); terms with y = 0 are 0. Derivative −y/n. PyTorch's `KLDivLoss`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KlDiv {
    /// Whether the target is given as ln y too; default false.
    pub log_target: bool,
    /// The default `mean` divides by the number of *elements*, as PyTorch's; the divergence of two
    /// distributions, averaged over samples, is `per_sample` (PyTorch's `batchmean`).
    pub reduction: Reduction,
}

/// 1 − cos(ŷ, y) along axis 1 (or the only axis): [`cosine_embedding`] where all pairs belong together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CosineEmbedding {
    /// See [`Reduction`].
    pub reduction: Reduction,
}

impl KlDiv {
    /// The divergence of `target` from `log_q`, of one shape.
    #[track_caller]
    pub fn compute(&self, log_q: &Tensor, target: &Tensor) -> Tensor {
        if let Some(poisoned) = poisoned(log_q, target) {
            return poisoned;
        }
        if let Err(error) = check_pair(log_q, target) {
            return or_poison("kl_div", Err(error));
        }
        let losses = match self.log_target {
            true => target.exp() * (target - log_q),
            false => {
                // y·ln y is 0 at 0, where the logarithm is not finite.
                let zero = target.equal(&target.zeros_like());
                let safe = Tensor::select(&zero, &Tensor::full_like(target, 1.0), target);
                target * (safe.log() - log_q)
            }
        };
        reduce(&losses, self.reduction)
    }
}

impl CosineEmbedding {
    /// The loss of vectors along axis 1 (or the only axis) of two tensors of one shape.
    #[track_caller]
    pub fn compute(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        if let Some(poisoned) = poisoned(prediction, target) {
            return poisoned;
        }
        match cosine_similarity(prediction, target) {
            Ok(cosine) => reduce(&(1.0 - cosine), self.reduction),
            Err(error) => or_poison("cosine_embedding", Err(error)),
        }
    }
}

/// 1 − cos(a, b) for pairs that belong together (label 1), max(0, cos(a, b) − margin) for pairs that do not (label
/// −1), 0 for any other label. PyTorch's `CosineEmbeddingLoss`: cos is a·b/√((‖a‖² + 1e-12)(‖b‖² + 1e-12)).
///
/// `a` and `b` are `[n, d]` with n integer labels, or `[d]` with one. The margin is usually 0 to 0.5.
#[track_caller]
pub fn cosine_embedding(
    a: &Tensor,
    b: &Tensor,
    labels: &Tensor,
    margin: f64,
    reduction: Reduction,
) -> Tensor {
    if let Some(poisoned) = poisoned(a, b).or_else(|| poisoned(labels, labels)) {
        return poisoned;
    }
    let losses = cosine_similarity(a, b).and_then(|cosine| {
        if !labels.dtype().is_int() || labels.shape() != cosine.shape() {
            let (want, dtype, got) = (cosine.shape(), labels.dtype(), labels.shape());
            return Err(OpError::shape(format!(
                "labels must be integers {want}, got {dtype}{got}"
            ))
            .hint("one label for each pair: 1 for alike, -1 for different"));
        }
        let is = |label: f64| labels.equal(&Tensor::full_like(labels, label));
        let (alike, apart) = (1.0 - &cosine, (&cosine - margin).relu());
        let apart = Tensor::select(&is(-1.0), &apart, &apart.zeros_like());
        Ok(Tensor::select(&is(1.0), &alike, &apart))
    });
    match losses {
        Ok(losses) => reduce(&losses, reduction),
        Err(error) => or_poison("cosine_embedding", Err(error)),
    }
}

fn cosine_similarity(a: &Tensor, b: &Tensor) -> Checked<Tensor> {
    /// PyTorch's: keeps the direction of a zero vector from being 0/0.
    const EPSILON: f64 = 1e-12;
    check_pair(a, b)?;
    let axis = match a.rank() {
        1 => 0,
        2 => 1,
        _ => {
            let what = format!("vectors must be [d] or [n, d], got {}", a.shape());
            return Err(OpError::shape(what));
        }
    };
    let square = |x: &Tensor| (x * x).sum(&[axis]) + EPSILON;
    Ok((a * b).sum(&[axis]) / (square(a) * square(b)).sqrt())
}
