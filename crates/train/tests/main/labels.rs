//! Rows for which any number of labels holds.

use thalweg_data::{DataError, Dataset, Features, Raw, Targets};
use thalweg_nn::losses::{BinaryCrossEntropy, CrossEntropy};
use thalweg_nn::{Loss, Sequential};
use thalweg_train::{FitOptions, LabelCounts, Metrics, TrainError, Trainer};

use crate::data::*;

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12
}

/// Rows of three numbers; each of three labels holds where its number is above a bound.
fn above(rows: usize) -> Dataset {
    let x: Vec<f32> = (0..rows as u64 * 3).map(noise).collect();
    let flags = x.iter().enumerate().map(|(i, &x)| u8::from(x > [0.0, -0.5, 0.5][i % 3])).collect();
    let names = ["a", "b", "c"].map(str::to_owned).to_vec();
    let features = Features::new(Raw::F32(x), vec![3]).unwrap();
    Dataset::new("above", features, Targets::Labels { flags, names }).unwrap()
}

fn trainer(loss: impl Into<Loss>) -> Trainer<Sequential> {
    Trainer::new(Sequential::new().linear(16).relu().linear(3), loss, adam()).threads(1)
}

#[test]
fn counted_by_hand() {
    // scikit-learn: f1_score(…, average="micro") = 3/4, average="macro" = (1 + 2/3 + 0)/3,
    // accuracy_score = 1/3, hamming_loss = 2/9.
    let truth = [1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    let scores = [2.0, 1.0, -1.0, 0.5, 0.1, -2.0, -1.0, -0.1, -0.5];
    let mut counts = LabelCounts::new(3);
    counts.add(&scores[..3], &truth[..3]);
    counts.add(&scores[3..], &truth[3..]);
    let labels = counts.finish(0.25);
    assert_eq!((labels.rows, labels.loss), (3, 0.25));
    assert!(close(labels.accuracy, 1.0 / 3.0) && close(labels.hamming, 2.0 / 9.0), "{labels:?}");
    assert!(close(labels.f1_micro, 6.0 / 8.0), "{labels:?}");
    assert!(close(labels.f1_macro, (1.0 + 2.0 / 3.0) / 3.0), "{labels:?}");
    assert_eq!(labels.classes.iter().map(|label| label.support).collect::<Vec<_>>(), [2, 1, 1]);
}

#[test]
fn are_learned_and_measured() {
    let set = Set::whole(above(400));
    let mut trainer = trainer(BinaryCrossEntropy::default());
    let history = fit(&mut trainer, &set, &options(30, 32, 0.02)).unwrap();
    let Metrics::Labels(labels) = trainer.evaluate(&set.train(), 7).unwrap() else {
        panic!("labels have metrics of their own")
    };
    assert!(labels.accuracy > 0.9 && labels.f1_micro > 0.95, "{labels:?}");
    // What is counted in training is the same figure, while it still learns.
    let last = history.epochs.last().unwrap().train.accuracy.unwrap();
    assert!((last - labels.accuracy).abs() < 0.1, "{last} against {}", labels.accuracy);
    // The loss does not depend on the batches.
    let whole = trainer.evaluate(&set.train(), 400).unwrap();
    assert!((whole.loss() - labels.loss).abs() < 1e-6);
    // It is the mean of the binary cross-entropies of all answers.
    let logits = trainer.predict(&set.data.features, &set.split.train, &set.scaling).unwrap();
    let Targets::Labels { flags, .. } = &set.data.targets else { panic!("labels") };
    let terms = logits.to_f64().into_iter().zip(flags).map(|(z, &flag)| match flag {
        1 => (-z).exp().ln_1p(),
        _ => z.exp().ln_1p(),
    });
    let mean = terms.sum::<f64>() / flags.len() as f64;
    assert!((mean - labels.loss).abs() < 1e-6, "{mean} against {}", labels.loss);
}

#[test]
fn take_mixed_samples() {
    let set = Set::whole(above(100));
    let options = FitOptions { mixup: 0.2, ..options(2, 16, 0.01) };
    assert!(fit(&mut trainer(BinaryCrossEntropy::default()), &set, &options).is_ok());
}

#[test]
fn want_a_loss_that_judges_label_by_label() {
    let set = Set::whole(above(20));
    let error = fit(&mut trainer(CrossEntropy::default()), &set, &options(1, 8, 0.1)).unwrap_err();
    assert!(matches!(error, TrainError::Misfit { .. }), "{error}");
    assert!(error.to_string().contains("use binary_cross_entropy"), "{error}");
}

#[test]
fn are_checked() {
    let features = || Features::new(Raw::F32(vec![0.0; 4]), vec![2]).unwrap();
    let names = || vec!["a".to_owned(), "b".to_owned()];
    let set = |flags| Dataset::new("s", features(), Targets::Labels { flags, names: names() });
    let error = set(vec![0, 1, 2, 0]).unwrap_err().to_string();
    assert!(error.contains("row 1 has 2 for label 'a'"), "{error}");
    assert!(set(vec![0, 1, 1]).is_err());
    let set = set(vec![0, 1, 1, 0]).unwrap();
    let mut y = [9.0; 2];
    set.targets.fill_values(&[1], &mut y).unwrap();
    assert_eq!(y, [1.0, 0.0]);
    let refused = set.targets.fill_classes(&[0], &mut [0]);
    assert!(matches!(refused, Err(DataError::TargetKind { .. })), "{refused:?}");
}
