//! Looking into a network while it learns: the same passes as a training step, on a few rows, with other outputs and
//! no updates. What is seen changes no bit of the training.

use serde::{Deserialize, Serialize};
use thalweg_cpu::Cpu;
use thalweg_graph::{DType, Tensor};
use thalweg_nn::{Network, Store, Updater};

use crate::error::TrainError;
use crate::goal::Goal;
use crate::programs::{Compiled, number};
use crate::sample::Sample;
use crate::step::{self, Graph, Inputs, Terms};

/// The slope below which a sigmoid or tanh counts as saturated, of a greatest slope of 1: as in `inspect --step`.
const FLAT: f64 = 0.04;

/// What is looked at in an activation.
#[derive(Clone, Debug)]
enum Watched {
    /// Which units of a relu are active for any row.
    Active,
    /// The share of outputs of a sigmoid or tanh that are saturated.
    Saturated,
}

/// The compiled passes.
pub(crate) struct Probe {
    pub(crate) compiled: Compiled,
    pub(crate) rows: usize,
    /// Path and kind of each layer that is watched.
    activations: Vec<(String, Watched)>,
    /// Names of the parameters.
    params: Vec<String>,
}

/// What was seen in some rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// The loss with penalties.
    pub(crate) objective: f64,
    /// Layers with relu: which of their units were active.
    pub(crate) active: Vec<(String, Vec<bool>)>,
    /// Layers with sigmoid or tanh: the share of saturated outputs.
    pub(crate) saturated: Vec<(String, f64)>,
    /// Parameters: the root of the mean square of their gradient.
    pub(crate) grads: Vec<(String, f64)>,
}

impl Probe {
    pub(crate) fn new<N: Network>(
        network: &N,
        goal: &Goal,
        updater: &Updater,
        terms: Terms,
        cpu: &Cpu,
        sample: &Sample,
        rows: usize,
    ) -> Result<Probe, TrainError> {
        let inputs = Inputs::new(goal, sample, rows);
        let looked = step::look(network, goal, updater, terms, &inputs)?;
        let mut outputs = vec![looked.objective.cast(DType::F64)];
        let mut activations = Vec::new();
        for (layer, y) in &looked.activations {
            let (watched, output) = match y.op().name() {
                "relu" => (Watched::Active, y.max(&all_but_units(y))),
                "sigmoid" => {
                    let slope = (Tensor::full_like(y, 1.0) - y) * y * 4.0;
                    (Watched::Saturated, share_below(&slope))
                }
                _ => (Watched::Saturated, share_below(&(Tensor::full_like(y, 1.0) - y * y))),
            };
            activations.push((layer.clone(), watched));
            outputs.push(output.cast(DType::F64));
        }
        let (params, grads): (Vec<String>, Vec<Tensor>) = looked.grads.into_iter().unzip();
        for grad in grads {
            let grad = grad.cast(DType::F64);
            outputs.push((&grad * &grad).mean_all().sqrt());
        }
        let graph = Graph { inputs, outputs, updates: vec![], unreached: vec![] };
        Ok(Probe { compiled: Compiled::new(cpu, &graph)?, rows, activations, params })
    }

    /// Looks at what [`Probe::compiled`] was fed.
    pub(crate) fn look(&mut self, cpu: &Cpu, store: &mut Store) -> Result<Seen, TrainError> {
        let outputs = self.compiled.run(cpu, store)?;
        let mut seen = Seen { objective: number(&outputs[0]), ..Seen::default() };
        let (activations, grads) = outputs[1..].split_at(self.activations.len());
        for ((layer, watched), output) in self.activations.iter().zip(activations) {
            match watched {
                Watched::Active => {
                    let active = output.to_f64().into_iter().map(|most| most > 0.0).collect();
                    seen.active.push((layer.clone(), active));
                }
                Watched::Saturated => seen.saturated.push((layer.clone(), number(output))),
            }
        }
        seen.grads = self.params.iter().cloned().zip(grads.iter().map(number)).collect();
        Ok(seen)
    }
}

/// Every axis but that of the units: the channels of images, else the last one.
fn all_but_units(y: &Tensor) -> Vec<isize> {
    let units = if y.rank() == 4 { 1 } else { y.rank() - 1 };
    (0..y.rank()).filter(|axis| *axis != units).map(|axis| axis as isize).collect()
}

fn share_below(slope: &Tensor) -> Tensor {
    let limit = Tensor::full_like(slope, FLAT);
    slope.lt(&limit).cast(DType::F64).mean_all()
}
