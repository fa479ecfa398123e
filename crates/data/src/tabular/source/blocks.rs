//! A text file in blocks that end where a record ends, as UTF-8 whatever it was.
//!
//! A byte order mark says UTF-8 or UTF-16. Without one the text is UTF-8; where it turns out not to be, it is taken for
//! Windows-1252 from there on, which is right where all before was ASCII. What looks like no text at all is refused.

use std::io::{self, Read};
use std::sync::Arc;

use encoding_rs::{CoderResult, Decoder, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::Head;
use super::input::Input;
use crate::error::DataError;
use crate::place::Place;

/// Bytes of a block, about.
const BLOCK: usize = 1 << 20;
/// The longest record that is believed.
const LONGEST: usize = 1 << 26;

/// Some whole records.
pub(super) struct Block {
    pub text: String,
    /// The line in which it begins, from 1.
    pub line: u64,
}

/// How the cells of a record are told apart.
pub(super) struct Delimited {
    pub delimiter: u8,
    /// Whether a cell may be in quotes, within which a line end ends no record.
    pub quotes: bool,
    /// The names of the columns, for messages.
    pub head: Arc<Head>,
}

/// A text file, block by block.
pub(super) struct Blocks<'a> {
    input: Input<'a>,
    /// How cells are told apart, where there are any.
    cells: Option<Delimited>,
    /// What was read and not given yet; it begins with a record.
    rest: Vec<u8>,
    line: u64,
    ended: bool,
    /// Whether the text so far holds anything but ASCII.
    beyond_ascii: bool,
    /// The line from which it is Windows-1252.
    pub windows: Option<u64>,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(mut input: Input<'a>) -> Result<Blocks<'a>, DataError> {
        let mut mark = Vec::new();
        input.read(3, &mut mark)?;
        let utf16 = match mark.as_slice() {
            [0xff, 0xfe, ..] => Some(UTF_16LE),
            [0xfe, 0xff, ..] => Some(UTF_16BE),
            _ => None,
        };
        if mark == [0xef, 0xbb, 0xbf] {
            mark.clear();
        }
        if let Some(encoding) = utf16 {
            let rest = std::mem::take(&mut mark);
            input = input.map(|reader| {
                let decoder = encoding.new_decoder_with_bom_removal();
                let bytes = Box::new(io::Cursor::new(rest).chain(reader));
                Box::new(Utf8 {
                    bytes,
                    decoder,
                    buffer: vec![0; 1 << 16],
                    text: Vec::new(),
                    given: 0,
                })
            });
        }
        Ok(Blocks {
            input,
            cells: None,
            rest: mark,
            line: 1,
            ended: false,
            beyond_ascii: utf16.is_some(),
            windows: None,
        })
    }

    /// From now on records are made of cells.
    pub(super) fn cells(&mut self, cells: Delimited) {
        self.cells = Some(cells);
    }

    /// The delimiter, where quotes mean something.
    fn quoting(&self) -> Option<u8> {
        self.cells.as_ref().filter(|cells| cells.quotes).map(|cells| cells.delimiter)
    }

    pub(super) fn place(&self) -> &Place {
        self.input.place()
    }

    /// A look at the start of the text, up to a block: it is given again.
    pub(super) fn peek(&mut self) -> Result<String, DataError> {
        self.more()?;
        let mut cut = self.rest.len();
        if !self.ended {
            // The last line may be cut anywhere.
            cut = self.rest.iter().rposition(|&byte| byte == b'\n').map_or(cut, |at| at + 1);
        }
        let bytes = &self.rest[..cut];
        self.check_text(bytes, 1)?;
        Ok(match std::str::from_utf8(bytes) {
            Ok(text) => text.to_string(),
            Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
        })
    }

    /// The next block.
    pub(super) fn next(&mut self) -> Result<Option<Block>, DataError> {
        loop {
            if self.rest.len() < BLOCK {
                self.more()?;
            }
            let scan = Scan::of(&self.rest, self.quoting());
            let (cut, unclosed) = match (self.ended, scan.end) {
                (true, _) => (self.rest.len(), scan.open),
                (false, Some(end)) => (end, None),
                (false, None) if self.rest.len() > LONGEST => (0, scan.open.or(Some(0))),
                (false, None) => {
                    self.more()?;
                    continue;
                }
            };
            if let Some(at) = unclosed {
                return Err(self.endless(at));
            }
            if cut == 0 {
                return Ok(None);
            }
            let rest = self.rest.split_off(cut);
            let bytes = std::mem::replace(&mut self.rest, rest);
            let line = self.line;
            self.line += line_ends(&bytes);
            return Ok(Some(Block { text: self.text(bytes, line)?, line }));
        }
    }

    fn more(&mut self) -> Result<(), DataError> {
        if !self.ended {
            self.ended = self.input.read(BLOCK, &mut self.rest)? < BLOCK;
        }
        Ok(())
    }

    /// Bytes as text, in the encoding of the file as far as it is known.
    fn text(&mut self, bytes: Vec<u8>, line: u64) -> Result<String, DataError> {
        self.check_text(&bytes, line)?;
        let bytes = match self.windows {
            Some(_) => bytes,
            None => match String::from_utf8(bytes) {
                Ok(text) => {
                    self.beyond_ascii |= !text.is_ascii();
                    return Ok(text);
                }
                Err(error) => {
                    let at = error.utf8_error().valid_up_to();
                    let bytes = error.into_bytes();
                    if self.beyond_ascii || !bytes[..at].is_ascii() {
                        let problem = format!("byte 0x{:02x} is no UTF-8 text", bytes[at]);
                        let hint = "most of the file is UTF-8: correct the cell, or save the \
                        file as UTF-8 again";
                        return Err(DataError::content(self.at(&bytes, at, line), problem, hint));
                    }
                    let before = &bytes[..at];
                    let lines = line_ends(before);
                    self.windows = Some(line + lines);
                    bytes
                }
            },
        };
        Ok(WINDOWS_1252.decode_without_bom_handling(&bytes).0.into_owned())
    }

    /// Refuses bytes that are in no text.
    fn check_text(&self, bytes: &[u8], line: u64) -> Result<(), DataError> {
        let strange = |byte: &u8| *byte < 9 || (14..26).contains(byte);
        // Without a way out the compiler looks at many bytes at once.
        if !bytes.iter().fold(false, |found, byte| found | strange(byte)) {
            return Ok(());
        }
        match bytes.iter().position(strange) {
            None => Ok(()),
            Some(at) => Err(DataError::content(
                self.at(bytes, at, line),
                format!("byte 0x{:02x} is in no text", bytes[at]),
                "the file looks binary or damaged, or is UTF-16 without a mark; save it as UTF-8 \
                text",
            )),
        }
    }

    /// The line and, as far as that is known, the column that byte `at` of a block is in.
    fn at(&self, block: &[u8], at: usize, line: u64) -> Place {
        let before = &block[..at];
        let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let lines = line_ends(before);
        let place = self.place().clone().line(line + lines);
        let column = self.cells.as_ref().and_then(|Delimited { delimiter, head, .. }| {
            let cells = before[start..].iter().filter(|&byte| byte == delimiter).count();
            head.columns.get(cells)
        });
        match column {
            Some(name) => place.column(name),
            None => place,
        }
    }

    fn endless(&self, at: usize) -> DataError {
        let lines = line_ends(&self.rest[..at]);
        let place = self.place().clone().line(self.line + lines);
        match self.quoting() {
            Some(_) => DataError::content(
                place,
                "a cell begins with a quote (\") that is never closed",
                "close the quote, or write two of them where one is part of the text",
            ),
            None => DataError::content(
                place,
                format!("the line is longer than {} MB", LONGEST >> 20),
                "is it a text with line ends?",
            ),
        }
    }
}

/// How many lines end in some bytes. Counts that fit a byte are those that the compiler makes many of at once.
fn line_ends(bytes: &[u8]) -> u64 {
    let few = |bytes: &[u8]| bytes.iter().map(|&byte| u8::from(byte == b'\n')).sum::<u8>();
    bytes.chunks(255).map(|bytes| u64::from(few(bytes))).sum()
}

/// Where records end.
struct Scan {
    /// Behind the last record that is whole.
    end: Option<usize>,
    /// The quote that is open at the end.
    open: Option<usize>,
}

impl Scan {
    /// A record ends with its line, but not within a cell that begins with a quote.
    fn of(bytes: &[u8], quoting: Option<u8>) -> Scan {
        // A lone carriage return ends a line too; whether it is alone, the byte after it says.
        let lone = |at: usize| bytes.get(at + 1).is_some_and(|&next| next != b'\n');
        let delimiter = match quoting {
            Some(delimiter) if bytes.contains(&b'"') => delimiter,
            _ => {
                let end = bytes
                    .iter()
                    .rposition(|&byte| byte == b'\n')
                    .or_else(|| (0..bytes.len()).rev().find(|&at| bytes[at] == b'\r' && lone(at)));
                return Scan { end: end.map(|at| at + 1), open: None };
            }
        };
        enum At {
            Start,
            Plain,
            Quoted,
            /// Behind a quote within quotes: it closes them, or is the first of two.
            Closing,
        }
        let (mut end, mut open, mut state) = (None, 0, At::Start);
        for (at, &byte) in bytes.iter().enumerate() {
            state = match (state, byte) {
                (At::Quoted, b'"') => At::Closing,
                (At::Quoted, _) | (At::Closing, b'"') => At::Quoted,
                (_, b'\n') => {
                    end = Some(at + 1);
                    At::Start
                }
                (_, b'\r') => {
                    if lone(at) {
                        end = Some(at + 1);
                    }
                    At::Start
                }
                (_, byte) if byte == delimiter => At::Start,
                (At::Start, b'"') => {
                    open = at;
                    At::Quoted
                }
                _ => At::Plain,
            };
        }
        Scan { end, open: matches!(state, At::Quoted).then_some(open) }
    }
}

/// UTF-16 as UTF-8.
struct Utf8<'a> {
    bytes: Box<dyn Read + 'a>,
    decoder: Decoder,
    buffer: Vec<u8>,
    text: Vec<u8>,
    given: usize,
}

