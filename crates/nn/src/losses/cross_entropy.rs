//! Cross-entropy from logits, multi-class and binary.

use serde::{Deserialize, Serialize};
use thalweg_graph::{DType, OpError, Tensor};

use super::classes::{Classes, Options};
use super::{
    Checked, Reduction, check_float, check_pair, check_smoothing, or_poison, poisoned, reduce, row,
};

/// −Σ_k y_k w_k ln p_k with p = softmax(logits). Derivative (p·Σy − y)/n where nothing is weighted. The
/// logarithm is taken of no probability: ln p_k = z_k − max − ln Σe^(z−max). PyTorch's `CrossEntropyLoss`.
///
/// `logits` is `[n, K]`, `[n, K, …]` or `[K]`. An integer target holds labels, in the logits' shape without the class
/// axis; a label outside 0..K is an error at run time that names it and its place. A float target holds shares y of the logits' shape.
///
/// The mean of labels is over Σ w_label, as PyTorch's; ignored rows leave both sums. Where every row is
/// ignored the loss is 0 (PyTorch: NaN). The mean of shares is over the rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CrossEntropy {
    /// One weight w_k ≥ 0 for each class; default all 1.
    pub weight: Option<Vec<f64>>,
    /// ε in y ← (1 − ε)·y + ε/K; default 0. [Szegedy et al. 2015](https://arxiv.org/abs/1512.00567).
    pub label_smoothing: f64,
    /// The label whose rows do not count (PyTorch's default: −100). By default there is none, so that every label
    /// outside the classes is found.
    pub ignore_index: Option<i64>,
    /// See [`Reduction`]; `per_sample` divides by the number of rows, whatever they weigh.
    pub reduction: Reduction,
}

/// −(w·y ln p + (1 − y) ln(1 − p)) with p = sigmoid(logit), computed as
/// w·y·softplus(−z) + (1 − y)·softplus(z), which keeps every digit on both sides. Derivative p − y where w = 1.
/// PyTorch's `BCEWithLogitsLoss`.
///
/// The target has the logits' shape: floats from 0 to 1, or integers and truth values, which must be 0 or 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BinaryCrossEntropy {
    /// The weight w ≥ 0 of the positive side: one number, or one for each output (last axis); default 1.
    pub pos_weight: Option<Vec<f64>>,
    /// ε in y ← (1 − ε)·y + ε/2; default 0.
    pub label_smoothing: f64,
    /// See [`Reduction`].
    pub reduction: Reduction,
}

impl CrossEntropy {
    /// The loss of logits against labels or shares.
    #[track_caller]
    pub fn compute(&self, logits: &Tensor, target: &Tensor) -> Tensor {
        if let Some(poisoned) = poisoned(logits, target) {
            return poisoned;
        }
        let options = Options {
            weights_name: "weight",
            weights: self.weight.as_deref(),
            label_smoothing: self.label_smoothing,
            ignore_index: self.ignore_index,
            reduction: self.reduction,
        };
        let loss = Classes::new(logits, target, &options)
            .map(|classes| classes.reduce(&classes.rows(|log_p| -log_p), true));
        or_poison("cross_entropy", loss)
    }
}

impl BinaryCrossEntropy {
    /// The loss of logits against a target of the same shape.
    #[track_caller]
    pub fn compute(&self, logits: &Tensor, target: &Tensor) -> Tensor {
        if let Some(poisoned) = poisoned(logits, target) {
            return poisoned;
        }
        let losses = binary_target(logits, target, self.label_smoothing).and_then(|y| {
            let mut positive = &y * (-logits).softplus();
            if let Some(weights) = &self.pos_weight {
                positive = positive * pos_weight(weights, logits)?;
            }
            Ok(positive + (1.0 - y) * logits.softplus())
        });
        match losses {
            Ok(losses) => reduce(&losses, self.reduction),
            Err(error) => or_poison("binary_cross_entropy_with_logits", Err(error)),
        }
    }
}

fn pos_weight(weights: &[f64], logits: &Tensor) -> Checked<Tensor> {
    let outputs = if logits.rank() == 0 { 1 } else { logits.dim(-1) };
    match weights.len() {
        1 => Ok(row("pos_weight", weights, logits.dtype())?.reshape([])),
        n if n == outputs => row("pos_weight", weights, logits.dtype()),
        n => {
            let what = format!("pos_weight has {n} numbers for {outputs} outputs");
            Err(OpError::argument(what).hint("give one number, or one for each output"))
        }
    }
}

/// The smoothed target of a binary loss, as floats of the logits' shape and type.
pub(super) fn binary_target(
    logits: &Tensor,
    target: &Tensor,
    label_smoothing: f64,
) -> Checked<Tensor> {
    check_float(logits)?;
    check_smoothing(label_smoothing)?;
    let target = match target.dtype().is_float() {
        true => target.clone(),
        false => target.cast(DType::I64).check_range(0, 2, "label").cast(logits.dtype()),
    };
    check_pair(logits, &target)?;
    Ok(match label_smoothing {
        0.0 => target,
        epsilon => target * (1.0 - epsilon) + epsilon / 2.0,
    })
}
