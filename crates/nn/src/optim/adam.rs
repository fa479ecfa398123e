//! Adam, and its variant with decoupled weight decay.

use serde::{Deserialize, Serialize};
use thalweg_graph::{OpError, Tensor};

use super::{Clock, Rule, Update, at_least_zero, average, below_one, decayed};

/// Adaptive moments, as PyTorch's `Adam` (without AMSGrad), in step t:
///
/// g ← g + λp; m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²;
/// p ← p − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε).
///
/// After [Kingma and Ba 2014](https://arxiv.org/abs/1412.6980). Slots: `exp_avg` (m), `exp_avg_sq` (v).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adam {
    /// (β₁, β₂), each in 0..1; default (0.9, 0.999).
    pub betas: (f64, f64),
    /// ε ≥ 0; default 1e-8.
    pub eps: f64,
    /// λ ≥ 0, as an L2 penalty; default 0.
    pub weight_decay: f64,
}

/// [`Adam`] whose weight decay does not go through the moments: p ← p·(1 − lr·λ), then Adam's update with
/// λ = 0. After [Loshchilov and Hutter 2017](https://arxiv.org/abs/1711.05101); PyTorch's `AdamW`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamW {
    /// (β₁, β₂), each in 0..1; default (0.9, 0.999).
    pub betas: (f64, f64),
    /// ε ≥ 0; default 1e-8.
    pub eps: f64,
    /// λ ≥ 0; default 0.01.
    pub weight_decay: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Adam { betas: (0.9, 0.999), eps: 1e-8, weight_decay: 0.0 }
    }
}

impl Default for AdamW {
    fn default() -> Self {
        AdamW { betas: (0.9, 0.999), eps: 1e-8, weight_decay: 0.01 }
    }
}

pub(super) fn check(betas: (f64, f64), eps: f64) -> Result<(), OpError> {
    below_one("betas[0]", betas.0)?;
    below_one("betas[1]", betas.1)?;
    at_least_zero("eps", eps)
}

impl Adam {
    pub(super) fn rule(&self, clock: Clock<'_>) -> Rule<'_> {
        let weight_decay = clock.weight_decay;
        let moments = Moments::new(self.betas, self.eps, &clock);
        Box::new(move |param, grad, slots| {
            moments.update(param, &decayed(grad, param, weight_decay), slots)
        })
    }
}

impl AdamW {
    pub(super) fn rule(&self, clock: Clock<'_>) -> Rule<'_> {
        let moments = Moments::new(self.betas, self.eps, &clock);
        let kept =
            (clock.weight_decay != 0.0).then(|| clock.settle(1.0 - clock.lr * clock.weight_decay));
        Box::new(move |param, grad, slots| match &kept {
            Some(kept) => moments.update(&(param * kept), grad, slots),
            None => moments.update(param, grad, slots),
        })
    }
}

/// The step of both, with its scalars: the corrections of the moments' start at 0 are computed in `f64`.
struct Moments {
    betas: (f64, f64),
    eps: f64,
    /// lr/(1 − β₁ᵗ).
    step_size: Tensor,
    /// 1/√(1 − β₂ᵗ).
    widening: Tensor,
}

impl Moments {
    fn new(betas: (f64, f64), eps: f64, clock: &Clock<'_>) -> Moments {
        let correction = |beta| 1.0 - Tensor::full_like(clock.step, beta).pow(clock.step);
        Moments {
            betas,
            eps,
            step_size: clock.settle(clock.lr / correction(betas.0)),
            widening: clock.settle(1.0 / correction(betas.1).sqrt()),
        }
    }

    fn update(&self, param: &Tensor, grad: &Tensor, slots: &[Tensor]) -> Update {
        let first = average(&slots[0], grad, self.betas.0);
        let second = &slots[1] * self.betas.1 + grad * grad * (1.0 - self.betas.1);
        let spread = second.sqrt() * &self.widening + self.eps;
        let param = param - &first / spread * &self.step_size;
        Update { param, slots: vec![first, second] }
    }
}
