//! What a run folder holds, read for the page.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;
use thalweg_train::run::folder::{CONFIG, METRICS, REPORT, SUMMARY, TIMINGS};
use thalweg_train::run::insights::{Insights, Rival};
use thalweg_train::run::model::{read, read_config};
use thalweg_train::run::{Config, ModelFile, RunError};

/// Figures of which less is better.
const LESS: [&str; 7] =
    ["loss", "rmse", "mae", "perplexity", "bits_per_token", "brier", "log_loss"];

/// A finished run.
pub struct Run {
    /// The configuration as text, and what it means.
    pub config_text: String,
    /// The configuration.
    pub config: Config,
    /// What the network is.
    pub model: ModelFile,
    /// The lines of `metrics.jsonl`.
    pub epochs: Vec<Value>,
    /// The lines of `timings.jsonl`.
    pub timings: Vec<Value>,
    /// `summary.json`.
    pub summary: Value,
    /// `report.json`; empty where the run has none.
    pub insights: Insights,
}

impl Run {
    /// Reads a run folder.
    ///
    /// # Errors
    /// [`RunError::NotARun`], [`RunError::Damaged`], [`RunError::Newer`], [`RunError::Io`].
    pub fn read(run: &Path) -> Result<Run, RunError> {
        let config = read_config(run)?;
        let config_text = String::from_utf8_lossy(&read(run, CONFIG)?).into_owned();
        let optional = |name: &str| match run.join(name).exists() {
            true => read(run, name).map(Some),
            false => Ok(None),
        };
        let lines = |name: &str| -> Result<Vec<Value>, RunError> {
            let bytes = optional(name)?.unwrap_or_default();
            let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
            lines.map(|line| parse(run, name, line)).collect()
        };
        Ok(Run {
            config_text,
            config,
            model: ModelFile::load(run)?,
            epochs: lines(METRICS)?,
            timings: lines(TIMINGS)?,
            summary: parse(run, SUMMARY, &read(run, SUMMARY)?)?,
            insights: match optional(REPORT)? {
                Some(bytes) => parse(run, REPORT, &bytes)?,
                None => Insights::default(),
            },
        })
    }

    /// The part that the network is judged by: `test`, or `valid` where there are no test rows, or else `train`.
    #[must_use]
    pub fn judged(&self) -> &str {
        let known = Some(self.insights.judged.as_str()).filter(|part| !part.is_empty());
        let there = |part: &&str| self.summary[*part].is_object();
        known.or_else(|| ["test", "valid"].into_iter().find(there)).unwrap_or("train")
    }

    /// The figure that sums up how good the network is, and its value on the judged part.
    #[must_use]
    pub fn main_figure(&self) -> Option<(&'static str, f64)> {
        let figures = &self.summary[self.judged()];
        // What is smoother than the share of right tokens comes first for texts.
        let keys = ["bits_per_token", "accuracy", "rmse", "loss"];
        keys.into_iter().find_map(|key| Some((key, figures[key].as_f64()?)))
    }

    /// Predictors without a network: those that the insights list, or else those of the summary.
    #[must_use]
    pub fn rivals(&self) -> Vec<Rival> {
        if !self.insights.baselines.is_empty() {
            return self.insights.baselines.clone();
        }
        let Some((metric, network)) = self.main_figure() else { return vec![] };
        let found = self.summary["baselines"].as_object().into_iter().flatten();
        let rival = |(name, figures): (&String, &Value)| {
            let value = figures[metric].as_f64()?;
            let class = figures["class"].as_str().map_or(String::new(), |c| format!(" ({c})"));
            Some(Rival {
                name: name.replace('_', " ") + &class,
                figures: figures.clone(),
                metric: metric.into(),
                value,
                network,
                beaten: if less_is_better(metric) { network < value } else { network > value },
            })
        };
        found.filter_map(rival).collect()
    }
}

/// Whether a figure is the better the smaller it is.
#[must_use]
pub fn less_is_better(figure: &str) -> bool {
    LESS.contains(&figure)
}

fn parse<T: DeserializeOwned>(run: &Path, name: &str, bytes: &[u8]) -> Result<T, RunError> {
    serde_json::from_slice(bytes)
        .map_err(|error| RunError::Damaged { path: run.join(name), problem: error.to_string() })
}
