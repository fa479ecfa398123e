//! The rows of a table as series: told apart by a column of names, put in order by a column of times.
//!
//! The numbers of a series are taken as evenly spaced; where the times say otherwise, a note does too. Where a number is
//! missing the one before stands for it, and is known to be none of the series' own; what is missing at either end is
//! left out.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::bad::Bad;
use crate::error::{DataError, thousands};
use crate::options::SourceOptions;
use crate::tabular::time::Forms;
use crate::tabular::whole::Whole;

/// A series.
pub(crate) struct Timeline {
    /// The cell of the column that tells series apart; empty where there is one series.
    pub name: String,
    /// Its numbers, in order of time.
    pub values: Vec<f32>,
    /// Whether each of them stands in the table.
    pub known: Vec<bool>,
    /// The cell of the last one in the column of times.
    pub last: Option<String>,
}

/// The series in a column, and what one should know of them.
pub(crate) fn timelines(
    table: &Whole,
    column: usize,
    options: &SourceOptions,
) -> Result<(Vec<Timeline>, Vec<String>), DataError> {
    let group = options.group.as_deref().map(|name| table.column(name)).transpose()?;
    let times = options.time_col.as_deref().map(|name| Times::of(table, name)).transpose()?;
    let mut bad = Bad::default();
    let mut rows = Vec::with_capacity(table.rows());
    for row in 0..table.rows() {
        match read(table, row, column, times.as_ref()) {
            Ok(read) => rows.push(read),
            Err(error) if options.skip_bad => bad.add([error]),
            Err(error) => return Err(error),
        }
    }
    let mut notes: Vec<String> = bad.note().into_iter().collect();
    let mut found = Findings::default();
    let mut lines = Vec::new();
    for (name, mut rows) in groups(table, group, rows) {
        if let Some(times) = &times {
            found.sort(table, &mut rows, times, group)?;
        }
        lines.push(found.timeline(table, name, &rows, times.as_ref()));
    }
    notes.extend(found.notes(table, column, times.as_ref()));
    Ok((lines, notes))
}

/// A row that can be read: its number in the table, its time (0 where there are no times), and the number in it.
struct Row {
    row: usize,
    time: f64,
    number: Option<f64>,
}

fn read(table: &Whole, row: usize, column: usize, times: Option<&Times>) -> Result<Row, DataError> {
    let time = times.map_or(Ok(0.0), |times| times.at(table, row))?;
    let number = match table.is_missing(row, column) {
        true => None,
        false => Some(table.number(row, column)?),
    };
    Ok(Row { row, time, number })
}

/// The rows of each series, in the order in which the series begin in the table.
fn groups(table: &Whole, column: Option<usize>, rows: Vec<Row>) -> Vec<(String, Vec<Row>)> {
    let Some(column) = column else { return vec![(String::new(), rows)] };
    let mut groups: Vec<(String, Vec<Row>)> = Vec::new();
    let mut places = BTreeMap::new();
    for row in rows {
        let name = table.cell(row.row, column);
        let place = *places.entry(name).or_insert(groups.len());
        if place == groups.len() {
            groups.push((name.into(), Vec::new()));
        }
        groups[place].1.push(row);
    }
    groups
}

/// A column of times.
struct Times {
    column: usize,
    forms: Forms,
}

impl Times {
    fn of(table: &Whole, name: &str) -> Result<Times, DataError> {
        let column = table.column(name)?;
        let mut forms = Forms::ALL;
        let filled = (0..table.rows()).filter(|&row| !table.is_missing(row, column));
        // A single cell that is no time does not make the others less of one.
        for row in filled {
            let mut with = forms;
            with.look(table.cell(row, column));
            forms = if with.form().is_some() { with } else { forms };
        }
        let is_numeric = table.is_numeric(column);
        Ok(Times { column, forms: if is_numeric { Forms::NONE } else { forms } })
    }

    /// The time of a row: seconds, or the number that stands there.
    fn at(&self, table: &Whole, row: usize) -> Result<f64, DataError> {
        let cell = table.cell(row, self.column);
        let time = match self.forms.form() {
            Some(form) => form.parse(cell).and_then(seconds),
            None => table.number(row, self.column).ok(),
        };
        time.ok_or_else(|| {
            let found = if cell.is_empty() { "nothing".into() } else { format!("'{cell}'") };
            DataError::content(
                table.place(row, self.column),
                format!("a time is needed to put rows in order, there is {found}"),
                "write times as 2024-05-31, 31/5/2024 or 5/31/2024, or as numbers; --skip-bad \
                leaves such rows out",
            )
        })
    }

