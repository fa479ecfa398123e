//! What the user said, in layers: a config file, `--set` over it, flags over that, and the data's defaults under all
//! of them. Layers are TOML tables, merged as tables; only the result becomes a [`Config`], so a field exists in one
//! place and every mistake can be traced to the layer that made it.

use std::path::{Path, PathBuf};

use thalweg_data::tabular::Deal;
use thalweg_data::{DataError, EMBEDDED, Fractions, Loaded, SourceOptions, open_dealt, suggest};
use thalweg_nn::presets::Shapes;
use thalweg_nn::{Answer, LayerSpec, Loss, NodeSpec};
use toml::{Table, Value};

use super::config::{Config, DataConfig, Objective};
use super::defaults::{AUTOENCODERS, shapes_of};
use super::error::RunError;

/// Values that may be given by their name alone: `optimizer = "adam"` for `optimizer = { type = "adam" }`.
const NAMED: [(&str, &str); 4] =
    [("network", "activation"), ("train", "loss"), ("train", "optimizer"), ("train", "schedule")];

/// Short forms in `[train]`: the key and the table that it belongs to.
pub(super) const SHORT: [(&str, &str); 4] = [
    ("momentum", "optimizer"),
    ("nesterov", "optimizer"),
    ("weight_decay", "optimizer"),
    ("label_smoothing", "loss"),
];

/// The paths in `[data]`.
const PATHS: [&str; 3] = ["path", "valid_file", "test_file"];

/// A configuration in the making.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    pub(super) layers: Vec<Layer>,
}

/// What one source said.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    /// What messages call it: a file, `--epochs`.
    pub(super) origin: String,
    pub(super) table: Table,
}

impl Draft {
    /// Nothing said.
    #[must_use]
    pub fn new() -> Draft {
        Draft::default()
    }

    /// Adds a config file. The paths in it are relative to it.
    ///
    /// # Errors
    /// [`RunError::Config`] where it cannot be read or is no TOML.
    pub fn file(&mut self, path: &Path) -> Result<(), RunError> {
        let text = std::fs::read_to_string(path).map_err(|error| RunError::Config {
            what: format!("cannot read the file: {error}"),
            place: path.display().to_string(),
            hint: "check the path; a run's own config is RUN/config.toml".into(),
        })?;
        let mut table: Table = text.parse().map_err(|error: toml::de::Error| {
            let at = error.span().map_or(0, |span| span.start);
            let line =
                text.as_bytes()[..at.min(text.len())].iter().filter(|&&b| b == b'\n').count();
            RunError::Config {
                what: error.message().to_string(),
                place: format!("{}, line {}", path.display(), line + 1),
                hint:
                    "the file must be TOML: `key = value` lines under [data], [network] and [train]"
                        .into(),
            }
        })?;
        for key in PATHS {
            if let Some(Value::String(data)) = get_mut(&mut table, "data", key) {
                *data = beside(path, data);
            }
        }
        self.push(path.display().to_string(), table);
        Ok(())
    }

    /// Adds `a.b=value`. The value is TOML, or else a string.
    ///
    /// # Errors
    /// [`RunError::Config`] where it has another form.
    pub fn set(&mut self, assignment: &str) -> Result<(), RunError> {
        let origin = format!("--set {assignment}");
        let Some((key, value)) =
            assignment.split_once('=').filter(|(key, _)| !key.trim().is_empty())
        else {
            return Err(RunError::Config {
                what: "a setting has the form KEY=VALUE".into(),
                place: origin,
                hint: "for example --set train.lr=0.01".into(),
            });
        };
        let parsed = format!("v = {value}").parse::<Table>().ok();
        let value = parsed.and_then(|mut table| table.remove("v"));
        let value = value.unwrap_or_else(|| {
            Value::String(assignment.split_once('=').map_or("", |(_, value)| value.trim()).into())
        });
        self.put(origin, key.trim(), value);
        Ok(())
    }

    /// Adds one value under a dotted key; `origin` is what messages call it.
    pub fn put(&mut self, origin: impl Into<String>, key: &str, value: impl Into<Value>) {
        let mut value = value.into();
        for part in key.rsplit('.') {
            value = Value::Table(Table::from_iter([(part.to_string(), value)]));
        }
        if let Value::Table(table) = value {
            self.push(origin.into(), table);
        }
    }

    fn push(&mut self, origin: String, mut table: Table) {
        expand_names(&mut table);
        self.layers.push(Layer { origin, table });
    }

