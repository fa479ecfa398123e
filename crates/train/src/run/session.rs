//! A training from a draft to a finished run folder.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};
use thalweg_cpu::Cpu;
use thalweg_data::checks::Check;
use thalweg_data::{DataError, Scaling, SourceOptions, Targets};
use thalweg_nn::{Dag, EntryKind, Schedule};

use super::VERSION;
use super::baselines::baselines;
use super::blame::{configured, unbuilt};
use super::config::{Config, isa_named};
use super::data::{PartName, RunData, refuse_failed};
use super::defaults::shapes;
use super::draft::Draft;
use super::error::RunError;
use super::folder::{CONFIG, METRICS, MODEL, RunFolder, SUMMARY, TIMINGS, WEIGHTS};
use super::memory::too_large;
use super::model::{FORMAT, ModelFile};
use super::task::Task;
use crate::{
    BatchReport, Control, EpochReport, History, Metrics, Observer, Stopped, TrainError, Trainer,
};

/// Rows of a batch where nothing is learned.
pub const EVALUATION_BATCH: usize = 256;

/// A training that is ready to begin: the data is read, the network built, its steps compiled.
pub struct Session {
    /// Every choice.
    pub config: Config,
    /// What is learned from.
    pub data: RunData,
    /// What was looked for in the data, and found.
    pub checks: Vec<Check>,
    /// Fitted on the training rows.
    pub scaling: Scaling,
    /// What will be saved beside the weights.
    pub model: ModelFile,
    /// Bytes that training needs for the network and its steps, as planned.
    pub planned_memory: usize,
    trainer: Trainer<Dag>,
}

/// What `summary.json` holds. The shape is a promise.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// What the network is for.
    pub task: Task,
    /// On the rows learned from, measured after training.
    pub train: Value,
    /// On the validation rows; null where there are none.
    pub valid: Value,
    /// On the test rows, which nothing before has touched; null where there are none.
    pub test: Value,
    /// What a predictor without a network does on the test rows (where there are none: the validation rows).
    pub baselines: Value,
    /// Epochs, the last of which may be a part of one.
    pub epochs: usize,
    /// Clock time of the training alone.
    pub train_seconds: f64,
    /// Trained numbers.
    pub parameters: usize,
    /// The run's seed.
    pub seed: u64,
    /// The version of thalweg.
    pub version: &'static str,
    /// Why training ended.
    pub stopped: Stopped,
    /// The epoch with the lowest validation loss.
    pub best_epoch: usize,
}

/// A finished training.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// As in `summary.json`.
    pub summary: Summary,
    /// Epoch by epoch.
    pub history: History,
    /// On the test rows, where there are any.
    pub test: Option<Metrics>,
}

impl Session {
    /// Reads the data at `source`, resolves the draft for it, and compiles the training on `threads` threads.
    ///
    /// # Errors
    /// [`RunError`]: whatever can be found out before the first step.
    pub fn prepare(draft: &Draft, source: &str, threads: usize) -> Result<Session, RunError> {
        let (config, data) = RunData::learn(draft, source)?;
        let checks = data.checks();
        if !config.data.ignore_checks {
            refuse_failed(&checks)?;
        }
        let features = &data.learn.features;
        let scaling = Scaling::fit(features, data.rows(PartName::Train), config.data.standardise)?;
        let model = describe(&config, &data, &scaling);
        let mut trainer = model.trainer(config.train.updater()).on(executor(&config, threads));
        // One row tells the sizes; what is wrong beyond them, binding finds.
        let shape: Vec<usize> = [&[1], features.shape()].concat();
        if trainer.network().build(shape, model.sample().dtype()).is_ok()
            && let Some(what) = too_large(trainer.network(), &config.train.optimizer)
        {
            let hint = "make its layers smaller".into();
            return Err(draft.problem("network", what, hint));
        }
        if let Err(error) = trainer.bind(model.sample(), config.train.seed) {
            return Err(unbuilt(draft, error, trainer.network(), &model.sample()));
        }
        let mut session =
            Session { config, data, checks, scaling, model, planned_memory: 0, trainer };
        session.compile().map_err(|error| configured(draft, error, "train.loss"))?;
        Ok(session)
    }

