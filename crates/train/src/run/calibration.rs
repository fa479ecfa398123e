//! What validation rows teach about a network's answers, and how answers are read with it. `model.json` keeps it.
//!
//! The validation rows have chosen the epoch too, so what is learned of them is a little too good; the figures that count
//! are those of the test rows.

use serde::{Deserialize, Serialize};
use thalweg_data::Targets;

use super::task::Task;
use crate::Part;
use crate::judge::calibration::{largest, of_truth, probabilities, shares, surprise, temperature};
use crate::judge::conformal::Strangeness;
use crate::judge::threshold::{Metric, Tuned, tune};

/// Fewer rows teach nothing that could be relied on.
const FEWEST: usize = 20;

/// What validation rows have taught about a network's answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// How many validation rows there were; 0 where nothing was learned.
    pub rows: usize,
    /// What logits are divided by before they become probabilities.
    pub temperature: f32,
    /// From more than which probability on the second of two classes is said.
    pub threshold: f32,
    /// What the threshold was chosen for.
    pub metric: Metric,
    /// From more than which probability on each label is said; empty where all stay at 0.5.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<f32>,
    /// How strange the truth was: one list for classes, for numbers one for each number of a row, for labels one for
    /// each label, of the rows that have it.
    pub strangeness: Vec<Strangeness>,
}

impl Default for Calibration {
    fn default() -> Calibration {
        let metric = Metric::default();
        Calibration {
            rows: 0,
            temperature: 1.0,
            threshold: 0.5,
            metric,
            thresholds: vec![],
            strangeness: vec![],
        }
    }
}

impl Calibration {
    /// What is learned from the answers to validation rows: `scores` as [`crate::Trainer::examine`] shows them. Also the best
    /// threshold, whether it was taken or not.
    #[must_use]
    pub fn learn(
        task: Task,
        metric: Metric,
        valid: &Part,
        scores: &[f32],
    ) -> (Calibration, Option<Tuned>) {
        let none = Calibration { metric, ..Calibration::default() };
        let rows = valid.rows.len();
        match &valid.data.targets {
            _ if rows < FEWEST || scores.iter().any(|score| !score.is_finite()) => (none, None),
            Targets::Classes { labels, names } if task == Task::Classification => {
                let labels: Vec<i64> = valid.rows.iter().map(|&row| labels[row]).collect();
                none.of_classes(scores, names.len(), &labels)
            }
            Targets::Labels { names, .. } if task == Task::Multilabel => {
                (none.of_labels(scores, names.len(), &holding(valid)), None)
            }
            Targets::Values { values, dims } if task != Task::Reconstruction => {
                let strangeness = (0..*dims).map(|i| {
                    let said = scores.iter().skip(i).step_by(*dims);
                    let errors = valid.rows.iter().zip(said);
                    Strangeness::new(
                        errors.map(|(row, y)| (values[row * dims + i] - y).abs()).collect(),
                    )
                });
                (Calibration { rows, strangeness: strangeness.collect(), ..none }, None)
            }
            _ => (none, None),
        }
    }

    fn of_classes(
        self,
        logits: &[f32],
        classes: usize,
        labels: &[i64],
    ) -> (Calibration, Option<Tuned>) {
        // As f32, which JSON keeps to the bit.
        let temperature = temperature(logits, classes, labels) as f32;
        let losses = |temperature| {
            let p = probabilities(logits, classes, temperature);
            let rows = labels.iter().enumerate();
            rows.map(|(row, &label)| surprise(p[row * classes + label as usize]))
                .collect::<Vec<f64>>()
        };
        let helps = helps(&losses(1.0), &losses(f64::from(temperature)));
        let temperature = if helps { temperature } else { 1.0 };
        let p = probabilities(logits, classes, f64::from(temperature));
        let strangeness = vec![Strangeness::of_classes(&p, classes, labels)];
        let learned = Calibration { rows: labels.len(), temperature, strangeness, ..self };
        if classes != 2 {
            return (learned, None);
        }
        let second: Vec<f64> = p.chunks_exact(2).map(|row| row[1]).collect();
        let truth: Vec<bool> = labels.iter().map(|&label| label == 1).collect();
        let tuned = tune(learned.metric, &second, &truth);
        let threshold = match tuned {
            Some(tuned) if tuned.is_worth_it() => tuned.value as f32,
            _ => learned.threshold,
        };
        (Calibration { threshold, ..learned }, tuned)
    }

