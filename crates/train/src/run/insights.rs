//! What a run has found out beyond its figures: `report.json`, of which the page `report.html` is made.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::LabelScores;
pub use thalweg_data::checks::{Check, Status};

/// Everything that the report shows and that is in no other file of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Insights {
    /// The command that was given, as it can be typed again.
    pub command: String,
    /// What was learned from.
    pub data: DataStory,
    /// What was looked for in the data, and found.
    pub checks: Vec<Check>,
    /// Why this network was chosen.
    pub network_reason: String,
    /// What was tried before the training.
    pub preflight: Vec<Check>,
    /// What looked unhealthy while the network learned.
    pub health: Vec<Finding>,
    /// The part that the following is measured on: `test`, or `valid` where there is no test part.
    pub judged: String,
    /// Of classifiers.
    pub classification: Option<ClassificationStory>,
    /// Of networks that say which labels hold.
    pub labels: Option<LabelsStory>,
    /// Of networks that say numbers.
    pub regression: Option<RegressionStory>,
    /// Of networks that forecast a series.
    pub forecast: Option<ForecastStory>,
    /// Of networks that put pictures together again: some, and what the network makes of them.
    pub reconstructions: Vec<ReconstructionStory>,
    /// Of language models: what it writes.
    pub text: Option<TextStory>,
    /// Of sets or intervals that are to hold the truth with a probability.
    pub intervals: Option<Intervals>,
    /// How much each column matters, the most important first.
    pub importance: Vec<Importance>,
    /// Predictors without a network beside it: name and figures as in `summary.json`, and whether the network is better.
    pub baselines: Vec<Rival>,
}

/// What was learned from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataStory {
    /// The name of the set.
    pub name: String,
    /// Where it is.
    pub path: String,
    /// What is to be said.
    pub target: String,
    /// The columns of a table.
    pub columns: Vec<ColumnStory>,
    /// The parts in the order train, valid, test.
    pub parts: Vec<PartStory>,
    /// What was done to the rows that one should know of.
    pub notes: Vec<String>,
    /// Who is to be named where the data is shown.
    pub attribution: Option<String>,
}

/// A column of a table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ColumnStory {
    /// Its name.
    pub name: String,
    /// What it was taken for: `number`, `category`, …
    pub kind: String,
    /// Why.
    pub reason: String,
    /// Cells without anything.
    pub missing: u64,
    /// What is in it, in a few words: `0 … 512, median 14.5`, `male 64 %, female 36 %`.
    pub content: String,
}

/// A part of the rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PartStory {
    /// `train`, `valid` or `test`.
    pub name: String,
    /// How many rows.
    pub rows: usize,
    /// How the targets are distributed: the share of each class, or mean and deviation of numbers; for people.
    pub targets: String,
}

/// Something unhealthy that was seen while the network learned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is: `dead_units`, `saturated`, `vanishing`, `exploding`, `update_ratio`, `non_finite`, `plateau`.
    pub kind: String,
    /// The layer, where it is of one.
    pub layer: String,
    /// The first epoch in which it was seen, from 1.
    pub epoch: usize,
    /// What was seen.
    pub saw: String,
    /// What to try.
    pub try_this: String,
}

/// How a classifier does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClassificationStory {
    /// The classes.
    pub classes: Vec<String>,
    /// Rows of each true class (outer) that were said to be of each class (inner).
    pub confusion: Vec<Vec<usize>>,
    /// Precision, recall, F1 and rows of each class.
    pub per_class: Vec<[f64; 4]>,
    /// The rows that the network was most wrong about.
    pub most_wrong: Vec<Example>,
    /// Some rows as they come, for samples that can be shown.
    pub samples: Vec<Example>,
    /// Receiver operating characteristic of each class (of two classes only the second): false against true positives.
    pub roc: Vec<Curve>,
    /// Recall against precision.
    pub precision_recall: Vec<Curve>,
    /// Stated against observed probability, before and after calibration.
    pub calibration: Option<CalibrationStory>,
    /// The threshold of two classes.
    pub threshold: Option<ThresholdStory>,
}

/// A row and what was said of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Example {
    /// Its number in its part, from 0.
    pub row: usize,
    /// The truth.
    pub truth: String,
    /// What the network said.
    pub said: String,
    /// The probability that it gave to what it said.
    pub probability: f64,
    /// Column and cell, of tables and texts.
    pub cells: Vec<(String, String)>,
    /// A PNG in base 64, of images.
    pub image: Option<String>,
}

