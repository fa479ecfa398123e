//! Metrics: exact, from counts in `u64` and sums in `f64`.

mod labels;

use serde::{Deserialize, Serialize};

pub use labels::{LabelCounts, LabelScores, Labels};

/// How well a network does on some rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Metrics {
    /// Targets are classes.
    Classification(Classification),
    /// Targets are any number of labels.
    Labels(Labels),
    /// Targets are numbers.
    Regression(Regression),
    /// Targets are classes at the places of sequences.
    Sequences(Sequences),
    /// Targets are the samples themselves.
    Reconstruction(Reconstruction),
}

/// How well classes are predicted. Where a share has nothing to be a share of, it is 0, as in scikit-learn with
/// `zero_division=0` and all classes as `labels`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Classification {
    /// Rows measured on.
    pub rows: u64,
    /// The loss over all rows, without penalties.
    pub loss: f64,
    /// The share of rows whose class was predicted.
    pub accuracy: f64,
    /// The share of rows whose class is among the five with the highest scores; only with more than five classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top5_accuracy: Option<f64>,
    /// The mean precision of all classes.
    pub precision_macro: f64,
    /// The mean recall of all classes.
    pub recall_macro: f64,
    /// The mean F1 of all classes.
    pub f1_macro: f64,
    /// Class by class.
    #[serde(default)]
    pub classes: Vec<ClassScores>,
    /// How many rows of class i (row) were predicted as class j (column).
    #[serde(default)]
    pub confusion: Vec<Vec<u64>>,
    /// How good the probabilities are, where they were looked at.
    #[serde(flatten)]
    pub probabilities: Option<Probabilities>,
}

/// How good the probabilities of classes or of labels are, whatever is then said.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probabilities {
    /// The area under the ROC curve: of two classes of the second, of more the mean of each class against the others
    /// that there are rows to tell from, of labels the mean over labels likewise. Absent where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auc: Option<f64>,
    /// Average precision, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_precision: Option<f64>,
    /// The mean −ln p of the truth over rows (and labels), with the temperature; `loss` is without.
    pub loss_calibrated: f64,
    /// The Brier score, with the temperature.
    pub brier: f64,
    /// The expected calibration error over 15 bins, with the temperature.
    pub calibration_error: f64,
    /// From more than which probability on the second of two classes was said, where that is not 0.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// The accuracy at 0.5, where the threshold, or that of some label, is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy_at_half: Option<f64>,
    /// Of labels, the micro F1 at 0.5, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub f1_micro_at_half: Option<f64>,
    /// Of labels, the macro F1 at 0.5, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub f1_macro_at_half: Option<f64>,
}

/// How well one class is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// Of the rows predicted as this class, the share that are of it: TP/(TP + FP).
    pub precision: f64,
    /// Of the rows of this class, the share that is predicted so: TP/(TP + FN).
    pub recall: f64,
    /// 2·TP/(2·TP + FP + FN).
    pub f1: f64,
    /// Rows of this class.
    pub support: u64,
}

/// How well numbers are predicted; with several in a row, means over all of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Regression {
    /// Rows measured on.
    pub rows: u64,
    /// The loss over all rows, without penalties.
    pub loss: f64,
    /// √mse.
    pub rmse: f64,
    /// The mean squared error.
    pub mse: f64,
    /// The mean absolute error.
    pub mae: f64,
    /// 1 − Σ(y − ŷ)²/Σ(y − ȳ)², for each number of a row, then their mean, as scikit-learn's `r2_score`. Where the
    /// truth does not vary it is 1 for a perfect prediction and else 0.
    pub r2: f64,
}

/// How well the classes of places are predicted: of the next letter or word, of tags. Places that are ignored (padding)
/// count nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sequences {
    /// Rows measured on.
    pub rows: u64,
    /// Places measured on.
    pub places: u64,
    /// The loss over all places, without penalties.
    pub loss: f64,
    /// The share of places whose class was predicted.
    pub accuracy: f64,
    /// e^loss: of a language model the number of tokens between which it is undecided, as if they were equally likely.
    pub perplexity: f64,
    /// loss/ln 2; where a token is a character, the bits per character.
    pub bits_per_token: f64,
}

