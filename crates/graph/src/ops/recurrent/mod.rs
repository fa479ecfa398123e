//! Recurrent layers: one op walks one layer through all time steps in one direction.
//!
//! The input projection `x·W_ihᵀ` of all steps is a matrix product of the caller's, made at once; what is left is a chain
//! of small products with `W_hh`, which a kernel that sees them all computes much faster than a graph of steps. Both
//! ops here are composites: their meaning is the loop of primitives in `walk`. [`Recurrent`] keeps in its
//! result, beside the states, what its backward pass [`RecurrentGrad`] would have to compute again.

mod grad;
mod walk;

pub use grad::RecurrentGrad;

use crate::composite;
use crate::dtype::DType;
use crate::error::OpError;
use crate::op::Op;
use crate::reference::{Data, RefValue};
use crate::shape::Shape;
use crate::tensor::Tensor;
use walk::walk;

/// What a layer does at one time step, with `p = x_t·W_ihᵀ + b_ih` and `q = h·W_hhᵀ + b_hh`, whose rows hold the gates
/// one after the other, as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cell {
    /// `h' = tanh(p + q)` (Elman 1990).
    RnnTanh,
    /// `h' = relu(p + q)`.
    RnnRelu,
    /// `i, f, g, o = σ, σ, tanh, σ of p + q`; `c' = f⊙c + i⊙g`; `h' = o⊙tanh(c')` (Hochreiter & Schmidhuber 1997, with
    /// the forget gate of Gers et al. 2000).
    Lstm,
    /// `r = σ(p_r + q_r)`; `z = σ(p_z + q_z)`; `n = tanh(p_n + r⊙q_n)`; `h' = (1−z)⊙n + z⊙h` (Cho et al. 2014, with the
    /// reset after the product, as PyTorch and cuDNN).
    Gru,
}

impl Cell {
    /// Every cell, in a fixed order.
    pub const ALL: [Cell; 4] = [Cell::RnnTanh, Cell::RnnRelu, Cell::Lstm, Cell::Gru];

    /// Blocks of rows in the weights: 1, 4 for an LSTM, 3 for a GRU.
    pub fn gates(self) -> usize {
        match self {
            Cell::RnnTanh | Cell::RnnRelu => 1,
            Cell::Lstm => 4,
            Cell::Gru => 3,
        }
    }

    /// What messages call it.
    pub fn title(self) -> &'static str {
        match self {
            Cell::RnnTanh | Cell::RnnRelu => "an RNN",
            Cell::Lstm => "an LSTM",
            Cell::Gru => "a GRU",
        }
    }
}

/// A cell and the direction in which it walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Recurrence {
    /// The cell.
    pub cell: Cell,
    /// From the last step to the first.
    pub reverse: bool,
}

/// The weights that a recurrence uses at every step.
#[derive(Clone, Debug)]
pub struct RecurrentWeights {
    /// `[gates·H, H]`.
    pub w_hh: Tensor,
    /// `[gates·H]`, added to the input projection.
    pub b_ih: Tensor,
    /// `[gates·H]`, added to the hidden projection.
    pub b_hh: Tensor,
}

/// What a recurrence carries from step to step.
#[derive(Clone, Debug)]
pub struct RecurrentState {
    /// `[N, H]`.
    pub h: Tensor,
    /// `[N, H]`; an LSTM has it, others do not.
    pub c: Option<Tensor>,
}

/// What [`Tensor::recurrent`] gives.
#[derive(Clone, Debug)]
pub struct RecurrentOutput {
    /// `h` after every step: `[T, N, H]`.
    pub output: Tensor,
    /// What is carried after the last step that was walked.
    pub state: RecurrentState,
}

/// `(x, w_hh, b_ih, b_hh, h0, [c0 of an LSTM], [lengths])` → the flat blocks that [`Blocks`] describes.
#[derive(Clone, Debug)]
pub struct Recurrent {
    /// The cell and its direction.
    pub how: Recurrence,
    /// True where lengths are given.
    pub padded: bool,
}

