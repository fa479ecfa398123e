//! What a network is to achieve: a loss, and the kind of targets it is measured against.

use thalweg_data::{DataError, Dataset, Targets};
use thalweg_graph::{DType, Tensor, Value};
use thalweg_nn::Loss;
use thalweg_nn::losses::{
    BinaryCrossEntropy, BinaryFocal, CosineEmbedding, CrossEntropy, Focal, Huber, KlDiv, Mae, Mse,
    Reduction,
};

use crate::error::TrainError;
use crate::part::Part;

/// What targets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One of so many classes.
    Classes(usize),
    /// So many numbers.
    Values(usize),
}

impl Kind {
    /// Writes the targets of `rows` of `part` into a value of the placeholder's shape.
    pub(crate) fn fill(
        self,
        part: &Part,
        rows: &[usize],
        target: &mut Value,
    ) -> Result<(), DataError> {
        let targets = &part.data.targets;
        match self {
            Kind::Classes(_) => {
                targets.fill_classes(rows, target.as_mut_slice().unwrap_or_default())
            }
            Kind::Values(_) => targets.fill_values(rows, target.as_mut_slice().unwrap_or_default()),
        }
    }
}

/// A loss against targets of a kind.
#[derive(Clone, Debug)]
pub(crate) struct Goal {
    loss: Loss,
    pub(crate) kind: Kind,
}

impl Goal {
    /// Fails where the targets have a single class, or the loss is about classes and the targets are numbers.
    pub(crate) fn new(loss: &Loss, data: &Dataset) -> Result<Goal, TrainError> {
        let kind = match &data.targets {
            Targets::Classes { names, .. } | Targets::Sequence { names, .. } => {
                Kind::Classes(names.len())
            }
            Targets::Values { dims, .. } => Kind::Values(*dims),
        };
        let of_numbers =
            matches!(loss, Loss::Mse(_) | Loss::Mae(_) | Loss::Huber(_) | Loss::CosineEmbedding(_));
        match kind {
            Kind::Classes(0 | 1) => Err(TrainError::misfit(
                format!("data set '{}': the targets have only one class", data.name),
                "there is nothing to tell apart; two classes are the least",
            )),
            Kind::Values(_) if !of_numbers => Err(TrainError::misfit(
                format!(
                    "data set '{}': the targets are numbers, but the loss is one of classes",
                    data.name
                ),
                "use mse, mae, huber or cosine_embedding, or give class labels",
            )),
            _ => Ok(Goal { loss: loss.clone(), kind }),
        }
    }

    /// Fails where another data set has targets of another kind.
    pub(crate) fn same_as(&self, other: &Goal) -> Result<(), TrainError> {
        let described = |kind| match kind {
            Kind::Classes(classes) => format!("{classes} classes"),
            Kind::Values(dims) => format!("{dims} numbers in a row"),
        };
        match self.kind == other.kind {
            true => Ok(()),
            false => Err(TrainError::misfit(
                format!(
                    "the training targets are {}, those to validate on {}",
                    described(self.kind),
                    described(other.kind)
                ),
                "take both parts from the same set",
            )),
        }
    }

    /// The placeholder of `rows` targets: `i64` `[rows]` or `f32` `[rows, dims]`.
    pub(crate) fn target(&self, rows: usize) -> Tensor {
        match self.kind {
            Kind::Classes(_) => Tensor::input("target", DType::I64, [rows]),
            Kind::Values(dims) => Tensor::input("target", DType::F32, [rows, dims]),
        }
    }

    /// Whether the network's `output` has a number for each class (one will do for two classes and a binary loss) or
    /// each number of the targets.
    pub(crate) fn check(&self, output: &Tensor) -> Result<(), TrainError> {
        let (wanted, what) = match self.kind {
            Kind::Classes(classes) => (classes, "classes"),
            Kind::Values(dims) => (dims, "numbers in a row"),
        };
        if output.rank() == 2 && (output.dim(1) == wanted || self.is_single_logit(output)) {
            return Ok(());
        }
        let got: Vec<String> = output.shape()[1..].iter().map(usize::to_string).collect();
        let problem = format!(
            "the network puts out {} for each row, but the targets have {wanted} {what}",
            match got.len() {
                0 => "no axis".to_owned(),
                _ => got.join(" × "),
            }
        );
        Err(TrainError::misfit(problem, format!("let its last layer have {wanted} outputs")))
    }

