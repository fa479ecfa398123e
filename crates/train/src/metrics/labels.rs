//! Metrics of multi-label targets, as scikit-learn has them for indicator matrices with `zero_division=0`.

use serde::{Deserialize, Serialize};

use super::{Probabilities, share};

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
    pub classes: Vec<LabelScores>,
    /// How good the probabilities are, where they were looked at.
    #[serde(flatten)]
    pub probabilities: Option<Probabilities>,
}

/// How well one label is predicted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LabelScores {
    /// Of the rows that were said to have the label, the share that do: TP/(TP + FP).
    pub precision: f64,
    /// Of the rows that have the label, the share that was found: TP/(TP + FN).
    pub recall: f64,
    /// 2·TP/(2·TP + FP + FN).
    pub f1: f64,
    /// Rows that have it.
    pub support: u64,
    /// Their share of all rows.
    pub share: f64,
    /// The share of rows of which this label is right.
    pub accuracy: f64,
    /// From more than which probability on the label is said.
    pub threshold: f64,
    /// The area under the ROC curve; absent where the label holds for all rows or for none, or was not ranked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auc: Option<f64>,
    /// Average precision, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_precision: Option<f64>,
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
        let f1 = |[hits, said, support]: [u64; 3]| share(2 * hits, said + support);
        let wrong = |[hits, said, support]: [u64; 3]| said + support - 2 * hits;
        let scores = |&counts: &[u64; 3]| LabelScores {
            precision: share(counts[0], counts[1]),
            recall: share(counts[0], counts[2]),
            f1: f1(counts),
            support: counts[2],
            share: share(counts[2], self.rows),
            accuracy: share(self.rows - wrong(counts), self.rows),
            threshold: 0.5,
            auc: None,
            average_precision: None,
        };
        let classes: Vec<LabelScores> = self.labels.iter().map(scores).collect();
        let all =
            self.labels.iter().fold([0; 3], |sum, counts| [0, 1, 2].map(|i| sum[i] + counts[i]));
        Labels {
            rows: self.rows,
            loss,
            accuracy: share(self.exact, self.rows),
            hamming: share(wrong(all), self.rows * self.labels.len() as u64),
            f1_micro: f1(all),
            f1_macro: classes.iter().map(|class| class.f1).sum::<f64>()
                / classes.len().max(1) as f64,
            classes,
            probabilities: None,
        }
    }
}
