//! Numbers in order of time, to forecast the next ones.
//!
//! Every window of `window` numbers is a sample, and the `horizon` numbers after it are its targets. Of a series to
//! learn from, the samples whose targets begin in the last fifth are the test, walking forward one number at a time;
//! those whose targets lie in the tenth before it (or in as many numbers as the horizon has) are for validation; and
//! those whose targets end before that are to learn from. What was past when a forecast begins may be in its window.

use serde::{Deserialize, Serialize};

use super::timeline::{Timeline, timelines};
use crate::dataset::Dataset;
use crate::encoding::Encoding;
use crate::error::{DataError, thousands};
use crate::features::{Features, Raw};
use crate::options::SourceOptions;
use crate::source::Loaded;
use crate::split::Split;
use crate::tabular::whole::Whole;
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

/// Reads a series, or several, to learn from or to judge on.
pub(crate) fn read(
    table: &Whole,
    name: &str,
    options: &SourceOptions,
    known: Option<&Series>,
) -> Result<Loaded, DataError> {
    let column = column(table, options, known)?;
    let series = known.cloned().unwrap_or_else(|| {
        let horizon = options.horizon.unwrap_or(HORIZON);
        Series {
            header: table.has_header(),
            column: table.columns()[column].clone(),
            window: options.window.unwrap_or(2 * horizon),
            horizon,
        }
    });
    let (lines, found) = timelines(table, column, options)?;
    let mut notes = table.notes();
    notes.extend(found);
    let mut samples = Samples::of(&series);
    lines.iter().for_each(|line| samples.add(line));
    let parts = match known {
        Some(_) => None,
        None => Some(samples.split.clone()),
    };
    let lacks_a_part = parts.as_ref().is_some_and(|split| {
        split.train.is_empty() || split.valid.is_empty() || split.test.is_empty()
    });
    if samples.rows == 0 || lacks_a_part {
        return Err(short(table, &lines, &series, samples.rows > 0));
    }
    if samples.short > 0 {
        notes.push(format!(
            "{} of {} series are left out: they are shorter than a window of {} and a horizon of {}",
            thousands(samples.short),
            thousands(lines.len() as u64),
            series.window,
            series.horizon
        ));
    }
    let targets = Targets::Values { values: samples.targets, dims: series.horizon };
    let features = Features::new(Raw::F32(samples.windows), vec![series.window, 1])?;
    let data = Dataset::new(name, features, targets)?;
    Ok(Loaded { parts, notes, ..Loaded::of(data, None, Encoding::Series(series)) })
}

/// The last window of each series, after which the forecast begins, and what one should know: one sample a series.
pub(crate) fn read_features(
    table: &Whole,
    series: &Series,
    options: &SourceOptions,
) -> Result<(Features, Vec<String>), DataError> {
    let column = column(table, options, Some(series))?;
    let (lines, found) = timelines(table, column, options)?;
    let mut notes = table.notes();
    notes.extend(found);
    let mut windows = Vec::with_capacity(lines.len() * series.window);
    for Timeline { name, values, .. } in &lines {
        let Some(at) = values.len().checked_sub(series.window) else {
            let which = if options.group.is_some() { format!(" '{name}'") } else { String::new() };
            return Err(DataError::content(
                table.file(),
                format!(
                    "the series{which} has {} numbers; a forecast needs the last {}",
                    values.len(),
                    series.window
                ),
                "bring as many numbers as the network was trained on",
            ));
        };
        windows.extend(&values[at..]);
    }
    if let [Timeline { last: Some(last), .. }] = &lines[..] {
        notes.push(format!("the forecast begins after {last}"));
    }
    Ok((Features::new(Raw::F32(windows), vec![series.window, 1])?, notes))
}

/// The names of the series that [`read_features`] makes samples of, in their order, where a column tells them apart.
pub(crate) fn names(
    table: &Whole,
    series: &Series,
    options: &SourceOptions,
) -> Result<Option<Vec<String>>, DataError> {
    let (lines, _) = timelines(table, column(table, options, Some(series))?, options)?;
    let names = || lines.into_iter().map(|line| line.name).collect();
    Ok(options.group.is_some().then(names))
}

/// The column that is forecast.
fn column(
    table: &Whole,
    options: &SourceOptions,
    known: Option<&Series>,
) -> Result<usize, DataError> {
    let wanted = options.target.as_deref().or(known.map(|known| known.column.as_str()));
    let last = table.columns().len() - 1;
    let default = (0..=last).rev().find(|&column| table.is_numeric(column)).unwrap_or(last);
    table.column_or(wanted, default, "numbers")
}

/// What to say where series are too short, or too full of holes.
fn short(table: &Whole, lines: &[Timeline], series: &Series, some: bool) -> DataError {
    let Series { window, horizon, .. } = *series;
    let needed = window.saturating_add(horizon);
    let longest = lines.iter().map(|line| line.values.len()).max().unwrap_or(0);
    let of = if lines.len() > 1 { "the longest series" } else { "the series" };
    let needs = match (some, longest < needed) {
        (true, _) => "more for parts to learn from, to watch and to test on".into(),
        (false, true) => format!("{needed} at least"),
        (false, false) => format!("{horizon} of them without a gap between"),
    };
    DataError::content(
        table.file(),
        format!(
            "{of} has {longest} numbers; a window of {window} and a horizon of {horizon} need {needs}"
        ),
        "make window or horizon smaller, or bring a longer series",
    )
}

/// Windows and what follows each of them.
struct Samples {
    window: usize,
    horizon: usize,
    windows: Vec<f32>,
    targets: Vec<f32>,
    rows: usize,
    split: Split,
    /// Series without a sample.
    short: u64,
}

impl Samples {
    fn of(series: &Series) -> Samples {
        let (window, horizon) = (series.window, series.horizon);
        let split = Split { train: vec![], valid: vec![], test: vec![] };
        Samples { window, horizon, windows: vec![], targets: vec![], rows: 0, split, short: 0 }
    }

    /// Adds the windows of a series of which all that follows is known, each to the part in which all of it lies.
    fn add(&mut self, line: &Timeline) {
        let (window, horizon, n) = (self.window, self.horizon, line.values.len());
        // A window or a horizon of an edited file may be anything.
        let needed = window.saturating_add(horizon);
        if n < needed || window == 0 || horizon == 0 {
            self.short += 1;
            return;
        }
        let test = n - n / 5;
        let valid = test.saturating_sub((n / 10).max(horizon));
        for at in 0..=n - needed {
            let (from, to) = (at + window, at + needed);
            if line.known[from..to].contains(&false) {
                continue;
            }
            let part = match (from, to) {
                (_, to) if to <= valid => Some(&mut self.split.train),
                (from, to) if from >= valid && to <= test => Some(&mut self.split.valid),
                (from, _) if from >= test => Some(&mut self.split.test),
                _ => None,
            };
            part.into_iter().for_each(|part| part.push(self.rows));
            self.windows.extend(&line.values[at..from]);
            self.targets.extend(&line.values[from..to]);
            self.rows += 1;
        }
    }
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
