//! Random tensors. Their only input is the key (seed, step), so that a compiled step draws new numbers each
//! time without being planned again; everything else is part of the op. See [`random`](crate::random).

use crate::dtype::DType;
use crate::error::OpError;
use crate::op::Op;
use crate::random::Draw;
use crate::reference::{Data, RefValue};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RandomKind {
    /// Uniform in `[0, 1)`.
    Uniform,
    /// Normal with mean 0 and variance 1.
    Normal,
    /// True with this probability, as `bool`.
    Bernoulli(f64),
}

/// Independent random elements, named by the key, the stream and their place.
#[derive(Clone, Debug)]
pub struct Random {
    /// What is drawn.
    pub kind: RandomKind,
    /// What the numbers are for; two ops with one stream draw the same numbers.
    pub stream: u64,
    /// `f32` or `f64`; `bool` for [`RandomKind::Bernoulli`].
    pub dtype: DType,
    /// The extents.
    pub shape: Shape,
}

impl Random {
    /// The draw that a key's two elements (seed, step) stand for.
    pub fn draw(&self, key: [i64; 2]) -> Draw {
        Draw { seed: key[0] as u64, step: key[1] as u64, stream: self.stream }
    }
}

impl Op for Random {
    fn name(&self) -> &'static str {
        match self.kind {
            RandomKind::Uniform => "random_uniform",
            RandomKind::Normal => "random_normal",
            RandomKind::Bernoulli(_) => "random_bernoulli",
        }
    }

    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let key = &inputs[0];
        if key.dtype() != DType::I64 || key.shape().dims() != [2] {
            let (dtype, shape) = (key.dtype(), key.shape());
            return Err(OpError::argument(format!(
                "the key must be i64[2], seed and step, got {dtype}{shape}"
            )));
        }
        let fits = match self.kind {
            RandomKind::Bernoulli(p) if !(0.0..=1.0).contains(&p) => {
                return Err(OpError::argument(format!(
                    "the probability must be in 0..=1, got {p}"
                )));
            }
            RandomKind::Bernoulli(_) => self.dtype == DType::Bool,
            _ => self.dtype.is_float(),
        };
        match fits {
            true => Ok((self.shape.clone(), self.dtype)),
            false => Err(OpError::dtype(format!("does not make {}", self.dtype))),
        }
    }

    /// Nothing flows into the key.
    fn grad(&self, _: &[Tensor], _: &Tensor, _: &Tensor) -> Result<Vec<Option<Tensor>>, OpError> {
        Ok(vec![None])
    }

    fn reference(&self, inputs: &[RefValue], shape: &Shape, dtype: DType) -> Result<Data, OpError> {
        let key = inputs[0].ints();
        let draw = self.draw([key[0], key[1]]);
        let places = 0..shape.numel() as u64;
        Ok(match (self.kind, dtype) {
            (RandomKind::Uniform, DType::F64) => {
                Data::Float(places.map(|i| draw.uniform_f64(i)).collect())
            }
            (RandomKind::Uniform, _) => {
                Data::Float(places.map(|i| draw.uniform_f32(i) as f64).collect())
            }
            (RandomKind::Normal, DType::F64) => {
                Data::Float(places.map(|i| draw.normal_f64(i)).collect())
            }
            (RandomKind::Normal, _) => {
                Data::Float(places.map(|i| draw.normal_f32(i) as f64).collect())
            }
            (RandomKind::Bernoulli(p), _) => {
                Data::Int(places.map(|i| ((draw.uniform_f32(i) as f64) < p) as i64).collect())
            }
        })
    }
}

impl Tensor {
    /// Uniform `f32` numbers in `[0, 1)`. `key` is `i64[2]`: (seed, step).
    #[track_caller]
    pub fn random_uniform(key: &Tensor, stream: u64, shape: impl Into<Shape>) -> Tensor {
        Tensor::random(key, RandomKind::Uniform, stream, DType::F32, shape)
    }

    /// Normal `f32` numbers with mean 0 and variance 1. `key` is `i64[2]`: (seed, step).
    #[track_caller]
    pub fn random_normal(key: &Tensor, stream: u64, shape: impl Into<Shape>) -> Tensor {
        Tensor::random(key, RandomKind::Normal, stream, DType::F32, shape)
    }

    /// Truth values, each true with probability `p`. `key` is `i64[2]`: (seed, step).
    #[track_caller]
    pub fn random_bernoulli(key: &Tensor, stream: u64, p: f64, shape: impl Into<Shape>) -> Tensor {
        Tensor::random(key, RandomKind::Bernoulli(p), stream, DType::Bool, shape)
    }

    /// Random elements of any kind: `dtype` is `f32` or `f64`, and `bool` for [`RandomKind::Bernoulli`].
    #[track_caller]
    pub fn random(
        key: &Tensor,
        kind: RandomKind,
        stream: u64,
        dtype: DType,
        shape: impl Into<Shape>,
    ) -> Tensor {
        let op = Random { kind, stream, dtype, shape: shape.into() };
        Tensor::from_op(op, std::slice::from_ref(key))
    }
}
