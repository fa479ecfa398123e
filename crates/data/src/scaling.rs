//! From raw values to what a network likes to see: about zero in the middle, about one wide. A [`Scaling`] is
//! plain data, fitted on training rows only and kept in `model.json`, so that prediction repeats it bit for bit.

use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::features::Features;

/// How raw values become network inputs: `x = (raw / full_scale − mean) / std`, computed in f64 and rounded once.
///
/// `mean` and `std` hold one number for all values of a sample, or one for each of them. The numbers are `f32`
/// because those survive a trip through JSON unchanged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// The raw value that stands for 1: 255 for bytes, 16 for the digits set, 1 for numbers that are taken as they are.
    pub full_scale: f32,
    /// Subtracted after the division by `full_scale`.
    pub mean: Vec<f32>,
    /// Divided by at the end; 1 where the training rows did not vary.
    pub std: Vec<f32>,
}

/// Which mean and standard deviation a [`Scaling`] takes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standardise {
    /// None: values are only divided by the full scale.
    Off,
    /// One for all values of all training samples; right for images, whose pixels mean the same thing everywhere.
    #[default]
    Global,
    /// One for each value of a sample, over the training samples; right for columns that mean different things.
    PerFeature,
}

impl Scaling {
    /// Fits a scaling on the given rows, which should be those of the training part.
    ///
    /// Sums run in f64 over the rows in the given order, twice (mean, then squared distances from it); the
    /// standard deviation divides by n. Where all values are equal it is taken as 1, so that they come within
    /// rounding of 0. Ids are names, not numbers: their scaling changes nothing.
    ///
    /// # Errors
    /// [`DataError::NoRows`], [`DataError::RowOutOfRange`].
    pub fn fit(
        features: &Features,
        rows: &[usize],
        how: Standardise,
    ) -> Result<Scaling, DataError> {
        features.check_rows(rows)?;
        if rows.is_empty() {
            return Err(DataError::NoRows { what: "fit a scaling" });
        }
        let full_scale = features.full_scale();
        let stats = match how {
            _ if features.is_ids() => vec![(0.0, 1.0)],
            Standardise::Off => vec![(0.0, 1.0)],
            Standardise::Global if features.is_bytes() => {
                vec![Stats::of_bytes(features, rows)?.finish(full_scale)]
            }
            Standardise::Global => Stats::of_values(features, rows, 1)?,
            Standardise::PerFeature => Stats::of_values(features, rows, features.width())?,
        };
        let (mean, std) = stats.into_iter().unzip();
        Ok(Scaling { full_scale, mean, std })
    }

    /// Whether the scaling can be used on samples of `width` values; its numbers may come from an edited file.
    pub(crate) fn check(&self, width: usize) -> Result<(), DataError> {
        let fail = |problem| Err(DataError::Scaling { problem });
        let (means, stds) = (self.mean.len(), self.std.len());
        if means != stds || (means != 1 && means != width) {
            return fail(format!(
                "{means} means and {stds} standard deviations for samples of {width} values"
            ));
        }
        if !(self.full_scale.is_finite() && self.full_scale > 0.0) {
            return fail(format!("full scale {} is not a positive number", self.full_scale));
        }
        for (i, (mean, std)) in self.mean.iter().zip(&self.std).enumerate() {
            if !(mean.is_finite() && std.is_finite() && *std > 0.0) {
                return fail(format!(
                    "mean {mean} and standard deviation {std} of value {i} cannot be used"
                ));
            }
        }
        Ok(())
    }

    /// The value that raw `value` becomes at place `i` of a sample.
    fn scaled(&self, value: f32, i: usize) -> f32 {
        let i = if self.mean.len() == 1 { 0 } else { i };
        let unit = f64::from(value) / f64::from(self.full_scale);
        ((unit - f64::from(self.mean[i])) / f64::from(self.std[i])) as f32
    }

    /// The share of the full scale that became `scaled` at place `i` of a sample.
    #[must_use]
    pub fn share(&self, scaled: f32, i: usize) -> f32 {
        let i = if self.mean.len() == 1 { 0 } else { i };
        scaled * self.std[i] + self.mean[i]
    }

