//! A step of an optimizer as ops of the graph.

use std::panic::Location;

use serde::{Deserialize, Serialize};
use thalweg_graph::{DType, Error, Layer, OpError, Shape, StateId, Tensor, Value};

use super::{Clock, Group, Optimizer, Rule, at_least_zero};
use crate::{EntryKind, Param, Store};

/// An optimizer with all that surrounds it: groups, clipping, the guard.
///
/// In this order: the global norm ‖g‖ = √Σg² over all gradients that are not frozen; clipping by norm,
/// g ← g·min(1, clip_norm/(‖g‖ + 1e-6)), as PyTorch's `clip_grad_norm_`; clipping by value to ±clip_value; the
/// optimizer's rule; the groups' limits on the length of rows. The guard is one scalar for the whole step: where the loss or the norm is not finite, every
/// write keeps the old value, the step counter's too.
///
/// ```
/// use thalweg_graph::{DType, Executor, Reference, Tensor, grad};
/// use thalweg_nn::optim::{Sgd, Updater};
/// use thalweg_nn::{Init, Param, Store};
/// let w = Param::new("w", [2], Init::Ones);
/// let mut store = Store::new(0);
/// store.bind(&w)?;
/// let loss = (w.tensor() * w.tensor()).sum_all();
/// let grads = grad(&loss, &[w.tensor()])?;
/// let lr = Tensor::scalar(0.25, DType::F64); // an input, in a step that is compiled
/// let step = Updater::new(Sgd::default())
///     .build(&mut store, &[("w".into(), w.clone())], &grads, &loss, &lr)?;
/// Reference::new().run(&[loss], &step.writes, &[], &mut store)?;
/// assert_eq!(thalweg_graph::States::get(&store, w.id()).unwrap().to_f64(), [0.5, 0.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Updater {
    /// The rule and its numbers.
    pub optimizer: Optimizer,
    /// What is different for some parameters.
    #[serde(default)]
    pub groups: Vec<Group>,
    /// The greatest global norm of the gradients; default: any.
    #[serde(default)]
    pub clip_norm: Option<f64>,
    /// The greatest absolute value of a gradient's element; default: any.
    #[serde(default)]
    pub clip_value: Option<f64>,
    /// Whether a step whose loss or gradient is not finite changes nothing; default true.
    #[serde(default = "guarded")]
    pub guard: bool,
}

fn guarded() -> bool {
    true
}

/// The ops of one step.
#[derive(Clone, Debug)]
pub struct Step {
    /// New values of parameters, slots and the step counter.
    pub writes: Vec<(StateId, Tensor)>,
    /// The global norm of the gradients before clipping, an `f64` scalar.
    pub grad_norm: Tensor,
    /// Whether the step changes anything, a `bool` scalar: false where the guard holds it back. Other writes of the
    /// step (running statistics) belong behind it too.
    pub applied: Tensor,
}

/// How one parameter is treated.
#[derive(Clone, Copy, PartialEq)]
struct Treatment {
    lr_scale: f64,
    weight_decay: f64,
    dtype: DType,
    max_norm: Option<f64>,
}

/// A parameter that is trained, with its gradient.
struct Trained<'a> {
    path: &'a str,
    param: &'a Param,
    grad: Tensor,
    treatment: Treatment,
}

impl Updater {
    /// The optimizer alone: no groups, no clipping; guarded.
    pub fn new(optimizer: impl Into<Optimizer>) -> Updater {
        let optimizer = optimizer.into();
        Updater { optimizer, groups: vec![], clip_norm: None, clip_value: None, guard: true }
    }

    /// Whether the parameter `path` is kept as it is.
    pub fn is_frozen(&self, path: &str) -> bool {
        self.group_of(path).is_some_and(|group| group.frozen)
    }

    fn group_of(&self, path: &str) -> Option<&Group> {
        self.groups.iter().rfind(|group| group.matches(path))
    }

