//! Gradients of the layers over sequences, first and second order, by inputs and parameters.

use thalweg_graph::{Tensor, Value};
use thalweg_nn::{
    Carry, Forecaster, Forward, Gru, LearnedPositions, Lstm, Mode, Module, MultiheadAttention,
    Node, Pool, PoolTime, Rnn, Seq2Seq, Seq2SeqSize, SinusoidalPositions, TransformerDecoderLayer,
    TransformerEncoder, TransformerEncoderLayer, TwoTower, Visitor,
};

use crate::gradients::{check, numbers};

/// A module as a network by a function of what it is given.
struct By<M, F>(M, F);

impl<M: Module, F> Module for By<M, F> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        self.0.visit(visitor);
    }
}

impl<M, F: Fn(&M, &Tensor) -> Tensor> Forward for By<M, F> {
    fn forward(&self, x: &Tensor) -> Tensor {
        (self.1)(&self.0, x)
    }
}

/// With the ids of a padded batch.
fn padded<N: Node>(layer: N) -> By<N, impl Fn(&N, &Tensor) -> Tensor> {
    By(layer, |layer: &N, x: &Tensor| {
        let ids = Tensor::new(&[3i64, 4, 5, 6, 0, 0], [2, 3]);
        layer.forward_all(&[x.clone(), ids])
    })
}

#[test]
fn of_recurrent_layers() {
    let x = || numbers(&[2, 3, 2], 1);
    check("rnn", &Rnn::new(2, 2), Mode::Train, x());
    check("rnn with relu", &Rnn::new(2, 2).relu(), Mode::Train, x());
    check("lstm", &Lstm::new(2, 2).layers(2), Mode::Train, x());
    check("gru", &Gru::new(2, 2).bidirectional(), Mode::Train, x());
    check("padded lstm", &padded(Lstm::new(2, 2).bidirectional()), Mode::Train, x());
    check("padded gru", &padded(Gru::new(2, 2).layers(2)), Mode::Train, x());
    let dropped = Lstm::new(2, 2).layers(2).dropout(0.5);
    check("lstm with dropout", &dropped, Mode::Train, x());
}

#[test]
fn by_the_state_at_the_beginning() {
    let from = By(Lstm::new(2, 3), |lstm: &Lstm, h: &Tensor| {
        let x = Tensor::constant(numbers(&[2, 2, 2], 9));
        let start = Carry { h: h.clone(), c: Some(h * 0.5) };
        let (y, end) = lstm.forward_with(&x, Some(&start), None);
        y.sum(&[1]) + end.h.squeeze(0) + end.c.unwrap().squeeze(0)
    });
    check("lstm by its state", &from, Mode::Train, numbers(&[1, 2, 3], 1));
}

#[test]
fn of_attention_and_transformer_layers() {
    let x = || numbers(&[2, 3, 4], 1);
    check("attention", &MultiheadAttention::new(4, 2), Mode::Train, x());
    let rotary = MultiheadAttention::new(4, 2).causal().rotary();
    check("causal attention", &rotary, Mode::Train, x());
    check("padded attention", &padded(MultiheadAttention::new(4, 2)), Mode::Train, x());
    let layer = || TransformerEncoderLayer::new(4, 2).feedforward(3).gelu();
    check("encoder layer", &layer().norm_first().causal(), Mode::Train, x());
    check("encoder", &TransformerEncoder::new(vec![layer()]).norm(), Mode::Train, x());
    let decoder = TransformerDecoderLayer::new(4, 2).feedforward(3).gelu();
    let decoder = By(decoder, |layer: &TransformerDecoderLayer, x: &Tensor| {
        let memory = x.narrow(1, 0, 2) * 0.5;
        layer.forward_all(&[x.clone(), memory, Tensor::new(&[1i64, 0, 1, 2], [2, 2])])
    });
    check("decoder layer", &decoder, Mode::Train, x());
}

#[test]
fn of_the_rest() {
    let x = || numbers(&[2, 3, 2], 1);
    check("sinusoidal positions", &SinusoidalPositions::new(), Mode::Train, x());
    check("learned positions", &LearnedPositions::new(4, 2), Mode::Train, x());
    for how in [Pool::Mean, Pool::Max, Pool::Last] {
        check("pooling", &PoolTime::new(how), Mode::Train, x());
        check("padded pooling", &padded(PoolTime::new(how)), Mode::Train, x());
    }
    check("forecaster", &Forecaster::new(3, 2, 4).hidden(3).season(2), Mode::Train, x());
    // Row 0 of a table is not trained, so it takes no part.
    let ids = |ids: &[i64], shape: [usize; 2]| Value::new(ids, shape).unwrap();
    check("two towers", &TwoTower::new(4, 3, 2), Mode::Train, ids(&[1, 2, 3, 1], [2, 2]));
    let size = Seq2SeqSize { source_ids: 4, target_ids: 3, source: 2, dim: 2, hidden: 2 };
    check("seq2seq", &Seq2Seq::new(size), Mode::Train, ids(&[1, 3, 1, 2, 2, 0, 2, 1], [2, 4]));
}
