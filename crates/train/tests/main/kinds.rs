//! Samples of ids, targets at the places of a sequence, samples that are their own targets, target numbers far from 0.

use thalweg_data::{Dataset, Features, IGNORED, Raw, Scaling, Targets};
use thalweg_nn::losses::{BinaryCrossEntropy, CrossEntropy, Mse};
use thalweg_nn::spec::EmbeddingOptions;
use thalweg_nn::{Dag, LayerSpec, Loss, NodeSpec, Sequential};
use thalweg_train::{Augment, FitOptions, Metrics, Reconstruction, Sequences, TrainError, Trainer};

use crate::data::*;

/// Rows of `length` ids below 5; each place is to be told (id + 1) mod 5. In row r the last r mod `length` places do not
/// count, and hold a label that cannot be learned.
fn successors(rows: usize, length: usize) -> Set {
    let id = |i: usize| ((noise(i as u64) + 1.0) * 2.5) as i64 % 5;
    let ids: Vec<i64> = (0..rows * length).map(id).collect();
    let label = |i: usize| match i % length + (i / length) % length >= length {
        true => IGNORED,
        false => (ids[i] + 1) % 5,
    };
    let labels = (0..ids.len()).map(label).collect();
    let names = (0..5).map(|i| i.to_string()).collect();
    let features = Features::new(Raw::I64(ids), vec![length]).unwrap();
    let targets = Targets::Sequence { labels, length, names };
    Set::whole(Dataset::new("successors", features, targets).unwrap())
}

fn tagger(outputs: usize) -> Dag {
    Dag::new(vec![
        LayerSpec::Embedding(EmbeddingOptions::new(5, 8)).into(),
        LayerSpec::Linear { out: outputs, bias: true }.into(),
    ])
}

fn sequences(metrics: Metrics) -> Sequences {
    match metrics {
        Metrics::Sequences(scores) => scores,
        _ => panic!("sequences have these metrics: {metrics:?}"),
    }
}

#[test]
fn classes_at_places_are_learned() {
    let set = successors(60, 4);
    let mut trainer = classifier(tagger(5), adam());
    let history = fit(&mut trainer, &set, &options(30, 10, 0.05)).unwrap();
    let scores = sequences(trainer.evaluate(&set.train(), 256).unwrap());
    assert_eq!(scores.accuracy, 1.0, "{scores:?}");
    // Rows 0, 4, … count in full, rows 1, 5, … lack a place, and so on.
    assert_eq!((scores.rows, scores.places), (60, 60 * 4 - 15 * (1 + 2 + 3)));
    assert!((scores.perplexity.ln() - scores.loss).abs() < 1e-12);
    assert!((scores.bits_per_token * std::f64::consts::LN_2 - scores.loss).abs() < 1e-12);
    assert_eq!(history.epochs[29].train.accuracy, Some(1.0));
    let logits = trainer.predict(&set.data.features, &[0, 7], &set.scaling).unwrap();
    assert_eq!(logits.shape().dims(), [2, 4, 5]);
    // The loss is that of all places at once, however many rows are measured together.
    let few = sequences(trainer.evaluate(&set.train(), 7).unwrap());
    assert!((few.loss - scores.loss).abs() < 1e-12 && few.places == scores.places);
}

#[test]
fn accumulated_batches_weigh_by_the_places_that_count() {
    let set = successors(24, 4);
    let mut whole = classifier(tagger(5), sgd());
    fit(&mut whole, &set, &options(1, 24, 0.5)).unwrap();
    let mut parts = classifier(tagger(5), sgd());
    let accumulated = FitOptions { accumulate: 4, ..options(1, 6, 0.5) };
    fit(&mut parts, &set, &accumulated).unwrap();
    assert!(distance(&whole, &parts) < 1e-6, "{}", distance(&whole, &parts));
}

