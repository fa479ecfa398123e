//! What all recurrent layers are: a stack of cells, walked along a sequence in one or in both directions.

use std::sync::Arc;

use thalweg_graph::ops::{Cell, Recurrence, RecurrentState, RecurrentWeights};
use thalweg_graph::{DType, Layer, OpError, Tensor};

use super::Carry;
use crate::context;
use crate::init::Init;
use crate::layers::{Dropout, forward_in, needs_one, origin};
use crate::param::Param;
use crate::{Forward, Module, Visitor};

/// The sizes of a stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) cell: Cell,
    pub(super) inputs: usize,
    pub(super) hidden: usize,
    pub(super) layers: usize,
    pub(super) bidirectional: bool,
    pub(super) dropout: f64,
    pub(super) batch_first: bool,
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
    pub(super) fn run(
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
pub(super) struct Stack {
    pub(super) layer: Arc<Layer>,
    pub(super) plan: Plan,
    walks: Vec<Walk>,
    dropout: Dropout,
}

impl Stack {
    #[track_caller]
    pub(super) fn new(cell: Cell, inputs: usize, hidden: usize) -> Stack {
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
    pub(super) fn planned(plan: Plan) -> Stack {
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
    pub(super) fn run(
        &self,
        x: &Tensor,
        start: Option<&Carry>,
        lengths: Option<&Tensor>,
    ) -> (Tensor, Carry) {
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
    pub(super) fn new(suffix: &str, cell: Cell, batch: usize, hidden: usize) -> Option<Caches> {
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
