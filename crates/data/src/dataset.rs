//! The data set in memory: samples of one shape, and what each of them is to be recognised as. Images stay bytes,
//! a quarter of their size as floats, and are converted batch by batch into buffers that the caller keeps. Words,
//! letters and categories are ids: numbers that an embedding looks up.

use crate::checks::row_hash;
use crate::error::DataError;
use crate::features::Features;
use crate::scaling::Scaling;
use crate::targets::Targets;

/// Samples and their targets, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// A short name, such as `digits` or that of the folder.
    pub name: String,
    /// What the network sees.
    pub features: Features,
    /// What it should answer.
    pub targets: Targets,
}

impl Dataset {
    /// Joins features and targets.
    ///
    /// # Errors
    /// [`DataError::Inconsistent`] where the row counts differ, a label has no class name, or the values are no
    /// whole number of rows.
    pub fn new(
        name: impl Into<String>,
        features: Features,
        targets: Targets,
    ) -> Result<Dataset, DataError> {
        let name = name.into();
        let problem = targets.problem();
        let problem = problem.or_else(|| {
            (features.rows() != targets.rows()).then(|| {
                format!("{} rows of features and {} of targets", features.rows(), targets.rows())
            })
        });
        match problem {
            Some(problem) => Err(DataError::Inconsistent { name, problem }),
            None => Ok(Dataset { name, features, targets }),
        }
    }

    /// How many samples there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.features.rows()
    }

    /// Writes a batch for classification: the scaled features of `rows` into `x` (row-major
    /// `[rows.len(), width]`) and their labels into `y`. Allocates nothing.
    ///
    /// # Errors
    /// As [`Features::fill`] and [`Targets::fill_classes`].
    pub fn fill(
        &self,
        rows: &[usize],
        scaling: &Scaling,
        x: &mut [f32],
        y: &mut [i64],
    ) -> Result<(), DataError> {
        self.features.fill(rows, scaling, x)?;
        self.targets.fill_classes(rows, y)
    }

    /// Shows a hash of the raw values and the target of each of `rows`.
    ///
    /// # Errors
    /// As [`Features::visit`].
    pub fn hashes(&self, rows: &[usize], mut each: impl FnMut(u64)) -> Result<(), DataError> {
        let mut next = rows.iter();
        self.features.visit_bytes(rows, |features| {
            if let Some(&row) = next.next() {
                each(row_hash([features, &self.target_bytes(row)]));
            }
        })
    }

    /// The target of a row as bytes.
    fn target_bytes(&self, row: usize) -> Vec<u8> {
        match &self.targets {
            Targets::Classes { labels, .. } => labels[row].to_le_bytes().to_vec(),
            Targets::Values { values, dims } => {
                values[row * dims..(row + 1) * dims].iter().flat_map(|x| x.to_le_bytes()).collect()
            }
            Targets::Labels { flags, names } => {
                flags[row * names.len()..(row + 1) * names.len()].to_vec()
            }
            Targets::Sequence { labels, length, .. } => labels[row * length..(row + 1) * length]
                .iter()
                .flat_map(|x| x.to_le_bytes())
                .collect(),
        }
    }
}

pub(crate) fn check_rows(rows: &[usize], count: usize) -> Result<(), DataError> {
    match rows.iter().find(|&&row| row >= count) {
        Some(&row) => Err(DataError::RowOutOfRange { row, rows: count }),
        None => Ok(()),
    }
}

pub(crate) fn check_buffer(
    what: &'static str,
    rows: usize,
    width: usize,
    got: usize,
) -> Result<(), DataError> {
    let expected = rows.saturating_mul(width);
    if got == expected { Ok(()) } else { Err(DataError::BufferSize { what, rows, expected, got }) }
}
