//! Metrics of multi-label targets, as scikit-learn has them for indicator matrices with `zero_division=0`.

use serde::{Deserialize, Serialize};

use super::{ClassScores, share};

/// How well labels are predicted, of which any number may hold for a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Labels {
    /// Rows measured on.
    pub rows: u64,
    /// The loss over all rows and labels, without penalties.
    pub loss: f64,
    /// The share of rows of which every label is right (subset accuracy).
    pub accuracy: f64,
    /// The share of single answers that are wrong (Hamming loss).
    pub hamming: f64,
    /// 2·TP/(2·TP + FP + FN) of all labels together.
    pub f1_micro: f64,
    /// The mean F1 of the labels.
    pub f1_macro: f64,
    /// Label by label.
    #[serde(default)]
    pub classes: Vec<ClassScores>,
}

/// Counts of multi-label answers, to which any number of batches is added.
#[derive(Clone, Debug)]
pub struct LabelCounts {
    rows: u64,
    exact: u64,
    /// For each label: hits, said, true.
    labels: Vec<[u64; 3]>,
}

impl LabelCounts {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(labels: usize) -> LabelCounts {
        LabelCounts { rows: 0, exact: 0, labels: vec![[0; 3]; labels] }
    }

    /// Counts rows, both row-major `[rows, labels]`: a label is predicted where its score (logit) is above 0, and true
    /// where `truth` is.
    pub fn add(&mut self, scores: &[f32], truth: &[f32]) {
        let labels = self.labels.len().max(1);
        for (scores, truth) in scores.chunks_exact(labels).zip(truth.chunks_exact(labels)) {
            self.rows += 1;
            let mut exact = true;
            for ((counts, &score), &truth) in self.labels.iter_mut().zip(scores).zip(truth) {
                let (said, holds) = (score > 0.0, truth > 0.0);
                counts[0] += u64::from(said && holds);
                counts[1] += u64::from(said);
                counts[2] += u64::from(holds);
                exact &= said == holds;
            }
            self.exact += u64::from(exact);
        }
    }

    /// The metrics of the rows so far, whose loss is `loss`.
    #[must_use]
    pub fn finish(&self, loss: f64) -> Labels {
        let scores = |&[hits, said, support]: &[u64; 3]| ClassScores {
            precision: share(hits, said),
            recall: share(hits, support),
            f1: share(2 * hits, said + support),
            support,
        };
        let classes: Vec<ClassScores> = self.labels.iter().map(scores).collect();
        let all =
            self.labels.iter().fold([0; 3], |sum, counts| [0, 1, 2].map(|i| sum[i] + counts[i]));
        let wrong = all[1] + all[2] - 2 * all[0];
        Labels {
            rows: self.rows,
            loss,
            accuracy: share(self.exact, self.rows),
            hamming: share(wrong, self.rows * self.labels.len() as u64),
            f1_micro: scores(&all).f1,
            f1_macro: classes.iter().map(|class| class.f1).sum::<f64>()
                / classes.len().max(1) as f64,
            classes,
        }
    }
}