impl Read for Utf8<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() {
            let got = self.bytes.read(&mut self.buffer)?;
            // Three bytes of UTF-8 for two of UTF-16 are the most there can be.
            self.text.resize(2 * got + 16, 0);
            self.given = 0;
            let (result, _, written, broken) =
                self.decoder.decode_to_utf8(&self.buffer[..got], &mut self.text, got == 0);
            self.text.truncate(written);
            if broken || result == CoderResult::OutputFull {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "broken UTF-16"));
            }
            if got == 0 {
                break;
            }
        }
        let given = (&self.text[self.given..]).read(out)?;
        self.given += given;
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(text: &str) -> (Option<usize>, Option<usize>) {
        let Scan { end, open } = Scan::of(text.as_bytes(), Some(b','));
        (end, open)
    }

    #[test]
    fn records_end_outside_of_quotes() {
        assert_eq!(ends("a,b\nc"), (Some(4), None));
        assert_eq!(ends("a,b\rc"), (Some(4), None));
        assert_eq!(ends("a,b\r\nc"), (Some(5), None));
        assert_eq!(ends("a,b\r"), (None, None));
        assert_eq!(ends("a,\"b\nc"), (None, Some(2)));
        assert_eq!(ends("1\na,\"b\nc\"\nd"), (Some(10), None));
        assert_eq!(ends("a,\"b\"\"\nc\",d\n"), (Some(12), None));
        assert_eq!(ends("5\" pipe,3\nx"), (Some(10), None), "a quote within a cell is a letter");
    }
}
