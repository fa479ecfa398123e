//! What the multi-class losses share: log-probabilities of the classes, the truth as labels or as shares, the
//! mean over rows that count.

use thalweg_graph::{DType, OpError, Shape, Tensor};

use super::{Checked, Reduction, check_float, row};
use crate::activations::Activations;

/// The options that cross-entropy and focal loss have in common.
pub(super) struct Options<'a> {
    /// What the weights are called in messages.
    pub(super) weights_name: &'a str,
    pub(super) weights: Option<&'a [f64]>,
    pub(super) label_smoothing: f64,
    pub(super) ignore_index: Option<i64>,
    pub(super) reduction: Reduction,
}

/// A prediction over K classes beside the truth. The class axis is moved to the end, so that the work of a row is
/// elementwise ops and reductions over the last axis.
pub(super) struct Classes {
    /// Log-probabilities, `[rows…, K]`.
    log_p: Tensor,
    truth: Truth,
    /// One number per class, `[K]`.
    weights: Option<Tensor>,
    label_smoothing: f64,
    reduction: Reduction,
}

enum Truth {
    Labels {
        /// True at the label, `[rows…, K]`.
        hit: Tensor,
        /// False in ignored rows, `[rows…]`; `None` where no row can be ignored.
        kept: Option<Tensor>,
    },
    /// The share of each class, `[rows…, K]`.
    Shares(Tensor),
}

impl Classes {
    /// Checks `logits`, `[K]` or `[n, K, …]`, and `target`: integer labels without the class axis, or float
    /// shares of the logits' shape.
    pub(super) fn new(logits: &Tensor, target: &Tensor, options: &Options) -> Checked<Classes> {
        check_float(logits)?;
        super::check_smoothing(options.label_smoothing)?;
        let logits = &classes_last(logits);
        let classes = logits.dim(-1);
        if classes == 0 {
            let what = format!("logits {} have no class to choose", logits.shape());
            return Err(OpError::shape(what).hint("give one score for each class along axis 1"));
        }
        let log_p = logits.log_softmax(-1);
        let weights = match options.weights {
            Some(weights) if weights.len() != classes => {
                let (name, n) = (options.weights_name, weights.len());
                return Err(OpError::argument(format!(
                    "{name} has {n} numbers for {classes} classes"
                ))
                .hint("give one number for each class"));
            }
            Some(weights) => Some(row(options.weights_name, weights, logits.dtype())?),
            None => None,
        };
        let truth = match target.dtype() {
            dtype if dtype.is_float() => Truth::shares(logits, target)?,
            DType::Bool => {
                let hint = "give labels as integers, or shares as floats";
                return Err(OpError::dtype("the target is bool").hint(hint));
            }
            _ => Truth::labels(&log_p, target, options.ignore_index)?,
        };
        let Options { label_smoothing, reduction, .. } = *options;
        Ok(Classes { log_p, truth, weights, label_smoothing, reduction })
    }

    /// Σ_k y_k w_k term(log p_k) for each row, `[rows…]`, 0 in ignored ones.
    pub(super) fn rows(&self, term: impl Fn(&Tensor) -> Tensor) -> Tensor {
        let epsilon = self.label_smoothing;
        let spread = epsilon / self.log_p.dim(-1) as f64;
        let weighted = |terms: Tensor| match &self.weights {
            Some(weights) => terms * weights,
            None => terms,
        };
        let rows = match &self.truth {
            // The term of the label alone is needed.
            Truth::Labels { hit, .. } if epsilon == 0.0 => {
                let terms = term(&at(hit, &self.log_p));
                match &self.weights {
                    Some(weights) => terms * at(hit, weights),
                    None => terms,
                }
            }
            Truth::Labels { hit, .. } => {
                let full = |share| Tensor::full_like(&self.log_p, share);
                let shares = Tensor::select(hit, &full(1.0 - epsilon + spread), &full(spread));
                (shares * weighted(term(&self.log_p))).sum(&[-1])
            }
            Truth::Shares(shares) if epsilon == 0.0 => {
                (shares * weighted(term(&self.log_p))).sum(&[-1])
            }
            Truth::Shares(shares) => {
                let shares = shares * (1.0 - epsilon) + spread;
                (shares * weighted(term(&self.log_p))).sum(&[-1])
            }
        };
        self.keep(rows)
    }

    fn keep(&self, rows: Tensor) -> Tensor {
        match &self.truth {
            Truth::Labels { kept: Some(kept), .. } => {
                Tensor::select(kept, &rows, &rows.zeros_like())
            }
            _ => rows,
        }
    }

    /// Σ over the kept rows, over their number where the reduction asks for it; 0 where none is kept. With
    /// `weighted`, a row with a label counts as much as the label's weight in the mean.
    pub(super) fn reduce(&self, rows: &Tensor, weighted: bool) -> Tensor {
        let total = rows.sum_all();
        let weights = self.weights.as_ref().filter(|_| weighted);
        let count = match (self.reduction, &self.truth) {
            (Reduction::Sum, _) => return total,
            (Reduction::Mean, Truth::Labels { hit, .. }) if weights.is_some() => {
                weights.map(|weights| self.keep(at(hit, weights)).sum_all())
            }
            (_, Truth::Labels { kept: Some(kept), .. }) => Some(kept.cast(rows.dtype()).sum_all()),
            _ => None,
        };
        match count {
            Some(count) => {
                let none = count.equal(&count.zeros_like());
                total / Tensor::select(&none, &Tensor::full_like(&count, 1.0), &count)
            }
            None => total / rows.numel().max(1) as f64,
        }
    }
}

impl Truth {
    fn shares(logits: &Tensor, target: &Tensor) -> Checked<Truth> {
        let shares = classes_last(target);
        super::check_pair(logits, &shares).map_err(|error| {
            error.hint("a float target holds a share for each class, an integer one labels")
        })?;
        Ok(Truth::Shares(shares))
    }

    fn labels(log_p: &Tensor, target: &Tensor, ignore_index: Option<i64>) -> Checked<Truth> {
        let (rows, classes) = (&log_p.shape()[..log_p.rank() - 1], log_p.dim(-1));
        if target.shape().dims() != rows {
            let (want, got) = (Shape::from(rows), target.shape());
            return Err(OpError::shape(format!("labels must be {want}, got {got}"))
                .hint("one label for each row of logits: their shape without the class axis"));
        }
        let labels = target.cast(DType::I64);
        let check = |labels: &Tensor| labels.check_range(0, classes as i64, "label");
        Ok(match ignore_index {
            None => Truth::Labels { hit: check(&labels).one_hot(classes, DType::Bool), kept: None },
            Some(index) => {
                let ignored = Tensor::constant(thalweg_graph::Value::scalar(index));
                let kept = labels.not_equal(&ignored);
                let labels = check(&Tensor::select(&kept, &labels, &labels.zeros_like()));
                Truth::Labels { hit: labels.one_hot(classes, DType::Bool), kept: Some(kept) }
            }
        })
    }
}

/// `numbers` at the label of each row: chosen and summed, which fuses, where a gather would not.
fn at(hit: &Tensor, numbers: &Tensor) -> Tensor {
    let zero = Tensor::scalar(0.0, numbers.dtype());
    Tensor::select(hit, numbers, &zero).sum(&[-1])
}

/// Moves the class axis (PyTorch's: axis 1, or the only one) to the end.
fn classes_last(x: &Tensor) -> Tensor {
    let order: Vec<isize> = match x.rank() as isize {
        rank if rank <= 2 => return x.clone(),
        rank => std::iter::once(0).chain(2..rank).chain([1]).collect(),
    };
    x.permute(&order)
}
