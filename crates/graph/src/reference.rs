//! The reference executor: every op by its naive kernel, one after the other.
//!
//! It is the specification. Floats are computed in `f64` and rounded to the tensor's type after each op
//! (in [`Reference::wide`] mode they are not, which makes it precise enough for gradient checks).

use std::collections::HashMap;

use crate::dtype::DType;
use crate::error::{Error, ErrorKind, OpError};
use crate::executor::{Executor, Feed, StateId, States};
use crate::ops::{Input, State};
use crate::shape::Shape;
use crate::tensor::{Tensor, reachable};
use crate::value::Value;

/// The elements of a value inside the reference executor.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// Elements of an `f32` or `f64` tensor.
    Float(Vec<f64>),
    /// Elements of an integer or `bool` tensor.
    Int(Vec<i64>),
}

/// A value inside the reference executor.
#[derive(Clone, Debug)]
pub struct RefValue {
    /// The extents.
    pub shape: Shape,
    /// The element type that the elements stand for.
    pub dtype: DType,
    /// The elements, row-major.
    pub data: Data,
}

impl RefValue {
    /// Reads a host value.
    pub fn from_value(value: &Value) -> RefValue {
        let data = match value.dtype().is_float() {
            true => Data::Float(value.to_f64()),
            false => Data::Int(value.to_i64()),
        };
        RefValue { shape: value.shape().clone(), dtype: value.dtype(), data }
    }

    /// Writes a host value of the type that the elements stand for.
    pub fn to_value(&self) -> Value {
        let made = match &self.data {
            Data::Float(x) => Value::from_f64(self.dtype, x, &self.shape),
            Data::Int(x) => Value::from_i64(self.dtype, x, &self.shape),
        };
        made.unwrap_or_else(|| Value::zeros(self.dtype, &self.shape))
    }

    /// The elements as floats; integers are converted.
    pub fn floats(&self) -> Vec<f64> {
        match &self.data {
            Data::Float(x) => x.clone(),
            Data::Int(x) => x.iter().map(|&x| x as f64).collect(),
        }
    }

    /// The elements as integers; floats truncate and saturate.
    pub fn ints(&self) -> Vec<i64> {
        match &self.data {
            Data::Float(x) => x.iter().map(|&x| x as i64).collect(),
            Data::Int(x) => x.clone(),
        }
    }

    fn settle(mut self, wide: bool) -> RefValue {
        match &mut self.data {
            Data::Float(x) if self.dtype == DType::F32 && !wide => {
                x.iter_mut().for_each(|x| *x = *x as f32 as f64)
            }
            Data::Float(_) => {}
            Data::Int(x) => x.iter_mut().for_each(|x| *x = self.dtype.wrap_int(*x)),
        }
        self
    }
}

impl Data {
    /// Elements of `self` at `places`.
    pub fn pick(&self, places: impl Iterator<Item = usize>) -> Data {
        match self {
            Data::Float(x) => Data::Float(places.map(|i| x[i]).collect()),
            Data::Int(x) => Data::Int(places.map(|i| x[i]).collect()),
        }
    }
}

/// Runs graphs by their ops' reference kernels.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference {
    wide: bool,
}

impl Reference {
    /// `f32` results are rounded to `f32` after each op.
    pub fn new() -> Self {
        Reference { wide: false }
    }

    /// Everything is computed and kept in `f64`, whatever the tensors' types say.
    pub fn wide() -> Self {
        Reference { wide: true }
    }

