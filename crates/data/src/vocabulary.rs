//! Words, letters and names as numbers. A vocabulary lists every id, the special ones first, so that an id is a
//! place in the list and the list's length is the number of rows an embedding needs.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use crate::hash::Mixing;
use crate::options::Level;

/// What stands at the places that a short text leaves free.
pub const PAD: &str = "<pad>";
/// What stands for every token that is not in the list.
pub const UNKNOWN: &str = "<unknown>";
/// What a target text begins with.
pub const START: &str = "<start>";
/// What a target text ends with.
pub const END: &str = "<end>";

/// Tokens by id. Two lists are equal where their tokens are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct Vocabulary {
    tokens: Vec<String>,
    ids: HashMap<String, i64, Mixing>,
}

impl From<Vec<String>> for Vocabulary {
    fn from(tokens: Vec<String>) -> Self {
        let ids = tokens.iter().cloned().zip(0..).collect();
        Vocabulary { tokens, ids }
    }
}

impl From<Vocabulary> for Vec<String> {
    fn from(vocabulary: Vocabulary) -> Self {
        vocabulary.tokens
    }
}

impl Vocabulary {
    /// The special tokens in their order, then the tokens that occur at least `min_count` times, sorted.
    pub fn of<'a>(
        special: &[&str],
        tokens: impl IntoIterator<Item = &'a str>,
        min_count: usize,
    ) -> Vocabulary {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for token in tokens {
            *counts.entry(token).or_default() += 1;
        }
        let kept = counts.iter().filter(|(_, count)| **count >= min_count).map(|(token, _)| *token);
        let all = special.iter().copied().chain(kept.filter(|token| !special.contains(token)));
        all.map(str::to_string).collect::<Vec<_>>().into()
    }

    /// How many ids there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// All tokens, by id.
    #[must_use]
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// The id of a token; of an unlisted one that of [`UNKNOWN`], or 0.
    #[must_use]
    pub fn id(&self, token: &str) -> i64 {
        let known = self.ids.get(token).or_else(|| self.ids.get(UNKNOWN));
        known.copied().unwrap_or(0)
    }

    /// The token of an id, where there is one.
    #[must_use]
    pub fn token(&self, id: i64) -> Option<&str> {
        self.tokens.get(usize::try_from(id).ok()?).map(String::as_str)
    }
}

impl Level {
    /// The tokens of a text: its characters, or its words and signs in lower case without the spaces between.
    #[must_use]
    pub fn tokens(self, text: &str) -> Vec<String> {
        match self {
            Level::Char => text.chars().map(String::from).collect(),
            Level::Word => text
                .split_word_bounds()
                .filter(|word| !word.trim().is_empty())
                .map(str::to_lowercase)
                .collect(),
        }
    }

    /// Puts tokens together again: characters side by side, words with spaces between them.
    #[must_use]
    pub fn join<'a>(self, tokens: impl IntoIterator<Item = &'a str>) -> String {
        let between = match self {
            Level::Char => "",
            Level::Word => " ",
        };
        tokens.into_iter().collect::<Vec<_>>().join(between)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_places_in_the_list() {
        let vocabulary = Vocabulary::of(&[PAD, UNKNOWN], ["b", "a", "b", "c", "a"], 2);
        assert_eq!(vocabulary.tokens(), [PAD, UNKNOWN, "a", "b"]);
        assert_eq!(["a", "b", "c", PAD].map(|token| vocabulary.id(token)), [2, 3, 1, 0]);
        assert_eq!(
            (vocabulary.token(3), vocabulary.token(4), vocabulary.token(-1)),
            (Some("b"), None, None)
        );
        let json = serde_json::to_string(&vocabulary).unwrap();
        assert_eq!(json, r#"["<pad>","<unknown>","a","b"]"#);
        assert_eq!(serde_json::from_str::<Vocabulary>(&json).unwrap(), vocabulary);
    }

    #[test]
    fn words_and_signs_are_tokens() {
        let words = Level::Word.tokens("Don't  STOP, Zoë!");
        assert_eq!(words, ["don't", "stop", ",", "zoë", "!"]);
        assert_eq!(Level::Word.join(words.iter().map(String::as_str)), "don't stop , zoë !");
        assert_eq!(Level::Char.tokens("Né"), ["N", "é"]);
        assert_eq!(Level::Char.join(["N", "é"]), "Né");
    }
}
