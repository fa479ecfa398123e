//! Evaluation and prediction: the same in any portions, and equal to the definition.

use thalweg_data::Targets;
use thalweg_graph::{NoStates, Reference, Tensor};
use thalweg_nn::losses::{
    BinaryCrossEntropy, CosineEmbedding, CrossEntropy, Focal, Huber, Mse, Reduction,
};
use thalweg_nn::{Loss, Sequential};
use thalweg_train::{Metrics, Trainer};

use crate::data::*;

#[test]
fn the_loss_is_that_of_all_rows_at_once_in_any_portions() {
    let weight = Some(vec![0.5, 3.0, 1.0]);
    let losses: Vec<Loss> = vec![
        CrossEntropy::default().into(),
        CrossEntropy { weight: weight.clone(), label_smoothing: 0.2, ..Default::default() }.into(),
        CrossEntropy {
            weight: weight.clone(),
            reduction: Reduction::PerSample,
            ..Default::default()
        }
        .into(),
        CrossEntropy { ignore_index: Some(1), weight: weight.clone(), ..Default::default() }.into(),
        CrossEntropy { reduction: Reduction::Sum, ..Default::default() }.into(),
        Focal { alpha: weight, ignore_index: Some(0), ..Default::default() }.into(),
        BinaryCrossEntropy::default().into(),
        Mse::default().into(),
        Huber { reduction: Reduction::PerSample, ..Default::default() }.into(),
        CosineEmbedding::default().into(),
    ];
    let set = Set::whole(greatest(53));
    let Targets::Classes { labels, .. } = &set.data.targets else { panic!("classes") };
    for loss in losses {
        let net = Sequential::new().linear(8).tanh().linear(3);
        let mut trainer = Trainer::new(net, loss.clone(), adam()).threads(1);
        let whole = trainer.evaluate(&set.train(), 1000).unwrap();
        for batch in [1, 7, 52, 53] {
            let parts = trainer.evaluate(&set.train(), batch).unwrap();
            assert!((parts.loss() - whole.loss()).abs() <= 1e-6 * whole.loss(), "{loss:?}");
            assert_eq!(parts.accuracy(), whole.accuracy());
            assert_eq!(parts.rows(), 53);
        }
        let logits = trainer.predict(&set.data.features, &set.split.train, &set.scaling).unwrap();
        let labels: Vec<i64> = set.split.train.iter().map(|&row| labels[row]).collect();
        let truth = Tensor::new(&labels, [53]);
        let by_class = !matches!(loss, Loss::CrossEntropy(_) | Loss::Focal(_));
        let truth = if by_class { truth.one_hot(3, thalweg_graph::DType::F32) } else { truth };
        let direct = loss.compute(&Tensor::constant(logits), &truth);
        let direct = Reference::new().evaluate(&[direct], &[], &NoStates).unwrap()[0].floats()[0];
        assert!((whole.loss() - direct).abs() <= 1e-5 * direct, "{loss:?}");
    }
}

#[test]
fn regression_is_measured_in_any_portions() {
    let set = Set::whole(linear(101, 0.4));
    let mut trainer = regressor(mlp(8, 2), adam());
    fit(&mut trainer, &set, &options(3, 20, 0.01)).unwrap();
    let Metrics::Regression(whole) = trainer.evaluate(&set.train(), 101).unwrap() else {
        panic!("numbers")
    };
    let Metrics::Regression(parts) = trainer.evaluate(&set.train(), 8).unwrap() else {
        panic!("numbers")
    };
    let pairs = [
        (whole.loss, parts.loss),
        (whole.mse, parts.mse),
        (whole.mae, parts.mae),
        (whole.r2, parts.r2),
        (whole.loss, whole.mse),
    ];
    assert!(pairs.iter().all(|(a, b)| (a - b).abs() < 1e-6), "{pairs:?}");
}

#[test]
fn predictions_come_in_the_order_of_the_rows() {
    let set = Set::whole(greatest(600));
    let mut trainer = classifier(mlp(8, 3), adam());
    let rows: Vec<usize> = (0..600).rev().collect();
    let all = trainer.predict(&set.data.features, &rows, &set.scaling).unwrap();
    assert_eq!(all.shape().dims(), [600, 3]);
    let all = all.to_f64();
    for row in [0, 1, 255, 256, 343, 599] {
        let one = trainer.predict(&set.data.features, &[row], &set.scaling).unwrap().to_f64();
        let at = (599 - row) * 3;
        assert!(one.iter().zip(&all[at..at + 3]).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}

#[test]
fn a_store_from_elsewhere_makes_the_same_predictions() {
    let set = Set::whole(greatest(60));
    let mut trainer = classifier(mlp(8, 3), adam());
    fit(&mut trainer, &set, &options(2, 20, 0.01)).unwrap();
    let before = trainer.predict(&set.data.features, &[3, 4], &set.scaling).unwrap();
    let bytes = trainer.store().to_safetensors(&thalweg_nn::EntryKind::MODEL).unwrap();

    let mut other = classifier(mlp(8, 3), adam());
    other.bind(&[4], 77).unwrap();
    assert_ne!(other.predict(&set.data.features, &[3, 4], &set.scaling).unwrap(), before);
    other.store_mut().load_safetensors(&bytes, true).unwrap();
    assert_eq!(other.predict(&set.data.features, &[3, 4], &set.scaling).unwrap(), before);

    let (network, store) = other.into_parts();
    let mut third = classifier(network, adam()).with_store(store);
    assert_eq!(third.predict(&set.data.features, &[3, 4], &set.scaling).unwrap(), before);
}

#[test]
fn memory_is_known_before_training() {
    let set = digits();
    let mut trainer = classifier(mlp(64, 10), adam());
    let options = options(1, 64, 0.01);
    let planned = trainer.prepare(&set.train(), None, &options).unwrap();
    assert_eq!(planned, trainer.planned_memory());
    // Weights and Adam's two moments, at least, and the batch.
    let weights = 4 * (64 * 64 + 64 + 10 * 64 + 10);
    assert!(planned > 3 * weights + 64 * 64 * 4, "{planned}");
    assert_eq!(trainer.store().value("optim.step").unwrap().to_f64(), [0.0]);
    trainer.fit(&set.train(), None, &options, &mut ()).unwrap();
    assert_eq!(trainer.planned_memory(), planned);
}

#[test]
fn dropout_and_batch_norm_are_at_rest_while_measuring() {
    let set = Set::whole(greatest(60));
    let net = Sequential::new().linear(16).batch_norm1d().relu().dropout(0.5).linear(3);
    let mut trainer = classifier(net, adam());
    fit(&mut trainer, &set, &options(3, 20, 0.01)).unwrap();
    let whole = trainer.evaluate(&set.train(), 60).unwrap();
    // Row by row: statistics of a batch would differ, or not exist.
    let single = trainer.evaluate(&set.train(), 1).unwrap();
    assert!((whole.loss() - single.loss()).abs() < 1e-6, "{} {}", whole.loss(), single.loss());
    assert_eq!(whole.accuracy(), single.accuracy());
    // What is predicted is what was measured.
    let logits = trainer.predict(&set.data.features, &set.split.train, &set.scaling).unwrap();
    let Targets::Classes { labels, .. } = &set.data.targets else { panic!("classes") };
    let labels: Vec<i64> = set.split.train.iter().map(|&row| labels[row]).collect();
    let mut counts = thalweg_train::ClassCounts::new(3);
    counts.add(logits.as_slice().unwrap(), &labels);
    assert_eq!(Metrics::Classification(counts.finish(whole.loss())), whole);
}
