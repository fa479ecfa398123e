//! What is told of the data and of the answers to judged rows.

use thalweg_data::random::spread;
use thalweg_data::{Encoding, Scaling, Targets};

use super::calibration::Calibration;
use super::data::{PartName, RunData};
use super::examples::{example, short};
use super::insights::{ClassificationStory, ColumnStory, Curve, Example, Insights, PartStory};
use super::judging::rankings_of_classes;
use super::model::ModelFile;
use crate::judge::curves::{Ranking, thinned};
use crate::{Classification, Part};

/// Examples that are shown.
pub(super) const EXAMPLES: usize = 12;
/// Points of a scatter plot.
const POINTS: usize = 1_000;
/// Points of a curve.
const CURVE: usize = 200;
/// Classes that have curves.
const CURVES: usize = 10;
/// Classes that are named where targets are described.
const NAMED: usize = 6;
/// The stream of the choice of points.
const STREAM: u64 = 11 << 60;

/// Answers to judged rows.
pub(super) struct Answered<'a> {
    pub(super) data: &'a RunData,
    pub(super) part: &'a Part<'a>,
    pub(super) scores: &'a [f32],
    pub(super) calibration: &'a Calibration,
}

/// What was learned from.
pub(super) fn data(insights: &mut Insights, model: &ModelFile, data: &RunData, scaling: &Scaling) {
    let story = &mut insights.data;
    story.name.clone_from(&data.learn.name);
    story.target.clone_from(&model.target);
    story.notes.clone_from(&data.notes);
    story.attribution = data.attribution.map(str::to_owned);
    let column = |column: &thalweg_data::tabular::ColumnReport| ColumnStory {
        name: column.name.clone(),
        kind: column.kind.clone(),
        reason: column.reason.clone(),
        missing: column.missing,
        content: column.content.clone(),
    };
    story.columns = data.columns.iter().map(column).collect();
    let parts = [("train", PartName::Train), ("valid", PartName::Valid), ("test", PartName::Test)];
    let part = |(name, part): (&str, PartName)| {
        let part = data.part(part, scaling)?;
        let (rows, targets) = (part.rows.len(), distribution(&part));
        Some(PartStory { name: name.into(), rows, targets })
    };
    story.parts = parts.into_iter().filter_map(part).collect();
}

/// How the targets of a part are distributed, in words.
pub(super) fn distribution(part: &Part) -> String {
    let n = part.rows.len().max(1) as f64;
    let shares = |names: &[String], counts: Vec<usize>| {
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_by_key(|&class| std::cmp::Reverse(counts[class]));
        let share =
            |&class: &usize| format!("{} {:.1} %", names[class], 100.0 * counts[class] as f64 / n);
        let more = match names.len() {
            0..=NAMED => String::new(),
            all => format!(", {} more", all - NAMED),
        };
        order.iter().take(NAMED).map(share).collect::<Vec<_>>().join(", ") + &more
    };
    match &part.data.targets {
        Targets::Classes { labels, names } => {
            let mut counts = vec![0; names.len()];
            part.rows.iter().for_each(|&row| counts[labels[row] as usize] += 1);
            shares(names, counts)
        }
        Targets::Labels { flags, names } => {
            let mut counts = vec![0; names.len()];
            for row in part.rows {
                let flags = &flags[row * names.len()..(row + 1) * names.len()];
                counts.iter_mut().zip(flags).for_each(|(count, &flag)| *count += usize::from(flag));
            }
            shares(names, counts)
        }
        Targets::Values { values, dims } => {
            let all = || part.rows.iter().flat_map(|row| &values[row * dims..(row + 1) * dims]);
            let (mut sum, mut least, mut most) = (0.0, f32::INFINITY, f32::NEG_INFINITY);
            for &x in all() {
                sum += f64::from(x);
                (least, most) = (least.min(x), most.max(x));
            }
            let numbers = n * *dims as f64;
            let mean = sum / numbers;
            let square = all().map(|&x| (f64::from(x) - mean) * (f64::from(x) - mean));
            let deviation = (square.sum::<f64>() / numbers).sqrt();
            let [mean, deviation, least, most] =
                [mean, deviation, f64::from(least), f64::from(most)].map(short);
            format!("mean {mean}, deviation {deviation}, {least} … {most}")
        }
        Targets::Sequence { .. } => String::new(),
    }
}

