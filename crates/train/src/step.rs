//! The computations of a training as graphs: a step with its gradients and updates, an evaluation, a prediction.
//!
//! Everything that changes from step to step is an input: the batch, the learning rate, the key of the step's
//! randomness, the batch's share of its step. So one compiled program serves all steps with the same number of rows.

use thalweg_graph::{DType, Error, Layer, StateId, Tensor, grad_or_none, ops, reachable};
use thalweg_nn::augment::mixup;
use thalweg_nn::context::{key_input, trace};
use thalweg_nn::losses::{l1_penalty, l2_penalty};
use thalweg_nn::optim::{Accumulator, Updater};
use thalweg_nn::{Forward, GaussianNoise, Mode, Network, Param, Store, Trace, parameters, states};

use crate::aim::Aim;
use crate::error::TrainError;
use crate::goal::Goal;
use crate::sample::Sample;

/// The placeholders of a computation, in the order in which they are fed.
pub(crate) struct Inputs {
    /// The samples, `[rows, sample…]`: `f32`, or `i64` for ids.
    x: Tensor,
    /// The targets.
    y: Tensor,
    /// The learning rate, an `f64` scalar.
    lr: Tensor,
    /// `[seed, batch]`: the randomness of a step.
    key: Tensor,
    /// The batch's share of the rows of its step, an `f64` scalar.
    share: Tensor,
}

/// A computation.
pub(crate) struct Graph {
    pub(crate) inputs: Inputs,
    pub(crate) outputs: Vec<Tensor>,
    pub(crate) updates: Vec<(StateId, Tensor)>,
    /// Parameters on which the loss does not depend.
    pub(crate) unreached: Vec<String>,
}

/// What a training step minimises beside its loss, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Terms {
    pub(crate) l1: f64,
    pub(crate) l2: f64,
    /// α of mix-up; 0 for none.
    pub(crate) mixup: f64,
    /// The standard deviation of noise on the samples; 0 for none.
    pub(crate) noise: f64,
    /// Whether a step has several batches.
    pub(crate) accumulate: bool,
}

/// Whether a batch ends its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Its gradients wait for those of the next.
    Within,
    /// The optimizer makes its step.
    Last,
}

/// The outputs of a step, `f64` scalars in this order; a batch within a step ends at `CORRECT`.
pub(crate) mod output {
    /// The loss.
    pub(crate) const LOSS: usize = 0;
    /// The loss with penalties.
    pub(crate) const OBJECTIVE: usize = 1;
    /// Rows (places of sequences) whose class was predicted.
    pub(crate) const CORRECT: usize = 2;
    /// The norm of the gradient.
    pub(crate) const GRAD_NORM: usize = 3;
    /// 1 where the step was applied, 0 where the guard held it back.
    pub(crate) const APPLIED: usize = 4;
}

impl Inputs {
    pub(crate) fn new(goal: &Goal, sample: &Sample, rows: usize) -> Inputs {
        Inputs { y: goal.target(rows), ..Inputs::of_features(sample, rows) }
    }

    /// For a prediction, which has no targets.
    pub(crate) fn of_features(sample: &Sample, rows: usize) -> Inputs {
        Inputs {
            x: sample.placeholder(rows),
            y: Tensor::input("target", DType::F32, [0]),
            lr: Tensor::input("learning rate", DType::F64, []),
            key: key_input(),
            share: Tensor::input("share", DType::F64, []),
        }
    }

    pub(crate) fn in_order(&self) -> [Tensor; 5] {
        [&self.x, &self.y, &self.lr, &self.key, &self.share].map(Tensor::clone)
    }
}

/// The output of `network` for `rows` samples of a shape, in use.
pub(crate) fn output_of<N: Network>(
    network: &N,
    sample: &Sample,
    rows: usize,
) -> Result<Tensor, Error> {
    in_use(network, &sample.placeholder(rows), &key_input())
}

fn in_use<N: Network>(network: &N, x: &Tensor, key: &Tensor) -> Result<Tensor, Error> {
    trace(Mode::Eval, key, || network.forward(x)).result.ok()
}

/// The forward and backward pass of a batch.
struct Passes {
    output: Tensor,
    loss: Tensor,
    /// The loss with penalties.
    objective: Tensor,
    params: Vec<(String, Param)>,
    grads: Vec<Tensor>,
    unreached: Vec<String>,
    /// What layers keep: running statistics.
    writes: Vec<(StateId, Tensor)>,
}

