//! Losses: gradients of both orders, extremes, exact equalities, what they refuse.

use thalweg_graph::gradcheck::{Options, gradcheck};
use thalweg_graph::{DType, ErrorKind, NoStates, Reference, Tensor, Value, grad};
use thalweg_nn::Activations;
use thalweg_nn::losses::*;

use crate::help::{message, stateless};

fn every_loss() -> Vec<Loss> {
    let configs = [
        r#"{"type": "mse"}"#,
        r#"{"type": "mae", "reduction": "per_sample"}"#,
        r#"{"type": "huber", "delta": 0.8}"#,
        r#"{"type": "cross_entropy"}"#,
        r#"{"type": "cross_entropy", "weight": [1, 2, 0.5], "label_smoothing": 0.1, "ignore_index": 1}"#,
        r#"{"type": "binary_cross_entropy", "pos_weight": [2.0], "label_smoothing": 0.1}"#,
        r#"{"type": "focal"}"#,
        r#"{"type": "focal", "gamma": 0.5, "alpha": [1, 2, 0.5]}"#,
        r#"{"type": "focal", "gamma": 3, "label_smoothing": 0.2, "reduction": "sum"}"#,
        r#"{"type": "binary_focal"}"#,
        r#"{"type": "binary_focal", "gamma": 0.5, "alpha": 0.25}"#,
        r#"{"type": "kl_div", "reduction": "per_sample"}"#,
        r#"{"type": "kl_div", "log_target": true}"#,
        r#"{"type": "cosine_embedding"}"#,
    ];
    configs.iter().map(|config| serde_json::from_str(config).unwrap()).collect()
}

fn takes_labels(loss: &Loss) -> bool {
    matches!(loss, Loss::CrossEntropy(_) | Loss::Focal(_))
}

#[test]
fn gradients_of_both_orders_are_finite_differences() {
    let prediction = Value::new(&[0.3, -0.7, 1.9, -2.4, 0.15, 0.6], [2, 3]).unwrap();
    let shares = Value::new(&[0.2, 0.5, 0.3, 0.6, 0.3, 0.1], [2, 3]).unwrap();
    let labels = Value::from_slice(&[2i64, 0]);
    for loss in every_loss() {
        // Both are varied: targets have gradients too (distillation).
        let inputs = [prediction.clone(), shares.clone()];
        gradcheck(|x| loss.compute(&x[0], &x[1]), &inputs, &Options::default())
            .unwrap_or_else(|error| panic!("{loss:?}: {error}"));
        if takes_labels(&loss) {
            let inputs = [prediction.clone(), labels.clone()];
            gradcheck(|x| loss.compute(&x[0], &x[1]), &inputs, &Options::default())
                .unwrap_or_else(|error| panic!("{loss:?} of labels: {error}"));
        }
    }
    let (a, b) = (prediction, shares);
    let pairs = Tensor::new(&[1i64, -1], [2]);
    let loss = |x: &[Tensor]| cosine_embedding(&x[0], &x[1], &pairs, -0.9, Reduction::Mean);
    gradcheck(loss, &[a.clone(), b.clone()], &Options::default()).unwrap();
    gradcheck(l1_penalty, &[a.clone(), b.clone()], &Options::default()).unwrap();
    gradcheck(l2_penalty, &[a, b], &Options::default()).unwrap();
}

/// The value of a loss and its gradient by the logits.
fn both(loss: &Loss, logits: &Tensor, target: &Tensor) -> (f64, Vec<f64>) {
    let value = loss.compute(logits, target);
    let slope = grad(&value, std::slice::from_ref(logits)).unwrap().remove(0);
    (stateless(&value)[0], stateless(&slope))
}

#[test]
fn class_losses_are_finite_at_extreme_logits_for_any_gamma() {
    let gammas = [0.0, 1e-3, 0.1, 0.5, 0.999, 1.0, 1.5, 2.0, 5.0, 50.0];
    let extremes = [1e4, 1e3, 100.0, 88.0, 40.0, 17.0, 16.0, 9.0, 1e-3, 0.0];
    for dtype in [DType::F32, DType::F64] {
        let tensor = |data: &[f64], shape: &[usize]| {
            Tensor::constant(Value::from_f64(dtype, data, shape).unwrap())
        };
        for (&gamma, z) in gammas.iter().flat_map(|g| extremes.map(|z| (g, z))) {
            for sign in [1.0, -1.0] {
                let z = z * sign;
                let logits = tensor(&[z, 0.0, 0.0, z, -z, 0.0, z, z, -z], &[3, 3]);
                let shares = tensor(&[1.0, 0.0, 0.0, 0.3, 0.7, 0.0, 0.0, 0.0, 1.0], &[3, 3]);
                let labels = Tensor::new(&[0i64, 1, 2], [3]);
                let multi = Loss::Focal(Focal { gamma, ..Focal::default() });
                let binary = Loss::BinaryFocal(BinaryFocal { gamma, ..BinaryFocal::default() });
                let cases = [(&multi, &labels), (&multi, &shares), (&binary, &shares)];
                for (loss, target) in cases {
                    let (value, slope) = both(loss, &logits, target);
                    let finite = value.is_finite() && slope.iter().all(|x| x.is_finite());
                    assert!(finite, "{loss:?} at {z} in {dtype}: {value} {slope:?}");
                    assert!(value >= 0.0, "{loss:?} at {z} in {dtype}: {value}");
                }
            }
        }
    }
}

