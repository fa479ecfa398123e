//! A training that was broken off goes on as if nothing had happened.

use serde_json::Value;
use thalweg_nn::schedule::PlateauOptions;
use thalweg_nn::{EntryKind, Schedule, Sequential};
use thalweg_train::{
    BatchReport, Checkpoint, Control, Extension, FitOptions, History, Observer, Part, Standing,
    Stopped, TrainError, Trainer,
};

use crate::data::*;

/// Ends the training after so many batches; keeps the last checkpoint and one from before.
#[derive(Default)]
struct Break {
    after: usize,
    batches: usize,
    /// Whether nothing is said when the end comes, as where a process is killed.
    kill: bool,
    /// The checkpoint of every so many batches.
    every: usize,
    saved: Vec<u8>,
}

impl Observer for Break {
    fn batch(&mut self, _: &BatchReport) -> Control {
        self.batches += 1;
        if self.batches == self.after { Control::Stop } else { Control::Go }
    }

    fn standing(&mut self, standing: &Standing<'_>) -> Control {
        let due = self.every > 0 && self.batches.is_multiple_of(self.every);
        if due || (standing.is_last() && !self.kill) {
            self.saved = standing.to_bytes().unwrap();
        }
        Control::Go
    }
}

/// A network with everything in it that a checkpoint must hold.
fn trainer() -> Trainer<Sequential> {
    let net = Sequential::new().flatten().linear(30).batch_norm1d().relu().dropout(0.3).linear(10);
    classifier(net, adam())
}

fn everything() -> FitOptions {
    let schedule = Schedule::ReduceOnPlateau(PlateauOptions {
        patience: 0,
        threshold: 0.05,
        factor: 0.5,
        ..PlateauOptions::default()
    });
    FitOptions { schedule, accumulate: 3, patience: Some(9), ..options(6, 100, 0.02) }
}

/// Store, best weights put back, and history, without what is told class by class.
fn bits(trainer: &Trainer<Sequential>, history: &History) -> (Vec<u8>, Value) {
    let mut history = serde_json::to_value(history).unwrap();
    for epoch in history["epochs"].as_array_mut().unwrap() {
        if let Some(valid) = epoch["valid"].as_object_mut() {
            valid.remove("classes");
            valid.remove("confusion");
        }
    }
    (trainer.store().to_safetensors(&EntryKind::ALL).unwrap(), history)
}

#[test]
fn a_broken_training_goes_on_with_the_same_bits() {
    let set = digits();
    let (train, valid, options) = (set.train(), set.valid(), everything());
    let mut whole = trainer();
    let history = whole.fit(&train, Some(&valid), &options, &mut ()).unwrap();
    let whole = bits(&whole, &history);
    // 15 batches an epoch: within a step, at its end, at the end of an epoch, within a later one, killed long after.
    for (after, every) in [(1, 0), (3, 0), (15, 0), (37, 0), (44, 0), (58, 11), (61, 15)] {
        let mut broken = Break { after, every, kill: every > 0, ..Break::default() };
        let mut first = trainer();
        let history = first.fit(&train, Some(&valid), &options, &mut broken).unwrap();
        assert_eq!(history.stopped, Stopped::Interrupted);
        let checkpoint = Checkpoint::from_bytes(broken.saved).unwrap();
        let mut second = trainer().threads(2);
        // Once more on the way.
        let mut broken = Break { after: 7, ..Break::default() };
        second.resume(&train, Some(&valid), &options, &checkpoint, &mut broken).unwrap();
        let checkpoint = Checkpoint::from_bytes(broken.saved).unwrap();
        let mut third = trainer();
        let history = third.resume(&train, Some(&valid), &options, &checkpoint, &mut ()).unwrap();
        assert!(bits(&third, &history) == whole, "broken after {after} batches");
    }
}

/// A training on noise that is stopped early, resumed with other options, and the bits of doing it all at once.
fn extended(first: &FitOptions, then: &FitOptions) -> (History, History, bool) {
    let mut data = linear(60, 3.0);
    data.name = "noisy".into();
    let set = Set::new(data, thalweg_data::Fractions { valid: 0.4, test: 0.0 });
    let (train, valid): (Part<'_>, Part<'_>) = (set.train(), set.valid());
    let trainer = || regressor(Sequential::new().linear(64).tanh().linear(2), adam());
    let mut keep = Break::default();
    let stopped = trainer().fit(&train, Some(&valid), first, &mut keep).unwrap();
    let checkpoint = Checkpoint::from_bytes(keep.saved).unwrap();
    assert_eq!(checkpoint.epochs(), stopped.epochs.len());
    let (mut resumed, mut whole) = (trainer(), trainer());
    let after = resumed.resume(&train, Some(&valid), then, &checkpoint, &mut ()).unwrap();
    let history = whole.fit(&train, Some(&valid), then, &mut ()).unwrap();
    let same = bits(&resumed, &after) == bits(&whole, &history);
    (stopped, after, same)
}

#[test]
fn patience_is_lengthened_afterwards() {
    let first = FitOptions { patience: Some(3), ..options(80, 12, 0.03) };
    let then = FitOptions { patience: Some(8), ..first.clone() };
    let (stopped, after, same) = extended(&first, &then);
    assert_eq!(stopped.stopped, Stopped::EarlyStopping);
    assert!(after.epochs.len() >= stopped.epochs.len() + 5 && same);
    assert!(after.best_epoch >= stopped.best_epoch);
}

#[test]
fn an_extension_holds_its_rate_and_then_lets_it_fall() {
    let first = FitOptions { patience: Some(3), ..options(80, 12, 0.03) };
    let (stopped, ..) = extended(&first, &first);
    let (epochs, from) = (stopped.epochs.len(), stopped.steps);
    let per_epoch = from / epochs as u64;
    let extension = Extension { from, steps: 6 * per_epoch, lr: 0.01 };
    let patience = Some(100);
    let then = FitOptions { epochs: epochs + 6, extended: vec![extension], ..first.clone() };
    let (_, after, same) = extended(&first, &FitOptions { patience, ..then.clone() });
    assert!(same);
    let rates: Vec<f64> = after.epochs[epochs..].iter().map(|epoch| epoch.lr).collect();
    assert_eq!(rates.len(), 6);
    assert_eq!(rates[..4], [0.01; 4]);
    assert!(rates[4] < 0.01 && rates[5] > 0.0 && rates[5] < 0.01 / per_epoch as f64, "{rates:?}");
    // The old patience begins anew with the extension.
    let (_, after, same) = extended(&first, &then);
    assert!(after.epochs.len() >= epochs + 3 && same);
}

#[test]
fn a_checkpoint_of_another_network_is_refused() {
    let set = digits();
    let mut keep = Break { after: 2, ..Break::default() };
    trainer().fit(&set.train(), None, &options(1, 100, 0.01), &mut keep).unwrap();
    let checkpoint = Checkpoint::from_bytes(keep.saved.clone()).unwrap();
    let mut other = classifier(mlp(31, 10), adam());
    let error =
        other.resume(&set.train(), None, &options(1, 100, 0.01), &checkpoint, &mut ()).unwrap_err();
    assert!(matches!(error, TrainError::Misfit { .. }), "{error}");
    assert!(error.message().contains("1.weight"), "{error}");
    for cut in [0, 7, keep.saved.len() / 2, keep.saved.len() - 1] {
        assert!(Checkpoint::from_bytes(keep.saved[..cut].to_vec()).is_err());
    }
    let weights = other.store().to_safetensors(&EntryKind::MODEL).unwrap();
    assert!(Checkpoint::from_bytes(weights).is_err());
}
