//! Source and target texts, to learn one from the other.

use serde::{Deserialize, Serialize};

use crate::options::Level;
use crate::vocabulary::Vocabulary;

/// How a pair of texts becomes ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairs {
    /// What a token is.
    pub level: Level,
    /// The source tokens by id; id 0 is padding, id 1 the unknown one.
    pub source: Vocabulary,
    /// The target tokens by id; id 0 is padding, id 1 the unknown one, id 2 the start and id 3 the end.
    pub target: Vocabulary,
    /// Source tokens in a sample.
    pub source_length: usize,
    /// Target tokens in a sample, the start (or end) included.
    pub target_length: usize,
}
