//! The op table, for testing executors: every op with its formula, its names elsewhere, sample inputs and wrong
//! inputs.
//!
//! The tests of this crate check gradients and messages with it; a fast executor runs every [`Case`] and
//! compares with the [`Reference`](crate::Reference). Samples are made by [`Sample::value`] from a seed, so
//! that every test sees the same numbers.

mod attention;
mod conv;
mod elementwise;
mod index;
mod movement;
mod pool;
mod recurrent;
mod reduce;
mod resize;
mod source;

use std::sync::Arc;

use crate::dtype::DType;
use crate::ops::{Binary, Compare, ReduceKind, Unary};
use crate::random::Draw;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::value::Value;

/// What applies an op to a case's inputs.
pub type Build = Arc<dyn Fn(&[Tensor]) -> Tensor + Send + Sync>;

/// One op, or one composition of ops that users call by name.
pub struct OpEntry {
    /// Its name, as [`Op::name`](crate::op::Op::name) gives it.
    pub name: &'static str,
    /// What it computes.
    pub formula: &'static str,
    /// PyTorch's name for it; empty where it has none.
    pub torch: &'static str,
    /// ONNX's name for it; empty where it has none.
    pub onnx: &'static str,
    /// Whether gradients flow through it (those of a piecewise constant function are zero).
    pub differentiable: bool,
    /// Applications that must work.
    pub cases: Vec<Case>,
    /// Applications that must fail.
    pub errors: Vec<ErrorCase>,
}

/// An application of an op to sample inputs.
#[derive(Clone)]
pub struct Case {
    /// What is special about it: `f32`, `broadcast`, `flipped`.
    pub name: String,
    /// The inputs.
    pub inputs: Vec<Sample>,
    /// Applies the op to tensors of the inputs' shapes and types.
    pub build: Build,
    /// Whether finite differences make sense: no kinks, no infinities, no ties nearby.
    pub smooth: bool,
}

/// A mistake and its message.
pub struct ErrorCase {
    /// Makes the mistake: a poisoned tensor, or one whose evaluation fails.
    pub build: Arc<dyn Fn() -> Tensor + Send + Sync>,
    /// What the message must contain.
    pub expect: &'static str,
}

/// An input of a case.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The extents.
    pub shape: Shape,
    /// The element type.
    pub dtype: DType,
    /// Which elements.
    pub domain: Domain,
}

/// Which elements a sample has.
#[derive(Clone, Debug)]
pub enum Domain {
    /// Uniform in `lo..hi`, none nearer than 0.05 to a kink.
    Range {
        /// The least value.
        lo: f64,
        /// The greatest value.
        hi: f64,
        /// Where the function has no derivative.
        kinks: &'static [f64],
    },
    /// `offset + k/4` for integers k around zero, shuffled: no two elements tie, nor do those of two samples
    /// whose offsets differ by less than a quarter.
    Apart {
        /// Added to every element.
        offset: f64,
    },
    /// Integers in `lo..hi`.
    Integers {
        /// The least value.
        lo: i64,
        /// One more than the greatest value.
        hi: i64,
    },
    /// These elements.
    Exact(Vec<f64>),
}

impl Sample {
    /// The sample's elements for this seed, for the input at place `input` of its case.
    pub fn value(&self, seed: u64, input: usize) -> Value {
        let n = self.shape.numel();
        let draw = Draw { seed, step: 0, stream: input as u64 };
        let uniform = |i: usize| draw.uniform_f64(i as u64);
        let elements: Vec<f64> = match &self.domain {
            Domain::Range { lo, hi, kinks } => {
                (0..n).map(|i| away(lo + (hi - lo) * uniform(i), kinks)).collect()
            }
            Domain::Apart { offset } => {
                let mut order: Vec<usize> = (0..n).collect();
                order.sort_by(|&i, &j| uniform(i).total_cmp(&uniform(j)));
                order.iter().map(|&k| offset + 0.25 * (k as f64 - n as f64 / 2.0)).collect()
            }
            Domain::Integers { lo, hi } => {
                (0..n).map(|i| (*lo as f64 + (hi - lo) as f64 * uniform(i)).floor()).collect()
            }
            Domain::Exact(elements) => elements.clone(),
        };
        Value::from_f64(self.dtype, &elements, &self.shape)
            .unwrap_or_else(|| Value::zeros(self.dtype, &self.shape))
    }
}

fn away(x: f64, kinks: &[f64]) -> f64 {
    const GAP: f64 = 0.05;
    match kinks.iter().find(|&&kink| (x - kink).abs() < GAP) {
        Some(kink) => kink + GAP.copysign(x - kink),
        None => x,
    }
}

impl Case {
    /// The values of the inputs for this seed.
    pub fn values(&self, seed: u64) -> Vec<Value> {
        self.inputs.iter().enumerate().map(|(i, sample)| sample.value(seed, i)).collect()
    }

    fn rough(mut self) -> Case {
        self.smooth = false;
        self
    }
}

