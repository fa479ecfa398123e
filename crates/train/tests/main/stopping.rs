//! The ends of a training, and what is left after each of them.

use std::time::Duration;

use thalweg_nn::schedule::PlateauOptions;
use thalweg_nn::{Schedule, Sequential};
use thalweg_train::{BatchReport, BatchSize, Control, EpochReport, FitOptions, Observer, Stopped};

use crate::data::*;

/// A validation part whose loss first falls, then rises: trained on much noise, a large network learns it by heart.
fn overfitting() -> Set {
    let mut data = linear(60, 3.0);
    data.name = "noisy".into();
    Set::new(data, thalweg_data::Fractions { valid: 0.4, test: 0.0 })
}

#[test]
fn early_stopping_restores_the_best_weights() {
    let set = overfitting();
    let run = |restore_best| {
        let mut trainer = regressor(Sequential::new().linear(64).tanh().linear(2), adam());
        let options = FitOptions { patience: Some(4), restore_best, ..options(500, 12, 0.03) };
        let history = trainer.fit(&set.train(), Some(&set.valid()), &options, &mut ()).unwrap();
        assert_eq!(history.stopped, Stopped::EarlyStopping);
        assert_eq!(history.epochs.len(), history.best_epoch + 4);
        assert_eq!(history.restored, restore_best);
        (trainer.evaluate(&set.valid(), 256).unwrap().loss(), history)
    };
    let (loss, history) = run(true);
    let losses: Vec<f64> =
        history.epochs.iter().map(|epoch| epoch.valid.as_ref().unwrap().loss()).collect();
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(loss, least);
    assert_eq!(losses[history.best_epoch - 1], least);
    let (loss, _) = run(false);
    assert_eq!(loss, losses[losses.len() - 1]);
    assert!(loss > least);
}

#[test]
fn the_best_weights_come_back_however_training_ends() {
    let set = overfitting();
    struct StopLate;
    impl Observer for StopLate {
        fn batch(&mut self, report: &BatchReport) -> Control {
            if report.epoch == 60 && report.batch == 2 { Control::Stop } else { Control::Go }
        }
    }
    let mut trainer = regressor(Sequential::new().linear(64).tanh().linear(2), adam());
    let history = trainer
        .fit(&set.train(), Some(&set.valid()), &options(200, 12, 0.03), &mut StopLate)
        .unwrap();
    assert_eq!((history.stopped, history.epochs.len()), (Stopped::Interrupted, 60));
    let (last, best) = (&history.epochs[59], &history.epochs[history.best_epoch - 1]);
    assert_eq!((last.rows, &last.valid), (24, &None));
    let loss = trainer.evaluate(&set.valid(), 256).unwrap().loss();
    assert_eq!(loss, best.valid.as_ref().unwrap().loss());
}

#[test]
fn training_that_has_converged_stops() {
    let set = Set::whole(linear(50, 0.0));
    let run = |tol, tol_patience| {
        let mut trainer = regressor(Sequential::new().linear(2), sgd());
        let options = FitOptions {
            batch_size: BatchSize::Full,
            tol: Some(tol),
            tol_patience,
            ..options(3000, 1, 0.5)
        };
        fit(&mut trainer, &set, &options).unwrap()
    };
    let history = run(1e-4, 5);
    assert_eq!(history.stopped, Stopped::Converged);
    // By the definition: the last five epochs, and none before, fell short of the best by less than tol.
    let losses: Vec<f64> = history.epochs.iter().map(|epoch| epoch.train.loss).collect();
    let short = |i: usize| {
        let best = losses[..i].iter().copied().fold(f64::INFINITY, f64::min);
        best - losses[i] < 1e-4
    };
    let n = losses.len();
    assert!((n - 5..n).all(short) && !short(n - 6) && n < 1000, "{losses:?}");
    assert!(run(1e-4, 20).epochs.len() > n && run(1e-6, 5).epochs.len() > n);
}

#[test]
fn the_convergence_criterion_sees_the_penalties() {
    // The loss itself rises while the penalty falls faster: this is not converged.
    let set = Set::whole(linear(50, 0.0));
    let mut trainer = regressor(Sequential::new().linear(2), sgd());
    fit(&mut trainer, &set, &options(20, 10, 0.2)).unwrap();
    let options = FitOptions {
        batch_size: BatchSize::Full,
        l2: 0.5,
        tol: Some(1e-3),
        tol_patience: 1,
        ..options(10, 1, 0.02)
    };
    let history = fit(&mut trainer, &set, &options).unwrap();
    assert!(history.epochs[1].train.loss > history.epochs[0].train.loss);
    assert_eq!((history.stopped, history.epochs.len()), (Stopped::Epochs, 10));
}

