//! Whether the parts are alike: figures of a test part say little of a network that learned from other rows.

use std::collections::BTreeMap;

use super::{Answer, Check, Examined, Nature, Seen, or_pass};

/// The probability of a false alarm, over all columns and parts together.
const ALARM: f64 = 0.001;
/// The distance of two distributions, or Cramér's V of two lists of counts, below which a difference does not matter.
const DISTANCE: f64 = 0.1;
/// Rows of a part that are needed, and that are looked at.
const LEAST: usize = 30;
const ROWS: usize = 4096;
/// Expected rows of a value below which it is counted with other rare ones.
const EXPECTED: f64 = 5.0;
/// Findings that are shown.
const SHOWN: usize = 10;

/// How far two samples are from each other, and the probability of that by chance.
struct Difference {
    distance: f64,
    chance: f64,
}

pub(super) fn drift(table: &Examined) -> Vec<Check> {
    let name = "drift";
    let rows = |part| Some(table.sampled(part, ROWS)).filter(|rows| rows.len() >= LEAST);
    let Some(train) = rows(0) else { return few() };
    let others: Vec<(&str, Vec<usize>)> = [(1, "validation"), (2, "test")]
        .into_iter()
        .filter_map(|(part, name)| Some((name, rows(part)?)))
        .collect();
    if others.is_empty() {
        return few();
    }
    let target = of_answer(table);
    let columns: Vec<&Seen> =
        table.used().filter(|column| column.nature != Nature::Text).chain(&target).collect();
    // A column may differ in what is missing and in what is not.
    let threshold = ALARM / (2 * columns.len() * others.len()).max(1) as f64;
    let mut findings = Vec::new();
    for column in columns {
        for (part, rows) in &others {
            let found = differences(column, &train, rows)
                .into_iter()
                .find(|(_, found)| found.chance < threshold && found.distance > DISTANCE);
            if let Some((what, found)) = found {
                let saw = format!(
                    "{what} '{}' differs between training and {part} rows (by {:.2}, from 0 to 1)",
                    column.name, found.distance
                );
                let action = "look how the rows were gathered; where they are split by time or \
                              group this shows what the network will meet";
                findings.push(Check::warn(name, saw, action));
            }
        }
    }
    let more = findings.len().saturating_sub(SHOWN);
    findings.truncate(SHOWN);
    if more > 0 {
        let saw = format!("{more} further differences between parts");
        findings.push(Check::warn(name, saw, "look how the rows were gathered"));
    }
    or_pass(findings, name, "the parts are alike")
}

fn few() -> Vec<Check> {
    vec![Check::pass("drift", format!("parts of fewer than {LEAST} rows are not compared"))]
}

/// The target as a column.
fn of_answer(table: &Examined) -> Option<Seen> {
    let (nature, codes, numbers) = match &table.answer {
        Answer::Classes { labels, .. } => {
            (Nature::Category, labels.iter().map(|&label| label as u32 + 1).collect(), None)
        }
        Answer::Numbers(values) => (Nature::Number, vec![1; values.len()], Some(values.clone())),
        Answer::Other => return None,
    };
    let filled = codes.len() as u64;
    Some(Seen {
        name: table.target.clone(),
        nature,
        filled,
        missing: 0,
        codes,
        numbers,
        dressed: None,
    })
}

/// What may differ of a column: its numbers or values, and where it is filled.
fn differences(column: &Seen, a: &[usize], b: &[usize]) -> Vec<(&'static str, Difference)> {
    let filled = |rows: &[usize]| {
        let codes = rows.iter().map(|&row| u32::from(column.codes[row] > 0));
        codes.collect::<Vec<_>>()
    };
    let Some(numbers) = &column.numbers else {
        let codes = |rows: &[usize]| rows.iter().map(|&row| column.codes[row]).collect::<Vec<_>>();
        return vec![("the distribution of", of_values(&codes(a), &codes(b)))];
    };
    let of = |rows: &[usize]| {
        let numbers = rows.iter().map(|&row| numbers[row]).filter(|number| !number.is_nan());
        numbers.collect::<Vec<_>>()
    };
    let (x, y) = (of(a), of(b));
    let mut found = vec![("how often there is something in", of_values(&filled(a), &filled(b)))];
    if x.len() >= LEAST && y.len() >= LEAST {
        found.insert(0, ("the distribution of", of_numbers(x, y)));
    }
    found
}

