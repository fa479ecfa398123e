//! Columns that say the same as another.

use std::collections::BTreeMap;

use super::{Check, Examined, Seen, drops, or_pass};

/// The correlation beyond which two numbers say the same.
const SAME: f64 = 0.999;
/// Rows by which pairs of numbers are looked through, the correlation from which on a pair is computed in full, and
/// columns that are looked at.
const SCREEN_ROWS: usize = 512;
const SCREEN: f32 = 0.97;
const COLUMNS: usize = 1000;
/// Rows with something in them that two columns need to have to be compared.
const ROWS: usize = 20;
/// Findings that are shown.
const SHOWN: usize = 10;

pub(super) fn redundant(table: &Examined) -> Vec<Check> {
    let columns: Vec<&Seen> = table.used().take(COLUMNS).collect();
    let mut found = one_to_one(&columns);
    let known: Vec<usize> = found.iter().map(|(_, second, _)| *second).collect();
    let new = correlated(&columns);
    found.extend(new.into_iter().filter(|(_, second, _)| !known.contains(second)));
    found.sort_by_key(|(first, second, _)| (*second, *first));
    // One finding for each column that could go.
    found.dedup_by_key(|(_, second, _)| *second);
    let more = found.len().saturating_sub(SHOWN);
    let mut findings: Vec<Check> = (found.into_iter().take(SHOWN))
        .map(|(first, second, how)| {
            let (first, second) = (columns[first].name.as_str(), columns[second].name.as_str());
            let saw = format!("'{first}' and '{second}' say the same: {how}");
            Check::warn("redundant", saw, format!("one is enough: {}", drops([second])))
        })
        .collect();
    if more > 0 {
        let saw = format!("{more} further columns say the same as another");
        findings.push(Check::warn("redundant", saw, "one of each is enough: --drop COL"));
    }
    or_pass(findings, "redundant", "no two columns say the same")
}

/// Pairs of columns of which each value belongs to one value of the other.
fn one_to_one(columns: &[&Seen]) -> Vec<(usize, usize, String)> {
    let mut first_of: BTreeMap<&[u32], usize> = BTreeMap::new();
    let mut found = Vec::new();
    for (i, column) in columns.iter().enumerate() {
        let filled = column.codes.iter().filter(|&&code| code > 0).count();
        let different = column.different();
        if filled < ROWS || different < 2 || 2 * different > filled {
            continue;
        }
        // Values are numbered as they come up, so columns of equal numbers map one to one.
        match first_of.get(column.codes.as_slice()) {
            Some(&first) => {
                let how = format!("each of the {different} values of one is one of the other");
                found.push((first, i, how));
            }
            None => {
                first_of.insert(&column.codes, i);
            }
        }
    }
    found
}

/// Pairs of numbers that lie on a line.
fn correlated(columns: &[&Seen]) -> Vec<(usize, usize, String)> {
    let screened: Vec<(usize, &[f64], Vec<f32>)> = (columns.iter().enumerate())
        .filter_map(|(i, column)| {
            let numbers = column.numbers.as_deref()?;
            Some((i, numbers, standardised(numbers)?))
        })
        .collect();
    let mut found = Vec::new();
    for (place, (first, numbers, screen)) in screened.iter().enumerate() {
        for (second, others, other) in &screened[place + 1..] {
            let product: f32 = screen.iter().zip(other).map(|(a, b)| a * b).sum();
            if product.abs() < SCREEN {
                continue;
            }
            if let Some(r) = correlation(numbers, others).filter(|r| r.abs() > SAME) {
                found.push((*first, *second, format!("correlation {r:.4}")));
            }
        }
    }
    found
}

/// Some rows of a column with mean 0 (missing ones, too) and length 1; none where they do not vary.
fn standardised(numbers: &[f64]) -> Option<Vec<f32>> {
    let rows: Vec<f64> = super::spread(numbers.len(), SCREEN_ROWS).map(|i| numbers[i]).collect();
    let filled = rows.iter().filter(|x| !x.is_nan());
    let mean = filled.clone().sum::<f64>() / filled.count().max(1) as f64;
    let off = |x: &f64| if x.is_nan() { 0.0 } else { x - mean };
    let length = rows.iter().map(|x| off(x) * off(x)).sum::<f64>().sqrt();
    (length > 0.0).then(|| rows.iter().map(|x| (off(x) / length) as f32).collect())
}

/// Pearson's correlation over rows where both are there; none where those are few, or one does not vary.
pub(super) fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let pairs = || a.iter().zip(b).filter(|(a, b)| !a.is_nan() && !b.is_nan());
    let n = pairs().count();
    if n < ROWS || 10 * n < 9 * a.len().min(b.len()) {
        return None;
    }
    let mean = |sum: f64| sum / n as f64;
    let (mean_a, mean_b) = (mean(pairs().map(|p| p.0).sum()), mean(pairs().map(|p| p.1).sum()));
    let [mut aa, mut ab, mut bb] = [0.0; 3];
    for (a, b) in pairs() {
        let (a, b) = (a - mean_a, b - mean_b);
        aa += a * a;
        ab += a * b;
        bb += b * b;
    }
    let r = ab / (aa * bb).sqrt();
    r.is_finite().then_some(r)
}
