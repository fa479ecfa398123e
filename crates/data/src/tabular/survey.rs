//! The first pass over a table: every row is given a part, every column is looked at.

use std::sync::atomic::{AtomicBool, Ordering};

use super::chunk::{Cells, Chunk};
use super::deal::{Dealer, Part, by_time};
use super::facts::Facts;
use super::glance::Glance;
use super::infer::ColumnType;
use super::sample::{Sample, Sampler};
use super::schema::find;
use super::source::{Rows, TableSource};
use super::target::{TableTask, stratified};
use super::time::{Forms, years};
use crate::error::DataError;
use crate::options::SourceOptions;
use crate::split::{Fractions, TestRows};

/// Rows by which it is seen whether the target is classes, of which each part gets its share.
const HEAD: usize = 16_384;

/// What was seen.
pub(crate) struct Survey {
    /// Of each column of the table.
    pub facts: Vec<Facts>,
    /// Some training rows.
    pub sample: Sample,
    /// Of each row of the table.
    pub parts: Vec<Part>,
    /// What one should know of the rows.
    pub notes: Vec<String>,
}

/// How the part of a row is found.
enum Rule {
    /// By the cells of the target, or all rows as of one class.
    Classes(bool),
    /// By the cells of a column.
    Groups(usize),
    /// As was found before.
    Known(Vec<Part>),
}

/// Reads the table for the first time. `target` is the place of what is learned.
pub(crate) fn survey(
    source: &TableSource,
    target: usize,
    options: &SourceOptions,
    fractions: Fractions,
    seed: u64,
) -> Result<Survey, DataError> {
    let column = |name: &str| find(source.columns(), name, source.has_header(), &source.file());
    let rule = match (&options.group, &options.time_col) {
        (Some(group), _) => Rule::Groups(column(group)?),
        (None, Some(time)) => {
            let times = times(source, column(time)?, target)?;
            Rule::Known(by_time(&times, &fractions))
        }
        (None, None) => Rule::Classes(match options.task {
            Some(task) => task == TableTask::Classification,
            None => stratified(&source.head(HEAD)?.columns[target]),
        }),
    };
    let test = match &options.test {
        Some(TestRows::Where { field, .. }) => Some(column(field)?),
        _ => None,
    };
    let keep = |name: &String| {
        options.types.as_ref().and_then(|types| types.get(name)) == Some(&ColumnType::Category)
            || options.task == Some(TableTask::Classification)
    };
    let names = source.columns();
    let mut facts: Vec<Facts> = names.iter().map(|name| Facts::new(keep(name))).collect();
    let mut sampler = Sampler::new(seed, names.len());
    let mut parts: Vec<Part> = Vec::new();
    let mut dealer = Dealer::new(fractions, seed);
    // Columns with too many different cells for them to be counted; chunks that are under way may not know it yet.
    let uncounted: Vec<AtomicBool> = names.iter().map(|_| AtomicBool::new(false)).collect();
    let look = |rows: &Rows| -> Result<Vec<Glance>, DataError> {
        let out: Vec<bool> =
            (0..rows.len()).map(|row| rows.columns[target].is_missing(row)).collect();
        let glance = |(cells, uncounted): (&Cells, &AtomicBool)| {
            Glance::of(cells, &out, !uncounted.load(Ordering::Relaxed))
        };
        Ok(rows.columns.iter().zip(&uncounted).map(glance).collect())
    };
    let notes = source.read_with(look, &mut |chunk, glances| {
        let start = parts.len();
        for row in 0..chunk.rows {
            let cells = &chunk.columns[target];
            let part = if cells.is_missing(row) {
                Part::Out
            } else if options.test.as_ref().is_some_and(|rows| is_test(rows, test, chunk, row)) {
                Part::Test
            } else {
                match &rule {
                    Rule::Classes(true) => dealer.by_class(&cells.text(row)),
                    Rule::Classes(false) => dealer.by_class(""),
                    Rule::Groups(group) => dealer.by_group(&chunk.columns[*group].text(row)),
                    Rule::Known(parts) => parts.get(start + row).copied().unwrap_or(Part::Train),
                }
            };
            if part == Part::Train {
                sampler.add(chunk.first + row as u64, |kept| {
                    chunk.columns.iter().for_each(|cells| kept.push(&cells.text(row)));
                });
            }
            parts.push(part);
        }
        for (i, (facts, glance)) in facts.iter_mut().zip(glances).enumerate() {
            facts.add(glance, &chunk.columns[i], chunk.first, &parts[start..]);
            uncounted[i].store(facts.overflown, Ordering::Relaxed);
        }
        Ok(())
    })?;
    if let Some(rows) = &options.test {
        check_test(rows, &parts)?;
    }
    Ok(Survey { facts, sample: sampler.finish(), parts, notes })
}

/// Whether a row is one of those that were named for the test.
fn is_test(rows: &TestRows, column: Option<usize>, chunk: &Chunk, row: usize) -> bool {
    let value = column.map(|column| chunk.columns[column].text(row));
    rows.holds(|| chunk.checksum(row), value.as_deref())
}

fn check_test(rows: &TestRows, parts: &[Part]) -> Result<(), DataError> {
    let kept = || parts.iter().filter(|&&part| part != Part::Out);
    let missing = match (kept().all(|&part| part == Part::Test), parts.contains(&Part::Test)) {
        (false, true) => return Ok(()),
        (true, _) => "every row",
        (false, false) => "no row",
    };
    Err(DataError::option(
        "test",
        format!("'{rows}' is {missing}"),
        "some rows must be for the test and some to learn from; check the field's values",
    ))
}

/// The time of each row in years, or its number where the column holds numbers; NaN where there is none or no target.
fn times(source: &TableSource, column: usize, target: usize) -> Result<Vec<f64>, DataError> {
    let head = source.head(HEAD)?;
    let cells = &head.columns[column];
    let mut forms = Forms::ALL;
    (0..head.rows)
        .filter(|&row| !cells.is_missing(row))
        .for_each(|row| forms.look(&cells.text(row)));
    let form = forms.form();
    let mut times = Vec::new();
    source.read(&mut |chunk| {
        for row in 0..chunk.rows {
            let cells = &chunk.columns[column];
            if cells.is_missing(row) || chunk.columns[target].is_missing(row) {
                times.push(f64::NAN);
                continue;
            }
            let time = match form {
                Some(form) => form.parse(&cells.text(row)).map(|time| years(&time)),
                None => cells.number(row),
            };
            times.push(time.ok_or_else(|| {
                DataError::content(
                    source.place(chunk.first + row as u64, column),
                    format!("a time is needed to split by, there is '{}'", cells.text(row)),
                    "write times as 2024-05-31, 31/5/2024 or 5/31/2024, or as numbers",
                )
            })?);
        }
        Ok(())
    })?;
    Ok(times)
}
