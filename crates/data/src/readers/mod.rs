//! One module for each kind of data: what it keeps in the [`crate::Encoding`], and how files become samples.

pub mod audio;
pub mod images;
pub mod labelled;
pub mod language;
pub mod pairs;
pub mod ratings;
pub mod series;
pub mod text;
