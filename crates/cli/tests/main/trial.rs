//! Before a training: the trial run, the learning-rate finder; and what a very short time limit leaves.

use crate::support::{Place, last};

#[test]
fn a_dry_run_tries_out_and_writes_nothing() {
    let place = Place::new();
    let shown = place.ok(&["train", "--dry-run"]);
    for words in ["initial loss", "ln 10", "every parameter gets one", "one batch", "for training"]
    {
        assert!(shown.out.contains(words), "{words}: {}", shown.out);
    }
    let found = last(&place.ok(&["train", "--dry-run", "--json"]).out);
    assert_eq!(found["preflight"].as_array().map(Vec::len), Some(3));
    assert!(found["planned_memory_bytes"].is_u64() && found["steps"].is_u64());
    assert_eq!(place.list("."), [""; 0]);
    let refused = place.thalweg(&["train", "--dry-run", "--lr", "fnid"]);
    assert!(refused.code == Some(2) && refused.err.contains("--lr fnid"), "{}", refused.err);
}

#[test]
fn a_learning_rate_is_found_and_written_down() {
    let place = Place::new();
    let trained = place.ok(&["train", "--lr", "find", "--epochs", "2", "--out", "run"]);
    assert!(trained.err.contains("in a range test"), "{}", trained.err);
    let config = String::from_utf8(place.read("run/config.toml")).expect("UTF-8");
    let lr = config.lines().find_map(|line| line.strip_prefix("lr = ")).expect("a rate");
    let lr: f64 = lr.parse().expect("a number");
    assert!((1e-5..1.0).contains(&lr), "{lr}");
    place.ok(&["train", "--config", "run/config.toml", "--out", "again", "--quiet"]);
    assert!(place.read("run/model.safetensors") == place.read("again/model.safetensors"));
}

#[test]
fn a_time_limit_shorter_than_an_epoch_leaves_a_model() {
    let place = Place::new();
    let limit = ["train", "--batch-size", "1", "--max-time", "0.05s", "--out", "run", "--json"];
    let summary = last(&place.ok(&limit).out);
    assert_eq!((&summary["stopped"], &summary["epochs"]), (&"max_time".into(), &1.into()));
    place.ok(&["predict", "run", "digits", "--out", "p.csv"]);
    place.ok(&["evaluate", "run"]);
    // Nothing was measured before the time was up, or on fewer rows: whatever is said was measured.
    let rows = summary["test"]["rows"].as_u64();
    assert!(rows.is_none_or(|rows| rows <= 359));
}
