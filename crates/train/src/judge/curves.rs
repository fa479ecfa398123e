//! How well scores tell one class from the others, whatever threshold is taken: the receiver operating characteristic
//! and the curve of precision against recall, with the areas under them, as scikit-learn computes them.

/// Rows in the order of falling scores, counted: at each different score how many true and how many other rows have at
/// least this score.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// True and other rows.
    steps: Vec<[u64; 2]>,
}

impl Ranking {
    /// Of rows with these scores, `truth` where they are of the class. `None` where all or none are: then there is
    /// nothing to tell apart.
    #[must_use]
    pub fn new(scores: &[f64], truth: &[bool]) -> Option<Ranking> {
        let mut order: Vec<usize> = (0..scores.len().min(truth.len())).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let mut steps: Vec<[u64; 2]> = Vec::new();
        let mut counts = [0; 2];
        for (place, &row) in order.iter().enumerate() {
            counts[usize::from(!truth[row])] += 1;
            let last = order.get(place + 1).is_none_or(|&next| scores[next] != scores[row]);
            if last {
                steps.push(counts);
            }
        }
        (counts[0] > 0 && counts[1] > 0).then_some(Ranking { steps })
    }

    fn totals(&self) -> [f64; 2] {
        self.steps.last().map_or([1.0; 2], |last| last.map(|count| count as f64))
    }

    /// False against true positive rate, from (0, 0) to (1, 1).
    #[must_use]
    pub fn roc(&self) -> Vec<[f64; 2]> {
        let [positives, negatives] = self.totals();
        let rates = |&[tp, fp]: &[u64; 2]| [fp as f64 / negatives, tp as f64 / positives];
        std::iter::once([0.0; 2]).chain(self.steps.iter().map(rates)).collect()
    }

    /// Recall against precision, recall rising.
    #[must_use]
    pub fn precision_recall(&self) -> Vec<[f64; 2]> {
        let [positives, _] = self.totals();
        let point = |&[tp, fp]: &[u64; 2]| [tp as f64 / positives, tp as f64 / (tp + fp) as f64];
        self.steps.iter().map(point).collect()
    }

    /// The area under [`Ranking::roc`] by trapezoids: the probability that a row of the class has a higher score than
    /// another, ties counting half.
    #[must_use]
    pub fn auc(&self) -> f64 {
        let area = |pair: &[[f64; 2]]| (pair[1][0] - pair[0][0]) * (pair[0][1] + pair[1][1]) / 2.0;
        self.roc().windows(2).map(area).sum()
    }

    /// Average precision, Σ (Rₙ − Rₙ₋₁)·Pₙ over the steps.
    #[must_use]
    pub fn average_precision(&self) -> f64 {
        let mut before = 0.0;
        let step = |[recall, precision]: [f64; 2]| {
            let width = recall - before;
            before = recall;
            width * precision
        };
        self.precision_recall().into_iter().map(step).sum()
    }
}

/// At most `most` of the points, evenly taken, the first and the last among them.
#[must_use]
pub fn thinned(points: Vec<[f64; 2]>, most: usize) -> Vec<[f64; 2]> {
    if points.len() <= most || most < 2 {
        return points;
    }
    (0..most).map(|i| points[i * (points.len() - 1) / (most - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_books() {
        let truth = [false, false, true, true];
        let ranking = Ranking::new(&[0.1, 0.4, 0.35, 0.8], &truth).unwrap_or_else(|| panic!());
        assert_eq!(ranking.auc(), 0.75);
        assert!((ranking.average_precision() - 0.8333333333333333).abs() < 1e-15);
        assert_eq!(ranking.roc(), [[0.0, 0.0], [0.0, 0.5], [0.5, 0.5], [0.5, 1.0], [1.0, 1.0]]);
        // Ties count half.
        let tied = Ranking::new(&[0.5; 4], &truth).unwrap_or_else(|| panic!());
        assert_eq!((tied.auc(), tied.average_precision()), (0.5, 0.5));
        assert_eq!(Ranking::new(&[0.1, 0.2], &[true, true]), None);
    }

    #[test]
    fn thinning_keeps_the_ends() {
        let points: Vec<[f64; 2]> = (0..1000).map(|i| [f64::from(i), 0.0]).collect();
        let thin = thinned(points.clone(), 200);
        assert_eq!((thin.len(), thin[0], thin[199]), (200, points[0], points[999]));
        assert_eq!(thinned(points[..5].to_vec(), 200), points[..5]);
    }
}
