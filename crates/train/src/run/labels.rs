//! How a network is judged that says which labels hold: with its temperature and its thresholds.

use thalweg_data::{Encoding, Targets};

use super::calibration::{Calibration, column, holding};
use super::insights::{CalibrationStory, Example, Intervals, LabelStory, LabelsStory};
use super::judging::{mean_area, rankings};
use super::stories::{Answered, EXAMPLES, curves, worst};
use crate::judge::calibration::{bins, expected_error, of_truth, shares, surprise};
use crate::judge::curves::Ranking;
use crate::judge::threshold;
use crate::{LabelCounts, LabelScores, Labels, Part, Probabilities};

/// The probability of the sets that are looked at label by label.
const LEVEL: f64 = 0.9;

/// Counts what is said with the thresholds.
pub(super) fn count(
    counts: &mut LabelCounts,
    probabilities: &[f64],
    truth: &[bool],
    labels: usize,
    calibration: &Calibration,
) {
    let sign = |yes: bool| if yes { 1.0 } else { -1.0 };
    let said = probabilities.iter().enumerate();
    let said = said.map(|(at, &p)| sign(p > calibration.threshold_of(at % labels.max(1))));
    let truth: Vec<f32> = truth.iter().map(|&holds| f32::from(u8::from(holds))).collect();
    counts.add(&said.collect::<Vec<f32>>(), &truth);
}

/// The metrics of all labels with the thresholds, and how good the probabilities are. `plain`: at 0.5.
pub(super) fn refined(
    plain: Labels,
    logits: &[f32],
    part: &Part,
    calibration: &Calibration,
) -> Labels {
    let (labels, truth) = (plain.classes.len(), holding(part));
    let p = calibration.shares(logits);
    let other = !calibration.thresholds.is_empty();
    let mut found = plain.clone();
    if other {
        let mut counts = LabelCounts::new(labels);
        count(&mut counts, &p, &truth, labels, calibration);
        found = counts.finish(plain.loss);
    }
    let rankings = ranked(&p, &truth, labels);
    for (label, scores) in found.classes.iter_mut().enumerate() {
        scores.threshold = calibration.threshold_of(label);
    }
    for (label, ranking) in &rankings {
        found.classes[*label].auc = Some(ranking.auc());
        found.classes[*label].average_precision = Some(ranking.average_precision());
    }
    let n = truth.len().max(1) as f64;
    let each = || p.iter().zip(&truth).map(|(&p, &holds)| of_truth(p, holds));
    found.probabilities = Some(Probabilities {
        auc: mean_area(&rankings, Ranking::auc),
        average_precision: mean_area(&rankings, Ranking::average_precision),
        loss_calibrated: each().map(surprise).sum::<f64>() / n,
        brier: each().map(|p| (1.0 - p) * (1.0 - p)).sum::<f64>() / n,
        calibration_error: expected_error(&bins(&p, &truth)),
        threshold: None,
        accuracy_at_half: other.then_some(plain.accuracy),
        f1_micro_at_half: other.then_some(plain.f1_micro),
        f1_macro_at_half: other.then_some(plain.f1_macro),
    });
    found
}

/// How well the rows are ranked that have a label, label by label.
fn ranked(p: &[f64], truth: &[bool], labels: usize) -> Vec<(usize, Ranking)> {
    rankings(0..labels, p.len() / labels.max(1), |label| column(p, truth, labels, label))
}

/// How often the sets hold the labels that hold, and how large they are.
pub(super) fn intervals(
    levels: &[f64],
    calibration: &Calibration,
    judged: &Part,
    logits: &[f32],
) -> Option<Intervals> {
    let Targets::Labels { names, .. } = &judged.data.targets else { return None };
    if calibration.is_none() {
        return None;
    }
    let (p, truth) = (calibration.shares(logits), holding(judged));
    let of_level = |&level: &f64| {
        let counts = held(&p, &truth, names.len(), calibration, level);
        let sum = |i: usize| counts.iter().map(|counts| counts[i]).sum::<u64>() as f64;
        [level, sum(0) / sum(1), sum(2) / judged.rows.len() as f64]
    };
    let levels: Vec<[f64; 3]> = levels.iter().map(of_level).collect();
    levels.iter().all(|[_, held, _]| held.is_finite()).then_some(Intervals { levels })
}

