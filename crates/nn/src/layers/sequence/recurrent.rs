//! Recurrent layers: a state that walks along a sequence.

mod stack;

use thalweg_graph::Tensor;
use thalweg_graph::ops::{Cell, RecurrentState};

use self::stack::{Plan, Stack};
use super::padding::sequence_and_lengths;
use crate::dag::Node;
use crate::{Forward, Module, Visitor};

/// What a recurrent layer carries along a sequence: the states of all its layers and directions.
#[derive(Clone, Debug)]
pub struct Carry {
    /// `[layers · directions, N, hidden]`; the directions of a layer lie side by side.
    pub h: Tensor,
    /// The same of the cell's memory, which an LSTM has alone.
    pub c: Option<Tensor>,
}

impl Carry {
    /// The same values, through which no gradient flows: what truncated backpropagation through time hands from one window of
    /// a sequence to the next.
    pub fn detach(&self) -> Carry {
        Carry { h: self.h.detach(), c: self.c.as_ref().map(Tensor::detach) }
    }

    /// The state of one layer and direction.
    fn part(&self, place: usize) -> RecurrentState {
        let part = |all: &Tensor| all.narrow(0, place, 1).squeeze(0);
        RecurrentState { h: part(&self.h), c: self.c.as_ref().map(part) }
    }

    fn of(parts: &[RecurrentState]) -> Carry {
        let all = |parts: Vec<Tensor>| Tensor::stack(&parts, 0);
        let c: Option<Vec<Tensor>> = parts.iter().map(|part| part.c.clone()).collect();
        Carry { h: all(parts.iter().map(|part| part.h.clone()).collect()), c: c.map(all) }
    }

    fn poisoned(by: &Tensor, cell: Cell) -> Carry {
        Carry { h: by.clone(), c: (cell == Cell::Lstm).then(|| by.clone()) }
    }
}

