//! Equal rows, above all such as stand in the rows to learn from and in those that judge.

use std::collections::BTreeMap;

use super::{Answer, Check, Examined, Status, percent};
use crate::error::thousands;
use crate::hash::mixed;

/// Different rows that are counted.
const ROWS: usize = 1 << 14;
/// The share of judging rows that occur among the training rows from which on figures are too good.
const ACROSS: f64 = 0.01;
/// The share of rows that repeat another from which on it is worth a look.
const INSIDE: f64 = 0.05;

/// How often a row is to be met by chance for its coming again to be no surprise.
const CHANCE: f64 = 0.05;

/// How often equal rows occur in each part. Of many different rows those with the least hashes are counted, and all
/// their repetitions with them: so shares stay right however long the table is.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Twins {
    counts: BTreeMap<u64, [u32; 3]>,
    /// The greatest hash that is counted, where others have no place any more.
    most: Option<u64>,
    /// Whether rows were passed over.
    partial: bool,
}

impl Twins {
    /// Counts a row with this hash ([`row_hash`]) in a part: 0 training, 1 validation, 2 test.
    pub fn add(&mut self, hash: u64, part: usize) {
        if self.most.is_some_and(|most| hash > most) {
            self.partial = true;
            return;
        }
        self.counts.entry(hash).or_default()[part.min(2)] += 1;
        if self.counts.len() > ROWS {
            self.counts.pop_last();
            self.partial = true;
        }
        if self.counts.len() == ROWS {
            self.most = self.counts.last_key_value().map(|(&most, _)| most);
        }
    }

    /// Counted rows; those that repeat another; judging rows; those of them that are among the training rows.
    fn figures(&self) -> [usize; 4] {
        let [mut rows, mut repeated, mut judging, mut across] = [0; 4];
        for counts in self.counts.values() {
            let [train, valid, test] = counts.map(|count| count as usize);
            rows += train + valid + test;
            repeated += (train + valid + test).saturating_sub(1);
            judging += valid + test;
            across += if train > 0 { valid + test } else { 0 };
        }
        [rows, repeated, judging, across]
    }
}

/// A number that is the same for rows with the same parts, and for hardly any others.
#[must_use]
pub fn row_hash<T: AsRef<[u8]>>(parts: impl IntoIterator<Item = T>) -> u64 {
    parts.into_iter().fold(0, |hash, part| mixed(hash, part.as_ref()))
}

pub(super) fn duplicates(table: &Examined) -> Vec<Check> {
    let checks = of_twins(&table.twins);
    match checks.iter().any(|check| check.status != Status::Pass) && by_chance(table) {
        true => {
            let what = "as rows of few different values do by chance";
            let told = |check: Check| Check::pass(&check.name, format!("{}, {what}", check.saw));
            checks.into_iter().map(told).collect()
        }
        false => checks,
    }
}

/// Whether most repeated rows of the sample are made of cells so frequent that rows like them come again by chance: were
/// the columns independent, such a row would be met `rows · Π share of the cell` times.
fn by_chance(table: &Examined) -> bool {
    let labels: Vec<u32> = match &table.answer {
        Answer::Classes { labels, .. } => labels.iter().map(|&label| label as u32).collect(),
        Answer::Numbers(values) => first_places(values.iter().map(|value| value.to_bits())),
        Answer::Other => vec![0; table.parts.len()],
    };
    let columns: Vec<&[u32]> =
        table.used().map(|column| column.codes.as_slice()).chain([&labels[..]]).collect();
    let counts: Vec<BTreeMap<u32, usize>> = (columns.iter())
        .map(|codes| {
            let mut counts = BTreeMap::new();
            codes.iter().for_each(|&code| *counts.entry(code).or_default() += 1);
            counts
        })
        .collect();
    let n = table.parts.len();
    let mut seen: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
    for row in 0..n {
        *seen.entry(columns.iter().map(|codes| codes[row]).collect()).or_default() += 1;
    }
    let repeated = seen.into_iter().filter(|(_, times)| *times > 1);
    let (mut all, mut chance) = (0, 0);
    for (row, times) in repeated {
        let share = |(counts, code): (&BTreeMap<u32, usize>, u32)| {
            counts.get(&code).copied().unwrap_or(0) as f64 / n as f64
        };
        let met = n as f64 * counts.iter().zip(row).map(share).product::<f64>();
        all += times - 1;
        chance += if met > CHANCE { times - 1 } else { 0 };
    }
    2 * chance > all
}

/// Numbers for values, equal ones for equal values.
fn first_places(values: impl Iterator<Item = u64>) -> Vec<u32> {
    let mut known = BTreeMap::new();
    let place = |value| {
        let next = known.len() as u32;
        *known.entry(value).or_insert(next)
    };
    values.map(place).collect()
}

/// Judges how often equal rows occur.
pub(super) fn of_twins(twins: &Twins) -> Vec<Check> {
    let name = "duplicates";
    let [rows, repeated, judging, across] = twins.figures();
    let about = if twins.partial { "of the rows looked at, " } else { "" };
    let mut findings = Vec::new();
    if across as f64 > ACROSS * judging as f64 && across > 1 {
        let saw = format!(
            "{about}{} of the {} validation and test rows ({}) also stand among the rows to learn \
             from",
            thousands(across as u64),
            thousands(judging as u64),
            percent(across, judging)
        );
        let action = "figures are too good by as much; remove repeated rows, or keep rows that \
                      belong together in one part with --group COL";
        findings.push(Check::warn(name, saw, action));
    } else if repeated as f64 > INSIDE * rows as f64 {
        let saw = format!(
            "{about}{} of {} ({}) repeat another",
            thousands(repeated as u64),
            thousands(rows as u64),
            percent(repeated, rows)
        );
        findings.push(Check::warn(name, saw, "remove repeated rows, unless each was observed"));
    }
    let saw = format!(
        "{about}{} of {} repeat another, {} across parts",
        thousands(repeated as u64),
        thousands(rows as u64),
        thousands(across as u64)
    );
    super::or_pass(findings, name, saw)
}
