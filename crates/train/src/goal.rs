//! What a network is to achieve: a loss, and the kind of targets it is measured against.

use thalweg_data::{DataError, Dataset, IGNORED, Targets};
use thalweg_graph::{DType, Tensor, Value};
use thalweg_nn::losses::{
    BinaryCrossEntropy, BinaryFocal, CosineEmbedding, CrossEntropy, Focal, Huber, KlDiv, Mae, Mse,
    Reduction,
};
use thalweg_nn::{Activations, Loss, Mode};

use crate::aim::Aim;
use crate::error::TrainError;
use crate::options::FitOptions;
use crate::part::Part;
use crate::sample::Sample;

/// What targets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One of so many classes.
    Classes(usize),
    /// Any number of so many labels.
    Labels(usize),
    /// So many numbers.
    Values(usize),
    /// One of `classes` classes at each of `length` places.
    Sequence { classes: usize, length: usize },
    /// The sample itself, of so many numbers.
    Inputs(usize),
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
            Kind::Classes(_) | Kind::Sequence { .. } => {
                targets.fill_classes(rows, target.as_mut_slice().unwrap_or_default())
            }
            Kind::Labels(_) | Kind::Values(_) => {
                targets.fill_values(rows, target.as_mut_slice().unwrap_or_default())
            }
            Kind::Inputs(_) => Ok(()),
        }
    }
}

/// A loss against targets of a kind.
#[derive(Clone, Debug)]
pub(crate) struct Goal {
    loss: Loss,
    pub(crate) kind: Kind,
    aim: Aim,
    /// Whether samples are ids.
    ids: bool,
}

impl Goal {
    /// Fails where the targets have a single class, or the loss does not go with what it is to be measured against.
    pub(crate) fn new(loss: &Loss, aim: &Aim, data: &Dataset) -> Result<Goal, TrainError> {
        let kind = match (&data.targets, aim) {
            (_, Aim::Inputs) => Kind::Inputs(data.features.width()),
            (Targets::Classes { names, .. }, _) => Kind::Classes(names.len()),
            (Targets::Labels { names, .. }, _) => Kind::Labels(names.len()),
            (Targets::Values { dims, .. }, _) => Kind::Values(*dims),
            (Targets::Sequence { length, names, .. }, _) => {
                Kind::Sequence { classes: names.len(), length: *length }
            }
        };
        let misfit = |what: &str, hint: &str| {
            Err(TrainError::misfit(format!("data set '{}': {what}", data.name), hint))
        };
        let goal = |loss| Ok(Goal { loss, kind, aim: aim.clone(), ids: data.features.is_ids() });
        let mut loss = loss.clone();
        match kind {
            Kind::Classes(0 | 1) | Kind::Sequence { classes: 0 | 1, .. } => misfit(
                "the targets have only one class",
                "there is nothing to tell apart; two classes are the least",
            ),
            Kind::Inputs(_) if data.features.is_ids() => misfit(
                "ids cannot be reconstructed: they are names, not numbers",
                "learn the targets of such data, or give it as numbers",
            ),
            Kind::Inputs(_) if !is_of_numbers(&loss) && !is_binary(&loss) => misfit(
                "the target is the sample itself, but the loss is one of classes",
                "use mse, mae or huber; for inputs from 0 to 1 also binary_cross_entropy",
            ),
            Kind::Labels(_) if !is_binary(&loss) => misfit(
                "any number of labels may hold for a row, which this loss cannot judge",
                "use binary_cross_entropy or binary_focal, which judge label by label",
            ),
            Kind::Values(_) if !is_of_numbers(&loss) => misfit(
                "the targets are numbers, but the loss is one of classes",
                "use mse, mae, huber or cosine_embedding, or give class labels",
            ),
            Kind::Sequence { .. } => match ignore_index(&mut loss) {
                Some(index) => {
                    index.get_or_insert(IGNORED);
                    goal(loss)
                }
                None => misfit(
                    "the targets are classes at each place, which this loss cannot judge",
                    "use cross_entropy or focal",
                ),
            },
            _ => goal(loss),
        }
    }

