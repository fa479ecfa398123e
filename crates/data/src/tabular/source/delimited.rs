//! Tables of cells between delimiters: CSV, TSV and their like, read by the `csv` crate.

use std::sync::Arc;

use csv::{Reader, ReaderBuilder, StringRecord};

use super::blocks::{Block, Blocks, Delimited};
use super::format::empty;
use super::pipeline::Take;
use super::{Head, Rows};
use crate::error::DataError;
use crate::place::Place;
use crate::tabular::chunk::{Cells, Texts};

/// What may stand between cells, the likeliest first.
const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];
/// Records that are looked at to find the delimiter.
const LOOKED_AT: usize = 50;

/// How a file separates its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub delimiter: u8,
    pub header: bool,
}

impl Dialect {
    fn reader(delimiter: u8, text: &str) -> Reader<&[u8]> {
        ReaderBuilder::new()
            .delimiter(delimiter)
            .quoting(quotes(delimiter))
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes())
    }
}

/// Whether quotes mean something: they do, but where tabs separate cells, as texts with tabs in them are rare.
fn quotes(delimiter: u8) -> bool {
    delimiter != b'\t'
}

/// The columns of a text and how it separates its cells, from a look at its start.
pub(super) fn head(
    blocks: &mut Blocks<'_>,
    header: Option<bool>,
) -> Result<(Vec<String>, Dialect), DataError> {
    let start = blocks.peek()?;
    let delimiter = delimiter(&start);
    let mut first = StringRecord::new();
    let read = Dialect::reader(delimiter, &start).read_record(&mut first);
    if !read.map_err(|error| unreadable(&error, blocks.place()))? {
        return Err(empty(blocks.place()));
    }
    let header = header.unwrap_or_else(|| names_columns(&first));
    let name = |(i, cell): (usize, &str)| match cell.trim() {
        name if header && !name.is_empty() => name.to_string(),
        _ => (i + 1).to_string(),
    };
    Ok((first.iter().enumerate().map(name).collect(), Dialect { delimiter, header }))
}

/// Whether a first record names columns: it does where none of its cells is a number, and none is empty but perhaps
/// the first, as programs write it that number the rows.
fn names_columns(first: &StringRecord) -> bool {
    let named = |(i, cell): (usize, &str)| {
        let cell = cell.trim();
        (!cell.is_empty() || (i == 0 && first.len() > 1)) && cell.parse::<f64>().is_err()
    };
    first.iter().enumerate().all(named)
}

/// The delimiter that cuts the first records into the same number of cells, and the most; or else the one that the
/// first record has most of.
fn delimiter(start: &str) -> u8 {
    let cells = |delimiter: u8| {
        let records = Dialect::reader(delimiter, start).into_records().take(LOOKED_AT);
        let counts: Vec<usize> = records.map_while(Result::ok).map(|record| record.len()).collect();
        let first = counts.first().copied().unwrap_or(1);
        (first > 1 && counts.iter().all(|&count| count == first), first)
    };
    let mut best = (cells(DELIMITERS[0]), DELIMITERS[0]);
    for &delimiter in &DELIMITERS[1..] {
        let found = cells(delimiter);
        if found > best.0 {
            best = (found, delimiter);
        }
    }
    best.1
}

/// Makes jobs of the blocks of a text.
pub(super) fn read(
    blocks: &mut Blocks<'_>,
    dialect: Dialect,
    head: &Arc<Head>,
    take: Take<'_, Rows>,
) -> Result<bool, DataError> {
    let Dialect { delimiter, .. } = dialect;
    blocks.cells(Delimited { delimiter, quotes: quotes(delimiter), head: head.clone() });
    let mut names = dialect.header;
    while let Some(block) = blocks.next()? {
        let (head, place, skip) = (head.clone(), blocks.place().clone(), names);
        names = false;
        if !take(Box::new(move || parse(&block, delimiter, &head, &place, skip))) {
            return Ok(false);
        }
    }
    if let Some(line) = blocks.windows {
        let mut rows = Rows::of(blocks.place().clone());
        rows.notes.push(format!(
            "{}: line {line} is no UTF-8 text; read as Windows-1252",
            blocks.place()
        ));
        return Ok(take(Box::new(|| Ok(rows))));
    }
    Ok(true)
}

