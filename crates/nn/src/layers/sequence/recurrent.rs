//! Recurrent layers: a state that walks along a sequence.

use std::sync::Arc;

use thalweg_graph::ops::{Cell, Recurrence, RecurrentState, RecurrentWeights};
use thalweg_graph::{DType, Layer, OpError, Tensor};

use super::padding::sequence_and_lengths;
use crate::context;
use crate::dag::Node;
use crate::init::Init;
use crate::layers::{Dropout, forward_in, needs_one, origin};
use crate::param::Param;
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

/// The sizes of a stack.
#[derive(Clone, Copy, Debug)]
struct Plan {
    cell: Cell,
    inputs: usize,
    hidden: usize,
    layers: usize,
    bidirectional: bool,
    dropout: f64,
    batch_first: bool,
}

impl Plan {
    fn directions(&self) -> usize {
        1 + self.bidirectional as usize
    }

    fn kind(&self) -> String {
        let name = match self.cell {
            Cell::RnnTanh => "Rnn",
            Cell::RnnRelu => "Rnn (relu)",
            Cell::Lstm => "Lstm",
            Cell::Gru => "Gru",
        };
        let layers = if self.layers == 1 { String::new() } else { format!(" × {}", self.layers) };
        let both = if self.bidirectional { ", both ways" } else { "" };
        format!("{name} {} → {}{layers}{both}", self.inputs, self.hidden * self.directions())
    }
}

/// The parameters of one layer in one direction.
#[derive(Clone, Debug)]
struct Walk {
    /// What the names of its parameters end in: `l0`, `l1_reverse`.
    suffix: String,
    reverse: bool,
    weight_ih: Param,
    weight_hh: Param,
    bias_ih: Param,
    bias_hh: Param,
}

impl Walk {
    #[track_caller]
    fn new(plan: &Plan, layer: usize, reverse: bool) -> Walk {
        let hidden = plan.hidden;
        let inputs = if layer == 0 { plan.inputs } else { hidden * plan.directions() };
        let rows = plan.cell.gates() * hidden;
        // PyTorch draws all four from the size of the state.
        let init = Init::layer_bias(hidden);
        let suffix = format!("l{layer}{}", if reverse { "_reverse" } else { "" });
        let param = |name: &str, shape: &[usize]| {
            Param::new(&format!("{name}_{suffix}"), shape, init.clone())
        };
        Walk {
            weight_ih: param("weight_ih", &[rows, inputs]),
            weight_hh: param("weight_hh", &[rows, hidden]),
            bias_ih: param("bias_ih", &[rows]),
            bias_hh: param("bias_hh", &[rows]),
            suffix,
            reverse,
        }
    }

    fn params(&self) -> [(&'static str, &Param); 4] {
        [
            ("weight_ih", &self.weight_ih),
            ("weight_hh", &self.weight_hh),
            ("bias_ih", &self.bias_ih),
            ("bias_hh", &self.bias_hh),
        ]
    }

    /// The outputs `[T, N, H]` for a sequence `[T, N, F]`, and the state at its end.
    fn run(
        &self,
        cell: Cell,
        x: &Tensor,
        start: &RecurrentState,
        lengths: Option<&Tensor>,
    ) -> (Tensor, RecurrentState) {
        let (steps, batch, inputs) = (x.dim(0), x.dim(1), x.dim(2));
        // The input projection of all steps is one product.
        let rows = x.reshape([steps * batch, inputs]).matmul(&self.weight_ih.tensor().t());
        let rows = rows.reshape([steps, batch, self.weight_ih.shape()[0]]);
        let weights = RecurrentWeights {
            w_hh: self.weight_hh.tensor(),
            b_ih: self.bias_ih.tensor(),
            b_hh: self.bias_hh.tensor(),
        };
        let how = Recurrence { cell, reverse: self.reverse };
        let walked = rows.recurrent(how, &weights, start, lengths);
        (walked.output, walked.state)
    }
}

/// A stack of recurrent layers: what [`Rnn`], [`Lstm`] and [`Gru`] are.
#[derive(Clone, Debug)]
struct Stack {
    layer: Arc<Layer>,
    plan: Plan,
    walks: Vec<Walk>,
    dropout: Dropout,
}

impl Stack {
    #[track_caller]
    fn new(cell: Cell, inputs: usize, hidden: usize) -> Stack {
        Stack::planned(Plan {
            cell,
            inputs,
            hidden,
            layers: 1,
            bidirectional: false,
            dropout: 0.0,
            batch_first: true,
        })
    }