/// A curve with the area under it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// The class that counts as positive.
    pub class: String,
    /// Places from left to right, at most 200.
    pub points: Vec<[f64; 2]>,
    /// The area: AUC, or average precision.
    pub area: f64,
}

/// How far probabilities can be believed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CalibrationStory {
    /// What logits are divided by.
    pub temperature: f64,
    /// Stated probability, observed share, rows: of bins of equal width, before.
    pub before: Vec<[f64; 3]>,
    /// The same with the temperature.
    pub after: Vec<[f64; 3]>,
    /// Expected calibration error before.
    pub error_before: f64,
    /// Expected calibration error after.
    pub error_after: f64,
}

/// From which probability on the second of two classes is said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ThresholdStory {
    /// The threshold.
    pub value: f64,
    /// What it was chosen for, on the validation rows.
    pub metric: String,
    /// The metric on the judged rows at 0.5.
    pub at_half: f64,
    /// The metric on the judged rows at the threshold.
    pub at_value: f64,
}

/// How a network does that says which labels hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LabelsStory {
    /// Label by label.
    pub labels: Vec<LabelStory>,
    /// The rows that the network was most wrong about, all labels together.
    pub most_wrong: Vec<Example>,
    /// Some rows as they come, for samples that can be shown.
    pub samples: Vec<Example>,
    /// Receiver operating characteristic of each label: false against true positives.
    pub roc: Vec<Curve>,
    /// Recall against precision.
    pub precision_recall: Vec<Curve>,
    /// Stated against observed probability of all labels together, before and after calibration.
    pub calibration: Option<CalibrationStory>,
    /// What the thresholds were chosen for, on the validation rows, label by label.
    pub metric: String,
}

impl LabelsStory {
    /// The labels that are said from another probability than 0.5 on.
    #[must_use]
    pub fn tuned(&self) -> Vec<&LabelStory> {
        self.labels.iter().filter(|label| label.scores.threshold != 0.5).collect()
    }
}

/// How a network does with one label.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LabelStory {
    /// Its name.
    pub name: String,
    /// How well it is predicted, of the judged rows.
    #[serde(flatten)]
    pub scores: LabelScores,
    /// What the thresholds were chosen for, on the judged rows, with this threshold.
    pub at_value: f64,
    /// The same at 0.5.
    pub at_half: f64,
    /// Of the rows that have it, the share whose set for 0.9 holds it; `None` where no row has it or there are no sets.
    pub held: Option<f64>,
}

/// How a network does that says numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RegressionStory {
    /// Truth and what was said, of at most 1,000 rows.
    pub points: Vec<[f64; 2]>,
    /// The rows that the network was most wrong about.
    pub most_wrong: Vec<Example>,
}

/// A series as it went on, and what was said before. Points are a step, from 1, and a number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ForecastStory {
    /// Numbers of a forecast.
    pub horizon: usize,
    /// What came, of at most some 300 steps.
    pub truth: Vec<[f64; 2]>,
    /// What was said one step before.
    pub near: Vec<[f64; 2]>,
    /// What was said as many steps before as a forecast has.
    pub far: Vec<[f64; 2]>,
}

/// A picture and what a network makes of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReconstructionStory {
    /// Its number in its part, from 0.
    pub row: usize,
    /// The picture, a PNG in base 64.
    pub given: String,
    /// What was made of it, likewise.
    pub made: String,
}

/// What a language model wrote by itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TextStory {
    /// The text.
    pub text: String,
    /// What the logits were divided by.
    pub temperature: f64,
    /// What the draws depended on.
    pub seed: u64,
}

/// Sets or intervals that are to hold the truth with a probability.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    /// The probability asked for, the share of judged rows whose truth was held (of labels: the share of all labels that
    /// hold), and the mean size: classes or labels in a set, or the width of an interval.
    pub levels: Vec<[f64; 3]>,
}

/// How much a column matters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Importance {
    /// The column.
    pub column: String,
    /// How much worse the figure gets where the column is shuffled.
    pub drop: f64,
    /// The standard deviation over the shuffles.
    pub deviation: f64,
    /// The figure: `accuracy`, `rmse`.
    pub metric: String,
}

/// A predictor without a network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rival {
    /// What it does, in words.
    pub name: String,
    /// Its figures on the judged rows, as in `summary.json`.
    pub figures: Value,
    /// The figure that is compared: `accuracy`, `rmse`.
    pub metric: String,
    /// Its value of that figure.
    pub value: f64,
    /// The network's.
    pub network: f64,
    /// Whether the network is better.
    pub beaten: bool,
}
