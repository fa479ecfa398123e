//! A finished network is judged: measured on every part, its answers calibrated on the validation rows, and what is worth
//! knowing of the judged rows written down as [`Insights`].

use std::ops::Range;

use serde_json::Value;
use thalweg_data::{Encoding, Scaling, Targets};
use thalweg_nn::Dag;

use super::baselines::{baselines, rivals};
use super::calibration::{Calibration, holding};
use super::checkpoint::Budget;
use super::data::{PartName, RunData};
use super::error::RunError;
use super::importance::importance;
use super::insights::{
    CalibrationStory, ClassificationStory, Insights, Intervals, RegressionStory, ThresholdStory,
};
use super::labels;
use super::model::ModelFile;
use super::session::figures;
use super::stories::{self, Answered};
use super::task::Task;
use super::works;
use crate::judge::calibration::{self, bins, expected_error, stated};
use crate::judge::conformal;
use crate::judge::curves::Ranking;
use crate::judge::threshold::{self, Metric, Tuned};
use crate::{ClassCounts, Classification, LabelCounts, Metrics, Part, Probabilities, Trainer};

/// Scores that are ranked at most, of all classes together.
const RANKED: usize = 20_000_000;
/// The probabilities that sets and intervals are tried at.
const LEVELS: [f64; 3] = [0.8, 0.9, 0.95];

/// What came of it.
pub(super) struct Judged {
    /// On the training, validation and test rows.
    pub(super) metrics: [Option<Metrics>; 3],
    /// To be kept in `model.json`.
    pub(super) calibration: Calibration,
    /// The best threshold, whether it was taken or not.
    pub(super) tuned: Option<Tuned>,
    /// As in `summary.json`.
    pub(super) baselines: Value,
    /// What there was no time for.
    pub(super) notes: Vec<String>,
}

/// Judges the network of `model`, and writes what is found into `insights`.
pub(super) fn judge(
    trainer: &mut Trainer<Dag>,
    model: &ModelFile,
    metric: Metric,
    data: &RunData,
    scaling: &Scaling,
    insights: &mut Insights,
    budget: &mut Budget,
) -> Result<Judged, RunError> {
    // Where time is short, fewer rows are measured on.
    let mut notes = Vec::new();
    let [train_rows, valid_rows, test_rows] =
        [(PartName::Train, 0.15), (PartName::Valid, 0.25), (PartName::Test, 0.35)]
            .map(|(part, share)| budget.limited(part, data.rows(part), share, &mut notes));
    let part = |name| data.part(name, scaling);
    let train = some_of(part(PartName::Train), &train_rows);
    let valid = some_of(part(PartName::Valid), &valid_rows);
    let test = some_of(part(PartName::Test), &test_rows);
    let task = model.task;
    let plain = Calibration { metric, ..Calibration::default() };
    let mut valid_answers = match &valid {
        Some(valid) => Some(examine(trainer, task, valid, &plain)?),
        None => None,
    };
    let (calibration, tuned) = match (&valid, &valid_answers) {
        (Some(valid), Some(answers)) => Calibration::learn(task, metric, valid, &answers.scores),
        _ => (plain, None),
    };
    if let (Some(valid), Some(answers)) = (&valid, &mut valid_answers) {
        answers.metrics = refined(answers.metrics.clone(), &answers.scores, valid, &calibration);
    }
    let test_answers = match &test {
        Some(test) => Some(examine(trainer, task, test, &calibration)?),
        None => None,
    };
    let trained = match &train {
        Some(train) => Some(measure(trainer, task, train, &calibration)?),
        None => None,
    };
    let judged = test.as_ref().zip(test_answers.as_ref());
    let judged = judged.or(valid.as_ref().zip(valid_answers.as_ref()));
    insights.judged = if test.is_some() { "test" } else { "valid" }.into();
    stories::data(insights, model, data, scaling);
    let mut found = Value::Object(serde_json::Map::new());
    if let (Some(train), Some((judged, answers))) = (&train, judged) {
        // A linear model is fitted in about so many passes.
        match budget.is_enough_for(30 * train.rows.len()) {
            true => found = baselines(&data.encoding, train, valid.as_ref(), Some(judged)),
            false => notes.push("for lack of time compared with no baseline".into()),
        }
        insights.baselines =
            rivals(&found, &figures(Some(&answers.metrics)), compared(task, metric));
        let answered =
            Answered { data, part: judged, scores: &answers.scores, calibration: &calibration };
        match &answers.metrics {
            Metrics::Classification(scores) => {
                let mut story = answered.classification(scores);
                tell(&mut story, &calibration, tuned, judged, &answers.scores);
                insights.classification = Some(story);
            }
            Metrics::Labels(scores) => insights.labels = Some(answered.labels(scores)),
            Metrics::Regression(_) => insights.regression = Some(answered.regression()),
            _ => {}
        }
        insights.forecast = answered.forecast();
        if task == Task::Reconstruction {
            insights.reconstructions = works::reconstructions(trainer, judged)?;
        }
        if let Encoding::Language(language) = &data.encoding
            && task == Task::LanguageModel
            && budget.is_enough_for(works::ROWS)
        {
            insights.text = works::text(trainer, language);
        }
        insights.intervals = match task {
            Task::Multilabel => labels::intervals(&LEVELS, &calibration, judged, &answers.scores),
            _ => intervals(&calibration, judged, &answers.scores),
        };
        let shuffles = 3 * judged.data.features.width() * judged.rows.len().min(2_000);
        if budget.is_enough_for(shuffles.min(400_000)) {
            insights.importance = importance(trainer, &data.encoding, &calibration, judged)?;
        }
    }
    let metrics = [trained, valid_answers.map(|a| a.metrics), test_answers.map(|a| a.metrics)];
    Ok(Judged { metrics, calibration, tuned, baselines: found, notes })
}

