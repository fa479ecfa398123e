//! What is to be learned of a table, and so what kind of task it is.

use serde::{Deserialize, Serialize};

use super::cell::Cell;
use super::chunk::Cells;
use super::deal::Part;
use super::facts::Facts;
use super::glance::Glance;
use super::sample::Sample;
use super::source::TableSource;
use crate::error::{DataError, thousands};

/// A task that a table can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableTask {
    /// To choose a class.
    Classification,
    /// To say a number.
    Regression,
    /// To choose any number of labels.
    Multilabel,
    /// To say the next numbers of a series.
    Forecast,
}

/// What is learned, and how its cells are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The column.
    pub column: String,
    /// What is done with it.
    pub task: TableTask,
    /// Why.
    pub reason: String,
    /// Whether classes are numbers, so that `1` and `1.0` are one.
    pub numeric: bool,
}

/// Different whole numbers up to which they are taken for classes, and up to which share of the rows.
const CLASSES: usize = 20;
const CLASSES_SHARE: f64 = 0.05;
/// Rows that each of more than three whole numbers needs to be a class: counts, such as those of visits, thin out
/// towards their greatest, and a class that hardly ever occurs can be neither learned nor dealt to every part.
const CLASS_ROWS: u64 = 5;
/// Different texts up to which they are classes, however few rows there are.
const NAMES: usize = 100;
/// The share of cells with several labels from which on a target is lists of labels.
const LISTS: f64 = 0.1;
/// Classes of which each part is to have its share, at most.
const STRATA: usize = 1_000;
/// The share of numbers from which on other cells are taken for mistakes.
const NUMBERS: f64 = 0.95;

impl Target {
    /// What column `index` of a table asks for; `wanted`: what the user asks for.
    pub(crate) fn fit(
        source: &TableSource,
        index: usize,
        facts: &Facts,
        sample: &Sample,
        wanted: Option<TableTask>,
    ) -> Result<Target, DataError> {
        let (column, file) = (source.columns()[index].as_str(), source.file());
        let count = |n: usize| thousands(n as u64);
        let different = facts.different();
        if facts.filled == 0 {
            return Err(DataError::content(
                file.clone().column(column),
                "there is nothing in the column that is to be learned",
                "name another target",
            ));
        }
        let few = !facts.overflown && different == 1;
        if few {
            let only = facts.values().keys().next().map_or(String::new(), |cell| cell.to_string());
            return Err(DataError::content(
                file.clone().column(column),
                match facts.filled {
                    1 => format!("the only row has the target '{only}'"),
                    rows => format!("all {} rows have the target '{only}'", thousands(rows)),
                },
                "there is nothing to tell apart; name another target, or bring rows with others",
            ));
        }
        let numeric = facts.is_numeric();
        let whole = facts.whole == facts.filled;
        let mostly = facts.numbers as f64 >= NUMBERS * facts.filled as f64;
        let (task, reason) = if let Some(wanted) = wanted {
            (wanted, "as was asked for".into())
        } else if !facts.overflown && different == 2 {
            (TableTask::Classification, "two different values".into())
        } else if !numeric && !mostly && are_lists(sample.column(index)) {
            let reason = "lists of labels; --task classification takes each list as a class";
            (TableTask::Multilabel, reason.into())
        } else if !numeric && !mostly {
            (TableTask::Classification, format!("{} different texts", count(different)))
        } else if looks_like_classes(facts) {
            let reason = format!(
                "only {} different whole numbers; --task regression takes them as numbers",
                count(different)
            );
            (TableTask::Classification, reason)
        } else {
            let few = whole && !facts.overflown && different <= 100;
            let also = if few { "; --task classification takes them as classes" } else { "" };
            (TableTask::Regression, format!("numbers{also}"))
        };
        if task == TableTask::Regression
            && let Some((row, text)) = &facts.first_text
        {
            return Err(DataError::content(
                source.place(*row, index),
                format!("a number is needed to learn from, there is '{text}'"),
                "correct the cell, leave it empty (the row is then left out), or say \
                --task classification",
            ));
        }
        if task == TableTask::Classification && facts.overflown {
            return Err(DataError::option(
                "task",
                format!("column '{column}' has too many different numbers to be classes"),
                "leave it out, or say --task regression",
            ));
        }
        if task == TableTask::Classification
            && different > NAMES
            && different as u64 * 2 > facts.filled
        {
            return Err(DataError::content(
                file.column(column),
                format!(
                    "{} different texts in {} rows are no classes to learn",
                    count(different),
                    thousands(facts.filled)
                ),
                "name another target, or group the texts into classes first",
            ));
        }
        Ok(Target { column: column.into(), task, reason, numeric })
    }