#[test]
fn focal_without_gamma_is_cross_entropy_to_the_bit() {
    let logits = Tensor::new(&[0.3f32, -0.7, 1.9, -2.4, 0.15, 0.6, 3.0, 2.0, 1.0], [3, 3]);
    let shares = Tensor::new(&[0.2f32, 0.5, 0.3, 0.6, 0.3, 0.1, 1.0, 0.0, 0.0], [3, 3]);
    let labels = Tensor::new(&[2i64, 0, 1], [3]);
    let (label_smoothing, ignore_index) = (0.1, Some(1));
    let plain = CrossEntropy { label_smoothing, ignore_index, ..Default::default() };
    let focal = Focal { gamma: 0.0, label_smoothing, ignore_index, ..Default::default() };
    for target in [&labels, &shares] {
        let same = both(&plain.clone().into(), &logits, target);
        assert_eq!(both(&focal.clone().into(), &logits, target), same);
    }
    let plain = BinaryCrossEntropy { label_smoothing, ..Default::default() };
    let focal = BinaryFocal { gamma: 0.0, label_smoothing, ..Default::default() };
    assert_eq!(both(&focal.into(), &logits, &shares), both(&plain.into(), &logits, &shares));
}

#[test]
fn focal_turns_away_from_easy_samples() {
    let loss = |z: f64, gamma: f64| {
        let loss = Loss::Focal(Focal { gamma, ..Focal::default() });
        both(&loss, &Tensor::new(&[z, 0.0], [1, 2]), &Tensor::new(&[0i64], [1])).0
    };
    let kept = |z: f64| loss(z, 2.0) / loss(z, 0.0);
    assert!(kept(4.0) < 1e-3, "an easy sample keeps {}", kept(4.0));
    assert!(kept(-4.0) > 0.9, "a hard sample keeps {}", kept(-4.0));
}

#[test]
fn ignored_rows_leave_the_denominator_and_all_ignored_is_zero() {
    let logits = Tensor::new(&[1.0, 2.0, 3.0, 0.5, -1.0, 2.0], [2, 3]);
    let alone = Tensor::new(&[1.0, 2.0, 3.0], [1, 3]);
    let losses: [Loss; 3] = [
        CrossEntropy { ignore_index: Some(-100), ..Default::default() }.into(),
        CrossEntropy {
            ignore_index: Some(-100),
            weight: Some(vec![1.0, 2.0, 3.0]),
            label_smoothing: 0.1,
            ..Default::default()
        }
        .into(),
        Focal { ignore_index: Some(-100), ..Default::default() }.into(),
    ];
    for loss in losses {
        let (value, slope) = both(&loss, &logits, &Tensor::new(&[1i64, -100], [2]));
        let (same, slope_alone) = both(&loss, &alone, &Tensor::new(&[1i64], [1]));
        assert_eq!(value, same, "{loss:?}");
        assert_eq!((&slope[..3], &slope[3..]), (&slope_alone[..], &[0.0; 3][..]), "{loss:?}");
        let none = both(&loss, &logits, &Tensor::new(&[-100i64, -100], [2]));
        assert_eq!(none, (0.0, vec![0.0; 6]), "{loss:?}");
    }
}

#[test]
fn an_empty_batch_has_no_loss() {
    let logits = Tensor::zeros(DType::F32, [0, 3]);
    let labels = Tensor::zeros(DType::I64, [0]);
    assert_eq!(both(&CrossEntropy::default().into(), &logits, &labels), (0.0, vec![]));
}

#[test]
fn binary_cross_entropy_keeps_small_losses_on_both_sides() {
    let loss = |z: f32, y: f32| {
        let (z, y) = (Tensor::new(&[z], [1]), Tensor::new(&[y], [1]));
        both(&BinaryCrossEntropy::default().into(), &z, &y).0
    };
    assert!((loss(30.0, 1.0) / libm::exp(-30.0) - 1.0).abs() < 1e-6);
    assert!((loss(-30.0, 0.0) / libm::exp(-30.0) - 1.0).abs() < 1e-6);
    assert_eq!(loss(-1e4, 1.0), 1e4);
}

#[test]
fn a_wrong_label_is_named_with_its_place() {
    let logits = Tensor::zeros(DType::F32, [2, 3]);
    for (labels, said) in [([0i64, 3], "3"), ([-1, 0], "-1"), ([0, -100], "-100")] {
        for loss in [cross_entropy, focal] {
            let loss = loss(&logits, &Tensor::new(&labels, [2]));
            let error = Reference::new().evaluate(&[loss], &[], &NoStates).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Value);
            assert!(error.to_string().contains("label") && error.what().contains(said), "{error}");
        }
    }
    let binary = binary_cross_entropy_with_logits(&logits, &Tensor::full(2.0, DType::I64, [2, 3]));
    let error = Reference::new().evaluate(&[binary], &[], &NoStates).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Value);
}