    /// Where the data is, where that was said.
    #[must_use]
    pub fn data_path(&self) -> Option<String> {
        let said =
            |layer: &Layer| Some(layer.table.get("data")?.get("path")?.as_str()?.to_string());
        self.layers.iter().rev().find_map(said)
    }

    /// A data path that means the same from everywhere; the name of an embedded set stays.
    #[must_use]
    pub fn absolute(source: &str) -> String {
        if EMBEDDED.iter().any(|set| set.name == source) {
            return source.to_string();
        }
        let path = PathBuf::from(source);
        let full = path.canonicalize().or_else(|_| std::path::absolute(&path)).unwrap_or(path);
        full.display().to_string()
    }

    /// The full configuration for `loaded`, which was opened from `source`.
    ///
    /// # Errors
    /// [`RunError::Config`].
    pub fn resolve(&self, source: &str, loaded: &Loaded) -> Result<Config, RunError> {
        let (preset, goal) = (self.preset()?, self.goal()?);
        let defaults = Config::defaults(loaded, goal, preset);
        let mut config = self.merged(defaults, Some(&shapes_of(loaded, goal)))?;
        config.data.path = Draft::absolute(source);
        for file in [&mut config.data.source.valid_file, &mut config.data.source.test_file] {
            *file = file.as_deref().map(Draft::absolute);
        }
        // Members whose probabilities are averaged answer in logs of probabilities.
        let together =
            |node: &NodeSpec| matches!(node.layer, LayerSpec::MemberMean { of: Answer::Classes });
        if config.network.layers.iter().flatten().any(together)
            && !matches!(config.train.loss, Loss::CrossEntropy(_) | Loss::Focal(_))
        {
            let what = "the members of the network answer with probabilities of classes, which this \
                        loss cannot judge";
            let hint = "use cross_entropy or focal, or a network without members, such as \
                        --preset mlp";
            return Err(self.problem("train.loss", what.into(), hint.into()));
        }
        let Fractions { valid, test } = config.data.split;
        // Patience is a default only where there is something to watch.
        let watched = loaded.parts.as_ref().map_or(valid > 0.0, |parts| !parts.valid.is_empty());
        if !watched && self.saying("train.patience").is_none() {
            config.train.patience = None;
        }
        if loaded.test.is_some() && test > 0.0 {
            let what = "the set brings its own test part, and data.split.test asks for another";
            return Err(self.problem("data.split", what.into(), "set data.split.test = 0".into()));
        }
        let dealt = loaded.fractions.is_some();
        if loaded.parts.is_some() && !dealt && (valid > 0.0 || test > 0.0) {
            let what =
                "data of this kind is split in order of time, which data.split cannot change";
            return Err(self.problem("data.split", what.into(), "leave data.split out".into()));
        }
        Ok(config)
    }

    /// Whether the last word about the learning rate is that it is to be found.
    pub(super) fn finds_lr(&self) -> bool {
        let said = |layer: &&Layer| layer.table.get("train").is_some_and(|t| t.get("lr").is_some());
        self.layers.iter().rev().find(said).is_some_and(|layer| finds(&layer.table))
    }

    /// What the network is to say: what was said, or else what the preset is for.
    fn goal(&self) -> Result<Objective, RunError> {
        let said = |layer: &Layer| layer.table.get("train")?.get("goal").cloned();
        if let Some(goal) = self.layers.iter().rev().find_map(said) {
            // Another word is found when the whole is read.
            return Ok(goal.try_into().unwrap_or_default());
        }
        Ok(match self.preset()? {
            Some(preset) if AUTOENCODERS.contains(&preset.name) => Objective::Reconstruct,
            _ => Objective::Targets,
        })
    }

    /// Finds what is wrong with what was said as far as that can be known without the data, and gives what was said
    /// about the source and about the split.
    ///
    /// # Errors
    /// [`RunError::Config`].
    pub fn check(&self) -> Result<(SourceOptions, Deal), RunError> {
        let digits = thalweg_data::open("digits")
            .map_err(|error| RunError::Fit { what: error.message(), hint: error.hint() })?;
        let mut config = Config::defaults(&digits, Objective::Targets, None);
        config.data.source = SourceOptions::default();
        let config = self.merged(config, None)?;
        let Fractions { valid, test } = config.data.split;
        let said = |key, share| self.saying(key).map(|_| share);
        let deal = Deal {
            valid: said("data.split.valid", valid),
            test: said("data.split.test", test),
            seed: config.train.seed,
        };
        Ok((config.data.source, deal))
    }