/// How well samples are put together again.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reconstruction {
    /// Rows measured on.
    pub rows: u64,
    /// The loss over all rows, without penalties.
    pub loss: f64,
    /// √ of the mean squared difference between what came out and what went in, as it is scaled for the network.
    pub rmse: f64,
}

impl Metrics {
    /// Rows measured on.
    pub fn rows(&self) -> u64 {
        match self {
            Metrics::Classification(scores) => scores.rows,
            Metrics::Labels(scores) => scores.rows,
            Metrics::Regression(scores) => scores.rows,
            Metrics::Sequences(scores) => scores.rows,
            Metrics::Reconstruction(scores) => scores.rows,
        }
    }

    /// The loss over all rows, without penalties.
    pub fn loss(&self) -> f64 {
        match self {
            Metrics::Classification(scores) => scores.loss,
            Metrics::Labels(scores) => scores.loss,
            Metrics::Regression(scores) => scores.loss,
            Metrics::Sequences(scores) => scores.loss,
            Metrics::Reconstruction(scores) => scores.loss,
        }
    }

    /// The same without what is told class by class.
    #[must_use]
    pub(crate) fn figures(&self) -> Metrics {
        match self {
            Metrics::Classification(scores) => {
                let scores = scores.clone();
                Metrics::Classification(Classification {
                    classes: vec![],
                    confusion: vec![],
                    ..scores
                })
            }
            Metrics::Labels(scores) => {
                Metrics::Labels(Labels { classes: vec![], ..scores.clone() })
            }
            other => other.clone(),
        }
    }

    /// The accuracy, where classes are predicted.
    pub fn accuracy(&self) -> Option<f64> {
        match self {
            Metrics::Classification(scores) => Some(scores.accuracy),
            Metrics::Labels(scores) => Some(scores.accuracy),
            Metrics::Sequences(scores) => Some(scores.accuracy),
            Metrics::Regression(_) | Metrics::Reconstruction(_) => None,
        }
    }
}

/// Counts for a classification, to which any number of batches is added.
#[derive(Clone, Debug)]
pub struct ClassCounts {
    classes: usize,
    /// Row-major: truth, prediction.
    confusion: Vec<u64>,
    /// Rows whose class is among the five with the highest scores.
    top5: u64,
}

impl ClassCounts {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(classes: usize) -> ClassCounts {
        ClassCounts { classes, confusion: vec![0; classes * classes], top5: 0 }
    }

    /// Counts rows: `scores` is row-major `[rows, classes]`, `labels` the truth. Of equal scores the class that
    /// comes first wins; a NaN counts as the highest, as for `argmax`. A label that is no class is passed over.
    pub fn add(&mut self, scores: &[f32], labels: &[i64]) {
        for (scores, &label) in scores.chunks_exact(self.classes.max(1)).zip(labels) {
            let Some(label) = usize::try_from(label).ok().filter(|&label| label < self.classes)
            else {
                continue;
            };
            self.confusion[label * self.classes + highest(scores)] += 1;
            let before = (0..scores.len()).filter(|&class| match class < label {
                true => !higher(scores[label], scores[class]),
                false => higher(scores[class], scores[label]),
            });
            self.top5 += u64::from(before.count() < 5);
        }
    }

    /// The metrics of the rows so far, whose loss is `loss`.
    #[must_use]
    pub fn finish(&self, loss: f64) -> Classification {
        let confusion: Vec<Vec<u64>> =
            self.confusion.chunks(self.classes.max(1)).map(<[u64]>::to_vec).collect();
        let classes: Vec<ClassScores> = (0..self.classes)
            .map(|class| {
                let hits = confusion[class][class];
                let support = confusion[class].iter().sum();
                let predicted: u64 = confusion.iter().map(|row| row[class]).sum();
                ClassScores {
                    precision: share(hits, predicted),
                    recall: share(hits, support),
                    f1: share(2 * hits, predicted + support),
                    support,
                }
            })
            .collect();
        let rows = classes.iter().map(|class| class.support).sum();
        let hits = (0..self.classes).map(|class| confusion[class][class]).sum();
        let mean = |score: fn(&ClassScores) -> f64| {
            classes.iter().map(score).sum::<f64>() / classes.len() as f64
        };
        Classification {
            rows,
            loss,
            accuracy: share(hits, rows),
            top5_accuracy: (self.classes > 5).then(|| share(self.top5, rows)),
            precision_macro: mean(|class| class.precision),
            recall_macro: mean(|class| class.recall),
            f1_macro: mean(|class| class.f1),
            classes,
            confusion,
            probabilities: None,
        }
    }
}

