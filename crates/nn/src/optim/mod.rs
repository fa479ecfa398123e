//! Optimizers: how gradients become new parameters.
//!
//! [`Optimizer`] is the choice of a rule and its numbers, one file each, with PyTorch's formulas, defaults and results.
//! [`Updater`] makes the ops of a step of it: clipping, the guard against non-finite numbers, parameter groups.
//! The ops are part of the training step's graph and, elementwise as they are, become one pass over each
//! parameter; what is the same for all elements is computed once, in `f64` scalars.

mod accumulator;
mod adam;
mod group;
mod rmsprop;
mod sgd;
mod updater;

use serde::{Deserialize, Serialize};
use thalweg_graph::{DType, OpError, Tensor};

pub use accumulator::Accumulator;
pub use adam::{Adam, AdamW};
pub use group::Group;
pub use rmsprop::RmsProp;
pub use sgd::Sgd;
pub use updater::{Step, Updater};

/// A rule of updating and its numbers. The learning rate is not among them: it is an input of the step, so
/// that a schedule never changes the graph. In a config file: `{ type = "adam", betas = [0.9, 0.99] }`.
///
/// Full-batch gradient descent is [`Sgd`] with the whole training set as its batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(missing_docs, reason = "each variant is documented at the struct it holds")]
pub enum Optimizer {
    Sgd(Sgd),
    Adam(Adam),
    #[serde(rename = "adamw")]
    AdamW(AdamW),
    #[serde(rename = "rmsprop")]
    RmsProp(RmsProp),
}

/// The scalars that a step's rules depend on.
struct Clock<'a> {
    /// The learning rate, `f64`.
    lr: &'a Tensor,
    /// The number of this step, counted from 1, `f64`.
    step: &'a Tensor,
    weight_decay: f64,
    dtype: DType,
}

impl Clock<'_> {
    /// An `f64` scalar as the parameters' type.
    fn settle(&self, scalar: Tensor) -> Tensor {
        scalar.cast(self.dtype)
    }
}

/// What becomes of a parameter and of its slots.
struct Update {
    param: Tensor,
    slots: Vec<Tensor>,
}

/// A rule whose scalars of this step are computed: (parameter, gradient, slots) to their successors.
type Rule<'a> = Box<dyn Fn(&Tensor, &Tensor, &[Tensor]) -> Update + 'a>;

impl Optimizer {
    /// PyTorch's default learning rate: 0.01 for RMSprop, else 0.001.
    pub fn default_lr(&self) -> f64 {
        match self {
            Optimizer::RmsProp(_) => 1e-2,
            _ => 1e-3,
        }
    }

    /// The weight decay of parameters that no [`Group`] says otherwise of.
    pub fn weight_decay(&self) -> f64 {
        match self {
            Optimizer::Sgd(rule) => rule.weight_decay,
            Optimizer::Adam(rule) => rule.weight_decay,
            Optimizer::AdamW(rule) => rule.weight_decay,
            Optimizer::RmsProp(rule) => rule.weight_decay,
        }
    }

    /// The names, PyTorch's, of what is kept for each parameter; each is of its shape and begins at 0.
    pub fn slots(&self) -> Vec<&'static str> {
        match self {
            Optimizer::Sgd(rule) => rule.slots(),
            Optimizer::Adam(_) | Optimizer::AdamW(_) => vec!["exp_avg", "exp_avg_sq"],
            Optimizer::RmsProp(rule) => rule.slots(),
        }
    }

    fn check(&self) -> Result<(), OpError> {
        match self {
            Optimizer::Sgd(rule) => rule.check(),
            Optimizer::Adam(rule) => adam::check(rule.betas, rule.eps),
            Optimizer::AdamW(rule) => adam::check(rule.betas, rule.eps),
            Optimizer::RmsProp(rule) => rule.check(),
        }?;
        at_least_zero("weight_decay", self.weight_decay())
    }

    fn rule(&self, clock: Clock<'_>) -> Rule<'_> {
        match self {
            Optimizer::Sgd(rule) => rule.rule(clock),
            Optimizer::Adam(rule) => rule.rule(clock),
            Optimizer::AdamW(rule) => rule.rule(clock),
            Optimizer::RmsProp(rule) => rule.rule(clock),
        }
    }
}

macro_rules! choices {
    ($($rule:ident),*) => {$(
        impl From<$rule> for Optimizer {
            fn from(rule: $rule) -> Optimizer {
                Optimizer::$rule(rule)
            }
        }
    )*};
}

choices!(Sgd, Adam, AdamW, RmsProp);

/// g + λ·p: weight decay as the gradient of an L2 penalty of λ/2.
fn decayed(grad: &Tensor, param: &Tensor, weight_decay: f64) -> Tensor {
    match weight_decay {
        0.0 => grad.clone(),
        _ => grad + param * weight_decay,
    }
}

/// The moving average a + (1 − β)(x − a), in the form that PyTorch's `lerp` takes.
fn average(old: &Tensor, new: &Tensor, beta: f64) -> Tensor {
    old + (new - old) * (1.0 - beta)
}

fn at_least_zero(name: &str, x: f64) -> Result<(), OpError> {
    match x.is_finite() && x >= 0.0 {
        true => Ok(()),
        false => Err(OpError::argument(format!("{name} must be finite and ≥ 0, got {x}"))),
    }
}

fn below_one(name: &str, x: f64) -> Result<(), OpError> {
    match (0.0..1.0).contains(&x) {
        true => Ok(()),
        false => Err(OpError::argument(format!("{name} must be at least 0 and below 1, got {x}"))),
    }
}
