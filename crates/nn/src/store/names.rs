//! Near names: what a missing name may be called in the file at hand.

/// The candidate nearest to `name`, where one is near: the same name behind another prefix (`module.`,
/// `model.`), or a few letters away.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let prefixed = |a: &str, b: &str| a.strip_suffix(b).is_some_and(|rest| rest.ends_with('.'));
    let distance = |candidate: &str| match prefixed(candidate, name) || prefixed(name, candidate) {
        true => 0,
        false => edits(name, candidate),
    };
    let near = name.chars().count().div_ceil(3);
    let nearest = candidates.into_iter().map(|c| (distance(c), c)).min();
    nearest.filter(|(distance, _)| *distance <= near).map(|(_, candidate)| candidate)
}

/// Levenshtein's distance: the fewest insertions, deletions and replacements of one letter.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + (x != *y) as usize;
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("same", "same"), 0);
    }

    #[test]
    fn prefers_another_prefix_and_refuses_strangers() {
        let names = ["model.fc1.weight", "fc2.weight", "unrelated"];
        assert_eq!(nearest("fc1.weight", names), Some("model.fc1.weight"));
        assert_eq!(nearest("fc2.wieght", names), Some("fc2.weight"));
        assert_eq!(nearest("conv_stem.running_mean", names), None);
    }
}