#[test]
fn sequences_need_an_output_for_each_place_and_class() {
    let set = successors(12, 4);
    let refused = |network: Dag, loss: Loss| {
        let mut trainer = Trainer::new(network, loss, adam()).threads(1);
        fit(&mut trainer, &set, &options(1, 6, 0.1)).unwrap_err()
    };
    let error = refused(tagger(3), CrossEntropy::default().into());
    assert!(error.message().contains("puts out 4 × 3 for each row"), "{error}");
    assert!(error.hint().contains("5 outputs"), "{error}");
    let mut flat = tagger(5).nodes().to_vec();
    flat.push(NodeSpec::from(LayerSpec::Flatten { start: 1 }));
    let error = refused(Dag::new(flat), CrossEntropy::default().into());
    assert!(error.hint().contains("keep the axis of places"), "{error}");
    let error = refused(tagger(5), Mse::default().into());
    assert!(error.message().contains("classes at each place"), "{error}");
    // An id outside of the table is met at the first step, and changes nothing.
    let narrow = Dag::new(vec![
        LayerSpec::Embedding(EmbeddingOptions::new(3, 8)).into(),
        LayerSpec::Linear { out: 5, bias: true }.into(),
    ]);
    let error = refused(narrow, CrossEntropy::default().into());
    assert!(matches!(error, TrainError::Graph(_)), "{error}");
    for word in ["0 (Embedding", "0..3"] {
        assert!(error.message().contains(word), "{error}");
    }
    let mixed = FitOptions { mixup: 0.2, ..options(1, 6, 0.1) };
    let error = fit(&mut classifier(tagger(5), adam()), &set, &mixed).unwrap_err();
    assert!(matches!(error, TrainError::Option { option: "mixup", .. }), "{error}");
    let noisy = FitOptions { noise: 0.2, ..options(1, 6, 0.1) };
    let error = fit(&mut classifier(tagger(5), adam()), &set, &noisy).unwrap_err();
    assert!(error.message().contains("ids"), "{error}");
}

/// Points of a plane in four dimensions.
fn plane() -> Set {
    let point = |row: u64| {
        let (a, b) = (noise(2 * row), noise(2 * row + 1));
        [a, b, a + b, a - 0.5 * b]
    };
    let values = (0..80).flat_map(point).collect();
    let features = Features::new(Raw::F32(values), vec![2, 2]).unwrap();
    // Labels are not looked at: here all rows have the same one.
    let targets = Targets::Classes { labels: vec![0; 80], names: vec!["point".into()] };
    Set::whole(Dataset::new("plane", features, targets).unwrap())
}

fn rmse(metrics: Metrics) -> f64 {
    match metrics {
        Metrics::Reconstruction(Reconstruction { rmse, .. }) => rmse,
        _ => panic!("a reconstruction has these metrics: {metrics:?}"),
    }
}

#[test]
fn an_autoencoder_finds_the_plane_that_its_samples_lie_in() {
    let set = plane();
    let through = |code: usize| {
        let network = Sequential::new().flatten().linear(code).linear(4);
        let mut trainer = regressor(network, adam()).reconstructing();
        fit(&mut trainer, &set, &options(150, 20, 0.02)).unwrap();
        rmse(trainer.evaluate(&set.train(), 256).unwrap())
    };
    let (two, one) = (through(2), through(1));
    assert!(two < 0.02 && one > 0.2, "{two} {one}");
}

#[test]
fn what_is_reconstructed_must_have_the_shape_and_a_loss_of_the_sample() {
    let set = plane();
    let refused = |outputs: usize, loss: Loss| {
        let network = Sequential::new().flatten().linear(outputs);
        let mut trainer = Trainer::new(network, loss, adam()).threads(1).reconstructing();
        fit(&mut trainer, &set, &options(1, 20, 0.1)).unwrap_err()
    };
    let error = refused(3, Mse::default().into());
    assert!(error.message().contains("the samples to reconstruct are 2 × 2"), "{error}");
    let error = refused(4, CrossEntropy::default().into());
    assert!(error.message().contains("the target is the sample itself"), "{error}");
    let mut trainer = regressor(tagger(5), adam()).reconstructing();
    let error = fit(&mut trainer, &successors(12, 4), &options(1, 6, 0.1)).unwrap_err();
    assert!(error.message().contains("ids cannot be reconstructed"), "{error}");
}

#[test]
fn reconstructions_of_inputs_from_0_to_1_may_be_logits() {
    let mut set = plane();
    let values = (0..160).map(|i| if noise(i / 2) > 0.0 { 1.0 } else { 0.0 }).collect();
    set.data.features = Features::new(Raw::F32(values), vec![2]).unwrap();
    set.scaling = Scaling { full_scale: 1.0, mean: vec![0.0], std: vec![1.0] };
    let loss = BinaryCrossEntropy::default();
    let mut trainer = Trainer::new(Sequential::new().linear(1).linear(2), loss, adam())
        .threads(1)
        .reconstructing();
    fit(&mut trainer, &set, &options(200, 20, 0.05)).unwrap();
    let rmse = rmse(trainer.evaluate(&set.train(), 256).unwrap());
    assert!(rmse < 0.1, "{rmse}");
}

