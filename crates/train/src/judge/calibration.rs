//! How far probabilities can be believed: the temperature that logits are divided by (Guo et al. 2017), reliability
//! bins, expected calibration error, Brier score.

/// Bins of equal width in which stated and observed probabilities are compared.
pub const BINS: usize = 15;
/// Temperatures stay within 1/20 … 20.
const COLDEST: f64 = 0.05;
/// Logits that are looked at.
const NUMBERS: usize = 2_000_000;

/// softmax(logits/temperature) of rows of `classes` logits, row-major.
#[must_use]
pub fn probabilities(logits: &[f32], classes: usize, temperature: f64) -> Vec<f64> {
    let mut all = Vec::with_capacity(logits.len());
    for row in logits.chunks_exact(classes.max(1)) {
        let from = all.len();
        let top = row.iter().fold(f32::NEG_INFINITY, |top, &z| top.max(z));
        let weight = |&z: &f32| libm::exp((f64::from(z) - f64::from(top)) / temperature);
        all.extend(row.iter().map(weight));
        let sum: f64 = all[from..].iter().sum();
        all[from..].iter_mut().for_each(|p| *p /= sum);
    }
    all
}

/// σ(logit/temperature) of each logit, as near as `f32` comes: what is written down and read again is compared with a
/// threshold as it was here.
#[must_use]
pub fn shares(logits: &[f32], temperature: f64) -> Vec<f64> {
    let share = |&z: &f32| {
        let z = f64::from(z) / temperature;
        let e = libm::exp(-z.abs());
        let p = if z >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) };
        f64::from(p as f32)
    };
    logits.iter().map(share).collect()
}

/// The temperature T that makes the logarithmic loss of softmax(logits/T) least over these rows, where each truth is
/// believed but for a doubt of 1/(n + 1), spread over the classes (as Platt 1999 does): so rows that are all right do
/// not make T vanish. Newton's method on 1/T, in which the loss is convex. 1 where there is nothing to learn from.
#[must_use]
pub fn temperature(logits: &[f32], classes: usize, labels: &[i64]) -> f64 {
    let rows = labels.len().min(logits.len() / classes.max(1)).min(NUMBERS / classes.max(1));
    if rows == 0 || classes < 2 || logits.iter().any(|z| !z.is_finite()) {
        return 1.0;
    }
    // Every so many rows where there are too many.
    let stride = labels.len().div_ceil(rows);
    let doubt = 1.0 / (rows as f64 + 1.0);
    let slopes = |beta: f64| {
        let (mut first, mut second) = (0.0, 0.0);
        for (row, &label) in logits.chunks_exact(classes).zip(labels).step_by(stride) {
            let Some(&said) = usize::try_from(label).ok().and_then(|label| row.get(label)) else {
                continue;
            };
            let top = row.iter().fold(f32::NEG_INFINITY, |top, &z| top.max(z));
            let (mut sum, mut mean, mut square, mut even) = (0.0, 0.0, 0.0, 0.0);
            for &z in row {
                let z = f64::from(z) - f64::from(top);
                let weight = libm::exp(beta * z);
                sum += weight;
                mean += weight * z;
                square += weight * z * z;
                even += z;
            }
            mean /= sum;
            let said = f64::from(said) - f64::from(top);
            first += mean - (1.0 - doubt) * said - doubt * even / classes as f64;
            second += square / sum - mean * mean;
        }
        (first, second)
    };
    let (mut beta, mut low, mut high) = (1.0, COLDEST, 1.0 / COLDEST);
    for _ in 0..60 {
        let (first, second) = slopes(beta);
        match first > 0.0 {
            true => high = beta,
            false => low = beta,
        }
        let newton: f64 = beta - first / second;
        let next = if newton > low && newton < high { newton } else { (low + high) / 2.0 };
        if (next - beta).abs() <= 1e-9 * beta {
            break;
        }
        beta = next;
    }
    1.0 / beta
}

