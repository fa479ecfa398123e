//! Step by step is the same as at once.

use std::collections::BTreeMap;

use thalweg_cpu::Cpu;
use thalweg_graph::{DType, Executor, Feed, StateId, States, Tensor, Value};
use thalweg_nn::context::trace_step;
use thalweg_nn::{
    Conv1d, Forward, Gru, LearnedPositions, Lstm, Module, MultiheadAttention, Network, Padding,
    Pool, PoolTime, Rnn, SinusoidalPositions, Store, TransformerEncoder, TransformerEncoderLayer,
    Visitor, states,
};

use super::numbers;
use crate::help::{assert_close, message};

struct Chain(Vec<Box<dyn Network>>);

impl Module for Chain {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        self.0.visit(visitor);
    }
}

impl Forward for Chain {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.0.iter().fold(x.clone(), |x, layer| layer.forward(&x))
    }
}

/// Runs `net` over all places at once, and place by place; the outputs agree. Tells what the steps kept.
fn compare(net: &dyn Network) -> (Vec<Vec<usize>>, bool) {
    const PLACES: usize = 5;
    const CAPACITY: usize = 7;
    let mut store = Store::new(3);
    store.bind(net).unwrap();
    let x = numbers(&[2, PLACES, 4], 1);
    let cpu = Cpu::new(2);
    let whole = cpu.run(&[net.forward(&x)], &[], &[], &mut store).unwrap()[0].to_f64();

    let position = Tensor::input("position", DType::I64, []);
    let place = Tensor::input("x", DType::F32, [2, 1, 4]);
    let step = trace_step(&position, CAPACITY, || net.forward(&place));
    let mut all: BTreeMap<StateId, Value> = BTreeMap::new();
    for (_, param) in states(net) {
        all.insert(param.id(), store.get(param.id()).unwrap().clone());
    }
    for cache in &step.caches {
        all.insert(cache.id(), Value::zeros(cache.dtype(), cache.shape()));
    }
    let mut outputs = vec![];
    for t in 0..PLACES {
        let here = cpu.run(&[x.narrow(1, t, 1)], &[], &[], &mut store).unwrap().remove(0);
        let feeds = [
            Feed { input: position.clone(), value: Value::scalar(t as i64) },
            Feed { input: place.clone(), value: here },
        ];
        let of = std::slice::from_ref(&step.result);
        outputs.push(cpu.run(of, &step.writes, &feeds, &mut all).unwrap()[0].to_f64());
    }
    let width = whole.len() / (2 * PLACES);
    for (t, output) in outputs.iter().enumerate() {
        for (row, numbers) in output.chunks(width).enumerate() {
            let at = (row * PLACES + t) * width;
            assert_close(numbers, &whole[at..at + width], 1e-5);
        }
    }
    (step.caches.iter().map(|cache| cache.shape().to_vec()).collect(), step.bounded)
}

#[test]
fn of_recurrent_layers() {
    assert_eq!(compare(&Rnn::new(4, 3)), (vec![vec![2, 3]], false));
    assert_eq!(compare(&Gru::new(4, 3).layers(2)), (vec![vec![2, 3]; 2], false));
    assert_eq!(compare(&Lstm::new(4, 3).layers(2)), (vec![vec![2, 3]; 4], false));
}

#[test]
fn of_attention() {
    let (caches, bounded) = compare(&MultiheadAttention::new(4, 2).causal());
    assert_eq!((caches, bounded), (vec![vec![2, 2, 7, 2]; 2], true));
    compare(&MultiheadAttention::new(4, 1).causal().rotary());
    let block = || TransformerEncoderLayer::new(4, 2).feedforward(6).gelu().norm_first().causal();
    let positions: [Box<dyn Network>; 2] =
        [Box::new(LearnedPositions::new(9, 4)), Box::new(SinusoidalPositions::new())];
    for positions in positions {
        let blocks = TransformerEncoder::new(vec![block(), block()]).norm();
        let (caches, bounded) = compare(&Chain(vec![positions, Box::new(blocks)]));
        assert_eq!((caches.len(), bounded), (4, true));
    }
}

#[test]
fn a_mixed_network() {
    compare(&Chain(vec![
        Box::new(Lstm::new(4, 4)),
        Box::new(MultiheadAttention::new(4, 2).causal()),
        Box::new(Gru::new(4, 4)),
    ]));
}

#[test]
fn looking_ahead_is_refused() {
    let refuses: [(Box<dyn Network>, &str); 4] = [
        (Box::new(Lstm::new(4, 3).bidirectional()), "a bidirectional layer looks ahead"),
        (Box::new(MultiheadAttention::new(4, 2)), "attention that is not causal looks ahead"),
        (Box::new(PoolTime::new(Pool::Max)), "pooling over time looks ahead"),
        (Box::new(Conv1d::new(1, 1, 3).padding(Padding::Same)), "a layer over space looks ahead"),
    ];
    let position = Tensor::input("position", DType::I64, []);
    let x = Tensor::zeros(DType::F32, [1, 1, 4]);
    for (net, what) in refuses {
        let found = message(&trace_step(&position, 8, || net.forward(&x)).result);
        assert!(found.contains(what), "{found}");
    }
    let long = trace_step(&position, 8, || LearnedPositions::new(4, 4).forward(&x)).result;
    assert!(message(&long).contains("at most 4, got 8"));
}
