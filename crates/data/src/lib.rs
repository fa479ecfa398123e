//! What thalweg learns from: sources become in-memory data sets, data sets become splits, and splits become
//! scaled, shuffled batches. The way of the data:
//!
//! ```text
//! source::open ──▶ Loaded { train, test, encoding } ──▶ Split (train/valid/test rows) ──▶ Batches (rows of a step)
//!   detect: kind        Dataset: Features, Targets          │                                 │
//!   readers: files ─▶ samples                               └─▶ Scaling (train rows only) ────┴─▶ fill(x, y)
//! ```
//!
//! [`readers`] has a module for each kind of data: images, recordings, running text, tables of text, ratings, series,
//! pairs, tagged sentences. What a reader found out about the data to learn from (vocabulary, image size, rate, …) is
//! the [`Encoding`], with which [`open_as`] and [`open_features`] read other data for the same network.
//! [`SourceOptions`] says what is not to be found out.
//!
//! Images stay bytes in memory and become `f32` only in the trainer's own batch buffer; words and categories are ids.
//! Everything random is a pure function of (seed, stream, position), so the same seed gives the same rows on any
//! machine. Every problem in a file or an argument is a [`DataError`] that says where, what was expected and what to
//! do.
//!
//! ```
//! use thalweg_data::{Batches, Fractions, Scaling, Split, Standardise, open};
//!
//! let data = open("digits")?.train;
//! let split = Split::of(&data, &Fractions { valid: 0.1, test: 0.1 }, 0)?;
//! let scaling = Scaling::fit(&data.features, &split.train, Standardise::Global)?;
//!
//! let batches = Batches::new(split.train, 64, 0)?;
//! let width = data.features.width();
//! let (mut x, mut y) = (vec![0.0; 64 * width], vec![0; 64]);
//! for rows in batches.epoch(0) {
//!     data.fill(&rows, &scaling, &mut x[..rows.len() * width], &mut y[..rows.len()])?;
//! }
//! # Ok::<(), thalweg_data::DataError>(())
//! ```

mod bad;
pub mod batch;
pub mod checks;
pub mod dataset;
mod decoding;
mod detect;
pub mod digits;
pub mod encoding;
mod error;
pub mod features;
mod files;
mod handle;
mod hash;
pub mod idx;
mod idx_problem;
mod idx_set;
pub mod options;
mod pattern;
pub mod picture;
pub mod place;
pub mod random;
pub mod readers;
mod samples;
pub mod scaling;
pub mod source;
pub mod spill;
pub mod split;
pub mod streamed;
pub mod suggest;
pub mod tabular;
pub mod targets;
pub mod vocabulary;

pub use batch::Batches;
pub use dataset::Dataset;
pub use encoding::Encoding;
pub use error::{DataError, split_hint, thousands};
pub use features::{Features, Raw};
pub use idx_problem::IdxProblem;
pub use options::{Kind, Level, Size, SourceOptions, Transform};
pub use readers::series::seasonal_naive;
pub use scaling::{Scaling, Standardise};
pub use source::{
    EMBEDDED, Embedded, Loaded, open, open_as, open_dealt, open_features, open_unlabelled,
    open_with,
};
pub use split::{Fractions, Split, TestRows};
pub use targets::{IGNORED, Targets};
pub use vocabulary::Vocabulary;
