//! Tables in text files: CSV, TSV and their like, read by the `csv` crate. Line numbers and the bytes of each line
//! are kept, for messages and for splits by checksum.

use std::ops::Range;
use std::path::Path;

use csv::{ErrorKind, ReaderBuilder, StringRecord};

use crate::error::DataError;
use crate::files;
use crate::place::Place;
use crate::split::TestRows;
use crate::suggest;

/// What may stand between cells, the likeliest first.
const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// A table in memory, of one file or of several with the same columns.
pub(crate) struct Table {
    parts: Vec<Part>,
    columns: Vec<String>,
    has_header: bool,
    rows: Vec<Row>,
}

/// A file of a table.
struct Part {
    place: Place,
    text: String,
}

/// A row, the file and the line it begins in, and the bytes it was read from without the line end.
struct Row {
    part: usize,
    cells: StringRecord,
    line: u64,
    bytes: Range<usize>,
}

impl Table {
    /// Reads a file; `header` says whether its first row names the columns, where that is known.
    pub(crate) fn read(path: &Path, header: Option<bool>) -> Result<Table, DataError> {
        let place = Place::file(path);
        let text = files::text(files::read_file(path)?, &place)?;
        Table::parse(text, place, header)
    }

    /// Reads a text. The delimiter is the one of `,`, tab, `;` and `|` that the first line has most of. Quotes mean
    /// nothing where it is a tab.
    pub(crate) fn parse(
        text: String,
        place: Place,
        header: Option<bool>,
    ) -> Result<Table, DataError> {
        let delimiter = delimiter(&text);
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .quoting(delimiter != b'\t')
            .has_headers(false)
            .from_reader(text.as_bytes());
        let mut rows: Vec<Row> = Vec::new();
        let mut cells = StringRecord::new();
        while reader.read_record(&mut cells).map_err(|error| unreadable(&error, &place))? {
            let (start, line) =
                cells.position().map_or((0, 0), |at| (at.byte() as usize, at.line()));
            rows.push(Row { part: 0, cells: cells.clone(), line, bytes: start..text.len() });
            if let [.., last, _] = &mut rows[..] {
                last.bytes.end = start;
            }
        }
        for row in &mut rows {
            let raw = &text[row.bytes.clone()];
            let start = row.bytes.start + raw.len() - raw.trim_start_matches(['\r', '\n']).len();
            row.bytes = start..start + raw.trim_matches(['\r', '\n']).len();
        }

        let Some(first) = rows.first() else {
            return Err(DataError::content(
                place,
                "the file is empty",
                "a table has a row for each sample; check how the file was written",
            ));
        };
        let looks_so = || !first.cells.iter().any(|cell| cell.trim().is_empty() || is_number(cell));
        let has_header = header.unwrap_or_else(looks_so);
        let columns: Vec<String> = match has_header {
            true => rows.remove(0).cells.iter().map(|cell| cell.trim().to_string()).collect(),
            false => (1..=first.cells.len()).map(|column| column.to_string()).collect(),
        };
        let table = Table { parts: vec![Part { place, text }], columns, has_header, rows };
        table.check_columns()?;
        Ok(table)
    }

    /// The rows of several tables, one table after the other.
    pub(crate) fn joined(tables: Vec<Table>) -> Result<Option<Table>, DataError> {
        let mut tables = tables.into_iter();
        let Some(mut all) = tables.next() else { return Ok(None) };
        for mut table in tables {
            if table.columns != all.columns {
                return Err(DataError::content(
                    table.file().clone().line(1),
                    format!(
                        "the columns are {}, those of {} are {}",
                        table.columns.join(", "),
                        all.file(),
                        all.columns.join(", ")
                    ),
                    "files that make one table have the same columns; name one file, or move the \
                    others elsewhere",
                ));
            }
            let before = all.parts.len();
            table.rows.iter_mut().for_each(|row| row.part += before);
            all.parts.append(&mut table.parts);
            all.rows.append(&mut table.rows);
        }
        Ok(Some(all))
    }

