//! Tables of many columns: numbers, categories, times, texts, paths of images and of recordings.
//!
//! ```text
//! files ─▶ chunks of rows (columns of cells) ─▶ types, statistics (first pass) ─▶ rows of f32 (second pass)
//! ```

pub mod chunk;
pub mod source;
