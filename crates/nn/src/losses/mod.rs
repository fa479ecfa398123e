//! Loss functions: what training makes small.
//!
//! Each loss is a struct of its options, with PyTorch's formulas, denominators and defaults; [`Loss`] is the choice
//! among them that a config file holds. All give a scalar of the prediction's type. They are compositions of
//! graph primitives: elementwise ops and reductions over the class axis, so that value and gradient each
//! become one pass.

mod classes;
mod cross_entropy;
mod focal;
mod penalty;
mod regression;
mod similarity;

use serde::{Deserialize, Serialize};
use thalweg_graph::{DType, OpError, Tensor, Value};

pub use cross_entropy::{BinaryCrossEntropy, CrossEntropy};
pub use focal::{BinaryFocal, Focal};
pub use penalty::{l1_penalty, l2_penalty};
pub use regression::{Huber, Mae, Mse};
pub use similarity::{CosineEmbedding, KlDiv, cosine_embedding};

/// How the losses of the elements become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// Σ over the number of terms: all elements, or the rows (weighted, not ignored) of a class loss.
    #[default]
    Mean,
    /// Σ over the number of samples, the extent of the first axis (ignored rows of a class loss do not
    /// count). PyTorch's `batchmean`.
    PerSample,
    /// Σ.
    Sum,
}

/// A loss and its options. In a config file: `loss = { type = "cross_entropy", label_smoothing = 0.1 }`.
///
/// ```
/// use thalweg_graph::{NoStates, Reference, Tensor};
/// use thalweg_nn::losses::{Loss, Mse};
/// let loss = Loss::Mse(Mse::default());
/// let value = loss.compute(&Tensor::new(&[1.0f32, 4.0], [2]), &Tensor::new(&[1.0f32, 2.0], [2]));
/// assert_eq!(Reference::new().evaluate(&[value], &[], &NoStates)?[0].floats(), [2.0]);
/// # Ok::<(), thalweg_graph::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(missing_docs, reason = "each variant is documented at the struct it holds")]
pub enum Loss {
    Mse(Mse),
    Mae(Mae),
    Huber(Huber),
    CrossEntropy(CrossEntropy),
    BinaryCrossEntropy(BinaryCrossEntropy),
    Focal(Focal),
    BinaryFocal(BinaryFocal),
    KlDiv(KlDiv),
    CosineEmbedding(CosineEmbedding),
}

impl Loss {
    /// The loss of `prediction` against `target`, a scalar; poisoned where the two do not fit together.
    #[track_caller]
    pub fn compute(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        match self {
            Loss::Mse(loss) => loss.compute(prediction, target),
            Loss::Mae(loss) => loss.compute(prediction, target),
            Loss::Huber(loss) => loss.compute(prediction, target),
            Loss::CrossEntropy(loss) => loss.compute(prediction, target),
            Loss::BinaryCrossEntropy(loss) => loss.compute(prediction, target),
            Loss::Focal(loss) => loss.compute(prediction, target),
            Loss::BinaryFocal(loss) => loss.compute(prediction, target),
            Loss::KlDiv(loss) => loss.compute(prediction, target),
            Loss::CosineEmbedding(loss) => loss.compute(prediction, target),
        }
    }
}

macro_rules! with_defaults {
    ($($name:ident = $loss:ident;)*) => {$(
        #[doc = concat!("[`", stringify!($loss), "`] with its default options.")]
        #[track_caller]
        pub fn $name(prediction: &Tensor, target: &Tensor) -> Tensor {
            $loss::default().compute(prediction, target)
        }

        impl From<$loss> for Loss {
            fn from(loss: $loss) -> Loss {
                Loss::$loss(loss)
            }
        }
    )*};
}

with_defaults! {
    mse = Mse;
    mae = Mae;
    huber = Huber;
    cross_entropy = CrossEntropy;
    binary_cross_entropy_with_logits = BinaryCrossEntropy;
    focal = Focal;
    binary_focal = BinaryFocal;
    kl_div = KlDiv;
    cosine = CosineEmbedding;
}

/// The outcome of a check of arguments: what is wrong, before it is known where.
type Checked<T> = Result<T, OpError>;

/// The tensor, or the poisoned one that says what is wrong.
#[track_caller]
fn or_poison(name: &str, made: Checked<Tensor>) -> Tensor {
    match made {
        Ok(tensor) => tensor,
        Err(error) => Tensor::poison(name, error),
    }
}

/// The first poisoned one of the two, which is then the result.
fn poisoned(prediction: &Tensor, target: &Tensor) -> Option<Tensor> {
    [prediction, target].into_iter().find(|t| t.error().is_some()).cloned()
}

/// Two floats of one shape. Broadcasting is refused: `[n, 1]` against `[n]` would silently become `[n, n]`.
fn check_pair(prediction: &Tensor, target: &Tensor) -> Checked<()> {
    check_float(prediction)?;
    if prediction.shape() != target.shape() {
        let (p, t) = (prediction.shape(), target.shape());
        return Err(OpError::shape(format!("the prediction is {p}, the target {t}"))
            .hint("losses do not broadcast: reshape one of them"));
    }
    if prediction.dtype() != target.dtype() {
        let (p, t) = (prediction.dtype(), target.dtype());
        return Err(OpError::dtype(format!("the prediction is {p}, the target {t}"))
            .hint("convert the target with cast(…)"));
    }
    Ok(())
}

fn check_float(prediction: &Tensor) -> Checked<()> {
    match prediction.dtype().is_float() {
        true => Ok(()),
        false => Err(OpError::dtype(format!(
            "the prediction must be a float, got {}{}",
            prediction.dtype(),
            prediction.shape()
        ))),
    }
}

fn check_smoothing(label_smoothing: f64) -> Checked<()> {
    match (0.0..=1.0).contains(&label_smoothing) {
        true => Ok(()),
        false => {
            let what = format!("label_smoothing must be from 0 to 1, got {label_smoothing}");
            Err(OpError::argument(what))
        }
    }
}

/// A list of `options` numbers as a row of `dtype`, checked to be finite and not negative.
fn row(what: &str, numbers: &[f64], dtype: DType) -> Checked<Tensor> {
    if let Some(bad) = numbers.iter().find(|w| !(w.is_finite() && **w >= 0.0)) {
        return Err(OpError::argument(format!("{what} must be finite and ≥ 0, got {bad}")));
    }
    let value = Value::from_f64(dtype, numbers, [numbers.len()]);
    Ok(Tensor::constant(value.unwrap_or_else(|| Value::zeros(dtype, [numbers.len()]))))
}

/// Σ of elementwise losses over the denominator that the reduction asks for.
#[track_caller]
fn reduce(losses: &Tensor, reduction: Reduction) -> Tensor {
    match reduction {
        Reduction::Mean => losses.mean_all(),
        Reduction::PerSample if losses.rank() > 0 => losses.sum_all() / losses.dim(0) as f64,
        Reduction::PerSample | Reduction::Sum => losses.sum_all(),
    }
}