/// The two-sample test of Kolmogorov and Smirnov: the greatest distance of the two distribution functions, and its
/// asymptotic probability `2 Σ (−1)^(k−1) exp(−2 k² λ²)` with `λ = D √(nm / (n + m))`.
fn of_numbers(mut a: Vec<f64>, mut b: Vec<f64>) -> Difference {
    a.sort_unstable_by(f64::total_cmp);
    b.sort_unstable_by(f64::total_cmp);
    let (n, m) = (a.len() as f64, b.len() as f64);
    let (mut i, mut j, mut distance) = (0, 0, 0.0f64);
    while i < a.len() && j < b.len() {
        let least = a[i].min(b[j]);
        i += a[i..].iter().take_while(|x| **x <= least).count();
        j += b[j..].iter().take_while(|x| **x <= least).count();
        distance = distance.max((i as f64 / n - j as f64 / m).abs());
    }
    let lambda = distance * (n * m / (n + m)).sqrt();
    let term = |k: i32| {
        let sign = if k % 2 == 1 { 2.0 } else { -2.0 };
        sign * libm::exp(-2.0 * f64::from(k * k) * lambda * lambda)
    };
    // Below this the series does not settle, and the probability is 1.
    let chance = if lambda < 0.3 { 1.0 } else { (1..=100).map(term).sum::<f64>().clamp(0.0, 1.0) };
    Difference { distance, chance }
}

/// The chi-squared test of two lists of values, rare ones taken together; its probability by the cube root of Wilson
/// and Hilferty (1931), the distance as Cramér's V.
fn of_values(a: &[u32], b: &[u32]) -> Difference {
    let mut counts: BTreeMap<u32, [f64; 2]> = BTreeMap::new();
    for (side, values) in [a, b].into_iter().enumerate() {
        values.iter().for_each(|&value| counts.entry(value).or_default()[side] += 1.0);
    }
    let (n, m) = (a.len() as f64, b.len() as f64);
    let least = n.min(m) / (n + m);
    let mut cells: Vec<[f64; 2]> = Vec::new();
    let mut rare = [0.0; 2];
    for [x, y] in counts.into_values() {
        match (x + y) * least < EXPECTED {
            true => rare = [rare[0] + x, rare[1] + y],
            false => cells.push([x, y]),
        }
    }
    if (rare[0] + rare[1]) * least >= EXPECTED {
        cells.push(rare);
    }
    let chi: f64 = (cells.iter())
        .map(|[x, y]| {
            let expected = [(x + y) * n / (n + m), (x + y) * m / (n + m)];
            (x - expected[0]).powi(2) / expected[0] + (y - expected[1]).powi(2) / expected[1]
        })
        .sum();
    let freedom = cells.len().saturating_sub(1) as f64;
    if freedom == 0.0 {
        return Difference { distance: 0.0, chance: 1.0 };
    }
    let spread = 2.0 / (9.0 * freedom);
    let z = (libm::cbrt(chi / freedom) - (1.0 - spread)) / spread.sqrt();
    let chance = 0.5 * libm::erfc(z / std::f64::consts::SQRT_2);
    Difference { distance: (chi / (n + m)).sqrt(), chance }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figures of scipy.stats: `kstwobign.sf(λ)` and `chi2_contingency(correction=False)`.
    #[test]
    fn probabilities_are_those_of_the_field() {
        let a: Vec<f64> = (0..100).map(f64::from).collect();
        let b: Vec<f64> = (0..80).map(|i| f64::from(i) + 30.0).collect();
        let found = of_numbers(a, b);
        assert!((found.distance - 0.3).abs() < 1e-12);
        assert!((found.chance - KS).abs() < 1e-6, "{}", found.chance);
        let rows = |counts: [usize; 3]| -> Vec<u32> {
            (1..).zip(counts).flat_map(|(value, n)| std::iter::repeat_n(value, n)).collect()
        };
        let found = of_values(&rows([50, 30, 20]), &rows([30, 40, 30]));
        assert!((found.chance - CHI).abs() < 5e-4, "{}", found.chance);
        assert!((found.distance - V).abs() < 1e-9, "{}", found.distance);
    }

    const KS: f64 = 0.0006709252557796953;
    const CHI: f64 = 0.014_782_877;
    const V: f64 = 0.205_287_255_1;
}