    /// Opens the source with what was said about it.
    ///
    /// # Errors
    /// [`RunError::Config`] for options that do not fit it; [`RunError::Data`].
    pub fn open(&self, source: &str) -> Result<Loaded, RunError> {
        let (options, deal) = self.check()?;
        open_dealt(source, &options, &deal).map_err(|error| match &error {
            DataError::Option { name, .. } => {
                let (what, hint) = (error.message(), error.hint());
                self.problem(&format!("data.{name}"), what, hint)
            }
            _ => error.into(),
        })
    }

    fn merged(&self, defaults: Config, task: Option<&Shapes<'_>>) -> Result<Config, RunError> {
        let own = |what: String| RunError::Config {
            what,
            place: "the defaults".into(),
            hint: "this is an error in thalweg; please report it".into(),
        };
        let mut table = Table::try_from(&defaults).map_err(|error| own(error.to_string()))?;
        for layer in &self.layers {
            self.choose_network(&mut table, layer, task)?;
            let mut said = layer.table.clone();
            if finds(&said)
                && let Some(train) = said.get_mut("train").and_then(Value::as_table_mut)
            {
                train.remove("lr");
            }
            merge(&mut table, &said);
        }
        if let Some(network) = table.get_mut("network").and_then(Value::as_table_mut) {
            network.remove("preset");
        }
        self.spread_short_forms(&mut table)?;
        self.check_data_keys(&table)?;
        let config: Config =
            table.try_into().map_err(|error: toml::de::Error| self.explain(&error))?;
        match config.train.problem() {
            Some((key, what, hint)) => {
                let key = format!("train.{key}");
                Err(self.problem(&key, format!("{key}: {what}"), hint))
            }
            None => Ok(config),
        }
    }

    fn check_data_keys(&self, table: &Table) -> Result<(), RunError> {
        let keys = DataConfig::keys();
        let said = table.get("data").and_then(Value::as_table);
        match said.and_then(|data| data.keys().find(|key| !keys.contains(&key.as_str()))) {
            None => Ok(()),
            Some(key) => {
                let near = suggest::nearest(key, keys.iter().copied());
                let near = near.map_or(String::new(), |near| format!("did you mean '{near}'? "));
                let hint = format!("{near}known are {}", keys.join(", "));
                let key = format!("data.{key}");
                Err(self.problem(&key, format!("unknown key '{key}'"), hint))
            }
        }
    }

    /// Moves `train.momentum` and its like into the tables that they belong to.
    fn spread_short_forms(&self, table: &mut Table) -> Result<(), RunError> {
        let Some(train) = table.get_mut("train").and_then(Value::as_table_mut) else {
            return Ok(());
        };
        for (key, owner) in SHORT {
            let Some(value) = train.remove(key) else { continue };
            let Some(owner) = train.get_mut(owner).and_then(Value::as_table_mut) else { continue };
            owner.insert(key.into(), value);
        }
        Ok(())
    }
}

/// Whether a layer of settings says `lr = "find"`.
fn finds(table: &Table) -> bool {
    let lr = table.get("train").and_then(|train| train.get("lr"));
    lr.and_then(Value::as_str) == Some("find")
}

/// `relu` becomes `{ type = "relu" }` where a table is meant.
fn expand_names(table: &mut Table) {
    let named = |value: &mut Value| {
        if let Value::String(name) = value {
            let kind = Value::String(std::mem::take(name));
            *value = Value::Table(Table::from_iter([("type".to_string(), kind)]));
        }
    };
    for (outer, key) in NAMED {
        if let Some(value) = get_mut(table, outer, key) {
            named(value);
        }
    }
    if let Some(Value::Array(layers)) = get_mut(table, "network", "layers") {
        layers.iter_mut().for_each(named);
    }
}

/// Lays `over` on `base`: tables are merged key by key, but one of another `type` replaces the old one.
fn merge(base: &mut Table, over: &Table) {
    for (key, value) in over {
        match (base.get_mut(key), value) {
            (Some(Value::Table(old)), Value::Table(new)) if keeps_type(old, new) => merge(old, new),
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

fn keeps_type(old: &Table, new: &Table) -> bool {
    new.get("type").is_none_or(|kind| old.get("type") == Some(kind))
}

fn get_mut<'a>(table: &'a mut Table, outer: &str, key: &str) -> Option<&'a mut Value> {
    table.get_mut(outer)?.as_table_mut()?.get_mut(key)
}

/// A data path of the config file `file`, as seen from the working directory.
fn beside(file: &Path, data: &str) -> String {
    let embedded = EMBEDDED.iter().any(|set| set.name == data);
    match file.parent() {
        Some(folder) if !embedded => folder.join(data).display().to_string(),
        _ => data.to_string(),
    }
}

#[cfg(test)]
mod tests;
