//! Recurrent layers of many shapes, forward and backward, against the reference.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use thalweg_graph::ops::{Cell, Recurrence, RecurrentState, RecurrentWeights};
use thalweg_graph::random::uniform_f64;
use thalweg_graph::{DType, Tensor, Value, grad};

use crate::support::{States, assert_reference};

/// Uniform numbers in `-scale..scale`.
fn numbers(seed: u64, dtype: DType, shape: &[usize], scale: f64) -> Tensor {
    let elements = uniform_f64(seed, 0, 0, shape.iter().product());
    let elements: Vec<f64> = elements.iter().map(|x| (2.0 * x - 1.0) * scale).collect();
    Tensor::constant(Value::from_f64(dtype, &elements, shape).unwrap())
}

/// Output, states and all gradients equal the reference's, however many threads work.
fn check(
    how: Recurrence,
    dtype: DType,
    [steps, batch, units]: [usize; 3],
    padded: bool,
    tolerance: f64,
) {
    let rows = how.cell.gates() * units;
    let x = numbers(1, dtype, &[steps, batch, rows], 2.0);
    let weights = RecurrentWeights {
        w_hh: numbers(2, dtype, &[rows, units], 1.0 / (units as f64).sqrt()),
        b_ih: numbers(3, dtype, &[rows], 0.5),
        b_hh: numbers(4, dtype, &[rows], 0.5),
    };
    let c = (how.cell == Cell::Lstm).then(|| numbers(6, dtype, &[batch, units], 1.0));
    let start = RecurrentState { h: numbers(5, dtype, &[batch, units], 1.0), c };
    let lengths = uniform_f64(7, 0, 0, batch);
    let lengths: Vec<i64> = lengths.iter().map(|u| 1 + (u * steps as f64) as i64).collect();
    let lengths = padded.then(|| Tensor::new(&lengths, [batch]));
    let out = x.recurrent(how, &weights, &start, lengths.as_ref());
    let mut outputs = vec![out.output.clone(), out.state.h.clone()];
    outputs.extend(out.state.c.clone());
    let loss = (outputs.iter().enumerate())
        .map(|(i, t)| (t * &numbers(8 + i as u64, dtype, t.shape(), 1.0)).sum_all())
        .fold(Tensor::scalar(0.0, dtype), |sum, t| sum + t);
    let mut wrt = vec![x, weights.w_hh, weights.b_ih, weights.b_hh, start.h];
    wrt.extend(start.c);
    outputs.extend(grad(&loss, &wrt).unwrap());
    let what = format!("{how:?} {dtype} {steps} × {batch} × {units}, padded: {padded}");
    assert_reference(&outputs, &[], &[], &States::new(), tolerance, &what);
}

#[test]
fn every_cell_and_type() {
    for cell in Cell::ALL {
        for reverse in [false, true] {
            for padded in [false, true] {
                let how = Recurrence { cell, reverse };
                check(how, DType::F32, [5, 7, 35], padded, 1e-4);
                check(how, DType::F64, [3, 2, 33], padded, 1e-12);
            }
        }
    }
}

#[test]
fn units_or_sequences_are_divided() {
    for cell in Cell::ALL {
        let how = Recurrence { cell, reverse: cell == Cell::Gru };
        // Weights of several blocks of k and of units; sequences that are divided; one unit; one sequence.
        for extents in [[2, 3, 300], [3, 70, 40], [4, 33, 1], [6, 1, 130], [1, 2, 64]] {
            check(how, DType::F32, extents, false, 1e-4);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 30,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_shape(
        cell in 0usize..4,
        reverse: bool,
        steps in 1usize..6,
        batch in 0usize..40,
        units in 1usize..70,
        padded: bool,
    ) {
        let how = Recurrence { cell: Cell::ALL[cell], reverse };
        check(how, DType::F32, [steps, batch, units], padded, 1e-4);
    }
}
