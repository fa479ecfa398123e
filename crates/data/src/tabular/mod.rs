//! Tables of many columns: numbers, categories, times, texts, paths of images and of recordings.
//!
//! ```text
//! files ─▶ chunks of rows (columns of cells) ─▶ types, statistics (first pass) ─▶ rows of f32 (second pass)
//! source        chunk                             glance, facts, infer, fit         schema, encoder, samples
//! ```

pub mod cell;
pub mod chunk;
pub mod deal;
pub mod encoder;
pub(crate) mod facts;
pub(crate) mod fit;
pub(crate) mod glance;
pub mod infer;
pub(crate) mod number;
pub mod sample;
pub(crate) mod samples;
pub mod schema;
pub mod source;
pub(crate) mod survey;
pub mod target;
pub mod time;
pub(crate) mod whole;
pub mod write;

pub use cell::Cell;
pub use deal::Deal;
pub use infer::ColumnType;
pub use sample::Sample;
pub use schema::{Column, ColumnReport, Table};
pub use target::{TableTask, Target};
