//! A layer whose weights cost something.

use std::sync::OnceLock;

use thalweg_graph::{OpError, Tensor};

use crate::context::penalty;
use crate::dag::Node;
use crate::losses::{l1_penalty, l2_penalty};
use crate::module::{Found, parameters, walk};
use crate::{Forward, Module};

/// A layer with a penalty of its own: while training, the step's loss gets
///
/// λ₁ Σ|w| + λ₂ Σw²
///
/// over its parameters of two and more axes (weights; not biases and scales). However often the layer is used in
/// a step, it costs once. Its parameters keep their names. In a network of nodes and in a config it is written as
/// `l1` and `l2` of a [node](crate::NodeSpec): `{ type = "linear", out = 64, l2 = 1e-4 }`. Errors: a λ that is negative or not a
/// number.
///
/// A penalty is part of the loss, with gradients through every optimizer; the *decoupled* decay of
/// [`AdamW`](crate::optim::AdamW), per layer, is a [`Group`](crate::optim::Group)'s `weight_decay`.
///
/// ```
/// use thalweg_graph::{DType, Tensor};
/// use thalweg_nn::{Forward, Linear, Mode, Penalised, context};
/// let layer = Penalised::new(Linear::new(3, 4)).l1(1e-3).l2(1e-4);
/// let x = Tensor::zeros(DType::F32, [2, 3]);
/// let step = context::trace(Mode::Train, &context::fixed_key(0, 0), || layer.forward(&layer.forward(&x).narrow(1, 0, 3)));
/// assert_eq!(step.penalties.len(), 1);
/// ```
#[derive(Debug, Module)]
pub struct Penalised<N> {
    #[module(flatten)]
    inner: N,
    l1: f64,
    l2: f64,
    /// One tensor for all uses, by which the trace knows that it is the same penalty.
    #[module(skip)]
    term: OnceLock<Tensor>,
}

impl<N: Module> Penalised<N> {
    /// `layer`, without a penalty yet.
    pub fn new(layer: N) -> Penalised<N> {
        Penalised { inner: layer, l1: 0.0, l2: 0.0, term: OnceLock::new() }
    }

    /// The weight λ₁ of Σ|w|, which makes weights sparse.
    #[must_use]
    pub fn l1(self, l1: f64) -> Penalised<N> {
        Penalised { l1, term: OnceLock::new(), ..self }
    }

    /// The weight λ₂ of Σw², which makes weights small.
    #[must_use]
    pub fn l2(self, l2: f64) -> Penalised<N> {
        Penalised { l2, term: OnceLock::new(), ..self }
    }

    /// `y` of the layer, with the penalty told to the trace.
    #[track_caller]
    fn with_penalty(&self, y: Tensor) -> Tensor {
        if y.error().is_some() {
            return y;
        }
        for (name, lambda) in [("l1", self.l1), ("l2", self.l2)] {
            if !(lambda >= 0.0 && lambda.is_finite()) {
                let what =
                    format!("{}: {name} must be finite and ≥ 0, got {lambda}", called(&self.inner));
                return Tensor::poison("penalty", OpError::argument(what).hint("1e-4 is usual"));
            }
        }
        penalty(self.term.get_or_init(|| self.term()));
        y
    }

    #[track_caller]
    fn term(&self) -> Tensor {
        let weights: Vec<Tensor> = parameters(&self.inner)
            .into_iter()
            .filter(|(_, param)| param.shape().rank() >= 2)
            .map(|(_, param)| param.tensor())
            .collect();
        match (self.l1 > 0.0, self.l2 > 0.0) {
            (true, true) => l1_penalty(&weights) * self.l1 + l2_penalty(&weights) * self.l2,
            (true, false) => l1_penalty(&weights) * self.l1,
            (false, _) => l2_penalty(&weights) * self.l2,
        }
    }
}

/// What the first layer of a module is called.
fn called(module: &dyn Module) -> String {
    let mut name = None;
    walk(module, |_, found| {
        if let Found::Layer(layer) | Found::Unbuilt(layer) = found {
            name.get_or_insert_with(|| layer.to_string());
        }
    });
    name.unwrap_or_default()
}

impl<N: Module + Forward> Forward for Penalised<N> {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.with_penalty(self.inner.forward(x))
    }
}

impl<N: Node> Node for Penalised<N> {
    fn forward_all(&self, inputs: &[Tensor]) -> Tensor {
        self.with_penalty(self.inner.forward_all(inputs))
    }
}