    fn is_single_logit(&self, output: &Tensor) -> bool {
        let binary = matches!(self.loss, Loss::BinaryCrossEntropy(_) | Loss::BinaryFocal(_));
        binary && self.kind == Kind::Classes(2) && output.dim(1) == 1
    }

    /// The loss of a checked `output` against `target`: labels as they are for losses that take labels, for others
    /// the truth of each class (0 or 1) against its output.
    pub(crate) fn loss(&self, output: &Tensor, target: &Tensor) -> Tensor {
        let target = match (self.kind, &self.loss) {
            (Kind::Classes(_), Loss::CrossEntropy(_) | Loss::Focal(_)) => target.clone(),
            (Kind::Classes(_), _) if self.is_single_logit(output) => {
                target.unsqueeze(-1).cast(output.dtype())
            }
            (Kind::Classes(classes), _) => target.one_hot(classes, output.dtype()),
            (Kind::Values(_), _) => target.cast(output.dtype()),
        };
        self.loss.compute(output, &target)
    }

    /// The score of each class, the greatest being the predicted one's; for numbers the output itself.
    pub(crate) fn scores(&self, output: &Tensor) -> Tensor {
        match self.is_single_logit(output) {
            true => Tensor::concat(&[output.zeros_like(), output.clone()], 1),
            false => output.clone(),
        }
    }

    /// The loss as a plain sum, which can be added up over batches of any size.
    pub(crate) fn summed(&self) -> Goal {
        let mut goal = self.clone();
        *reduction_mut(&mut goal.loss) = Reduction::Sum;
        goal
    }

    /// True where the loss of two batches together is the sum, not the mean, of theirs.
    pub(crate) fn is_sum(&self) -> bool {
        *reduction_mut(&mut self.loss.clone()) == Reduction::Sum
    }

    /// What [`Goal::summed`] over the whole `part` is divided by to be the loss, for a network of `outputs` outputs.
    pub(crate) fn denominator(&self, part: &Part, outputs: usize) -> f64 {
        let reduction = *reduction_mut(&mut self.loss.clone());
        let rows = part.rows.len() as f64;
        let weigh = |weight: &dyn Fn(i64) -> f64| match &part.data.targets {
            Targets::Classes { labels, .. } => {
                part.rows.iter().map(|&row| weight(labels[row])).sum()
            }
            Targets::Values { .. } | Targets::Sequence { .. } => rows,
        };
        let total = match (&self.loss, reduction) {
            (_, Reduction::Sum) => 1.0,
            (Loss::CrossEntropy(loss), _) => weigh(&|label| match &loss.weight {
                _ if loss.ignore_index == Some(label) => 0.0,
                Some(weight) if reduction == Reduction::Mean => weight[label as usize],
                _ => 1.0,
            }),
            (Loss::Focal(loss), _) => weigh(&|label| match loss.ignore_index == Some(label) {
                true => 0.0,
                false => 1.0,
            }),
            (Loss::CosineEmbedding(_), _) | (_, Reduction::PerSample) => rows,
            (_, Reduction::Mean) => rows * outputs as f64,
        };
        // Where every row is ignored the loss is 0, not 0/0.
        if total == 0.0 { 1.0 } else { total }
    }
}

fn reduction_mut(loss: &mut Loss) -> &mut Reduction {
    match loss {
        Loss::Mse(Mse { reduction })
        | Loss::Mae(Mae { reduction })
        | Loss::Huber(Huber { reduction, .. })
        | Loss::CrossEntropy(CrossEntropy { reduction, .. })
        | Loss::BinaryCrossEntropy(BinaryCrossEntropy { reduction, .. })
        | Loss::Focal(Focal { reduction, .. })
        | Loss::BinaryFocal(BinaryFocal { reduction, .. })
        | Loss::KlDiv(KlDiv { reduction, .. })
        | Loss::CosineEmbedding(CosineEmbedding { reduction }) => reduction,
    }
}