    /// The labels that a cell lists: those of a JSON array such as `["a", "b"]`, or what stands between `;` or `|`.
    #[must_use]
    pub fn labels(cell: &str) -> Vec<String> {
        if let Ok(list) = serde_json::from_str::<Vec<serde_json::Value>>(cell) {
            let name = |label: serde_json::Value| match label {
                serde_json::Value::String(name) => name,
                other => other.to_string(),
            };
            return list.into_iter().map(name).collect();
        }
        let labels = cell.split([';', '|']).map(str::trim).filter(|label| !label.is_empty());
        labels.map(String::from).collect()
    }

    /// The class that a cell means.
    pub(crate) fn class(&self, cell: Cell<'_>) -> String {
        match cell.number().filter(|_| self.numeric) {
            Some(number) => number.to_string(),
            None => cell.text().into_owned(),
        }
    }
}

/// Whether the first cells of a target look like classes, of which each part is to have its share.
pub(super) fn stratified(cells: &Cells) -> bool {
    let mut facts = Facts::new(false);
    let rows = cells.len();
    facts.add(Glance::of(cells, &[], true), cells, 0, &vec![Part::Train; rows]);
    let (different, filled) = (facts.different(), facts.filled);
    if facts.numbers as f64 >= NUMBERS * filled as f64 {
        return looks_like_classes(&facts);
    }
    // Of classes with hardly any rows no part could have a share.
    different <= STRATA && different as u64 * 3 <= filled && !are_lists(facts.values().into_keys())
}

/// Whether numbers look like classes: two of them, or few whole ones, none of which is rare.
fn looks_like_classes(facts: &Facts) -> bool {
    let different = facts.different();
    if facts.overflown || different <= 2 {
        return !facts.overflown;
    }
    let few = different <= 3
        || (different <= CLASSES && different as f64 <= CLASSES_SHARE * facts.filled as f64);
    let common = || facts.values().values().all(|&[all, _]| all >= CLASS_ROWS);
    facts.whole == facts.filled && few && (different <= 3 || common())
}

/// Whether some cells list several labels.
fn are_lists<'a>(cells: impl Iterator<Item = &'a str>) -> bool {
    let (mut all, mut lists) = (0usize, 0usize);
    for cell in cells {
        all += 1;
        lists += usize::from(cell.starts_with('[') || Target::labels(cell).len() > 1);
    }
    lists > 0 && lists as f64 >= LISTS * all as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_of_which_some_are_rare_are_counts() {
        let look = |rare: usize| {
            let cells = (0..200).map(|row| f64::from(row % 4)).chain(vec![9.0; rare]);
            let cells = Cells::Numbers(cells.collect());
            let mut facts = Facts::new(false);
            let glance = Glance::of(&cells, &[], true);
            facts.add(glance, &cells, 0, &vec![Part::Train; cells.len()]);
            (looks_like_classes(&facts), stratified(&cells))
        };
        assert_eq!(look(CLASS_ROWS as usize), (true, true));
        assert_eq!(look(CLASS_ROWS as usize - 1), (false, false));
    }

    #[test]
    fn lists_of_labels() {
        assert_eq!(Target::labels("a; b;c"), ["a", "b", "c"]);
        assert_eq!(Target::labels("x|y"), ["x", "y"]);
        assert_eq!(Target::labels(r#"["a b", 2]"#), ["a b", "2"]);
        assert!(Target::labels("[]").is_empty());
        assert!(are_lists(["a;b", "a", "b"].into_iter()));
        assert!(!are_lists(["a", "b"].into_iter()));
    }
}
