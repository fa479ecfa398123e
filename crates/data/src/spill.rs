//! Rows of numbers in a temporary file, for tables that are larger than memory.
//!
//! The file has no name: it is gone when its last user is. It lies where the system keeps temporary files, which
//! `TMPDIR` changes.

use std::fs::File;
use std::io;

use crate::error::DataError;

/// A temporary file without a name.
pub(crate) fn temporary() -> Result<File, DataError> {
    tempfile::tempfile().map_err(unwritable)
}

/// What the system says about a temporary file in our words.
pub(crate) fn unwritable(source: io::Error) -> DataError {
    DataError::Temporary { folder: std::env::temp_dir(), source }
}
