//! What a file of a table is, by its first bytes and its name, and how it is read.

use std::sync::Arc;

use super::blocks::Blocks;
#[cfg(feature = "columnar")]
use super::columnar;
use super::input::Location;
use super::pipeline::Take;
use super::{Head, Rows, delimited, json_lines, numpy};
use crate::error::DataError;
use crate::place::Place;

/// The endings of names of tables, which may be followed by `.gz`.
const ENDINGS: [&str; 12] = [
    "csv", "tsv", "tab", "jsonl", "ndjson", "parquet", "pq", "arrow", "feather", "ipc", "npy",
    "npz",
];

/// Whether a file is a table, by its name.
pub(crate) fn is_table_name(name: &str) -> bool {
    ENDINGS.contains(&ending(name).as_str())
}

/// The ending of a name in small letters, but for `.gz`.
fn ending(name: &str) -> String {
    let name = name.to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.').map_or_else(String::new, |(_, ending)| ending.to_string())
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Cells between delimiters.
    Delimited,
    /// An object a line.
    JsonLines,
    /// An array of numbers, or two of them.
    Numpy,
    Parquet,
    /// A file or a stream of Arrow's interprocess communication.
    Arrow,
}

impl Format {
    /// What the first bytes say counts more than the name.
    pub(super) fn of(file: &Location) -> Result<Format, DataError> {
        let mut start = Vec::new();
        file.open(|mut input| input.read(8, &mut start))?;
        let ending = ending(&file.name());
        Ok(match (start.as_slice(), ending.as_str()) {
            ([b'P', b'A', b'R', b'1', ..], _) | (_, "parquet" | "pq") => Format::Parquet,
            ([b'A', b'R', b'R', b'O', b'W', b'1', ..], _) | (_, "arrow" | "feather" | "ipc") => {
                Format::Arrow
            }
            ([0x93, b'N', b'U', b'M', b'P', b'Y', ..], _) | (_, "npy" | "npz") => Format::Numpy,
            (_, "jsonl" | "ndjson") => Format::JsonLines,
            _ => Format::Delimited,
        })
    }

    /// The columns of a file, and whether it names them itself. `header` says so for texts, where it is known;
    /// `skip_bad` as in [`Head`].
    pub(super) fn columns(
        self,
        file: &Location,
        header: Option<bool>,
        skip_bad: bool,
    ) -> Result<(Vec<String>, bool), DataError> {
        match self {
            Format::Delimited => file.open(|input| {
                let (columns, dialect) = delimited::head(&mut Blocks::new(input)?, header)?;
                Ok((columns, dialect.header))
            }),
            Format::JsonLines => file
                .open(|input| Ok((json_lines::columns(&mut Blocks::new(input)?, skip_bad)?, true))),
            Format::Numpy => Ok((numpy::columns(file)?, false)),
            #[cfg(feature = "columnar")]
            Format::Parquet => Ok((columnar::parquet(file)?.columns(), true)),
            #[cfg(feature = "columnar")]
            Format::Arrow => Ok((columnar::arrow(file)?.columns(), true)),
            #[cfg(not(feature = "columnar"))]
            Format::Parquet | Format::Arrow => Err(not_built(file)),
        }
    }

    /// Makes jobs of the rows of a file, which must have the columns of the table; false where nobody wants more.
    pub(super) fn read(
        self,
        file: &Location,
        head: &Arc<Head>,
        take: Take<'_, Rows>,
    ) -> Result<bool, DataError> {
        match self {
            Format::Delimited => file.open(|input| {
                let mut blocks = Blocks::new(input)?;
                let (columns, dialect) = delimited::head(&mut blocks, Some(head.header))?;
                same(&columns, head, file.place().line(1))?;
                delimited::read(&mut blocks, dialect, head, take)
            }),
            Format::JsonLines => {
                file.open(|input| json_lines::read(&mut Blocks::new(input)?, head, take))
            }
            Format::Numpy => {
                same(&numpy::columns(file)?, head, file.place())?;
                numpy::read(file, take)
            }
            #[cfg(feature = "columnar")]
            Format::Parquet => {
                let table = columnar::parquet(file)?;
                same(&table.columns(), head, file.place())?;
                table.read(take)
            }
            #[cfg(feature = "columnar")]
            Format::Arrow => {
                let table = columnar::arrow(file)?;
                same(&table.columns(), head, file.place())?;
                table.read(take)
            }
            #[cfg(not(feature = "columnar"))]
            Format::Parquet | Format::Arrow => Err(not_built(file)),
        }
    }
}

/// Refuses a file with other columns than the table.
fn same(columns: &[String], head: &Head, place: Place) -> Result<(), DataError> {
    if columns == head.columns {
        return Ok(());
    }
    let (ours, theirs) = (columns.join(", "), head.columns.join(", "));
    Err(DataError::content(
        place,
        format!("the columns are {ours}, those of {} are {theirs}", head.first),
        "files that make one table have the same columns; name one file, or move the others \
        elsewhere",
    ))
}

/// The error of a file without anything in it.
pub(super) fn empty(place: &Place) -> DataError {
    DataError::content(
        place.clone(),
        "the file is empty",
        "a table has a row for each sample; check how the file was written",
    )
}

#[cfg(not(feature = "columnar"))]
fn not_built(file: &Location) -> DataError {
    DataError::content(
        file.place(),
        "Parquet and Arrow files are not read by this build",
        "build with the feature 'columnar', or save the table as CSV",
    )
}