#[test]
fn target_numbers_far_from_0_are_scaled_and_put_back() {
    let mut set = Set::whole(linear(200, 0.0));
    let Targets::Values { values, .. } = &mut set.data.targets else { panic!("numbers") };
    // The first column around 5000, the second around −3 in thousandths.
    for row in values.chunks_mut(2) {
        (row[0], row[1]) = (5000.0 + 300.0 * row[0], -3.0 + 0.001 * row[1]);
    }
    let scaling = Scaling { full_scale: 1.0, mean: vec![5000.0, -3.0], std: vec![600.0, 0.002] };
    let mut trainer = regressor(Sequential::new().linear(2), adam()).scaling_targets(scaling);
    fit(&mut trainer, &set, &options(60, 20, 0.05)).unwrap();
    let metrics = trainer.evaluate(&set.train(), 256).unwrap();
    assert!(r2(&metrics) > 0.99, "{metrics:?}");
    let Metrics::Regression(scores) = metrics else { panic!("a regression") };
    // The loss is that of the scaled numbers, the errors are in the targets' units.
    assert!(scores.loss < 0.05 && scores.rmse > 0.0);
    let said = trainer.predict(&set.data.features, &[0, 1, 2], &set.scaling).unwrap().to_f64();
    let Targets::Values { values, .. } = &set.data.targets else { panic!("numbers") };
    for (said, truth) in said.iter().zip(values) {
        assert!((said / f64::from(*truth) - 1.0).abs() < 0.1, "{said} {truth}");
    }
}

#[test]
fn mixed_and_noisy_samples_teach_too() {
    let set = Set::whole(greatest(300));
    for (mixup, noise) in [(0.4, 0.0), (0.0, 0.1), (0.2, 0.1)] {
        let mut trainer = classifier(mlp(16, 3), adam());
        let options = FitOptions { mixup, noise, ..options(40, 30, 0.02) };
        fit(&mut trainer, &set, &options).unwrap();
        let accuracy = trainer.evaluate(&set.train(), 256).unwrap().accuracy().unwrap();
        assert!(accuracy > 0.9, "mixup {mixup}, noise {noise}: {accuracy}");
    }
    let two = || {
        let mut trainer = classifier(mlp(4, 3), adam());
        let options = FitOptions { mixup: 0.3, noise: 0.2, ..options(2, 30, 0.02) };
        fit(&mut trainer, &set, &options).unwrap();
        trainer
    };
    assert_eq!(distance(&two(), &two()), 0.0);
    assert!(
        distance(&two(), &{
            let mut plain = classifier(mlp(4, 3), adam());
            fit(&mut plain, &set, &options(2, 30, 0.02)).unwrap();
            plain
        }) > 0.0
    );
}

#[test]
fn images_are_changed_in_training_alone_and_by_the_seed() {
    let set = digits();
    let trained = |augment: Vec<Augment>, seed: u64| {
        let mut trainer = classifier(mlp(16, 10), adam());
        let options = FitOptions { augment, seed, ..options(2, 64, 0.01) };
        fit(&mut trainer, &set, &options).unwrap();
        trainer
    };
    let both = || vec![Augment::Shift, Augment::Flip];
    let mut twice = [trained(both(), 3), trained(both(), 3)];
    assert_eq!(distance(&twice[0], &twice[1]), 0.0);
    assert!(distance(&twice[0], &trained(vec![], 3)) > 0.0);
    let [first, second] =
        twice.each_mut().map(|trainer| trainer.evaluate(&set.test(), 256).unwrap());
    assert_eq!(first, second);
    let options = FitOptions { augment: both(), ..options(1, 10, 0.1) };
    let error = fit(&mut classifier(mlp(4, 3), adam()), &Set::whole(greatest(30)), &options);
    let error = error.unwrap_err();
    assert!(matches!(error, TrainError::Option { option: "augment", .. }), "{error}");
}
