//! Sentences with a tag for each word.

use serde::{Deserialize, Serialize};

use crate::vocabulary::Vocabulary;

/// How a sentence becomes ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labelled {
    /// The words by id; id 0 is padding, id 1 the unknown one.
    pub vocabulary: Vocabulary,
    /// Words in a sample; longer sentences are cut, shorter ones padded at the end.
    pub length: usize,
}
