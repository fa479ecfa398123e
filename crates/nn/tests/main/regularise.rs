//! What keeps networks from learning by heart: dropout of channels and branches, noise, penalties, limits on rows, mix-up.

use thalweg_graph::{DType, Executor, Reference, Tensor};
use thalweg_nn::augment::mixup;
use thalweg_nn::optim::{Group, Sgd, Updater};
use thalweg_nn::{
    Dag, Dropout2d, Forward, GaussianNoise, LayerSpec, Linear, Mode, NodeSpec, Param, Penalised,
    Reparameterize, Sequential, StochasticDepth, Store,
    context::{fixed_key, trace},
    parameters,
};

use crate::help::{assert_close, bound, message, set, stateless, value};

fn trained(layer: &dyn Forward, x: &Tensor, step: u64) -> Vec<f64> {
    stateless(&trace(Mode::Train, &fixed_key(7, step), || layer.forward(x)).result)
}

fn ones(shape: &[usize]) -> Tensor {
    Tensor::ones(DType::F32, shape)
}

#[test]
fn channels_fall_whole() {
    let x = ones(&[20, 30, 2, 3]);
    let y = trained(&Dropout2d::new(0.25), &x, 0);
    let fallen = y.chunks(6).filter(|channel| {
        assert!(channel.iter().all(|&y| y == channel[0]), "{channel:?}");
        assert!(channel[0] == 0.0 || (channel[0] - 4.0 / 3.0).abs() < 1e-6);
        channel[0] == 0.0
    });
    assert!((110..190).contains(&fallen.count()));
    assert_ne!(y, trained(&Dropout2d::new(0.25), &x, 1));
    // In use, and with nothing to drop, the very same tensor.
    assert_eq!(Dropout2d::new(0.25).forward(&x).id(), x.id());
    assert_eq!(trained(&Dropout2d::new(1.0), &x, 0), vec![0.0; 3600]);
}

#[test]
fn branches_fall_by_sample() {
    let x = ones(&[400, 2, 2]);
    let y = trained(&StochasticDepth::new(0.5), &x, 0);
    let kept = y.chunks(4).filter(|sample| {
        assert!(sample.iter().all(|&y| y == sample[0] && (y == 0.0 || y == 2.0)));
        sample[0] == 2.0
    });
    assert!((160..240).contains(&kept.count()));
}

#[test]
fn noise_is_only_there_in_training() {
    let x = ones(&[5000]);
    let layer = GaussianNoise::new(2.0);
    assert_eq!(layer.forward(&x).id(), x.id());
    let y = trained(&layer, &x, 0);
    let mean = y.iter().sum::<f64>() / 5e3;
    let var = y.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>() / 5e3;
    assert!((mean - 1.0).abs() < 0.1 && (var - 4.0).abs() < 0.3, "{mean} {var}");
}

#[test]
fn what_cannot_be_is_said() {
    let x = ones(&[2, 3]);
    let cases = [
        (Dropout2d::new(1.5).forward(&ones(&[1, 1, 1, 1])), "p must be in 0..=1, got 1.5"),
        (Dropout2d::new(0.5).forward(&x), "expects [N, C, H, W], got [2, 3]"),
        (StochasticDepth::new(-0.5).forward(&x), "p must be in 0..=1, got -0.5"),
        (StochasticDepth::new(0.5).forward(&ones(&[])), "got a scalar"),
        (GaussianNoise::new(f64::NAN).forward(&x), "std must be a finite number"),
        (Reparameterize::new(-1.0).forward(&x), "beta must be a finite number"),
        (Reparameterize::new(1.0).forward(&x), "expects [N, 2·Z, …], got [2, 3]"),
        (Penalised::new(Linear::new(3, 1)).l2(-1.0).forward(&x), "(Linear 3 → 1)"),
        (Penalised::new(Linear::new(3, 1)).l1(f64::NAN).forward(&x), "l1 must be finite and ≥ 0"),
        (mixup(&x, &x, -1.0).0, "alpha must be in 0..=100, got -1"),
        (
            mixup(&x, &Tensor::zeros(DType::I64, [2]), 0.2).1,
            "the target must be a float, got i64[2]",
        ),
        (
            mixup(&x, &ones(&[3, 2]), 0.2).0,
            "axis 0 must count the same rows, got [2, 3] and [3, 2]",
        ),
    ];
    for (tensor, part) in cases {
        let message = message(&tensor);
        let part = part.strip_prefix('(').and_then(|part| part.strip_suffix(')')).unwrap_or(part);
        assert!(message.contains(part), "{part}\nis not in\n{message}");
    }
}

#[test]
fn a_code_is_drawn_and_its_divergence_counts() {
    let layer = Reparameterize::new(2.0);
    // Means 1 and −2, variances 4 and 1.
    let four = 4f32.ln();
    let row = [1.0f32, -2.0, four, 0.0];
    let x = Tensor::new(&row.repeat(4000), [4000, 4]);
    assert_eq!(stateless(&layer.forward(&x))[..2], [1.0, -2.0]);
    let step = trace(Mode::Train, &fixed_key(1, 1), || layer.forward(&x));
    let z = stateless(&step.result);
    let column = |i: usize| z.iter().skip(i).step_by(2).copied().collect::<Vec<f64>>();
    for (i, (mean, var)) in [(1.0, 4.0), (-2.0, 1.0)].into_iter().enumerate() {
        let (z, n) = (column(i), 4e3);
        let got = z.iter().sum::<f64>() / n;
        let spread = z.iter().map(|z| (z - got) * (z - got)).sum::<f64>() / n;
        assert!((got - mean).abs() < 0.12 && (spread / var - 1.0).abs() < 0.1, "{got} {spread}");
    }
    // ½(1 + 4 − ln 4 − 1) + ½·4, twice.
    assert_close(&stateless(&step.penalties[0]), &[4.0 - 4f64.ln() + 4.0], 1e-3);
    assert!(trace(Mode::Eval, &fixed_key(1, 1), || layer.forward(&x)).penalties.is_empty());
}

