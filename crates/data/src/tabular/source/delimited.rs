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
use crate::tabular::number;

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
        (!cell.is_empty() || (i == 0 && first.len() > 1)) && number::parse(cell).is_none()
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
        if !take(Box::new(move || parse(block, delimiter, &head, &place, skip))) {
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
    block: Block,
    delimiter: u8,
    head: &Head,
    place: &Place,
    skip: bool,
) -> Result<Rows, DataError> {
    // Lines are known to the other way alone.
    match !head.checksums && is_plain(&block.text, delimiter) {
        true => cut(block, delimiter, head, place, skip),
        false => read_records(&block, delimiter, head, place, skip),
    }
}

/// Whether a record is a line, and a cell what stands between two delimiters: there are no quotes, and no line ends but
/// `\n` and `\r\n`.
fn is_plain(text: &str, delimiter: u8) -> bool {
    let bytes = text.as_bytes();
    let quoted = quotes(delimiter) && bytes.contains(&b'"');
    let lone =
        || bytes.ends_with(b"\r") || bytes.windows(2).any(|two| two[0] == b'\r' && two[1] != b'\n');
    let marked = text.starts_with('\u{feff}');
    !(quoted || marked || bytes.contains(&b'\r') && lone())
}

/// The rows of a plain block. Cells are places in its text: nothing is copied.
fn cut(
    block: Block,
    delimiter: u8,
    head: &Head,
    place: &Place,
    mut skip: bool,
) -> Result<Rows, DataError> {
    let width = head.columns.len();
    let text = Arc::new(block.text);
    let expected = text.len() / (4 * width).max(1);
    let mut columns = vec![Texts::within(&text, expected); width];
    let mut rows = Rows::of(place.clone());
    rows.at.reserve(expected);
    let mut cells: Vec<[u32; 2]> = Vec::with_capacity(width);
    let (mut line, mut begin) = (block.line, 0);
    let mut row = |cells: &mut Vec<[u32; 2]>, line: u64| {
        let empty = |[from, to]: &[u32; 2]| from == to;
        if std::mem::take(&mut skip) {
        } else if cells.len() == width {
            columns.iter_mut().zip(cells.iter()).for_each(|(texts, &cell)| texts.push_part(cell));
            rows.at.push(line);
        } else if !cells.iter().all(empty) {
            rows.refuse(head, ragged(cells.len(), head, place.clone().line(line)))?;
        }
        cells.clear();
        Ok(())
    };
    for end in marks(text.as_bytes(), [delimiter, b'\n']) {
        let ends_line = text.as_bytes()[end] == b'\n';
        let cell = &text.as_bytes()[begin..end];
        let nothing = ends_line && cells.is_empty() && matches!(cell, b"" | b"\r");
        if !nothing {
            cells.push(trimmed(&text, begin, end));
        }
        begin = end + 1;
        if ends_line {
            if !nothing {
                row(&mut cells, line)?;
            }
            line += 1;
        }
    }
    if begin < text.len() || !cells.is_empty() {
        cells.push(trimmed(&text, begin, text.len()));
        row(&mut cells, line)?;
    }
    rows.columns = columns.into_iter().map(Cells::Text).collect();
    Ok(rows)
}

/// Where a cell is without the spaces around it.
fn trimmed(text: &str, begin: usize, end: usize) -> [u32; 2] {
    let visible = |byte: u8| byte.is_ascii_graphic();
    let (from, to) = match &text.as_bytes()[begin..end] {
        [] => (begin, end),
        // Most cells have none.
        &[first, .., last] if visible(first) && visible(last) => (begin, end),
        _ => {
            let cell = text.get(begin..end).unwrap_or_default();
            let from = begin + (cell.len() - cell.trim_start().len());
            (from, from + cell.trim().len())
        }
    };
    [from as u32, to as u32]
}

/// Where one of two bytes stands, in order; eight are looked at together.
fn marks(bytes: &[u8], wanted: [u8; 2]) -> impl Iterator<Item = usize> {
    const LOW: u64 = u64::MAX / 255;
    const HIGH: u64 = LOW << 7;
    // The highest bit of each byte that is 0, exactly.
    let zeros = |word: u64| !(((word & !HIGH) + !HIGH) | word | !HIGH);
    let wanted = wanted.map(|byte| LOW * u64::from(byte));
    let (eights, rest) = bytes.as_chunks::<8>();
    let last = {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        last
    };
    let mut words = eights.iter().copied().chain([last]).enumerate();
    let (mut found, mut first) = (0u64, 0);
    std::iter::from_fn(move || {
        while found == 0 {
            let (i, eight) = words.next()?;
            let word = u64::from_le_bytes(eight);
            first = 8 * i;
            found = zeros(word ^ wanted[0]) | zeros(word ^ wanted[1]);
        }
        let at = first + (found.trailing_zeros() / 8) as usize;
        found &= found - 1;
        Some(at)
    })
}

/// The rows of a block with quotes.
fn read_records(
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
            rows.refuse(head, ragged(record.len(), head, place.clone().line(line)))?;
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
fn ragged(found: usize, head: &Head, place: Place) -> DataError {
    let expected = head.columns.len();
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

    /// Lines that are cut are the records that the `csv` crate reads.
    #[test]
    fn plain_blocks_are_cut_as_they_would_be_read() {
        let head = Head {
            columns: ["a", "b", "c"].map(String::from).to_vec(),
            header: false,
            skip_bad: true,
            checksums: false,
            first: Place::default(),
        };
        let pieces = [
            ",",
            ",",
            ",",
            "\n",
            "\n",
            "\r\n",
            "1",
            "-2.5",
            " x ",
            "Zoë",
            " ",
            "\u{a0}",
            "long text",
            "\r",
        ];
        let mut random = crate::random::Philox::new(3, 0);
        let mut plain = 0;
        for _ in 0..20_000 {
            let text: String = (0..random.below(40))
                .map(|_| pieces[random.below(pieces.len() as u64) as usize])
                .collect();
            let skip = random.below(2) == 0;
            let told = |rows: Rows| {
                let bad: Vec<String> = rows.bad.iter().map(DataError::message).collect();
                (rows.columns, rows.at, bad)
            };
            let block = || Block { text: text.clone(), line: 7 };
            let ours = parse(block(), b',', &head, &Place::default(), skip).unwrap();
            let right = read_records(&block(), b',', &head, &Place::default(), skip).unwrap();
            assert_eq!(told(ours), told(right), "{text:?}");
            plain += usize::from(is_plain(&text, b','));
        }
        assert!(plain > 1000);
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
