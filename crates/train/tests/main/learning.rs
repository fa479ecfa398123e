//! Networks that learn what they should, and move nothing else.

use thalweg_nn::losses::{
    BinaryCrossEntropy, BinaryFocal, CosineEmbedding, CrossEntropy, Focal, Huber, Mae, Mse,
    Reduction,
};
use thalweg_nn::optim::{Adam, AdamW, Group, RmsProp, Sgd, Updater};
use thalweg_nn::{Loss, Network, Schedule, Sequential};
use thalweg_train::{BatchSize, FitOptions, Trainer};

use crate::data::*;

#[test]
fn digits_are_learned_in_a_few_epochs() {
    let set = digits();
    let mut trainer = classifier(mlp(64, 10), adam());
    let history =
        trainer.fit(&set.train(), Some(&set.valid()), &options(12, 32, 0.003), &mut ()).unwrap();
    let accuracy = trainer.evaluate(&set.test(), 256).unwrap().accuracy().unwrap();
    assert!(accuracy >= 0.95, "{accuracy}");
    assert_eq!(history.epochs.len(), 12);
    let (first, last) = (&history.epochs[0], &history.epochs[11]);
    assert!(last.train.loss < first.train.loss && last.train.accuracy > first.train.accuracy);
    assert_eq!(history.steps, 12 * set.split.train.len().div_ceil(32) as u64);
    assert_eq!((first.rows, first.skipped_steps), (set.split.train.len(), 0));
}

#[test]
fn a_noisy_line_is_found() {
    let set = Set::whole(linear(400, 0.2));
    let mut trainer = regressor(Sequential::new().linear(2), adam());
    fit(&mut trainer, &set, &options(30, 32, 0.03)).unwrap();
    assert!(r2(&trainer.evaluate(&set.train(), 100).unwrap()) > 0.95);
}

#[test]
fn every_loss_of_classes_learns_classes() {
    let cases: [(Loss, f64); 7] = [
        (CrossEntropy { label_smoothing: 0.1, ..Default::default() }.into(), 0.03),
        (CrossEntropy { reduction: Reduction::Sum, ..Default::default() }.into(), 0.03),
        (Focal::default().into(), 0.03),
        (BinaryCrossEntropy::default().into(), 0.03),
        (BinaryFocal::default().into(), 0.03),
        (Mse { reduction: Reduction::PerSample }.into(), 0.03),
        (CosineEmbedding::default().into(), 0.03),
    ];
    let set = Set::whole(greatest(300));
    for (loss, lr) in cases {
        let mut trainer =
            Trainer::new(Sequential::new().linear(3), loss.clone(), adam()).threads(1);
        fit(&mut trainer, &set, &options(30, 32, lr)).unwrap();
        let accuracy = trainer.evaluate(&set.train(), 256).unwrap().accuracy().unwrap();
        assert!(accuracy > 0.9, "{loss:?}: {accuracy}");
    }
}

#[test]
fn one_logit_tells_two_classes_apart() {
    let mut data = greatest(300);
    if let thalweg_data::Targets::Classes { labels, names } = &mut data.targets {
        labels.iter_mut().for_each(|label| *label = i64::from(*label == 2));
        names.truncate(2);
    }
    let set = Set::whole(data);
    for loss in [Loss::from(BinaryCrossEntropy::default()), BinaryFocal::default().into()] {
        let mut trainer = Trainer::new(mlp(16, 1), loss, adam()).threads(1);
        let history = fit(&mut trainer, &set, &options(30, 16, 0.02)).unwrap();
        let metrics = trainer.evaluate(&set.train(), 64).unwrap();
        assert!(metrics.accuracy().unwrap() > 0.93, "{metrics:?}");
        assert!(history.epochs[29].train.accuracy.unwrap() > 0.9);
    }
}