    /// One temperature for all labels, a threshold for each.
    fn of_labels(self, logits: &[f32], labels: usize, truth: &[bool]) -> Calibration {
        let rows = truth.len() / labels.max(1);
        // A label is one of two classes: the logit of its absence is 0.
        let pairs: Vec<f32> = logits.iter().flat_map(|&z| [0.0, z]).collect();
        let classes: Vec<i64> = truth.iter().map(|&holds| i64::from(holds)).collect();
        let temperature = temperature(&pairs, 2, &classes) as f32;
        // The labels of a row are not independent of each other; rows are.
        let losses = |temperature| {
            let losses = shares(logits, temperature).into_iter().zip(truth);
            let losses: Vec<f64> = losses.map(|(p, &holds)| surprise(of_truth(p, holds))).collect();
            losses.chunks(labels.max(1)).map(|row| row.iter().sum()).collect::<Vec<f64>>()
        };
        let helps = helps(&losses(1.0), &losses(f64::from(temperature)));
        let temperature = if helps { temperature } else { 1.0 };
        let p = shares(logits, f64::from(temperature));
        let threshold = |label: usize| {
            let (p, truth) = column(&p, truth, labels, label);
            tune(self.metric, &p, &truth).filter(Tuned::is_worth_it).map(|tuned| tuned.value as f32)
        };
        let tuned: Vec<Option<f32>> = (0..labels).map(threshold).collect();
        let thresholds = match tuned.iter().any(Option::is_some) {
            true => tuned.into_iter().map(|tuned| tuned.unwrap_or(0.5)).collect(),
            false => vec![],
        };
        let strangeness = (0..labels).map(|label| Strangeness::of_label(&p, labels, truth, label));
        Calibration { rows, temperature, thresholds, strangeness: strangeness.collect(), ..self }
    }

    /// Whether nothing was learned.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.rows == 0
    }

    /// The probability of each class, row by row.
    #[must_use]
    pub fn probabilities(&self, logits: &[f32], classes: usize) -> Vec<f64> {
        probabilities(logits, classes, f64::from(self.temperature))
    }

    /// The probability of each label, row by row.
    #[must_use]
    pub fn shares(&self, logits: &[f32]) -> Vec<f64> {
        shares(logits, f64::from(self.temperature))
    }

    /// From more than which probability on a label is said.
    #[must_use]
    pub fn threshold_of(&self, label: usize) -> f64 {
        self.thresholds.get(label).map_or(0.5, |&threshold| f64::from(threshold))
    }

    /// The labels that are said to hold.
    #[must_use]
    pub fn holding(&self, probabilities: &[f64]) -> Vec<usize> {
        let labels = 0..probabilities.len();
        labels.filter(|&label| probabilities[label] > self.threshold_of(label)).collect()
    }

    /// A set of labels in which each label that holds is with a probability of at least `level`: those that are said, and
    /// those that are no stranger than so many of the validation rows that have them. A label that too few of them have
    /// is always there.
    #[must_use]
    pub fn holding_set(&self, probabilities: &[f64], level: f64) -> Vec<usize> {
        let held = |&label: &usize| {
            let p = probabilities[label];
            let bound = self.strangeness.get(label).map_or(f64::INFINITY, |s| s.bound(level));
            p > self.threshold_of(label) || f64::from((1.0 - p) as f32) <= bound
        };
        (0..probabilities.len()).filter(held).collect()
    }

    /// The class that is said: the likeliest, of two the second where its probability is above the threshold.
    #[must_use]
    pub fn said(&self, probabilities: &[f64]) -> usize {
        match probabilities {
            [_, second] => usize::from(*second > f64::from(self.threshold)),
            _ => largest(probabilities),
        }
    }
}

/// Whether each label holds, of the rows of a part, row-major; none where there are no labels.
#[must_use]
pub fn holding(part: &Part) -> Vec<bool> {
    let Targets::Labels { flags, names } = &part.data.targets else { return vec![] };
    let of = |&row: &usize| &flags[row * names.len()..(row + 1) * names.len()];
    part.rows.iter().flat_map(of).map(|&flag| flag == 1).collect()
}

/// The probabilities and the truth of one label.
pub(super) fn column(
    p: &[f64],
    truth: &[bool],
    labels: usize,
    label: usize,
) -> (Vec<f64>, Vec<bool>) {
    p.iter().copied().zip(truth.iter().copied()).skip(label).step_by(labels.max(1)).unzip()
}

/// Whether losses become less by more than a standard error of the difference: a few rows that are surely wrong say little
/// about the others.
fn helps(before: &[f64], after: &[f64]) -> bool {
    let n = before.len() as f64;
    let gains = || before.iter().zip(after).map(|(before, after)| before - after);
    let mean = gains().sum::<f64>() / n;
    let square = gains().map(|gain| (gain - mean) * (gain - mean)).sum::<f64>();
    mean > (square / n / n).sqrt()
}