    /// The ops of a step for `params` with the gradients `grads`. `lr` is an `f64` scalar, `loss` a float scalar.
    ///
    /// The store gets what is missing: `optim.step`, an `i64` counter of the steps applied, and for each slot
    /// and trained parameter `optim.SLOT.PATH`, zeros. What it has already, such as after a resume, is continued.
    ///
    /// Fails where gradients do not fit their parameters, an option is out of its range, a group's pattern
    /// matches no parameter, or nothing is left to train.
    #[track_caller]
    pub fn build(
        &self,
        store: &mut Store,
        params: &[(String, Param)],
        grads: &[Tensor],
        loss: &Tensor,
        lr: &Tensor,
    ) -> Result<Step, Error> {
        let site = Location::caller();
        let fail = |error| Error::new(error, "optimizer", Some(site), Layer::current());
        if let Some(error) = [loss, lr].into_iter().chain(grads).find_map(Tensor::error) {
            return Err(error.clone());
        }
        let trained = self
            .check(params, loss, lr)
            .and_then(|()| self.trained(params, grads))
            .map_err(fail)?;

        let norm = global_norm(&trained);
        let applied = match self.guard {
            true => loss.is_finite().logical_and(&norm.is_finite()),
            false => Tensor::full(1.0, DType::Bool, Shape::scalar()),
        };
        let kept_or = |new: Tensor, old: &Tensor| match self.guard {
            true => Tensor::select(&applied, &new, old),
            false => new,
        };

        let (counter, steps) =
            slot(store, "optim.step", EntryKind::Counter, DType::I64, &[]).map_err(fail)?;
        let next = &steps + 1.0;
        let now = next.cast(DType::F64);
        let mut writes = vec![(counter, kept_or(next, &steps))];

        let clip = self.clip_norm.map(|limit| {
            let share = Tensor::full_like(&norm, limit) / (&norm + 1e-6);
            share.minimum(&Tensor::full_like(&norm, 1.0))
        });
        let mut rules: Vec<(Treatment, Rule<'_>)> = Vec::new();
        for Trained { path, param, grad, treatment } in trained {
            let place = match rules.iter().position(|(known, _)| *known == treatment) {
                Some(place) => place,
                None => {
                    rules.push((treatment, self.rule(treatment, lr, &now)));
                    rules.len() - 1
                }
            };
            let mut slots = Vec::new();
            for name in self.optimizer.slots() {
                let name = format!("optim.{name}.{path}");
                let made = slot(store, &name, EntryKind::Optimizer, param.dtype(), param.shape());
                slots.push(made.map_err(fail)?);
            }
            let old: Vec<Tensor> = slots.iter().map(|(_, tensor)| tensor.clone()).collect();
            let update = (rules[place].1)(&param.tensor(), &self.clipped(grad, &clip), &old);
            let new = match treatment.max_norm {
                Some(limit) => shortened(&update.param, limit),
                None => update.param,
            };
            writes.push((param.id(), kept_or(new, &param.tensor())));
            let new = slots.into_iter().zip(update.slots);
            writes.extend(new.map(|((id, old), new)| (id, kept_or(new, &old))));
        }
        if let Some(error) = writes.iter().find_map(|(_, tensor)| tensor.error()) {
            return Err(error.clone());
        }
        Ok(Step { writes, grad_norm: norm, applied })
    }

    fn check(&self, params: &[(String, Param)], loss: &Tensor, lr: &Tensor) -> Result<(), OpError> {
        self.optimizer.check()?;
        let clips = [("clip_norm", self.clip_norm), ("clip_value", self.clip_value)];
        let lengths = self.groups.iter().map(|group| ("max_norm", group.max_norm));
        for (name, limit) in clips.into_iter().chain(lengths) {
            if let Some(limit) = limit.filter(|limit| !(limit.is_finite() && *limit > 0.0)) {
                return Err(OpError::argument(format!("{name} must be > 0, got {limit}")));
            }
        }
        for group in &self.groups {
            at_least_zero("lr_scale", group.lr_scale)?;
            at_least_zero("weight_decay", group.weight_decay.unwrap_or_default())?;
            if !params.iter().any(|(path, _)| group.matches(path)) {
                let what = format!("the group `{}` matches no parameter", group.pattern);
                let some: Vec<&str> =
                    params.iter().take(4).map(|(path, _)| path.as_str()).collect();
                let hint =
                    format!("the parameters are {}, …; * stands for any letters", some.join(", "));
                return Err(OpError::argument(what).hint(hint));
            }
        }
        if loss.rank() != 0 || !loss.dtype().is_float() {
            let (dtype, shape) = (loss.dtype(), loss.shape());
            return Err(OpError::shape(format!(
                "the loss must be a float scalar, got {dtype}{shape}"
            )));
        }
        if lr.rank() != 0 || lr.dtype() != DType::F64 {
            let (dtype, shape) = (lr.dtype(), lr.shape());
            let what = format!("the learning rate must be an f64 scalar, got {dtype}{shape}");
            return Err(OpError::dtype(what));
        }
        Ok(())
    }

    fn trained<'a>(
        &self,
        params: &'a [(String, Param)],
        grads: &[Tensor],
    ) -> Result<Vec<Trained<'a>>, OpError> {
        if params.len() != grads.len() {
            let (n, m) = (params.len(), grads.len());
            return Err(OpError::argument(format!("{n} parameters come with {m} gradients")));
        }
        let mut trained = Vec::new();
        for ((path, param), grad) in params.iter().zip(grads) {
            if grad.shape() != param.shape() || grad.dtype() != param.dtype() {
                let (want, got) = ((param.dtype(), param.shape()), (grad.dtype(), grad.shape()));
                return Err(OpError::shape(format!(
                    "`{path}` is {}{}, its gradient {}{}",
                    want.0, want.1, got.0, got.1
                )));
            }
            let group = self.group_of(path);
            if group.is_some_and(|group| group.frozen) {
                continue;
            }
            let treatment = Treatment {
                lr_scale: group.map_or(1.0, |group| group.lr_scale),
                weight_decay: group
                    .and_then(|group| group.weight_decay)
                    .unwrap_or(self.optimizer.weight_decay()),
                dtype: param.dtype(),
                max_norm: group.and_then(|group| group.max_norm),
            };
            trained.push(Trained { path, param, grad: grad.clone(), treatment });
        }
        match trained.is_empty() {
            true => Err(OpError::argument("no parameter is left to train")
                .hint("does a frozen group match all of them?")),
            false => Ok(trained),
        }
    }

    fn rule(&self, treatment: Treatment, lr: &Tensor, step: &Tensor) -> Rule<'_> {
        let Treatment { lr_scale, weight_decay, dtype, .. } = treatment;
        let lr = if lr_scale == 1.0 { lr.clone() } else { lr * lr_scale };
        self.optimizer.rule(Clock { lr: &lr, step, weight_decay, dtype })
    }

    fn clipped(&self, mut grad: Tensor, clip: &Option<Tensor>) -> Tensor {
        if let Some(share) = clip {
            grad = &grad * share.cast(grad.dtype());
        }
        if let Some(limit) = self.clip_value {
            let (least, greatest) =
                (Tensor::full_like(&grad, -limit), Tensor::full_like(&grad, limit));
            grad = grad.maximum(&least).minimum(&greatest);
        }
        grad
    }
}