/// The figure by which a network is compared with what needs none, if they have it: of labels that of the metric.
fn compared(task: Task, metric: Metric) -> &'static str {
    match (task, metric) {
        (Task::Multilabel, Metric::F1) => "f1_macro",
        _ => "accuracy",
    }
}

fn some_of<'a>(whole: Option<Part<'a>>, rows: &'a [usize]) -> Option<Part<'a>> {
    whole.filter(|_| !rows.is_empty()).map(|whole| Part { rows, ..whole })
}

/// What a network says of some rows, and how good that is.
pub struct Answers {
    /// With the calibration.
    pub metrics: Metrics,
    /// As [`Trainer::examine`] shows them; none for sequences and reconstructions.
    pub scores: Vec<f32>,
}

/// Measures a network on a part as it is used: with its temperature and its threshold.
///
/// # Errors
/// As [`Trainer::evaluate`].
pub fn examine(
    trainer: &mut Trainer<Dag>,
    task: Task,
    part: &Part,
    calibration: &Calibration,
) -> Result<Answers, RunError> {
    let kept = !matches!(
        task,
        Task::LanguageModel | Task::SequenceLabelling | Task::Translation | Task::Reconstruction
    );
    let mut scores = Vec::new();
    let batch = trainer.evaluation_batch(&part.data.features)?;
    let metrics = trainer.examine(part, batch, &mut |batch| {
        if kept {
            scores.extend_from_slice(batch);
        }
    })?;
    let metrics = refined(metrics, &scores, part, calibration);
    Ok(Answers { metrics, scores })
}