    /// Scales one sample of floats.
    pub(crate) fn apply(&self, sample: &[f32], out: &mut [f32]) {
        if self.changes_nothing() {
            return out.copy_from_slice(sample);
        }
        for (i, (out, &value)) in out.iter_mut().zip(sample).enumerate() {
            *out = self.scaled(value, i);
        }
    }

    /// Whether a value is scaled to itself.
    fn changes_nothing(&self) -> bool {
        self.full_scale == 1.0 && self.mean == [0.0] && self.std == [1.0]
    }

    /// Scales one sample of bytes; `table` is [`Scaling::table`].
    pub(crate) fn apply_bytes(&self, table: Option<&[f32; 256]>, sample: &[u8], out: &mut [f32]) {
        let places = out.iter_mut().zip(sample);
        match table {
            Some(table) => places.for_each(|(out, &byte)| *out = table[usize::from(byte)]),
            None => places
                .enumerate()
                .for_each(|(i, (out, &byte))| *out = self.scaled(f32::from(byte), i)),
        }
    }

    /// What each byte becomes, where it becomes the same at every place of a sample.
    pub(crate) fn table(&self) -> Option<[f32; 256]> {
        (self.mean.len() == 1).then(|| std::array::from_fn(|byte| self.scaled(byte as f32, 0)))
    }
}

/// Mean and variance of raw values, and whether they vary at all.
struct Stats {
    mean: f64,
    variance: f64,
    constant: bool,
}

impl Stats {
    /// From the count of each byte: every sum but the last is exact.
    fn of_bytes(features: &Features, rows: &[usize]) -> Result<Stats, DataError> {
        let mut counts = [0u64; 256];
        features.visit(rows, |values| values.iter().for_each(|&x| counts[x as usize] += 1))?;
        let weighted = || (0u8..=255).map(f64::from).zip(counts.map(|count| count as f64));
        let n: f64 = counts.iter().sum::<u64>() as f64;
        let mean = weighted().map(|(value, count)| value * count).sum::<f64>() / n;
        let variance =
            weighted().map(|(value, count)| (value - mean) * (value - mean) * count).sum::<f64>()
                / n;
        let constant = counts.iter().filter(|&&count| count > 0).count() == 1;
        Ok(Stats { mean, variance, constant })
    }

    /// Mean and standard deviation, finished, of each of `groups` groups: value `i` of a sample is of group
    /// `i mod groups`.
    fn of_values(
        features: &Features,
        rows: &[usize],
        groups: usize,
    ) -> Result<Vec<(f32, f32)>, DataError> {
        let n = (rows.len() * (features.width() / groups)) as f64;
        let mut sums = vec![0.0; groups];
        let mut ranges = vec![(f32::INFINITY, f32::NEG_INFINITY); groups];
        features.visit(rows, |values| {
            for sample in values.chunks_exact(groups) {
                for ((sum, range), &x) in sums.iter_mut().zip(&mut ranges).zip(sample) {
                    *sum += f64::from(x);
                    *range = (range.0.min(x), range.1.max(x));
                }
            }
        })?;
        let means: Vec<f64> = sums.iter().map(|sum| sum / n).collect();
        let mut squares = vec![0.0; groups];
        features.visit(rows, |values| {
            for sample in values.chunks_exact(groups) {
                for ((sum, mean), &x) in squares.iter_mut().zip(&means).zip(sample) {
                    *sum += (f64::from(x) - mean) * (f64::from(x) - mean);
                }
            }
        })?;
        let each =
            means.into_iter().zip(squares).zip(ranges).map(|((mean, sum), (least, most))| {
                let stats = Stats { mean, variance: sum / n, constant: least == most };
                stats.finish(features.full_scale())
            });
        Ok(each.collect())
    }

    /// Mean and standard deviation in units of the full scale.
    fn finish(self, full_scale: f32) -> (f32, f32) {
        let full_scale = f64::from(full_scale);
        let std = (self.variance.sqrt() / full_scale) as f32;
        let flat = self.constant || std < f32::MIN_POSITIVE;
        ((self.mean / full_scale) as f32, if flat { 1.0 } else { std })
    }
}
