//! RMSprop: gradients divided by their recent size.

use serde::{Deserialize, Serialize};
use thalweg_graph::OpError;

use super::{Clock, Rule, Update, at_least_zero, average, below_one, decayed};

/// RMSprop, as PyTorch's `RMSprop`:
///
/// g ← g + λp; v ← αv + (1 − α)g²; with `centered` a ← αa + (1 − α)g and s = √(v − a²), else s = √v;
/// d = g/(s + ε); with momentum b ← μb + d and p ← p − lr·b, else p ← p − lr·d.
///
/// After Hinton's [lecture 6](https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf); centred after
/// [Graves 2013](https://arxiv.org/abs/1308.0850). Slots: `square_avg`, `grad_avg` where centred,
/// `momentum_buffer` where μ ≠ 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RmsProp {
    /// α, in 0..1; default 0.99.
    pub alpha: f64,
    /// ε ≥ 0; default 1e-8.
    pub eps: f64,
    /// μ ≥ 0; default 0.
    pub momentum: f64,
    /// Whether the variance of the gradient is taken instead of its square; default false.
    pub centered: bool,
    /// λ ≥ 0; default 0.
    pub weight_decay: f64,
}

impl Default for RmsProp {
    fn default() -> Self {
        RmsProp { alpha: 0.99, eps: 1e-8, momentum: 0.0, centered: false, weight_decay: 0.0 }
    }
}

impl RmsProp {
    pub(super) fn slots(&self) -> Vec<&'static str> {
        let mut slots = vec!["square_avg"];
        slots.extend(self.centered.then_some("grad_avg"));
        slots.extend((self.momentum != 0.0).then_some("momentum_buffer"));
        slots
    }

    pub(super) fn check(&self) -> Result<(), OpError> {
        below_one("alpha", self.alpha)?;
        at_least_zero("eps", self.eps)?;
        at_least_zero("momentum", self.momentum)
    }

    pub(super) fn rule(&self, clock: Clock<'_>) -> Rule<'_> {
        let RmsProp { alpha, eps, momentum, .. } = *self;
        let weight_decay = clock.weight_decay;
        let lr = clock.settle(clock.lr.clone());
        Box::new(move |param, grad, slots| {
            let grad = decayed(grad, param, weight_decay);
            let square = &slots[0] * alpha + &grad * &grad * (1.0 - alpha);
            let mut new = vec![square.clone()];
            let spread = if self.centered {
                let mean = average(&slots[1], &grad, alpha);
                new.push(mean.clone());
                square - &mean * &mean
            } else {
                square
            };
            let mut direction = grad / (spread.sqrt() + eps);
            if momentum != 0.0 {
                direction = &slots[new.len()] * momentum + direction;
                new.push(direction.clone());
            }
            Update { param: param - direction * &lr, slots: new }
        })
    }
}
