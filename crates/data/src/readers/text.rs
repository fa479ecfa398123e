//! Tables with a column of text.

use serde::{Deserialize, Serialize};

use crate::options::Level;
use crate::vocabulary::Vocabulary;

/// How a cell of text becomes ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// The column that is read.
    pub column: String,
    /// The column that was learned.
    pub target: String,
    /// What a token is.
    pub level: Level,
    /// The tokens by id; id 0 is padding, id 1 the unknown one.
    pub vocabulary: Vocabulary,
    /// Tokens in a sample; longer texts are cut, shorter ones padded at the end.
    pub length: usize,
}