/// `param` with rows of at most this length; a vector has no rows.
fn shortened(param: &Tensor, limit: f64) -> Tensor {
    if param.rank() < 2 {
        return param.clone();
    }
    let within: Vec<isize> = (1..param.rank() as isize).collect();
    let length = (param * param).sum(&within).sqrt();
    let whole = Tensor::full_like(&length, 1.0);
    let share = Tensor::full_like(&length, limit) / (&length + 1e-7);
    let share = Tensor::select(&length.gt(&Tensor::full_like(&length, limit)), &share, &whole);
    param * share.keepdim(param, &within)
}

/// √Σg², summed within each gradient in its own type and over the gradients in `f64`.
fn global_norm(trained: &[Trained<'_>]) -> Tensor {
    let squares = trained.iter().map(|one| (&one.grad * &one.grad).sum_all().cast(DType::F64));
    let total = squares.reduce(|a, b| a + b);
    total.unwrap_or_else(|| Tensor::scalar(0.0, DType::F64)).sqrt()
}

/// The entry `name` of the store, made of zeros where it is missing, and a read of it.
pub(super) fn slot(
    store: &mut Store,
    name: &str,
    kind: EntryKind,
    dtype: DType,
    shape: &[usize],
) -> Result<(StateId, Tensor), OpError> {
    let id = match (store.id_of(name), store.value(name)) {
        (Some(id), Some(value)) => {
            if value.dtype() != dtype || value.shape().dims() != shape {
                let (want, got) = (Shape::from(shape), value.shape());
                let got = format!("{}{got}", value.dtype());
                let what = format!("the store's `{name}` is {got}, needed is {dtype}{want}");
                return Err(OpError::shape(what).hint("it comes from another network"));
            }
            id
        }
        _ => store.insert(name, kind, Value::zeros(dtype, shape)),
    };
    Ok((id, Tensor::state(id, name, dtype, shape)))
}
