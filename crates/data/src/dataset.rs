//! The data set in memory: samples of one shape, and what each of them is to be recognised as. Images stay bytes,
//! a quarter of their size as floats, and are converted batch by batch into buffers that the caller keeps.

use crate::error::{DataError, shape};
use crate::scaling::Scaling;

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
        let problem = match &targets {
            Targets::Classes { labels, names } => labels
                .iter()
                .position(|&label| {
                    usize::try_from(label).map_or(true, |label| label >= names.len())
                })
                .map(|row| {
                    format!(
                        "row {row} has label {}, but there are {} classes",
                        labels[row],
                        names.len()
                    )
                }),
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
        };
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
}

/// Raw values, sample after sample.
#[derive(Debug, Clone, PartialEq)]
pub enum Raw {
    /// Bytes, as images come.
    U8(Vec<u8>),
    /// Finite numbers.
    F32(Vec<f32>),
}

/// The inputs of a data set: samples of one shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    raw: Raw,
    shape: Vec<usize>,
    width: usize,
    full_scale: f32,
}

impl Features {
    /// Samples of the given shape, such as `[28, 28]`, last axis fastest, whose raw values are taken as they are
    /// (full scale 1).
    ///
    /// # Errors
    /// [`DataError::Inconsistent`] where the shape is empty or holds a 0, the values are no whole number of
    /// samples, there are none, or a value is not finite.
    pub fn new(raw: Raw, shape: Vec<usize>) -> Result<Features, DataError> {
        let fail = |problem| Err(DataError::Inconsistent { name: "features".into(), problem });
        let width = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        let width = width.filter(|&width| width > 0 && !shape.is_empty());
        let Some(width) = width else {
            return fail(format!("{shape:?} is no shape of a sample"));
        };
        let len = match &raw {
            Raw::U8(values) => values.len(),
            Raw::F32(values) => values.len(),
        };
        if len == 0 || !len.is_multiple_of(width) {
            return fail(format!("{len} values are no samples of {width}"));
        }
        if let Raw::F32(values) = &raw
            && let Some(i) = values.iter().position(|value| !value.is_finite())
        {
            return fail(format!("row {} holds {}, not a finite number", i / width, values[i]));
        }
        Ok(Features { raw, shape, width, full_scale: 1.0 })
    }

    /// The same samples with another raw value standing for 1.
    ///
    /// # Errors
    /// [`DataError::Inconsistent`] where `full_scale` is not a positive number.
    pub fn with_full_scale(self, full_scale: f32) -> Result<Features, DataError> {
        if !(full_scale.is_finite() && full_scale > 0.0) {
            let problem = format!("full scale {full_scale} is not a positive number");
            return Err(DataError::Inconsistent { name: "features".into(), problem });
        }
        Ok(Features { full_scale, ..self })
    }

    /// How many samples there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        match &self.raw {
            Raw::U8(values) => values.len() / self.width,
            Raw::F32(values) => values.len() / self.width,
        }
    }

    /// The shape of one sample.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Values in one sample: the product of its shape.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The raw value that stands for 1.
    #[must_use]
    pub fn full_scale(&self) -> f32 {
        self.full_scale
    }

    /// All raw values.
    #[must_use]
    pub fn raw(&self) -> &Raw {
        &self.raw
    }

    /// Writes the scaled values of `rows` into `x`, row-major `[rows.len(), width]`. Allocates nothing.
    ///
    /// # Errors
    /// [`DataError::RowOutOfRange`], [`DataError::BufferSize`], [`DataError::Scaling`]; `x` is then unchanged.
    pub fn fill(&self, rows: &[usize], scaling: &Scaling, x: &mut [f32]) -> Result<(), DataError> {
        self.check_rows(rows)?;
        check_buffer("features", rows.len(), self.width, x.len())?;
        scaling.check(self.width)?;
        let samples = rows.iter().map(|row| row * self.width..(row + 1) * self.width);
        let places = x.chunks_exact_mut(self.width).zip(samples);
        match &self.raw {
            Raw::U8(values) => {
                let table = scaling.table();
                places.for_each(|(out, at)| scaling.apply_bytes(table.as_ref(), &values[at], out));
            }
            Raw::F32(values) => places.for_each(|(out, at)| scaling.apply(&values[at], out)),
        }
        Ok(())
    }

    /// The element type and shape of a sample, for messages.
    pub(crate) fn describe(&self) -> String {
        let element = match self.raw {
            Raw::U8(_) => "u8",
            Raw::F32(_) => "f32",
        };
        format!("{} {element}", shape(&self.shape))
    }

    /// Value `i` of sample `row`, which must exist.
    pub(crate) fn value(&self, row: usize, i: usize) -> f32 {
        match &self.raw {
            Raw::U8(values) => f32::from(values[row * self.width + i]),
            Raw::F32(values) => values[row * self.width + i],
        }
    }

    /// The raw values of sample `row`, which must exist.
    pub(crate) fn values(&self, row: usize) -> impl Iterator<Item = f32> {
        (0..self.width).map(move |i| self.value(row, i))
    }

    pub(crate) fn check_rows(&self, rows: &[usize]) -> Result<(), DataError> {
        check_rows(rows, self.rows())
    }
}

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
}

impl Targets {
    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        match self {
            Targets::Classes { labels, .. } => labels.len(),
            Targets::Values { values, dims } => values.len().checked_div(*dims).unwrap_or(0),
        }
    }

    /// How many numbers a network has to put out: the classes, or the numbers in a row.
    #[must_use]
    pub fn width(&self) -> usize {
        match self {
            Targets::Classes { names, .. } => names.len(),
            Targets::Values { dims, .. } => *dims,
        }
    }

    /// Writes the labels of `rows` into `y`.
    ///
    /// # Errors
    /// [`DataError::TargetKind`] for regression targets, [`DataError::RowOutOfRange`], [`DataError::BufferSize`].
    pub fn fill_classes(&self, rows: &[usize], y: &mut [i64]) -> Result<(), DataError> {
        let Targets::Classes { labels, .. } = self else {
            return Err(DataError::TargetKind { wanted: "class labels", found: "numbers" });
        };
        check_rows(rows, labels.len())?;
        check_buffer("labels", rows.len(), 1, y.len())?;
        for (out, &row) in y.iter_mut().zip(rows) {
            *out = labels[row];
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

fn check_rows(rows: &[usize], count: usize) -> Result<(), DataError> {
    match rows.iter().find(|&&row| row >= count) {
        Some(&row) => Err(DataError::RowOutOfRange { row, rows: count }),
        None => Ok(()),
    }
}

fn check_buffer(
    what: &'static str,
    rows: usize,
    width: usize,
    got: usize,
) -> Result<(), DataError> {
    let expected = rows.saturating_mul(width);
    if got == expected { Ok(()) } else { Err(DataError::BufferSize { what, rows, expected, got }) }
}
