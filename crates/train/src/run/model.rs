//! A trained network as files: `model.json` says what it is, `model.safetensors` holds its numbers. Together they are
//! all that a prediction needs.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thalweg_cpu::Cpu;
use thalweg_data::{Features, Scaling};
use thalweg_graph::{Executor, NoStates, Tensor};
use thalweg_nn::optim::Sgd;
use thalweg_nn::{Activations, Dag, Loss, NodeSpec, StoreError, Updater};

use super::VERSION;
use super::config::Config;
use super::error::RunError;
use super::folder::{CONFIG, MODEL, WEIGHTS};
use crate::{TrainError, Trainer};

/// The format of `model.json` that this version writes, and the greatest that it reads.
pub const FORMAT: u64 = 1;

/// What a network is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// To choose a class.
    Classification,
    /// To estimate numbers.
    Regression,
}

/// What `model.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// [`FORMAT`].
    pub format: u64,
    /// The version that wrote it.
    pub thalweg: String,
    /// What the network is for.
    pub task: Task,
    /// The shape of a sample.
    pub input: Vec<usize>,
    /// How raw values become inputs.
    pub scaling: Scaling,
    /// What the predictions are called.
    pub target: String,
    /// The classes in the order of the outputs; empty for regression.
    pub classes: Vec<String>,
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
        let file = ModelFile::parse(&read(run, MODEL)?, &path)?;
        let network = Dag::new(file.layers.clone());
        let updater = Updater::new(Sgd::default());
        let mut trainer = Trainer::new(network, file.loss.clone(), updater).on(cpu);
        let damaged = |path: PathBuf| {
            move |error: TrainError| RunError::Damaged { path, problem: error.message() }
        };
        trainer.bind(&file.input, 0).map_err(damaged(path))?;
        let path = run.join(WEIGHTS);
        let weights = read(run, WEIGHTS)?;
        let loaded = trainer.store_mut().load_safetensors(&weights, true);
        loaded.map_err(|error: StoreError| damaged(path)(error.into()))?;
        Ok(Model { file, trainer })
    }

    /// A trainer of the same network with the optimizer of `config` and weights of its own.
    #[must_use]
    pub fn for_training(&self, config: &Config) -> Trainer<Dag> {
        let network = Dag::new(self.file.layers.clone());
        let loss = config.train.loss.clone();
        Trainer::new(network, loss, config.train.updater()).on(self.trainer.cpu().clone())
    }

    /// The probability of each class for some rows: the softmax of what the network puts out, `[rows, classes]`. For
    /// regression, what it puts out.
    ///
    /// # Errors
    /// [`RunError::Fit`] where the samples are of another shape; [`RunError::Train`].
    pub fn predict(
        &mut self,
        features: &Features,
        source: &str,
        rows: &[usize],
    ) -> Result<Vec<f32>, RunError> {
        self.check(features, source)?;
        let outputs = self.trainer.predict(features, rows, &self.file.scaling)?;
        let outputs = match self.file.task {
            Task::Regression => outputs,
            Task::Classification => {
                let shares = Tensor::constant(outputs).softmax(-1);
                self.trainer.cpu().run(&[shares], &[], &[], &mut NoStates)?.swap_remove(0)
            }
        };
        Ok(outputs.as_slice().unwrap_or_default().to_vec())
    }

    /// Whether samples are of the shape that the network takes. `source` is what messages call them.
    ///
    /// # Errors
    /// [`RunError::Fit`].
    pub fn check(&self, features: &Features, source: &str) -> Result<(), RunError> {
        if features.shape() == self.file.input {
            return Ok(());
        }
        let [theirs, ours] = [features.shape(), &self.file.input].map(shape);
        Err(RunError::Fit {
            what: format!("the samples are {theirs}, the network takes {ours}, in {source}"),
            hint: "give it data of the kind that it was trained on".into(),
        })
    }
}

impl ModelFile {
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
        match file.classes.is_empty() == (file.task == Task::Classification) {
            true => Err(damaged(format!("{} classes for {:?}", file.classes.len(), file.task))),
            false => Ok(file),
        }
    }

    /// What a new run will save.
    #[must_use]
    pub fn new(
        task: Task,
        input: &[usize],
        scaling: Scaling,
        classes: &[String],
        layers: Vec<NodeSpec>,
        config: &Config,
    ) -> ModelFile {
        ModelFile {
            format: FORMAT,
            thalweg: VERSION.into(),
            task,
            input: input.to_vec(),
            scaling,
            target: config.data.target.clone(),
            classes: classes.to_vec(),
            loss: config.train.loss.clone(),
            layers,
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
fn read(run: &Path, name: &str) -> Result<Vec<u8>, RunError> {
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
            "give the folder that `thalweg train` printed; a run that was killed has none",
        ),
        _ => RunError::Io { doing: "read", path, source, hint: "check the permissions" },
    })
}

fn shape(dims: &[usize]) -> String {
    dims.iter().map(ToString::to_string).collect::<Vec<_>>().join(" × ")
}
