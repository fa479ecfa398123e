//! Columns that alone tell the target almost perfectly: often they were written down after it was known, and are not
//! there when it is to be predicted.

use std::collections::BTreeMap;

use super::redundant::correlation;
use super::{Answer, Check, Examined, Seen, drops, or_pass, percent};

/// What a column alone may reach: accuracy, area under the curve, or explained variance.
const PERFECT: f64 = 0.98;
/// The share of one class in rows where a column is filled (or empty) beyond which that tells the class.
const PRESENCE: f64 = 0.95;
/// How much of the errors of always saying the same must be gone.
const ERRORS: f64 = 0.2;
/// Errors of always saying the same that there must be for a share to mean something.
const EXPECTED: f64 = 20.0;
/// Training rows that are looked at, and that are needed.
const ROWS: usize = 4096;
const LEAST: usize = 40;
/// Ranges that numbers are cut into at most, and rows in each.
const BINS: usize = 64;
const PER_BIN: usize = 10;

pub(super) fn leakage(table: &Examined) -> Vec<Check> {
    let name = "leakage";
    if let Answer::Other = table.answer {
        return vec![];
    }
    let rows = table.sampled(0, ROWS);
    if rows.len() < LEAST {
        let saw = format!("fewer than {LEAST} rows to learn from: not looked at");
        return vec![Check::pass(name, saw)];
    }
    let tells = |column: &Seen| match &table.answer {
        Answer::Classes { classes, labels } => {
            let labels: Vec<usize> = rows.iter().map(|&row| labels[row]).collect();
            let by_value = || tells_class(column, &rows, &labels, classes.len(), &table.target);
            by_presence(column, &rows, &labels, classes, &table.target).or_else(by_value)
        }
        Answer::Numbers(values) => {
            let values: Vec<f64> = rows.iter().map(|&row| values[row]).collect();
            tells_number(column, &rows, &values, &table.target)
        }
        Answer::Other => None,
    };
    let findings = table.used().filter_map(|column| {
        let action = format!(
            "where it is not known when '{}' is to be predicted: {}",
            table.target,
            drops([column.name.as_str()])
        );
        Some(Check::warn(name, tells(column)?, action))
    });
    or_pass(findings.collect(), name, format!("no column alone tells '{}'", table.target))
}

/// Whether that a cell is filled, or empty, tells the class.
fn by_presence(
    column: &Seen,
    rows: &[usize],
    labels: &[usize],
    classes: &[(String, [u64; 3])],
    target: &str,
) -> Option<String> {
    let mut counts = [vec![0; classes.len()], vec![0; classes.len()]];
    for (&row, &label) in rows.iter().zip(labels) {
        counts[usize::from(column.codes[row] > 0)][label] += 1;
    }
    let in_all = |class: usize| (counts[0][class] + counts[1][class]) as f64 / rows.len() as f64;
    // Filled cells first: they are the better story.
    [(1, "filled"), (0, "empty")].into_iter().find_map(|(side, word)| {
        let all: usize = counts[side].iter().sum();
        let (class, &most) = counts[side].iter().enumerate().max_by_key(|(_, count)| **count)?;
        let (errors, usual) = (1.0 - most as f64 / all as f64, 1.0 - in_all(class));
        let tells = errors < 1.0 - PRESENCE && errors < ERRORS * usual;
        (tells && all < rows.len() && usual * all as f64 >= EXPECTED).then(|| {
            format!(
                "where '{}' is {word}, '{target}' is '{}' in {} of {all} rows, elsewhere in {}",
                column.name,
                classes[class].0,
                percent(most, all),
                percent(counts[1 - side][class], rows.len() - all)
            )
        })
    })
}