#[test]
fn every_loss_of_numbers_and_every_optimizer_learns_a_line() {
    let losses: [Loss; 3] = [Mse::default().into(), Mae::default().into(), Huber::default().into()];
    let optimizers = [
        (Updater::new(Sgd { momentum: 0.9, nesterov: true, ..Default::default() }), 0.02),
        (Updater::new(Adam::default()), 0.03),
        (Updater::new(AdamW::default()), 0.03),
        (Updater::new(RmsProp::default()), 0.01),
    ];
    let set = Set::whole(linear(200, 0.05));
    for loss in losses {
        for (updater, lr) in &optimizers {
            let mut trainer =
                Trainer::new(Sequential::new().linear(2), loss.clone(), updater.clone()).threads(1);
            fit(&mut trainer, &set, &options(40, 16, *lr)).unwrap();
            let r2 = r2(&trainer.evaluate(&set.train(), 256).unwrap());
            assert!(r2 > 0.95, "{loss:?} {updater:?} {r2}");
        }
    }
}

#[test]
fn full_batch_descent_makes_one_step_an_epoch() {
    let set = Set::whole(linear(100, 0.0));
    let mut trainer = regressor(Sequential::new().linear(2), sgd());
    let whole = FitOptions { batch_size: BatchSize::Full, ..options(20, 1, 0.5) };
    let history = fit(&mut trainer, &set, &whole).unwrap();
    assert_eq!(history.steps, 20);
    let losses: Vec<f64> = history.epochs.iter().map(|epoch| epoch.train.loss).collect();
    assert!(losses.windows(2).all(|pair| pair[1] < pair[0]), "{losses:?}");
}

#[test]
fn batch_norm_and_dropout_train_and_rest_in_use() {
    let set = Set::whole(greatest(256));
    let net = Sequential::new().linear(32).batch_norm1d().relu().dropout(0.3).linear(3);
    let mut trainer = classifier(net, adam());
    let history = fit(&mut trainer, &set, &options(30, 32, 0.01)).unwrap();
    let metrics = trainer.evaluate(&set.train(), 256).unwrap();
    assert!(metrics.accuracy().unwrap() > 0.9, "{metrics:?}");
    // Dropout makes training harder than use.
    assert!(metrics.loss() < history.epochs[29].train.loss);
    assert_eq!(trainer.store().value("1.num_batches_tracked").unwrap().to_f64(), [240.0]);
    let measured_again = trainer.evaluate(&set.train(), 256).unwrap();
    assert_eq!(measured_again, metrics);
    assert_eq!(trainer.store().value("1.num_batches_tracked").unwrap().to_f64(), [240.0]);
}

/// Trains with batches of 30 in three pieces of 10, and in one piece; 100 rows, so that the last step is short.
fn in_pieces_and_whole(loss: Loss, terms: FitOptions) -> f64 {
    let set = Set::whole(linear(100, 0.3));
    let run = |batch, accumulate| {
        let net = Sequential::new().linear(5).tanh().linear(2);
        let mut trainer = Trainer::new(net, loss.clone(), sgd()).threads(1);
        let options = FitOptions { batch_size: rows(batch), accumulate, ..terms.clone() };
        let history = fit(&mut trainer, &set, &options).unwrap();
        assert_eq!(history.steps, 3 * 4);
        (trainer, history)
    };
    let ((pieces, small), (whole, large)) = (run(10, 3), run(30, 1));
    assert_ne!(weights(&pieces), weights(&whole), "rounding differs");
    for (a, b) in small.epochs.iter().zip(&large.epochs) {
        // Not the loss of a sum, which is taken per batch as well.
        assert!((a.train.loss - b.train.loss).abs() < 1e-5, "{a:?} {b:?}");
        assert!((a.grad_norm - b.grad_norm).abs() < 1e-4, "{a:?} {b:?}");
    }
    distance(&pieces, &whole)
}

#[test]
fn accumulated_batches_are_one_large_batch() {
    let plain = options(3, 0, 0.05);
    let mean = Loss::Mse(Mse::default());
    assert!(in_pieces_and_whole(mean.clone(), plain.clone()) < 1e-5);
    let penalised = FitOptions { l1: 0.01, l2: 0.02, ..plain.clone() };
    assert!(in_pieces_and_whole(mean, penalised.clone()) < 1e-5);
    let sum = Loss::Mse(Mse { reduction: Reduction::PerSample });
    assert!(in_pieces_and_whole(sum, plain) < 1e-5);
}

