//! Trained networks inside other programs.

use std::path::Path;

use thalweg_cpu::Cpu;
use thalweg_data::tabular::Cell;
use thalweg_data::{Encoding, Features};
use thalweg_train::run::{self, RunError};

/// A trained network: the folder of a run, ready to answer.
///
/// A row is the names of its columns and their cells; further columns are passed over, and a cell may be
/// [`Cell::Missing`]. What was found out about the columns in training (medians, categories, words) is applied here.
///
/// ```no_run
/// use thalweg::{Cell, Model};
///
/// let mut model = Model::load("runs/titanic-1")?;
/// let rows = [
///     [("sex", Cell::from("female")), ("age", 29.0.into()), ("pclass", 1.into())],
///     [("sex", Cell::from("male")), ("age", Cell::Missing), ("pclass", 3.into())],
/// ];
/// for prediction in model.predict(&rows)? {
///     println!("{} ({:?})", prediction.answer, prediction.scores);
/// }
/// # Ok::<(), thalweg::train::run::RunError>(())
/// ```
pub struct Model {
    inner: run::Model,
}

/// What a network says of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The class that is said, as the training data wrote it; the labels that hold, with `;` between them; or the number.
    pub answer: String,
    /// The probability of each of [`Model::classes`]; of a regression the numbers themselves.
    pub scores: Vec<f32>,
}

impl Model {
    /// Loads the network of a run folder, to run on one thread: a row is too little work for more.
    ///
    /// # Errors
    /// [`RunError::NotARun`], [`RunError::Damaged`], [`RunError::Newer`], [`RunError::Io`].
    pub fn load(run: impl AsRef<Path>) -> Result<Model, RunError> {
        Ok(Model { inner: run::Model::load(run.as_ref(), Cpu::new(1))? })
    }

    /// What the predictions are called.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.inner.file.target
    }

    /// The classes in the order of [`Prediction::scores`]; none of a regression.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.inner.file.classes
    }

    /// What the network says of each row of a table.
    ///
    /// # Errors
    /// [`RunError::Fit`] where the network did not learn from a table of many columns; [`RunError::Data`] for a column
    /// that is not there, or a cell that does not fit it.
    pub fn predict<'a, R>(&mut self, rows: &'a [R]) -> Result<Vec<Prediction>, RunError>
    where
        R: AsRef<[(&'a str, Cell<'a>)]>,
    {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let Encoding::Table(table) = &self.inner.file.encoding else {
            return Err(RunError::Fit {
                what: format!(
                    "the network learned from data of kind '{}', not from a table of many columns",
                    self.inner.file.encoding.kind()
                ),
                hint: "use predict_features with the samples of such data".into(),
            });
        };
        let features = table.encode_rows(rows.iter().map(|row| row.as_ref().iter().copied()))?;
        self.predict_features(&features)
    }

    /// What the network says of samples of any kind, such as those of [`thalweg_data::open_features`].
    ///
    /// # Errors
    /// [`RunError::Fit`] where they are of another shape; [`RunError::Train`].
    pub fn predict_features(&mut self, features: &Features) -> Result<Vec<Prediction>, RunError> {
        let all: Vec<usize> = (0..features.rows()).collect();
        let said = self.inner.predict(features, "the rows", &all)?;
        let said = said.as_slice::<f32>().unwrap_or_default();
        let width = said.len().checked_div(all.len()).unwrap_or(0).max(1);
        Ok(said.chunks(width).map(|scores| self.answer(scores)).collect())
    }

    fn answer(&self, scores: &[f32]) -> Prediction {
        let classes = self.classes();
        let answer = match self.inner.file.task {
            run::Task::Multilabel => {
                let scores: Vec<f64> = scores.iter().map(|&score| score.into()).collect();
                let held = self.inner.file.calibration.holding(&scores).into_iter();
                held.map(|label| classes[label].as_str()).collect::<Vec<_>>().join(";")
            }
            _ if classes.is_empty() => {
                scores.iter().map(f32::to_string).collect::<Vec<_>>().join(" ")
            }
            _ => {
                let scores: Vec<f64> = scores.iter().map(|&score| score.into()).collect();
                let said = self.inner.file.calibration.said(&scores);
                classes.get(said).cloned().unwrap_or_default()
            }
        };
        Prediction { answer, scores: scores.to_vec() }
    }
}
