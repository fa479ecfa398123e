//! The library's front door: prelude and re-exports.
