//! The learner's microscope: one training step followed layer by layer, with every gradient checked.
//!
//! Values, gradients and updates are those of the executor that trains, in `f32`. Beside them stand slopes measured
//! without any calculus: the reference executor computes the loss in `f64` with one weight moved a little to each
//! side. Where the two agree, backpropagation is right.

use serde::Serialize;
use thalweg_data::{Dataset, Scaling};
use thalweg_graph::{DType, Executor, Feed, StateId, States, Tensor, Value, grad};
use thalweg_nn::{Dag, LayerSpec, Mode, NodeSpec, Param, Store, Updater, parameters};

use super::error::RunError;
use super::findings::findings;
use super::layers::{Traced, formula, trace};
pub use super::slopes::Check;
use super::slopes::Slopes;
use crate::goal::Goal;
use crate::{Part, Sample, Trainer};

/// How a step is looked at.
pub struct Microscope<'a> {
    /// The network with its values, which are not changed, its loss, and what runs it.
    pub trainer: &'a Trainer<Dag>,
    /// What makes new weights of gradients; it begins anew here, without moments from earlier steps.
    pub updater: &'a Updater,
    /// The learning rate.
    pub lr: f64,
    /// Decides what dropout drops.
    pub seed: u64,
}

/// One step.
#[derive(Clone, Debug, Serialize)]
pub struct StepReport {
    /// Rows of the batch.
    pub rows: usize,
    /// The loss of the batch, without penalties.
    pub loss: f64,
    /// The same computed in `f64` by the reference executor.
    pub loss_f64: f64,
    /// The learning rate.
    pub lr: f64,
    /// The norm of the gradient of all parameters together.
    pub grad_norm: f64,
    /// The greatest relative difference between a gradient and its measured slope.
    pub worst_difference: f64,
    /// Parameters of which no gradient was checked, since measuring slopes would take too long.
    pub unchecked: usize,
    /// What goes in.
    pub input: Summary,
    /// Layer by layer.
    pub layers: Vec<LayerStep>,
}

/// One layer in the step.
#[derive(Clone, Debug, Serialize)]
pub struct LayerStep {
    /// Its path in the network.
    pub path: String,
    /// What it is.
    pub kind: String,
    /// What it computes.
    pub forward: &'static str,
    /// What backpropagation makes of that.
    pub backward: &'static str,
    /// Its output.
    pub value: Summary,
    /// The gradient of the loss by its output.
    pub gradient: Summary,
    /// Its parameters.
    pub parameters: Vec<ParameterStep>,
    /// What looks unhealthy.
    pub findings: Vec<String>,
}

/// One parameter in the step.
#[derive(Clone, Debug, Serialize)]
pub struct ParameterStep {
    /// Its name in the store.
    pub name: String,
    /// Its value before the step.
    pub value: Summary,
    /// The gradient of the loss by it.
    pub gradient: Summary,
    /// ‖new − old‖ / ‖old‖; null where the old value is 0 everywhere.
    pub update_ratio: Option<f64>,
    /// Entries whose gradient was checked.
    pub checks: Vec<Check>,
}

/// Numbers in short.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Their shape.
    pub shape: Vec<usize>,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation (over n).
    pub std: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// √Σx².
    pub norm: f64,
    /// The first few.
    pub first: Vec<f64>,
}

/// Numbers in an excerpt.
const EXCERPT: usize = 5;

/// The graph of a step and what is fed to it.
struct Step {
    traced: Traced,
    lr: Tensor,
    loss: Tensor,
    params: Vec<(String, Param)>,
    feeds: Vec<Feed<Value>>,
}

/// What of a step is to be computed: the loss and the norm of the gradient; of each layer the output, then of each
/// its gradient; of each parameter its gradient; and the new values of the states.
struct Asked {
    outputs: Vec<Tensor>,
    writes: Vec<(StateId, Tensor)>,
}

