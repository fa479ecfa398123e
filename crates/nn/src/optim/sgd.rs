//! Stochastic gradient descent, with momentum.

use serde::{Deserialize, Serialize};
use thalweg_graph::{OpError, Tensor};

use super::{Clock, Rule, Update, at_least_zero, decayed};

/// Gradient descent with momentum μ, dampening τ and weight decay λ, as PyTorch's `SGD`:
///
/// g ← g + λp; b ← g in the first step, then μb + (1 − τ)g; p ← p − lr·b, or with Nesterov's momentum
/// p ← p − lr·(g + μb).
///
/// After [Sutskever et al. 2013](https://proceedings.mlr.press/v28/sutskever13.html). Slot: `momentum_buffer`, where
/// μ ≠ 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sgd {
    /// μ ≥ 0; default 0: no momentum.
    pub momentum: f64,
    /// Nesterov's momentum; needs μ > 0 and τ = 0.
    pub nesterov: bool,
    /// τ; default 0.
    pub dampening: f64,
    /// λ ≥ 0; default 0.
    pub weight_decay: f64,
}

impl Sgd {
    pub(super) fn slots(&self) -> Vec<&'static str> {
        if self.momentum == 0.0 { vec![] } else { vec!["momentum_buffer"] }
    }

    pub(super) fn check(&self) -> Result<(), OpError> {
        at_least_zero("momentum", self.momentum)?;
        if !self.dampening.is_finite() {
            let what = format!("dampening must be finite, got {}", self.dampening);
            return Err(OpError::argument(what));
        }
        if self.nesterov && (self.momentum == 0.0 || self.dampening != 0.0) {
            return Err(OpError::argument("Nesterov's momentum needs momentum and no dampening")
                .hint("set momentum = 0.9 and dampening = 0, or nesterov = false"));
        }
        Ok(())
    }

    pub(super) fn rule(&self, clock: Clock<'_>) -> Rule<'_> {
        let (momentum, weight_decay) = (self.momentum, clock.weight_decay);
        let lr = clock.settle(clock.lr.clone());
        // The buffer begins with the whole gradient; since it is 0 before, only its share has to be 1.
        let share = (self.dampening != 0.0).then(|| {
            let one = Tensor::full_like(clock.step, 1.0);
            let later = Tensor::full_like(clock.step, 1.0 - self.dampening);
            clock.settle(Tensor::select(&clock.step.le(&one), &one, &later))
        });
        Box::new(move |param, grad, slots| {
            let grad = decayed(grad, param, weight_decay);
            let Some(buffer) = slots.first() else {
                return Update { param: param - grad * &lr, slots: vec![] };
            };
            let pushed = match &share {
                Some(share) => &grad * share,
                None => grad.clone(),
            };
            let buffer = buffer * momentum + pushed;
            let direction = if self.nesterov { grad + &buffer * momentum } else { buffer.clone() };
            Update { param: param - direction * &lr, slots: vec![buffer] }
        })
    }
}
