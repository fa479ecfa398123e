//! Entries of the recurrent ops.

use super::{Case, ErrorCase, OpEntry, Sample, case, error, ids, plain, viewed, zeros};
use crate::dtype::DType::{self, F32, F64, I32, I64};
use crate::grad::grad;
use crate::ops::{Cell, Recurrence, RecurrentOutput, RecurrentState, RecurrentWeights};
use crate::ops::{Recurrent, RecurrentGrad};
use crate::tensor::Tensor;

pub(super) fn entries() -> Vec<OpEntry> {
    vec![recurrent(), recurrent_grad()]
}

/// Applies a recurrence to the inputs of a case.
fn apply(how: Recurrence, x: &[Tensor]) -> RecurrentOutput {
    let lstm = how.cell == Cell::Lstm;
    let c = lstm.then(|| x[5].clone());
    let weights = RecurrentWeights { w_hh: x[1].clone(), b_ih: x[2].clone(), b_hh: x[3].clone() };
    x[0].recurrent(how, &weights, &RecurrentState { h: x[4].clone(), c }, x.get(5 + lstm as usize))
}

/// Everything it gives, in a row.
fn results(how: Recurrence, x: &[Tensor]) -> Tensor {
    let RecurrentOutput { output, state } = apply(how, x);
    let parts: Vec<Tensor> =
        [output, state.h].iter().chain(&state.c).map(|t| t.flatten(0, -1)).collect();
    Tensor::concat(&parts, 0)
}

/// The gradient of half the sum of the squares of everything, by every input.
fn gradients(how: Recurrence, x: &[Tensor]) -> Tensor {
    let all = results(how, x);
    let wrt: Vec<Tensor> = x.iter().filter(|t| t.dtype().is_float()).cloned().collect();
    match grad(&((&all * &all).sum_all() * 0.5), &wrt) {
        Ok(found) => Tensor::concat(&found.iter().map(|t| t.flatten(0, -1)).collect::<Vec<_>>(), 0),
        Err(_) => all,
    }
}

fn inputs(
    dtype: DType,
    cell: Cell,
    [steps, batch, units]: [usize; 3],
    lengths: &[i64],
) -> Vec<Sample> {
    let rows = cell.gates() * units;
    let shapes: [&[usize]; 5] =
        [&[steps, batch, rows], &[rows, units], &[rows], &[rows], &[batch, units]];
    let mut all: Vec<Sample> = shapes.iter().map(|&shape| plain(dtype, shape)).collect();
    all.extend((cell == Cell::Lstm).then(|| plain(dtype, [batch, units])));
    all.extend((!lengths.is_empty()).then(|| ids([batch], lengths)));
    all
}

fn cases(build: fn(Recurrence, &[Tensor]) -> Tensor) -> Vec<Case> {
    let with = move |name: &str, how: Recurrence, inputs: Vec<Sample>| {
        let direction = if how.reverse { "reverse" } else { "forward" };
        let name = format!("{name}, {:?}, {direction}", how.cell);
        case(name, inputs, move |x| build(how, x))
    };
    let mut all = vec![];
    for cell in Cell::ALL {
        for reverse in [false, true] {
            let how = Recurrence { cell, reverse };
            all.push(with("f32", how, inputs(F32, cell, [3, 2, 2], &[])));
            all.push(with("f64", how, inputs(F64, cell, [2, 1, 3], &[])));
            all.push(with("lengths", how, inputs(F32, cell, [3, 3, 1], &[2, 3, 1])));
        }
        let how = Recurrence { cell, reverse: cell == Cell::Gru };
        all.push(with("one step", how, inputs(F32, cell, [1, 2, 2], &[])));
        all.push(with("no sequence", how, inputs(F32, cell, [2, 0, 2], &[])));
        let small = with("one unit", how, inputs(F32, cell, [2, 1, 1], &[]));
        all.extend(viewed(&small));
        all.push(small);
    }
    all
}

fn recurrent() -> OpEntry {
    OpEntry {
        name: "recurrent",
        formula: "h_t = cell(p_t, W_hh h + b_hh), from the first time step to the last or back",
        torch: "nn.RNN, nn.LSTM, nn.GRU (one layer and direction)",
        onnx: "RNN, LSTM, GRU",
        differentiable: true,
        cases: cases(results),
        errors: errors(),
    }
}

fn recurrent_grad() -> OpEntry {
    OpEntry {
        name: "recurrent_grad",
        formula: "the gradient of `recurrent` by its projections and by the states it begins with",
        torch: "",
        onnx: "",
        differentiable: true,
        cases: cases(gradients),
        errors: grad_errors(),
    }
}