/// The extents of a recurrence, and where the blocks of the two ops' flat results begin.
///
/// [`Recurrent`]: the states `h` `[T+1, N, H]` in the order of time, the one that the walk begins with included, so that the
/// states before and after every step are slices of it; the states `c` of an LSTM likewise; of an LSTM or a
/// GRU the gates after their activations `[T, N, gates·H]`; of a GRU `q_n` `[T, N, H]`.
///
/// [`RecurrentGrad`]: the gradient of `q` `[T, N, gates·H]`; of a GRU, where it differs, that of `p` likewise; of `h0`; of
/// an LSTM, of `c0`.
#[derive(Clone, Copy, Debug)]
pub struct Blocks {
    /// The cell.
    pub cell: Cell,
    /// T.
    pub steps: usize,
    /// N.
    pub batch: usize,
    /// H.
    pub units: usize,
}

impl Blocks {
    /// Elements of one state, `[N, H]`.
    pub fn state(&self) -> usize {
        self.batch * self.units
    }

    /// Elements of all states, `[T+1, N, H]`: where those of `c`, or else the gates, begin.
    pub fn states(&self) -> usize {
        (self.steps + 1) * self.state()
    }

    /// Where the saved gates begin.
    pub fn gates(&self) -> usize {
        self.states() * if self.cell == Cell::Lstm { 2 } else { 1 }
    }

    /// Elements of a projection, `[T, N, gates·H]`.
    pub fn projection(&self) -> usize {
        self.steps * self.state() * self.cell.gates()
    }

    /// Where the saved `q_n` of a GRU begins.
    pub fn inner(&self) -> usize {
        let saves_gates = matches!(self.cell, Cell::Lstm | Cell::Gru);
        self.gates() + if saves_gates { self.projection() } else { 0 }
    }

    /// Elements of the result of [`Recurrent`].
    pub fn len(&self) -> usize {
        let inner = if self.cell == Cell::Gru { self.steps * self.state() } else { 0 };
        self.inner() + inner
    }

    /// True where there is no state.
    pub fn is_empty(&self) -> bool {
        self.state() == 0
    }

    /// Where the gradient of `p` begins in the result of [`RecurrentGrad`].
    pub fn grad_p(&self) -> usize {
        if self.cell == Cell::Gru { self.projection() } else { 0 }
    }

    /// Where the gradient of `h0` begins in the result of [`RecurrentGrad`].
    pub fn grad_start(&self) -> usize {
        self.grad_p() + self.projection()
    }

    /// Elements of the result of [`RecurrentGrad`].
    pub fn grad_len(&self) -> usize {
        self.grad_start() + self.state() * if self.cell == Cell::Lstm { 2 } else { 1 }
    }
}

/// The inputs that both ops have.
struct Operands<'a> {
    x: &'a Tensor,
    weights: [&'a Tensor; 3],
    h0: &'a Tensor,
    c0: Option<&'a Tensor>,
    lengths: Option<&'a Tensor>,
}

