//! Judging against the numbers of scikit-learn in `tests/golden/judge.json`, which `judge.py` beside it wrote.

use serde_json::Value;
use thalweg_data::{Dataset, Features, Raw, Scaling, Targets};
use thalweg_train::Part;
use thalweg_train::judge::calibration::{
    bins, brier, expected_error, log_loss, probabilities, stated, temperature,
};
use thalweg_train::judge::conformal::{Strangeness, set};
use thalweg_train::judge::curves::Ranking;
use thalweg_train::judge::linear::{Design, Linear, Truth};
use thalweg_train::judge::threshold::Metric;
use thalweg_train::run::{Calibration, Task};

fn golden(part: &str) -> Vec<Value> {
    let text = include_str!("../golden/judge.json");
    let all: Value = serde_json::from_str(text).unwrap();
    all[part].as_array().unwrap().clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn close(what: &str, a: f64, b: &Value, within: f64) {
    let b = b.as_f64().unwrap();
    assert!((a - b).abs() <= within, "{what}: {a} against {b}");
}

#[test]
fn answers_are_ranked_and_believed_as_by_scikit_learn() {
    for case in golden("answers") {
        let classes = case["classes"].as_u64().unwrap() as usize;
        let logits: Vec<f32> = numbers(&case["logits"]).into_iter().map(|z| z as f32).collect();
        let labels: Vec<i64> = numbers(&case["labels"]).into_iter().map(|y| y as i64).collect();
        let p = probabilities(&logits, classes, 1.0);
        let (said, happened) = stated(&p, classes, &labels);
        close("ece", expected_error(&bins(&said, &happened)), &case["ece"], 1e-12);
        close("brier", brier(&p, classes, &labels), &case["brier"], 1e-12);
        close("log loss", log_loss(&p, classes, &labels), &case["log_loss"], 1e-12);
        close("temperature", temperature(&logits, classes, &labels), &case["temperature"], 1e-5);
        // Of two classes the second, of more the mean over all.
        let ranked = if classes == 2 { 1..2 } else { 0..classes };
        let rankings: Vec<Ranking> = ranked
            .map(|class| {
                let scores: Vec<f64> = p.chunks(classes).map(|row| row[class]).collect();
                let truth: Vec<bool> = labels.iter().map(|&y| y == class as i64).collect();
                Ranking::new(&scores, &truth).unwrap()
            })
            .collect();
        let mean = |area: fn(&Ranking) -> f64| {
            rankings.iter().map(area).sum::<f64>() / rankings.len() as f64
        };
        close("auc", mean(Ranking::auc), &case["auc"], 1e-12);
        close("ap", mean(Ranking::average_precision), &case["average_precision"], 1e-12);
    }
}

fn design(x: &[f64], width: usize) -> Design {
    let mut design = Design::new(width);
    for row in x.chunks(width) {
        design.push(row.iter().map(|&x| x as f32).enumerate());
    }
    design
}

fn all_close(what: &str, found: &[f64], wanted: &Value) {
    let wanted = numbers(wanted);
    for (a, b) in found.iter().zip(&wanted) {
        assert!((a - b).abs() < 1e-5, "{what}: {found:?} against {wanted:?}");
    }
}

#[test]
fn logistic_regressions_are_those_of_scikit_learn() {
    for case in golden("logistic") {
        let classes = case["classes"].as_u64().unwrap() as usize;
        let design = design(&numbers(&case["x"]), 4);
        let labels = numbers(&case["y"]).into_iter().map(|y| y as usize).collect();
        let truth = Truth::Classes { labels, classes };
        let penalty = 1.0 / (design.rows() as f64 * case["c"].as_f64().unwrap());
        let model = Linear::zero(4, truth.outputs()).fit(&design, &truth, penalty, 1000);
        close("log loss", model.loss(&design, &truth), &case["log_loss"], 1e-6);
        let outputs = &model.say(&design)[..5 * truth.outputs()];
        match classes {
            2 => all_close("logits", outputs, &case["outputs"]),
            _ => {
                let logits: Vec<f32> = outputs.iter().map(|&z| z as f32).collect();
                let p = probabilities(&logits, classes, 1.0);
                all_close("probabilities", &p, &case["probabilities"]);
            }
        }
    }
}

#[test]
fn ridge_regressions_are_those_of_scikit_learn() {
    for case in golden("ridge") {
        let design = design(&numbers(&case["x"]), 4);
        let truth = Truth::Values { values: numbers(&case["y"]), dims: 2 };
        let penalty = case["alpha"].as_f64().unwrap() / design.rows() as f64;
        let model = Linear::zero(4, 2).fit(&design, &truth, penalty, 1000);
        all_close("outputs", &model.say(&design)[..10], &case["outputs"]);
    }
}

#[test]
fn labels_are_regressed_one_by_one() {
    // Two labels at once are two classes each on their own, but for the penalty's share.
    let case = &golden("logistic")[0];
    let design = design(&numbers(&case["x"]), 4);
    let y: Vec<usize> = numbers(&case["y"]).into_iter().map(|y| y as usize).collect();
    let flags = y.iter().flat_map(|&y| [y as u8, 1 - y as u8]).collect();
    let both = Truth::Labels { flags, labels: 2 };
    let one = Truth::Classes { labels: y, classes: 2 };
    let z = Linear::zero(4, 2).fit(&design, &both, 0.05, 500).say(&design);
    let single = Linear::zero(4, 1).fit(&design, &one, 0.05, 500).say(&design);
    for (pair, z) in z.chunks(2).zip(single) {
        assert!((pair[0] - z).abs() < 1e-5 && (pair[1] + z).abs() < 1e-5, "{pair:?} against {z}");
    }
}

#[test]
fn a_calibration_is_learned_and_kept_to_the_bit() {
    let (rows, mut logits, mut labels) = (400u64, Vec::new(), Vec::new());
    for row in 0..rows {
        // Logits that claim three times what is true.
        let z = crate::data::noise(row) * 2.0;
        let truth = f64::from(crate::data::noise(10_000 + row) + 1.0) / 2.0;
        labels.push(i64::from(truth < 1.0 / (1.0 + f64::from(-z).exp())));
        logits.extend([0.0, 3.0 * z]);
    }
    let names = vec!["no".to_owned(), "yes".to_owned()];
    let features = Features::new(Raw::F32(vec![0.0; rows as usize]), vec![1]).unwrap();
    let data = Dataset::new("s", features, Targets::Classes { labels, names }).unwrap();
    let scaling = Scaling { full_scale: 1.0, mean: vec![0.0], std: vec![1.0] };
    let all: Vec<usize> = (0..rows as usize).collect();
    let part = Part { data: &data, rows: &all, scaling: &scaling };
    let learn = |part: &Part, logits: &[f32]| {
        Calibration::learn(Task::Classification, Metric::Accuracy, part, logits).0
    };
    let learned = learn(&part, &logits);
    assert!((2.0..4.5).contains(&learned.temperature), "{learned:?}");
    assert_eq!((learned.rows, learned.threshold), (400, 0.5));
    let text = serde_json::to_string(&learned).unwrap();
    assert_eq!(serde_json::from_str::<Calibration>(&text).unwrap(), learned);
    // Sets of 90 % hold about that share of the rows that they were made of.
    let bound = learned.strangeness[0].bound(0.9);
    let p = learned.probabilities(&logits, 2);
    let Targets::Classes { labels, .. } = &data.targets else { panic!("classes") };
    let held = p.chunks(2).zip(labels).filter(|(p, y)| set(p, bound).contains(&(**y as usize)));
    assert!((0.9..0.93).contains(&(held.count() as f64 / 400.0)));
    // Few rows teach nothing.
    let few = Part { rows: &all[..10], ..part };
    assert!(learn(&few, &logits[..20]).is_none());
}

#[test]
fn sets_hold_each_label_that_is_true() {
    // Label 0 holds for every second row, label 1 for every fifth; the scores say so, label 1 too quietly.
    let truth: Vec<bool> = (0..400).flat_map(|row| [row % 2 == 0, row % 5 == 0]).collect();
    let p: Vec<f64> = (0..400)
        .flat_map(|row| {
            let wave = f64::from(row * 37 % 100) / 250.0;
            [
                if row % 2 == 0 { 0.9 - wave } else { wave },
                if row % 5 == 0 { 0.4 - wave } else { 0.0 },
            ]
        })
        .collect();
    let strangeness =
        (0..2).map(|label| Strangeness::of_label(&p, 2, &truth, label)).collect::<Vec<_>>();
    assert_eq!(strangeness.iter().map(|s| s.rows).collect::<Vec<_>>(), [200, 80]);
    let calibration = Calibration { rows: 400, strangeness, ..Calibration::default() };
    let mut held = [0; 2];
    for (p, truth) in p.chunks(2).zip(truth.chunks(2)) {
        let set = calibration.holding_set(p, 0.9);
        assert!(calibration.holding(p).iter().all(|label| set.contains(label)));
        set.into_iter().filter(|&label| truth[label]).for_each(|label| held[label] += 1);
    }
    assert!(held[0] >= 180 && held[1] >= 72, "{held:?}");
    // Of 80 rows that have label 1 no set can promise 99.9 %: it is always there.
    assert!(calibration.holding_set(&[0.0, 0.0], 0.999).contains(&1));
}
