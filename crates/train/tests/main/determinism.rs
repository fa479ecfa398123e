//! Same seed, same bits, on any number of threads, watched or not.

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

#[test]
fn clock_times_are_in_no_serialised_report() {
    let (_, report) = bits(1, 0, &mut ());
    assert!(!report.contains("seconds") && !report.contains("timing"), "{report}");
    assert!(report.contains("\"valid\":{\"rows\":180,\"loss\":"), "{report}");
}
