//! Numbers in order of time, to forecast the next ones.

use serde::{Deserialize, Serialize};

/// How a series becomes samples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// The column that is read and forecast.
    pub column: String,
    /// Numbers in a sample.
    pub window: usize,
    /// Numbers forecast.
    pub horizon: usize,
}