/// Bins of equal width over what was stated: mean stated probability, observed share and rows of each that has rows.
#[must_use]
pub fn bins(stated: &[f64], happened: &[bool]) -> Vec<[f64; 3]> {
    let mut sums = [[0.0; 3]; BINS];
    for (&p, &true_) in stated.iter().zip(happened) {
        let bin = &mut sums[((p * BINS as f64) as usize).min(BINS - 1)];
        bin[0] += p;
        bin[1] += f64::from(u8::from(true_));
        bin[2] += 1.0;
    }
    let means = |[stated, observed, n]: [f64; 3]| [stated / n, observed / n, n];
    sums.into_iter().filter(|bin| bin[2] > 0.0).map(means).collect()
}

/// Expected calibration error: Σ n_b/n · |stated − observed| over the bins.
#[must_use]
pub fn expected_error(bins: &[[f64; 3]]) -> f64 {
    let rows: f64 = bins.iter().map(|bin| bin[2]).sum();
    bins.iter().map(|[stated, observed, n]| n * (stated - observed).abs()).sum::<f64>() / rows
}

/// What is stated and whether it happened: of two classes the probability of the second, of more that of the class that is
/// said.
#[must_use]
pub fn stated(probabilities: &[f64], classes: usize, labels: &[i64]) -> (Vec<f64>, Vec<bool>) {
    let rows = probabilities.chunks_exact(classes.max(1)).zip(labels);
    rows.map(|(row, &label)| {
        let class = if classes == 2 { 1 } else { largest(row) };
        (row[class], label == class as i64)
    })
    .unzip()
}

/// −ln p: the loss where what came had probability p.
#[must_use]
pub fn surprise(p: f64) -> f64 {
    -libm::log(p.max(f64::MIN_POSITIVE))
}

/// The probability that was given to the truth: whether something holds of which it was said with probability p.
#[must_use]
pub fn of_truth(p: f64, holds: bool) -> f64 {
    if holds { p } else { 1.0 - p }
}

/// The mean logarithmic loss −ln p of the truth.
#[must_use]
pub fn log_loss(probabilities: &[f64], classes: usize, labels: &[i64]) -> f64 {
    let rows = probabilities.chunks_exact(classes.max(1)).zip(labels);
    let loss = |(row, &label): (&[f64], &i64)| {
        let p = usize::try_from(label).ok().and_then(|label| row.get(label)).copied();
        surprise(p.unwrap_or(1.0))
    };
    rows.map(loss).sum::<f64>() / labels.len() as f64
}

/// The Brier score: the mean over rows of Σ (p − truth)² over the classes; of two classes half of that, which is the square
/// for the second class.
#[must_use]
pub fn brier(probabilities: &[f64], classes: usize, labels: &[i64]) -> f64 {
    let rows = probabilities.chunks_exact(classes.max(1)).zip(labels);
    let square = |(row, &label): (&[f64], &i64)| {
        let of = |(class, p): (usize, &f64)| {
            let truth = f64::from(u8::from(class as i64 == label));
            (p - truth) * (p - truth)
        };
        row.iter().enumerate().map(of).sum::<f64>()
    };
    let sum: f64 = rows.map(square).sum();
    sum / labels.len() as f64 / if classes == 2 { 2.0 } else { 1.0 }
}

/// The place of the greatest number, the first of equals.
#[must_use]
pub fn largest(row: &[f64]) -> usize {
    (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_that_are_all_right_stay_believable() {
        // Every row is right by a margin of 2: without doubt the best temperature would be 0.
        let logits: Vec<f32> =
            (0..100).flat_map(|i| [i % 2, 1 - i % 2].map(|z| z as f32 * 2.0)).collect();
        let labels: Vec<i64> = (0..100).map(|i| 1 - i % 2).collect();
        let temperature = temperature(&logits, 2, &labels);
        // σ(2/T) = 1 − ε/2 for ε = 1/101.
        let expected = 2.0 / (201.0f64).ln();
        assert!((temperature - expected).abs() < 1e-7, "{temperature} against {expected}");
    }

    #[test]
    fn nothing_to_learn_from() {
        assert_eq!(temperature(&[], 2, &[]), 1.0);
        assert_eq!(temperature(&[f32::NAN, 0.0], 2, &[0]), 1.0);
    }

    #[test]
    fn bins_by_hand() {
        let found = bins(&[0.1, 0.1, 1.0], &[false, true, true]);
        assert_eq!(found, [[0.1, 0.5, 2.0], [1.0, 1.0, 1.0]]);
        assert!((expected_error(&found) - 0.8 / 3.0).abs() < 1e-15);
    }
}
