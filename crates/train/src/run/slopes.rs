//! Gradients beside slopes measured without any calculus: the reference executor computes the loss in `f64` with one
//! weight moved a little to each side. It is slow, and so a large network is checked in fewer places.

use std::collections::HashMap;

use serde::Serialize;
use thalweg_graph::reference::Data;
use thalweg_graph::{Error, Feed, RefValue, Reference, Tensor, Value, reachable};
use thalweg_nn::{Param, Store};

/// An entry of a gradient beside its measured slope.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Where it is.
    pub index: Vec<usize>,
    /// The gradient as training computes it, `f32`.
    pub gradient: f64,
    /// (L(w + h) − L(w − h)) / 2h in `f64`.
    pub slope: f64,
    /// |gradient − slope| over the greatest of the two and of 1e-5 times the step's greatest gradient: what is smaller
    /// than that is rounding in `f32`.
    pub difference: f64,
}

/// Entries of each parameter that are checked, where there is time.
const CHECKED: usize = 3;
/// The distance of the two sides of a measured slope, in `f64`.
const STEP: f64 = 1e-6;
/// The share of the greatest gradient below which others are lost in the rounding of `f32`.
const NOISE: f64 = 1e-5;
/// What all slopes of a step may cost together, in multiplications and elements: some ten seconds.
const BUDGET: f64 = 5e8;

/// The loss of a step as a function of its parameters.
pub(super) struct Slopes<'a> {
    loss: &'a Tensor,
    feeds: &'a [Feed<Value>],
    store: &'a Store,
    /// Gradients smaller than this are rounding.
    floor: f64,
    params: usize,
    /// Checks that the budget allows for all parameters together.
    allowed: usize,
}

impl Slopes<'_> {
    /// Of `loss` with its `gradients` by the parameters.
    pub(super) fn new<'a>(
        loss: &'a Tensor,
        feeds: &'a [Feed<Value>],
        store: &'a Store,
        gradients: &[Value],
    ) -> Slopes<'a> {
        let all = gradients.iter().flat_map(Value::to_f64);
        let floor = NOISE * all.map(f64::abs).fold(0.0, f64::max);
        let cost = |node: &Tensor| {
            (node.op().multiply_adds(node.inputs(), node) as f64).max(node.numel() as f64)
        };
        let cost: f64 = reachable(std::slice::from_ref(loss)).iter().map(cost).sum();
        let allowed = (BUDGET / (2.0 * cost.max(1.0))) as usize;
        Slopes { loss, feeds, store, floor, params: gradients.len(), allowed }
    }

    /// Checks entries of parameter number `place`: the one with the greatest gradient, and others down to the middle.
    /// Where there is no time for one of each parameter, some are left out, evenly.
    pub(super) fn check(
        &self,
        place: usize,
        param: &Param,
        value: &Value,
        gradient: &Value,
    ) -> Result<Vec<Check>, Error> {
        let gradients = gradient.to_f64();
        let mut order: Vec<usize> = (0..gradients.len()).collect();
        order.sort_by(|&a, &b| gradients[b].abs().total_cmp(&gradients[a].abs()));
        let before = |place: usize| place * self.allowed / self.params.max(1);
        let checks = (before(place + 1) - before(place)).min(CHECKED);
        let mut places: Vec<usize> = (0..checks).map(|i| i * order.len() / (2 * CHECKED)).collect();
        places.dedup();
        let indices: Vec<Vec<usize>> = gradient.shape().indices().collect();
        let each = places.into_iter().filter_map(|place| order.get(place)).map(|&entry| {
            let side = |by: f64| self.loss(Some((param, value, entry, by)));
            let slope = (side(STEP)? - side(-STEP)?) / (2.0 * STEP);
            let gradient = gradients[entry];
            let scale = gradient.abs().max(slope.abs()).max(self.floor);
            let gap = (gradient - slope).abs();
            let difference = if gap == 0.0 { 0.0 } else { gap / scale };
            Ok(Check { index: indices[entry].clone(), gradient, slope, difference })
        });
        each.collect()
    }

    /// The loss in `f64`, with one entry of a parameter moved where that is asked.
    pub(super) fn loss(&self, moved: Option<(&Param, &Value, usize, f64)>) -> Result<f64, Error> {
        let mut feeds: Vec<Feed<RefValue>> = (self.feeds.iter())
            .map(|feed| Feed {
                input: feed.input.clone(),
                value: RefValue::from_value(&feed.value),
            })
            .collect();
        let mut loss = self.loss.clone();
        if let Some((param, value, entry, by)) = moved {
            // A state holds `f32`, an input of the reference executor `f64`: so small a step needs the latter.
            let stand_in = Tensor::input("moved", param.dtype(), param.shape());
            loss = replace(&loss, &param.tensor(), &stand_in);
            let mut value = RefValue::from_value(value);
            if let Data::Float(entries) = &mut value.data {
                entries[entry] += by;
            }
            feeds.push(Feed { input: stand_in, value });
        }
        let value = Reference::wide().evaluate(&[loss], &feeds, self.store)?;
        Ok(value.first().and_then(|loss| loss.floats().first().copied()).unwrap_or(f64::NAN))
    }
}

/// The graph of `root` with `new` in the place of the node `old`.
fn replace(root: &Tensor, old: &Tensor, new: &Tensor) -> Tensor {
    let mut made: HashMap<u64, Tensor> = HashMap::from([(old.id(), new.clone())]);
    for node in reachable(std::slice::from_ref(root)) {
        let inputs: Vec<Tensor> = (node.inputs().iter())
            .map(|input| made.get(&input.id()).unwrap_or(input).clone())
            .collect();
        let changed = inputs.iter().zip(node.inputs()).any(|(a, b)| a.id() != b.id());
        if changed {
            made.insert(node.id(), node.with_inputs(&inputs));
        }
    }
    made.get(&root.id()).unwrap_or(root).clone()
}
