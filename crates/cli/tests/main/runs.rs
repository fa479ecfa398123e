//! What works: a stranger's path, the files of a run, reproduction, interruption, runs side by side.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Done, Place, last};

const FILES: [&str; 9] = [
    "checkpoints",
    "config.toml",
    "metrics.jsonl",
    "model.json",
    "model.safetensors",
    "report.html",
    "report.json",
    "summary.json",
    "timings.jsonl",
];

#[test]
fn a_strangers_path() {
    let place = Place::new();
    let trained = place.ok(&["train", "--epochs", "3"]);
    let path = place.path("runs/digits-1").canonicalize().expect("the run is there");
    let lines: Vec<&str> = trained.out.lines().collect();
    for line in [lines.first(), lines.last()] {
        let printed = Path::new(line.expect("a line"));
        assert!(printed.is_absolute());
        assert_eq!(printed.canonicalize().expect("it is there"), path);
    }
    assert_eq!(place.list("runs/digits-1"), FILES);
    assert_eq!(trained.err.lines().filter(|line| line.starts_with("epoch ")).count(), 3);
    for next in ["thalweg evaluate runs/digits-1", "thalweg predict runs/digits-1", "--step"] {
        assert!(trained.out.contains(next), "{}", trained.out);
    }

    let evaluated = place.ok(&["evaluate", "runs/digits-1"]);
    assert!(evaluated.out.contains("accuracy") && evaluated.out.contains("truth \\ predicted"));

    let predicted = place.ok(&["predict", "runs/digits-1", "digits"]);
    let lines: Vec<&str> = predicted.out.lines().collect();
    assert_eq!((lines.len(), lines[0]), (1798, "label"));
    assert!(lines[1..].iter().all(|line| line.parse::<u8>().is_ok_and(|label| label < 10)));

    let inspected = place.ok(&["inspect", "runs/digits-1"]);
    for shown in ["Linear 64 → 128", "[N, 128]", "8,320", "8,192", "17,226", "peak memory"] {
        assert!(inspected.out.contains(shown), "{shown}: {}", inspected.out);
    }
    let step = place.ok(&["inspect", "runs/digits-1", "--step", "--rows", "4"]);
    for shown in ["y = x·Wᵀ + b", "y = max(0, x)", "1.weight", "slope", "update/weight"] {
        assert!(step.out.contains(shown), "{shown}: {}", step.out);
    }
    assert!(place.ok(&["datasets"]).out.contains("digits"));
}

#[test]
fn json_keeps_its_promised_shape() {
    let place = Place::new();
    let trained = place.ok(&["train", "--epochs", "2", "--json"]);
    let lines: Vec<Value> =
        trained.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[0]["run"].is_string());
    assert_eq!((&lines[1]["epoch"], &lines[2]["epoch"]), (&1.into(), &2.into()));
    assert_eq!(lines[3]["run"], lines[0]["run"]);
    assert_eq!(trained.err, "");

    let summary = place.json("runs/digits-1/summary.json");
    assert_eq!(summary["task"], "classification");
    let rows = ["train", "valid", "test"].map(|part| summary[part]["rows"].as_u64());
    assert_eq!(rows, [Some(1258), Some(180), Some(359)]);
    for part in ["train", "valid", "test"] {
        let accuracy = summary[part]["accuracy"].as_f64().expect("an accuracy");
        assert!((0.0..=1.0).contains(&accuracy) && summary[part]["loss"].is_f64());
    }
    let majority = summary["baselines"]["majority_class"]["accuracy"].as_f64();
    assert!(majority.is_some_and(|share| (0.09..0.12).contains(&share)));
    assert_eq!(summary["epochs"], 2);
    assert!(summary["train_seconds"].as_f64().is_some_and(|seconds| seconds > 0.0));
    assert_eq!(summary["parameters"], 17226);
    assert_eq!(summary["seed"], 0);
    assert_eq!(summary["version"], env!("CARGO_PKG_VERSION"));

    let evaluated = last(&place.ok(&["evaluate", "runs/digits-1", "--json"]).out);
    assert_eq!(evaluated["rows"], 359);
    for figure in ["accuracy", "loss", "f1_macro"] {
        assert_eq!(evaluated["metrics"][figure], summary["test"][figure], "{figure}");
    }
    // The run's own data by name: only the rows that it has not seen are judged.
    let named = last(&place.ok(&["evaluate", "runs/digits-1", "digits", "--json"]).out);
    assert_eq!(named, evaluated);

    let metrics = String::from_utf8(place.read("runs/digits-1/metrics.jsonl")).expect("UTF-8");
    assert_eq!(metrics.lines().count(), 2);
    assert!(!metrics.contains("second"));
    let inspected = last(&place.ok(&["inspect", "runs/digits-1", "--json"]).out);
    assert_eq!(inspected["multiply_adds"], 64 * 128 + 128 * 64 + 64 * 10);
    assert_eq!(inspected["layers"].as_array().map(Vec::len), Some(8));
}

