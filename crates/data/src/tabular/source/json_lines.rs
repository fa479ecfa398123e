//! JSON lines: an object a line. The columns are the keys of the first rows, in the order in which they first appear.

use std::fmt::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::blocks::{Block, Blocks};
use super::format::empty;
use super::pipeline::Take;
use super::{Head, Rows};
use crate::error::DataError;
use crate::place::Place;
use crate::suggest;
use crate::tabular::chunk::{Cells, Texts};

/// Rows whose keys are columns.
const LOOKED_AT: usize = 1000;

/// The columns of a file, from a look at its start.
pub(super) fn columns(blocks: &mut Blocks<'_>, skip_bad: bool) -> Result<Vec<String>, DataError> {
    let start = blocks.peek()?;
    let mut row = Row { columns: Vec::new(), open: true, cells: Vec::new(), text: String::new() };
    for (number, line) in lines(&start, 1).take(LOOKED_AT) {
        let read = row.read(line, || blocks.place().clone().line(number));
        if !skip_bad {
            read?;
        }
    }
    match row.columns.is_empty() {
        true => Err(empty(blocks.place())),
        false => Ok(row.columns),
    }
}

/// Makes jobs of the blocks of a file.
pub(super) fn read(
    blocks: &mut Blocks<'_>,
    head: &Arc<Head>,
    take: Take<'_, Rows>,
) -> Result<bool, DataError> {
    while let Some(block) = blocks.next()? {
        let (head, place) = (head.clone(), blocks.place().clone());
        if !take(Box::new(move || parse(&block, &head, &place))) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn parse(block: &Block, head: &Head, place: &Place) -> Result<Rows, DataError> {
    let mut columns = vec![Texts::default(); head.columns.len()];
    let mut rows = Rows::of(place.clone());
    let columns_known = head.columns.clone();
    let mut row =
        Row { columns: columns_known, open: false, cells: Vec::new(), text: String::new() };
    for (number, line) in lines(&block.text, block.line) {
        if let Err(error) = row.read(line, || place.clone().line(number)) {
            rows.refuse(head, error)?;
            continue;
        }
        for (texts, cell) in columns.iter_mut().zip(&row.cells) {
            texts.push(row.text[cell.clone()].trim());
        }
        rows.at.push(number);
    }
    rows.columns = columns.into_iter().map(Cells::Text).collect();
    Ok(rows)
}

/// The lines that are not empty, and their numbers.
fn lines(text: &str, first: u64) -> impl Iterator<Item = (u64, &str)> {
    (first..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty())
}

/// A row as it is read: its cells, by column, as places in a text.
struct Row {
    columns: Vec<String>,
    /// Whether a key that is no column yet becomes one.
    open: bool,
    cells: Vec<Range<usize>>,
    text: String,
}

impl Row {
    /// Reads a row; cells that it does not have are empty.
    fn read(&mut self, line: &str, place: impl Fn() -> Place) -> Result<(), DataError> {
        self.text.clear();
        self.cells.clear();
        self.cells.resize(self.columns.len(), 0..0);
        let mut json = serde_json::Deserializer::from_str(line);
        let read = self.deserialize(&mut json).and_then(|()| json.end());
        read.map_err(|error| {
            let text = error.to_string();
            let problem = text.split(" at line").next().unwrap_or(&text).to_string();
            DataError::content(
                place(),
                format!("the line is no row: {problem} (character {})", error.column()),
                "each line is an object such as {\"a\": 1, \"b\": \"text\"}; correct it, or leave \
                such lines out with --skip-bad",
            )
        })
    }
}

impl<'de> DeserializeSeed<'de> for &mut Row {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Row {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut next = 0;
        loop {
            // Rows have their keys in the same order, mostly.
            let key = Key { columns: &self.columns, likely: next };
            let Some(key) = map.next_key_seed(key)? else { return Ok(()) };
            let column = match key {
                Ok(column) => column,
                Err(name) if self.open => {
                    self.columns.push(name);
                    self.cells.push(0..0);
                    self.columns.len() - 1
                }
                Err(name) => {
                    let near = suggest::nearest(&name, self.columns.iter().map(String::as_str));
                    let near = near.map_or(String::new(), |near| format!("; is it '{near}'?"));
                    return Err(A::Error::custom(format!(
                        "the key '{name}' is in none of the first rows{near}"
                    )));
                }
            };
            let start = self.text.len();
            map.next_value_seed(Cell { text: &mut self.text, within: false })?;
            self.cells[column] = start..self.text.len();
            next = column + 1;
        }
    }
}

/// The column of a key, or the key itself where it is none.
struct Key<'a> {
    columns: &'a [String],
    likely: usize,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Result<usize, String>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Result<usize, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        if self.columns.get(self.likely).is_some_and(|name| name == key) {
            return Ok(Ok(self.likely));
        }
        Ok(self.columns.iter().position(|name| name == key).ok_or_else(|| key.to_string()))
    }
}

/// Writes a value as the text of a cell: lists as `a;b;c`, nothing for null.
struct Cell<'a> {
    text: &'a mut String,
    /// Whether it stands in a list.
    within: bool,
}

impl Cell<'_> {
    fn put<E>(self, value: impl fmt::Display) -> Result<(), E> {
        // Writing to a string does not fail.
        let _ = write!(self.text, "{value}");
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Cell<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Cell<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true, false, null or a list of them")
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.text.push_str(value);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.put(value)
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.put(value)
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.put(value)
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.put(value)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if self.within {
            return Err(A::Error::custom("a list within a list is no cell"));
        }
        let start = self.text.len();
        loop {
            let end = self.text.len();
            if end > start {
                self.text.push(';');
            }
            if list.next_element_seed(Cell { text: &mut *self.text, within: true })?.is_none() {
                self.text.truncate(end);
                return Ok(());
            }
        }
    }
}
