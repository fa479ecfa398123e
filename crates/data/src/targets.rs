//! What a network is to answer: a class, any number of labels, numbers, or a class at each place of a sequence.

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
    /// Multi-label classification: any number of the names holds for a row.
    Labels {
        /// For each row and each name 1 where the name holds, else 0; row-major `[rows, names.len()]`.
        flags: Vec<u8>,
        /// What the labels are called, in the order of their numbers.
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
            Targets::Labels { flags, names } => flags.len().checked_div(names.len()).unwrap_or(0),
            Targets::Values { values, dims } => values.len().checked_div(*dims).unwrap_or(0),
            Targets::Sequence { labels, length, .. } => {
                labels.len().checked_div(*length).unwrap_or(0)
            }
        }
    }

    /// How many numbers a network has to put out: the classes (of each place), the labels, or the numbers in a row.
    #[must_use]
    pub fn width(&self) -> usize {
        match self {
            Targets::Classes { names, .. }
            | Targets::Labels { names, .. }
            | Targets::Sequence { names, .. } => names.len(),
            Targets::Values { dims, .. } => *dims,
        }
    }

    /// The names of the classes or labels, where the targets are such.
    #[must_use]
    pub fn names(&self) -> Option<&[String]> {
        match self {
            Targets::Classes { names, .. }
            | Targets::Labels { names, .. }
            | Targets::Sequence { names, .. } => Some(names),
            Targets::Values { .. } => None,
        }
    }

    /// The targets of `rows`, in that order.
    ///
    /// # Errors
    /// [`DataError::RowOutOfRange`].
    pub fn select(&self, rows: &[usize]) -> Result<Targets, DataError> {
        fn pick<T: Copy>(values: &[T], rows: &[usize], width: usize) -> Vec<T> {
            rows.iter().flat_map(|row| &values[row * width..(row + 1) * width]).copied().collect()
        }
        check_rows(rows, self.rows())?;
        Ok(match self {
            Targets::Classes { labels, names } => {
                Targets::Classes { labels: pick(labels, rows, 1), names: names.clone() }
            }
            Targets::Labels { flags, names } => {
                Targets::Labels { flags: pick(flags, rows, names.len()), names: names.clone() }
            }
            Targets::Values { values, dims } => {
                Targets::Values { values: pick(values, rows, *dims), dims: *dims }
            }
            Targets::Sequence { labels, length, names } => {
                let labels = pick(labels, rows, *length);
                Targets::Sequence { labels, length: *length, names: names.clone() }
            }
        })
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
            Targets::Labels { flags, names }
                if names.is_empty() || !flags.len().is_multiple_of(names.len()) =>
            {
                Some(format!("{} flags are no rows of {}", flags.len(), names.len()))
            }
            Targets::Labels { flags, names } => {
                let at = flags.iter().position(|&flag| flag > 1)?;
                let (row, name) = (at / names.len(), &names[at % names.len()]);
                Some(format!("row {row} has {} for label '{name}', neither 0 nor 1", flags[at]))
            }
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
    /// [`DataError::TargetKind`] for numbers and multi-label targets, [`DataError::RowOutOfRange`], [`DataError::BufferSize`].
    pub fn fill_classes(&self, rows: &[usize], y: &mut [i64]) -> Result<(), DataError> {
        let (labels, length) = match self {
            Targets::Classes { labels, .. } => (labels, 1),
            Targets::Sequence { labels, length, .. } => (labels, (*length).max(1)),
            Targets::Labels { .. } => {
                let found = "any number of labels a row";
                return Err(DataError::TargetKind { wanted: "class labels", found });
            }
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

    /// Writes the numbers of `rows` into `y`, row-major `[rows.len(), width]`: those of regression targets, and of labels
    /// 1 where they hold, else 0.
    ///
    /// # Errors
    /// [`DataError::TargetKind`] for class targets, [`DataError::RowOutOfRange`], [`DataError::BufferSize`].
    pub fn fill_values(&self, rows: &[usize], y: &mut [f32]) -> Result<(), DataError> {
        if let Targets::Classes { .. } | Targets::Sequence { .. } = self {
            return Err(DataError::TargetKind { wanted: "numbers", found: "class labels" });
        }
        let width = self.width();
        check_rows(rows, self.rows())?;
        check_buffer("values", rows.len(), width, y.len())?;
        let places = y.chunks_exact_mut(width.max(1)).zip(rows);
        match self {
            Targets::Values { values, .. } => places.for_each(|(out, row)| {
                out.copy_from_slice(&values[row * width..(row + 1) * width]);
            }),
            Targets::Labels { flags, .. } => places.for_each(|(out, row)| {
                let flags = &flags[row * width..(row + 1) * width];
                out.iter_mut().zip(flags).for_each(|(out, &flag)| *out = f32::from(flag));
            }),
            Targets::Classes { .. } | Targets::Sequence { .. } => {}
        }
        Ok(())
    }
}