#[test]
fn the_written_config_reproduces_the_run_bit_for_bit() {
    let place = Place::new();
    let settings = ["--set", "network.activation=elu", "--set", "train.clip_norm=1", "--seed", "7"];
    place.train(&[&settings[..], &["--out", "a", "--threads", "2"]].concat());
    let again = ["train", "--config", "a/config.toml", "--out", "b", "--threads", "1", "--quiet"];
    place.ok(&again);
    for file in ["model.safetensors", "model.json", "metrics.jsonl", "config.toml"] {
        assert_eq!(place.read(&format!("a/{file}")), place.read(&format!("b/{file}")), "{file}");
    }
    place.ok(&["train", "--config", "a/config.toml", "--out", "c", "--seed", "8", "--quiet"]);
    assert_ne!(place.read("a/model.safetensors"), place.read("c/model.safetensors"));
}

#[test]
fn a_run_that_time_cut_short_is_reproduced_too() {
    let place = Place::new();
    let cut = ["train", "--epochs", "100000", "--max-time", "1", "--out", "a", "--json", "--quiet"];
    let summary = last(&place.ok(&cut).out);
    assert_eq!(summary["stopped"], "max_time");
    place.ok(&["train", "--config", "a/config.toml", "--out", "b", "--quiet"]);
    assert_eq!(place.read("a/model.safetensors"), place.read("b/model.safetensors"));
}

#[test]
fn idx_folders_are_learned_judged_and_predicted() {
    let place = Place::new();
    place.idx("shapes", 6);
    let trained = place.ok(&["train", "shapes", "--epochs", "5", "--batch-size", "9", "--json"]);
    let summary = last(&trained.out);
    assert_eq!(summary["test"]["rows"], 12);
    assert_eq!((&summary["train"]["rows"], &summary["valid"]["rows"]), (&54.into(), &6.into()));
    let evaluated = last(&place.ok(&["evaluate", "runs/shapes-1", "--json"]).out);
    assert_eq!(evaluated["metrics"]["accuracy"], summary["test"]["accuracy"]);

    // Labels are not needed, and the file is written whole or not at all.
    let labels = place.path("shapes/t10k-labels-idx1-ubyte");
    fs::rename(&labels, place.path("labels")).expect("moved");
    let images = "shapes/t10k-images-idx3-ubyte";
    let printed = place.ok(&["predict", "runs/shapes-1", images, "--proba"]);
    let written = ["predict", "runs/shapes-1", images, "--proba", "--out", "p.csv"];
    assert_eq!(place.ok(&written).out, "");
    assert_eq!(place.read("p.csv"), printed.out.as_bytes());
    let lines: Vec<&str> = printed.out.lines().collect();
    assert_eq!(lines.len(), 13);
    assert_eq!(lines[0], "label,label=0,label=1,label=2");
    for line in &lines[1..] {
        let fields: Vec<f32> =
            line.split(',').map(|field| field.parse().expect("a number")).collect();
        assert!((fields[1..].iter().sum::<f32>() - 1.0).abs() < 1e-5, "{line}");
        let greatest = fields[1..].iter().copied().fold(f32::MIN, f32::max);
        assert_eq!(fields[1 + fields[0] as usize], greatest, "{line}");
    }
    fs::rename(place.path("labels"), &labels).expect("moved back");
    // The config's path holds from anywhere.
    fs::create_dir(place.path("elsewhere")).expect("a folder");
    let mut command = place.command(&["inspect", "../runs/shapes-1", "--json"]);
    let inspected: Done =
        command.current_dir(place.path("elsewhere")).output().expect("runs").into();
    assert!(last(&inspected.out)["planned_training_memory_bytes"].is_u64(), "{}", inspected.err);
}

