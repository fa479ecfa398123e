//! How a network is judged, and what is said of its answers: calibration, intervals, baselines, `report.json`.

use std::fs;

use serde_json::Value;

use crate::support::{Place, last};

/// A number in 0..1 for each `i`, well mixed.
fn noise(i: u64) -> f64 {
    let x = (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (x >> 11) as f64 / (1u64 << 53) as f64
}

/// 600 rows of two numbers and a colour, a class that follows from them but for some noise, and a number.
fn table(place: &Place) -> String {
    let mut text = String::from("id,a,b,colour,kind,size\n");
    for row in 0..600 {
        let [a, b, c, d] = [0, 1, 2, 3].map(|i| noise(4 * row + i));
        let colour = ["red", "green", "blue"][(c * 3.0) as usize];
        let score = a - b + if colour == "red" { 0.4 } else { 0.0 } + 0.3 * (d - 0.5);
        let kind = if score > 0.1 { "big" } else { "small" };
        let size = 3.0 * a + b + d;
        text += &format!("r{row},{a:.4},{b:.4},{colour},{kind},{size:.4}\n");
    }
    let path = place.path("table.csv");
    fs::write(&path, text).expect("written");
    path.display().to_string()
}

fn train(place: &Place, data: &str, target: &str, dropped: &str, out: &str) -> Value {
    let rest = ["--target", target, "--drop", dropped, "--out", out, "--threads", "1"];
    last(
        &place
            .ok(&[&["train", data, "--epochs", "8", "--json", "--quiet"], &rest[..]].concat())
            .out,
    )
}

#[test]
fn a_classifier_is_judged() {
    let place = Place::new();
    let data = table(&place);
    let summary = train(&place, &data, "kind", "size", "run");
    let test = &summary["test"];
    for figure in ["auc", "average_precision", "brier", "calibration_error", "loss_calibrated"] {
        assert!(test[figure].as_f64().is_some_and(|x| x > 0.0 && x <= 1.0), "{figure}: {test}");
    }
    assert!(test["auc"].as_f64() > Some(0.9), "{test}");
    let logistic = &summary["baselines"]["logistic"];
    assert!(logistic["accuracy"].as_f64() > Some(0.85), "{logistic}");

    let model = place.json("run/model.json");
    let calibration = &model["calibration"];
    assert!(calibration["rows"].as_u64() > Some(50), "{calibration}");
    assert!(calibration["temperature"].as_f64() > Some(0.0));
    assert!(!calibration["strangeness"][0]["scores"].as_array().expect("a list").is_empty());

    let report = place.json("run/report.json");
    assert_eq!(report["judged"], "test");
    let story = &report["classification"];
    let rows: u64 =
        (story["confusion"].as_array().expect("a matrix").iter().flat_map(|row| row.as_array()))
            .flatten()
            .filter_map(Value::as_u64)
            .sum();
    assert_eq!(Some(rows), test["rows"].as_u64());
    assert_eq!(story["roc"][0]["area"], test["auc"]);
    assert!(story["roc"][0]["points"].as_array().expect("points").len() <= 200);
    assert!(!story["calibration"]["after"].as_array().expect("bins").is_empty());
    assert!(story["threshold"]["value"].is_f64());
    let wrong = &story["most_wrong"][0];
    assert_ne!(wrong["truth"], wrong["said"]);
    assert!(
        wrong["cells"].as_array().expect("cells").iter().any(|cell| cell[0] == "colour"),
        "{wrong}"
    );
    let levels = report["intervals"]["levels"].as_array().expect("levels");
    let held: Vec<f64> = levels.iter().filter_map(|level| level[1].as_f64()).collect();
    assert!(held.len() == 3 && held[1] > 0.8, "{levels:?}");
    let importance = report["importance"].as_array().expect("columns");
    assert!(
        ["a", "b"].contains(&importance[0]["column"].as_str().expect("a name")),
        "{importance:?}"
    );
    assert_eq!(report["data"]["parts"][0]["name"], "train");

    // The figures of `evaluate` are those of the training.
    let evaluated = last(&place.ok(&["evaluate", "run", "--json", "--threads", "1"]).out);
    for figure in ["accuracy", "loss", "auc", "loss_calibrated"] {
        assert_eq!(evaluated["metrics"][figure], test[figure], "{figure}");
    }
    let shown = place.ok(&["evaluate", "run"]).out;
    assert!(shown.contains("AUC") && shown.contains("loss, calibrated"), "{shown}");
}

#[test]
fn predictions_hold_the_truth_and_keep_columns() {
    let place = Place::new();
    let data = table(&place);
    train(&place, &data, "kind", "size", "run");
    let predict = |rest: &[&str]| place.thalweg(&[&["predict", "run", &data], rest].concat());
    let out = predict(&["--proba", "--interval", "0.9", "--keep", "id"]).out;
    let mut lines = out.lines();
    assert_eq!(lines.next(), Some("id,kind,kind=big,kind=small,kind_set"));
    let first: Vec<&str> = lines.next().expect("a row").split(',').collect();
    assert!(first[0] == "r0" && first[4].split(';').any(|class| class == first[1]), "{first:?}");
    assert_eq!(out.lines().count(), 601);

    predict(&["--proba", "--out", "p.jsonl"]);
    let text = String::from_utf8(place.read("p.jsonl")).expect("UTF-8");
    let row: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
    let sum = row["kind=big"].as_f64().expect("p") + row["kind=small"].as_f64().expect("p");
    assert!((sum - 1.0).abs() < 1e-6 && row["kind"].is_string(), "{row}");
    predict(&["--out", "p.parquet"]);
    assert!(place.read("p.parquet").starts_with(b"PAR1"));

    for (wrong, says) in [
        (&["--interval", "1.5"][..], "between 0 and 1"),
        (&["--interval", "0.9999"], "cannot promise"),
        (&["--keep", "kind"], "two columns would be called 'kind'"),
        (&["--keep", "colours"], "colour"),
    ] {
        let done = predict(wrong);
        assert_eq!(done.code, Some(2), "{}", done.err);
        assert!(done.err.contains(says), "{}", done.err);
    }
}

#[test]
fn numbers_have_intervals_and_a_linear_rival() {
    let place = Place::new();
    let data = table(&place);
    let summary = train(&place, &data, "size", "kind", "run");
    let linear = &summary["baselines"]["linear"];
    // The number is linear in the columns but for noise of deviation 0.29.
    assert!(linear["rmse"].as_f64().is_some_and(|rmse| rmse < 0.35), "{linear}");
    let report = place.json("run/report.json");
    assert!(report["regression"]["points"].as_array().expect("points").len() > 50);
    let levels = report["intervals"]["levels"].as_array().expect("levels");
    let [narrow, wide] = [0, 2].map(|i| levels[i][2].as_f64().expect("a width"));
    assert!(narrow < wide, "{levels:?}");
    let out = place.ok(&["predict", "run", &data, "--interval", "0.9"]).out;
    assert_eq!(out.lines().next(), Some("size,size_low,size_high"));
    let row = out.lines().nth(1).expect("a row");
    let row: Vec<f64> = row.split(',').map(|x| x.parse().expect("a number")).collect();
    assert!(row[1] < row[0] && row[0] < row[2], "{row:?}");
}

#[test]
fn a_network_that_learns_nothing_is_told_so() {
    let place = Place::new();
    let data = table(&place);
    let arguments =
        ["train", &data, "--target", "kind", "--drop", "size", "--epochs", "1", "--lr", "1e-9"];
    let out = place.ok(&[&arguments[..], &["--threads", "1"]].concat()).out;
    assert!(out.contains("The network does not beat"), "{out}");
    assert!(out.contains("a logistic regression: "), "{out}");
}

#[test]
fn classes_are_balanced_where_there_are_such() {
    let place = Place::new();
    let data = table(&place);
    let shared = ["train", &data, "--epochs", "1", "--json", "--quiet", "--balance", "--out"];
    place.ok(&[&shared[..], &["run", "--target", "kind"]].concat());
    let weights = &place.json("run/model.json")["loss"]["weight"];
    let weights: Vec<f64> =
        weights.as_array().expect("weights").iter().filter_map(Value::as_f64).collect();
    assert!(weights.len() == 2 && weights[0] != weights[1], "{weights:?}");
    let done = place.thalweg(&[&shared[..], &["other", "--target", "size"]].concat());
    assert_eq!(done.code, Some(2), "{}", done.err);
    assert!(done.err.contains("no classes to balance"), "{}", done.err);
}

/// 900 rows of three numbers; each of three labels holds where its number is great, but for some noise.
fn tags(place: &Place) -> String {
    let mut text = String::from("a,b,c,tags\n");
    for row in 0..900 {
        let x: Vec<f64> = (0..6).map(|i| noise(6 * row + i)).collect();
        let holds = |i: usize| x[i] + 0.3 * (x[i + 3] - 0.5) > [0.5, 0.7, 0.85][i];
        let tags: Vec<&str> =
            (0..3).filter(|&i| holds(i)).map(|i| ["red", "green", "rare"][i]).collect();
        let tags = if tags.is_empty() { "[]".into() } else { tags.join("|") };
        text += &format!("{:.4},{:.4},{:.4},{tags}\n", x[0], x[1], x[2]);
    }
    let path = place.path("tags.csv");
    fs::write(&path, text).expect("written");
    path.display().to_string()
}

#[test]
fn labels_are_judged_one_by_one() {
    let place = Place::new();
    let data = tags(&place);
    let arguments = ["train", &data, "--target", "tags", "--epochs", "6", "--metric", "f1"];
    let rest = ["--json", "--quiet", "--out", "run", "--threads", "1"];
    let summary = last(&place.ok(&[&arguments[..], &rest].concat()).out);
    assert_eq!(summary["task"], "multilabel");
    let test = &summary["test"];
    for figure in ["auc", "average_precision", "brier", "calibration_error", "f1_micro"] {
        assert!(test[figure].as_f64().is_some_and(|x| x > 0.0 && x <= 1.0), "{figure}: {test}");
    }
    assert!(test["auc"].as_f64() > Some(0.85), "{test}");
    let baselines = &summary["baselines"];
    assert!(baselines["logistic"]["f1_macro"].as_f64() > Some(0.5), "{baselines}");
    // 'red' alone holds for about half of the rows.
    assert!(baselines["majority_labels"]["f1_macro"].as_f64() < Some(0.4), "{baselines}");

    let report = place.json("run/report.json");
    let story = &report["labels"];
    let labels = story["labels"].as_array().expect("labels");
    let names: Vec<&str> = labels.iter().filter_map(|label| label["name"].as_str()).collect();
    assert_eq!((names, &story["metric"]), (vec!["green", "rare", "red"], &"f1".into()));
    assert_ne!(story["most_wrong"][0]["truth"], story["most_wrong"][0]["said"]);
    assert_eq!(story["roc"].as_array().expect("curves").len(), 3);
    let rivals = report["baselines"].as_array().expect("rivals");
    assert!(rivals.iter().all(|rival| rival["metric"] == "f1_macro"), "{rivals:?}");
    let levels = report["intervals"]["levels"].as_array().expect("levels");
    assert!(levels.len() == 3 && levels[1][1].as_f64() > Some(0.8), "{levels:?}");

    let evaluated = last(&place.ok(&["evaluate", "run", "--json", "--threads", "1"]).out);
    for figure in ["accuracy", "f1_macro", "hamming", "auc", "loss_calibrated"] {
        assert_eq!(evaluated["metrics"][figure], test[figure], "{figure}");
    }
    let shown = place.ok(&["evaluate", "run"]).out;
    assert!(shown.contains("threshold") && shown.contains("avg. prec."), "{shown}");

    // What is predicted is what is measured: in the CSV, in JSON lines, and by probability and threshold.
    fs::copy(&data, place.path("all.csv")).expect("copied");
    let all = last(&place.ok(&["evaluate", "run", "all.csv", "--json"]).out);
    let asked = ["predict", "run", "all.csv", "--proba", "--interval", "0.9"];
    let out = place.ok(&asked).out;
    assert_eq!(
        out.lines().next(),
        Some("tags,tags=green,tags=rare,tags=red,tags_set"),
        "the columns"
    );
    place.ok(&[&asked[..], &["--out", "p.jsonl"]].concat());
    let lines = String::from_utf8(place.read("p.jsonl")).expect("UTF-8");
    let truth = fs::read_to_string(&data).expect("read");
    let list = |text: &str| -> Vec<String> {
        let mut labels: Vec<String> = text.split(['|', ';']).map(String::from).collect();
        labels.retain(|label| !label.is_empty() && label != "[]");
        labels.sort_unstable();
        labels
    };
    let thresholds = &all["metrics"]["classes"];
    let (mut right, mut held, mut hold) = (0, 0, 0);
    let rows = out.lines().skip(1).zip(lines.lines()).zip(truth.lines().skip(1));
    for ((row, line), truth) in rows {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let cells: Vec<&str> = row.split(',').collect();
        assert_eq!(line["tags"], cells[0]);
        let (said, set) = (list(cells[0]), list(cells[4]));
        let truth = list(truth.rsplit(',').next().expect("a cell"));
        right += u64::from(said == truth);
        hold += truth.len();
        held += truth.iter().filter(|label| set.contains(label)).count();
        assert!(said.iter().all(|label| set.contains(label)), "{row}");
        for (i, label) in ["green", "rare", "red"].into_iter().enumerate() {
            let p = line[format!("tags={label}")].as_f64().expect("p");
            let above = p > thresholds[i]["threshold"].as_f64().expect("a threshold");
            assert_eq!(said.contains(&label.to_string()), above, "{label}: {row}");
        }
    }
    let share = right as f64 / all["rows"].as_f64().expect("rows");
    assert!((share - all["metrics"]["accuracy"].as_f64().expect("a share")).abs() < 1e-12);
    assert!(held as f64 > 0.85 * hold as f64, "{held} of {hold}");
}
