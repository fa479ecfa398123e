//! The rows of a table in chunks, from files of any size: delimited text, JSON lines, Parquet, Arrow, NumPy; packed by
//! gzip or in a zip, one file or several with the same columns.
//!
//! A source is read from start to end as often as is wanted ([`TableSource::read`]), always in the order of the files and
//! their rows, on background threads and with a few chunks in memory at a time.

mod blocks;
#[cfg(feature = "columnar")]
mod columnar;
mod delimited;
mod format;
mod input;
mod json_lines;
mod numpy;
mod pipeline;

use std::path::PathBuf;
use std::sync::Arc;

use self::format::Format;
pub(crate) use self::format::is_table_name;
use self::input::Location;
use self::pipeline::{Take, in_order, one_by_one};
use crate::bad::Bad;
use crate::detect::Found;
use crate::error::{DataError, thousands};
use crate::options::SourceOptions;
use crate::place::Place;
use crate::source::found;
use crate::split::TestRows;
use crate::tabular::chunk::{Cells, Chunk};

/// A table in one file or in several.
#[derive(Debug, Clone)]
pub struct TableSource {
    files: Vec<Location>,
    head: Arc<Head>,
}

/// What all files of a table have in common.
#[derive(Debug)]
struct Head {
    columns: Vec<String>,
    /// Whether the first line of a text names the columns.
    header: bool,
    /// Whether rows that cannot be read are left out.
    skip_bad: bool,
    /// Whether the checksums of lines are wanted.
    checksums: bool,
    /// The first file, for messages.
    first: Place,
}

/// Some rows of a file.
pub(crate) struct Rows {
    place: Place,
    pub(crate) columns: Vec<Cells>,
    /// Where each row is: the line it begins in, or its number from 1 where there are no lines.
    at: Vec<u64>,
    /// The CRC-32 of the line of each row, where it is wanted and there are lines of cells.
    checksums: Vec<u32>,
    /// The rows that were left out.
    bad: Vec<DataError>,
    /// What one should know of the file.
    notes: Vec<String>,
}

impl TableSource {
    /// The table at a path: in a file, or in all tables of a folder, of a zip, or of a path with stars in its last part,
    /// which have the same columns. Of `options` those are used that say how tables are read: `header`, `skip_bad` and
    /// `test`, of which the rows may be known by checksum.
    ///
    /// ```no_run
    /// # use thalweg_data::{SourceOptions, tabular::source::TableSource};
    /// let table = TableSource::open("sales/*.csv.gz", &SourceOptions::default())?;
    /// let mut sum = 0.0;
    /// let notes = table.read(&mut |chunk| {
    ///     sum += (0..chunk.rows).filter_map(|row| chunk.columns[0].number(row)).sum::<f64>();
    ///     Ok(())
    /// })?;
    /// # Ok::<(), thalweg_data::DataError>(())
    /// ```
    ///
    /// # Errors
    /// There is no such path and no table in it, the first one is empty or has two columns of one name.
    pub fn open(spec: &str, options: &SourceOptions) -> Result<TableSource, DataError> {
        TableSource::at(&found(spec)?, options.header, options)
    }

    /// The table at a path. `header` says whether the first line of a text names its columns, where that is known.
    pub(crate) fn at(
        found: &Found,
        header: Option<bool>,
        options: &SourceOptions,
    ) -> Result<TableSource, DataError> {
        let files = Location::of(&found.tables()?);
        let skip_bad = options.skip_bad;
        let Some(first) = files.first() else {
            return Err(DataError::NoRows { what: "make a table of" });
        };
        let (columns, header) = Format::of(first)?.columns(first, header, skip_bad)?;
        let twice = columns.iter().enumerate().find(|(i, name)| columns[..*i].contains(name));
        if let Some((_, name)) = twice {
            let hint = "give each column a name of its own, or say --header false where the \
            first line is a row";
            let problem = format!("two columns are called '{name}'");
            return Err(DataError::content(first.place().line(1), problem, hint));
        }
        let checksums = options.test == Some(TestRows::Crc32);
        let head = Head { columns, header, skip_bad, checksums, first: first.place() };
        Ok(TableSource { head: Arc::new(head), files })
    }

