//! The trace context: modes, writes, random streams; and dropout, which lives on it.

use thalweg_graph::{DType, Tensor, grad};
use thalweg_nn::{
    Dropout, Forward, Init, Mode, Module, Param,
    context::{self, fixed_key, is_tracing, mode, random_stream, read, trace, write},
};

use crate::help::{bound, message, stateless, value};

fn key() -> Tensor {
    fixed_key(7, 0)
}

#[test]
fn the_mode_is_eval_outside_and_traces_nest() {
    assert_eq!((mode(), is_tracing()), (Mode::Eval, false));
    let outer = trace(Mode::Train, &key(), || {
        let inner = trace(Mode::Eval, &key(), mode).result;
        (mode(), inner, is_tracing())
    });
    assert_eq!(outer.result, (Mode::Train, Mode::Eval, true));
    assert_eq!((mode(), is_tracing()), (Mode::Eval, false));
}

#[test]
fn a_panic_leaves_no_trace() {
    let result = std::panic::catch_unwind(|| {
        let _ = trace(Mode::Train, &key(), || std::panic::resume_unwind(Box::new("stop")));
    });
    assert!(result.is_err());
    assert!(!is_tracing());
}

#[test]
fn writes_chain_in_call_order_and_reads_see_them() {
    let count = Param::buffer("count", DType::F32, [1], Init::Ones);
    let store = bound(&count);
    let step = trace(Mode::Train, &key(), || {
        write(&count, read(&count) * 3.0);
        write(&count, read(&count) + 1.0);
        read(&count)
    });
    assert_eq!(step.writes.len(), 1);
    assert_eq!(step.writes[0].0, count.id());
    assert_eq!(value(&step.writes[0].1, &store), [4.0]);
    assert_eq!(value(&step.result, &store), [4.0]);
    write(&count, read(&count) * 9.0); // outside a trace: nothing to write to
    assert_eq!(value(&read(&count), &store), [1.0]);
}

#[test]
fn a_write_of_another_shape_is_poisoned() {
    let count = Param::buffer("count", DType::F32, [1], Init::Ones);
    let step = trace(Mode::Train, &key(), || write(&count, Tensor::zeros(DType::F32, [2])));
    let message = message(&step.writes[0].1);
    assert!(message.contains("must be f32[1], got f32[2]"), "{message}");
}

#[test]
fn streams_differ_by_call_and_come_again() {
    assert!(random_stream().is_none());
    let streams = || {
        trace(Mode::Train, &key(), || [(); 3].map(|()| random_stream().map(|(_, stream)| stream)))
            .result
    };
    let [a, b, c] = streams();
    assert!(a.is_some() && a != b && b != c && a != c);
    assert_eq!(streams(), [a, b, c]);
}

fn dropped(p: f64, key: &Tensor, n: usize) -> Vec<f64> {
    let x = Tensor::ones(DType::F32, [n]);
    stateless(&trace(Mode::Train, key, || Dropout::new(p).forward(&x)).result)
}

#[test]
fn dropout_keeps_the_expectation() {
    for p in [0.1, 0.5, 0.9] {
        let y = dropped(p, &key(), 20_000);
        let scale = (1.0 / (1.0 - p)) as f32 as f64;
        assert!(y.iter().all(|&y| y == 0.0 || (y - scale).abs() < 1e-6), "p = {p}");
        let mean = y.iter().sum::<f64>() / y.len() as f64;
        // Five standard deviations of the mean of 20,000.
        let allowed = 5.0 * (p / (1.0 - p) / 20_000.0f64).sqrt();
        assert!((mean - 1.0).abs() < allowed, "p = {p}: mean {mean}");
    }
}

#[test]
fn dropout_differs_by_step_and_seed_and_repeats() {
    let first = dropped(0.5, &fixed_key(7, 0), 100);
    assert_eq!(first, dropped(0.5, &fixed_key(7, 0), 100));
    assert_ne!(first, dropped(0.5, &fixed_key(7, 1), 100));
    assert_ne!(first, dropped(0.5, &fixed_key(8, 0), 100));
}

#[test]
fn two_dropouts_and_two_calls_drop_differently() {
    let x = Tensor::ones(DType::F32, [100]);
    #[derive(Module)]
    struct Net {
        a: Dropout,
        b: Dropout,
    }
    let net = Net { a: Dropout::new(0.5), b: Dropout::new(0.5) };
    bound(&net);
    let step = trace(Mode::Train, &key(), || {
        [net.a.forward(&x), net.b.forward(&x), net.a.forward(&x)].map(|y| stateless(&y))
    });
    let [a, b, again] = step.result;
    assert!(a != b && a != again && b != again);
    // The stream is the layer's own: without b, a drops the same.
    let alone = trace(Mode::Train, &key(), || net.a.forward(&x)).result;
    assert_eq!(stateless(&alone), a);
}

#[test]
fn dropout_is_the_identity_in_use_and_at_zero() {
    let x = Tensor::ones(DType::F32, [4]);
    assert_eq!(Dropout::new(0.5).forward(&x).id(), x.id());
    let used = trace(Mode::Eval, &key(), || Dropout::new(0.5).forward(&x)).result;
    assert_eq!(used.id(), x.id());
    let zero = trace(Mode::Train, &key(), || Dropout::new(0.0).forward(&x)).result;
    assert_eq!(zero.id(), x.id());
}

#[test]
fn dropout_of_everything_is_zero_with_a_zero_gradient() {
    let x = Tensor::ones(DType::F32, [4]);
    let y = trace(Mode::Train, &key(), || Dropout::new(1.0).forward(&x)).result;
    assert_eq!(stateless(&y), [0.0; 4]);
    assert_eq!(stateless(&grad(&y.sum_all(), &[x]).unwrap()[0]), [0.0; 4]);
}

#[test]
fn the_gradient_passes_where_the_value_did() {
    let x = Tensor::ones(DType::F32, [50]);
    let y = trace(Mode::Train, &key(), || Dropout::new(0.5).forward(&x)).result;
    assert_eq!(stateless(&grad(&y.sum_all(), &[x]).unwrap()[0]), stateless(&y));
}

#[test]
fn a_wrong_probability_is_poison_in_use_as_in_training() {
    let x = Tensor::ones(DType::F32, [4]);
    for p in [-0.1, 1.5, f64::NAN, f64::INFINITY] {
        let message = message(&Dropout::new(p).forward(&x));
        assert!(message.contains(&format!("must be in 0..=1, got {p}")), "{message}");
    }
}

#[test]
fn the_key_can_be_an_input() {
    let key = context::key_input();
    let x = Tensor::ones(DType::F32, [4]);
    let y = trace(Mode::Train, &key, || Dropout::new(0.5).forward(&x)).result;
    assert!(thalweg_graph::reachable(&[y]).iter().any(|node| node.id() == key.id()));
}