fn passes<N: Network>(
    network: &N,
    goal: &Goal,
    updater: &Updater,
    terms: Terms,
    inputs: &Inputs,
) -> Result<Passes, TrainError> {
    let traced = trace(Mode::Train, &inputs.key, || {
        let (x, y) = match terms.mixup > 0.0 {
            true => mixup(&inputs.x, &goal.soft(&inputs.x, &inputs.y), terms.mixup),
            false => (inputs.x.clone(), inputs.y.clone()),
        };
        let seen = match terms.noise > 0.0 {
            true => GaussianNoise::new(terms.noise).forward(&x),
            false => x.clone(),
        };
        (network.forward(&seen), x, y)
    });
    let Trace { result: (output, x, y), writes, penalties } = traced;
    let output = output.ok()?;
    // In use a network of members answers as one; another axis is a mistake.
    goal.check(&in_use(network, &inputs.x, &inputs.key)?, &inputs.x, Mode::Eval)?;
    goal.check(&output, &x, Mode::Train)?;
    let loss = goal.loss(&output, &x, &y).ok()?;
    let params = parameters(network);
    let mut terms_of_layers = Vec::with_capacity(penalties.len());
    for term in penalties {
        terms_of_layers.push(term.cast(loss.dtype()).ok()?);
    }
    let penalty =
        penalty(&params, updater, terms).into_iter().chain(terms_of_layers).reduce(|a, b| a + b);
    let with = |loss: &Tensor, penalty: &Option<Tensor>| match penalty {
        Some(penalty) => loss + penalty,
        None => loss.clone(),
    };
    // With several batches to a step, their weighted sum is to be the loss of all their rows together.
    let weighted = match terms.accumulate {
        true => {
            let share = inputs.share.cast(loss.dtype());
            let part = if goal.is_sum() { loss.clone() } else { &loss * &share };
            with(&part, &penalty.as_ref().map(|penalty| penalty * &share))
        }
        false => with(&loss, &penalty),
    };
    let tensors: Vec<Tensor> = params.iter().map(|(_, param)| param.tensor()).collect();
    let found = grad_or_none(&weighted, None, &tensors)?;
    let unreached = params.iter().zip(&found).filter(|(_, grad)| grad.is_none());
    let unreached = unreached.map(|((path, _), _)| path.clone()).collect();
    let grads = found.into_iter().zip(&tensors);
    let grads = grads.map(|(grad, param)| grad.unwrap_or_else(|| param.zeros_like())).collect();
    let objective = with(&loss, &penalty);
    Ok(Passes { objective, output, loss, params, grads, unreached, writes })
}

/// λ₁Σ|w| + λ₂Σw² over the weights that are trained; biases and scales have one axis.
fn penalty(params: &[(String, Param)], updater: &Updater, terms: Terms) -> Option<Tensor> {
    let weights: Vec<Tensor> = params
        .iter()
        .filter(|(path, param)| param.shape().rank() >= 2 && !updater.is_frozen(path))
        .map(|(_, param)| param.tensor())
        .collect();
    let l1 = (terms.l1 > 0.0).then(|| l1_penalty(&weights) * terms.l1);
    let l2 = (terms.l2 > 0.0).then(|| l2_penalty(&weights) * terms.l2);
    match (l1, l2) {
        (Some(l1), Some(l2)) => Some(l1 + l2),
        (l1, l2) => l1.or(l2),
    }
}

/// A batch of training. The store gets the optimizer's entries.
pub(crate) fn training<N: Network>(
    network: &N,
    goal: &Goal,
    updater: &Updater,
    terms: Terms,
    place: Place,
    store: &mut Store,
    inputs: Inputs,
) -> Result<Graph, TrainError> {
    let Passes { output, loss, objective, params, grads, unreached, writes } =
        passes(network, goal, updater, terms, &inputs)?;
    let correct = goal.hits(&goal.scores(&output), &inputs.y);
    let mut outputs = vec![loss.cast(DType::F64), objective.cast(DType::F64), correct];
    let scale = Tensor::scalar(1.0, DType::F64);
    let (mut updates, applied) = match place {
        Place::Within => {
            let sums = Accumulator::new(store, &params, updater)?;
            (sums.add(&grads, &scale)?, objective.is_finite())
        }
        Place::Last => {
            let lr = &inputs.lr;
            let step = match terms.accumulate {
                true => Accumulator::new(store, &params, updater)?
                    .build(updater, store, &params, &grads, &scale, &objective, lr)?,
                false => updater.build(store, &params, &grads, &objective, lr)?,
            };
            outputs.extend([step.grad_norm, step.applied.cast(DType::F64)]);
            (step.writes, step.applied)
        }
    };
    let kept = states(network);
    updates.extend(writes.into_iter().map(|(id, new)| {
        match kept.iter().find(|(_, param)| param.id() == id) {
            Some((_, old)) if updater.guard => (id, Tensor::select(&applied, &new, &old.tensor())),
            _ => (id, new),
        }
    }));
    Ok(Graph { inputs, outputs, updates, unreached })
}

