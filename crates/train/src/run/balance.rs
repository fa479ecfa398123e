//! Weights with which the rows of every class count the same together, however many there are.

use thalweg_data::{Dataset, Targets};
use thalweg_nn::Loss;

/// The loss with the weight n/(K·n_k) for each class k of the training rows, as scikit-learn's `balanced`; for labels
/// (n − n_k)/n_k on the side where they hold. A class without rows has the weight 1.
///
/// # Errors
/// Why it cannot be done, and what to do.
pub(super) fn balanced(
    loss: &Loss,
    data: &Dataset,
    rows: &[usize],
) -> Result<Loss, (String, &'static str)> {
    const GIVEN: (&str, &str) =
        ("the loss has weights of its own", "leave either them or train.balance out");
    let n = rows.len() as f64;
    let counts = |names: usize, of: &dyn Fn(usize, usize) -> bool| -> Vec<f64> {
        let count = |class| rows.iter().filter(|&&row| of(row, class)).count();
        (0..names).map(|class| count(class) as f64).collect()
    };
    match (loss, &data.targets) {
        (Loss::CrossEntropy(cross), Targets::Classes { labels, names })
            if cross.weight.is_none() =>
        {
            let counts = counts(names.len(), &|row, class| labels[row] == class as i64);
            let weight = |n_k: &f64| if *n_k > 0.0 { n / (names.len() as f64 * n_k) } else { 1.0 };
            let weight = Some(counts.iter().map(weight).collect());
            Ok(Loss::CrossEntropy(thalweg_nn::losses::CrossEntropy { weight, ..cross.clone() }))
        }
        (Loss::BinaryCrossEntropy(binary), Targets::Labels { flags, names })
            if binary.pos_weight.is_none() =>
        {
            let counts = counts(names.len(), &|row, name| flags[row * names.len() + name] == 1);
            let weight = |n_k: &f64| if *n_k > 0.0 { (n - n_k) / n_k } else { 1.0 };
            let pos_weight = Some(counts.iter().map(weight).collect());
            let binary = binary.clone();
            Ok(Loss::BinaryCrossEntropy(thalweg_nn::losses::BinaryCrossEntropy {
                pos_weight,
                ..binary
            }))
        }
        (Loss::CrossEntropy(_), Targets::Classes { .. })
        | (Loss::BinaryCrossEntropy(_), Targets::Labels { .. }) => Err((GIVEN.0.into(), GIVEN.1)),
        (_, Targets::Classes { .. } | Targets::Labels { .. }) => Err((
            "only cross_entropy for classes and binary_cross_entropy for labels are balanced"
                .into(),
            "leave train.balance out, or take that loss",
        )),
        _ => Err((
            "there are no classes to balance".into(),
            "leave train.balance out; it is for classes and labels",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use thalweg_data::{Features, Raw};
    use thalweg_nn::losses::{BinaryCrossEntropy, CrossEntropy, Focal};

    fn set(targets: Targets) -> Dataset {
        let features = Features::new(Raw::F32(vec![0.0; 4]), vec![1]).unwrap();
        Dataset::new("s", features, targets).unwrap()
    }

    #[test]
    fn classes_and_labels_are_weighed() {
        let names = || vec!["a".to_string(), "b".to_string()];
        let classes = set(Targets::Classes { labels: vec![0, 0, 0, 1], names: names() });
        let Ok(Loss::CrossEntropy(loss)) =
            balanced(&CrossEntropy::default().into(), &classes, &[0, 1, 2, 3])
        else {
            panic!("classes are weighed")
        };
        assert_eq!(loss.weight, Some(vec![4.0 / 6.0, 2.0]));
        assert!(balanced(&loss.into(), &classes, &[0, 3]).is_err());
        assert!(balanced(&Focal::default().into(), &classes, &[0, 3]).is_err());

        let labels = set(Targets::Labels { flags: vec![1, 0, 0, 0, 0, 0, 0, 0], names: names() });
        let Ok(Loss::BinaryCrossEntropy(loss)) =
            balanced(&BinaryCrossEntropy::default().into(), &labels, &[0, 1, 2, 3])
        else {
            panic!("labels are weighed")
        };
        assert_eq!(loss.pos_weight, Some(vec![3.0, 1.0]));
    }
}
