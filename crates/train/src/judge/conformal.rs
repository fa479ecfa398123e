//! Sets of classes and intervals of numbers that hold the truth with a probability that is asked for: split conformal
//! prediction (Vovk et al. 2005). Where new rows come from where the calibration rows came from, the truth is held with at
//! least this probability, however bad the network is; a bad network only makes sets and intervals large.

use serde::{Deserialize, Serialize};

/// Scores that are kept.
const KEPT: usize = 500;

/// How strange the truth was to the network on rows that it did not learn from, in rising order; of many rows every so
/// many is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Strangeness {
    /// How many rows there were.
    pub rows: usize,
    /// Of k scores kept, number i (from 1) is the ⌈i·rows/k⌉-th least.
    pub scores: Vec<f32>,
}

impl Strangeness {
    /// Of the scores of all rows.
    #[must_use]
    pub fn new(mut scores: Vec<f32>) -> Strangeness {
        scores.sort_unstable_by(f32::total_cmp);
        let (rows, kept) = (scores.len(), scores.len().min(KEPT));
        let rank = |i: usize| (i * rows).div_ceil(kept);
        Strangeness { rows, scores: (1..=kept).map(|i| scores[rank(i) - 1]).collect() }
    }

    /// Of classes: 1 − the probability of the truth, row by row (Sadinle et al. 2019, least ambiguous sets).
    #[must_use]
    pub fn of_classes(probabilities: &[f64], classes: usize, labels: &[i64]) -> Strangeness {
        let rows = probabilities.chunks_exact(classes.max(1)).zip(labels);
        let score = |(row, &label): (&[f64], &i64)| {
            let p = usize::try_from(label).ok().and_then(|label| row.get(label)).copied();
            (1.0 - p.unwrap_or(0.0)) as f32
        };
        Strangeness::new(rows.map(score).collect())
    }

    /// Of one label among any number of them: 1 − its probability, of those rows that have it (Vovk et al. 2005, label-conditional,
    /// as class by class in Angelopoulos and Bates 2021, §4.2). A new row that has the label is no stranger than
    /// [`Strangeness::bound`] with at least the probability asked for.
    #[must_use]
    pub fn of_label(
        probabilities: &[f64],
        labels: usize,
        truth: &[bool],
        label: usize,
    ) -> Strangeness {
        let answers = probabilities.iter().zip(truth).skip(label).step_by(labels.max(1));
        let strange = answers.filter(|(_, holds)| **holds).map(|(p, _)| (1.0 - p) as f32);
        Strangeness::new(strange.collect())
    }

    /// What the truth of a new row is stranger than with a probability of at most 1 − `level`: the ⌈(n + 1)·level⌉-th least
    /// score; infinite where so few rows cannot promise so much.
    #[must_use]
    pub fn bound(&self, level: f64) -> f64 {
        let rank = ((self.rows as f64 + 1.0) * level - 1e-9).ceil().max(1.0) as usize;
        if rank > self.rows || self.scores.is_empty() {
            return f64::INFINITY;
        }
        // The first one kept whose rank is not less.
        let place = (rank * self.scores.len()).div_ceil(self.rows);
        f64::from(self.scores[place.clamp(1, self.scores.len()) - 1])
    }
}

/// The classes that are not stranger than `bound`, the likeliest of all always among them, in their order.
#[must_use]
pub fn set(probabilities: &[f64], bound: f64) -> Vec<usize> {
    let said = super::calibration::largest(probabilities);
    let held =
        |&class: &usize| class == said || f64::from((1.0 - probabilities[class]) as f32) <= bound;
    (0..probabilities.len()).filter(held).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_exact_for_few_rows_and_careful_for_many() {
        let few = Strangeness::new((1..=99).rev().map(|i| i as f32).collect());
        assert_eq!((few.bound(0.9), few.bound(0.5), few.bound(0.99)), (90.0, 50.0, 99.0));
        assert_eq!(few.bound(0.995), f64::INFINITY);
        let many = Strangeness::new((1..=9_999).map(|i| i as f32).collect());
        assert_eq!((many.rows, many.scores.len()), (9_999, 500));
        // Never less than the exact rank, and not by more than a step of what is kept.
        for level in [0.5, 0.8, 0.9, 0.95, 0.9999] {
            let (exact, bound) = (f64::round(10_000.0 * level), many.bound(level));
            assert!(bound >= exact && bound <= exact + 20.0, "{level}: {bound} against {exact}");
        }
        assert_eq!(Strangeness::new(vec![]).bound(0.5), f64::INFINITY);
    }

    #[test]
    fn sets_hold_what_is_likely_and_are_never_empty() {
        assert_eq!(set(&[0.5, 0.3, 0.2], 0.75), [0, 1]);
        assert_eq!(set(&[0.5, 0.3, 0.2], 0.1), [0]);
        assert_eq!(set(&[0.5, 0.3, 0.2], f64::INFINITY), [0, 1, 2]);
    }
}