    #[track_caller]
    fn planned(plan: Plan) -> Stack {
        let mut walks = Vec::new();
        for layer in 0..plan.layers {
            walks.push(Walk::new(&plan, layer, false));
            if plan.bidirectional {
                walks.push(Walk::new(&plan, layer, true));
            }
        }
        Stack { layer: Layer::new(plan.kind()), plan, walks, dropout: Dropout::new(plan.dropout) }
    }

    fn check(&self, x: &Tensor) -> Result<(), OpError> {
        let plan = &self.plan;
        for (name, size) in
            [("the inputs", plan.inputs), ("hidden", plan.hidden), ("layers", plan.layers)]
        {
            if size == 0 {
                return Err(needs_one(name));
            }
        }
        if x.dtype() != DType::F32 {
            let what = format!("expects f32, got {}{}{}", x.dtype(), x.shape(), origin(x));
            return Err(OpError::dtype(what).hint(match x.dtype().is_int() {
                true => "ids go through an embedding first",
                false => "convert with cast(DType::F32) first",
            }));
        }
        let axes = if plan.batch_first { "[N, T, F]" } else { "[T, N, F]" };
        if x.rank() != 3 {
            let what = format!("the input must be {axes}, got {}{}", x.shape(), origin(x));
            return Err(OpError::shape(what).hint("samples, time steps, numbers of each step"));
        }
        if x.dim(2) != plan.inputs {
            let (want, got, shape) = (plan.inputs, x.dim(2), x.shape());
            let what = format!("axis 2 (F) must be {want}, got {got} in {shape}{}", origin(x));
            return Err(OpError::shape(what)
                .hint(format!("make the layer with {got} inputs, or check what feeds it")));
        }
        let time = plan.batch_first as usize;
        if x.dim(time as isize) == 0 {
            let (shape, from) = (x.shape(), origin(x));
            let what = format!("axis {time} (T) must be at least 1, got 0 in {shape}{from}");
            return Err(OpError::shape(what).hint("a sequence needs a time step"));
        }
        if plan.bidirectional {
            context::whole_sequence("a bidirectional layer")?;
        }
        Ok(())
    }

    fn check_start(&self, x: &Tensor, start: &Carry) -> Result<(), OpError> {
        let plan = &self.plan;
        let batch = x.dim(if plan.batch_first { 0 } else { 1 });
        let want = [self.walks.len(), batch, plan.hidden];
        if start.c.is_some() != (plan.cell == Cell::Lstm) {
            let what = match plan.cell {
                Cell::Lstm => "the state must have h and c, got h alone",
                _ => "the state must have h alone, got c too",
            };
            return Err(OpError::argument(what).hint("an LSTM has c, other layers do not"));
        }
        for (name, part) in [("h", Some(&start.h)), ("c", start.c.as_ref())] {
            if let Some(part) = part.filter(|part| part.shape().dims() != want) {
                let what = format!("the state {name} must be {want:?}, got {}", part.shape());
                return Err(OpError::shape(what).hint("[layers · directions, N, hidden]"));
            }
        }
        Ok(())
    }

    fn check_lengths(&self, x: &Tensor, lengths: &Tensor) -> Result<(), OpError> {
        let batch = x.dim(if self.plan.batch_first { 0 } else { 1 });
        if lengths.dtype() == DType::I64 && lengths.shape().dims() == [batch] {
            return Ok(());
        }
        let (dtype, shape) = (lengths.dtype(), lengths.shape());
        let what =
            format!("the lengths must be i64[{batch}], got {dtype}{shape}{}", origin(lengths));
        Err(OpError::shape(what).hint("one length for each sequence of the batch"))
    }