#[test]
fn what_does_not_fit_is_poison_that_says_why() {
    let float = |shape: &[usize]| Tensor::zeros(DType::F32, shape);
    let labels = |shape: &[usize]| Tensor::zeros(DType::I64, shape);
    let weighted = |n| CrossEntropy { weight: Some(vec![1.0; n]), ..Default::default() };
    let smoothed = CrossEntropy { label_smoothing: 1.5, ..Default::default() };
    let cases = [
        (mse(&float(&[4, 1]), &float(&[4])), "the prediction is [4, 1], the target [4]"),
        (mse(&float(&[4]), &labels(&[4])), "the prediction is f32, the target i64"),
        (mae(&labels(&[4]), &labels(&[4])), "the prediction must be a float"),
        (cosine(&float(&[2, 3, 4]), &float(&[2, 3, 4])), "[d] or [n, d]"),
        (kl_div(&float(&[3]), &float(&[4])), "the target [4]"),
        (cross_entropy(&float(&[4, 3]), &labels(&[4, 1])), "labels must be [4], got [4, 1]"),
        (cross_entropy(&float(&[4, 3]), &float(&[4])), "the target [4]"),
        (cross_entropy(&float(&[4, 0]), &labels(&[4])), "no class to choose"),
        (cross_entropy(&float(&[]), &labels(&[])), "[] have no class to choose"),
        (cross_entropy(&float(&[4, 3]), &labels(&[4]).cast(DType::Bool)), "the target is bool"),
        (weighted(2).compute(&float(&[4, 3]), &labels(&[4])), "weight has 2 numbers for 3 classes"),
        (smoothed.compute(&float(&[4, 3]), &labels(&[4])), "label_smoothing must be from 0 to 1"),
        (
            Huber { delta: 0.0, ..Default::default() }.compute(&float(&[1]), &float(&[1])),
            "delta must be > 0",
        ),
        (
            Focal { gamma: -1.0, ..Default::default() }.compute(&float(&[4, 3]), &labels(&[4])),
            "gamma must be finite and ≥ 0, got -1",
        ),
        (
            BinaryFocal { alpha: Some(2.0), ..Default::default() }
                .compute(&float(&[4]), &float(&[4])),
            "alpha must be from 0 to 1, got 2",
        ),
        (
            BinaryCrossEntropy { pos_weight: Some(vec![1.0, -1.0]), ..Default::default() }
                .compute(&float(&[4, 2]), &float(&[4, 2])),
            "pos_weight must be finite and ≥ 0, got -1",
        ),
        (mse(&float(&[2]).softmax(3), &float(&[2])), "axis 3"),
    ];
    for (loss, said) in cases {
        let message = message(&loss);
        assert!(message.contains(said), "{message}, not {said}");
    }
}

#[test]
fn nan_is_not_hidden() {
    let logits = Tensor::new(&[f32::NAN, 0.0, 0.0, 1.0], [2, 2]);
    let shares = Tensor::new(&[0.5f32; 4], [2, 2]);
    for loss in every_loss() {
        let loss = match loss {
            // Three weights for two classes.
            Loss::CrossEntropy(_) => CrossEntropy::default().into(),
            Loss::Focal(focal) => Focal { alpha: None, ..focal }.into(),
            other => other,
        };
        assert!(both(&loss, &logits, &shares).0.is_nan(), "{loss:?}");
    }
}

#[test]
fn penalties_of_nothing_are_zero() {
    assert_eq!(stateless(&l1_penalty(&[])), [0.0]);
    let w = [Tensor::new(&[3.0f32, -4.0], [2]), Tensor::new(&[0.0f32], [1])];
    assert_eq!((stateless(&l1_penalty(&w))[0], stateless(&l2_penalty(&w))[0]), (7.0, 25.0));
    let slopes = grad(&l1_penalty(&w), &w).unwrap();
    assert_eq!((stateless(&slopes[0]), stateless(&slopes[1])), (vec![1.0, -1.0], vec![0.0]));
}

#[test]
fn configs_come_back_and_unknown_keys_are_refused() {
    for loss in every_loss() {
        let text = serde_json::to_string(&loss).unwrap();
        assert_eq!(serde_json::from_str::<Loss>(&text).unwrap(), loss, "{text}");
    }
    for (config, said) in [
        (r#"{"type": "mse", "delta": 1}"#, "unknown field `delta`"),
        (r#"{"type": "mzz"}"#, "unknown variant `mzz`"),
        (r#"{"reduction": "sum"}"#, "missing field `type`"),
    ] {
        let error = serde_json::from_str::<Loss>(config).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}
