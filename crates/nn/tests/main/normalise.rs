//! Batch and layer norm against numbers worked out by hand.

use thalweg_graph::{DType, Executor, Reference, Tensor};
use thalweg_nn::{
    BatchNorm1d, Forward, LayerNorm, Mode, Store,
    context::{fixed_key, trace},
};

use crate::help::{assert_close, bound, message, set, value};

/// One training step: the output, with the running statistics updated in `store`.
fn train(norm: &BatchNorm1d, x: &Tensor, store: &mut Store) -> Vec<f64> {
    let step = trace(Mode::Train, &fixed_key(0, 0), || norm.forward(x));
    Reference::new().run(&[step.result], &step.writes, &[], store).unwrap()[0].to_f64()
}

#[test]
fn batch_norm_normalises_by_the_biased_variance() {
    let norm = BatchNorm1d::new(2).eps(0.0);
    let mut store = bound(&norm);
    set(&mut store, "weight", &[1.0, 10.0]);
    set(&mut store, "bias", &[0.0, 5.0]);
    // Channel 0: 1, 2, 3, 6: mean 3, biased variance 3.5, unbiased 14/3. Channel 1: 0, 0, 0, 4: 1, 3, 4.
    let x = Tensor::new(&[1.0f32, 0.0, 2.0, 0.0, 3.0, 0.0, 6.0, 4.0], [4, 2]);
    let (a, b) = (3.5f64.sqrt(), 3f64.sqrt());
    let low = 5.0 - 10.0 / b;
    let want = [-2.0 / a, low, -1.0 / a, low, 0.0, low, 3.0 / a, 5.0 + 30.0 / b];
    assert_close(&train(&norm, &x, &mut store), &want, 2e-6);
    let entry = |name: &str| store.value(name).unwrap().to_f64();
    assert_close(&entry("running_mean"), &[0.3, 0.1], 1e-7);
    assert_close(&entry("running_var"), &[0.9 + 1.4 / 3.0, 0.9 + 0.4], 1e-6);
    assert_eq!(entry("num_batches_tracked"), [1.0]);
}

#[test]
fn batch_norm_takes_sequences_per_channel() {
    let norm = BatchNorm1d::new(2).eps(0.0).without_affine();
    let mut store = bound(&norm);
    assert_eq!(store.entries().len(), 3);
    // [N = 2, C = 2, L = 2]: channel 0 holds 1, 3, 1, 3 and channel 1 holds 0, 0, 4, 4.
    let x = Tensor::new(&[1.0f32, 3.0, 0.0, 0.0, 1.0, 3.0, 4.0, 4.0], [2, 2, 2]);
    let want = [-1.0, 1.0, -1.0, -1.0, -1.0, 1.0, 1.0, 1.0];
    assert_close(&train(&norm, &x, &mut store), &want, 1e-6);
    assert_close(&store.value("running_mean").unwrap().to_f64(), &[0.2, 0.2], 1e-7);
    // Four values per channel: unbiased variances 4/3 and 16/3.
    let var = store.value("running_var").unwrap().to_f64();
    assert_close(&var, &[0.9 + 0.4 / 3.0, 0.9 + 1.6 / 3.0], 1e-6);
}

#[test]
fn batch_norm_uses_the_running_statistics_and_keeps_them() {
    let norm = BatchNorm1d::new(1).eps(0.0);
    let mut store = bound(&norm);
    set(&mut store, "running_mean", &[2.0]);
    set(&mut store, "running_var", &[4.0]);
    let x = Tensor::new(&[2.0f32, 6.0], [2, 1]);
    let used = trace(Mode::Eval, &fixed_key(0, 0), || norm.forward(&x));
    assert_eq!(value(&used.result, &store), [0.0, 2.0]);
    assert!(used.writes.is_empty());
    // One sample is enough in use.
    assert_eq!(value(&norm.forward(&Tensor::new(&[4.0f32], [1, 1])), &store), [1.0]);
}

