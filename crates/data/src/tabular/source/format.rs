//! What a file of a table is, by its first bytes and its name, and how it is read.

use std::sync::Arc;

use super::blocks::Blocks;
use super::input::Location;
use super::pipeline::Take;
use super::{Head, Rows, delimited};
use crate::error::DataError;
use crate::place::Place;

/// The endings of names of tables, which may be followed by `.gz`.
const ENDINGS: [&str; 2] = ["csv", "tsv"];

/// Whether a file is a table, by its name.
pub(crate) fn is_table_name(name: &str) -> bool {
    let name = name.to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Cells between delimiters.
    Delimited,
}

impl Format {
    pub(super) fn of(_file: &Location) -> Result<Format, DataError> {
        Ok(Format::Delimited)
    }

    /// The columns of a file, and whether its first line names them.
    pub(super) fn columns(
        self,
        file: &Location,
        header: Option<bool>,
    ) -> Result<(Vec<String>, bool), DataError> {
        match self {
            Format::Delimited => file.open(|input| {
                let (columns, dialect) = delimited::head(&mut Blocks::new(input)?, header)?;
                Ok((columns, dialect.header))
            }),
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
                same(&columns, head, file)?;
                delimited::read(&mut blocks, dialect, head, take)
            }),
        }
    }
}

/// Refuses a file with other columns than the table.
fn same(columns: &[String], head: &Head, file: &Location) -> Result<(), DataError> {
    if columns == head.columns {
        return Ok(());
    }
    let line = |place: Place| if head.header { place.line(1) } else { place };
    let (ours, theirs) = (columns.join(", "), head.columns.join(", "));
    Err(DataError::content(
        line(file.place()),
        format!("the columns are {ours}, those of the first file are {theirs}"),
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
