//! Where the rows of a table come from.

use crate::detect::Found;
use crate::error::DataError;
use crate::place::Place;
use crate::table::Table;

use super::chunk::{Cells, Chunk, Texts};

/// Rows of a chunk.
const CHUNK: usize = 4096;

/// A table that is read in chunks, as often as need be, always in the same order.
pub(crate) trait TableSource {
    /// The names of the columns, or their numbers from 1 where nothing names them.
    fn columns(&self) -> &[String];

    /// Whether the table names its columns itself.
    fn has_header(&self) -> bool;

    /// Shows all rows in order, chunk after chunk.
    fn read(&self, visit: &mut dyn FnMut(&Chunk) -> Result<(), DataError>)
    -> Result<(), DataError>;

    /// The first rows, at most so many, without reading the others where that can be done.
    fn head(&self, rows: usize) -> Result<Chunk, DataError>;

    /// Where a cell is; rows are numbered from 0.
    fn place(&self, row: u64, column: usize) -> Place;

    /// Where the table is.
    fn file(&self) -> Place;
}

/// Opens the table that a path leads to.
pub(crate) fn open(found: &Found, header: Option<bool>) -> Result<Box<dyn TableSource>, DataError> {
    Ok(Box::new(found.table(header)?))
}

impl Table {
    fn chunk(&self, first: usize, rows: usize) -> Chunk {
        let columns = (0..self.columns().len()).map(|column| {
            let mut texts = Texts::default();
            (first..first + rows).for_each(|row| texts.push(self.cell(row, column)));
            Cells::Text(texts)
        });
        Chunk { first: first as u64, rows, columns: columns.collect() }
    }
}

impl TableSource for Table {
    fn columns(&self) -> &[String] {
        Table::columns(self)
    }

    fn has_header(&self) -> bool {
        Table::has_header(self)
    }

    fn read(
        &self,
        visit: &mut dyn FnMut(&Chunk) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        for first in (0..self.rows()).step_by(CHUNK) {
            visit(&self.chunk(first, CHUNK.min(self.rows() - first)))?;
        }
        Ok(())
    }

    fn head(&self, rows: usize) -> Result<Chunk, DataError> {
        Ok(self.chunk(0, rows.min(self.rows())))
    }

    fn place(&self, row: u64, column: usize) -> Place {
        Table::place(self, row as usize, column)
    }

    fn file(&self) -> Place {
        Table::file(self).clone()
    }
}