/// For each label: rows that have it and whose set holds it, rows that have it, rows whose set holds it.
fn held(
    p: &[f64],
    truth: &[bool],
    labels: usize,
    calibration: &Calibration,
    level: f64,
) -> Vec<[u64; 3]> {
    let mut counts = vec![[0; 3]; labels];
    for (p, truth) in p.chunks_exact(labels.max(1)).zip(truth.chunks_exact(labels.max(1))) {
        for label in calibration.holding_set(p, level) {
            counts[label][0] += u64::from(truth[label]);
            counts[label][2] += 1;
        }
        counts.iter_mut().zip(truth).for_each(|(c, &holds)| c[1] += u64::from(holds));
    }
    counts
}

impl Answered<'_> {
    /// Scores of each label, curves, and rows to look at.
    pub(super) fn labels(&self, scores: &Labels) -> LabelsStory {
        let Targets::Labels { names, .. } = &self.part.data.targets else {
            return LabelsStory::default();
        };
        let (labels, truth) = (names.len(), holding(self.part));
        let p = self.calibration.shares(self.scores);
        let rankings = ranked(&p, &truth, labels);
        let row = |place: usize| place * labels..(place + 1) * labels;
        let list = |labels: Vec<usize>| {
            let named: Vec<&str> = labels.iter().map(|&label| names[label].as_str()).collect();
            if named.is_empty() { "none".into() } else { named.join(", ") }
        };
        let shown = |place: usize| {
            let truth = &truth[row(place)];
            Example {
                truth: list((0..labels).filter(|&label| truth[label]).collect()),
                said: list(self.calibration.holding(&p[row(place)])),
                ..self.example(place)
            }
        };
        // The most wrong are those whose labels, all together, were the least likely to it.
        let loss = |place: usize| {
            let answers = p[row(place)].iter().zip(&truth[row(place)]);
            answers.map(|(&p, &holds)| surprise(of_truth(p, holds))).sum::<f64>()
        };
        let losses: Vec<f64> = (0..self.part.rows.len()).map(loss).collect();
        let wrong = |&place: &usize| {
            let said = self.calibration.holding(&p[row(place)]);
            let known = &truth[row(place)];
            said.len() != known.iter().filter(|&&holds| holds).count()
                || said.iter().any(|&label| !known[label])
        };
        let most_wrong = worst((0..losses.len()).filter(wrong), |place| losses[place]);
        let showable = matches!(self.data.encoding, Encoding::Images(_) | Encoding::Text(_));
        let samples = if showable { losses.len().min(EXAMPLES) } else { 0 };
        let reliability = |p: &[f64]| bins(p, &truth);
        let (before, after) = (reliability(&shares(self.scores, 1.0)), reliability(&p));
        let metric = self.calibration.metric;
        let held = held(&p, &truth, labels, self.calibration, LEVEL);
        let label = |(label, scores): (usize, &LabelScores)| {
            let (p, truth) = column(&p, &truth, labels, label);
            let at = |threshold| threshold::value(metric, &p, &truth, threshold);
            let [hits, holding, _] = held[label];
            let judged = holding > 0 && !self.calibration.is_none();
            LabelStory {
                name: names[label].clone(),
                scores: *scores,
                at_value: at(scores.threshold),
                at_half: at(0.5),
                held: judged.then(|| hits as f64 / holding as f64),
            }
        };
        LabelsStory {
            labels: scores.classes.iter().enumerate().map(label).collect(),
            most_wrong: most_wrong.into_iter().map(shown).collect(),
            samples: (0..samples).map(shown).collect(),
            roc: curves(&rankings, names, Ranking::roc, Ranking::auc),
            precision_recall: curves(
                &rankings,
                names,
                Ranking::precision_recall,
                Ranking::average_precision,
            ),
            calibration: Some(CalibrationStory {
                temperature: f64::from(self.calibration.temperature),
                error_before: expected_error(&before),
                error_after: expected_error(&after),
                before,
                after,
            }),
            metric: metric.name().into(),
        }
    }
}