/// As [`examine`] without the probabilities, which many rows would need much memory for.
fn measure(
    trainer: &mut Trainer<Dag>,
    task: Task,
    part: &Part,
    calibration: &Calibration,
) -> Result<Metrics, RunError> {
    let two = task == Task::Classification && calibration.threshold != 0.5;
    let several = task == Task::Multilabel && !calibration.thresholds.is_empty();
    let names = part.data.targets.names().map_or(0, <[String]>::len);
    let (mut counts, mut labels) = (ClassCounts::new(2), LabelCounts::new(names));
    let mut done = 0;
    let batch = trainer.evaluation_batch(&part.data.features)?;
    let metrics = trainer.examine(part, batch, &mut |batch| {
        let rows = done..done + batch.len() / names.max(1);
        done = rows.end;
        match &part.data.targets {
            Targets::Classes { labels, .. } if two => {
                let labels: Vec<i64> = part.rows[rows].iter().map(|&row| labels[row]).collect();
                count(&mut counts, &calibration.probabilities(batch, 2), &labels, calibration);
            }
            Targets::Labels { .. } if several => {
                let truth = holding(&Part { rows: &part.rows[rows], ..*part });
                let p = calibration.shares(batch);
                labels::count(&mut labels, &p, &truth, names, calibration);
            }
            _ => {}
        }
    })?;
    Ok(match metrics {
        Metrics::Classification(plain) if two => Metrics::Classification(counts.finish(plain.loss)),
        Metrics::Labels(plain) if several => Metrics::Labels(labels.finish(plain.loss)),
        metrics => metrics,
    })
}

/// Counts what is said of two classes with the threshold.
fn count(counts: &mut ClassCounts, p: &[f64], labels: &[i64], calibration: &Calibration) {
    for (row, label) in p.chunks_exact(2).zip(labels) {
        let second = calibration.said(row) as f32;
        counts.add(&[1.0 - second, second], &[*label]);
    }
}

/// The metrics of a classification with its threshold, and how good its probabilities are; others as they are.
fn refined(metrics: Metrics, logits: &[f32], part: &Part, calibration: &Calibration) -> Metrics {
    match (metrics, &part.data.targets) {
        (Metrics::Labels(plain), Targets::Labels { .. }) => {
            Metrics::Labels(labels::refined(plain, logits, part, calibration))
        }
        (Metrics::Classification(plain), Targets::Classes { labels, names }) => {
            let labels: Vec<i64> = part.rows.iter().map(|&row| labels[row]).collect();
            let (classes, half) = (names.len(), plain.accuracy);
            let p = calibration.probabilities(logits, classes);
            let other = classes == 2 && calibration.threshold != 0.5;
            let scores = match other {
                true => {
                    let mut counts = ClassCounts::new(2);
                    count(&mut counts, &p, &labels, calibration);
                    counts.finish(plain.loss)
                }
                false => Classification { probabilities: None, ..plain },
            };
            let (said, happened) = stated(&p, classes, &labels);
            let rankings = rankings_of_classes(&p, classes, &labels);
            let threshold = other.then(|| f64::from(calibration.threshold));
            Metrics::Classification(Classification {
                probabilities: Some(Probabilities {
                    auc: mean_area(&rankings, Ranking::auc),
                    average_precision: mean_area(&rankings, Ranking::average_precision),
                    loss_calibrated: calibration::log_loss(&p, classes, &labels),
                    brier: calibration::brier(&p, classes, &labels),
                    calibration_error: expected_error(&bins(&said, &happened)),
                    threshold,
                    accuracy_at_half: threshold.map(|_| half),
                    f1_micro_at_half: None,
                    f1_macro_at_half: None,
                }),
                ..scores
            })
        }
        (metrics, _) => metrics,
    }
}

/// How well each of `which` is ranked, whose scores and truth `column` tells; none where there would be too much to sort.
pub(super) fn rankings(
    which: Range<usize>,
    rows: usize,
    column: impl Fn(usize) -> (Vec<f64>, Vec<bool>),
) -> Vec<(usize, Ranking)> {
    if which.end.saturating_mul(rows) > RANKED {
        return vec![];
    }
    let ranking = |one: usize| {
        let (scores, truth) = column(one);
        Some((one, Ranking::new(&scores, &truth)?))
    };
    which.filter_map(ranking).collect()
}

/// How each class is ranked against the others, of two the second alone.
pub(super) fn rankings_of_classes(
    p: &[f64],
    classes: usize,
    labels: &[i64],
) -> Vec<(usize, Ranking)> {
    let ranked = if classes == 2 { 1..2 } else { 0..classes };
    rankings(ranked, labels.len(), |class| {
        let scores = p.chunks_exact(classes).map(|row| row[class]);
        let truth = labels.iter().map(|&label| label == class as i64);
        (scores.collect(), truth.collect())
    })
}