    /// The names of the columns, or their numbers from 1 where the files do not name them.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.head.columns
    }

    /// Whether the first line of a text names the columns.
    #[must_use]
    pub fn has_header(&self) -> bool {
        self.head.header
    }

    /// Whether rows that cannot be read are left out.
    pub(crate) fn skips_bad(&self) -> bool {
        self.head.skip_bad
    }

    /// Where the table is: its first file.
    #[must_use]
    pub fn file(&self) -> Place {
        self.files.first().map_or_else(Place::default, Location::place)
    }

    /// The folder in which paths in its cells begin.
    pub(crate) fn folder(&self) -> PathBuf {
        self.file().path.parent().map(PathBuf::from).unwrap_or_default()
    }

    /// Shows all rows, in order, and tells what one should know of them: how many were left out, and which encoding
    /// was taken for granted.
    ///
    /// # Errors
    /// What is wrong with a file or with one of its rows; what `visit` says; no row in all of the files.
    pub fn read(
        &self,
        visit: &mut dyn FnMut(&Chunk) -> Result<(), DataError>,
    ) -> Result<Vec<String>, DataError> {
        self.read_with(|_| Ok(()), &mut |chunk, ()| visit(chunk))
    }

    /// As [`TableSource::read`]; `work` makes something of each chunk's rows on background threads, in any order.
    pub(crate) fn read_with<T: Send>(
        &self,
        work: impl Fn(&Rows) -> Result<T, DataError> + Sync,
        visit: &mut dyn FnMut(&Chunk, T) -> Result<(), DataError>,
    ) -> Result<Vec<String>, DataError> {
        let (mut first, mut notes, mut bad) = (0, Vec::new(), Bad::default());
        in_order(
            |take| self.jobs(take),
            |rows: Rows| {
                let made = if rows.is_empty() { None } else { Some(work(&rows)?) };
                Ok((rows, made))
            },
            |(rows, made)| {
                let count = rows.len();
                notes.extend(rows.notes);
                bad.add(rows.bad);
                if let Some(made) = made {
                    let Rows { columns, checksums, .. } = rows;
                    visit(&Chunk { first, rows: count, columns, checksums }, made)?;
                }
                first += count as u64;
                Ok(())
            },
        )?;
        if first == 0 {
            return Err(self.no_rows(&bad));
        }
        notes.extend(bad.note());
        Ok(notes)
    }

    /// Where a cell is. The files are read again up to it: this is for messages.
    #[must_use]
    pub fn place(&self, row: u64, column: usize) -> Place {
        let (mut left, mut found) = (row, None);
        let look = |rows: Rows| {
            match rows.at.get(usize::try_from(left).unwrap_or(usize::MAX)) {
                Some(&at) => found = Some(rows.place.line(at)),
                None => left -= rows.at.len() as u64,
            }
            found.is_none()
        };
        // What is wrong with the files was said when they were read.
        let _ = one_by_one(|take| self.jobs(take), look);
        let place = found.unwrap_or_else(|| self.file());
        match self.head.columns.get(column) {
            Some(name) => place.column(name),
            None => place,
        }
    }

    /// The first rows, at most so many, and one at least; the others are not read.
    ///
    /// # Errors
    /// As [`TableSource::read`], of these rows.
    pub fn head(&self, most: usize) -> Result<Chunk, DataError> {
        let mut chunk = Chunk { first: 0, rows: 0, columns: Vec::new(), checksums: Vec::new() };
        one_by_one(
            |take| self.jobs(take),
            |rows| {
                let count = rows.at.len().min(most - chunk.rows);
                chunk.add(&rows.columns, count);
                chunk.rows < most
            },
        )?;
        match chunk.rows {
            // Why there is none, reading all of it says.
            0 => self.read(&mut |_| Ok(())).and_then(|_| Err(self.no_rows(&Bad::default()))),
            _ => Ok(chunk),
        }
    }

    /// The rows of all files as jobs.
    fn jobs(&self, take: Take<'_, Rows>) -> Result<(), DataError> {
        for file in &self.files {
            if !Format::of(file)?.read(file, &self.head, take)? {
                break;
            }
        }
        Ok(())
    }

    /// What to say where no row is left.
    pub(crate) fn no_rows(&self, bad: &Bad) -> DataError {
        let (problem, hint): (String, &str) = match (bad.count(), self.head.header) {
            (0, true) => (
                "there is a line with the names of the columns and no row".into(),
                "bring rows, or say --header false where the first line is one",
            ),
            (0, false) => ("there is no row in it".into(), "bring rows"),
            (count, _) => {
                (format!("all {} rows are bad", thousands(count)), bad.first().unwrap_or_default())
            }
        };
        DataError::content(self.file(), problem, hint)
    }
}

impl Rows {
    /// None yet, of the file at `place`.
    fn of(place: Place) -> Rows {
        Rows {
            place,
            columns: Vec::new(),
            at: Vec::new(),
            checksums: Vec::new(),
            bad: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.at.len()
    }

    fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// Where the cell of a row is, of the column with this name.
    pub(crate) fn place(&self, row: usize, column: &str) -> Place {
        let place = match self.at.get(row) {
            Some(&line) => self.place.clone().line(line),
            None => self.place.clone(),
        };
        place.column(column)
    }

    /// Leaves a row out, where that is wanted.
    fn refuse(&mut self, head: &Head, error: DataError) -> Result<(), DataError> {
        match head.skip_bad {
            true => {
                self.bad.push(error);
                Ok(())
            }
            false => Err(error),
        }
    }
}
