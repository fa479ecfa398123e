//! What cannot be trained says why, where, and what to do.

use thalweg_data::{DataError, Targets};
use thalweg_nn::losses::{CrossEntropy, Mse};
use thalweg_nn::optim::{Group, Updater};
use thalweg_nn::{Loss, Network, Sequential};
use thalweg_train::{FitOptions, Part, TrainError, Trainer};

use crate::data::*;

/// The error of a training of `network`, which must leave no trace of a step.
fn refused<N: Network>(network: N, loss: impl Into<Loss>, set: &Set, batch: usize) -> TrainError {
    let mut trainer = Trainer::new(network, loss, adam()).threads(1);
    let error = fit(&mut trainer, set, &options(2, batch, 0.01)).unwrap_err();
    assert!(trainer.store().value("optim.step").is_none_or(|steps| steps.to_f64() == [0.0]));
    error
}

fn assert_says(error: &TrainError, message: &str, hint: &str) {
    let text = error.to_string();
    assert!(error.message().contains(message), "{text}");
    assert!(error.hint().contains(hint), "{text}");
    assert_eq!(text, format!("{}\nhint: {}", error.message(), error.hint()));
}

#[test]
fn a_huge_rate_is_a_divergence_that_leaves_finite_weights() {
    let set = Set::whole(linear(100, 0.1));
    let mut trainer = regressor(Sequential::new().linear(16).relu().linear(2), sgd());
    let error = fit(&mut trainer, &set, &options(20, 10, 1e25)).unwrap_err();
    let TrainError::Diverged { epoch, step, skipped, lr, first, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!((*skipped, *lr), (10, 1e25));
    assert!(*step >= 11 && *epoch >= 2);
    let first = first.as_ref().unwrap();
    assert!(first.contains("Linear"), "{first}");
    assert_says(&error, "10 steps in a row", "lower the learning rate, to");
    assert!(all_finite(&trainer));
}

#[test]
fn a_training_of_which_no_step_counts_is_an_error_too() {
    // Features that overflow to infinity, and fewer steps than ten.
    let mut set = Set::whole(linear(20, 0.1));
    set.scaling.std = vec![1e-39];
    // Running statistics are held back with the weights.
    let net = Sequential::new().linear(4).batch_norm1d().linear(2);
    let mut trainer = regressor(net, sgd());
    trainer.bind(&[3], 0).unwrap();
    let before = weights(&trainer);
    let error = fit(&mut trainer, &set, &options(2, 10, 0.1)).unwrap_err();
    assert_says(&error, "4 steps in a row up to step 4", "learning rate");
    assert_eq!(weights(&trainer), before);
}

#[test]
fn a_diverged_training_gives_its_best_weights_back() {
    struct Spoil;
    impl thalweg_train::Observer for Spoil {}
    let set = Set::new(linear(100, 0.1), thalweg_data::Fractions { valid: 0.2, test: 0.0 });
    // A rate that rises a thousandfold each step: good at first, then bad, then divergence.
    let schedule = thalweg_nn::Schedule::Exponential { gamma: 100.0 };
    let mut trainer = regressor(Sequential::new().linear(16).relu().linear(2), sgd());
    let options = FitOptions { schedule, ..options(100, 80, 1e-6) };
    let error = trainer.fit(&set.train(), Some(&set.valid()), &options, &mut Spoil).unwrap_err();
    assert!(matches!(error, TrainError::Diverged { .. }), "{error}");
    assert!(trainer.evaluate(&set.valid(), 256).unwrap().loss() < 10.0);
}

#[test]
fn batch_norm_wants_more_than_one_row() {
    let net = || Sequential::new().linear(4).batch_norm1d().linear(3);
    let set = Set::whole(greatest(31));
    let error = refused(net(), CrossEntropy::default(), &set, 10);
    assert_says(
        &error,
        "the last batch of each epoch has 1 of 10 rows: 1 (BatchNorm1d 4)",
        "drop_last",
    );
    let error = refused(net(), CrossEntropy::default(), &set, 1);
    assert_says(&error, "more than one value per channel", "use larger batches");
    let mut trainer = classifier(net(), adam());
    let options = FitOptions { drop_last: true, ..options(1, 10, 0.01) };
    assert!(fit(&mut trainer, &set, &options).is_ok());
}

#[test]
fn network_loss_and_targets_must_go_together() {
    let classes = Set::whole(greatest(30));
    let numbers = Set::whole(linear(30, 0.1));
    let error = refused(mlp(4, 5), CrossEntropy::default(), &classes, 10);
    assert_says(&error, "puts out 5 for each row, but the targets have 3 classes", "3 outputs");
    let error = refused(mlp(4, 1), Mse::default(), &numbers, 10);
    assert_says(&error, "puts out 1 for each row, but the targets have 2 numbers", "2 outputs");
    let error = refused(mlp(4, 2), CrossEntropy::default(), &numbers, 10);
    assert_says(&error, "targets are numbers, but the loss is one of classes", "mse");
    let weight = Some(vec![1.0; 4]);
    let loss = CrossEntropy { weight, ..Default::default() };
    let error = refused(mlp(4, 3), loss, &classes, 10);
    assert_says(&error, "weight has 4 numbers for 3 classes", "one number for each class");
    let error = refused(Sequential::new().embedding(3, 3), Mse::default(), &numbers, 10);
    assert!(error.to_string().contains("Embedding"), "{error}");

    let mut one = greatest(30);
    if let Targets::Classes { labels, names } = &mut one.targets {
        labels.fill(0);
        names.truncate(1);
    }
    let error = refused(mlp(4, 1), CrossEntropy::default(), &Set::whole(one), 10);
    assert_says(&error, "data set 'greatest': the targets have only one class", "two classes");
}

#[test]
fn parts_must_have_rows_and_fit_the_network() {
    let set = Set::whole(greatest(30));
    let mut trainer = classifier(mlp(4, 3), adam());
    let run = |trainer: &mut Trainer<_>, train: &[usize], valid: &[usize]| {
        let valid = set.part(valid);
        trainer
            .fit(&set.part(train), Some(&valid), &options(1, 1, 0.1), &mut ())
            .unwrap_err()
            .to_string()
    };
    assert!(run(&mut trainer, &[], &[1]).contains("no rows to learn from"));
    assert!(run(&mut trainer, &[1, 2], &[]).contains("no rows to validate on"));
    assert!(run(&mut trainer, &[1, 30], &[1]).contains("row 30 was asked for"));
    assert!(run(&mut trainer, &[1], &[99]).contains("row 99 was asked for"));
    let error = trainer.evaluate(&set.part(&[]), 256).unwrap_err();
    assert!(matches!(error, TrainError::Data(DataError::NoRows { .. })), "{error}");
    assert!(trainer.predict(&set.data.features, &[], &set.scaling).is_err());
    assert!(trainer.predict(&set.data.features, &[30], &set.scaling).is_err());
    let error = trainer.evaluate(&set.train(), 0).unwrap_err();
    assert_says(&error, "batch: must be at least 1, got 0", "evaluation_batch");

    let scaling = thalweg_data::Scaling { full_scale: 1.0, mean: vec![0.0; 7], std: vec![1.0; 7] };
    let other = Part { data: &set.data, rows: &[0], scaling: &scaling };
    let error = trainer.evaluate(&other, 256).unwrap_err();
    assert_says(&error, "7 means", "model.json");

    let numbers = Set::whole(linear(30, 0.1));
    trainer.bind(&[4], 0).unwrap();
    let error = trainer.evaluate(&digits().test(), 256).unwrap_err();
    assert_says(&error, "built for samples of 4, got 8 × 8", "one input size");
    let error = trainer.fit(&set.train(), Some(&numbers.train()), &options(1, 10, 0.1), &mut ());
    assert!(error.unwrap_err().to_string().contains("targets are numbers"));
}

#[test]
fn batches_larger_than_the_set_and_groups_that_match_nothing_are_refused() {
    let set = Set::whole(greatest(30));
    let error = refused(mlp(4, 3), CrossEntropy::default(), &set, 31);
    assert_says(&error, "batch size 31 does not fit a set of 30 rows", "from 1 to 30");
    let updater = Updater { groups: vec![Group::frozen("head.*")], ..adam() };
    let mut trainer = classifier(mlp(4, 3), updater);
    let error = fit(&mut trainer, &set, &options(1, 10, 0.1)).unwrap_err();
    assert_says(&error, "the group `head.*` matches no parameter", "1.weight");
}