/// Every op. The entries' names are unique.
pub fn table() -> Vec<OpEntry> {
    [
        elementwise::entries(),
        reduce::entries(),
        movement::entries(),
        index::entries(),
        recurrent::entries(),
        source::entries(),
        conv::entries(),
        pool::entries(),
        resize::entries(),
        attention::entries(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The names of all primitive ops but the poisoned one. The table has an entry for each.
pub fn op_names() -> Vec<&'static str> {
    use crate::op::Op;
    let unary = Unary::ALL.iter().map(|op| op.name());
    let binary = Binary::ALL.iter().map(|op| op.name());
    let compare = Compare::ALL.iter().map(|op| op.name());
    let reduce =
        ReduceKind::ALL.iter().map(|&kind| crate::ops::Reduce { kind, axes: vec![] }.name());
    const OTHERS: &[&str] = &[
        "select",
        "cast",
        "iota",
        "full",
        "constant",
        "input",
        "state",
        "detach",
        "reshape",
        "permute",
        "broadcast_to",
        "slice",
        "pad",
        "concat",
        "matmul",
        "index_select",
        "index_add",
        "gather",
        "scatter_add",
        "check_range",
        "slice_at",
        "update_slice_at",
        "argsort",
        "cumsum",
        "conv",
        "conv_input_grad",
        "conv_weight_grad",
        "max_pool",
        "max_pool_grad",
        "max_pool_pick",
        "avg_pool",
        "avg_pool_grad",
        "attention",
        "attention_grad",
        "recurrent",
        "recurrent_grad",
        "random_uniform",
        "random_normal",
        "random_bernoulli",
    ];
    unary.chain(binary).chain(compare).chain(reduce).chain(OTHERS.iter().copied()).collect()
}

fn sample(dtype: DType, shape: impl Into<Shape>, domain: Domain) -> Sample {
    Sample { shape: shape.into(), dtype, domain }
}

/// Elements of `dtype` in −2..2 (integers: −5..5, bytes: 0..9, truth values: both).
fn plain(dtype: DType, shape: impl Into<Shape>) -> Sample {
    let domain = match dtype {
        DType::F32 | DType::F64 => Domain::Range { lo: -2.0, hi: 2.0, kinks: &[] },
        DType::I64 | DType::I32 => Domain::Integers { lo: -5, hi: 5 },
        DType::U8 => Domain::Integers { lo: 0, hi: 9 },
        DType::Bool => Domain::Integers { lo: 0, hi: 2 },
    };
    sample(dtype, shape, domain)
}

/// Elements that do not tie.
fn apart(dtype: DType, shape: impl Into<Shape>, offset: f64) -> Sample {
    match dtype.is_float() {
        true => sample(dtype, shape, Domain::Apart { offset }),
        false => plain(dtype, shape),
    }
}

/// Indices that are given.
fn ids(shape: impl Into<Shape>, ids: &[i64]) -> Sample {
    let ids = ids.iter().map(|&id| id as f64).collect();
    sample(DType::I64, shape, Domain::Exact(ids))
}

fn case(
    name: impl Into<String>,
    inputs: Vec<Sample>,
    build: impl Fn(&[Tensor]) -> Tensor + Send + Sync + 'static,
) -> Case {
    Case { name: name.into(), inputs, build: Arc::new(build), smooth: true }
}

fn error(expect: &'static str, build: impl Fn() -> Tensor + Send + Sync + 'static) -> ErrorCase {
    ErrorCase { build: Arc::new(build), expect }
}

/// A tensor of zeros, for wrong applications.
fn zeros(dtype: DType, shape: impl Into<Shape>) -> Tensor {
    Tensor::zeros(dtype, shape)
}

/// The case with its inputs (but for given indices) seen through strides: transposed, flipped, every second
/// element, without the first ones.
fn viewed(case: &Case) -> Vec<Case> {
    type Look = (&'static str, fn(&Shape) -> Shape, fn(&Tensor) -> Tensor);
    let looks: [Look; 4] = [
        (
            "permuted",
            |s| s.iter().rev().copied().collect::<Vec<_>>().into(),
            |t| t.permute(&t.all_axes().into_iter().rev().collect::<Vec<_>>()),
        ),
        ("flipped", Shape::clone, |t| t.flip(&t.all_axes())),
        (
            "sliced",
            |s| s.iter().map(|d| 2 * d + 1).collect::<Vec<_>>().into(),
            |t| {
                let halved = |t: Tensor, axis: usize| {
                    let n = t.shape()[axis] / 2;
                    t.slice(axis as isize, 1, n, 2)
                };
                (0..t.rank()).fold(t.clone(), halved)
            },
        ),
        (
            "narrowed",
            |s| s.iter().map(|d| d + 1).collect::<Vec<_>>().into(),
            |t| {
                let shorter = |t: Tensor, axis: usize| {
                    let n = t.shape()[axis] - 1;
                    t.narrow(axis as isize, 1, n)
                };
                (0..t.rank()).fold(t.clone(), shorter)
            },
        ),
    ];
    let movable = |sample: &Sample| !matches!(sample.domain, Domain::Exact(_));
    let moved: Vec<bool> = case.inputs.iter().map(movable).collect();
    (looks.into_iter())
        .map(|(name, store, look)| {
            let mut inputs = case.inputs.clone();
            for (sample, _) in inputs.iter_mut().zip(&moved).filter(|(_, moved)| **moved) {
                sample.shape = store(&sample.shape);
            }
            let (build, moved) = (case.build.clone(), moved.clone());
            let build = move |inputs: &[Tensor]| {
                let see = |(t, &moved): (&Tensor, &bool)| if moved { look(t) } else { t.clone() };
                build(&inputs.iter().zip(&moved).map(see).collect::<Vec<_>>())
            };
            let name = format!("{}, {name}", case.name);
            Case { name, inputs, build: Arc::new(build), smooth: case.smooth }
        })
        .collect()
}