    fn compile(&mut self) -> Result<(), TrainError> {
        let Session { data, scaling, trainer, config, .. } = self;
        let Some(train) = data.part(PartName::Train, scaling) else { return Ok(()) };
        let valid = data.part(PartName::Valid, scaling);
        self.planned_memory =
            trainer.prepare(&train, valid.as_ref(), &config.train.fit_options(None))?;
        Ok(())
    }

    /// The number of trained numbers.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.trainer.store().numel()
    }

    /// Trains, measures and saves. `max_time` limits the fit alone.
    ///
    /// # Errors
    /// [`RunError`]; the folder is then gone.
    pub fn train(
        mut self,
        folder: RunFolder,
        max_time: Option<Duration>,
        observer: &mut dyn Observer,
    ) -> Result<Outcome, RunError> {
        let options = self.config.train.fit_options(max_time);
        let Session { data, scaling, trainer, model, config, .. } = &mut self;
        let [train, valid, test] =
            [PartName::Train, PartName::Valid, PartName::Test].map(|part| data.part(part, scaling));
        let Some(train) = train else {
            return Err(DataError::NoRows { what: "train" }.into());
        };
        let mut recorder = Recorder { folder: &folder, observer, failed: None, total_steps: 0 };
        let history = trainer.fit(&train, valid.as_ref(), &options, &mut recorder)?;
        let Recorder { failed, total_steps, .. } = recorder;
        if let Some(error) = failed {
            return Err(error);
        }
        let mut measure = |part: Option<&crate::Part<'_>>| -> Result<Option<Metrics>, RunError> {
            part.map(|part| Ok(trainer.evaluate(part, EVALUATION_BATCH)?)).transpose()
        };
        let scores = [measure(Some(&train))?, measure(valid.as_ref())?, measure(test.as_ref())?];
        let baselines = baselines(&data.encoding, &train, valid.as_ref(), test.or(valid).as_ref());
        let [train, valid, test] = scores;
        let summary = Summary {
            task: model.task,
            train: figures(train.as_ref()),
            valid: figures(valid.as_ref()),
            test: figures(test.as_ref()),
            baselines,
            epochs: history.epochs.len(),
            train_seconds: history.train_seconds,
            parameters: trainer.store().numel(),
            seed: config.train.seed,
            version: VERSION,
            stopped: history.stopped,
            best_epoch: history.best_epoch,
        };
        self.save(folder, &history, total_steps, &summary)?;
        Ok(Outcome { summary, history, test })
    }

    fn save(
        &self,
        folder: RunFolder,
        history: &History,
        total_steps: u64,
        summary: &Summary,
    ) -> Result<(), RunError> {
        let fit = |what: String| RunError::Fit { what, hint: String::new() };
        let mut config = self.config.clone();
        // What a clock or a hand cut short is repeated by counting steps, at the rates of the run as it was planned.
        if matches!(history.stopped, Stopped::MaxTime | Stopped::Interrupted) && history.steps > 0 {
            config.train.max_steps = Some(history.steps);
            fix_length(&mut config.train.schedule, total_steps);
        }
        config.train.max_time = None;
        let weights = self.trainer.store().to_safetensors(&EntryKind::MODEL);
        let weights = weights.map_err(|error| fit(error.to_string()))?;
        folder.write(CONFIG, config.to_toml().map_err(fit)?.as_bytes())?;
        folder.write_json(MODEL, &self.model)?;
        folder.write(WEIGHTS, &weights)?;
        folder.write_json(SUMMARY, summary)?;
        folder.finish()?;
        Ok(())
    }
}

