//! Checks of images, recordings, texts and whatever else is rows of numbers in memory.

use super::duplicates::of_twins;
use super::rows::{amount, of_classes, of_shares};
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
    let mut checks = amount("samples", saw, train, 0);
    if let Targets::Classes { names, .. } = &parts[0].0.targets {
        let mut classes: Vec<(String, [u64; 3])> =
            names.iter().map(|name| (name.clone(), [0; 3])).collect();
        for (part, (data, rows)) in parts.iter().enumerate() {
            let Targets::Classes { labels, .. } = &data.targets else { continue };
            for &row in *rows {
                if let Ok(class) = usize::try_from(labels[row])
                    && let Some((_, counts)) = classes.get_mut(class)
                {
                    counts[part] += 1;
                }
            }
        }
        checks.extend(of_classes(&classes));
        checks.extend(of_shares(&classes));
    }
    let mut twins = Twins::default();
    for (part, (data, rows)) in parts.iter().enumerate() {
        let hashes = rows.iter().filter_map(|&row| data.hash(row));
        hashes.for_each(|hash| twins.add(hash, part));
    }
    checks.extend(of_twins(&twins));
    checks
}
