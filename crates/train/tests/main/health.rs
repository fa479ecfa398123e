//! The doctor finds what is made to be ill, tells of it once, and changes nothing.

use thalweg_nn::{EntryKind, Sequential, Updater};
use thalweg_train::run::insights::{Finding, Status};
use thalweg_train::{FitOptions, History, Observer, Preflight, Trainer};

use crate::data::*;
use std::time::Duration;

#[derive(Default)]
struct Told(Vec<Finding>);

impl Observer for Told {
    fn finding(&mut self, finding: &Finding) {
        self.0.push(finding.clone());
    }
}

fn bits(trainer: &Trainer<Sequential>) -> Vec<u8> {
    trainer.store().to_safetensors(&EntryKind::ALL).unwrap()
}

/// Trains on the digits, 16 rows a batch: 90 batches an epoch.
fn train(
    net: Sequential,
    ill: impl Fn(&mut Trainer<Sequential>),
    health: bool,
) -> (Vec<u8>, History, Vec<Finding>) {
    let set = digits();
    let mut trainer = classifier(net, adam());
    trainer.bind(&set.train().data.features, 0).unwrap();
    ill(&mut trainer);
    let options = FitOptions { health, ..options(4, 16, 1e-3) };
    let mut told = Told::default();
    let history = trainer.fit(&set.train(), Some(&set.valid()), &options, &mut told).unwrap();
    assert_eq!(history.health, told.0);
    (bits(&trainer), history, told.0)
}

/// Sets every entry of a parameter.
fn set(trainer: &mut Trainer<Sequential>, name: &str, x: f32) {
    let value = trainer.store_mut().value_mut(name).expect(name);
    value.as_mut_slice::<f32>().unwrap().fill(x);
}

#[test]
fn dead_units_are_found_once_and_the_weights_are_the_same_without() {
    let net = || Sequential::new().flatten().linear(40).relu().dropout(0.1).linear(10);
    // A unit whose bias is far below 0 is never active.
    let kill = |trainer: &mut Trainer<Sequential>| {
        let bias = trainer.store_mut().value_mut("1.bias").unwrap();
        bias.as_mut_slice::<f32>().unwrap()[..30].fill(-100.0);
    };
    let (watched, _, told) = train(net(), kill, true);
    let dead: Vec<&Finding> = told.iter().filter(|finding| finding.kind == "dead_units").collect();
    assert_eq!(dead.len(), 1, "{told:?}");
    assert_eq!(dead[0].layer, "2");
    assert!(dead[0].saw.starts_with("75 % of units (30 of 40) never active"), "{}", dead[0].saw);
    assert!(dead[0].to_string().contains("→ try leaky_relu or elu"));
    let (unwatched, history, _) = train(net(), kill, false);
    assert!(watched == unwatched && history.health.is_empty());
    let (_, _, told) = train(net(), |_| {}, true);
    assert!(told.iter().all(|finding| finding.kind != "dead_units"), "{told:?}");
}

#[test]
fn saturated_units_are_found() {
    let net = Sequential::new().flatten().linear(40).tanh().linear(20).tanh().linear(10);
    let saturate = |trainer: &mut Trainer<Sequential>| set(trainer, "1.bias", 30.0);
    let (_, _, told) = train(net, saturate, true);
    let saturated = told.iter().find(|finding| finding.kind == "saturated").expect("found");
    assert_eq!(saturated.layer, "2");
    assert!(saturated.saw.starts_with("100 %"), "{}", saturated.saw);
}

#[test]
fn overfitting_is_found_once() {
    let mut noisy = linear(60, 3.0);
    noisy.name = "noisy".into();
    let set = Set::new(noisy, thalweg_data::Fractions { valid: 0.4, test: 0.0 });
    let mut trainer = regressor(Sequential::new().linear(64).tanh().linear(2), adam());
    let mut told = Told::default();
    let options = options(120, 12, 0.03);
    trainer.fit(&set.train(), Some(&set.valid()), &options, &mut told).unwrap();
    let kinds: Vec<&str> = told.0.iter().map(|finding| finding.kind.as_str()).collect();
    assert!(kinds.contains(&"overfitting"), "{:?}", told.0);
    assert_eq!(kinds.iter().filter(|kind| **kind == "overfitting").count(), 1);
}

