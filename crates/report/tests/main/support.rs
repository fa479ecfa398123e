//! Real runs, small ones, and insights of every kind to go with them.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::json;
use tempfile::TempDir;
use thalweg_train::run::insights::{
    CalibrationStory, Check, ClassificationStory, ColumnStory, Curve, DataStory, Example, Finding,
    ForecastStory, Importance, Insights, Intervals, PartStory, ReconstructionStory,
    RegressionStory, Rival, Status, TextStory, ThresholdStory,
};
use thalweg_train::run::{Draft, RunFolder, Session};

/// What strangers might call things.
pub const EVIL: &str = "<script>alert('&')</script>";

/// A run on the embedded digits, trained once for all tests.
pub fn digits() -> &'static Path {
    static RUN: OnceLock<TempDir> = OnceLock::new();
    let trained = || {
        let folder = TempDir::new().expect("a temporary folder");
        let mut draft = Draft::new();
        draft.put("the test", "train.epochs", 3i64);
        let session = Session::prepare(&draft, "digits", 1).expect("digits can be learned");
        let run = RunFolder::claim("digits", Some(folder.path()), false).expect("a new folder");
        session.train(run, None, &mut ()).expect("it learns");
        folder
    };
    RUN.get_or_init(trained).path()
}

/// A copy of a run, with these insights.
pub fn with(run: &Path, insights: &Insights) -> TempDir {
    let copy = TempDir::new().expect("a temporary folder");
    for name in ["config.toml", "model.json", "metrics.jsonl", "timings.jsonl", "summary.json"] {
        std::fs::copy(run.join(name), copy.path().join(name)).expect("the run has it");
    }
    let text = serde_json::to_string(insights).expect("insights are JSON");
    std::fs::write(copy.path().join("report.json"), text).expect("it can be written");
    copy
}

/// Insights in which nothing is missing.
pub fn full() -> Insights {
    let classes = ["0", "1", "2", "3", "4", "5", "6", "7", "8", EVIL].map(String::from).to_vec();
    let counts = |truth: usize| {
        (0..10).map(move |said| [30, (truth + said) % 3][usize::from(truth != said)])
    };
    let curve = |class: &str, area: f64| Curve {
        class: class.into(),
        points: (0..50)
            .map(|i| f64::from(i) / 49.0)
            .map(|x| [x, 1.0 - (1.0 - x).powi(6)])
            .collect(),
        area,
    };
    let bins = |bend: f64| {
        (0..10).map(|i| (f64::from(i) + 0.5) / 10.0).map(|p| [p, p.powf(bend), 12.0]).collect()
    };
    let example = |row: usize, truth: &str| Example {
        row,
        truth: truth.into(),
        said: "7".into(),
        probability: 0.91,
        cells: vec![(EVIL.into(), format!("{EVIL} in a cell"))],
        image: (row == 0).then(|| DOT.into()),
    };
    let check = |name: &str, status, action: &str| Check {
        name: name.into(),
        status,
        saw: format!("{name} were looked for"),
        action: action.into(),
    };
    Insights {
        command: "thalweg train digits --epochs 3".into(),
        data: DataStory {
            name: "digits".into(),
            path: "digits".into(),
            target: "label".into(),
            columns: vec![ColumnStory {
                name: EVIL.into(),
                kind: "number".into(),
                reason: "all cells are numbers".into(),
                missing: 1234,
                content: "0 … 16, median 3".into(),
            }],
            parts: ["train", "valid", "test"]
                .map(|name| PartStory { name: name.into(), rows: 100, targets: "0: 10 %".into() })
                .to_vec(),
            notes: vec!["two rows were left out".into()],
            attribution: Some("E. Alpaydin and C. Kaynak".into()),
        },
        checks: vec![
            check("duplicates", Status::Pass, ""),
            check("rare classes", Status::Warn, "merge them"),
            check("leakage", Status::Fail, "drop the column"),
        ],
        network_reason: "two hidden layers suffice for small images".into(),
        preflight: vec![check("initial loss", Status::Pass, "")],
        health: vec![Finding {
            kind: "dead_units".into(),
            layer: "2".into(),
            epoch: 2,
            saw: "61 % of the units were never active".into(),
            try_this: "try leaky_relu".into(),
        }],
        judged: "test".into(),
        classification: Some(ClassificationStory {
            confusion: (0..10).map(|truth| counts(truth).collect()).collect(),
            per_class: vec![[0.91, 0.92, 0.915, 36.0]; 10],
            most_wrong: vec![example(0, EVIL), example(17, "3")],
            samples: vec![example(1, "7")],
            roc: classes.iter().map(|class| curve(class, 0.987)).collect(),
            precision_recall: vec![curve("1", 0.95)],
            calibration: Some(CalibrationStory {
                temperature: 1.31,
                before: bins(1.6),
                after: bins(1.1),
                error_before: 0.061,
                error_after: 0.012,
            }),
            threshold: Some(ThresholdStory {
                value: 0.37,
                metric: "f1_macro".into(),
                at_half: 0.71,
                at_value: 0.76,
            }),
            classes,
        }),
        labels: None,
        regression: Some(RegressionStory {
            points: (0..200).map(f64::from).map(|i| [i, i + 9.0 * (i * 1.7).sin()]).collect(),
            most_wrong: vec![example(5, "12.5")],
        }),
        forecast: Some(ForecastStory {
            horizon: 3,
            truth: (1..=40).map(f64::from).map(|i| [i, (i * 0.4).sin()]).collect(),
            near: (1..=38).map(f64::from).map(|i| [i, (i * 0.4).sin() * 0.9]).collect(),
            far: (3..=40).map(f64::from).map(|i| [i, (i * 0.4).sin() * 0.7]).collect(),
        }),
        reconstructions: vec![ReconstructionStory { row: 3, given: DOT.into(), made: DOT.into() }],
        text: Some(TextStory { text: format!("It was\n{EVIL}"), temperature: 0.8, seed: 7 }),
        intervals: Some(Intervals { levels: vec![[0.8, 0.81, 1.2], [0.95, 0.947, 1.9]] }),
        importance: ["pixel 12", EVIL]
            .map(|column| Importance {
                column: column.into(),
                drop: 0.21,
                deviation: 0.02,
                metric: "accuracy".into(),
            })
            .to_vec(),
        baselines: vec![Rival {
            name: "always saying '3', the most frequent class".into(),
            figures: json!({ "accuracy": 0.1 }),
            metric: "accuracy".into(),
            value: 0.1,
            network: 0.9,
            beaten: true,
        }],
    }
}

/// A PNG of one pixel.
const DOT: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==";