#[test]
fn paths_in_a_config_are_relative_to_it() {
    let place = Place::new();
    place.idx("configs/shapes", 5);
    let config = "[data]\npath = 'shapes'\n[train]\nepochs = 1\nbatch_size = 'full'\n";
    fs::write(place.path("configs/run.toml"), config).expect("written");
    let summary = last(&place.ok(&["train", "--config", "configs/run.toml", "--json"]).out);
    assert_eq!(summary["test"]["rows"], 12);
}

#[test]
fn every_loss_optimizer_schedule_and_activation_can_be_configured() {
    let place = Place::new();
    for settings in [
        ["train.optimizer=sgd", "train.momentum=0.9", "train.schedule=cosine"],
        ["train.optimizer=rmsprop", "train.loss=focal", "train.schedule=constant"],
        ["train.optimizer=adam", "train.loss=mse", "network.activation=tanh"],
        ["train.label_smoothing=0.1", "train.weight_decay=0.1", "network.activation=sigmoid"],
        ["train.batch_size=full", "train.accumulate=1", "network.activation=leaky_relu"],
    ] {
        let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        place.train(&settings);
    }
    let layers = "network.layers=['flatten', {type='linear', out=16}, 'batch_norm1d', 'gelu', \
                  {type='linear', out=10}]";
    place.train(&["--set", layers, "--out", "custom"]);
    let step = place.ok(&["inspect", "custom", "--step", "--json"]);
    let worst = last(&step.out)["worst_difference"].as_f64();
    assert!(worst.is_some_and(|worst| worst < 0.05), "{worst:?}");
}

#[test]
fn the_microscope_agrees_with_itself() {
    let place = Place::new();
    place.train(&["--out", "run"]);
    let step = last(&place.ok(&["inspect", "run", "--step", "--json"]).out);
    assert_eq!(step["rows"], 8);
    let [narrow, wide] = ["loss", "loss_f64"].map(|key| step[key].as_f64().expect("a loss"));
    assert!((narrow - wide).abs() < 1e-4 * wide, "{narrow} {wide}");
    let layers = step["layers"].as_array().expect("layers");
    let parameters: Vec<&Value> =
        layers.iter().flat_map(|layer| layer["parameters"].as_array().expect("a list")).collect();
    assert_eq!(parameters.len(), 6);
    for parameter in parameters {
        let checks = parameter["checks"].as_array().expect("checks");
        assert_eq!(checks.len(), 3, "{parameter}");
        // The entry with the greatest gradient is above the noise of f32.
        let difference = checks[0]["difference"].as_f64().expect("a difference");
        assert!(difference < 1e-3, "{parameter}");
        assert!(parameter["update_ratio"].as_f64().is_some_and(|ratio| ratio > 0.0));
    }
}

#[test]
fn runs_side_by_side_get_folders_of_their_own() {
    let place = Place::new();
    let quick = ["train", "--epochs", "1", "--json", "--quiet", "--threads", "1"];
    let runs: Vec<_> = (0..4)
        .map(|_| {
            let mut command = place.command(&quick);
            command.stdout(std::process::Stdio::piped()).spawn().expect("starts")
        })
        .collect();
    for run in runs {
        assert!(run.wait_with_output().expect("ends").status.success());
    }
    assert_eq!(place.list("runs"), ["digits-1", "digits-2", "digits-3", "digits-4"]);
    let weights = |n| place.read(&format!("runs/digits-{n}/model.safetensors"));
    assert!((1..=4).all(|n| place.list(&format!("runs/digits-{n}")) == FILES));
    assert!((2..=4).all(|n| weights(n) == weights(1)));
}

#[test]
fn overwriting_replaces_a_run_only_when_told_and_only_when_done() {
    let place = Place::new();
    place.train(&["--out", "run", "--seed", "1"]);
    let first = place.read("run/model.safetensors");
    let refused = place.thalweg(&["train", "--epochs", "1", "--out", "run"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("already holds a run") && refused.err.contains("--overwrite"));
    let failing = ["train", "--lr", "1e30", "--out", "run", "--overwrite"];
    assert_eq!(place.thalweg(&failing).code, Some(1));
    assert_eq!(place.read("run/model.safetensors"), first);
    assert_eq!(place.list("run"), FILES);
    place.train(&["--out", "run", "--overwrite", "--seed", "2"]);
    assert_ne!(place.read("run/model.safetensors"), first);
    assert_eq!(place.list("run"), FILES);
}