    fn check_columns(&self) -> Result<(), DataError> {
        let twice =
            self.columns.iter().enumerate().find(|(i, name)| self.columns[..*i].contains(name));
        if let Some((_, name)) = twice {
            return Err(DataError::content(
                self.file().clone().line(1),
                format!("two columns are called '{name}'"),
                "give each column a name of its own, or say --header false where the \
            first line is a row",
            ));
        }
        if self.rows.is_empty() {
            return Err(DataError::content(
                self.file().clone(),
                "there is a line with the names of the columns and no row",
                "bring rows, or say --header false where the first line is one",
            ));
        }
        Ok(())
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The names of the columns, or their numbers from 1 where the file does not name them.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Whether the first line of the file names the columns.
    pub(crate) fn has_header(&self) -> bool {
        self.has_header
    }

    /// The place of the column of this name.
    pub(crate) fn column(&self, wanted: &str) -> Result<usize, DataError> {
        self.columns.iter().position(|name| name == wanted).ok_or_else(|| {
            let near = suggest::nearest(wanted, self.columns.iter().map(String::as_str));
            let hint = match (near, self.has_header) {
                (Some(near), true) => format!("did you mean '{near}'?"),
                (_, true) => "use the name of one of these columns".into(),
                (_, false) => "the file does not name its columns: give a number from 1, or say \
                       --header true where its first line names them"
                    .into(),
            };
            DataError::MissingColumn {
                place: self.file().clone().into(),
                wanted: wanted.into(),
                columns: self.columns.join(", "),
                hint,
            }
        })
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
                self.file().clone(),
                format!(
                    "there is no column of {what}: the table has only '{}'",
                    self.columns.join(", ")
                ),
                "is the delimiter one of comma, tab, semicolon and bar?",
            )),
        }
    }

    /// A cell, without spaces around it.
    pub(crate) fn cell(&self, row: usize, column: usize) -> &str {
        self.rows[row].cells.get(column).unwrap_or("").trim()
    }

    /// A cell as a finite number.
    pub(crate) fn number(&self, row: usize, column: usize) -> Result<f64, DataError> {
        let cell = self.cell(row, column);
        number(cell).ok_or_else(|| {
            let found = if cell.is_empty() { "nothing".into() } else { format!("'{cell}'") };
            DataError::content(
                self.place(row, column),
                format!("a number is needed, there is {found}"),
                "correct the cell, or leave the row out",
            )
        })
    }

    /// Whether all cells of a column but the empty ones are numbers, and some are.
    pub(crate) fn is_numeric(&self, column: usize) -> bool {
        let mut cells =
            (0..self.rows()).map(|row| self.cell(row, column)).filter(|cell| !cell.is_empty());
        let first = cells.next();
        first.is_some_and(is_number) && cells.all(is_number)
    }

    /// Where a cell is.
    pub(crate) fn place(&self, row: usize, column: usize) -> Place {
        let Row { part, line, .. } = self.rows[row];
        self.parts[part].place.clone().line(line).column(&self.columns[column])
    }

    /// Where the table is: its first file.
    pub(crate) fn file(&self) -> &Place {
        &self.parts[0].place
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
        TestRows::deal(test, rows, |row| {
            let Row { part, bytes, .. } = &self.rows[row];
            let line = &self.parts[*part].text.as_bytes()[bytes.clone()];
            (line, column.map(|column| self.cell(row, column)))
        })
    }
}

/// A cell as a finite number.
pub(crate) fn number(cell: &str) -> Option<f64> {
    cell.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

fn is_number(cell: &str) -> bool {
    number(cell).is_some()
}

/// The delimiter that the first line has most of.
fn delimiter(text: &str) -> u8 {
    let first = text.trim_start().lines().next().unwrap_or("");
    let count = |delimiter: u8| first.bytes().filter(|&byte| byte == delimiter).count();
    let mut best = DELIMITERS[0];
    for delimiter in DELIMITERS {
        if count(delimiter) > count(best) {
            best = delimiter;
        }
    }
    best
}

/// An error of the `csv` crate in our words.
fn unreadable(error: &csv::Error, place: &Place) -> DataError {
    let line = error.position().map_or(0, csv::Position::line);
    match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => DataError::content(
            place.clone().line(line),
            format!("the row has {len} cells, the first one has {expected_len}"),
            "each row has a cell for each column; quote cells that hold the delimiter",
        ),
        _ => DataError::content(
            place.clone().line(line),
            error.to_string(),
            "correct the line, or leave it out",
        ),
    }
}