#[test]
fn batch_norm_used_twice_in_a_step_tracks_twice() {
    let norm = BatchNorm1d::new(1).momentum(0.5);
    let mut store = bound(&norm);
    let (a, b) = (Tensor::new(&[1.0f32, 3.0], [2, 1]), Tensor::new(&[7.0f32, 9.0], [2, 1]));
    let step = trace(Mode::Train, &fixed_key(0, 0), || (norm.forward(&a), norm.forward(&b)));
    assert_eq!(step.writes.len(), 3);
    Reference::new().run(&[], &step.writes, &[], &mut store).unwrap();
    // 0 → ½·0 + ½·2 = 1 → ½·1 + ½·8 = 4.5.
    assert_eq!(store.value("running_mean").unwrap().to_f64(), [4.5]);
    assert_eq!(store.value("num_batches_tracked").unwrap().to_i64(), [2]);
}

#[test]
fn two_passes_survive_a_large_mean() {
    let norm = BatchNorm1d::new(1).eps(0.0);
    let mut store = bound(&norm);
    // In f32 E[x²] − mean² would be 0 or worse here.
    let x = Tensor::new(&[10_000.0f32, 10_002.0], [2, 1]);
    assert_close(&train(&norm, &x, &mut store), &[-1.0, 1.0], 1e-6);
}

#[test]
fn batch_norm_refuses_what_has_no_statistics() {
    let train = |norm: BatchNorm1d, shape: &[usize]| {
        let x = Tensor::zeros(DType::F32, shape);
        message(&trace(Mode::Train, &fixed_key(0, 0), || norm.forward(&x)).result)
    };
    let cases = [
        (train(BatchNorm1d::new(3), &[1, 3]), "needs more than one value per channel in training"),
        (train(BatchNorm1d::new(3), &[0, 3]), "needs more than one value per channel"),
        (train(BatchNorm1d::new(3), &[2, 4]), "expects [N, 3] or [N, 3, L], got [2, 4]"),
        (train(BatchNorm1d::new(3), &[3]), "expects [N, 3] or [N, 3, L], got [3]"),
        (train(BatchNorm1d::new(3), &[2, 3, 4, 5]), "got [2, 3, 4, 5]"),
        (train(BatchNorm1d::new(3).eps(-1.0), &[2, 3]), "eps must be a finite number"),
        (train(BatchNorm1d::new(3).momentum(1.5), &[2, 3]), "momentum must be in 0..=1, got 1.5"),
    ];
    for (message, part) in cases {
        assert!(message.contains(part), "{part}\nis not in\n{message}");
    }
    // One sample of a sequence has as many values as it is long.
    let x = Tensor::zeros(DType::F32, [1, 3, 2]);
    let norm = BatchNorm1d::new(3);
    assert!(trace(Mode::Train, &fixed_key(0, 0), || norm.forward(&x)).result.error().is_none());
}

#[test]
fn layer_norm_normalises_each_sample() {
    let norm = LayerNorm::new([2, 2]).eps(0.0);
    let mut store = bound(&norm);
    set(&mut store, "weight", &[1.0, 1.0, 1.0, 2.0]);
    set(&mut store, "bias", &[0.0, 0.0, 0.0, 1.0]);
    // 1, 2, 3, 6: mean 3, variance 3.5. And 4, 4, 8, 8: mean 6, variance 4.
    let x = Tensor::new(&[1.0f32, 2.0, 3.0, 6.0, 4.0, 4.0, 8.0, 8.0], [2, 2, 2]);
    let a = 3.5f64.sqrt();
    let want = [-2.0 / a, -1.0 / a, 0.0, 1.0 + 6.0 / a, -1.0, -1.0, 1.0, 3.0];
    assert_close(&value(&norm.forward(&x), &store), &want, 1e-6);
    assert!(bound(&LayerNorm::new([3]).without_affine()).entries().len() == 0);
}