/// The rows of a block; `skip`: without the first record, which names the columns.
fn parse(
    block: &Block,
    delimiter: u8,
    head: &Head,
    place: &Place,
    skip: bool,
) -> Result<Rows, DataError> {
    let mut reader = Dialect::reader(delimiter, &block.text);
    let mut record = StringRecord::new();
    let mut columns = vec![Texts::default(); head.columns.len()];
    let mut rows = Rows::of(place.clone());
    if skip {
        reader.read_record(&mut record).map_err(|error| unreadable(&error, place))?;
    }
    while reader.read_record(&mut record).map_err(|error| unreadable(&error, place))? {
        let line = block.line + record.position().map_or(0, |at| begins(&block.text, at));
        if record.len() == columns.len() {
            columns.iter_mut().zip(&record).for_each(|(texts, cell)| texts.push(cell.trim()));
            rows.at.push(line);
            if head.checksums {
                let end = reader.position().byte() as usize;
                rows.checksums.push(checksum(&block.text, record.position(), end));
            }
        } else if record.iter().any(|cell| !cell.trim().is_empty()) {
            rows.refuse(head, ragged(&record, head, place.clone().line(line)))?;
        }
    }
    rows.columns = columns.into_iter().map(Cells::Text).collect();
    Ok(rows)
}

/// The CRC-32 of the line, or the lines, of a record that ends before `end`, without line ends around it.
fn checksum(text: &str, start: Option<&csv::Position>, end: usize) -> u32 {
    let start = start.map_or(0, |at| at.byte() as usize);
    let line = text.get(start..end).unwrap_or_default();
    crc32fast::hash(line.trim_matches(['\r', '\n']).as_bytes())
}

/// The lines before the record that is read from a position, which may be before empty lines.
fn begins(text: &str, at: &csv::Position) -> u64 {
    let rest = usize::try_from(at.byte()).ok().and_then(|byte| text.as_bytes().get(byte..));
    let empty = rest.unwrap_or_default().iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    at.line() - 1 + empty.filter(|&&byte| byte == b'\n').count() as u64
}

/// A row with too few or too many cells.
fn ragged(record: &StringRecord, head: &Head, place: Place) -> DataError {
    let (found, expected) = (record.len(), head.columns.len());
    let place = match head.columns.get(found) {
        Some(missing) => place.column(missing),
        None => place,
    };
    DataError::content(
        place,
        format!("the row has {found} cells, the table has {expected} columns"),
        "correct the row (quote cells that hold the delimiter), or leave such rows out with \
        --skip-bad",
    )
}

/// An error of the `csv` crate in our words.
fn unreadable(error: &csv::Error, place: &Place) -> DataError {
    DataError::content(place.clone(), error.to_string(), "correct the file, or save it again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tabular::source::input::Input;

    #[test]
    fn the_delimiter_is_the_one_that_cuts_evenly() {
        assert_eq!(delimiter("a,b\n1,2\n"), b',');
        assert_eq!(delimiter("a;b\n1,5;2\n3;4\n"), b';');
        assert_eq!(delimiter("name\ttext\nx\tone, two, three\n"), b'\t');
        assert_eq!(delimiter("\"a,b\"|c\n1|2\n"), b'|');
        assert_eq!(delimiter("word\nother\n"), b',');
    }

    #[test]
    fn names_are_told_from_cells() {
        let names = |text: &str| {
            let input = Input::of(text.as_bytes());
            let (columns, dialect) = head(&mut Blocks::new(input).unwrap(), None).unwrap();
            (dialect.header, columns.join(" "))
        };
        assert_eq!(names("a,b\n1,2\n"), (true, "a b".into()));
        assert_eq!(names(",b\n1,2\n"), (true, "1 b".into()));
        assert_eq!(names("x,,z\n1,2,3\n"), (false, "1 2 3".into()));
        assert_eq!(names("1,b\n1,2\n"), (false, "1 2".into()));
    }
}
