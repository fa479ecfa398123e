//! Metrics against numbers worked out by hand (and by scikit-learn, with `zero_division=0`).

use thalweg_train::{ClassCounts, RegressionSums};

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12
}

/// Scores that choose `class`.
fn choose(class: usize, classes: usize) -> Vec<f32> {
    (0..classes).map(|c| if c == class { 1.0 } else { 0.0 }).collect()
}

#[test]
fn classes_with_one_absent_and_one_never_predicted() {
    // Class 3 is absent, class 2 never predicted.
    let truth = [0, 0, 0, 1, 1, 2];
    let predicted = [0, 0, 1, 1, 3, 0];
    let mut counts = ClassCounts::new(4);
    for (&label, &class) in truth.iter().zip(&predicted) {
        counts.add(&choose(class, 4), &[label]);
    }
    let scores = counts.finish(0.7);
    assert_eq!((scores.rows, scores.loss), (6, 0.7));
    assert_eq!(scores.confusion, [[2, 1, 0, 0], [0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]]);
    assert!(close(scores.accuracy, 3.0 / 6.0));
    let columns = |f: fn(&thalweg_train::ClassScores) -> f64| {
        scores.classes.iter().map(f).collect::<Vec<f64>>()
    };
    assert_eq!(columns(|c| c.precision), [2.0 / 3.0, 0.5, 0.0, 0.0]);
    assert_eq!(columns(|c| c.recall), [2.0 / 3.0, 0.5, 0.0, 0.0]);
    assert_eq!(columns(|c| c.f1), [2.0 / 3.0, 0.5, 0.0, 0.0]);
    assert_eq!(columns(|c| c.support as f64), [3.0, 2.0, 1.0, 0.0]);
    for score in [scores.precision_macro, scores.recall_macro, scores.f1_macro] {
        assert!(close(score, (2.0 / 3.0 + 0.5) / 4.0), "{score}");
    }
    assert_eq!(scores.top5_accuracy, None);
}

#[test]
fn precision_and_recall_that_differ() {
    let mut counts = ClassCounts::new(2);
    // TP 3, FN 1, FP 2, TN 4 for class 1.
    for (label, class, times) in [(1, 1, 3), (1, 0, 1), (0, 1, 2), (0, 0, 4)] {
        for _ in 0..times {
            counts.add(&choose(class, 2), &[label]);
        }
    }
    let one = counts.finish(0.0).classes[1];
    assert!(close(one.precision, 3.0 / 5.0) && close(one.recall, 3.0 / 4.0));
    assert!(close(one.f1, 6.0 / 9.0));
}

#[test]
fn the_class_among_the_five_best() {
    let scores: Vec<f32> = vec![0.1, 0.9, 0.3, 0.7, 0.5, 0.2, 0.4];
    let hits = |scores: &[f32]| -> Vec<bool> {
        let hit = |label| {
            let mut counts = ClassCounts::new(7);
            counts.add(scores, &[label]);
            counts.finish(0.0).top5_accuracy == Some(1.0)
        };
        (0..7).map(hit).collect()
    };
    assert_eq!(hits(&scores), [false, true, true, true, true, false, true]);
    // Among equals the first come first, as for the prediction.
    assert_eq!(hits(&[0.0; 7]), [true, true, true, true, true, false, false]);
    let mut counts = ClassCounts::new(7);
    counts.add(&[0.0; 14], &[0, 1]);
    assert_eq!(counts.finish(0.0).accuracy, 0.5);
}

#[test]
fn a_nan_counts_as_the_highest_score() {
    let mut counts = ClassCounts::new(3);
    counts.add(&[5.0, f32::NAN, 1.0], &[0]);
    assert_eq!(counts.finish(f64::NAN).confusion[0], [0, 1, 0]);
}

#[test]
fn numbers() {
    // scikit-learn: r2_score([3, -0.5, 2, 7], [2.5, 0, 2, 8]) = 0.9486…, mse 0.375, mae 0.5.
    let (truth, prediction) = ([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0]);
    let mut sums = RegressionSums::new(&[2.875]);
    sums.add(&prediction[..3], &truth[..3]);
    sums.add(&prediction[3..], &truth[3..]);
    let scores = sums.finish(0.375);
    assert_eq!((scores.rows, scores.mse, scores.mae), (4, 0.375, 0.5));
    assert!(close(scores.rmse, 0.375f64.sqrt()));
    assert!(close(scores.r2, 1.0 - 1.5 / 29.1875));
}

#[test]
fn several_numbers_a_row_are_averaged() {
    // The example of scikit-learn's r2_score, whose raw values are 0.965… and 0.908….
    let mut sums = RegressionSums::new(&[6.5 / 3.0, -4.0 / 3.0]);
    sums.add(&[0.0, 2.0, -1.0, 2.0, 8.0, -5.0], &[0.5, 1.0, -1.0, 1.0, 7.0, -6.0]);
    let scores = sums.finish(0.0);
    let (first, second) = (1.0 - 1.25 / (50.25 - 6.5 * 6.5 / 3.0), 1.0 - 3.0 / (38.0 - 16.0 / 3.0));
    assert!(close(scores.r2, (first + second) / 2.0), "{scores:?}");
    assert!(close(scores.mae, 0.75) && close(scores.mse, 4.25 / 6.0));
    assert_eq!(scores.rows, 3);
}

#[test]
fn a_truth_that_does_not_vary() {
    let r2 = |prediction: &[f32]| {
        let mut sums = RegressionSums::new(&[2.0]);
        sums.add(prediction, &[2.0, 2.0]);
        sums.finish(0.0).r2
    };
    assert_eq!((r2(&[2.0, 2.0]), r2(&[2.0, 2.5])), (1.0, 0.0));
}

#[test]
fn metrics_as_json() {
    let mut counts = ClassCounts::new(2);
    counts.add(&[1.0, 0.0], &[0]);
    let metrics = thalweg_train::Metrics::Classification(counts.finish(0.5));
    let json = serde_json::to_value(&metrics).unwrap();
    assert_eq!(json["accuracy"], 1.0);
    assert_eq!(json["confusion"], serde_json::json!([[1, 0], [0, 0]]));
    assert_eq!(json["classes"][0]["support"], 1);
    assert!(json.get("top5_accuracy").is_none());
}
