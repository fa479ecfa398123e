//! Columns that say nothing, say little, or say another thing in every row.

use super::{Check, Examined, Nature, Seen, drops, or_pass, percent, quoted};
use crate::error::thousands;

/// The share of missing cells from which on a column is mostly empty.
const MISSING: f64 = 0.5;
/// Different values from which on a category has very many, where they also are this share of its filled cells.
const MANY: usize = 50;
const MANY_SHARE: f64 = 0.2;
/// The share of different texts from which on they may name rows.
const NAMES: f64 = 0.95;

pub(super) fn missing(table: &Examined) -> Vec<Check> {
    let name = "missing";
    let empty = named(table, |column| column.filled == 0);
    let mut findings = Vec::new();
    if !empty.is_empty() {
        let saw = format!("nothing stands in {}", quoted(empty.iter().copied()));
        let action = format!("left out already; {} says so", drops(empty));
        findings.push(Check::warn(name, saw, action));
    }
    let share = |column: &Seen| percent(column.missing as usize, rows(column) as usize);
    let mostly: Vec<&Seen> = (table.columns.iter())
        .filter(|column| column.filled > 0 && column.missing as f64 > MISSING * rows(column) as f64)
        .collect();
    if !mostly.is_empty() {
        let each = mostly.iter().map(|column| format!("'{}' {}", column.name, share(column)));
        let saw = format!("mostly empty: {}", each.collect::<Vec<_>>().join(", "));
        let action = "that a cell is empty is told to the network; look why cells are empty, or \
                      leave a column out with --drop COL";
        findings.push(Check::warn(name, saw, action));
    }
    let worst = table.columns.iter().max_by(|a, b| {
        let share = |column: &Seen| column.missing as f64 / rows(column).max(1) as f64;
        share(a).total_cmp(&share(b))
    });
    let saw = match worst {
        Some(column) if column.missing > 0 => {
            format!(
                "the emptiest column is '{}', of which {} is missing",
                column.name,
                share(column)
            )
        }
        _ => "no cell is empty".into(),
    };
    or_pass(findings, name, saw)
}

pub(super) fn constant(table: &Examined) -> Vec<Check> {
    let name = "constant";
    let same = named(table, |column| column.nature == Nature::Constant && column.filled > 0);
    if same.is_empty() {
        return vec![Check::pass(name, "no column is the same in every row")];
    }
    let saw = format!("the same in every row: {}", quoted(same.iter().copied()));
    vec![Check::warn(name, saw, format!("left out already; {} says so", drops(same)))]
}

pub(super) fn identifiers(table: &Examined) -> Vec<Check> {
    let name = "identifiers";
    let mut findings = Vec::new();
    let ids = named(table, |column| column.nature == Nature::Identifier);
    if !ids.is_empty() {
        let saw = format!("names rows, so it is left out: {}", quoted(ids.iter().copied()));
        let action = format!("where it does matter, say what it is: --type {}=category", ids[0]);
        findings.push(Check::warn(name, saw, action));
    }
    let names = named(table, |column| {
        let all = column.different() as f64 >= NAMES * filled_in_sample(column) as f64;
        let by_name = column
            .name
            .to_lowercase()
            .split(|c: char| !c.is_alphanumeric())
            .any(|word| ["name", "names", "id", "title"].contains(&word));
        column.nature == Nature::Text && all && by_name && table.columns.len() > 1
    });
    if !names.is_empty() {
        let saw = format!(
            "another text in nearly every row: {}; it may only name the rows",
            quoted(names.iter().copied())
        );
        let action = format!("{}, unless its words matter", drops(names));
        findings.push(Check::warn(name, saw, action));
    }
    or_pass(findings, name, "no column only names the rows")
}

pub(super) fn many_values(table: &Examined) -> Vec<Check> {
    let name = "many values";
    let many = table.columns.iter().filter(|column| {
        let different = column.different();
        column.nature == Nature::Category
            && different >= MANY
            && different as f64 > MANY_SHARE * filled_in_sample(column) as f64
    });
    let findings = many.map(|column| {
        let saw = format!(
            "'{}' has {} different values in {} filled cells",
            column.name,
            thousands(column.different() as u64),
            thousands(filled_in_sample(column) as u64)
        );
        let action = format!(
            "values that are rare share one place; where it only names rows {}, where its words \
             matter --type {}=text",
            drops([column.name.as_str()]),
            column.name
        );
        Check::warn(name, saw, action)
    });
    or_pass(findings.collect(), name, "no category has a value of its own in most rows")
}

pub(super) fn dressed(table: &Examined) -> Vec<Check> {
    let name = "numbers";
    let findings = table.columns.iter().filter_map(|column| {
        let cell = column.dressed.as_ref()?;
        let taken = match column.nature {
            Nature::Identifier => "left out, as a name of its rows",
            Nature::Text => "taken for text",
            _ => "taken for a category",
        };
        let saw = format!(
            "'{}' has cells such as '{cell}', which look like numbers but are not read as such: it is {taken}",
            column.name
        );
        let action = "write them plainly, such as 1234.5: without signs, and with a point for the decimals";
        Some(Check::warn(name, saw, action))
    });
    or_pass(findings.collect(), name, "no column of other cells looks like numbers")
}

fn named(table: &Examined, which: impl Fn(&Seen) -> bool) -> Vec<&str> {
    let found = table.columns.iter().filter(|column| which(column));
    found.map(|column| column.name.as_str()).collect()
}

fn rows(column: &Seen) -> u64 {
    column.filled + column.missing
}

fn filled_in_sample(column: &Seen) -> usize {
    column.codes.iter().filter(|&&code| code > 0).count()
}
