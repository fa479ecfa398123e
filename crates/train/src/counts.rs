//! What is counted while a network is measured.

use thalweg_data::Targets;
use thalweg_graph::Value;

use crate::goal::{Goal, Kind};
use crate::metrics::{
    ClassCounts, LabelCounts, Metrics, PlaceCounts, Reconstruction, RegressionSums,
};
use crate::part::Part;
use crate::programs::Compiled;

/// Counts and sums of whatever the targets are.
pub(crate) enum Counts {
    Classes(ClassCounts),
    Labels(LabelCounts),
    Values(RegressionSums),
    Places(PlaceCounts),
    /// Of samples that were to be reconstructed.
    Inputs {
        rows: u64,
        numbers: u64,
        squares: f64,
    },
}

impl Counts {
    pub(crate) fn new(goal: &Goal, part: &Part) -> Counts {
        match (goal.kind, &part.data.targets) {
            (Kind::Inputs(_), _) => Counts::Inputs { rows: 0, numbers: 0, squares: 0.0 },
            (Kind::Classes(classes), _) => Counts::Classes(ClassCounts::new(classes)),
            (Kind::Sequence { classes, .. }, _) => Counts::Places(PlaceCounts::new(classes)),
            (Kind::Labels(labels), _) => Counts::Labels(LabelCounts::new(labels)),
            (Kind::Values(_), Targets::Values { values, dims }) => {
                let mean = |i| {
                    let column = part.rows.iter().map(|row| f64::from(values[row * dims + i]));
                    column.sum::<f64>() / part.rows.len() as f64
                };
                let means: Vec<f64> = (0..*dims).map(mean).collect();
                Counts::Values(RegressionSums::new(&means))
            }
            (Kind::Values(dims), _) => Counts::Values(RegressionSums::new(&vec![0.0; dims])),
        }
    }

    /// Adds the rows that `compiled` was fed, of which the network says `scores`.
    pub(crate) fn add(&mut self, scores: &Value, compiled: &Compiled) {
        let scores = scores.as_slice().unwrap_or_default();
        let labels = || compiled.y.as_slice().unwrap_or_default();
        match self {
            Counts::Classes(counts) => counts.add(scores, labels()),
            Counts::Labels(counts) => counts.add(scores, compiled.y.as_slice().unwrap_or_default()),
            Counts::Places(counts) => counts.add(scores, labels(), compiled.x.shape()[0]),
            Counts::Values(sums) => sums.add(scores, compiled.y.as_slice().unwrap_or_default()),
            Counts::Inputs { rows, numbers, squares } => {
                let truth: &[f32] = compiled.x.as_slice().unwrap_or_default();
                let square = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).powi(2);
                *rows += compiled.x.shape()[0] as u64;
                *numbers += truth.len() as u64;
                *squares += scores.iter().zip(truth).map(square).sum::<f64>();
            }
        }
    }

    pub(crate) fn finish(&self, loss: f64) -> Metrics {
        match self {
            Counts::Classes(counts) => Metrics::Classification(counts.finish(loss)),
            Counts::Labels(counts) => Metrics::Labels(counts.finish(loss)),
            Counts::Values(sums) => Metrics::Regression(sums.finish(loss)),
            Counts::Places(counts) => Metrics::Sequences(counts.finish(loss)),
            Counts::Inputs { rows, numbers, squares } => {
                let rmse = (squares / *numbers as f64).sqrt();
                Metrics::Reconstruction(Reconstruction { rows: *rows, loss, rmse })
            }
        }
    }
}