#[test]
fn accumulated_sums_are_one_large_sum() {
    let set = Set::whole(linear(100, 0.3));
    let run = |batch, accumulate| {
        let loss = Mse { reduction: Reduction::Sum };
        let mut trainer = Trainer::new(Sequential::new().linear(2), loss, sgd()).threads(1);
        let options = FitOptions { accumulate, l2: 0.5, ..options(3, batch, 0.002) };
        (fit(&mut trainer, &set, &options).unwrap(), trainer)
    };
    let ((small, pieces), (large, whole)) = (run(10, 3), run(30, 1));
    assert!(distance(&pieces, &whole) < 1e-5);
    assert!((small.epochs[0].train.loss - large.epochs[0].train.loss).abs() < 1e-3);
}

#[test]
fn frozen_groups_do_not_move() {
    let set = Set::whole(greatest(60));
    let updater = Updater { groups: vec![Group::frozen("0.*")], ..adam() };
    let mut trainer = classifier(Sequential::new().linear(5).relu().linear(3), updater);
    trainer.bind(&[4], 0).unwrap();
    let before = weights(&trainer);
    fit(&mut trainer, &set, &FitOptions { l1: 0.1, l2: 0.1, ..options(2, 20, 0.01) }).unwrap();
    for ((name, old), (_, new)) in before.iter().zip(&weights(&trainer)) {
        assert_eq!(old == new, name.starts_with("0."), "{name}");
    }
}

/// The sum of |w| of the first layer after training with these penalties.
fn size(l1: f64, l2: f64) -> f64 {
    let set = Set::whole(linear(120, 0.5));
    let mut trainer = regressor(Sequential::new().linear(2), sgd());
    fit(&mut trainer, &set, &FitOptions { l1, l2, ..options(40, 20, 0.05) }).unwrap();
    trainer.store().value("0.weight").unwrap().to_f64().iter().map(|w| w.abs()).sum()
}

#[test]
fn penalties_keep_weights_small_and_leave_biases() {
    let free = size(0.0, 0.0);
    assert!(size(0.0, 0.3) < 0.9 * free && size(0.3, 0.0) < 0.9 * free);
    // A strong lasso takes every weight to within a step of zero.
    assert!(size(20.0, 0.0) < 6.0 * 20.0 * 0.05 * 1.01);

    // One step by hand: the weight's gradient is that of the loss and λ₂·2w + λ₁·sign w.
    let set = Set::whole(linear(10, 0.0));
    let step = |l1, l2| {
        let mut trainer = regressor(Sequential::new().linear(2), sgd());
        let options = FitOptions { batch_size: BatchSize::Full, l1, l2, ..options(1, 1, 0.1) };
        trainer.bind(&[3], 0).unwrap();
        let before = trainer.store().value("0.weight").unwrap().to_f64();
        fit(&mut trainer, &set, &options).unwrap();
        let of = |name: &str| trainer.store().value(name).unwrap().to_f64();
        (before, of("0.weight"), of("0.bias"))
    };
    let ((w, plain, bias), (_, penalised, same_bias)) = (step(0.0, 0.0), step(0.01, 0.02));
    for i in 0..w.len() {
        let want = plain[i] - 0.1 * (0.02 * 2.0 * w[i] + 0.01 * w[i].signum());
        assert!((penalised[i] - want).abs() < 1e-6);
    }
    assert_eq!(bias, same_bias);
}

#[test]
fn training_on_continues_the_weights_and_the_optimizer() {
    let set = Set::whole(greatest(90));
    let mut trainer = classifier(mlp(8, 3), adam());
    fit(&mut trainer, &set, &options(2, 30, 0.01)).unwrap();
    let first = trainer.evaluate(&set.train(), 256).unwrap().loss();
    fit(&mut trainer, &set, &options(2, 30, 0.01)).unwrap();
    assert!(trainer.evaluate(&set.train(), 256).unwrap().loss() < first);
    assert_eq!(trainer.store().value("optim.step").unwrap().to_f64(), [12.0]);

    // Other options in between must not meet stale programs.
    let size = |trainer: &Trainer<Sequential>| -> f64 {
        let weights = trainer.store().value("1.weight").unwrap().to_f64();
        weights.iter().map(|w| w.abs()).sum()
    };
    let before = size(&trainer);
    fit(&mut trainer, &set, &FitOptions { l2: 100.0, ..options(30, 30, 0.01) }).unwrap();
    assert!(size(&trainer) < 0.2 * before, "{before} {}", size(&trainer));
}