/// What a doctor looks at in a batch of training.
pub(crate) struct Looked {
    /// The loss with penalties.
    pub(crate) objective: Tensor,
    /// What relu, sigmoid and tanh put out, and whose it is; not what the network ends with.
    pub(crate) activations: Vec<(String, Tensor)>,
    /// The gradients of the parameters that are trained.
    pub(crate) grads: Vec<(String, Tensor)>,
}

/// The passes of a batch, to be looked at.
pub(crate) fn look<N: Network>(
    network: &N,
    goal: &Goal,
    updater: &Updater,
    terms: Terms,
    inputs: &Inputs,
) -> Result<Looked, TrainError> {
    let Passes { objective, output, params, grads, .. } =
        passes(network, goal, updater, terms, inputs)?;
    let mut activations = Vec::new();
    for node in reachable(std::slice::from_ref(&objective)) {
        let op = node.op().name();
        // Other activations have these inside; there they tell nothing.
        let is_plain = |layer: &Layer| layer.kind().to_lowercase() == op;
        if let Some(layer) = node.layer()
            && ["relu", "sigmoid", "tanh"].contains(&op)
            && is_plain(layer)
            && node.id() != output.id()
        {
            let name = layer.path().unwrap_or(layer.kind());
            activations.push((name.to_owned(), node.clone()));
        }
    }
    let params = params.into_iter().map(|(path, _)| path).zip(grads);
    let grads = params.filter(|(path, _)| !updater.is_frozen(path)).collect();
    Ok(Looked { objective, activations, grads })
}

/// An evaluation: the sum of the rows' losses as an `f64` scalar, and the scores.
pub(crate) fn evaluation<N: Network>(
    network: &N,
    goal: &Goal,
    inputs: Inputs,
) -> Result<Graph, TrainError> {
    let output = in_use(network, &inputs.x, &inputs.key)?;
    goal.check(&output, &inputs.x, Mode::Eval)?;
    let loss = goal.summed().loss(&output.cast(DType::F64), &inputs.x, &inputs.y).ok()?;
    let outputs = vec![loss, goal.scores(&output)];
    Ok(Graph { inputs, outputs, updates: vec![], unreached: vec![] })
}

/// A prediction: the output, in the units of the targets.
pub(crate) fn prediction<N: Network>(
    network: &N,
    aim: &Aim,
    inputs: Inputs,
) -> Result<Graph, TrainError> {
    let output = in_use(network, &inputs.x, &inputs.key)?;
    Ok(Graph { inputs, outputs: vec![aim.said(&output).ok()?], updates: vec![], unreached: vec![] })
}

/// Whether each intermediate result of a training batch is finite, one `bool` scalar each, in the order of computation,
/// and what each of them is called.
pub(crate) fn diagnosis<N: Network>(
    network: &N,
    goal: &Goal,
    updater: &Updater,
    terms: Terms,
    inputs: Inputs,
) -> Result<(Graph, Vec<String>), TrainError> {
    let Passes { objective, grads, .. } = passes(network, goal, updater, terms, &inputs)?;
    let mut nodes = reachable(std::slice::from_ref(&objective));
    let forward = nodes.len();
    let known: std::collections::HashSet<u64> = nodes.iter().map(Tensor::id).collect();
    nodes.extend(reachable(&grads).into_iter().filter(|node| !known.contains(&node.id())));
    let (mut outputs, mut names) = (Vec::new(), Vec::new());
    for (place, node) in nodes.into_iter().enumerate() {
        // A constant may be infinite on purpose, and is nobody's result.
        let is_result = !node.inputs().is_empty() || node.op().downcast::<ops::State>().is_some();
        if node.dtype().is_float() && is_result {
            outputs.push(node.is_finite().all(&node.all_axes()));
            names.push(called(&node, place >= forward));
        }
    }
    Ok((Graph { inputs, outputs, updates: vec![], unreached: vec![] }, names))
}

fn called(node: &Tensor, backward: bool) -> String {
    let of = if backward { "the gradient of " } else { "" };
    match (node.op().downcast::<ops::State>(), node.layer().map(|layer| Layer::to_string(layer))) {
        (Some(state), _) => format!("the parameter `{}`", state.name),
        (None, Some(layer)) => format!("{of}{layer}, in {}", node.op().name()),
        (None, None) if backward => format!("{of}the loss, in {}", node.op().name()),
        (None, None) => format!("the loss, in {}", node.op().name()),
    }
}