fn preflight(trainer: &mut Trainer<Sequential>, lr: f64) -> Preflight {
    let set = digits();
    let long = Duration::from_secs(60);
    trainer.preflight(&set.train(), Some(&set.valid()), &options(2, 32, lr), long).unwrap()
}

#[test]
fn a_pre_flight_changes_no_bit() {
    let set = digits();
    let net =
        || Sequential::new().flatten().linear(30).batch_norm1d().relu().dropout(0.2).linear(10);
    let (mut tried, mut plain) = (classifier(net(), adam()), classifier(net(), adam()));
    let found = preflight(&mut tried, 0.01);
    let names: Vec<&str> = found.checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(names, ["initial loss", "gradients", "one batch"]);
    assert!(found.checks.iter().all(|check| check.status == Status::Pass), "{:?}", found.checks);
    assert!(found.checks[0].saw.contains("chance is 2.3026 (ln 10)"), "{:?}", found.checks);
    assert_eq!(found.steps, 2 * set.split.train.len().div_ceil(32) as u64);
    assert!(found.memory > 0 && found.step > Duration::ZERO);
    tried.find_lr(&set.train(), &options(2, 32, 0.01)).unwrap();
    for trainer in [&mut tried, &mut plain] {
        let options = options(2, 32, 0.01);
        trainer.fit(&set.train(), Some(&set.valid()), &options, &mut ()).unwrap();
    }
    assert!(bits(&tried) == bits(&plain));
}

#[test]
fn a_pre_flight_sees_what_will_go_wrong() {
    let of = |found: &Preflight, name: &str| {
        found.checks.iter().find(|check| check.name == name).expect(name).clone()
    };
    // Nothing can be learned at such a rate, and a unit that is dead passes no gradient.
    let mut trainer = classifier(mlp(8, 10), adam());
    trainer.bind(&digits().train().data.features, 0).unwrap();
    set(&mut trainer, "1.bias", -1000.0);
    let found = preflight(&mut trainer, 1e-9);
    assert_eq!(of(&found, "one batch").status, Status::Warn);
    let gradients = of(&found, "gradients");
    assert_eq!(gradients.status, Status::Warn);
    assert!(gradients.saw.contains("1.weight"), "{}", gradients.saw);
    // A layer whose weights begin at 0 lets gradients through from the second step on.
    let mut trainer = classifier(mlp(8, 10), adam());
    trainer.bind(&digits().train().data.features, 0).unwrap();
    set(&mut trainer, "3.weight", 0.0);
    assert_eq!(of(&preflight(&mut trainer, 0.01), "gradients").status, Status::Pass);
    // Weights that are far too large.
    let mut trainer = classifier(mlp(8, 10), adam());
    trainer.bind(&digits().train().data.features, 0).unwrap();
    let last = trainer.store_mut().value_mut("3.weight").unwrap();
    last.as_mut_slice::<f32>().unwrap().iter_mut().for_each(|w| *w *= 500.0);
    assert_eq!(of(&preflight(&mut trainer, 1e-3), "initial loss").status, Status::Warn);
}

#[test]
fn a_range_test_finds_a_rate_that_learns() {
    let set = digits();
    let mut trainer = classifier(mlp(32, 10), Updater::new(thalweg_nn::optim::Sgd::default()));
    let found = trainer.find_lr(&set.train(), &options(1, 32, 1e-3)).unwrap().expect("a rate");
    assert!(found.lr > 1e-3 && found.lr < 1.0 && found.lr <= found.least_at, "{found:?}");
    // Where there is no time nothing is found, and nothing is changed.
    let before = trainer.store().deep_clone();
    let hurried = FitOptions { max_time: Some(Duration::from_nanos(1)), ..options(1, 32, 1e-3) };
    assert_eq!(trainer.find_lr(&set.train(), &hurried).unwrap(), None);
    for (entry, old) in trainer.store().entries().zip(before.entries()) {
        assert_eq!(entry.value().bytes(), old.value().bytes(), "{}", entry.name());
    }
    let options = options(3, 32, found.lr);
    trainer.fit(&set.train(), None, &options, &mut ()).unwrap();
    assert!(trainer.evaluate(&set.test(), 256).unwrap().accuracy() > Some(0.8));
}