impl Recurrent {
    fn operands<'a>(&self, inputs: &'a [Tensor]) -> Operands<'a> {
        let lstm = self.how.cell == Cell::Lstm;
        Operands {
            x: &inputs[0],
            weights: [&inputs[1], &inputs[2], &inputs[3]],
            h0: &inputs[4],
            c0: lstm.then(|| &inputs[5]),
            lengths: self.padded.then(|| &inputs[5 + lstm as usize]),
        }
    }

    /// The number of inputs.
    pub fn inputs(&self) -> usize {
        5 + (self.how.cell == Cell::Lstm) as usize + self.padded as usize
    }

    /// The extents, for inputs that the shape rule has accepted.
    pub fn blocks(&self, inputs: &[Tensor]) -> Blocks {
        let (x, units) = (&inputs[0], inputs[1].dim(-1));
        Blocks { cell: self.how.cell, steps: x.dim(0), batch: x.dim(1), units }
    }

    /// The place of the first state after a step, and of the first before one, in the order of time.
    fn after_and_before(&self) -> (usize, usize) {
        if self.how.reverse { (0, 1) } else { (1, 0) }
    }

    fn check(&self, inputs: &[Tensor]) -> Result<Blocks, OpError> {
        let Operands { x, weights, h0, c0, lengths } = self.operands(inputs);
        let (cell, gates) = (self.how.cell.title(), self.how.cell.gates());
        let w_hh = weights[0];
        if w_hh.rank() != 2 || w_hh.dim(0) != gates * w_hh.dim(1) {
            let what = format!("w_hh of {cell} must be [{gates}·H, H], got {}", w_hh.shape());
            return Err(OpError::shape(what));
        }
        let units = w_hh.dim(1);
        let rows = gates * units;
        if x.rank() != 3 || x.dim(2) != rows {
            return Err(OpError::shape(format!(
                "x must be [T, N, {rows}], {gates}·{units} for {cell} of {units} units, got {}",
                x.shape()
            ))
            .hint("x is the input projection x·W_ihᵀ of all time steps"));
        }
        let (steps, batch) = (x.dim(0), x.dim(1));
        if steps == 0 {
            return Err(OpError::shape(format!("needs at least one step, got x of {}", x.shape())));
        }
        let states = [("h0", Some(h0)), ("c0", c0)];
        let named =
            [("b_ih", Some(weights[1]), vec![rows]), ("b_hh", Some(weights[2]), vec![rows])]
                .into_iter()
                .chain(states.map(|(name, t)| (name, t, vec![batch, units])))
                .chain([("lengths", lengths, vec![batch])]);
        for (name, tensor, want) in named {
            if let Some(tensor) = tensor.filter(|t| t.shape().dims() != want) {
                let got = tensor.shape();
                return Err(OpError::shape(format!("{name} must be {want:?}, got {got}")));
            }
        }
        let floats = weights.into_iter().chain([h0]).chain(c0);
        if let Some(other) =
            floats.chain([x]).find(|t| t.dtype() != x.dtype() || !t.dtype().is_float())
        {
            let (a, b) = (x.dtype(), other.dtype());
            let what =
                format!("expects float tensors of one type, got x in {a} and another in {b}");
            return Err(OpError::dtype(what).hint("convert with cast(…) first"));
        }
        if let Some(other) = lengths.filter(|t| t.dtype() != DType::I64) {
            let what = format!("lengths must be i64, got {}", other.dtype());
            return Err(OpError::dtype(what).hint("convert with cast(DType::I64) first"));
        }
        Ok(self.blocks(inputs))
    }

    fn decompose(&self, inputs: &[Tensor]) -> Tensor {
        let walked = walk(self.how, &self.operands(inputs), None);
        let blocks = [walked.h, walked.c, walked.gates, walked.inner];
        let blocks = blocks.iter().filter(|block| !block.is_empty());
        Tensor::concat(&blocks.map(|b| Tensor::concat(b, 0).flatten(0, -1)).collect::<Vec<_>>(), 0)
    }
}

impl Op for Recurrent {
    fn name(&self) -> &'static str {
        "recurrent"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        Ok(([self.check(inputs)?.len()].into(), inputs[0].dtype()))
    }
    /// The states alone have cotangents: the rest of the result is read by [`RecurrentGrad`], which passes none on.
    fn grad(
        &self,
        inputs: &[Tensor],
        output: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        let b = self.blocks(inputs);
        let rows = b.cell.gates() * b.units;
        let (after, before) = self.after_and_before();
        let states = |flat: &Tensor, block: usize| {
            flat.narrow(0, block, b.states()).reshape([b.steps + 1, b.batch, b.units])
        };
        let lstm = b.cell == Cell::Lstm;
        let cotangents: Vec<Tensor> =
            (0..1 + lstm as usize).map(|i| states(g, i * b.states())).collect();
        let mut given = inputs.to_vec();
        given.push(output.clone());
        given.extend(cotangents.iter().map(|g| g.narrow(0, after, b.steps)));
        let packed = Tensor::from_op(RecurrentGrad { of: self.clone() }, &given);

        let projection =
            |at: usize| packed.narrow(0, at, b.projection()).reshape([b.steps, b.batch, rows]);
        let (dp, dq) = (projection(b.grad_p()), projection(0));
        let h = states(output, 0).narrow(0, before, b.steps);
        let dw = dq.flatten(0, 1).t().matmul(&h.flatten(0, 1));
        let mut all = vec![dp.clone(), dw, dp.sum(&[0, 1]), dq.sum(&[0, 1])];
        // The state that the walk began with is part of the result, and has a cotangent of its own.
        let first = if self.how.reverse { b.steps } else { 0 };
        all.extend(cotangents.iter().enumerate().map(|(i, g)| {
            let start = packed.narrow(0, b.grad_start() + i * b.state(), b.state());
            start.reshape([b.batch, b.units]) + g.narrow(0, first, 1).squeeze(0)
        }));
        let mut all: Vec<Option<Tensor>> = all.into_iter().map(Some).collect();
        all.resize(inputs.len(), None);
        Ok(all)
    }
    fn reference(&self, inputs: &[RefValue], _: &Shape, _: DType) -> Result<Data, OpError> {
        composite::reference(inputs, |inputs| self.decompose(inputs))
    }
    fn multiply_adds(&self, inputs: &[Tensor], _: &Tensor) -> u64 {
        let b = self.blocks(inputs);
        b.projection() as u64 * b.units as u64
    }
}

