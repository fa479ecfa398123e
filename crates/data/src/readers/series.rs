//! Numbers in order of time, to forecast the next ones.
//!
//! Every window of `window` numbers is a sample, and the `horizon` numbers after it are its targets. Of a series to
//! learn from, the samples whose targets begin in the last fifth are the test, walking forward one number at a time;
//! those whose targets lie in the tenth before it (or in as many numbers as the horizon has) are for validation; and
//! those whose targets end before that are to learn from. What was past when a forecast begins may be in its window.

use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::encoding::Encoding;
use crate::error::DataError;
use crate::features::{Features, Raw};
use crate::options::SourceOptions;
use crate::source::Loaded;
use crate::split::Split;
use crate::table::Table;
use crate::tabular::time::{Forms, years};
use crate::targets::Targets;

/// Numbers forecast where nobody says.
const HORIZON: usize = 12;

/// How a series becomes samples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// Whether the first line of a file names the columns.
    pub header: bool,
    /// The column that is read and forecast.
    pub column: String,
    /// Numbers in a sample.
    pub window: usize,
    /// Numbers forecast.
    pub horizon: usize,
}

/// Reads a series to learn from or to judge on.
pub(crate) fn read(
    table: &Table,
    name: &str,
    options: &SourceOptions,
    known: Option<&Series>,
) -> Result<Loaded, DataError> {
    let (column, values) = values(table, options, known)?;
    let series = known.cloned().unwrap_or_else(|| {
        let horizon = options.horizon.unwrap_or(HORIZON);
        Series {
            header: table.has_header(),
            column: table.columns()[column].clone(),
            window: options.window.unwrap_or(2 * horizon),
            horizon,
        }
    });
    let Series { window, horizon, .. } = series;
    let short = |needed: String| {
        DataError::content(
            table.file().clone(),
            format!(
                "the series has {} numbers; a window of {window} and a horizon of {horizon} need {needed}",
                values.len()
            ),
            "make window or horizon smaller, or bring a longer series",
        )
    };
    // Samples of `window` numbers with `horizon` more after them; a horizon of an edited file may be anything.
    let needed = window.saturating_add(horizon);
    if values.len() < needed || window == 0 || horizon == 0 {
        return Err(short(format!("{needed} at least")));
    }
    let samples = values.len() - needed + 1;
    let parts = match known {
        Some(_) => None,
        None => {
            let test = values.len() - values.len() / 5;
            let valid = test.saturating_sub((values.len() / 10).max(horizon));
            // The numbers of the samples whose targets lie from one number to before another.
            let between = |from: usize, to: usize| {
                let first = from.saturating_sub(window);
                let last = (to + 1).saturating_sub(needed).min(samples);
                (first..last).collect::<Vec<_>>()
            };
            let split = Split {
                train: between(0, valid),
                valid: between(valid, test),
                test: between(test, values.len()),
            };
            if split.train.is_empty() || split.valid.is_empty() || split.test.is_empty() {
                return Err(short("more for parts to learn from, to watch and to test on".into()));
            }
            Some(split)
        }
    };
    let windows = (0..samples).flat_map(|at| &values[at..at + window]).copied().collect();
    let targets = (window..window + samples).flat_map(|at| &values[at..at + horizon]).copied();
    let targets = Targets::Values { values: targets.collect(), dims: horizon };
    let features = Features::new(Raw::F32(windows), vec![window, 1])?;
    let data = Dataset::new(name, features, targets)?;
    Ok(Loaded { parts, ..Loaded::of(data, None, Encoding::Series(series)) })
}

/// The last window of a series, after which the forecast begins: one sample.
pub(crate) fn read_features(
    table: &Table,
    series: &Series,
    options: &SourceOptions,
) -> Result<Features, DataError> {
    let (_, values) = values(table, options, Some(series))?;
    match values.len().checked_sub(series.window) {
        Some(at) => Features::new(Raw::F32(values[at..].to_vec()), vec![series.window, 1]),
        None => Err(DataError::content(
            table.file().clone(),
            format!(
                "the series has {} numbers; a forecast needs the last {}",
                values.len(),
                series.window
            ),
            "bring as many numbers as the network was trained on",
        )),
    }
}

/// The column and its numbers.
fn values(
    table: &Table,
    options: &SourceOptions,
    known: Option<&Series>,
) -> Result<(usize, Vec<f32>), DataError> {
    let wanted = options.target.as_deref().or(known.map(|known| known.column.as_str()));
    let last = table.columns().len() - 1;
    let default = (0..=last).rev().find(|&column| table.is_numeric(column)).unwrap_or(last);
    let column = table.column_or(wanted, default, "numbers")?;
    let rows = match &options.time_col {
        Some(time) => in_order(table, table.column(time)?)?,
        None => (0..table.rows()).collect(),
    };
    let values = rows.into_iter().map(|row| Ok(table.number(row, column)? as f32));
    Ok((column, values.collect::<Result<_, DataError>>()?))
}

/// The rows in the order of a column of times or of numbers.
fn in_order(table: &Table, column: usize) -> Result<Vec<usize>, DataError> {
    let mut forms = Forms::ALL;
    (0..table.rows()).for_each(|row| forms.look(table.cell(row, column)));
    let time = |row| match forms.form() {
        Some(form) => Ok(form.parse(table.cell(row, column)).map_or(f64::NAN, |time| years(&time))),
        None => table.number(row, column),
    };
    let times = (0..table.rows()).map(time).collect::<Result<Vec<f64>, _>>()?;
    let mut rows: Vec<usize> = (0..times.len()).collect();
    rows.sort_by(|&a, &b| times[a].total_cmp(&times[b]));
    Ok(rows)
}

/// The forecast that every other one is measured against: the number one season before, or as many seasons as it
/// takes to be in the past. `forecast[h] = history[n − season + h mod season]` for the n numbers of `history`; none
/// where `season` is 0 or longer than the history.
///
/// (Hyndman and Athanasopoulos, *Forecasting: Principles and Practice*, 3rd edition, 5.2.)
#[must_use]
pub fn seasonal_naive(history: &[f32], season: usize, horizon: usize) -> Option<Vec<f32>> {
    let start = history.len().checked_sub(season).filter(|_| season > 0)?;
    Some((0..horizon).map(|h| history[start + h % season]).collect())
}
