//! Images and sequences of images from class folders.

use serde::{Deserialize, Serialize};

/// How an image file becomes bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Images {
    /// 1 for grey, 3 for red, green, blue.
    pub channels: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
    /// Images in a sample, where samples are sequences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<usize>,
}
