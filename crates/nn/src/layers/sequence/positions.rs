//! Telling places apart: attention by itself sees a set, not a sequence.

use std::sync::Arc;

use thalweg_graph::{DType, Layer, OpError, Tensor, Value};

use super::attention::check_places;
use crate::context::{self, Place};
use crate::init::Init;
use crate::layers::{forward_in, needs_one, origin};
use crate::param::Param;
use crate::{Forward, Module};

/// The angle by which place `t` turns pair `i` of `dim` numbers: `t / 10000^(2i/dim)`.
fn angle(place: usize, pair: usize, dim: usize) -> f64 {
    place as f64 / libm::pow(10_000.0, 2.0 * pair as f64 / dim as f64)
}

/// A table `[places, dim]` of a function of the place and of the number.
fn table(places: usize, dim: usize, f: impl Fn(usize, usize) -> f64) -> Tensor {
    let numbers: Vec<f64> =
        (0..places).flat_map(|t| (0..dim).map(move |i| (t, i))).map(|(t, i)| f(t, i)).collect();
    match Value::from_f64(DType::F32, &numbers, [places, dim]) {
        Some(value) => Tensor::constant(value),
        None => Tensor::poison("table", OpError::shape("more places than memory holds")),
    }
}

/// The rows of a table that belong to a sequence of `len` places: its first ones, or that of the step's place.
fn rows(of: impl Fn(usize) -> Tensor, len: usize, place: Option<&Place>) -> Tensor {
    match place {
        None => of(len),
        Some(Place { position, capacity }) => of(*capacity).index_select(0, &position.reshape([1])),
    }
}

/// Rotary positions: turns numbers 2i and 2i+1 at place t of `[…, T, D]` by the angle `t / 10000^(2i/D)`, so that the
/// product of a query and a key depends on their distance. After
/// [Su et al. 2021](https://arxiv.org/abs/2104.09864). In a step, by the angle of its `place`.
pub fn rotary_positions(x: &Tensor, place: Option<&Place>) -> Tensor {
    let (len, dim) = (x.dim(-2), x.dim(-1));
    let cos = rows(|n| table(n, dim, |t, i| libm::cos(angle(t, i / 2, dim))), len, place);
    let sin = |t, i| libm::sin(angle(t, i / 2, dim)) * if i % 2 == 0 { -1.0 } else { 1.0 };
    let sin = rows(|n| table(n, dim, sin), len, place);
    let mut pairs = x.shape().to_vec();
    pairs.pop();
    pairs.extend([dim / 2, 2]);
    let swapped = x.reshape(pairs).flip(&[-1]).reshape(x.shape());
    x * cos + swapped * sin
}

/// Adds to number `2i` at place `t` the sine, and to number `2i+1` the cosine, of `t / 10000^(2i/dim)`. After
/// [Vaswani et al. 2017](https://arxiv.org/abs/1706.03762).
///
/// Shapes: `[N, T, dim]`, unchanged. No parameters. Errors: an input that is no sequence of `f32`.
///
/// ```
/// use thalweg_graph::{DType, NoStates, Reference, Tensor};
/// use thalweg_nn::{Forward, SinusoidalPositions};
/// let y = SinusoidalPositions::new().forward(&Tensor::zeros(DType::F32, [1, 1, 4]));
/// assert_eq!(Reference::new().evaluate(&[y], &[], &NoStates)?[0].floats(), [0.0, 1.0, 0.0, 1.0]);
/// # Ok::<(), thalweg_graph::Error>(())
/// ```
#[derive(Clone, Debug, Module)]
pub struct SinusoidalPositions {
    #[module(flatten)]
    layer: Arc<Layer>,
}

impl SinusoidalPositions {
    /// For sequences of any length and width.
    #[track_caller]
    #[allow(clippy::new_without_default, reason = "as the other layers without arguments")]
    pub fn new() -> SinusoidalPositions {
        SinusoidalPositions { layer: Layer::new("SinusoidalPositions") }
    }
}

impl Forward for SinusoidalPositions {
    fn forward(&self, x: &Tensor) -> Tensor {
        let check = || check_places("sequence", x, x.dim(-1));
        forward_in(&self.layer, x, check, || {
            let (len, dim) = (x.dim(1), x.dim(2));
            let wave = |t, i| match i % 2 {
                0 => libm::sin(angle(t, i / 2, dim)),
                _ => libm::cos(angle(t, i / 2, dim)),
            };
            x + rows(|n| table(n, dim, wave), len, context::place().as_ref())
        })
    }
}

/// Adds a learned vector for each place.
///
/// Shapes: `[N, T, dim]` with T ≤ `max`, unchanged. Parameter: `weight` `[max, dim]`, N(0, 0.02²) at first, as in GPT-2.
/// Errors: a longer sequence, another width, a size of 0.
///
/// ```
/// use thalweg_graph::{DType, Tensor};
/// use thalweg_nn::{Forward, LearnedPositions};
/// let positions = LearnedPositions::new(64, 8);
/// assert_eq!(positions.forward(&Tensor::zeros(DType::F32, [2, 10, 8])).shape().dims(), [2, 10, 8]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct LearnedPositions {
    #[module(flatten)]
    layer: Arc<Layer>,
    weight: Param,
}

impl LearnedPositions {
    /// For sequences of at most `max` places of `dim` numbers.
    #[track_caller]
    pub fn new(max: usize, dim: usize) -> LearnedPositions {
        let init = Init::Normal { mean: 0.0, std: 0.02 };
        LearnedPositions {
            layer: Layer::new(format!("LearnedPositions {max} × {dim}")),
            weight: Param::new("weight", [max, dim], init),
        }
    }

    fn check(&self, x: &Tensor) -> Result<(), OpError> {
        let (max, dim) = (self.weight.shape()[0], self.weight.shape()[1]);
        if max == 0 || dim == 0 {
            return Err(needs_one(if max == 0 { "max" } else { "dim" }));
        }
        check_places("sequence", x, dim)?;
        let len = context::place().map_or(x.dim(1), |place| place.capacity);
        if len > max {
            let what = format!("axis 1 (T) must be at most {max}, got {len} in {}", x.shape());
            return Err(OpError::shape(format!("{what}{}", origin(x)))
                .hint("make the layer with more places, or the sequences shorter"));
        }
        Ok(())
    }
}

impl Forward for LearnedPositions {
    fn forward(&self, x: &Tensor) -> Tensor {
        let of = |len| self.weight.tensor().narrow(0, 0, len);
        let add = || x + rows(of, x.dim(1), context::place().as_ref());
        forward_in(&self.layer, x, || self.check(x), add)
    }
}
