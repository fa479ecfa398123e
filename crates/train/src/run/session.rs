//! A training from a draft to a finished run folder.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use thalweg_cpu::Cpu;
use thalweg_data::{DataError, Scaling, SourceOptions, Targets};
use thalweg_nn::{Dag, EntryKind, Schedule};

use super::VERSION;
use super::balance::balanced;
use super::blame::{configured, unbuilt};
use super::calibration::Calibration;
use super::checkpoint::{Budget, Recorder};
use super::config::{Config, isa_named, parse_duration};
use super::data::{PartName, RunData, refuse_failed};
use super::defaults::shapes;
use super::draft::Draft;
use super::error::RunError;
use super::folder::{CONFIG, DATA, METRICS, MODEL, REPORT, RunFolder, TIMINGS, WEIGHTS};
use super::insights::Insights;
use super::judging::{Judged, judge};
use super::memory::too_large;
use super::model::{FORMAT, ModelFile};
use super::task::Task;
use crate::judge::threshold::Tuned;
use crate::preflight::ONE_BATCH;
use crate::{
    Checkpoint, EpochReport, History, Metrics, Observer, Preflight, RangeTest, Stopped, TrainError,
    Trainer,
};

/// A training that is ready to begin: the data is read, the network built, its steps compiled.
pub struct Session {
    /// Every choice.
    pub config: Config,
    /// What is learned from.
    pub data: RunData,
    /// Fitted on the training rows.
    pub scaling: Scaling,
    /// What will be saved beside the weights.
    pub model: ModelFile,
    /// What is found out beyond figures, for `report.json`; judging adds to it.
    pub insights: Insights,
    /// Bytes that training needs for the network and its steps, as planned.
    pub planned_memory: usize,
    trainer: Trainer<Dag>,
    /// The learning rate and why, where it was to be found.
    pub lr_reason: Option<String>,
    /// Where the training goes on, of a run that is resumed.
    pub(super) from: Option<Checkpoint>,
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
    /// As in `report.json`.
    pub insights: Insights,
    /// As in `model.json`.
    pub calibration: Calibration,
    /// The best threshold of two classes on the validation rows, whether it was taken or not.
    pub tuned: Option<Tuned>,
    /// What there was no time for.
    pub notes: Vec<String>,
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
        let mut model = describe(&config, &data, &scaling);
        if config.train.balance {
            let rows = data.rows(PartName::Train);
            let loss = balanced(&model.loss, &data.learn, rows);
            model.loss =
                loss.map_err(|(what, hint)| draft.problem("train.balance", what, hint.into()))?;
        }
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
        let mut insights = Insights { checks, ..Insights::default() };
        insights.data.path.clone_from(&config.data.path);
        insights.network_reason =
            config.network.reason(&shapes(&data.learn, &data.encoding, config.train.goal));
        let mut session = Session {
            config,
            data,
            scaling,
            model,
            insights,
            planned_memory: 0,
            trainer,
            lr_reason: None,
            from: None,
        };
        session.compile().map_err(|error| configured(draft, error, "train.loss"))?;
        if draft.finds_lr() {
            session.find_lr()?;
        }
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

    /// Looks for the learning rate in a tenth of the time that there is, and takes it.
    fn find_lr(&mut self) -> Result<(), TrainError> {
        let Session { data, scaling, trainer, config, .. } = self;
        let Some(train) = data.part(PartName::Train, scaling) else { return Ok(()) };
        let max_time = config.train.max_time.as_deref().and_then(parse_duration);
        let options = config.train.fit_options(max_time.map(|limit| limit / 10));
        let found = trainer.find_lr(&train, &options)?;
        self.lr_reason = Some(match found {
            Some(RangeTest { lr, losses: (first, least), least_at }) => {
                // Two digits: more would say what is not known.
                let lr = format!("{lr:.1e}").parse().unwrap_or(lr);
                config.train.lr = lr;
                format!(
                    "{lr:e}, where the loss fell fastest in a range test from 1e-6 to 1 ({first:.4} at first, \
                     {least:.4} at best, at rate {least_at:.1e})"
                )
            }
            None => {
                let hurry = if max_time.is_some() { " in a tenth of max_time" } else { "" };
                let lr = config.train.lr;
                format!("{lr:e}, the default: no rate from 1e-6 to 1 made the loss fall{hurry}")
            }
        });
        Ok(())
    }

    /// Tries the training out on one batch, for about `limit`; changes nothing in it.
    ///
    /// # Errors
    /// [`RunError::Train`].
    pub fn preflight(&mut self, limit: Duration) -> Result<Option<Preflight>, RunError> {
        let Session { data, scaling, trainer, config, .. } = self;
        let Some(train) = data.part(PartName::Train, scaling) else { return Ok(None) };
        let valid = data.part(PartName::Valid, scaling);
        let options = config.train.fit_options(None);
        let found = trainer.preflight(&train, valid.as_ref(), &options, limit)?;
        // How many steps were tried is up to the clock, which a report does not depend on.
        let fixed = found.checks.iter().filter(|check| check.name != ONE_BATCH);
        self.insights.preflight = fixed.cloned().collect();
        Ok(Some(found))
    }

