//! From which probability on the second of two classes is said.

use serde::{Deserialize, Serialize};

/// The figure that a threshold is chosen for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The share of rows that are right.
    #[default]
    Accuracy,
    /// F1 of the second class.
    F1,
    /// The mean of both classes' recall.
    BalancedAccuracy,
    /// The area under the ROC curve, which no threshold changes: it stays at 0.5.
    Auc,
}

impl Metric {
    /// Its name in files: `balanced_accuracy`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Metric::Accuracy => "accuracy",
            Metric::F1 => "f1",
            Metric::BalancedAccuracy => "balanced_accuracy",
            Metric::Auc => "auc",
        }
    }

    /// Its value where these shares of the rows are true negatives, false positives, false negatives, true positives.
    fn of(self, [tn, fp, fn_, tp]: [f64; 4]) -> f64 {
        let share = |part: f64, rest: f64| if part > 0.0 { part / (part + rest) } else { 0.0 };
        match self {
            Metric::Accuracy | Metric::Auc => tn + tp,
            Metric::F1 => share(2.0 * tp, fp + fn_),
            Metric::BalancedAccuracy => (share(tp, fn_) + share(tn, fp)) / 2.0,
        }
    }
}

/// A threshold and what it is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tuned {
    /// The best threshold on these rows.
    pub value: f64,
    /// The metric with it, less the metric at 0.5.
    pub gain: f64,
    /// The standard error of the gain.
    pub error: f64,
}

impl Tuned {
    /// Whether the gain is more than chance gives: above two standard errors.
    #[must_use]
    pub fn is_worth_it(&self) -> bool {
        self.gain > 2.0 * self.error
    }
}

/// The metric where the second class is said from more than `threshold` on.
#[must_use]
pub fn value(metric: Metric, probabilities: &[f64], truth: &[bool], threshold: f64) -> f64 {
    let mut cells = [0.0; 4];
    for (&p, &true_) in probabilities.iter().zip(truth) {
        cells[2 * usize::from(true_) + usize::from(p > threshold)] += 1.0;
    }
    metric.of(cells.map(|count| count / truth.len() as f64))
}

/// The threshold that is best for `metric` on these rows, of equals the nearest to 0.5, half-way between the two
/// probabilities that it parts. `None` where there is no choice: one class only, all probabilities equal, or
/// [`Metric::Auc`].
#[must_use]
pub fn tune(metric: Metric, probabilities: &[f64], truth: &[bool]) -> Option<Tuned> {
    let n = truth.len() as f64;
    let positives = truth.iter().filter(|&&true_| true_).count() as f64;
    if metric == Metric::Auc || positives == 0.0 || positives == n {
        return None;
    }
    let mut order: Vec<usize> = (0..truth.len()).collect();
    order.sort_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]));
    // All rows are said to be of the second class; then one after the other less.
    let mut cells = [0.0, n - positives, 0.0, positives];
    let mut best: Option<(f64, f64)> = None;
    for pair in order.windows(2) {
        let from = 2 * usize::from(truth[pair[0]]);
        cells[from + 1] -= 1.0;
        cells[from] += 1.0;
        let (p, next) = (probabilities[pair[0]], probabilities[pair[1]]);
        if p == next {
            continue;
        }
        let (figure, threshold) = (metric.of(cells.map(|count| count / n)), (p + next) / 2.0);
        let nearer = |other: f64| (threshold - 0.5).abs() < (other - 0.5).abs();
        if best.is_none_or(|(most, t)| figure > most || (figure == most && nearer(t))) {
            best = Some((figure, threshold));
        }
    }
    let (figure, threshold) = best?;
    let gain = figure - value(metric, probabilities, truth, 0.5);
    let error = error(metric, probabilities, truth, threshold);
    Some(Tuned { value: threshold, gain, error })
}

/// The standard error of metric(threshold) − metric(0.5), both measured on the same rows: by the delta method, from the shares
/// of the eight kinds of rows (truth, said at 0.5, said at the threshold). For the accuracy that is McNemar's.
fn error(metric: Metric, probabilities: &[f64], truth: &[bool], threshold: f64) -> f64 {
    let n = truth.len() as f64;
    let mut shares = [0.0; 8];
    for (&p, &true_) in probabilities.iter().zip(truth) {
        let kind = 4 * usize::from(true_) + 2 * usize::from(p > 0.5) + usize::from(p > threshold);
        shares[kind] += 1.0 / n;
    }
    let gain = |shares: &[f64; 8]| {
        let (mut half, mut tuned) = ([0.0; 4], [0.0; 4]);
        for (kind, share) in shares.iter().enumerate() {
            half[2 * (kind / 4) + kind / 2 % 2] += share;
            tuned[2 * (kind / 4) + kind % 2] += share;
        }
        metric.of(tuned) - metric.of(half)
    };
    const STEP: f64 = 1e-6;
    let slope = |kind: usize| {
        let (mut up, mut down) = (shares, shares);
        up[kind] += STEP;
        down[kind] -= STEP;
        (gain(&up) - gain(&down)) / (2.0 * STEP)
    };
    let (mut mean, mut square) = (0.0, 0.0);
    for (kind, share) in shares.iter().enumerate().filter(|(_, share)| **share > 0.0) {
        let slope = slope(kind);
        mean += share * slope;
        square += share * slope * slope;
    }
    ((square - mean * mean).max(0.0) / n).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100 rows: the second class, a fifth of them, has probabilities from 0.3 on; the first below 0.3.
    fn shifted() -> (Vec<f64>, Vec<bool>) {
        let p = (0..100).map(|i| if i < 80 { 0.1 + 0.002 * f64::from(i) } else { 0.32 }).collect();
        (p, (0..100).map(|i| i >= 80).collect())
    }

    #[test]
    fn a_threshold_that_parts_the_classes_is_found() {
        let (p, truth) = shifted();
        for metric in [Metric::Accuracy, Metric::F1, Metric::BalancedAccuracy] {
            let tuned = tune(metric, &p, &truth).unwrap_or_else(|| panic!());
            assert!((tuned.value - (0.258 + 0.32) / 2.0).abs() < 1e-12, "{tuned:?}");
            assert_eq!(value(metric, &p, &truth, tuned.value), 1.0);
            assert!(tuned.is_worth_it(), "{metric:?}: {tuned:?}");
        }
        // McNemar: 20 rows became right, none wrong.
        let tuned = tune(Metric::Accuracy, &p, &truth).unwrap_or_else(|| panic!());
        assert!((tuned.gain - 0.2).abs() < 1e-12);
        assert!((tuned.error - ((20.0 / 100.0 - 0.04) / 100.0f64).sqrt()).abs() < 1e-6);
    }

    #[test]
    fn a_gain_of_one_row_is_noise() {
        let p = [0.1, 0.2, 0.45, 0.6, 0.7, 0.8];
        let tuned = tune(Metric::Accuracy, &p, &[false, false, true, true, true, true]);
        let tuned = tuned.unwrap_or_else(|| panic!());
        assert!(tuned.gain > 0.0 && !tuned.is_worth_it(), "{tuned:?}");
    }

    #[test]
    fn where_there_is_no_choice() {
        assert_eq!(tune(Metric::Accuracy, &[0.5; 3], &[true, false, true]), None);
        assert_eq!(tune(Metric::Accuracy, &[0.1, 0.9], &[true, true]), None);
        assert_eq!(tune(Metric::Auc, &[0.1, 0.9], &[false, true]), None);
    }
}