/// The places of which `badness` is greatest, at most [`EXAMPLES`], the worst first, of equals the first.
pub(super) fn worst(
    places: impl Iterator<Item = usize>,
    badness: impl Fn(usize) -> f64,
) -> Vec<usize> {
    let mut places: Vec<usize> = places.collect();
    let worse = |a: &usize, b: &usize| badness(*b).total_cmp(&badness(*a)).then(a.cmp(b));
    if places.len() > EXAMPLES {
        places.select_nth_unstable_by(EXAMPLES, worse);
        places.truncate(EXAMPLES);
    }
    places.sort_unstable_by(worse);
    places
}

/// A curve of each ranking, of the first few.
pub(super) fn curves(
    rankings: &[(usize, Ranking)],
    names: &[String],
    points: fn(&Ranking) -> Vec<[f64; 2]>,
    area: fn(&Ranking) -> f64,
) -> Vec<Curve> {
    let curve = |(which, ranking): &(usize, Ranking)| Curve {
        class: names[*which].clone(),
        points: thinned(points(ranking), CURVE),
        area: area(ranking),
    };
    rankings.iter().take(CURVES).map(curve).collect()
}

impl Answered<'_> {
    /// Confusion, scores of each class, curves, and rows to look at.
    pub(super) fn classification(&self, scores: &Classification) -> ClassificationStory {
        let Targets::Classes { labels, names } = &self.part.data.targets else {
            return ClassificationStory::default();
        };
        let labels: Vec<i64> = self.part.rows.iter().map(|&row| labels[row]).collect();
        let classes = names.len();
        let p = self.calibration.probabilities(self.scores, classes);
        let rankings = rankings_of_classes(&p, classes, &labels);
        let shown = |place: usize| {
            let row = &p[place * classes..(place + 1) * classes];
            let said = self.calibration.said(row);
            Example {
                truth: names.get(labels[place] as usize).cloned().unwrap_or_default(),
                said: names[said].clone(),
                probability: row[said],
                ..self.example(place)
            }
        };
        // The most wrong are those that gave the truth the least probability.
        let of_truth = |place: usize| p[place * classes + labels[place] as usize];
        let wrong = |&place: &usize| {
            self.calibration.said(&p[place * classes..(place + 1) * classes]) as i64
                != labels[place]
        };
        let most_wrong = worst((0..labels.len()).filter(wrong), |place| -of_truth(place));
        let showable = matches!(
            self.data.encoding,
            Encoding::Images(_) | Encoding::Values | Encoding::Text(_)
        );
        let samples = if showable { labels.len().min(EXAMPLES) } else { 0 };
        ClassificationStory {
            classes: names.clone(),
            confusion: (scores.confusion.iter())
                .map(|row| row.iter().map(|&n| n as usize).collect())
                .collect(),
            per_class: (scores.classes.iter())
                .map(|class| [class.precision, class.recall, class.f1, class.support as f64])
                .collect(),
            most_wrong: most_wrong.into_iter().map(shown).collect(),
            samples: (0..samples).map(shown).collect(),
            roc: curves(&rankings, names, Ranking::roc, Ranking::auc),
            precision_recall: curves(
                &rankings,
                names,
                Ranking::precision_recall,
                Ranking::average_precision,
            ),
            calibration: None,
            threshold: None,
        }
    }

    /// Truth and what was said of the first number of some rows.
    pub(super) fn points(&self) -> Vec<[f64; 2]> {
        let Targets::Values { values, dims } = &self.part.data.targets else { return vec![] };
        let places = spread(0, STREAM, POINTS, self.part.rows.len());
        let point = |place: usize| {
            let truth = values[self.part.rows[place] * dims];
            [f64::from(truth), f64::from(self.scores[place * dims])]
        };
        places.into_iter().map(point).collect()
    }

    /// The rows of which the first number was missed by most.
    pub(super) fn farthest(&self) -> Vec<Example> {
        let Targets::Values { values, dims } = &self.part.data.targets else { return vec![] };
        let pair = |place: usize| {
            [values[self.part.rows[place] * dims], self.scores[place * dims]].map(f64::from)
        };
        let error = |place: usize| {
            let [truth, said] = pair(place);
            (truth - said).abs()
        };
        let shown = |place: usize| {
            let [truth, said] = pair(place).map(short);
            Example { truth, said, ..self.example(place) }
        };
        worst(0..self.part.rows.len(), error).into_iter().map(shown).collect()
    }

    pub(super) fn example(&self, place: usize) -> Example {
        let row = self.part.rows[place];
        Example { row: place, ..example(&self.data.encoding, self.part.data, row) }
    }
}