impl Microscope<'_> {
    /// Follows one step on the given rows.
    ///
    /// # Errors
    /// [`RunError`], where data, network and loss do not fit together.
    pub fn look(
        &self,
        data: &Dataset,
        scaling: &Scaling,
        rows: &[usize],
    ) -> Result<StepReport, RunError> {
        let step = self.step(data, scaling, rows)?;
        let mut after = self.trainer.store().deep_clone();
        let Asked { outputs: asked, writes, .. } = self.ask(&step, &mut after)?;
        let values = self.trainer.cpu().run(&asked, &writes, &step.feeds, &mut after)?;
        let (scalars, values) = values.split_at(2);
        let (layer_values, values) = values.split_at(step.traced.layers.len());
        let (layer_grads, param_grads) = values.split_at(step.traced.layers.len());

        let slopes = Slopes::new(&step.loss, &step.feeds, self.trainer.store(), param_grads);
        let mut parameters = self.parameters(&step, &slopes, param_grads, &after)?;
        let unchecked = parameters.iter().filter(|parameter| parameter.checks.is_empty()).count();
        let checks = parameters.iter().flat_map(|parameter| &parameter.checks);
        let worst_difference = checks.map(|check| check.difference).fold(0.0, f64::max);
        let layers = step.traced.layers.iter().zip(layer_values).zip(layer_grads);
        let layers = layers.map(|(((layer, _), value), gradient)| {
            let path = layer.path().unwrap_or_default().to_string();
            let spec = node_at(self.trainer.network().nodes(), &path);
            let [forward, backward] = spec.map_or(["y = f(x)", "∂L/∂x = g·f′(x)"], formula);
            let owned = |p: &mut ParameterStep| {
                p.name.rsplit_once('.').map_or("", |(owner, _)| owner) == path
            };
            let own = parameters.extract_if(.., owned).collect();
            LayerStep {
                kind: layer.kind().to_string(),
                forward,
                backward,
                value: Summary::of(value),
                gradient: Summary::of(gradient),
                parameters: own,
                findings: spec.map_or(vec![], |spec| findings(spec, value)),
                path,
            }
        });
        Ok(StepReport {
            rows: rows.len(),
            loss: scalars[0].item().unwrap_or(f64::NAN),
            loss_f64: slopes.loss(None)?,
            lr: self.lr,
            grad_norm: scalars[1].item().unwrap_or(f64::NAN),
            worst_difference,
            unchecked,
            input: Summary::of(&step.feeds[0].value),
            layers: layers.collect(),
        })
    }

    /// The ops of a step on these rows that run by their reference kernel, for want of a fast one.
    ///
    /// # Errors
    /// As [`Microscope::look`].
    pub fn slow_ops(
        &self,
        data: &Dataset,
        scaling: &Scaling,
        rows: &[usize],
    ) -> Result<Vec<&'static str>, RunError> {
        let step = self.step(data, scaling, rows)?;
        let Asked { outputs, writes } = self.ask(&step, &mut self.trainer.store().deep_clone())?;
        let inputs: Vec<Tensor> = step.feeds.iter().map(|feed| feed.input.clone()).collect();
        let mut ops = self.trainer.cpu().compile(&inputs, &outputs, &writes)?.slow_ops();
        ops.sort_unstable();
        ops.dedup();
        Ok(ops)
    }

    /// Everything that a look at the step needs, as tensors.
    fn ask(&self, step: &Step, store: &mut Store) -> Result<Asked, RunError> {
        let layers: Vec<Tensor> = step.traced.layers.iter().map(|(_, y)| y.clone()).collect();
        let states = step.params.iter().map(|(_, param)| param.tensor());
        let wrt: Vec<Tensor> = layers.iter().cloned().chain(states).collect();
        let grads = grad(&step.loss, &wrt)?;
        let param_grads = &grads[layers.len()..];
        let update = self.updater.build(store, &step.params, param_grads, &step.loss, &step.lr)?;
        let mut outputs = vec![step.loss.clone(), update.grad_norm];
        outputs.extend(layers.into_iter().chain(grads));
        Ok(Asked { outputs, writes: update.writes })
    }

    fn step(&self, data: &Dataset, scaling: &Scaling, rows: &[usize]) -> Result<Step, RunError> {
        let Trainer { network, loss, aim, .. } = self.trainer;
        let goal = Goal::new(loss, aim, data)?;
        let traced = trace(network, &Sample::from(&data.features), rows.len())?;
        goal.check(&traced.output, &traced.x, Mode::Train)?;
        let mut x_value = Value::zeros(traced.x.dtype(), traced.x.shape());
        match data.features.is_ids() {
            true => data.features.fill_ids(rows, x_value.as_mut_slice().unwrap_or_default())?,
            false => {
                data.features.fill(rows, scaling, x_value.as_mut_slice().unwrap_or_default())?
            }
        }
        let y = goal.target(rows.len());
        let mut y_value = Value::zeros(y.dtype(), y.shape());
        goal.kind.fill(&Part { data, rows, scaling }, rows, &mut y_value)?;
        let lr = Tensor::input("learning rate", DType::F64, thalweg_graph::Shape::scalar());
        let loss = goal.loss(&traced.output, &traced.x, &y).ok()?;
        let key = Value::from_slice(&[self.seed as i64, 0]);
        let feed = |input: &Tensor, value| Feed { input: input.clone(), value };
        let feeds = vec![
            feed(&traced.x, x_value),
            feed(&y, y_value),
            feed(&lr, Value::scalar(self.lr)),
            feed(&traced.key, key),
        ];
        Ok(Step { params: parameters(network), traced, lr, loss, feeds })
    }

    fn parameters(
        &self,
        step: &Step,
        slopes: &Slopes,
        gradients: &[Value],
        after: &Store,
    ) -> Result<Vec<ParameterStep>, RunError> {
        let each = step.params.iter().zip(gradients).enumerate();
        let each = each.map(|(place, ((name, param), gradient))| {
            let missing = || Value::zeros(param.dtype(), param.shape());
            let old = self.trainer.store().get(param.id()).cloned().unwrap_or_else(missing);
            let new = after.get(param.id()).cloned().unwrap_or_else(missing);
            let moved: Vec<f64> =
                new.to_f64().iter().zip(old.to_f64()).map(|(new, old)| new - old).collect();
            let (size, moved) = (norm(&old.to_f64()), norm(&moved));
            Ok(ParameterStep {
                name: name.clone(),
                value: Summary::of(&old),
                gradient: Summary::of(gradient),
                update_ratio: (size > 0.0).then(|| moved / size),
                checks: slopes.check(place, param, &old, gradient)?,
            })
        });
        each.collect()
    }
}

/// The layer of the node that is called `path`; a layer within a node has no description of its own.
fn node_at<'a>(nodes: &'a [NodeSpec], path: &str) -> Option<&'a LayerSpec> {
    let called = |(place, node): &(usize, &NodeSpec)| match &node.name {
        Some(name) => name == path,
        None => path.parse() == Ok(*place),
    };
    nodes.iter().enumerate().find(called).map(|(_, node)| &node.layer)
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>().sqrt()
}

impl Summary {
    fn of(value: &Value) -> Summary {
        let values = value.to_f64();
        let n = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
        Summary {
            shape: value.shape().to_vec(),
            mean,
            std: variance.sqrt(),
            min: values.iter().copied().fold(f64::INFINITY, f64::min),
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            norm: norm(&values),
            first: values.into_iter().take(EXCERPT).collect(),
        }
    }
}
