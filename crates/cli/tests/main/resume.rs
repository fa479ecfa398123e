//! Runs that were stopped, in whatever way, go on; finished ones are extended.

use std::fs;

use serde_json::Value;

use crate::support::{Place, last};

/// What two equal runs share.
const SAME: [&str; 4] = ["model.safetensors", "model.json", "metrics.jsonl", "config.toml"];

/// A training long enough to be stopped on its way.
const TRAIN: [&str; 6] = ["train", "--epochs", "40", "--batch-size", "8", "--out"];

fn equal(place: &Place, a: &str, b: &str) {
    for file in SAME {
        let [a, b] = [a, b].map(|run| place.read(&format!("{run}/{file}")));
        assert!(a == b, "{file} differs");
    }
}

#[cfg(unix)]
mod stopped {
    use std::io::{BufRead, BufReader, Lines};
    use std::process::{Child, ChildStdout, Command, Stdio};

    use super::*;

    /// Starts a training into `run` and waits until two epochs are done.
    fn started(place: &Place) -> (Child, Lines<BufReader<ChildStdout>>) {
        let mut command = place.command(&[&TRAIN[..], &["run", "--json"]].concat());
        let mut child = command.stdout(Stdio::piped()).spawn().expect("starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        // The folder, then the epochs.
        for _ in 0..3 {
            lines.next().expect("a line").expect("UTF-8");
        }
        (child, lines)
    }

    fn signal(child: &Child, name: &str) {
        let kill = Command::new("kill").args([name, &child.id().to_string()]).status();
        assert!(kill.expect("kill runs").success());
    }

    #[test]
    fn an_interruption_saves_what_can_be_used_and_resumed() {
        let place = Place::new();
        place.ok(&[&TRAIN[..], &["whole", "--quiet"]].concat());
        let (mut child, lines) = started(&place);
        signal(&child, "-INT");
        let rest: Vec<String> = lines.map(|line| line.expect("a line")).collect();
        assert_eq!(child.wait().expect("ends").code(), Some(130));
        let ended: Value = serde_json::from_str(rest.last().expect("a line")).expect("JSON");
        assert_eq!((&ended["stopped"], &ended["test"]), (&"interrupted".into(), &Value::Null));
        assert!(!place.list("run").contains(&"summary.json".to_string()));
        place.ok(&["evaluate", "run"]);
        place.ok(&["predict", "run", "digits"]);

        let refused = place.thalweg(&["train", "--out", "run"]);
        assert_eq!(refused.code, Some(2));
        assert!(refused.err.contains("thalweg resume"), "{}", refused.err);
        let resumed = last(&place.ok(&["resume", "run", "--json", "--threads", "1"]).out);
        assert_eq!((&resumed["stopped"], &resumed["epochs"]), (&"epochs".into(), &40.into()));
        equal(&place, "run", "whole");
        assert_eq!(place.list("run"), place.list("whole"));
        assert_eq!(place.list("run/checkpoints"), ["data.json", "last.safetensors"]);
    }

    #[test]
    fn a_run_that_was_killed_goes_on_from_its_last_checkpoint() {
        let place = Place::new();
        place.ok(&[&TRAIN[..], &["whole", "--quiet"]].concat());
        let (mut child, _lines) = started(&place);
        let busy = place.thalweg(&["resume", "run"]);
        assert!(busy.code == Some(1) && busy.err.contains("another training"), "{}", busy.err);
        signal(&child, "-KILL");
        child.wait().expect("ends");
        assert!(place.path("run/config.toml").exists() && place.path("run/model.json").exists());
        let unusable = place.thalweg(&["evaluate", "run"]);
        assert!(unusable.err.contains("thalweg resume"), "{}", unusable.err);
        place.ok(&["resume", "run", "--quiet"]);
        equal(&place, "run", "whole");
    }
}

#[test]
fn a_run_that_was_stopped_before_its_first_checkpoint_begins_anew() {
    let place = Place::new();
    place.train(&["--out", "run"]);
    place.train(&["--out", "whole"]);
    for name in ["summary.json", "model.safetensors", "checkpoints/last.safetensors"] {
        fs::remove_file(place.path("run").join(name)).expect("removed");
    }
    place.ok(&["resume", "run", "--quiet"]);
    equal(&place, "run", "whole");
}

#[test]
fn a_finished_run_is_extended_and_says_how_to_repeat_it() {
    let place = Place::new();
    place.ok(&["train", "--epochs", "3", "--out", "run", "--quiet"]);
    let nothing = place.thalweg(&["resume", "run"]);
    assert_eq!(nothing.code, Some(2));
    assert!(nothing.err.contains("--epochs +5"), "{}", nothing.err);
    for wrong in ["+0", "3", "2", "many", "-1", "+"] {
        let done = place.thalweg(&["resume", "run", "--epochs", wrong]);
        assert_eq!(done.code, Some(2), "{wrong}: {}", done.err);
    }
    let before = place.read("run/metrics.jsonl");
    let resumed = place.ok(&["resume", "run", "--epochs", "+2"]);
    assert!(resumed.err.contains("up to epoch 5 at rate"), "{}", resumed.err);
    let summary = place.json("run/summary.json");
    assert_eq!((&summary["epochs"], &summary["stopped"]), (&5.into(), &"epochs".into()));
    assert!(place.read("run/metrics.jsonl").starts_with(&before));
    place.ok(&["train", "--config", "run/config.toml", "--out", "again", "--quiet"]);
    equal(&place, "run", "again");
    // And once more, by the number of all epochs.
    place.ok(&["resume", "run", "--epochs", "7", "--quiet"]);
    place.ok(&["train", "--config", "run/config.toml", "--out", "third", "--quiet"]);
    equal(&place, "run", "third");
}

#[test]
fn a_run_that_time_cut_short_goes_on_as_planned() {
    let place = Place::new();
    place.idx("shapes", 6);
    let plan = ["train", "shapes", "--epochs", "30000", "--batch-size", "9", "--out"];
    let cut = [&plan[..], &["run", "--max-time", "1", "--json", "--quiet"]].concat();
    let summary = last(&place.ok(&cut).out);
    assert_eq!(summary["stopped"], "max_time");
    let again = last(&place.ok(&["resume", "run", "--max-time", "1", "--json", "--quiet"]).out);
    assert_eq!(again["stopped"], "max_time");
    assert!(again["epochs"].as_u64() > summary["epochs"].as_u64());
    place.ok(&["train", "--config", "run/config.toml", "--out", "again", "--quiet"]);
    assert!(place.read("run/model.safetensors") == place.read("again/model.safetensors"));
    // It goes on beyond the time, at the rates that were planned: to a shorter end for the test's sake.
    place.ok(&["resume", "run", "--epochs", "+1", "--quiet"]);
    assert_eq!(place.json("run/summary.json")["stopped"], "epochs");
}

#[test]
fn data_that_has_changed_is_noticed() {
    let place = Place::new();
    place.idx("shapes", 6);
    place.ok(&["train", "shapes", "--epochs", "2", "--out", "run", "--quiet"]);
    let images = "shapes/train-images-idx3-ubyte";
    let mut bytes = place.read(images);
    let end = bytes.len() - 1;
    bytes[end] ^= 1;
    fs::write(place.path(images), bytes).expect("written");
    let done = place.thalweg(&["resume", "run", "--epochs", "+1"]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("the data has changed since the run began"), "{}", done.err);
}

#[test]
fn damaged_checkpoints_are_named() {
    let place = Place::new();
    place.train(&["--out", "run"]);
    let checkpoint = place.read("run/checkpoints/last.safetensors");
    fs::write(place.path("run/checkpoints/last.safetensors"), &checkpoint[..99]).expect("written");
    let done = place.thalweg(&["resume", "run", "--epochs", "+1"]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("last.safetensors is damaged"), "{}", done.err);
    assert_eq!(place.thalweg(&["resume", "nowhere"]).code, Some(2));
    assert!(!place.path("nowhere").exists());
}
