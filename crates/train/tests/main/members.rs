//! Networks of several members: each learns for itself, and they answer together.

use thalweg_nn::losses::{BinaryCrossEntropy, CrossEntropy, Mse, Reduction};
use thalweg_nn::spec::MemberLinearOptions;
use thalweg_nn::{Answer, Dag, LayerSpec, Loss};
use thalweg_train::{FitOptions, Trainer};

use crate::data::*;

/// Members with a hidden layer each, who share nothing.
fn apart(members: usize, outputs: usize, of: Answer) -> Dag {
    let linear = |out| {
        let options = MemberLinearOptions { members, out, shared: false, signs: false };
        LayerSpec::MemberLinear(options).into()
    };
    let mean = LayerSpec::MemberMean { of }.into();
    Dag::new(vec![linear(16), LayerSpec::Relu {}.into(), linear(outputs), mean])
}

fn losses() -> [Loss; 4] {
    let summed = CrossEntropy { reduction: Reduction::Sum, ..CrossEntropy::default() };
    let weighed = CrossEntropy { weight: Some(vec![1.0, 2.0, 0.5]), ..CrossEntropy::default() };
    [
        CrossEntropy::default().into(),
        summed.into(),
        weighed.into(),
        BinaryCrossEntropy::default().into(),
    ]
}

#[test]
fn the_loss_is_the_mean_of_the_members() {
    let set = Set::whole(greatest(60));
    for loss in losses() {
        let mut trainer =
            Trainer::new(apart(3, 3, Answer::Classes), loss.clone(), sgd()).threads(1);
        trainer.bind(&[4], 0).unwrap();
        let before = trainer.store().deep_clone();
        let mean = fit(&mut trainer, &set, &options(1, 60, 1e-6)).unwrap().epochs[0].train.loss;
        // Networks of one member with the weights of each.
        let of_one = (0..3).map(|member| {
            let mut one =
                Trainer::new(apart(1, 3, Answer::Classes), loss.clone(), sgd()).threads(1);
            one.bind(&[4], 0).unwrap();
            for entry in before.entries() {
                let (name, value) = (entry.name(), entry.value().to_f64());
                let Some(slot) = one.store_mut().value_mut(name) else { continue };
                let part = &value[member * value.len() / 3..][..value.len() / 3];
                let part: Vec<f32> = part.iter().map(|&x| x as f32).collect();
                *slot = thalweg_graph::Value::new(&part, slot.shape().clone()).unwrap();
            }
            fit(&mut one, &set, &options(1, 60, 1e-6)).unwrap().epochs[0].train.loss
        });
        let want = of_one.sum::<f64>() / 3.0;
        assert!((mean - want).abs() < 1e-5 * want.abs(), "{loss:?}: {mean}, {want}");
    }
}

#[test]
fn classes_are_answered_by_the_mean_probability() {
    let set = Set::new(greatest(400), thalweg_data::Fractions { valid: 0.1, test: 0.2 });
    let mut trainer = classifier(apart(4, 3, Answer::Classes), adam());
    let options = FitOptions { patience: Some(10), ..options(30, 20, 0.02) };
    trainer.fit(&set.train(), Some(&set.valid()), &options, &mut ()).unwrap();
    let metrics = trainer.evaluate(&set.test(), 256).unwrap();
    assert!(metrics.accuracy() > Some(0.9), "{metrics:?}");
    let rows = &set.split.test;
    let said = trainer.predict(&set.data.features, rows, &set.scaling).unwrap();
    assert_eq!(said.shape().dims(), [rows.len(), 3]);
    let said = said.to_f64();
    let thalweg_data::Targets::Classes { labels, .. } = &set.data.targets else { panic!() };
    let mut loss = 0.0;
    for (said, &row) in said.chunks(3).zip(rows) {
        assert!((said.iter().map(|y| y.exp()).sum::<f64>() - 1.0).abs() < 1e-5);
        loss -= said[labels[row] as usize] / rows.len() as f64;
    }
    // What is measured is what is said.
    assert!((loss - metrics.loss()).abs() < 1e-5, "{loss}, {metrics:?}");
}

#[test]
fn numbers_are_answered_by_their_mean() {
    let set = Set::whole(linear(200, 0.0));
    let mut trainer = regressor(apart(4, 2, Answer::Numbers), adam());
    fit(&mut trainer, &set, &options(60, 20, 0.02)).unwrap();
    assert!(r2(&trainer.evaluate(&set.train(), 256).unwrap()) > 0.98);
    let said = trainer.predict(&set.data.features, &[0, 1], &set.scaling).unwrap();
    assert_eq!(said.shape().dims(), [2, 2]);
}

#[test]
fn mixed_targets_are_those_of_every_member() {
    let set = Set::whole(greatest(300));
    let mut trainer = classifier(apart(2, 3, Answer::Classes), adam());
    let options = FitOptions { mixup: 0.2, ..options(30, 30, 0.02) };
    fit(&mut trainer, &set, &options).unwrap();
    assert!(trainer.evaluate(&set.train(), 256).unwrap().accuracy() > Some(0.85));
    let mut wrong = Trainer::new(apart(2, 4, Answer::Classes), Mse::default(), adam()).threads(1);
    let error = fit(&mut wrong, &set, &options).unwrap_err();
    assert!(error.message().contains("puts out 4 for each row"), "{error}");
}
