//! Where in the data something is: the file, the entry of a zip, the line, the column.

use std::fmt;
use std::path::{Path, PathBuf};

/// A place in the data; prints as `PATH: ENTRY: line 12, column 'rating'`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The entry, where the file is a zip.
    pub entry: Option<String>,
    /// The line, from 1.
    pub line: Option<u64>,
    /// The column of a table.
    pub column: Option<String>,
}

impl Place {
    /// A whole file.
    #[must_use]
    pub fn file(path: &Path) -> Place {
        Place { path: path.into(), ..Place::default() }
    }

    /// A line of this file.
    #[must_use]
    pub fn line(self, line: u64) -> Place {
        Place { line: Some(line), ..self }
    }

    /// A column of this line.
    #[must_use]
    pub fn column(self, column: &str) -> Place {
        Place { column: Some(column.into()), ..self }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(entry) = &self.entry {
            write!(f, ": {entry}")?;
        }
        match (self.line, &self.column) {
            (Some(line), Some(column)) => write!(f, ": line {line}, column '{column}'"),
            (Some(line), None) => write!(f, ": line {line}"),
            (None, Some(column)) => write!(f, ": column '{column}'"),
            (None, None) => Ok(()),
        }
    }
}
