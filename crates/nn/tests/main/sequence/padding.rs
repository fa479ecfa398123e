//! Padding changes nothing: a sequence gives the same results alone, and in a batch of longer ones.

use thalweg_graph::{DType, Executor, Reference, Tensor, Value};
use thalweg_nn::presets::{Shapes, preset};
use thalweg_nn::{Carry, Dag, Forward, Gru, Lstm, NodeSpec, Rnn, Store};

use super::{numbers, run};
use crate::help::bound;

/// The outputs of the named preset for ids.
fn outputs(nodes: &[NodeSpec], seed: u64, ids: &[i64], shape: [usize; 2]) -> Vec<Vec<f64>> {
    let net = Dag::new(nodes.to_vec());
    net.build(shape, DType::I64).unwrap();
    let mut store = Store::new(seed);
    store.bind(&net).unwrap();
    let y = net.forward(&Tensor::new(ids, shape));
    let mut values = vec![];
    let executors: [Box<dyn Executor>; 2] =
        [Box::new(Reference::new()), Box::new(thalweg_cpu::Cpu::new(2))];
    for executor in executors {
        let y = executor.run(std::slice::from_ref(&y), &[], &[], &mut store).unwrap();
        values.push(y[0].to_f64());
    }
    values
}

#[test]
fn of_classifiers() {
    let (short, other) = ([3i64, 9, 4, 7], [5i64, 5, 1, 2, 8, 6, 3]);
    for name in ["text-cnn", "lstm", "gru", "transformer"] {
        // Positions, kernels and weights do not depend on the length of the input.
        let shapes =
            Shapes { sample: &[4], vocabulary: Some(10), outputs: 3, places: None, table: None };
        let nodes = (preset(name).unwrap().nodes)(&shapes).unwrap();
        let alone = outputs(&nodes, 3, &short, [1, 4]);
        let longer: Vec<i64> = short.into_iter().chain([0; 3]).chain(other).collect();
        let padded = outputs(&nodes, 3, &longer, [2, 7]);
        for (alone, padded) in alone.iter().zip(&padded) {
            for (a, b) in alone.iter().zip(&padded[..3]) {
                assert!((a - b).abs() < 2e-6, "{name}: {alone:?} alone, {padded:?} padded");
            }
        }
    }
}

#[test]
fn of_taggers() {
    let shapes =
        Shapes { sample: &[3], vocabulary: Some(10), outputs: 2, places: Some(3), table: None };
    let nodes = (preset("tagger").unwrap().nodes)(&shapes).unwrap();
    let alone = outputs(&nodes, 3, &[3, 9, 4], [1, 3]);
    let padded = outputs(&nodes, 3, &[3, 9, 4, 0, 0, 1, 2, 3, 4, 5], [2, 5]);
    for (alone, padded) in alone.iter().zip(&padded) {
        assert!(alone.iter().zip(padded).all(|(a, b)| (a - b).abs() < 2e-6));
    }
}

#[test]
fn of_sources_and_targets() {
    let shapes = |length| Shapes {
        sample: length,
        vocabulary: Some(10),
        outputs: 6,
        places: Some(2),
        table: None,
    };
    let nodes = |length| (preset("seq2seq").unwrap().nodes)(&shapes(length)).unwrap();
    let alone = outputs(&nodes(&[5]), 3, &[7, 8, 9, 2, 4], [1, 5]);
    let padded = outputs(&nodes(&[7]), 3, &[7, 8, 9, 0, 0, 2, 4], [1, 7]);
    assert_eq!(alone[0].len(), 2 * 6);
    for (alone, padded) in alone.iter().zip(&padded) {
        assert!(alone.iter().zip(padded).all(|(a, b)| (a - b).abs() < 2e-6));
    }
}

macro_rules! states {
    ($layer:expr) => {{
        let layer = $layer;
        let mut store = bound(&layer);
        let (x, lengths) = (numbers(&[2, 5, 3], 1), Tensor::new(&[2i64, 5], [2]));
        let (y, Carry { h, .. }) = layer.forward_with(&x, None, Some(&lengths));
        let first = x.narrow(0, 0, 1).narrow(1, 0, 2);
        let (alone, Carry { h: end, .. }) = layer.forward_with(&first, None, None);
        let got = run(&[y.narrow(0, 0, 1), h.narrow(1, 0, 1), alone, end], &[], &mut store);
        let (y, alone) = (&got[0], &got[2]);
        let width = alone.len() / 2;
        assert!(y.iter().zip(alone).all(|(a, b)| (a - b).abs() < 1e-6));
        assert!(y[2 * width..].iter().all(|&x| x == 0.0), "zeros behind the sequence");
        assert!(got[1].iter().zip(&got[3]).all(|(a, b)| (a - b).abs() < 1e-6));
    }};
}

#[test]
fn of_states() {
    states!(Rnn::new(3, 4).layers(2).bidirectional());
    states!(Lstm::new(3, 4).layers(2).bidirectional());
    states!(Gru::new(3, 4).layers(2).bidirectional());
}

#[test]
fn gradients_of_padding_are_zero() {
    let lstm = Lstm::new(2, 3).bidirectional();
    let mut store = bound(&lstm);
    let x = Tensor::input("x", DType::F32, [2, 4, 2]);
    let (y, _) = lstm.forward_with(&x, None, Some(&Tensor::new(&[1i64, 3], [2])));
    let slope = thalweg_graph::grad(&(&y * &y).sum_all(), std::slice::from_ref(&x)).unwrap();
    let value = Value::new(&[0.5f32; 16], [2, 4, 2]).unwrap();
    let slope = run(&slope, &[thalweg_graph::Feed { input: x, value }], &mut store).remove(0);
    let zero: Vec<bool> = slope.chunks(2).map(|pair| pair == [0.0, 0.0]).collect();
    assert_eq!(zero, [false, true, true, true, false, false, false, true]);
}