#[test]
fn the_schedule_sets_the_rate_of_each_step() {
    let set = Set::whole(greatest(60));
    let rates = |schedule: Schedule, epochs| {
        struct Rates(Vec<f64>);
        impl thalweg_train::Observer for Rates {
            fn batch(&mut self, report: &thalweg_train::BatchReport) -> thalweg_train::Control {
                self.0.push(report.lr);
                thalweg_train::Control::Go
            }
        }
        let mut seen = Rates(vec![]);
        let mut trainer = classifier(mlp(4, 3), adam());
        let options = FitOptions { schedule, ..options(epochs, 20, 0.8) };
        trainer.fit(&set.train(), None, &options, &mut seen).unwrap();
        seen.0
    };
    let halves = Schedule::Step { every: 2, gamma: 0.5 };
    assert_eq!(rates(halves, 2), [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]);
    // Cosine knows the length of the run: half of the way at half of the steps.
    let cosine = rates(Schedule::Cosine { min: 0.0, total: None }, 2);
    assert!((cosine[3] - 0.4).abs() < 1e-12 && cosine[0] == 0.8, "{cosine:?}");
}

/// The trainer takes any network, boxed ones too.
#[test]
fn boxed_networks_train() {
    let network: Box<dyn Network> = Box::new(mlp(4, 3));
    let mut trainer = classifier(network, adam());
    let set = Set::whole(greatest(30));
    let history = fit(&mut trainer, &set, &options(1, 10, 0.01)).unwrap();
    assert_eq!(history.steps, 3);
}

#[test]
fn parameters_that_the_loss_does_not_see_are_named_and_stay() {
    #[derive(thalweg_nn::Module)]
    struct Net {
        used: thalweg_nn::Linear,
        forgotten: thalweg_nn::Linear,
    }
    impl thalweg_nn::Forward for Net {
        fn forward(&self, x: &thalweg_graph::Tensor) -> thalweg_graph::Tensor {
            self.used.forward(x)
        }
    }
    let set = Set::whole(linear(64, 0.2));
    let width = set.train().data.features.width();
    let linear = || thalweg_nn::Linear::new(width, set.train().data.targets.width());
    let mut trainer = regressor(Net { used: linear(), forgotten: linear() }, sgd());
    trainer.bind(&[width], 0).unwrap();
    let before = weights(&trainer);
    let options = options(2, 16, 0.01);
    let history = trainer.fit(&set.train(), None, &options, &mut ()).unwrap();
    assert_eq!(history.unreached, ["forgotten.weight", "forgotten.bias"]);
    for ((name, old), (_, new)) in before.iter().zip(weights(&trainer)) {
        assert_eq!(*old == new, name.starts_with("forgotten"), "{name}");
    }
}

/// What is said of a row does not depend on the rows beside it, but for rounding, and what is measured not on the batches.
#[test]
fn batches_of_an_evaluation_do_not_matter() {
    let set = digits();
    let mut trainer = classifier(mlp(48, 10), adam());
    let quick = trainer.evaluation_batch(&set.train().data.features).unwrap();
    assert_eq!(quick, 2048);
    let mut examined = |batch| {
        let mut said: Vec<f32> = Vec::new();
        let mut see = |scores: &[f32]| said.extend(scores);
        let loss = trainer.examine(&set.train(), batch, &mut see).unwrap().loss();
        (said, loss)
    };
    let (said, loss) = examined(quick);
    for batch in [1, 7, 256] {
        let (others, other) = examined(batch);
        assert_eq!(others.len(), said.len());
        let farthest = others.iter().zip(&said).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(farthest < 1e-5, "{batch} rows at a time: {farthest}");
        assert!((other - loss).abs() < 1e-6);
    }
}