    /// Fails where another data set has targets of another kind.
    pub(crate) fn same_as(&self, other: &Goal) -> Result<(), TrainError> {
        let described = |kind| match kind {
            Kind::Classes(classes) => format!("{classes} classes"),
            Kind::Labels(labels) => format!("any number of {labels} labels"),
            Kind::Values(dims) => format!("{dims} numbers in a row"),
            Kind::Sequence { classes, length } => {
                format!("{classes} classes at each of {length} places")
            }
            Kind::Inputs(width) => format!("samples of {width} numbers"),
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

    /// Fails where an option changes samples or targets that it means nothing for.
    pub(crate) fn takes(&self, options: &FitOptions, sample: &Sample) -> Result<(), TrainError> {
        if !options.augment.is_empty() && (self.ids || sample.shape().len() < 2) {
            let problem = format!("the samples are no images but {sample}");
            let hint = "leave it out; images are samples of numbers [height, width] or [channels, height, width]";
            return Err(TrainError::option("augment", problem, hint));
        }
        let hint = "leave it at 0";
        if self.has_places() && options.mixup > 0.0 {
            let problem =
                "the targets are classes at the places of a sequence, which cannot be mixed";
            return Err(TrainError::option("mixup", problem, hint));
        }
        let given = [("mixup", options.mixup), ("noise", options.noise)];
        match given.into_iter().find(|(_, x)| *x > 0.0 && self.ids) {
            Some((name, _)) => {
                let problem = "the samples are ids, which are names and no numbers";
                Err(TrainError::option(name, problem, hint))
            }
            None => Ok(()),
        }
    }

    /// The targets of samples `x` as numbers that can be mixed: shares of the classes.
    pub(crate) fn soft(&self, x: &Tensor, target: &Tensor) -> Tensor {
        match self.kind {
            Kind::Classes(classes) => target.one_hot(classes, DType::F32),
            Kind::Inputs(_) => x.clone(),
            Kind::Labels(_) | Kind::Values(_) | Kind::Sequence { .. } => target.clone(),
        }
    }

    /// The placeholder of `rows` targets: `i64` `[rows]` or `[rows, length]`, `f32` `[rows, dims]` or `[rows, labels]`.
    /// Where the samples themselves are the targets there is nothing to feed.
    pub(crate) fn target(&self, rows: usize) -> Tensor {
        match self.kind {
            Kind::Classes(_) => Tensor::input("target", DType::I64, [rows]),
            Kind::Sequence { length, .. } => Tensor::input("target", DType::I64, [rows, length]),
            Kind::Labels(width) | Kind::Values(width) => {
                Tensor::input("target", DType::F32, [rows, width])
            }
            Kind::Inputs(_) => Tensor::input("target", DType::F32, [0]),
        }
    }

    /// Whether the network's `output` for samples `x` has a number for each class (one will do for two classes and a
    /// binary loss), each number of the targets, or each of the sample. Of classes and numbers a network in training
    /// may put out what several members say, `[rows, members, outputs]`.
    pub(crate) fn check(&self, output: &Tensor, x: &Tensor, mode: Mode) -> Result<(), TrainError> {
        let shape = &output.shape()[1..];
        // What one member says, where there are several.
        let each = if mode == Mode::Train && shape.len() == 2 { &shape[1..] } else { shape };
        let (fits, wanted, last) = match self.kind {
            Kind::Classes(n) => {
                let fits = each == [n] || (each == [1] && self.takes_single_logit());
                (fits, format!("the targets have {n} classes"), n)
            }
            Kind::Labels(n) => (each == [n], format!("the targets have {n} labels"), n),
            Kind::Values(n) => (each == [n], format!("the targets have {n} numbers in a row"), n),
            Kind::Sequence { classes, length } => {
                let wanted = format!("the targets have {length} places of {classes} classes");
                (shape == [length, classes], wanted, classes)
            }
            Kind::Inputs(n) => {
                let wanted = format!("the samples to reconstruct are {}", extents(&x.shape()[1..]));
                (shape == &x.shape()[1..] || shape == [n], wanted, n)
            }
        };
        if fits {
            return Ok(());
        }
        let got = extents(shape);
        let problem = format!("the network puts out {got} for each row, but {wanted}");
        let hint = match self.kind {
            Kind::Inputs(n) => {
                format!(
                    "let it end with the shape that it began with, or with {n} outputs in a row"
                )
            }
            Kind::Sequence { .. } if shape.len() != 2 => {
                format!("let it keep the axis of places, and have {last} outputs at each")
            }
            _ => format!("let its last layer have {last} outputs"),
        };
        Err(TrainError::misfit(problem, hint))
    }

    fn takes_single_logit(&self) -> bool {
        is_binary(&self.loss) && self.kind == Kind::Classes(2)
    }

    /// How many members have a say each in `output`, where there are such.
    fn members(&self, output: &Tensor) -> Option<usize> {
        let can = matches!(self.kind, Kind::Classes(_) | Kind::Labels(_) | Kind::Values(_));
        (can && output.rank() == 3).then(|| output.dim(1))
    }

    fn is_single_logit(&self, output: &Tensor) -> bool {
        self.takes_single_logit() && output.dim(-1) == 1
    }

    /// The loss of a checked `output` for samples `x` against `target`, which may be [soft](Goal::soft): labels as they
    /// are for losses that take labels, for others the truth of each class (0 or 1) against its output. Of several
    /// members it is the mean of theirs.
    pub(crate) fn loss(&self, output: &Tensor, x: &Tensor, target: &Tensor) -> Tensor {
        if let Some(members) = self.members(output) {
            let rows = output.dim(0) * members;
            let each = target.unsqueeze(1);
            let (ahead, behind) = (target.dim(0), &target.shape()[1..]);
            let each = each.broadcast_to([&[ahead, members], behind].concat());
            let each = each.reshape([&[rows], behind].concat());
            let loss = self.loss(&output.reshape([rows, output.dim(-1)]), x, &each);
            return if self.is_sum() { loss / members as f64 } else { loss };
        }
        let target = match (self.kind, &self.loss) {
            (Kind::Classes(_), Loss::CrossEntropy(_) | Loss::Focal(_)) => target.clone(),
            (Kind::Classes(_), _) if target.dtype().is_float() && self.is_single_logit(output) => {
                target.narrow(1, 1, 1).cast(output.dtype())
            }
            (Kind::Classes(_), _) if target.dtype().is_float() => target.cast(output.dtype()),
            (Kind::Classes(_), _) if self.is_single_logit(output) => {
                target.unsqueeze(-1).cast(output.dtype())
            }
            (Kind::Classes(classes), _) => target.one_hot(classes, output.dtype()),
            (Kind::Labels(_), _) => target.cast(output.dtype()),
            (Kind::Values(_), _) => self.aim.scaled(&target.cast(output.dtype())),
            (Kind::Inputs(_), _) => x.cast(output.dtype()).reshape(output.shape()),
            // One row for each place.
            (Kind::Sequence { classes, .. }, _) => {
                let places = output.numel() / classes.max(1);
                let output = output.reshape([places, classes]);
                return self.loss.compute(&output, &target.reshape([places]));
            }
        };
        self.loss.compute(output, &target)
    }

    /// What a checked `output` says: the score of each class, the greatest being the predicted one's; of each label,
    /// which is predicted where it is above 0; or numbers as the targets are.
    pub(crate) fn scores(&self, output: &Tensor) -> Tensor {
        if self.members(output).is_some() {
            let shares = matches!(self.kind, Kind::Classes(_)) && output.dim(-1) > 1;
            let each = if shares { output.softmax(-1) } else { output.clone() };
            return self.scores(&each.mean(&[1]));
        }
        match self.is_single_logit(output) {
            true => Tensor::concat(&[output.zeros_like(), output.clone()], 1),
            false if matches!(self.kind, Kind::Inputs(_)) && is_binary(&self.loss) => {
                output.sigmoid()
            }
            false => self.aim.said(output),
        }
    }

    /// The places at which the class with the greatest of the `scores` is the right one, or the rows of which every
    /// label is right, as an `f64` scalar; 0 where there are neither.
    pub(crate) fn hits(&self, scores: &Tensor, target: &Tensor) -> Tensor {
        match self.kind {
            Kind::Classes(_) | Kind::Sequence { .. } => {
                scores.argmax(-1).equal(target).cast(DType::F64).sum_all()
            }
            Kind::Labels(_) => {
                let said = scores.gt(&scores.zeros_like());
                let truth = target.gt(&target.zeros_like());
                said.equal(&truth).all(&[-1]).cast(DType::F64).sum_all()
            }
            Kind::Values(_) | Kind::Inputs(_) => Tensor::scalar(0.0, DType::F64),
        }
    }

    /// How many answers are judged in some rows: one each, or the places of sequences that are not ignored.
    pub(crate) fn places(&self, part: &Part, rows: &[usize]) -> usize {
        match &part.data.targets {
            Targets::Sequence { labels, length, .. } if self.has_places() => {
                let of = |&row: &usize| &labels[row * length..(row + 1) * length];
                rows.iter().flat_map(of).filter(|&&label| label != IGNORED).count()
            }
            _ => rows.len(),
        }
    }

    fn has_places(&self) -> bool {
        matches!(self.kind, Kind::Sequence { .. })
    }

    /// Whether the targets are classes or labels, so that answers are right or wrong.
    pub(crate) fn has_classes(&self) -> bool {
        matches!(self.kind, Kind::Classes(_) | Kind::Labels(_) | Kind::Sequence { .. })
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
            Targets::Sequence { labels, length, .. } => {
                let of = |&row: &usize| &labels[row * length..(row + 1) * length];
                part.rows.iter().flat_map(of).map(|&label| weight(label)).sum()
            }
            Targets::Values { .. } | Targets::Labels { .. } => rows,
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

fn extents(shape: &[usize]) -> String {
    match shape {
        [] => "no axis".to_owned(),
        _ => shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × "),
    }
}

fn is_of_numbers(loss: &Loss) -> bool {
    matches!(loss, Loss::Mse(_) | Loss::Mae(_) | Loss::Huber(_) | Loss::CosineEmbedding(_))
}

fn is_binary(loss: &Loss) -> bool {
    matches!(loss, Loss::BinaryCrossEntropy(_) | Loss::BinaryFocal(_))
}

fn ignore_index(loss: &mut Loss) -> Option<&mut Option<i64>> {
    match loss {
        Loss::CrossEntropy(loss) => Some(&mut loss.ignore_index),
        Loss::Focal(loss) => Some(&mut loss.ignore_index),
        _ => None,
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
