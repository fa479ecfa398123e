//! What does not fit is named: the layer, the axis, what was expected and what came.

use thalweg_graph::{DType, Executor, Reference, Tensor};
use thalweg_nn::spec::EmbeddingOptions;
use thalweg_nn::{
    Carry, Dag, Embedding, Forecaster, Forward, Gru, LayerSpec, LearnedPositions, Linear, Lstm,
    Module, MultiheadAttention, Node, NodeSpec, Pool, PoolTime, Rnn, Seq2Seq, Seq2SeqSize, Store,
    TransformerDecoderLayer, TransformerEncoderLayer, TwoTower,
};

use crate::help::{bound, message};

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::zeros(DType::F32, shape)
}

fn ids(shape: &[usize]) -> Tensor {
    Tensor::zeros(DType::I64, shape)
}

/// That the message says all of `parts`.
fn says(y: &Tensor, parts: &[&str]) {
    let found = message(y);
    for part in parts {
        assert!(found.contains(part), "{found:?} does not say {part:?}");
    }
}

#[test]
fn of_recurrent_layers() {
    let lstm = Lstm::new(3, 4);
    says(&lstm.forward(&zeros(&[2, 0, 3])), &["Lstm 3 → 4", "axis 1 (T)", "at least 1, got 0"]);
    says(&lstm.forward(&zeros(&[2, 5, 2])), &["axis 2 (F) must be 3, got 2 in [2, 5, 2]"]);
    says(&lstm.forward(&zeros(&[2, 3])), &["must be [N, T, F], got [2, 3]"]);
    says(&lstm.forward(&ids(&[2, 5])), &["expects f32, got i64", "embedding"]);
    let time_first = Rnn::new(3, 4).batch_first(false);
    says(&time_first.forward(&zeros(&[0, 2, 3])), &["axis 0 (T)", "got 0 in [0, 2, 3]"]);
    says(&Gru::new(3, 0).forward(&zeros(&[2, 5, 3])), &["hidden must be at least 1, got 0"]);
    says(&Gru::new(3, 4).layers(0).forward(&zeros(&[2, 5, 3])), &["layers must be at least 1"]);
    let dropped = Gru::new(3, 4).layers(2).dropout(1.5).forward(&zeros(&[2, 5, 3]));
    says(&dropped, &["probability p must be in 0..=1, got 1.5"]);

    let x = zeros(&[2, 5, 3]);
    let start = |h: &[usize], c: Option<&[usize]>| Carry { h: zeros(h), c: c.map(zeros) };
    let with = |start: Carry| lstm.forward_with(&x, Some(&start), None).0;
    says(&with(start(&[1, 2, 4], None)), &["must have h and c, got h alone"]);
    let wrong = with(start(&[1, 2, 4], Some(&[1, 3, 4])));
    says(&wrong, &["the state c must be [1, 2, 4], got [1, 3, 4]"]);
    let (y, end) = lstm.forward_with(&x, None, Some(&ids(&[3])));
    says(&y, &["lengths must be i64[2], got i64[3]"]);
    says(&end.c.unwrap(), &["lengths must be i64[2], got i64[3]"]);
}

#[test]
fn of_lengths_at_run_time() {
    let lstm = Lstm::new(3, 4);
    let mut store = bound(&lstm);
    for wrong in [0, 6] {
        let lengths = Tensor::new(&[5i64, wrong], [2]);
        let (y, _) = lstm.forward_with(&zeros(&[2, 5, 3]), None, Some(&lengths));
        let error = Reference::new().run(&[y], &[], &[], &mut store).unwrap_err().to_string();
        assert!(error.contains("Lstm 3 → 4"), "{error}");
        assert!(error.contains(&format!("length {wrong}")), "{error}");
    }
}

