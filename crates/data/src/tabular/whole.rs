//! A whole table in memory, every cell as text: for kinds of data of which a sample is more than a row, or a few cells
//! of one.

use super::chunk::{Chunk, Texts, is_missing};
use super::number;
use super::schema::find;
use super::source::TableSource;
use crate::detect::Found;
use crate::error::DataError;
use crate::options::SourceOptions;
use crate::place::Place;
use crate::split::TestRows;

/// A table in memory, of one file or of several with the same columns.
pub(crate) struct Whole {
    source: TableSource,
    columns: Vec<Texts>,
    /// The checksum of each row, where the test rows are known by it.
    checksums: Vec<u32>,
    rows: usize,
    notes: Vec<String>,
}

impl Whole {
    /// Reads the table at a path. `header` says whether the first line of a text names the columns, where that is
    /// known.
    pub(crate) fn read(
        found: &Found,
        header: Option<bool>,
        options: &SourceOptions,
    ) -> Result<Whole, DataError> {
        let source = TableSource::at(found, header, options)?;
        let mut columns = vec![Texts::default(); source.columns().len()];
        let (mut checksums, mut rows) = (Vec::new(), 0);
        let by_checksum = options.test == Some(TestRows::Crc32);
        let notes = source.read(&mut |chunk: &Chunk| {
            for (texts, cells) in columns.iter_mut().zip(&chunk.columns) {
                (0..chunk.rows).for_each(|row| texts.push(&cells.text(row)));
            }
            if by_checksum {
                checksums.extend((0..chunk.rows).map(|row| chunk.checksum(row)));
            }
            rows += chunk.rows;
            Ok(())
        })?;
        Ok(Whole { source, columns, checksums, rows, notes })
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The names of the columns, or their numbers from 1 where the file does not name them.
    pub(crate) fn columns(&self) -> &[String] {
        self.source.columns()
    }

    /// Whether the columns have names.
    pub(crate) fn has_header(&self) -> bool {
        self.source.has_header()
    }

    /// What one should know of how the table was read.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    /// The place of the column of this name.
    pub(crate) fn column(&self, wanted: &str) -> Result<usize, DataError> {
        find(self.columns(), wanted, self.has_header(), &self.file())
    }

    /// The column of this name, or else the one at this place.
    pub(crate) fn column_or(
        &self,
        wanted: Option<&str>,
        default: usize,
        what: &str,
    ) -> Result<usize, DataError> {
        match wanted {
            Some(wanted) => self.column(wanted),
            None if default < self.columns.len() => Ok(default),
            None => Err(DataError::content(
                self.file(),
                format!(
                    "there is no column of {what}: the table has only '{}'",
                    self.columns().join(", ")
                ),
                "is the delimiter one of comma, tab, semicolon and bar?",
            )),
        }
    }

    /// A cell, without spaces around it.
    pub(crate) fn cell(&self, row: usize, column: usize) -> &str {
        self.columns[column].get(row)
    }

    /// Whether nothing stands in a cell: it is empty, or one of the words for that.
    pub(crate) fn is_missing(&self, row: usize, column: usize) -> bool {
        is_missing(self.cell(row, column))
    }

    /// A cell as a finite number.
    pub(crate) fn number(&self, row: usize, column: usize) -> Result<f64, DataError> {
        let cell = self.cell(row, column);
        number::finite(cell).ok_or_else(|| {
            let found = if cell.is_empty() { "nothing".into() } else { format!("'{cell}'") };
            DataError::content(
                self.place(row, column),
                format!("a number is needed, there is {found}"),
                "correct the cell, or leave the row out",
            )
        })
    }

    /// Whether all cells of a column but the missing ones are numbers, and some are.
    pub(crate) fn is_numeric(&self, column: usize) -> bool {
        let filled = (0..self.rows).filter(|&row| !self.is_missing(row, column));
        let mut cells = filled.map(|row| self.cell(row, column)).peekable();
        cells.peek().is_some() && cells.all(|cell| number::finite(cell).is_some())
    }

    /// Where a cell is.
    pub(crate) fn place(&self, row: usize, column: usize) -> Place {
        self.source.place(row as u64, column)
    }

    /// Where the table is: its first file.
    pub(crate) fn file(&self) -> Place {
        self.source.file()
    }

    /// These rows without and with those that are kept for the test.
    pub(crate) fn deal(
        &self,
        rows: Vec<usize>,
        test: Option<&TestRows>,
    ) -> Result<(Vec<usize>, Vec<usize>), DataError> {
        let column = match test {
            Some(TestRows::Where { field, .. }) => Some(self.column(field)?),
            _ => None,
        };
        TestRows::deal(test, rows, |test, row| {
            let checksum = || self.checksums.get(row).copied().unwrap_or_default();
            test.holds(checksum, column.map(|column| self.cell(row, column)))
        })
    }
}
