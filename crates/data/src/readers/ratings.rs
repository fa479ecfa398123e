//! Tables of who rates what how high.

use serde::{Deserialize, Serialize};

use crate::vocabulary::Vocabulary;

/// How a user and an item become ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ratings {
    /// The column of users.
    pub user: String,
    /// The column of items.
    pub item: String,
    /// The column of ratings.
    pub target: String,
    /// The users by id; id 0 is every other one.
    pub users: Vocabulary,
    /// The items by id; id 0 is every other one.
    pub items: Vocabulary,
}