#[test]
fn max_steps_ends_within_an_epoch_and_still_validates() {
    let set = digits();
    let mut trainer = classifier(mlp(8, 10), adam());
    let options = FitOptions { max_steps: Some(50), ..options(9, 50, 0.01) };
    let history = trainer.fit(&set.train(), Some(&set.valid()), &options, &mut ()).unwrap();
    // 1437 rows are 29 batches.
    assert_eq!((history.stopped, history.steps), (Stopped::MaxSteps, 50));
    assert_eq!(history.epochs.len(), 2);
    assert_eq!(history.epochs[1].rows, 21 * 50);
    assert!(history.epochs[1].valid.is_some());
    assert_eq!(trainer.store().value("optim.step").unwrap().to_f64(), [50.0]);
}

#[test]
fn observers_can_end_a_training() {
    struct Stop {
        batches: usize,
        after_batches: usize,
        after_epochs: usize,
    }
    impl Observer for Stop {
        fn batch(&mut self, report: &BatchReport) -> Control {
            self.batches += 1;
            assert_eq!(report.step as usize, self.batches);
            assert_eq!((report.batches, report.total_steps), (3, 15));
            let end = self.batches == self.after_batches;
            if end { Control::Stop } else { Control::Go }
        }
        fn epoch(&mut self, report: &EpochReport) -> Control {
            if report.epoch == self.after_epochs { Control::Stop } else { Control::Go }
        }
    }
    let set = Set::whole(greatest(60));
    let run = |after_batches, after_epochs| {
        let mut trainer = classifier(mlp(4, 3), adam());
        let mut observer = Stop { batches: 0, after_batches, after_epochs };
        trainer.fit(&set.train(), None, &options(5, 20, 0.01), &mut observer).unwrap()
    };
    let history = run(4, 9);
    assert_eq!((history.stopped, history.steps), (Stopped::Interrupted, 4));
    assert_eq!(history.epochs.iter().map(|epoch| epoch.rows).collect::<Vec<_>>(), [60, 20]);
    let history = run(99, 2);
    assert_eq!((history.stopped, history.steps), (Stopped::Interrupted, 6));
    assert_eq!(run(99, 99).stopped, Stopped::Epochs);
}

#[test]
fn a_time_that_has_passed_ends_training_after_one_step() {
    let set = Set::whole(greatest(60));
    let mut trainer = classifier(mlp(4, 3), adam());
    let max_time = Some(Duration::from_nanos(1));
    let accumulate = 2;
    let options = FitOptions { max_time, accumulate, ..options(5, 20, 0.01) };
    let history = fit(&mut trainer, &set, &options).unwrap();
    assert_eq!((history.stopped, history.steps), (Stopped::MaxTime, 1));
    assert_eq!(history.epochs[0].rows, 40);
}

#[test]
fn the_rate_falls_where_the_loss_stays() {
    let set = Set::whole(linear(50, 0.0));
    let mut trainer = regressor(Sequential::new().linear(2), sgd());
    let plateau = PlateauOptions { patience: 2, threshold: 0.5, ..Default::default() };
    let schedule = Schedule::ReduceOnPlateau(plateau);
    let options = FitOptions { schedule, batch_size: BatchSize::Full, ..options(8, 1, 1e-4) };
    let history = fit(&mut trainer, &set, &options).unwrap();
    let rates: Vec<f64> = history.epochs.iter().map(|epoch| epoch.lr).collect();
    // The loss never halves: after three epochs without, the rate of the next one is lower.
    assert_eq!(rates[..4], [1e-4; 4]);
    assert!(rates[4..7].iter().all(|lr| (lr - 1e-5).abs() < 1e-15), "{rates:?}");
    assert!((rates[7] - 1e-6).abs() < 1e-15, "{rates:?}");
}

#[test]
fn drop_last_leaves_the_short_batch_out() {
    let set = Set::whole(greatest(65));
    let mut trainer = classifier(mlp(4, 3), adam());
    let options = FitOptions { drop_last: true, ..options(1, 20, 0.01) };
    let history = fit(&mut trainer, &set, &options).unwrap();
    assert_eq!((history.steps, history.epochs[0].rows), (3, 60));
}
