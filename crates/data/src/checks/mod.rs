//! What can be wrong with data before anything is learned: each check says what it saw and what to do about it.
//!
//! ```text
//! chunks of a table ─▶ Gathered ─▶ Examined ─▶ examine ─┐
//! rows of other kinds in memory ─────────────▶ samples ─┴─▶ a Check for each thing that was looked at
//! ```
//!
//! A check that finds nothing passes and says what it looked at. The thresholds are constants beside their checks.
//! All figures are functions of the data and of the parts of its rows alone.

mod columns;
mod drift;
mod duplicates;
mod examined;
mod gather;
mod leakage;
mod redundant;
mod rows;
mod samples;
mod target;

use serde::{Deserialize, Serialize};

pub use duplicates::{Twins, row_hash};
pub use examined::{Answer, Examined, Nature, Seen};
pub(crate) use gather::{Gathered, cells_hash};
pub use samples::samples;

/// How serious something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should be.
    #[default]
    Pass,
    /// Worth a look.
    Warn,
    /// Training makes no sense.
    Fail,
}

/// Something that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Its name: `duplicates`, `leakage`, `initial loss`.
    pub name: String,
    /// The outcome.
    pub status: Status,
    /// What was seen.
    pub saw: String,
    /// What to do; empty where nothing is to be done.
    pub action: String,
}

impl Check {
    fn new(name: &str, status: Status, saw: impl Into<String>, action: impl Into<String>) -> Check {
        Check { name: name.into(), status, saw: saw.into(), action: action.into() }
    }

    fn pass(name: &str, saw: impl Into<String>) -> Check {
        Check::new(name, Status::Pass, saw, "")
    }

    fn warn(name: &str, saw: impl Into<String>, action: impl Into<String>) -> Check {
        Check::new(name, Status::Warn, saw, action)
    }

    fn fail(name: &str, saw: impl Into<String>, action: impl Into<String>) -> Check {
        Check::new(name, Status::Fail, saw, action)
    }
}

/// Looks at a table: one check for each name, or several where several columns call for one.
#[must_use]
pub fn examine(table: &Examined) -> Vec<Check> {
    let checks = [
        rows::rows,
        rows::classes,
        rows::imbalance,
        target::target,
        columns::missing,
        columns::constant,
        columns::identifiers,
        columns::many_values,
        columns::dressed,
        redundant::redundant,
        duplicates::duplicates,
        leakage::leakage,
        drift::drift,
    ];
    checks.iter().flat_map(|check| check(table)).collect()
}

/// The findings, or a pass where there are none.
fn or_pass(findings: Vec<Check>, name: &str, saw: impl Into<String>) -> Vec<Check> {
    if findings.is_empty() { vec![Check::pass(name, saw)] } else { findings }
}

/// Names in quotes, the first few of them: `'a', 'b' and 5 more`.
fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 5;
    let names: Vec<String> = names.into_iter().map(|name| format!("'{name}'")).collect();
    match names.len() {
        0..=SHOWN => names.join(", "),
        many => format!("{} and {} more", names[..SHOWN].join(", "), many - SHOWN),
    }
}

/// `--drop` for each of these columns.
fn drops<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let drop = |name: &str| match name.contains(|c: char| c.is_whitespace() || c == '\'') {
        true => format!("--drop \"{name}\""),
        false => format!("--drop {name}"),
    };
    names.into_iter().map(drop).collect::<Vec<_>>().join(" ")
}

/// A share in percent, never rounded to none or all of it.
fn percent(part: usize, whole: usize) -> String {
    let share = 100.0 * part as f64 / whole.max(1) as f64;
    match share {
        _ if part == 0 || part == whole => format!("{share:.0} %"),
        share if !(1.0..=99.0).contains(&share) => format!("{share:.2} %"),
        share => format!("{share:.1} %"),
    }
}

/// At most `most` of `0..n`, evenly spread.
fn spread(n: usize, most: usize) -> impl Iterator<Item = usize> {
    let take = n.min(most);
    (0..take).map(move |i| (i as u128 * n as u128 / take.max(1) as u128) as usize)
}

#[cfg(test)]
mod tests;