/// Counts over the places of sequences, to which any number of batches is added.
#[derive(Clone, Copy, Debug)]
pub struct PlaceCounts {
    classes: usize,
    rows: u64,
    places: u64,
    hits: u64,
}

impl PlaceCounts {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(classes: usize) -> PlaceCounts {
        PlaceCounts { classes, rows: 0, places: 0, hits: 0 }
    }

    /// Counts the places of `rows` rows: `scores` is row-major `[places, classes]`, `labels` the truth. The predicted
    /// class is chosen as by [`ClassCounts::add`], and a label that is no class is passed over.
    pub fn add(&mut self, scores: &[f32], labels: &[i64], rows: usize) {
        self.rows += rows as u64;
        for (scores, &label) in scores.chunks_exact(self.classes.max(1)).zip(labels) {
            if usize::try_from(label).is_ok_and(|label| label < self.classes) {
                self.places += 1;
                self.hits += u64::from(highest(scores) as i64 == label);
            }
        }
    }

    /// The metrics of the places so far, whose loss is `loss`.
    #[must_use]
    pub fn finish(&self, loss: f64) -> Sequences {
        Sequences {
            rows: self.rows,
            places: self.places,
            loss,
            accuracy: share(self.hits, self.places),
            perplexity: libm::exp(loss),
            bits_per_token: loss / std::f64::consts::LN_2,
        }
    }
}

/// The place of the greatest score, the first of equals.
fn highest(scores: &[f32]) -> usize {
    (1..scores.len()).fold(
        0,
        |best, class| {
            if higher(scores[class], scores[best]) { class } else { best }
        },
    )
}

fn higher(a: f32, b: f32) -> bool {
    a > b || (a.is_nan() && !b.is_nan())
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Sums for a regression, to which any number of batches is added.
#[derive(Clone, Debug)]
pub struct RegressionSums {
    rows: u64,
    absolute: f64,
    /// For each number of a row: the mean of the truth, Σ(y − ŷ)² and Σ(y − ȳ)².
    columns: Vec<Column>,
}

#[derive(Clone, Copy, Debug)]
struct Column {
    mean: f64,
    residual: f64,
    total: f64,
}

impl RegressionSums {
    /// Nothing added yet; `means` are those of the truth over all rows that will be added, one for each number of a
    /// row. They are needed beforehand so that Σ(y − ȳ)² loses no digits.
    #[must_use]
    pub fn new(means: &[f64]) -> RegressionSums {
        let column = |&mean| Column { mean, residual: 0.0, total: 0.0 };
        RegressionSums { rows: 0, absolute: 0.0, columns: means.iter().map(column).collect() }
    }

    /// Adds rows; both are row-major `[rows, dims]`.
    pub fn add(&mut self, prediction: &[f32], truth: &[f32]) {
        let dims = self.columns.len().max(1);
        self.rows += (truth.len() / dims) as u64;
        for (i, (&p, &y)) in prediction.iter().zip(truth).enumerate() {
            let (p, y) = (f64::from(p), f64::from(y));
            let column = &mut self.columns[i % dims];
            column.residual += (y - p) * (y - p);
            column.total += (y - column.mean) * (y - column.mean);
            self.absolute += (y - p).abs();
        }
    }

    /// The metrics of the rows so far, whose loss is `loss`.
    #[must_use]
    pub fn finish(&self, loss: f64) -> Regression {
        let numbers = self.rows as f64 * self.columns.len() as f64;
        let residual: f64 = self.columns.iter().map(|column| column.residual).sum();
        let mse = residual / numbers;
        let r2 = |column: &Column| match (column.residual == 0.0, column.total == 0.0) {
            (true, true) => 1.0,
            (false, true) => 0.0,
            _ => 1.0 - column.residual / column.total,
        };
        Regression {
            rows: self.rows,
            loss,
            rmse: mse.sqrt(),
            mse,
            mae: self.absolute / numbers,
            r2: self.columns.iter().map(r2).sum::<f64>() / self.columns.len() as f64,
        }
    }
}
