//! A configuration to begin with: every choice that was made for a set of data, with why and what else could stand there.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use thalweg_data::{EMBEDDED, Encoding, Kind, Loaded};
use thalweg_nn::presets::presets;
use toml::Value;

use super::config::{Config, Objective};
use super::defaults::{preset_for, shapes_of};

/// The text of a file for `thalweg train --config FILE`; `beside` is the folder that it will be in, to which its paths
/// are relative where the data is in it.
#[must_use]
pub fn commented(config: &Config, loaded: &Loaded, beside: Option<&Path>) -> String {
    let mut text = Lines(String::new());
    data(&mut text, config, loaded, beside);
    network(&mut text, loaded);
    training(&mut text, config, loaded);
    text.0
}

/// Lines of TOML with remarks behind and between them.
struct Lines(String);

impl Lines {
    fn remark(&mut self, text: &str) {
        self.0 += &format!("# {text}\n");
    }

    fn table(&mut self, name: &str) {
        let gap = if self.0.is_empty() { "" } else { "\n" };
        self.0 += &format!("{gap}[{name}]\n");
    }

    /// A key with its value; a value that TOML cannot hold is left out.
    fn set(&mut self, key: &str, value: impl Serialize, remark: &str) {
        let Ok(value) = Value::try_from(value) else { return };
        // It is written to a string, which never fails.
        let _ = writeln!(self.0, "{:<44}  # {remark}", format!("{key} = {value}"));
    }
}

fn data(text: &mut Lines, config: &Config, loaded: &Loaded, beside: Option<&Path>) {
    let source = &config.data.source;
    let path = config.data.path.as_str();
    let near = beside.and_then(|folder| Path::new(path).strip_prefix(folder).ok());
    let path = near.map_or(path.to_string(), |near| near.display().to_string());
    text.table("data");
    text.set("path", path, "what is learned from; relative to this file");
    let Encoding::Table(table) = &loaded.encoding else {
        let embedded = EMBEDDED.iter().any(|set| set.name == config.data.path);
        if !embedded {
            let kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
            let kind = loaded.encoding.kind();
            text.set("kind", kind, &format!("how it is read; kinds are {}", kinds.join(", ")));
        }
        if let Some(target) = &source.target {
            text.set("target", target, "what the predictions are called");
        }
        return split(text, config, loaded);
    };
    text.set("target", &table.target.column, "the column to learn");
    let task =
        format!("{}; or classification, regression, multilabel, forecast", table.target.reason);
    text.set("task", table.target.task, &task);
    let dropped = loaded.columns.iter().filter(|column| column.kind == "dropped");
    let dropped: Vec<&str> = dropped.map(|column| column.name.as_str()).collect();
    text.set("drop", dropped, "columns to leave out, such as one that knows the answer");
    split(text, config, loaded);
    text.remark("group = \"COL\": rows with the same cell in that column stay in one part");
    text.remark(
        "time_col = \"COL\": the latest rows are for the test, those before for validation",
    );
    text.remark("valid_file = \"FILE\", test_file = \"FILE\": parts of their own");
    text.table("data.types");
    text.remark("what each column is: number, category, boolean, time, text, image, audio,");
    text.remark("identifier or constant (the last two are left out)");
    for column in loaded.columns.iter().filter(|column| column.kind != "dropped") {
        let mut remark = column.reason.clone();
        if column.missing > 0 {
            remark += &format!("; {} missing", column.missing);
        }
        if !column.content.is_empty() {
            remark += &format!("; {}", column.content);
        }
        let remark = remark.split_whitespace().collect::<Vec<_>>().join(" ");
        text.set(&Value::String(column.name.clone()).to_string(), &column.kind, &remark);
    }
}

fn split(text: &mut Lines, config: &Config, loaded: &Loaded) {
    if loaded.parts.is_none() || loaded.fractions.is_some() {
        text.set("split", config.data.split, "the shares of the rows that are held out");
    }
}

fn network(text: &mut Lines, loaded: &Loaded) {
    text.table("network");
    let preset = preset_for(&loaded.encoding, Objective::Targets);
    text.set("preset", preset, "the network for such data; these fit it:");
    let shapes = shapes_of(loaded, Objective::Targets);
    for preset in presets().into_iter().filter(|preset| (preset.nodes)(&shapes).is_ok()) {
        text.remark(&format!("  {:<12} {}", preset.name, preset.about));
    }
    text.remark(
        "hidden = [128, 64] and activation = \"relu\" make a perceptron of your own; layers =",
    );
    text.remark("[…] lists all layers, as config.toml of a run does");
}

fn training(text: &mut Lines, config: &Config, loaded: &Loaded) {
    let train = &config.train;
    let rows = match &loaded.parts {
        Some(parts) => parts.train.len(),
        None => loaded.train.rows(),
    };
    text.table("train");
    text.set("epochs", train.epochs, &format!("passes over the {rows} rows, at most"));
    text.set("batch_size", train.batch_size, "rows in a step, or \"full\"");
    text.set(
        "lr",
        train.lr,
        "the learning rate; too high and the loss jumps, too low and it creeps",
    );
    match train.patience {
        Some(patience) => {
            let remark = "epochs without a better validation loss before it stops; or \"off\"";
            text.set("patience", patience, remark);
        }
        None => text.set("patience", "off", "or epochs without a better validation loss to stop"),
    }
    text.set("loss", &train.loss, "what is made small");
    text.set("optimizer", &train.optimizer, "or sgd, adam, rmsprop, …");
    text.set("schedule", &train.schedule, "or constant, cosine, step, …");
    text.set("seed", train.seed, "the split, the first weights and the order follow from it");
    text.remark("max_time = \"10m\": stop after so long, saving included");
}
