//! Losses between numbers.

use serde::{Deserialize, Serialize};
use thalweg_graph::{OpError, Tensor};

use super::{Checked, Reduction, check_pair, or_poison, poisoned, reduce};

/// Squared error (ŷ − y)². Derivative 2(ŷ − y)/n. PyTorch's `MSELoss`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mse {
    /// `mean`: (1/n)Σ(ŷ−y)² over all n elements; `per_sample`: (1/m)Σ‖ŷ−y‖² over m samples; `sum`.
    pub reduction: Reduction,
}

/// Absolute error |ŷ − y|. Derivative sign(ŷ − y)/n, 0 at 0. PyTorch's `L1Loss`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mae {
    /// See [`Reduction`].
    pub reduction: Reduction,
}

/// Squared near 0, absolute far away: ½d² where |d| < δ, else δ(|d| − ½δ), with d = ŷ − y. Derivative d,
/// clipped to ±δ. After Huber 1964; PyTorch's `HuberLoss`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Huber {
    /// Where the square ends, > 0; default 1.
    pub delta: f64,
    /// See [`Reduction`].
    pub reduction: Reduction,
}

impl Default for Huber {
    fn default() -> Self {
        Huber { delta: 1.0, reduction: Reduction::Mean }
    }
}

/// Checks the pair, then reduces what `loss` makes of ŷ − y.
#[track_caller]
fn of_difference(
    name: &str,
    prediction: &Tensor,
    target: &Tensor,
    reduction: Reduction,
    loss: impl FnOnce(&Tensor) -> Checked<Tensor>,
) -> Tensor {
    if let Some(poisoned) = poisoned(prediction, target) {
        return poisoned;
    }
    match check_pair(prediction, target).and_then(|()| loss(&(prediction - target))) {
        Ok(losses) => reduce(&losses, reduction),
        Err(error) => or_poison(name, Err(error)),
    }
}

impl Mse {
    /// The loss of two float tensors of one shape.
    #[track_caller]
    pub fn compute(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        of_difference("mse", prediction, target, self.reduction, |d| Ok(d * d))
    }
}

impl Mae {
    /// The loss of two float tensors of one shape.
    #[track_caller]
    pub fn compute(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        of_difference("mae", prediction, target, self.reduction, |d| Ok(d.abs()))
    }
}

impl Huber {
    /// The loss of two float tensors of one shape.
    #[track_caller]
    pub fn compute(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        let delta = self.delta;
        of_difference("huber", prediction, target, self.reduction, |d| {
            if !(delta.is_finite() && delta > 0.0) {
                return Err(OpError::argument(format!("delta must be > 0, got {delta}")));
            }
            let distance = d.abs();
            let near = distance.lt(&Tensor::full_like(d, delta));
            Ok(Tensor::select(&near, &(d * d * 0.5), &((distance - 0.5 * delta) * delta)))
        })
    }
}
