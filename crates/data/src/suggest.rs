//! "Did you mean": the known word nearest to a mistyped, shortened or differently written one.

/// The candidate that `word` most probably stands for. Case and what stands between words (`_`, `-`, `.`, blanks) are
/// free. In this order, ties going to the earlier candidate:
///
/// 1. the one with the fewest edits (insert, delete, replace, swap of neighbours), if a third of the word's letters or
///    fewer are wrong (at least one may be);
/// 2. one whose words `word` shortens or leaves some of, or the other way round: `MedHouseVal` and
///    `median_house_value`, `price` and `SalePrice`;
/// 3. one of whose letters `word` has at least half in their order, the first among them: `medhouseval`.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = letters(word);
    let allowed = (letters.len() / 3).max(1);
    let distance = |candidate: &str| {
        let other = self::letters(candidate);
        let edits = edits(&letters, &other);
        // A word without a letter in common is no slip of another.
        if edits <= allowed && edits < letters.len().max(other.len()) {
            Some((0, edits))
        } else if shortens(&words(word), &words(candidate)) {
            Some((1, edits))
        } else if leaves_letters_out(&letters, &other) {
            Some((2, edits))
        } else {
            None
        }
    };
    candidates
        .into_iter()
        .filter_map(|candidate| Some((distance(candidate)?, candidate)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Letters and digits, in lower case.
fn letters(text: &str) -> Vec<char> {
    text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect()
}

/// The words of a name, in lower case: `MedHouseVal` and `med_house_val` have three.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && before.is_lowercase()) {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(last) = words.last_mut()
        {
            last.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether every word of the shorter list is, in order, a word of the longer one, or one of the two begins the other.
fn shortens(a: &[String], b: &[String]) -> bool {
    /// Beginnings of fewer letters say too little.
    const LEAST: usize = 3;
    let (few, many) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let alike = |x: &str, y: &str| {
        let short = x.chars().count().min(y.chars().count());
        x == y || (short >= LEAST && (x.starts_with(y) || y.starts_with(x)))
    };
    let mut rest = many.iter();
    !few.is_empty() && few.iter().all(|word| rest.any(|other| alike(word, other)))
}

/// Whether the shorter text is the longer one with letters left out, no more than half of them and not the first.
fn leaves_letters_out(a: &[char], b: &[char]) -> bool {
    /// Letters of fewer are found in too many words.
    const LEAST: usize = 4;
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let mut rest = long.iter();
    short.len() >= LEAST.max(long.len().div_ceil(2))
        && short.first() == long.first()
        && short.iter().all(|letter| rest.any(|other| other == letter))
}

/// The optimal string alignment distance, three rows of the table at a time.
fn edits(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        let distance = |a: &str, b: &str| edits(&letters(a), &letters(b));
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("digits", "digist"), 1);
        assert_eq!(distance("Median House-Value", "median_house_value"), 0);
    }

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["digits", "mnist"];
        assert_eq!(nearest("Digit", known), Some("digits"));
        assert_eq!(nearest("minst", known), Some("mnist"));
        assert_eq!(nearest("titanic", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest("-", ["r"]), None);
        assert_eq!(nearest("b", ["x", "y"]), None);
    }

    #[test]
    fn names_written_otherwise_and_shortened_ones_are_found() {
        let houses =
            ["median_income", "median_house_value", "ocean_proximity", "housing_median_age"];
        for written in
            ["MedHouseVal", "medhouseval", "MEDIAN HOUSE VALUE", "house_value", "HouseVal"]
        {
            assert_eq!(nearest(written, houses), Some("median_house_value"), "{written}");
        }
        assert_eq!(nearest("price", ["id", "SalePrice"]), Some("SalePrice"));
        assert_eq!(nearest("MedInc", houses), Some("median_income"));
        assert_eq!(nearest("temperature", ["date", "temp"]), Some("temp"));
        for far in ["latitude", "lr", "target", "in"] {
            assert_eq!(nearest(far, houses), None, "{far}");
        }
        // A slip is nearer than a shortening.
        assert_eq!(nearest("val", ["value", "vat"]), Some("vat"));
    }
}
