//! Oddities of what is to be learned.

use std::collections::BTreeMap;

use super::{Answer, Check, Examined, or_pass, percent, quoted};

/// Different numbers from which on a target is continuous, so that many equal ones are odd.
const CONTINUOUS: usize = 50;
/// The share of rows at the least or the greatest number beyond which it looks like a cap, and at any other.
const CAP: f64 = 0.01;
const PILE: f64 = 0.2;
/// Rows of a pile at least, and how many times those of the next number.
const ROWS: usize = 10;
const STANDS_OUT: usize = 5;
/// Interquartile ranges beyond the quartiles from which on a number is far out.
const FAR: f64 = 10.0;
/// The share of such rows up to which they are oddities and not the shape of the distribution.
const FAR_SHARE: f64 = 0.01;

pub(super) fn target(table: &Examined) -> Vec<Check> {
    let name = "target";
    match &table.answer {
        Answer::Classes { classes, .. } => {
            let mut alike: BTreeMap<String, Vec<&str>> = BTreeMap::new();
            for (class, _) in classes {
                let key = class.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
                alike.entry(key).or_default().push(class);
            }
            let findings = alike.into_values().filter(|classes| classes.len() > 1).map(|classes| {
                let saw =
                    format!("classes that differ in case or spaces alone: {}", quoted(classes));
                Check::warn(name, saw, "write them alike where they are one class")
            });
            or_pass(
                findings.collect(),
                name,
                format!("'{}' is one of {} classes", table.target, classes.len()),
            )
        }
        Answer::Numbers(values) => {
            let mut sorted = values.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            let findings = piles(&sorted, &table.target).into_iter();
            let findings = findings.chain(outliers(&sorted, &table.target)).collect();
            let saw = match (sorted.first(), sorted.last()) {
                (Some(least), Some(most)) => {
                    format!("'{}' goes from {least} to {most}", table.target)
                }
                _ => String::new(),
            };
            or_pass(findings, name, saw)
        }
        Answer::Other => vec![],
    }
}

/// Numbers that a surprising share of rows has.
fn piles(sorted: &[f64], target: &str) -> Option<Check> {
    let counts: Vec<(f64, usize)> =
        sorted.chunk_by(|a, b| a == b).map(|same| (same[0], same.len())).collect();
    if counts.len() < CONTINUOUS {
        return None;
    }
    let mut typical: Vec<usize> = counts.iter().map(|(_, count)| *count).collect();
    typical.sort_unstable();
    let typical = typical[typical.len() / 2];
    let n = sorted.len();
    let pile = |some: &(f64, usize), share: f64| {
        let count = some.1;
        count as f64 > share * n as f64 && count >= ROWS && count >= STANDS_OUT * typical
    };
    let (first, last) = (counts.first()?, counts.last()?);
    let at_end = [last, first].into_iter().find(|end| pile(end, CAP));
    let (value, count) = at_end.or_else(|| counts.iter().find(|some| pile(some, PILE)))?;
    let (where_, action) = match () {
        () if *value == last.0 => (
            ", the greatest there is: it looks like a cap",
            "where it is one, larger numbers are unknown: leave these rows out, or read the \
             figures with that in mind",
        ),
        () if *value == first.0 => (
            ", the least there is",
            "where it stands for nothing or for 'at most', learn that apart, as yes or no",
        ),
        () => ("", "look whether it stands for a number that is not known"),
    };
    let saw = format!("'{target}' is {value} in {} of the rows{where_}", percent(*count, n));
    Some(Check::warn("target", saw, action))
}

/// Numbers far from all others.
fn outliers(sorted: &[f64], target: &str) -> Option<Check> {
    let n = sorted.len();
    let [low, high] = [n / 4, 3 * n / 4].map(|i| sorted.get(i).copied().unwrap_or(0.0));
    let reach = FAR * (high - low);
    let far: Vec<f64> =
        sorted.iter().copied().filter(|x| *x < low - reach || *x > high + reach).collect();
    let odd = reach > 0.0 && !far.is_empty() && far.len() as f64 <= FAR_SHARE * n as f64;
    odd.then(|| {
        let worst = far.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs()));
        let saw = format!(
            "'{target}' is far out in {} of {n} rows (such as {}; half of all rows are from {low} \
             to {high})",
            far.len(),
            worst.unwrap_or(f64::NAN)
        );
        let action = "correct them where they are mistakes; else --set train.loss=huber heeds \
                      them less";
        Check::warn("target", saw, action)
    })
}
