//! What a network is to answer: a class, numbers, or a class at each place of a sequence.

use crate::dataset::{check_buffer, check_rows};
use crate::error::DataError;

/// The label of a place that is not judged: padding, and what another row already has.
pub const IGNORED: i64 = -100;

/// What a network is to answer, row by row.
#[derive(Debug, Clone, PartialEq)]
pub enum Targets {
    /// Classification: each row is one of the named classes.
    Classes {
        /// The class of each row, from 0.
        labels: Vec<i64>,
        /// What the classes are called, in the order of their numbers.
        names: Vec<String>,
    },
    /// Regression: each row has `dims` finite numbers.
    Values {
        /// The numbers, row after row.
        values: Vec<f32>,
        /// Numbers in a row, at least 1.
        dims: usize,
    },
    /// A class at each of `length` places: the next letter or word, the tag of a word.
    Sequence {
        /// The class of each place, row after row; [`IGNORED`] where there is nothing to answer.
        labels: Vec<i64>,
        /// Places in a row, at least 1.
        length: usize,
        /// What the classes are called, in the order of their numbers.
        names: Vec<String>,
    },
}

impl Targets {
    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        match self {
            Targets::Classes { labels, .. } => labels.len(),
            Targets::Values { values, dims } => values.len().checked_div(*dims).unwrap_or(0),
            Targets::Sequence { labels, length, .. } => {
                labels.len().checked_div(*length).unwrap_or(0)
            }
        }
    }

    /// How many numbers a network has to put out: the classes (of each place), or the numbers in a row.
    #[must_use]
    pub fn width(&self) -> usize {
        match self {
            Targets::Classes { names, .. } | Targets::Sequence { names, .. } => names.len(),
            Targets::Values { dims, .. } => *dims,
        }
    }

    /// The class names, where the targets are classes.
    #[must_use]
    pub fn names(&self) -> Option<&[String]> {
        match self {
            Targets::Classes { names, .. } | Targets::Sequence { names, .. } => Some(names),
            Targets::Values { .. } => None,
        }
    }

    /// What keeps these from being targets.
    pub(crate) fn problem(&self) -> Option<String> {
        let stray = |labels: &[i64], names: &[String], length: usize, ignored: Option<i64>| {
            let known = |label| usize::try_from(label).is_ok_and(|label| label < names.len());
            let at = labels.iter().position(|&label| Some(label) != ignored && !known(label))?;
            let (row, label, classes) = (at / length, labels[at], names.len());
            Some(format!("row {row} has label {label}, but there are {classes} classes"))
        };
        match self {
            Targets::Classes { labels, names } => stray(labels, names, 1, None),
            Targets::Sequence { labels, length, .. }
                if *length == 0 || !labels.len().is_multiple_of(*length) =>
            {
                Some(format!("{} labels are no rows of {length}", labels.len()))
            }
            Targets::Sequence { labels, length, names } => {
                stray(labels, names, *length, Some(IGNORED))
            }
            Targets::Values { values, dims }
                if *dims == 0 || !values.len().is_multiple_of(*dims) =>
            {
                Some(format!("{} target values are no rows of {dims}", values.len()))
            }
            Targets::Values { values, dims } => {
                values.iter().position(|value| !value.is_finite()).map(|i| {
                    format!("the target of row {} is {}, not a finite number", i / dims, values[i])
                })
            }
        }
    }

    /// Writes the labels of `rows` into `y`: one for each row, or `length` of them for sequences, row-major
    /// `[rows.len(), length]`.
    ///
    /// # Errors
    /// [`DataError::TargetKind`] for regression targets, [`DataError::RowOutOfRange`], [`DataError::BufferSize`].
    pub fn fill_classes(&self, rows: &[usize], y: &mut [i64]) -> Result<(), DataError> {
        let (labels, length) = match self {
            Targets::Classes { labels, .. } => (labels, 1),
            Targets::Sequence { labels, length, .. } => (labels, (*length).max(1)),
            Targets::Values { .. } => {
                return Err(DataError::TargetKind { wanted: "class labels", found: "numbers" });
            }
        };
        check_rows(rows, self.rows())?;
        check_buffer("labels", rows.len(), length, y.len())?;
        for (out, &row) in y.chunks_exact_mut(length).zip(rows) {
            out.copy_from_slice(&labels[row * length..(row + 1) * length]);
        }
        Ok(())
    }

    /// Writes the numbers of `rows` into `y`, row-major `[rows.len(), dims]`.
    ///
    /// # Errors
    /// [`DataError::TargetKind`] for class targets, [`DataError::RowOutOfRange`], [`DataError::BufferSize`].
    pub fn fill_values(&self, rows: &[usize], y: &mut [f32]) -> Result<(), DataError> {
        let Targets::Values { values, dims } = self else {
            return Err(DataError::TargetKind { wanted: "numbers", found: "class labels" });
        };
        check_rows(rows, self.rows())?;
        check_buffer("values", rows.len(), *dims, y.len())?;
        for (out, &row) in y.chunks_exact_mut((*dims).max(1)).zip(rows) {
            out.copy_from_slice(&values[row * dims..(row + 1) * dims]);
        }
        Ok(())
    }
}