    /// Whether the training goes on with a run that was begun before.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.from.is_some()
    }

    /// The number of trained numbers.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.trainer.store().numel()
    }

    /// Trains, measures and saves, from the beginning or from where a resumed run stands. `max_time` limits all of
    /// it, saving included: where it is short, fewer rows are measured on. An
    /// interrupted training is saved so that it can be used and resumed; it is not measured on the test rows.
    ///
    /// # Errors
    /// [`RunError`]; where that was before the first checkpoint, the folder is then gone.
    pub fn train(
        mut self,
        mut folder: RunFolder,
        max_time: Option<Duration>,
        observer: &mut dyn Observer,
    ) -> Result<Outcome, RunError> {
        self.begin(&folder)?;
        let options = self.config.train.fit_options(None);
        let measured = [PartName::Valid, PartName::Test].map(|part| self.data.rows(part).len());
        let mut budget = Budget::new(max_time, measured.iter().sum());
        let Session { data, scaling, trainer, model, config, from, insights, .. } = &mut self;
        let [train, valid] =
            [PartName::Train, PartName::Valid].map(|part| data.part(part, scaling));
        let Some(train) = train else {
            return Err(DataError::NoRows { what: "train" }.into());
        };
        let mut recorder = Recorder::new(&mut folder, observer, &mut budget);
        let history = match from {
            Some(from) => trainer.resume(&train, valid.as_ref(), &options, from, &mut recorder),
            None => trainer.fit(&train, valid.as_ref(), &options, &mut recorder),
        };
        let Recorder { failed, total_steps, .. } = recorder;
        if let Some(error) = failed {
            return Err(error);
        }
        let history = history?;
        insights.health.clone_from(&history.health);
        let mut summary = Summary {
            task: model.task,
            train: Value::Null,
            valid: Value::Null,
            test: Value::Null,
            baselines: Value::Null,
            epochs: history.epochs.len(),
            train_seconds: history.train_seconds,
            parameters: trainer.store().numel(),
            seed: config.train.seed,
            version: VERSION,
            stopped: history.stopped,
            best_epoch: history.best_epoch,
        };
        if history.stopped == Stopped::Interrupted {
            self.save_weights(&folder)?;
            let Session { insights, model, .. } = self;
            let calibration = model.calibration;
            return Ok(Outcome {
                summary,
                history,
                test: None,
                insights,
                calibration,
                tuned: None,
                notes: vec![],
            });
        }
        let judged =
            judge(trainer, model, config.train.metric, data, scaling, insights, &mut budget)?;
        let Judged { metrics, calibration, tuned, baselines, notes } = judged;
        model.calibration = calibration;
        summary.baselines = baselines;
        [summary.train, summary.valid, summary.test] =
            metrics.each_ref().map(|scores| figures(scores.as_ref()));
        let [.., test] = metrics;
        self.end(folder, &history, total_steps, &summary)?;
        let Session { insights, model, .. } = self;
        Ok(Outcome {
            summary,
            history,
            test,
            insights,
            calibration: model.calibration,
            tuned,
            notes,
        })
    }

    /// Writes what says what the run is.
    fn begin(&self, folder: &RunFolder) -> Result<(), RunError> {
        let mut config = self.config.clone();
        // A clock never stops twice at the same step.
        config.train.max_time = None;
        self.save_config(folder, &config)?;
        folder.write_json(MODEL, &self.model)?;
        folder.write_json(DATA, &self.data_story()?)?;
        let done = self.from.as_ref().map_or(0, Checkpoint::epochs);
        for name in [METRICS, TIMINGS] {
            folder.keep_lines(name, done)?;
        }
        folder.unfinished()
    }

    /// Writes the results.
    fn end(
        &self,
        folder: RunFolder,
        history: &History,
        total_steps: u64,
        summary: &Summary,
    ) -> Result<(), RunError> {
        let mut config = self.config.clone();
        config.train.max_time = None;
        // What a clock cut short is repeated by counting steps, at the rates of the run as it was planned.
        if history.stopped == Stopped::MaxTime {
            fix_length(&mut config.train.schedule, total_steps);
            config.train.max_steps = Some(history.steps);
            // Of a part of an epoch that was not judged nothing is left, where the best weights are those of a whole one.
            if let [.., whole, last] = &history.epochs[..]
                && history.restored
                && last.valid.is_none()
            {
                config.train.max_steps = Some(whole.steps);
                folder.keep_lines(METRICS, history.epochs.len() - 1)?;
            }
        }
        self.save_config(&folder, &config)?;
        folder.write_json(MODEL, &self.model)?;
        self.save_weights(&folder)?;
        folder.write_json(REPORT, &self.insights)?;
        folder.finish(summary)?;
        Ok(())
    }

    fn save_config(&self, folder: &RunFolder, config: &Config) -> Result<(), RunError> {
        let text = config.to_toml();
        let text = text.map_err(|what| RunError::Fit { what, hint: String::new() })?;
        folder.write(CONFIG, text.as_bytes())
    }

    fn save_weights(&self, folder: &RunFolder) -> Result<(), RunError> {
        let weights = self.trainer.store().to_safetensors(&EntryKind::MODEL);
        folder.write(WEIGHTS, &weights.map_err(TrainError::from)?)
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
        calibration: Calibration::default(),
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
pub(super) fn fix_length(schedule: &mut Schedule, total: u64) {
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

/// An epoch as a line of `metrics.jsonl`: single numbers only.
#[must_use]
pub fn epoch_line(report: &EpochReport) -> Value {
    let mut line = serde_json::to_value(report).unwrap_or_default();
    line["valid"] = figures(report.valid.as_ref());
    line
}
