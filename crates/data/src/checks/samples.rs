//! Checks of images, recordings, texts and whatever else is rows of numbers.

use super::duplicates::of_twins;
use super::rows::{amount, counts, of_classes, of_shares};
use super::{Check, Twins};
use crate::dataset::Dataset;
use crate::error::thousands;
use crate::targets::Targets;

/// Looks at the samples of a training, a validation and a test part: each a data set and rows of it.
#[must_use]
pub fn samples(parts: [(&Dataset, &[usize]); 3]) -> Vec<Check> {
    let [train, valid, test] = parts.map(|(_, rows)| rows.len() as u64);
    let saw = format!(
        "{} to learn from, {} for validation, {} for the test",
        thousands(train),
        thousands(valid),
        thousands(test)
    );
    // Each place of a sequence is something to learn.
    let places = match &parts[0].0.targets {
        Targets::Sequence { length, .. } => *length as u64,
        _ => 1,
    };
    let mut checks = amount(saw, train * places, 0);
    if let Targets::Classes { names, .. } = &parts[0].0.targets {
        let classes = counts(names, parts.map(|(data, rows)| (labels(data), rows)));
        checks.extend(of_classes(&classes));
        checks.extend(of_shares(&classes));
    }
    let mut twins = Twins::default();
    for (part, (data, rows)) in parts.iter().enumerate() {
        // Training meets a file that cannot be read any more, and says so.
        let _ = data.hashes(rows, |hash| twins.add(hash, part));
    }
    checks.extend(of_twins(&twins));
    checks
}

/// The class of each row; none where the targets are something else.
fn labels(data: &Dataset) -> &[i64] {
    match &data.targets {
        Targets::Classes { labels, .. } => labels,
        _ => &[],
    }
}