#[test]
fn of_attention() {
    let (attention, x) = (MultiheadAttention::new(8, 2), zeros(&[2, 5, 8]));
    says(&attention.forward(&zeros(&[2, 0, 8])), &["axis 1 (T)", "at least 1, got 0"]);
    says(&attention.forward(&zeros(&[2, 5, 6])), &["must be [N, T, 8], got [2, 5, 6]"]);
    let uneven = MultiheadAttention::new(8, 3).forward(&x);
    says(&uneven, &["MultiheadAttention 8, 3 heads", "heads must divide dim 8, got 3"]);
    let odd = MultiheadAttention::new(6, 2).rotary().forward(&zeros(&[2, 5, 6]));
    says(&odd, &["heads of even size, got 3"]);
    let mask = |dtype, shape: &[usize]| Tensor::zeros(dtype, shape);
    let with = |mask: &Tensor| attention.attend(&x, &x, &x, Some(mask));
    says(&with(&mask(DType::Bool, &[2, 4])), &["must be bool[2, 5]", "got bool[2, 4]"]);
    says(&with(&mask(DType::Bool, &[2, 5, 5])), &["bool[2, 2, 5, 5]", "got bool[2, 5, 5]"]);
    says(&with(&mask(DType::F32, &[2, 5])), &["must be bool[2, 5]", "got f32[2, 5]"]);
    let other = zeros(&[3, 5, 8]);
    says(&attention.attend(&x, &other, &other, None), &["the keys [3, 5, 8] do not fit"]);
    let longer = zeros(&[2, 6, 8]);
    says(&attention.attend(&x, &longer, &x, None), &["the values [2, 5, 8] do not fit"]);
    let layer = TransformerEncoderLayer::new(8, 2).feedforward(0);
    says(&layer.forward(&x), &["feedforward must be at least 1"]);
    let decoder = TransformerDecoderLayer::new(8, 2).feedforward(4);
    says(&decoder.forward_with(&x, &zeros(&[2, 3, 6]), None), &["memory must be [N, T, 8]"]);
    says(&LearnedPositions::new(4, 8).forward(&x), &["axis 1 (T) must be at most 4, got 5"]);
}

#[test]
fn of_ids_as_a_second_input() {
    let (pool, x) = (PoolTime::new(Pool::Max), zeros(&[2, 5, 3]));
    let with = |second: Tensor| pool.forward_all(&[x.clone(), second]);
    says(&with(ids(&[2, 4])), &["PoolTime", "must be [N, L] of [2, 5, 3], got [2, 4]"]);
    says(&with(zeros(&[2, 5])), &["the ids must be i64, got f32"]);
    let three = pool.forward_all(&[x.clone(), ids(&[2, 5]), ids(&[2, 5])]);
    says(&three, &["got 3 inputs"]);
    says(&pool.forward(&zeros(&[2, 0, 3])), &["T ≥ 1, got [2, 0, 3]"]);
}

#[test]
fn of_ids_outside_the_vocabulary() {
    let node = |layer| NodeSpec::from(layer);
    let net = Dag::new(vec![
        node(LayerSpec::Embedding(EmbeddingOptions::new(10, 4))).named("words"),
        node(LayerSpec::Linear { out: 2, bias: true }),
    ]);
    net.build([1, 3], DType::I64).unwrap();
    let wrong = Tensor::new(&[1i64, 2, 3, 4, 10, 5], [2, 3]);
    fails(&net, &net.forward(&wrong), &["words (Embedding 10 → 4)", "id 10", "[1, 1]", "0..10"]);

    let net = TwoTower::new(5, 4, 2);
    let wrong = net.forward(&Tensor::new(&[1i64, 4], [1, 2]));
    fails(&net, &wrong, &["item_embedding (Embedding 4 → 2)", "id 4"]);
    says(&net.forward(&ids(&[2, 3])), &["must be [N, 2], got [2, 3]"]);
    says(&net.forward(&zeros(&[2, 2])), &["expects i64 ids, got f32"]);
}

/// That evaluating `y` fails and says all of `parts`.
fn fails(module: &dyn Module, y: &Tensor, parts: &[&str]) {
    let mut store = Store::new(1);
    store.bind(module).unwrap();
    let error = Reference::new()
        .run(std::slice::from_ref(y), &[], &[], &mut store)
        .unwrap_err()
        .to_string();
    for part in parts {
        assert!(error.contains(part), "{error:?} does not say {part:?}");
    }
}

#[test]
fn of_small_networks() {
    let size = Seq2SeqSize { source_ids: 5, target_ids: 6, source: 3, dim: 4, hidden: 8 };
    let net = Seq2Seq::new(size);
    says(&net.forward(&ids(&[2, 3])), &["[N, 3 + T], T ≥ 1, got [2, 3]"]);
    let odd = Seq2Seq::new(Seq2SeqSize { hidden: 7, ..size });
    says(&odd.forward(&ids(&[2, 5])), &["hidden must be even", "got 7"]);
    let net = Forecaster::new(12, 1, 3);
    says(&net.forward(&zeros(&[2, 10])), &["must be [N, 12, 1], got [2, 10]"]);
    says(&net.clone().season(13).forward(&zeros(&[2, 12])), &["at most the window 12, got 13"]);
    // A poisoned input goes through as it is.
    let poisoned = Linear::new(3, 4).forward(&zeros(&[2, 5]));
    assert_eq!(message(&Embedding::new(3, 2).forward(&poisoned)), message(&poisoned));
    assert_eq!(message(&net.forward(&poisoned)), message(&poisoned));
}
