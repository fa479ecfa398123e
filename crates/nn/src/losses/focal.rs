//! Focal loss: cross-entropy that turns away from what is already easy.

use serde::{Deserialize, Serialize};
use thalweg_graph::{OpError, Tensor};

use super::classes::{Classes, Options};
use super::cross_entropy::binary_target;
use super::{BinaryCrossEntropy, Checked, CrossEntropy, Reduction, or_poison, poisoned, reduce};

/// −Σ_k y_k α_k (1 − p_k)^γ ln p_k with p = softmax(logits): a sample that is predicted well weighs little.
/// After [Lin et al. 2017](https://arxiv.org/abs/1708.02002).
///
/// Logits and targets are as for [`CrossEntropy`], and γ = 0 without α is exactly that loss. The mean is over the
/// rows that are not ignored: α scales the loss, not the denominator. 1 − p is computed as −expm1(ln p); value and
/// gradient are finite for |logit| ≤ 1e4 and every γ ≥ 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Focal {
    /// γ ≥ 0; default 2.
    pub gamma: f64,
    /// One factor α_k ≥ 0 for each class; default all 1.
    pub alpha: Option<Vec<f64>>,
    /// ε in y ← (1 − ε)·y + ε/K; default 0.
    pub label_smoothing: f64,
    /// The label whose rows do not count; by default there is none.
    pub ignore_index: Option<i64>,
    /// See [`Reduction`].
    pub reduction: Reduction,
}

/// −(α y (1 − p)^γ ln p + (1 − α)(1 − y) p^γ ln(1 − p)) with p = sigmoid(logit); without α both factors are 1.
/// torchvision's `sigmoid_focal_loss`.
///
/// The target is as for [`BinaryCrossEntropy`], and γ = 0 without α is exactly that loss. Both powers are taken as
/// exponentials of log-probabilities, (1 − p)^γ = e^(−γ·softplus(z)): no base can become 0, so value and
/// gradient are finite for |logit| ≤ 1e4 and every γ ≥ 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BinaryFocal {
    /// γ ≥ 0; default 2.
    pub gamma: f64,
    /// α from 0 to 1 on positives, 1 − α on negatives; default off.
    pub alpha: Option<f64>,
    /// ε in y ← (1 − ε)·y + ε/2; default 0.
    pub label_smoothing: f64,
    /// See [`Reduction`].
    pub reduction: Reduction,
}

impl Default for Focal {
    fn default() -> Self {
        Focal {
            gamma: 2.0,
            alpha: None,
            label_smoothing: 0.0,
            ignore_index: None,
            reduction: Reduction::Mean,
        }
    }
}

impl Default for BinaryFocal {
    fn default() -> Self {
        BinaryFocal { gamma: 2.0, alpha: None, label_smoothing: 0.0, reduction: Reduction::Mean }
    }
}

impl Focal {
    /// The loss of logits against labels or shares.
    #[track_caller]
    pub fn compute(&self, logits: &Tensor, target: &Tensor) -> Tensor {
        let Focal { gamma, label_smoothing, ignore_index, reduction, .. } = *self;
        if gamma == 0.0 && self.alpha.is_none() {
            let same = CrossEntropy { weight: None, label_smoothing, ignore_index, reduction };
            return same.compute(logits, target);
        }
        if let Some(poisoned) = poisoned(logits, target) {
            return poisoned;
        }
        let options = Options {
            weights_name: "alpha",
            weights: self.alpha.as_deref(),
            label_smoothing,
            ignore_index,
            reduction,
        };
        let loss = check_gamma(gamma)
            .and_then(|()| Classes::new(logits, target, &options))
            .map(|classes| classes.reduce(&classes.rows(|log_p| term(log_p, gamma)), false));
        or_poison("focal", loss)
    }
}

/// −(1 − p)^γ ln p. Where p rounds to 1 the loss and its slope are 0; they are chosen there, since for
/// 0 < γ < 1 the slope's formula is ∞·0.
fn term(log_p: &Tensor, gamma: f64) -> Tensor {
    let miss = -log_p.expm1();
    let certain = miss.le(&miss.zeros_like());
    let base = Tensor::select(&certain, &Tensor::full_like(&miss, 1.0), &miss);
    let factor = match gamma {
        0.0 => return -log_p,
        1.0 => base,
        2.0 => &base * &base,
        _ => base.pow(&Tensor::full_like(&base, gamma)),
    };
    Tensor::select(&certain, &log_p.zeros_like(), &(-(factor * log_p)))
}

impl BinaryFocal {
    /// The loss of logits against a target of the same shape.
    #[track_caller]
    pub fn compute(&self, logits: &Tensor, target: &Tensor) -> Tensor {
        let BinaryFocal { gamma, alpha, label_smoothing, reduction } = *self;
        if gamma == 0.0 && alpha.is_none() {
            let same = BinaryCrossEntropy { pos_weight: None, label_smoothing, reduction };
            return same.compute(logits, target);
        }
        if let Some(poisoned) = poisoned(logits, target) {
            return poisoned;
        }
        let losses = check_gamma(gamma).and_then(|()| check_alpha(alpha)).and_then(|()| {
            let y = binary_target(logits, target, label_smoothing)?;
            // −ln p and −ln(1 − p).
            let (hit, miss) = ((-logits).softplus(), logits.softplus());
            let positive = &y * (&hit * (&miss * -gamma).exp());
            let negative = (1.0 - y) * (&miss * (&hit * -gamma).exp());
            Ok(match alpha {
                Some(alpha) => positive * alpha + negative * (1.0 - alpha),
                None => positive + negative,
            })
        });
        match losses {
            Ok(losses) => reduce(&losses, reduction),
            Err(error) => or_poison("binary_focal", Err(error)),
        }
    }
}

fn check_gamma(gamma: f64) -> Checked<()> {
    match gamma.is_finite() && gamma >= 0.0 {
        true => Ok(()),
        false => Err(OpError::argument(format!("gamma must be finite and ≥ 0, got {gamma}"))),
    }
}

fn check_alpha(alpha: Option<f64>) -> Checked<()> {
    match alpha {
        Some(alpha) if !(0.0..=1.0).contains(&alpha) => {
            let what = format!("alpha must be from 0 to 1, got {alpha}");
            Err(OpError::argument(what).hint("positives weigh alpha, negatives 1 − alpha"))
        }
        _ => Ok(()),
    }
}
