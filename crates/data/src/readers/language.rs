//! Running text, to learn what comes next.

use serde::{Deserialize, Serialize};

use crate::options::Level;
use crate::vocabulary::Vocabulary;

/// How running text becomes ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Language {
    /// What a token is.
    pub level: Level,
    /// The tokens by id; id 0 is the unknown one.
    pub vocabulary: Vocabulary,
    /// Tokens in a sample.
    pub window: usize,
}