#[test]
fn a_penalty_is_that_of_the_weights_once() {
    let layer = Penalised::new(Linear::new(2, 2)).l1(0.5).l2(0.25);
    let mut store = bound(&layer);
    set(&mut store, "weight", &[1.0, -2.0, 3.0, 0.0]);
    set(&mut store, "bias", &[100.0, 100.0]);
    let x = ones(&[1, 2]);
    let step = trace(Mode::Train, &fixed_key(0, 0), || layer.forward(&layer.forward(&x)));
    assert_eq!(step.penalties.len(), 1);
    // ½·(1 + 2 + 3) + ¼·(1 + 4 + 9); the bias is free.
    assert_eq!(value(&step.penalties[0], &store), [6.5]);
    assert!(trace(Mode::Eval, &fixed_key(0, 0), || layer.forward(&x)).penalties.is_empty());
    // A layer that learns its size later.
    let late = Penalised::new(Sequential::new().linear(3)).l2(1.0);
    let step = trace(Mode::Train, &fixed_key(0, 0), || late.forward(&x));
    assert_eq!(step.penalties.len(), 1);
    assert_eq!(parameters(&late)[0].0, "0.weight");
}

#[test]
fn nodes_have_penalties() {
    let text = r#"[{"type": "linear", "out": 2, "l2": 0.5, "name": "a"}, {"type": "linear", "out": 2, "same_as": "a"}]"#;
    let nodes: Vec<NodeSpec> = serde_json::from_str(text).unwrap();
    let layer = LayerSpec::Linear { out: 2, bias: true };
    assert_eq!(nodes[0], NodeSpec::from(layer).named("a").penalised(0.0, 0.5));
    let written = serde_json::to_string(&nodes).unwrap();
    assert!(written.contains(r#""l2":0.5"#) && !written.contains("l1"), "{written}");
    let net = Dag::new(nodes);
    net.build([1, 2], DType::F32).unwrap();
    let mut store = Store::new(0);
    store.bind(&net).unwrap();
    set(&mut store, "a.weight", &[1.0, 2.0, 3.0, 4.0]);
    let step = trace(Mode::Train, &fixed_key(0, 0), || net.forward(&ones(&[1, 2])));
    assert_eq!(step.penalties.len(), 1);
    assert_eq!(value(&step.penalties[0], &store), [15.0]);
}

#[test]
fn rows_stay_short() {
    let weight = Param::new("weight", [3, 2], thalweg_nn::Init::Ones);
    let bias = Param::new("bias", [2], thalweg_nn::Init::Ones);
    let mut store = bound(&[weight.clone(), bias.clone()]);
    set(&mut store, "0", &[3.0, 4.0, 0.3, 0.4, f32::NAN, 1.0]);
    set(&mut store, "1", &[30.0, 40.0]);
    let params = [("0".to_owned(), weight.clone()), ("1".to_owned(), bias.clone())];
    let grads = [weight.tensor().zeros_like(), bias.tensor().zeros_like()];
    let updater =
        Updater { groups: vec![Group::max_norm("*", 2.0)], ..Updater::new(Sgd::default()) };
    let (loss, lr) = (Tensor::scalar(1.0, DType::F32), Tensor::scalar(0.1, DType::F64));
    let step = updater.build(&mut store, &params, &grads, &loss, &lr).unwrap();
    Reference::new().run(&[], &step.writes, &[], &mut store).unwrap();
    let rows = store.value("0").unwrap().to_f64();
    assert_close(&rows[..4], &[1.2, 1.6, 0.3, 0.4], 1e-6);
    assert!(rows[4].is_nan() && rows[5] == 1.0);
    assert_eq!(store.value("1").unwrap().to_f64(), [30.0, 40.0]);
}

#[test]
fn mixing_is_with_the_row_before() {
    let x = Tensor::new(&[0.0f32, 10.0, 200.0], [3, 1]);
    let shares = Tensor::new(&[0i64, 1, 2], [3]).one_hot(3, DType::F32);
    let mixed = |step| {
        let mixed = trace(Mode::Train, &fixed_key(3, step), || mixup(&x, &shares, 1.0));
        (stateless(&mixed.result.0), stateless(&mixed.result.1))
    };
    let mut seen = vec![];
    for step in 0..20 {
        let (x, shares) = mixed(step);
        let share = shares[0];
        assert_close(
            &shares,
            &[share, 0.0, 1.0 - share, 1.0 - share, share, 0.0, 0.0, 1.0 - share, share],
            1e-6,
        );
        let before = 1.0 - share;
        assert_close(&x, &[before * 200.0, share * 10.0, share * 200.0 + before * 10.0], 1e-4);
        seen.push(share);
    }
    assert!(seen.iter().any(|&share| share < 0.3) && seen.iter().any(|&share| share > 0.7));
    // In use, and for one row, nothing happens.
    assert_eq!(mixup(&x, &shares, 1.0).0.id(), x.id());
    let one = ones(&[1, 3]);
    let kept = trace(Mode::Train, &fixed_key(3, 0), || mixup(&one, &one, 1.0));
    assert_eq!(kept.result.0.id(), one.id());
}