/// Whether a column tells the class: fitted on one half of the rows, it has to hold on the other, and the other way
/// round.
fn tells_class(
    column: &Seen,
    rows: &[usize],
    labels: &[usize],
    classes: usize,
    target: &str,
) -> Option<String> {
    let [mut accuracy, mut area] = [f64::INFINITY; 2];
    for half in 0..2 {
        let groups = groups(column, rows, half);
        let mut counts: BTreeMap<u32, BTreeMap<usize, usize>> = BTreeMap::new();
        let mut all = vec![0usize; classes];
        for i in (half..rows.len()).step_by(2) {
            *counts.entry(groups[i]).or_default().entry(labels[i]).or_default() += 1;
            all[labels[i]] += 1;
        }
        let usual = (0..classes).max_by_key(|&class| all[class])?;
        let said = |i: usize| {
            let most = counts.get(&groups[i]).and_then(|n| n.iter().max_by_key(|(_, n)| **n));
            most.map_or(usual, |(class, _)| *class)
        };
        let judging = (1 - half..rows.len()).step_by(2);
        let n = judging.clone().count() as f64;
        let right = |said: &dyn Fn(usize) -> usize| {
            judging.clone().filter(|&i| said(i) == labels[i]).count() as f64 / n
        };
        let (ours, theirs) = (right(&said), right(&|_| usual));
        accuracy = accuracy.min(if 1.0 - ours < ERRORS * (1.0 - theirs) { ours } else { 0.0 });
        let share = |i: usize| {
            let counts = counts.get(&groups[i]);
            let of = |class| counts.and_then(|n| n.get(&class)).copied().unwrap_or(0) as f64;
            let prior = all[1] as f64 / all.iter().sum::<usize>() as f64;
            (of(1) + prior) / (of(0) + of(1) + 1.0)
        };
        let found = match classes {
            2 => auc(judging.map(|i| (share(i), labels[i] == 1))).unwrap_or(0.0),
            _ => 0.0,
        };
        area = area.min(found);
    }
    let name = &column.name;
    if accuracy > PERFECT {
        let accuracy = 100.0 * accuracy;
        return Some(format!(
            "'{name}' alone tells '{target}' in {accuracy:.1} % of held-out rows"
        ));
    }
    (area > PERFECT).then(|| {
        format!(
            "'{name}' alone tells the classes of '{target}' apart (area under the curve {area:.3})"
        )
    })
}

/// The probability that a row of the class has a higher score than one of another (equal scores count half): the
/// Mann–Whitney statistic. None where one of the two has fewer than ten rows.
fn auc(scored: impl Iterator<Item = (f64, bool)>) -> Option<f64> {
    let mut scored: Vec<(f64, bool)> = scored.collect();
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut wins) = (0.0, 0.0);
    let [mut positive, mut negative] = [0usize; 2];
    for tie in scored.chunk_by(|a, b| a.0 == b.0) {
        let yes = tie.iter().filter(|(_, is)| *is).count();
        let no = tie.len() - yes;
        wins += yes as f64 * (below + 0.5 * no as f64);
        below += no as f64;
        positive += yes;
        negative += no;
    }
    (positive >= 10 && negative >= 10).then(|| wins / (positive as f64 * negative as f64))
}

/// Whether a column tells a number: on a line, or its rank range by range.
fn tells_number(column: &Seen, rows: &[usize], values: &[f64], target: &str) -> Option<String> {
    let name = &column.name;
    if let Some(numbers) = &column.numbers {
        let numbers: Vec<f64> = rows.iter().map(|&row| numbers[row]).collect();
        if let Some(r) = correlation(&numbers, values).filter(|r| r * r > PERFECT) {
            return Some(format!("'{name}' and '{target}' lie on a line (correlation {r:.4})"));
        }
    }
    let ranks = ranks(values);
    let mut explained = f64::INFINITY;
    for half in 0..2 {
        let groups = groups(column, rows, half);
        let mut sums: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
        let (mut sum, mut n) = (0.0, 0.0);
        for i in (half..rows.len()).step_by(2) {
            let (group, count) = sums.entry(groups[i]).or_default();
            *group += ranks[i];
            *count += 1.0;
            sum += ranks[i];
            n += 1.0;
        }
        let mean = sum / n;
        let [mut ours, mut theirs] = [0.0; 2];
        for i in (1 - half..rows.len()).step_by(2) {
            let said = sums.get(&groups[i]).map_or(mean, |(sum, n)| sum / n);
            ours += (ranks[i] - said).powi(2);
            theirs += (ranks[i] - mean).powi(2);
        }
        explained = explained.min(1.0 - ours / theirs);
    }
    (explained > PERFECT).then(|| {
        format!(
            "'{name}' alone explains {:.1} % of the variance of the ranks of '{target}'",
            100.0 * explained
        )
    })
}

/// The group of each row: 0 where there is nothing, a range of numbers (cut by the rows of one half), or the value.
fn groups(column: &Seen, rows: &[usize], half: usize) -> Vec<u32> {
    let Some(numbers) = &column.numbers else {
        return rows.iter().map(|&row| column.codes[row]).collect();
    };
    let mut sorted: Vec<f64> = (rows.iter().skip(half).step_by(2))
        .map(|&row| numbers[row])
        .filter(|number| !number.is_nan())
        .collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let bins = (sorted.len() / PER_BIN).clamp(2, BINS);
    let mut edges: Vec<f64> =
        (1..bins).filter_map(|i| sorted.get(i * sorted.len() / bins)).copied().collect();
    edges.dedup();
    let group = |&row: &usize| match numbers[row] {
        number if number.is_nan() => 0,
        number => edges.partition_point(|edge| *edge <= number) as u32 + 1,
    };
    rows.iter().map(group).collect()
}

/// The place of each value among all, equal ones in the middle of their places.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for tie in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let middle = start as f64 + 0.5 * (tie.len() - 1) as f64;
        tie.iter().for_each(|&row| ranks[row] = middle);
        start += tie.len();
    }
    ranks
}
