//! The data of a run and its parts. The parts follow from the config alone, so that `evaluate` finds the rows again
//! that training never saw.

use thalweg_data::checks::{Check, Status, samples};
use thalweg_data::tabular::{ColumnReport, Deal, Sample};
use thalweg_data::{Dataset, Encoding, Fractions, Loaded, Scaling, Split, open_dealt};

use super::config::Config;
use super::draft::Draft;
use super::error::RunError;
use super::stories::distribution;
use crate::Part;

/// The parts of a run's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartName {
    /// What is learned from.
    Train,
    /// What is watched meanwhile.
    Valid,
    /// What is measured at the end.
    Test,
}

/// A data set and its parts.
#[derive(Clone, Debug)]
pub struct RunData {
    /// What training and validation rows are of.
    pub learn: Dataset,
    /// The test part that the set brings, where it does.
    pub own_test: Option<Dataset>,
    /// How files became features.
    pub encoding: Encoding,
    /// What was done to the rows that one should know of.
    pub notes: Vec<String>,
    /// Who is to be named where the data is shown.
    pub attribution: Option<&'static str>,
    /// What the columns of a table were taken for, and why.
    pub columns: Vec<ColumnReport>,
    /// Some training rows of a table as they are in the file.
    pub sample: Option<Sample>,
    checks: Vec<Check>,
    split: Split,
}

impl RunData {
    /// Splits `loaded` as `config` says, or as the kind of data dictates.
    ///
    /// # Errors
    /// [`RunError::Data`] where the fractions leave a part without rows.
    pub fn split(config: &Config, loaded: Loaded) -> Result<RunData, RunError> {
        let Loaded {
            train: learn,
            test: own_test,
            encoding,
            parts,
            notes,
            attribution,
            columns,
            sample,
            checks,
            ..
        } = loaded;
        let mut split = match parts {
            Some(parts) => parts,
            None => Split::of(&learn, &config.data.split, config.train.seed)?,
        };
        if let Some(test) = &own_test {
            split.test = (0..test.rows()).collect();
        }
        Ok(RunData {
            learn,
            own_test,
            encoding,
            notes,
            attribution,
            columns,
            sample,
            checks,
            split,
        })
    }

    /// Reads the data at `source` to learn from it, and resolves the draft for it.
    ///
    /// # Errors
    /// [`RunError::Config`], [`RunError::Data`].
    pub fn learn(draft: &Draft, source: &str) -> Result<(Config, RunData), RunError> {
        let loaded = draft.open(source)?;
        let config = draft.resolve(source, &loaded)?;
        let data = RunData::split(&config, loaded)?;
        Ok((config, data))
    }

    /// What can be wrong with data and its parts, looked for: those checks too that pass.
    #[must_use]
    pub fn checks(&self) -> Vec<Check> {
        if !self.checks.is_empty() {
            return self.checks.clone();
        }
        let test = self.own_test.as_ref().unwrap_or(&self.learn);
        let [train, valid, test_rows] =
            [PartName::Train, PartName::Valid, PartName::Test].map(|part| self.rows(part));
        samples([(&self.learn, train), (&self.learn, valid), (test, test_rows)])
    }

    /// Opens the data that a finished run learned from.
    ///
    /// # Errors
    /// [`RunError::Data`].
    pub fn open(config: &Config) -> Result<RunData, RunError> {
        let Fractions { valid, test } = config.data.split;
        let deal = Deal { valid: Some(valid), test: Some(test), seed: config.train.seed };
        RunData::split(config, open_dealt(&config.data.path, &config.data.source, &deal)?)
    }

    /// The row numbers of a part, in [`RunData::learn`] or, for the test part, in the test set where there is one.
    #[must_use]
    pub fn rows(&self, part: PartName) -> &[usize] {
        match part {
            PartName::Train => &self.split.train,
            PartName::Valid => &self.split.valid,
            PartName::Test => &self.split.test,
        }
    }

    /// A part, where it has rows.
    #[must_use]
    pub fn part<'a>(&'a self, part: PartName, scaling: &'a Scaling) -> Option<Part<'a>> {
        let rows = self.rows(part);
        let data = match (part, &self.own_test) {
            (PartName::Test, Some(test)) => test,
            _ => &self.learn,
        };
        (!rows.is_empty()).then_some(Part { data, rows, scaling })
    }

    /// How the targets of a part are distributed, in words: the shares of classes, or the mean of numbers.
    #[must_use]
    pub fn distribution(&self, part: PartName, scaling: &Scaling) -> String {
        self.part(part, scaling).map_or_else(String::new, |part| distribution(&part))
    }
}

/// Refuses data of which a check has failed.
///
/// # Errors
/// [`RunError::Fit`].
pub fn refuse_failed(checks: &[Check]) -> Result<(), RunError> {
    match checks.iter().find(|check| check.status == Status::Fail) {
        Some(Check { name, saw, action, .. }) => Err(RunError::Fit {
            what: format!("a check of the data has failed: {name}: {saw}"),
            hint: format!("{action}; --ignore-checks trains all the same"),
        }),
        None => Ok(()),
    }
}
