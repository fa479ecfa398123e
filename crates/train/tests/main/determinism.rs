//! Same seed, same bits, on any number of threads, watched or not.

use thalweg_data::{Dataset, Features, Raw, Scaling, Targets};
use thalweg_nn::{Sequential, Updater};
use thalweg_train::{BatchReport, Control, EpochReport, FitOptions, Observer};

use crate::data::*;

/// Weights, optimizer and history of a training with everything random in it.
fn bits(threads: usize, seed: u64, observer: &mut dyn Observer) -> (Vec<u8>, String) {
    let set = digits();
    let net = Sequential::new().flatten().linear(70).batch_norm1d().relu().dropout(0.2).linear(10);
    let updater = Updater { clip_norm: Some(1.0), ..adam() };
    let mut trainer = classifier(net, updater).threads(threads);
    let options = FitOptions { seed, accumulate: 2, l2: 1e-4, ..options(2, 100, 0.01) };
    let history = trainer.fit(&set.train(), Some(&set.valid()), &options, observer).unwrap();
    let test = trainer.evaluate(&set.test(), 100).unwrap();
    let report = serde_json::to_string(&(history, test)).unwrap();
    (trainer.store().to_safetensors(&thalweg_nn::EntryKind::ALL).unwrap(), report)
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let one = bits(1, 3, &mut ());
    for threads in [2, 3, 8] {
        assert!(bits(threads, 3, &mut ()) == one, "{threads} threads");
    }
}

#[test]
fn the_seed_decides_and_nobody_else() {
    let first = bits(2, 3, &mut ());
    assert!(bits(2, 3, &mut ()) == first);
    assert!(bits(2, 4, &mut ()) != first);

    struct Watcher(usize);
    impl Observer for Watcher {
        fn batch(&mut self, report: &BatchReport) -> Control {
            self.0 += report.rows;
            Control::Go
        }
        fn epoch(&mut self, _: &EpochReport) -> Control {
            self.0 += 1;
            Control::Go
        }
    }
    let mut watcher = Watcher(0);
    assert!(bits(2, 3, &mut watcher) == first);
    assert_eq!(watcher.0, 2 * digits().split.train.len() + 2);
}

/// The training loss of each epoch of a network that cannot move, on rows that are all alike: only what dropout
/// drops makes a difference.
fn dropped(seed: u64) -> Vec<f64> {
    let x = Features::new(Raw::F32(vec![1.0; 8 * 16]), vec![16]).unwrap();
    let y = Targets::Values { values: vec![1.0; 8], dims: 1 };
    let mut set = Set::whole(Dataset::new("alike", x, y).unwrap());
    set.scaling = Scaling { full_scale: 1.0, mean: vec![0.0], std: vec![1.0] };
    let mut trainer = regressor(Sequential::new().dropout(0.5).linear(1), sgd());
    trainer.bind(&[16], 1).unwrap();
    let still = FitOptions { seed, ..options(6, 8, 1e-30) };
    let history = fit(&mut trainer, &set, &still).unwrap();
    history.epochs.iter().map(|epoch| epoch.train.loss).collect()
}

#[test]
fn every_step_drops_something_else_and_the_seed_says_what() {
    let losses = dropped(5);
    for (i, loss) in losses.iter().enumerate() {
        assert!(losses[..i].iter().all(|before| before != loss), "{losses:?}");
    }
    assert_eq!(dropped(5), losses);
    assert_ne!(dropped(6), losses);
}

#[test]
fn clock_times_are_in_no_serialised_report() {
    let (_, report) = bits(1, 0, &mut ());
    assert!(!report.contains("seconds") && !report.contains("timing"), "{report}");
    assert!(report.contains("\"valid\":{\"rows\":180,\"loss\":"), "{report}");
}
