//! Whether there are rows enough, of each class too, and whether there is anything to tell apart.

use super::{Answer, Check, Examined, quoted};
use crate::error::thousands;

/// Training rows below which nothing can be learned, and below which figures are little more than chance.
const LEAST: [u64; 2] = [4, 50];
/// Training rows for each column below which chance agreements between columns and target are to be expected.
const PER_COLUMN: u64 = 5;
/// Rows of a class below which it is hardly learned, and its figures cannot be believed.
const PER_CLASS: u64 = 10;
/// The share of a class under which it is rare.
const RARE: f64 = 0.05;

pub(super) fn rows(table: &Examined) -> Vec<Check> {
    let [train, valid, test] = table.rows;
    let columns = table.used().count() as u64;
    let saw = format!(
        "{} to learn from, {} for validation, {} for the test",
        thousands(train),
        thousands(valid),
        thousands(test)
    );
    amount(saw, train, columns)
}

/// Judges a number of training rows, where samples have so many columns (0: they have none).
pub(super) fn amount(saw: String, train: u64, columns: u64) -> Vec<Check> {
    let name = "rows";
    let few = "bring more rows; until then, take every figure with its uncertainty";
    vec![match train {
        train if train < LEAST[0] => {
            Check::fail(name, format!("only {train} rows to learn from"), "bring more rows")
        }
        train if train < LEAST[1] => Check::warn(name, saw, few),
        train if train < PER_COLUMN * columns => Check::warn(
            name,
            format!("{} rows to learn from, and {columns} columns", thousands(train)),
            "drop columns that cannot matter (--drop COL), or bring more rows",
        ),
        _ => Check::pass(name, saw),
    }]
}

pub(super) fn classes(table: &Examined) -> Vec<Check> {
    match &table.answer {
        Answer::Classes { classes, .. } => of_classes(classes),
        Answer::Numbers(values) => {
            let first = values.first().copied().unwrap_or(f64::NAN);
            vec![match values.iter().all(|value| *value == first) {
                true => Check::fail(
                    "classes",
                    format!("'{}' is {first} in every row", table.target),
                    "there is nothing to learn; name another target",
                ),
                false => {
                    Check::pass("classes", format!("'{}' differs from row to row", table.target))
                }
            }]
        }
        Answer::Other => vec![],
    }
}

/// Judges the number of rows of each class.
pub(super) fn of_classes(classes: &[(String, [u64; 3])]) -> Vec<Check> {
    let name = "classes";
    let in_train: Vec<&str> =
        classes.iter().filter(|(_, rows)| rows[0] > 0).map(|(name, _)| name.as_str()).collect();
    if let [] | [_] = in_train[..] {
        let saw = format!("all rows to learn from are of one class, {}", quoted(in_train));
        let action = "there is nothing to tell apart; bring rows of another class, or name \
                      another target";
        return vec![Check::fail(name, saw, action)];
    }
    let mut findings = Vec::new();
    let unseen = classes.iter().filter(|(_, rows)| rows[0] == 0 && rows[1] + rows[2] > 0);
    let unseen: Vec<&str> = unseen.map(|(name, _)| name.as_str()).collect();
    if !unseen.is_empty() {
        let saw = format!("no row to learn from is of class {}, but others are", quoted(unseen));
        findings.push(Check::warn(name, saw, "split the rows otherwise, or bring more of them"));
    }
    let few = |rows: &[u64; 3]| rows[0] > 0 && rows.iter().sum::<u64>() < PER_CLASS;
    let few: Vec<&str> =
        classes.iter().filter(|(_, rows)| few(rows)).map(|(name, _)| name.as_str()).collect();
    if !few.is_empty() {
        let saw = format!("fewer than {PER_CLASS} rows are of class {}", quoted(few));
        findings.push(Check::warn(name, saw, "bring more rows of it, or join it to another class"));
    }
    super::or_pass(findings, name, format!("{} classes, each with rows enough", classes.len()))
}

pub(super) fn imbalance(table: &Examined) -> Vec<Check> {
    match &table.answer {
        Answer::Classes { classes, .. } => of_shares(classes),
        _ => vec![],
    }
}

/// Judges the share of the rarest class: it should have 5 %, or half of what it would have if all had the same.
pub(super) fn of_shares(classes: &[(String, [u64; 3])]) -> Vec<Check> {
    let all = classes.iter().map(|(_, rows)| rows[0]).sum::<u64>();
    let counts = classes.iter().map(|(name, rows)| (rows[0], name));
    let rarest = counts.clone().filter(|(rows, _)| *rows > 0).min();
    let (Some((rows, rare)), Some((most, frequent))) = (rarest, counts.max()) else {
        return vec![];
    };
    if rare == frequent {
        return vec![];
    }
    let saw = format!(
        "'{frequent}' has {} of the rows to learn from, '{rare}' {}",
        super::percent(most as usize, all as usize),
        super::percent(rows as usize, all as usize)
    );
    let least = RARE.min(0.5 / classes.len() as f64);
    vec![match (rows as f64) < least * all as f64 {
        true => Check::warn(
            "imbalance",
            saw,
            "--balance weighs rare classes more; look at the figures of each class, not at the accuracy alone",
        ),
        false => Check::pass("imbalance", saw),
    }]
}

/// The rows of each class in each part, of which the labels of all rows and its own rows are given.
pub(super) fn counts(names: &[String], parts: [(&[i64], &[usize]); 3]) -> Vec<(String, [u64; 3])> {
    let mut classes: Vec<(String, [u64; 3])> =
        names.iter().map(|name| (name.clone(), [0; 3])).collect();
    for (part, (labels, rows)) in parts.into_iter().enumerate() {
        for &row in rows {
            let class = labels.get(row).and_then(|&label| usize::try_from(label).ok());
            if let Some((_, counts)) = class.and_then(|class| classes.get_mut(class)) {
                counts[part] += 1;
            }
        }
    }
    classes
}