    /// Evaluates `outputs`, keeping the wide values.
    pub fn evaluate(
        &self,
        outputs: &[Tensor],
        feeds: &[Feed<RefValue>],
        states: &dyn States,
    ) -> Result<Vec<RefValue>, Error> {
        if let Some(error) = outputs.iter().find_map(Tensor::error) {
            return Err(error.clone());
        }
        let nodes = reachable(outputs);
        let mut uses: HashMap<u64, usize> = HashMap::new();
        for tensor in nodes.iter().flat_map(|n| n.inputs()).chain(outputs) {
            *uses.entry(tensor.id()).or_default() += 1;
        }
        let mut values: HashMap<u64, RefValue> = HashMap::new();
        for node in &nodes {
            let value = self.node(node, &values, feeds, states)?;
            for input in node.inputs() {
                if let Some(left) = uses.get_mut(&input.id()) {
                    *left -= 1;
                    if *left == 0 {
                        values.remove(&input.id());
                    }
                }
            }
            values.insert(node.id(), value);
        }
        Ok(outputs.iter().filter_map(|t| values.get(&t.id()).cloned()).collect())
    }

    fn node(
        &self,
        node: &Tensor,
        values: &HashMap<u64, RefValue>,
        feeds: &[Feed<RefValue>],
        states: &dyn States,
    ) -> Result<RefValue, Error> {
        let missing = |what: String| node.error_here(OpError::new(ErrorKind::Missing, what));
        let fed = if let Some(input) = node.op().downcast::<Input>() {
            let feed = feeds.iter().find(|f| f.input.id() == node.id());
            let feed =
                feed.ok_or_else(|| missing(format!("input `{}` was not fed", input.name)))?;
            Some(feed.value.clone())
        } else if let Some(state) = node.op().downcast::<State>() {
            let value = states.get(state.id).ok_or_else(|| {
                missing(format!("state `{}` has no value in this store", state.name))
            })?;
            Some(RefValue::from_value(value))
        } else {
            None
        };
        if let Some(value) = fed {
            if value.shape != *node.shape() || value.dtype != node.dtype() {
                let (want, have) = ((node.dtype(), node.shape()), (value.dtype, &value.shape));
                return Err(missing(format!(
                    "expects {}{}, got {}{}",
                    want.0, want.1, have.0, have.1
                )));
            }
            return Ok(value);
        }
        let inputs: Vec<RefValue> =
            node.inputs().iter().filter_map(|t| values.get(&t.id()).cloned()).collect();
        let data = (node.op().reference(&inputs, node.shape(), node.dtype()))
            .map_err(|e| node.error_here(e))?;
        let value = RefValue { shape: node.shape().clone(), dtype: node.dtype(), data };
        Ok(value.settle(self.wide))
    }
}

impl Executor for Reference {
    fn run(
        &self,
        outputs: &[Tensor],
        updates: &[(StateId, Tensor)],
        feeds: &[Feed<Value>],
        states: &mut dyn States,
    ) -> Result<Vec<Value>, Error> {
        let feeds: Vec<Feed<RefValue>> = (feeds.iter())
            .map(|f| Feed { input: f.input.clone(), value: RefValue::from_value(&f.value) })
            .collect();
        let mut all = outputs.to_vec();
        all.extend(updates.iter().map(|(_, t)| t.clone()));
        let mut values = self.evaluate(&all, &feeds, states)?;
        // Every update is checked before the first one is written: a failed run leaves no trace.
        for (id, tensor) in updates {
            let what = match states.get(*id) {
                Some(old) if old.shape() == tensor.shape() && old.dtype() == tensor.dtype() => {
                    continue;
                }
                Some(old) => {
                    let (want, got) =
                        ((old.dtype(), old.shape()), (tensor.dtype(), tensor.shape()));
                    format!("updates a state of {}{} with {}{}", want.0, want.1, got.0, got.1)
                }
                None => "updates an unknown state".to_owned(),
            };
            return Err(tensor.error_here(OpError::new(ErrorKind::Missing, what)));
        }
        for ((id, _), value) in updates.iter().zip(values.split_off(outputs.len())) {
            if let Some(slot) = states.get_mut(*id) {
                *slot = value.to_value();
            }
        }
        Ok(values.iter().map(RefValue::to_value).collect())
    }
}