/// The inputs of a recurrence of three steps of two sequences and two units, one of them replaced, or one more.
fn wrong(cell: Cell, place: usize, by: Tensor) -> Vec<Tensor> {
    let mut all: Vec<Tensor> = (inputs(F32, cell, [3, 2, 2], &[]).iter())
        .map(|sample| zeros(sample.dtype, &sample.shape))
        .collect();
    match all.get_mut(place) {
        Some(slot) => *slot = by,
        None => all.push(by),
    }
    all
}

fn errors() -> Vec<ErrorCase> {
    let made = |expect, cell, place, by: fn() -> Tensor| {
        let how = Recurrence { cell, reverse: false };
        error(expect, move || apply(how, &wrong(cell, place, by())).output)
    };
    let no_c = |x: &[Tensor], cell, c: Option<Tensor>| {
        let weights =
            RecurrentWeights { w_hh: x[1].clone(), b_ih: x[2].clone(), b_hh: x[3].clone() };
        let start = RecurrentState { h: x[4].clone(), c };
        x[0].recurrent(Recurrence { cell, reverse: false }, &weights, &start, None).state.h
    };
    vec![
        made("w_hh of a GRU must be [3·H, H], got [6, 3]", Cell::Gru, 1, || zeros(F32, [6, 3])),
        made("w_hh of an RNN must be [1·H, H], got [2]", Cell::RnnTanh, 1, || zeros(F32, [2])),
        made(
            "x must be [T, N, 8], 4·2 for an LSTM of 2 units, got [3, 2, 6]",
            Cell::Lstm,
            0,
            || zeros(F32, [3, 2, 6]),
        ),
        made("needs at least one step, got x of [0, 2, 2]", Cell::RnnRelu, 0, || {
            zeros(F32, [0, 2, 2])
        }),
        made("b_ih must be [6], got [2]", Cell::Gru, 2, || zeros(F32, [2])),
        made("b_hh must be [8], got [1, 8]", Cell::Lstm, 3, || zeros(F32, [1, 8])),
        made("h0 must be [2, 2], got [3, 2]", Cell::Gru, 4, || zeros(F32, [3, 2])),
        made("c0 must be [2, 2], got [2]", Cell::Lstm, 5, || zeros(F32, [2])),
        made("lengths must be [2], got [3]", Cell::Gru, 5, || zeros(I64, [3])),
        made("lengths must be i64, got i32", Cell::Lstm, 6, || zeros(I32, [2])),
        made("one type, got x in f32 and another in f64", Cell::Gru, 1, || zeros(F64, [6, 2])),
        made("expects float tensors of one type", Cell::RnnTanh, 0, || zeros(I64, [3, 2, 2])),
        error("an LSTM begins with h and c, got h alone", move || {
            no_c(&wrong(Cell::Lstm, 4, zeros(F32, [2, 2])), Cell::Lstm, None)
        }),
        error("a GRU has no state c", move || {
            let x = wrong(Cell::Gru, 4, zeros(F32, [2, 2]));
            no_c(&x, Cell::Gru, Some(x[4].clone()))
        }),
        made("sequence length 4 at [1] is outside 1..4", Cell::RnnTanh, 5, || at(&[3, 4])),
        made("sequence length 0 at [0] is outside 1..4", Cell::Lstm, 6, || at(&[0, 5])),
        made("sequence length -1 at [1] is outside 1..4", Cell::Gru, 5, || at(&[1, -1])),
    ]
}

fn grad_errors() -> Vec<ErrorCase> {
    let of = Recurrent { how: Recurrence { cell: Cell::Gru, reverse: true }, padded: true };
    let made = |expect, lengths: [i64; 2], result: usize, cotangents: [usize; 3]| {
        let of = of.clone();
        error(expect, move || {
            let mut x = wrong(Cell::Gru, 5, at(&lengths));
            x.extend([zeros(F32, [result]), zeros(F32, cotangents)]);
            Tensor::from_op(RecurrentGrad { of: of.clone() }, &x)
        })
    };
    vec![
        made("the forward result must be [64], got [63]", [1, 1], 63, [3, 2, 2]),
        made("the cotangents of h must be [3, 2, 2], got [4, 2, 2]", [1, 1], 64, [4, 2, 2]),
        made("sequence length 0 at [1] is outside 1..4", [3, 0], 64, [3, 2, 2]),
    ]
}

fn at(values: &[i64]) -> Tensor {
    Tensor::new(values, [values.len()])
}