/// What of a run will be saved beside its weights.
fn describe(config: &Config, data: &RunData, scaling: &Scaling) -> ModelFile {
    let targets = &data.learn.targets;
    let task = Task::of(&data.encoding, targets, config.train.goal);
    let target_scaling = match (task, targets) {
        (Task::Forecast, _) => Some(scaling.clone()),
        (Task::Reconstruction, _) => None,
        (_, Targets::Values { values, dims }) => {
            Some(of_targets(values, *dims, data.rows(PartName::Train)))
        }
        _ => None,
    };
    let classes = targets.names().filter(|_| task.has_classes()).unwrap_or_default();
    ModelFile {
        format: FORMAT,
        thalweg: VERSION.into(),
        task,
        input: data.learn.features.shape().to_vec(),
        encoding: data.encoding.clone(),
        // Which rows were for the test does not matter to others.
        source: SourceOptions {
            test: None,
            valid_file: None,
            test_file: None,
            ..config.data.source.clone()
        },
        scaling: scaling.clone(),
        target_scaling,
        target: config.data.target().into(),
        classes: classes.to_vec(),
        loss: config.train.loss.clone(),
        layers: config.network.nodes(&shapes(&data.learn, &data.encoding, config.train.goal)),
    }
}

/// Mean and standard deviation of each target number over some rows; a deviation of 0 counts as 1.
fn of_targets(values: &[f32], dims: usize, rows: &[usize]) -> Scaling {
    let n = rows.len().max(1) as f64;
    let mean_of = |i: usize, f: &dyn Fn(f64) -> f64| {
        rows.iter().map(|row| f(f64::from(values[row * dims + i]))).sum::<f64>() / n
    };
    let each = (0..dims).map(|i| {
        let mean = mean_of(i, &|x| x);
        let std = mean_of(i, &|x| (x - mean) * (x - mean)).sqrt() as f32;
        (mean as f32, if std < f32::MIN_POSITIVE { 1.0 } else { std })
    });
    let (mean, std) = each.unzip();
    Scaling { full_scale: 1.0, mean, std }
}

/// Makes a schedule that goes by the length of the run go by `total` steps.
fn fix_length(schedule: &mut Schedule, total: u64) {
    match schedule {
        Schedule::OneCycle { total: own, .. } | Schedule::Cosine { total: own, .. } => {
            own.get_or_insert(total);
        }
        Schedule::Warmup { steps, then } => fix_length(then, total.saturating_sub(*steps)),
        _ => {}
    }
}

/// The executor that a config asks for.
#[must_use]
pub fn executor(config: &Config, threads: usize) -> Cpu {
    let cpu = Cpu::new(threads);
    match isa_named(&config.train.isa) {
        Some(isa) => cpu.with_isa(isa),
        None => cpu,
    }
}

/// The single numbers among metrics: what is per class stays out of summaries.
#[must_use]
pub fn figures(metrics: Option<&Metrics>) -> Value {
    let full = metrics.and_then(|metrics| serde_json::to_value(metrics).ok());
    match full {
        Some(Value::Object(fields)) => {
            fields.into_iter().filter(|(_, value)| !value.is_array()).collect::<Map<_, _>>().into()
        }
        _ => Value::Null,
    }
}

/// Writes every epoch down before it is shown.
struct Recorder<'a> {
    folder: &'a RunFolder,
    observer: &'a mut dyn Observer,
    failed: Option<RunError>,
    /// Of the run as it was planned.
    total_steps: u64,
}

impl Observer for Recorder<'_> {
    fn batch(&mut self, report: &BatchReport) -> Control {
        self.total_steps = report.total_steps;
        self.observer.batch(report)
    }

    fn epoch(&mut self, report: &EpochReport) -> Control {
        let timing = json!({
            "epoch": report.epoch,
            "train_seconds": report.timing.train_seconds,
            "valid_seconds": report.timing.valid_seconds,
            "samples_per_second": report.timing.samples_per_second,
        });
        let written = self
            .folder
            .line(METRICS, &epoch_line(report))
            .and_then(|()| self.folder.line(TIMINGS, &timing));
        if let Err(error) = written {
            self.failed = Some(error);
            return Control::Stop;
        }
        self.observer.epoch(report)
    }
}

/// An epoch as a line of `metrics.jsonl`: single numbers only.
#[must_use]
pub fn epoch_line(report: &EpochReport) -> Value {
    let mut line = serde_json::to_value(report).unwrap_or_default();
    line["valid"] = figures(report.valid.as_ref());
    line
}
