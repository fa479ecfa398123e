//! A trained network as files: `model.json` says what it is, `model.safetensors` holds its numbers. Together they are
//! all that a prediction needs.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thalweg_cpu::Cpu;
use thalweg_data::{Encoding, Features, Scaling, SourceOptions};
use thalweg_graph::{Executor, NoStates, Tensor, Value};
use thalweg_nn::optim::Sgd;
use thalweg_nn::{Activations, Dag, Loss, NodeSpec, StoreError, Updater};

use super::calibration::Calibration;
use super::config::Config;
use super::error::RunError;
use super::folder::{CONFIG, LAST, MODEL, WEIGHTS};
use super::task::Task;
use crate::{Sample, TrainError, Trainer};

/// The format of `model.json` that this version writes, and the greatest that it reads.
pub const FORMAT: u64 = 4;

/// What `model.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// [`FORMAT`]; in files of older formats some fields that have a default are missing.
    pub format: u64,
    /// The version that wrote it.
    pub thalweg: String,
    /// What the network is for.
    pub task: Task,
    /// The shape of a sample.
    pub input: Vec<usize>,
    /// How files became samples.
    #[serde(default)]
    pub encoding: Encoding,
    /// Where things are in other data of the same kind.
    #[serde(default)]
    pub source: SourceOptions,
    /// How raw values become inputs.
    pub scaling: Scaling,
    /// How target numbers become what the network says, where they are scaled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_scaling: Option<Scaling>,
    /// What the predictions are called.
    pub target: String,
    /// The classes in the order of the outputs; empty where numbers are predicted.
    pub classes: Vec<String>,
    /// What validation rows have taught about its answers.
    #[serde(default, skip_serializing_if = "Calibration::is_none")]
    pub calibration: Calibration,
    /// The loss it was trained with.
    pub loss: Loss,
    /// The layers, the one that gives the outputs included.
    pub layers: Vec<NodeSpec>,
}

/// A trained network, ready to run.
pub struct Model {
    /// What it is.
    pub file: ModelFile,
    /// The network with its values.
    pub trainer: Trainer<Dag>,
}

impl Model {
    /// Loads the network of a run folder.
    ///
    /// # Errors
    /// [`RunError::NotARun`], [`RunError::Damaged`], [`RunError::Newer`], [`RunError::Io`].
    pub fn load(run: &Path, cpu: Cpu) -> Result<Model, RunError> {
        let path = run.join(MODEL);
        let file = ModelFile::load(run)?;
        let mut trainer = file.trainer(Updater::new(Sgd::default())).on(cpu);
        let damaged = |path: PathBuf| {
            move |error: TrainError| RunError::Damaged { path, problem: error.message() }
        };
        trainer.bind(file.sample(), 0).map_err(damaged(path))?;
        let path = run.join(WEIGHTS);
        let weights = read(run, WEIGHTS)?;
        let loaded = trainer.store_mut().load_safetensors(&weights, true);
        loaded.map_err(|error: StoreError| damaged(path)(error.into()))?;
        Ok(Model { file, trainer })
    }

    /// A trainer of the same network with the optimizer of `config` and weights of its own.
    #[must_use]
    pub fn for_training(&self, config: &Config) -> Trainer<Dag> {
        self.file.trainer(config.train.updater()).on(self.trainer.cpu().clone())
    }

    /// What the network says of some rows: for a classification the probability of each class (the softmax of what it
    /// puts out, over the temperature), for labels that of each label (the sigmoid, likewise), for a sequence that of each
    /// class at each place, else numbers in the units of the targets.
    ///
    /// # Errors
    /// [`RunError::Fit`] where the samples are of another shape; [`RunError::Train`].
    pub fn predict(
        &mut self,
        features: &Features,
        source: &str,
        rows: &[usize],
    ) -> Result<Value, RunError> {
        self.check(features, source)?;
        let mut outputs = self.trainer.predict(features, rows, &self.file.scaling)?;
        if self.file.task == Task::Multilabel {
            // As they are judged: thresholds part the same rows.
            if let Some(logits) = outputs.as_mut_slice::<f32>() {
                let p = self.file.calibration.shares(logits);
                logits.iter_mut().zip(p).for_each(|(z, p)| *z = p as f32);
            }
            return Ok(outputs);
        }
        let width = outputs.shape().last().copied().unwrap_or(0);
        let outputs = Tensor::constant(outputs);
        let shares = match self.file.task {
            // One logit for two classes: that of the second.
            Task::Classification if width == 1 => {
                let outputs = Tensor::concat(&[outputs.zeros_like(), outputs], 1);
                (outputs / f64::from(self.file.calibration.temperature)).softmax(-1)
            }
            Task::Classification => {
                (outputs / f64::from(self.file.calibration.temperature)).softmax(-1)
            }
            task if task.has_classes() => outputs.softmax(-1),
            _ => outputs,
        };
        Ok(self.trainer.cpu().run(&[shares], &[], &[], &mut NoStates)?.swap_remove(0))
    }