/// The mean area under the curves of rankings; none where there are none.
pub(super) fn mean_area(rankings: &[(usize, Ranking)], area: fn(&Ranking) -> f64) -> Option<f64> {
    let sum: f64 = rankings.iter().map(|(_, ranking)| area(ranking)).sum();
    (!rankings.is_empty()).then(|| sum / rankings.len() as f64)
}

/// Adds calibration and threshold to the story of a classification.
fn tell(
    story: &mut ClassificationStory,
    calibration: &Calibration,
    tuned: Option<Tuned>,
    judged: &Part,
    logits: &[f32],
) {
    let Targets::Classes { labels, names } = &judged.data.targets else { return };
    let (labels, classes): (Vec<i64>, usize) =
        (judged.rows.iter().map(|&row| labels[row]).collect(), names.len());
    let reliability = |p: &[f64]| {
        let (said, happened) = stated(p, classes, &labels);
        bins(&said, &happened)
    };
    let p = calibration.probabilities(logits, classes);
    let before = reliability(&calibration::probabilities(logits, classes, 1.0));
    let after = reliability(&p);
    story.calibration = Some(CalibrationStory {
        temperature: f64::from(calibration.temperature),
        error_before: expected_error(&before),
        error_after: expected_error(&after),
        before,
        after,
    });
    if tuned.is_some() {
        let second: Vec<f64> = p.chunks_exact(2).map(|row| row[1]).collect();
        let truth: Vec<bool> = labels.iter().map(|&label| label == 1).collect();
        let at = |threshold| threshold::value(calibration.metric, &second, &truth, threshold);
        let value = f64::from(calibration.threshold);
        let metric = calibration.metric.name().into();
        story.threshold =
            Some(ThresholdStory { value, metric, at_half: at(0.5), at_value: at(value) });
    }
}

/// How often sets or intervals hold the truth of the judged rows.
fn intervals(calibration: &Calibration, judged: &Part, scores: &[f32]) -> Option<Intervals> {
    let n = judged.rows.len() as f64;
    let strangeness = &calibration.strangeness;
    let of_level = |level: f64| -> Option<[f64; 3]> {
        let bounds: Vec<f64> = strangeness.iter().map(|scores| scores.bound(level)).collect();
        match &judged.data.targets {
            Targets::Classes { labels, names } => {
                let p = calibration.probabilities(scores, names.len());
                let (mut held, mut size) = (0.0, 0.0);
                for (p, &row) in p.chunks_exact(names.len()).zip(judged.rows) {
                    let set = conformal::set(p, *bounds.first()?);
                    held +=
                        f64::from(u8::from(set.iter().any(|&class| class as i64 == labels[row])));
                    size += set.len() as f64;
                }
                Some([level, held / n, size / n])
            }
            Targets::Values { values, dims } if bounds.iter().all(|bound| bound.is_finite()) => {
                let numbers = n * *dims as f64;
                let places = scores.iter().enumerate();
                let held = places.filter(|(at, said)| {
                    let (row, i) = (judged.rows[at / dims], at % dims);
                    f64::from((values[row * dims + i] - **said).abs()) <= bounds[i]
                });
                let width = 2.0 * bounds.iter().sum::<f64>() / *dims as f64;
                Some([level, held.count() as f64 / numbers, width])
            }
            _ => None,
        }
    };
    let levels: Vec<[f64; 3]> = match strangeness.is_empty() {
        true => vec![],
        false => LEVELS.into_iter().filter_map(of_level).collect(),
    };
    (!levels.is_empty()).then_some(Intervals { levels })
}

impl Answered<'_> {
    /// Of a network that says numbers.
    fn regression(&self) -> RegressionStory {
        RegressionStory { points: self.points(), most_wrong: self.farthest() }
    }
}