    /// A distance between two times, in words.
    fn words(&self, step: f64) -> String {
        let units = [(86_400.0, "day"), (3_600.0, "hour"), (60.0, "minute"), (1.0, "second")];
        let unit = units.into_iter().find(|(unit, _)| step >= *unit);
        match (self.forms.form(), unit) {
            (Some(_), Some((unit, name))) => {
                let count = (step / unit * 100.0).round() / 100.0;
                format!("{count} {name}{}", if count == 1.0 { "" } else { "s" })
            }
            _ => step.to_string(),
        }
    }

    /// Whether steps from the least to the greatest are the same: equal, but for months, quarters and years of the
    /// calendar.
    fn are_even(&self, least: f64, most: f64) -> bool {
        const CALENDAR: [[f64; 2]; 3] = [[28.0, 31.0], [90.0, 92.0], [365.0, 366.0]];
        let within = |[from, to]: &[f64; 2]| least >= from * 86_400.0 && most <= to * 86_400.0;
        most - least <= 1e-6 * most.abs()
            || (self.forms.form().is_some() && CALENDAR.iter().any(within))
    }
}

fn seconds(time: DateTime) -> Option<f64> {
    let moment = time.to_zoned(TimeZone::UTC).ok()?;
    Some(moment.timestamp().as_second() as f64 + f64::from(time.subsec_nanosecond()) / 1e9)
}

/// What was found in all series together.
#[derive(Default)]
struct Findings {
    unsorted: bool,
    /// The least and the greatest step between times.
    steps: Option<[f64; 2]>,
    /// Numbers that are missing, and those of them at an end.
    missing: u64,
    ends: u64,
    rows: u64,
}

impl Findings {
    /// Puts the rows of a series in order, each of a time of its own.
    fn sort(
        &mut self,
        table: &Whole,
        rows: &mut [Row],
        times: &Times,
        group: Option<usize>,
    ) -> Result<(), DataError> {
        self.unsorted |= !rows.is_sorted_by(|a, b| a.time <= b.time);
        rows.sort_by(|a, b| a.time.total_cmp(&b.time));
        for pair in rows.windows(2) {
            let [before, after] = pair else { continue };
            let step = after.time - before.time;
            if step <= 0.0 {
                let cell = table.cell(after.row, times.column);
                let hint = match group {
                    None => {
                        "a series has one number for each time: where several series are in the \
                        table, name the column that tells them apart with --group, such as \
                        --group store"
                    }
                    Some(_) => "a series has one number for each time: leave one of the rows out",
                };
                let twice = format!("the time '{cell}' is there twice");
                return Err(DataError::content(
                    table.place(after.row, times.column),
                    match group {
                        Some(group) => {
                            format!("{twice} for '{}'", table.cell(after.row, group))
                        }
                        None => twice,
                    },
                    hint,
                ));
            }
            let [least, most] = self.steps.unwrap_or([step; 2]);
            self.steps = Some([least.min(step), most.max(step)]);
        }
        Ok(())
    }

    fn timeline(
        &mut self,
        table: &Whole,
        name: String,
        rows: &[Row],
        times: Option<&Times>,
    ) -> Timeline {
        let filled = |row: &Row| row.number.is_some();
        let first = rows.iter().position(filled).unwrap_or(rows.len());
        let end = rows.iter().rposition(filled).map_or(first, |last| last + 1);
        let rows_within = &rows[first..end];
        self.rows += rows.len() as u64;
        self.ends += (rows.len() - rows_within.len()) as u64;
        self.missing += rows.iter().filter(|row| !filled(row)).count() as u64;
        let mut last = 0.0;
        let mut carried = |row: &Row| {
            last = row.number.unwrap_or(last);
            last as f32
        };
        Timeline {
            name,
            values: rows_within.iter().map(&mut carried).collect(),
            known: rows_within.iter().map(filled).collect(),
            last: times
                .zip(rows_within.last())
                .map(|(times, last)| table.cell(last.row, times.column).to_string()),
        }
    }

    fn notes(&self, table: &Whole, column: usize, times: Option<&Times>) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(times) = times {
            let name = &table.columns()[times.column];
            if self.unsorted {
                notes.push(format!("the rows are not in order of '{name}': they are sorted by it"));
            }
            if let Some([least, most]) = self.steps
                && !times.are_even(least, most)
            {
                let (least, most) = (times.words(least), times.words(most));
                notes.push(format!(
                    "the steps of '{name}' are uneven, from {least} to {most}: the numbers are \
                    taken as evenly spaced"
                ));
            }
        }
        let within = self.missing - self.ends;
        let mut ways = Vec::new();
        if self.ends > 0 {
            ways.push(format!("{} at an end are left out", thousands(self.ends)));
        }
        if within > 0 {
            let count = thousands(within);
            ways.push(format!("for {count} the number before is taken, but none is forecast"));
        }
        if !ways.is_empty() {
            notes.push(format!(
                "{} of {} rows have nothing in column '{}': {}",
                thousands(self.missing),
                thousands(self.rows),
                table.columns()[column],
                ways.join("; ")
            ));
        }
        notes
    }
}