    /// Whether samples are of the shape that the network takes. `source` is what messages call them.
    ///
    /// # Errors
    /// [`RunError::Fit`].
    pub fn check(&self, features: &Features, source: &str) -> Result<(), RunError> {
        let (theirs, ours) = (Sample::from(features), self.file.sample());
        if theirs == ours {
            return Ok(());
        }
        Err(RunError::Fit {
            what: format!("the samples are {theirs}, the network takes {ours}, in {source}"),
            hint: "give it data of the kind that it was trained on".into(),
        })
    }
}

impl ModelFile {
    /// Reads what the network of a run folder is, without its weights.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn load(run: &Path) -> Result<ModelFile, RunError> {
        ModelFile::parse(&read(run, MODEL)?, &run.join(MODEL))
    }

    fn parse(bytes: &[u8], path: &Path) -> Result<ModelFile, RunError> {
        let damaged = |problem: String| RunError::Damaged { path: path.into(), problem };
        let json: serde_json::Value =
            serde_json::from_slice(bytes).map_err(|error| damaged(format!("no JSON: {error}")))?;
        // The format first: a newer file may well hold what this version cannot read.
        let format = json.get("format").and_then(serde_json::Value::as_u64);
        let format = format.ok_or_else(|| damaged("it has no number called format".into()))?;
        if format > FORMAT {
            return Err(RunError::Newer { path: path.into(), found: format, known: FORMAT });
        }
        let file: ModelFile =
            serde_json::from_value(json).map_err(|error| damaged(error.to_string()))?;
        match file.classes.is_empty() == file.task.has_classes() {
            true => Err(damaged(format!("{} classes for {:?}", file.classes.len(), file.task))),
            false => Ok(file),
        }
    }

    /// What one sample is.
    #[must_use]
    pub fn sample(&self) -> Sample {
        match self.encoding.ids().is_empty() {
            true => Sample::from(&self.input[..]),
            false => Sample::ids(&self.input),
        }
    }

    /// How many numbers a row of predictions has, where numbers are predicted.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match (self.task, &self.encoding, &self.target_scaling) {
            (Task::Reconstruction, ..) => self.input.iter().product(),
            (_, Encoding::Series(series), _) => series.horizon,
            (_, _, Some(scaling)) => scaling.mean.len(),
            _ => 1,
        }
    }

    /// A trainer of this network, with weights of its own.
    #[must_use]
    pub fn trainer(&self, updater: Updater) -> Trainer<Dag> {
        let trainer = Trainer::new(Dag::new(self.layers.clone()), self.loss.clone(), updater);
        match (self.task, &self.target_scaling) {
            (Task::Reconstruction, _) => trainer.reconstructing(),
            (_, Some(scaling)) => trainer.scaling_targets(scaling.clone()),
            (_, None) => trainer,
        }
    }
}

/// The configuration of a finished run.
///
/// # Errors
/// [`RunError::NotARun`], [`RunError::Damaged`], [`RunError::Io`].
pub fn read_config(run: &Path) -> Result<Config, RunError> {
    let path = run.join(CONFIG);
    let damaged = |problem: String| RunError::Damaged { path: path.clone(), problem };
    let text = String::from_utf8(read(run, CONFIG)?).map_err(|error| damaged(error.to_string()))?;
    toml::from_str(&text).map_err(|error| damaged(error.message().to_string()))
}

/// A file of a run, or what is wrong with the folder.
///
/// # Errors
/// [`RunError::NotARun`], [`RunError::Io`].
pub fn read(run: &Path, name: &str) -> Result<Vec<u8>, RunError> {
    let not_a_run = |problem: String, hint: &str| RunError::NotARun {
        path: run.into(),
        problem,
        hint: hint.into(),
    };
    let path = run.join(name);
    std::fs::read(&path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory if !run.exists() => {
            not_a_run(
                "there is no such folder".into(),
                "give the folder that `thalweg train` printed, such as runs/digits-1",
            )
        }
        _ if !run.is_dir() => {
            not_a_run("it is a file".into(), "give the run's folder, not a file in it")
        }
        std::io::ErrorKind::NotFound => not_a_run(
            format!("it has no {name}"),
            match run.join(LAST).exists() {
                true => "its training was stopped; go on with it: `thalweg resume RUN`",
                false => "give the folder that `thalweg train` printed",
            },
        ),
        _ => RunError::Io { doing: "read", path, source, hint: "check the permissions" },
    })
}
