//! Some rows of a table, column by column, as a file gives them.

use std::borrow::Cow;
use std::sync::Arc;

use super::number;

/// Some consecutive rows of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// The number of the first row in the whole table, from 0.
    pub first: u64,
    /// How many rows there are.
    pub rows: usize,
    /// The columns, in the order of the table's names.
    pub columns: Vec<Cells>,
    /// The CRC-32 of the line of each row, where it is wanted and there are lines of cells.
    pub(crate) checksums: Vec<u32>,
}

impl Chunk {
    /// The CRC-32 of the line that a row was read from; of its cells with commas between them where there is none.
    pub(crate) fn checksum(&self, row: usize) -> u32 {
        self.checksums.get(row).copied().unwrap_or_else(|| {
            let cells: Vec<_> = self.columns.iter().map(|cells| cells.text(row)).collect();
            crc32fast::hash(cells.join(",").as_bytes())
        })
    }

    /// Adds the first rows of others with the same columns.
    pub(crate) fn add(&mut self, columns: &[Cells], rows: usize) {
        if self.columns.is_empty() {
            let none = |cells: &Cells| match cells {
                Cells::Text(_) => Cells::Text(Texts::default()),
                Cells::Numbers(_) => Cells::Numbers(Vec::new()),
            };
            self.columns = columns.iter().map(none).collect();
        }
        for (ours, theirs) in self.columns.iter_mut().zip(columns) {
            match (ours, theirs) {
                (Cells::Text(ours), theirs) => {
                    (0..rows).for_each(|row| ours.push(&theirs.text(row)));
                }
                (Cells::Numbers(ours), theirs) => {
                    ours.extend((0..rows).map(|row| theirs.number(row).unwrap_or(f64::NAN)));
                }
            }
        }
        self.rows += rows;
    }
}

/// The cells of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Cells {
    /// As text, without spaces around it; numbers of text files too.
    Text(Texts),
    /// Numbers of a typed file; NaN where there is nothing.
    Numbers(Vec<f64>),
}

/// Texts, which may be parts of one that others share.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    text: Arc<String>,
    /// Where each begins and ends. A chunk is never as long as 4 GB.
    spans: Vec<[u32; 2]>,
}

impl Texts {
    /// No parts yet of a text, and room for as many as are said.
    pub(crate) fn within(text: &Arc<String>, parts: usize) -> Texts {
        Texts { text: text.clone(), spans: Vec::with_capacity(parts) }
    }

    /// Adds a part of the text.
    pub(crate) fn push_part(&mut self, span: [u32; 2]) {
        self.spans.push(span);
    }

    /// Adds a text.
    pub fn push(&mut self, text: &str) {
        let all = Arc::make_mut(&mut self.text);
        let start = all.len() as u32;
        all.push_str(text);
        self.spans.push([start, all.len() as u32]);
    }

    /// Forgets all texts.
    pub(crate) fn clear(&mut self) {
        Arc::make_mut(&mut self.text).clear();
        self.spans.clear();
    }

    /// How many texts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Text `i`; empty where there are not so many.
    #[must_use]
    pub fn get(&self, i: usize) -> &str {
        let span = self.spans.get(i);
        span.and_then(|&[start, end]| self.text.get(start as usize..end as usize)).unwrap_or("")
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|i| self.get(i))
    }
}

/// The same texts, wherever they are.
impl PartialEq for Texts {
    fn eq(&self, other: &Texts) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Texts {}

impl Cells {
    /// How many cells there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Cells::Text(texts) => texts.len(),
            Cells::Numbers(numbers) => numbers.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A cell as text; empty where there is nothing.
    #[must_use]
    pub fn text(&self, row: usize) -> Cow<'_, str> {
        match self {
            Cells::Text(texts) => Cow::Borrowed(texts.get(row)),
            Cells::Numbers(numbers) => match numbers.get(row) {
                Some(number) if !number.is_nan() => Cow::Owned(number.to_string()),
                _ => Cow::Borrowed(""),
            },
        }
    }

    /// A cell as a finite number, where it is one.
    #[must_use]
    pub fn number(&self, row: usize) -> Option<f64> {
        match self {
            Cells::Text(texts) => number::parse(texts.get(row)),
            Cells::Numbers(numbers) => numbers.get(row).copied(),
        }
        .filter(|number: &f64| number.is_finite())
    }

    /// Whether nothing stands in a cell: it is empty, or one of the words for that.
    #[must_use]
    pub fn is_missing(&self, row: usize) -> bool {
        match self {
            Cells::Text(texts) => is_missing(texts.get(row)),
            Cells::Numbers(numbers) => numbers.get(row).is_none_or(|number| number.is_nan()),
        }
    }
}

/// What stands in cells where nothing is known; compared without regard to case.
const MISSING: [&str; 8] = ["?", "na", "n/a", "nan", "null", "none", "nil", "#n/a"];

/// Whether a text says that nothing is known.
#[must_use]
pub fn is_missing(text: &str) -> bool {
    match text.as_bytes() {
        [] => true,
        // Most cells are numbers, and none of the words begins as they do.
        [b'?' | b'n' | b'N' | b'#', ..] => {
            text.len() <= 4 && MISSING.iter().any(|word| text.eq_ignore_ascii_case(word))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_text_and_of_numbers_say_the_same() {
        let mut texts = Texts::default();
        ["1.5", "", "x", "N/A"].iter().for_each(|text| texts.push(text));
        let (texts, numbers) = (Cells::Text(texts), Cells::Numbers(vec![1.5, f64::NAN]));
        assert_eq!((texts.number(0), numbers.number(0)), (Some(1.5), Some(1.5)));
        assert_eq!((texts.text(0), numbers.text(0)), ("1.5".into(), "1.5".into()));
        assert!(texts.is_missing(1) && texts.is_missing(3) && texts.is_missing(9));
        assert!(numbers.is_missing(1) && !numbers.is_missing(0) && !texts.is_missing(2));
        assert_eq!(texts.number(2), None);
    }
}