impl Tensor {
    /// Walks a recurrent layer through the time steps of this tensor, the input projection `x·W_ihᵀ` `[T, N, gates·H]`,
    /// from the state `start`: see [`Cell`].
    ///
    /// With `lengths` (`i64` `[N]`, each in `1..=T`; another one is an error at run time) a padded sequence gives what the
    /// unpadded one would: the output beyond a length is 0, the state is that after the sequence's last step, and a
    /// reverse walk begins at its own end.
    #[track_caller]
    pub fn recurrent(
        &self,
        how: Recurrence,
        weights: &RecurrentWeights,
        start: &RecurrentState,
        lengths: Option<&Tensor>,
    ) -> RecurrentOutput {
        let RecurrentWeights { w_hh, b_ih, b_hh } = weights;
        let mut inputs = vec![self, w_hh, b_ih, b_hh, &start.h];
        let packed = match (how.cell == Cell::Lstm, &start.c) {
            (true, None) => missing("an LSTM begins with h and c, got h alone"),
            (false, Some(_)) => missing(&format!("{} has no state c", how.cell.title())),
            _ => {
                inputs.extend(&start.c);
                inputs.extend(lengths);
                let inputs: Vec<Tensor> = inputs.into_iter().cloned().collect();
                Tensor::from_op(Recurrent { how, padded: lengths.is_some() }, &inputs)
            }
        };
        unpack(packed, self, how, start, lengths)
    }
}

#[track_caller]
fn missing(what: &str) -> Tensor {
    Tensor::poison("recurrent", OpError::argument(what))
}

/// The parts of the flat result that users see.
#[track_caller]
fn unpack(
    packed: Tensor,
    x: &Tensor,
    how: Recurrence,
    start: &RecurrentState,
    lengths: Option<&Tensor>,
) -> RecurrentOutput {
    if packed.error().is_some() {
        let state =
            RecurrentState { h: packed.clone(), c: start.c.as_ref().map(|_| packed.clone()) };
        return RecurrentOutput { output: packed, state };
    }
    let (steps, batch, units) = (x.dim(0), x.dim(1), start.h.dim(1));
    let b = Blocks { cell: how.cell, steps, batch, units };
    let states =
        |block: usize| packed.narrow(0, block, b.states()).reshape([b.steps + 1, b.batch, b.units]);
    let (after, last) = if how.reverse { (0, 0) } else { (1, steps) };
    let mut output = states(0).narrow(0, after, steps);
    if let Some(lengths) = lengths {
        // Beyond a length the state is carried on; what a user sees there is nothing.
        let step = Tensor::iota(DType::I64, [steps, batch], 0);
        let inside = step.lt(lengths).unsqueeze(-1);
        output = Tensor::select(&inside, &output, &output.zeros_like());
    }
    let last = |block: usize| states(block).narrow(0, last, 1).squeeze(0);
    let c = start.c.as_ref().map(|_| last(b.states()));
    RecurrentOutput { output, state: RecurrentState { h: last(0), c } }
}