    /// The outputs and the final states. What is poisoned or does not fit poisons both.
    #[track_caller]
    fn run(&self, x: &Tensor, start: Option<&Carry>, lengths: Option<&Tensor>) -> (Tensor, Carry) {
        let given = start.into_iter().flat_map(|start| [Some(&start.h), start.c.as_ref()]);
        let poisoned =
            given.flatten().chain(lengths).find(|tensor| tensor.error().is_some()).cloned();
        let mut carry = None;
        let check = || {
            self.check(x)?;
            start.map_or(Ok(()), |start| self.check_start(x, start))?;
            lengths.map_or(Ok(()), |lengths| self.check_lengths(x, lengths))
        };
        let output = poisoned.unwrap_or_else(|| {
            forward_in(&self.layer, x, check, || {
                let (output, end) = self.walk(x, start, lengths);
                carry = Some(end);
                output
            })
        });
        let carry = carry.unwrap_or_else(|| Carry::poisoned(&output, self.plan.cell));
        (output, carry)
    }

    fn walk(&self, x: &Tensor, start: Option<&Carry>, lengths: Option<&Tensor>) -> (Tensor, Carry) {
        let Plan { cell, hidden, batch_first, .. } = self.plan;
        let mut y = if batch_first { x.transpose(0, 1) } else { x.clone() };
        let (steps, batch) = (y.dim(0), y.dim(1));
        let lengths = lengths.map(|lengths| lengths.check_range(1, steps as i64 + 1, "length"));
        let zeros = || Tensor::zeros(DType::F32, [batch, hidden]);
        let mut ends = Vec::new();
        for (number, walks) in self.walks.chunks(self.plan.directions()).enumerate() {
            if number > 0 && self.plan.dropout != 0.0 {
                y = self.dropout.forward(&y);
            }
            let mut outputs = Vec::new();
            for walk in walks {
                let caches = Caches::new(&walk.suffix, cell, batch, hidden);
                let begin = match (start, &caches) {
                    (Some(start), _) => start.part(ends.len()),
                    (None, Some(caches)) => caches.before.clone(),
                    (None, None) => {
                        RecurrentState { h: zeros(), c: (cell == Cell::Lstm).then(zeros) }
                    }
                };
                let (output, end) = walk.run(cell, &y, &begin, lengths.as_ref());
                if let Some(caches) = caches {
                    caches.write(&end);
                }
                outputs.push(output);
                ends.push(end);
            }
            y = match &outputs[..] {
                [output] => output.clone(),
                _ => Tensor::concat(&outputs, -1),
            };
        }
        let y = if batch_first { y.transpose(0, 1) } else { y };
        (y, Carry::of(&ends))
    }
}

/// The state of one layer that a step reads and writes.
struct Caches {
    params: Vec<Param>,
    before: RecurrentState,
}

impl Caches {
    /// `None` where the sequence is whole.
    fn new(suffix: &str, cell: Cell, batch: usize, hidden: usize) -> Option<Caches> {
        let mut params = Vec::new();
        let mut cache = |name: &str| {
            let (param, before) = context::cache(&format!("{name}_{suffix}"), [batch, hidden])?;
            params.push(param);
            Some(before)
        };
        let h = cache("h")?;
        let c = if cell == Cell::Lstm { cache("c") } else { None };
        Some(Caches { params, before: RecurrentState { h, c } })
    }

    fn write(&self, end: &RecurrentState) {
        for (param, value) in self.params.iter().zip([Some(&end.h), end.c.as_ref()]) {
            if let Some(value) = value {
                context::write(param, value.clone());
            }
        }
    }
}

impl Module for Stack {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.layer(&self.layer);
        for walk in &self.walks {
            for (name, param) in walk.params() {
                visitor.param(&format!("{name}_{}", walk.suffix), param);
            }
        }
        if self.plan.dropout != 0.0 {
            visitor.module("dropout", &self.dropout);
        }
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

            /// [`Dropout`] between the layers, none behind the last.
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
