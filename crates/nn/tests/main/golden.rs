//! Golden numbers from PyTorch (`tests/golden/make_golden.py`): each file is checked in `f64`, where it must
//! agree to rounding, and in `f32`.

mod activations;
mod layers;
mod losses;
mod optimizers;
mod schedules;
mod sequence;
mod vision;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use thalweg_cpu::Cpu;
use thalweg_graph::{DType, Executor, Feed, RefValue, Reference, States, Tensor, Value};

/// A golden tensor.
#[derive(Clone, Debug, Deserialize)]
struct Packed {
    shape: Vec<usize>,
    data: Vec<f64>,
    #[serde(default)]
    int: bool,
}

impl Packed {
    fn dtype(&self, float: DType) -> DType {
        if self.int { DType::I64 } else { float }
    }

    fn value(&self, float: DType) -> Value {
        Value::from_f64(self.dtype(float), &self.data, &self.shape).unwrap()
    }

    fn input(&self, name: &str, float: DType) -> Tensor {
        Tensor::input(name, self.dtype(float), &self.shape)
    }

    fn feed(&self, input: &Tensor) -> Feed<RefValue> {
        let value = RefValue::from_value(&self.value(input.dtype()));
        Feed { input: input.clone(), value }
    }

    fn constant(&self, float: DType) -> Tensor {
        Tensor::constant(self.value(float))
    }
}

fn read<T: DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).unwrap()
}

/// In which arithmetic golden numbers are compared, and how near they must be.
#[derive(Clone, Copy, Debug)]
struct Precision {
    dtype: DType,
    tolerance: f64,
}

const DOUBLE: Precision = Precision { dtype: DType::F64, tolerance: 1e-12 };
const SINGLE: Precision = Precision { dtype: DType::F32, tolerance: 2e-6 };

impl Precision {
    /// Compares with the tolerance relative to the greater of the number and 1, a NaN being a difference.
    fn compare(self, what: &str, got: &[f64], want: &[f64]) {
        assert_eq!(got.len(), want.len(), "{what} in {self:?}");
        for (i, (got, want)) in got.iter().zip(want).enumerate() {
            let near = (got - want).abs() <= self.tolerance * want.abs().max(1.0);
            assert!(near, "{what}[{i}] in {self:?}: {got:e}, PyTorch says {want:e}");
        }
    }
}

/// The executors whose numbers are held to PyTorch's: the specification, and the fast one.
fn executors() -> [Box<dyn Executor>; 2] {
    [Box::new(Reference::new()), Box::new(Cpu::new(2))]
}

fn evaluate(
    executor: &dyn Executor,
    of: &[Tensor],
    feeds: &[Feed<RefValue>],
    states: &mut dyn States,
) -> Vec<Vec<f64>> {
    let feeds: Vec<Feed<Value>> = feeds
        .iter()
        .map(|feed| Feed { input: feed.input.clone(), value: feed.value.to_value() })
        .collect();
    executor.run(of, &[], &feeds, states).unwrap().iter().map(Value::to_f64).collect()
}