macro_rules! layers {
    ($($(#[$doc:meta])* $name:ident = $cell:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(Stack);

        impl $name {
            /// One layer of `hidden` units over `inputs` numbers at each step.
            #[track_caller]
            pub fn new(inputs: usize, hidden: usize) -> $name {
                $name(Stack::new($cell, inputs, hidden))
            }

            #[track_caller]
            fn with(self, change: impl FnOnce(&mut Plan)) -> $name {
                let mut plan = self.0.plan;
                change(&mut plan);
                $name(Stack::planned(plan))
            }

            /// So many layers, each over the outputs of the one before. It makes the parameters anew.
            #[track_caller]
            #[must_use]
            pub fn layers(self, layers: usize) -> $name {
                self.with(|plan| plan.layers = layers)
            }

            /// A second walk in each layer, from the end to the beginning, whose outputs follow those of the first:
            /// `[N, T, 2·hidden]`. It makes the parameters anew.
            #[track_caller]
            #[must_use]
            pub fn bidirectional(self) -> $name {
                self.with(|plan| plan.bidirectional = true)
            }

            /// [`Dropout`](crate::layers::Dropout) between the layers, none behind the last.
            #[track_caller]
            #[must_use]
            pub fn dropout(self, p: f64) -> $name {
                self.with(|plan| plan.dropout = p)
            }

            /// Whether inputs and outputs are `[N, T, F]`, as by default, or `[T, N, F]`, as by PyTorch's default.
            #[track_caller]
            #[must_use]
            pub fn batch_first(self, yes: bool) -> $name {
                self.with(|plan| plan.batch_first = yes)
            }

            /// The outputs `[N, T, directions · hidden]`, which are the last layer's states h after each step, and the
            /// states at the end. A walk begins with `start`, or with zeros; with `lengths` (`i64` `[N]`, each in 1..=T) a
            /// padded sequence gives the results of the unpadded one, and zeros behind it.
            #[track_caller]
            pub fn forward_with(
                &self,
                x: &Tensor,
                start: Option<&Carry>,
                lengths: Option<&Tensor>,
            ) -> (Tensor, Carry) {
                self.0.run(x, start, lengths)
            }
        }

        impl Module for $name {
            fn visit(&self, visitor: &mut Visitor<'_>) {
                self.0.visit(visitor);
            }
        }

        impl Forward for $name {
            fn forward(&self, x: &Tensor) -> Tensor {
                self.0.run(x, None, None).0
            }
        }

        /// A sequence `[N, L, F]`, and as a second input the ids `[N, L]` whose zeros at the end are padding.
        impl Node for $name {
            fn forward_all(&self, inputs: &[Tensor]) -> Tensor {
                let _entered = self.0.layer.enter();
                match sequence_and_lengths(inputs) {
                    Ok((x, lengths)) => self.0.run(x, None, lengths.as_ref()).0,
                    Err(error) => Tensor::poison("forward", error),
                }
            }
        }
    )*};
}

layers! {
    /// The simple recurrent layer of [Elman 1990](https://doi.org/10.1207/s15516709cog1402_1):
    /// `hₜ = tanh(W_ih·xₜ + b_ih + W_hh·hₜ₋₁ + b_hh)`; see [`Rnn::relu`].
    ///
    /// Shapes, parameters and errors as [`Lstm`]'s, with one block of rows in place of four and no c.
    Rnn = Cell::RnnTanh;

    /// Long short-term memory ([Hochreiter and Schmidhuber 1997](https://doi.org/10.1162/neco.1997.9.8.1735), with the
    /// forget gate of [Gers et al. 2000](https://doi.org/10.1162/089976600300015015)): with
    /// `a = W_ih·xₜ + b_ih + W_hh·hₜ₋₁ + b_hh` in four blocks, the gates `i, f, g, o = σ, σ, tanh, σ` of them,
    /// `cₜ = f·cₜ₋₁ + i·g` and `hₜ = o·tanh(cₜ)`.
    ///
    /// Shapes: `[N, T, inputs] → [N, T, directions · hidden]`. The batch comes first, which in PyTorch is an option.
    /// Parameters, as PyTorch's, for each layer and direction: `weight_ih_l0` `[4·hidden, inputs]` (in higher layers over the
    /// outputs of the one below), `weight_hh_l0` `[4·hidden, hidden]`, `bias_ih_l0`, `bias_hh_l0` `[4·hidden]`, and the same
    /// ending in `_reverse`; all uniform in ±1/√hidden at first. Errors: a last axis that is not `inputs`, a sequence of
    /// no steps, a state or lengths that do not fit, a size of 0; at run time, a length outside 1..=T.
    ///
    /// Truncated backpropagation through time: a long sequence goes through in windows, each beginning with the state that
    /// the one before left, without its gradient.
    ///
    /// ```
    /// use thalweg_graph::{DType, Tensor};
    /// use thalweg_nn::Lstm;
    /// let (lstm, text) = (Lstm::new(8, 16).layers(2), Tensor::zeros(DType::F32, [4, 100, 8]));
    /// let mut carry = None;
    /// for window in 0..4 {
    ///     let x = text.narrow(1, window * 25, 25);
    ///     let (y, end) = lstm.forward_with(&x, carry.as_ref(), None);
    ///     assert_eq!(y.shape().dims(), [4, 25, 16]);
    ///     // … a step of training on y …
    ///     carry = Some(end.detach());
    /// }
    /// assert_eq!(carry.unwrap().h.shape().dims(), [2, 4, 16]);
    /// ```
    Lstm = Cell::Lstm;

    /// The gated recurrent unit of [Cho et al. 2014](https://arxiv.org/abs/1406.1078), with the reset behind the product, as
    /// PyTorch's: with `p = W_ih·xₜ + b_ih` and `q = W_hh·hₜ₋₁ + b_hh` in three blocks, `r = σ(p₁ + q₁)`,
    /// `z = σ(p₂ + q₂)`, `n = tanh(p₃ + r·q₃)` and `hₜ = (1 − z)·n + z·hₜ₋₁`.
    ///
    /// Shapes, parameters and errors as [`Lstm`]'s, with three blocks of rows in place of four and no c.
    Gru = Cell::Gru;
}

impl Rnn {
    /// With relu in place of tanh. It makes the parameters anew.
    #[track_caller]
    #[must_use]
    pub fn relu(self) -> Rnn {
        self.with(|plan| plan.cell = Cell::RnnRelu)
    }
}
