//! What is gathered about a column while the table is read for the first time.

use std::collections::{BTreeMap, HashMap};

use super::chunk::{Cells, is_missing};
use super::deal::Part;
use super::time::Forms;

/// Different cells that are counted of a column that is numbers so far; one with more is no list of codes.
const NUMBERS: usize = 1_000;
/// Different cells that are counted of other columns; beyond them those that occurred once are forgotten.
const VALUES: usize = 1 << 17;

/// What is known about a column. Rows without a target do not count.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// Cells with something in them.
    pub filled: u64,
    /// Cells with nothing in them.
    pub missing: u64,
    /// The same of training rows.
    pub missing_in_train: u64,
    /// Cells that are finite numbers.
    pub numbers: u64,
    /// Of them those that are whole.
    pub whole: u64,
    /// Whether some number is written with zeros before it, as codes are.
    pub padded: bool,
    /// Whether each number is greater than the one before.
    pub ascending: bool,
    /// The least and the greatest number of the training rows.
    pub range: [f64; 2],
    /// The row and the text of the first cell that is no number.
    pub first_text: Option<(u64, String)>,
    /// Words in all cells; a number is one.
    pub words: u64,
    /// Bytes of all cells.
    pub bytes: u64,
    /// What forms of times all cells have.
    pub times: Forms,
    /// Cells of which the ending is that of an image.
    pub images: u64,
    /// Cells of which the ending is that of a recording.
    pub sounds: u64,
    last: f64,
    /// How often each cell occurs: in all rows, in training rows.
    values: HashMap<Box<str>, [u64; 2]>,
    /// Whether there are more different cells than are counted.
    pub overflown: bool,
    /// Whether counting goes on, whatever the cells are.
    keep: bool,
}

/// Endings of files that are images.
const IMAGES: [&str; 6] = [".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"];

impl Facts {
    /// Nothing known. `keep`: the column is to be taken for a category, also where it holds numbers.
    pub(crate) fn new(keep: bool) -> Facts {
        Facts {
            filled: 0,
            missing: 0,
            missing_in_train: 0,
            numbers: 0,
            whole: 0,
            padded: false,
            ascending: true,
            range: [f64::INFINITY, f64::NEG_INFINITY],
            first_text: None,
            words: 0,
            bytes: 0,
            times: Forms::ALL,
            images: 0,
            sounds: 0,
            last: f64::NEG_INFINITY,
            values: HashMap::new(),
            overflown: false,
            keep,
        }
    }

    /// Takes the cells of a chunk into account, each with the part that its row is of.
    pub(crate) fn add(&mut self, cells: &Cells, first: u64, parts: &[Part]) {
        for (row, &part) in parts.iter().enumerate() {
            if part == Part::Out {
                continue;
            }
            let train = part == Part::Train;
            match cells {
                Cells::Text(texts) => self.text(texts.get(row), first + row as u64, train),
                Cells::Numbers(numbers) => match numbers.get(row) {
                    Some(number) if !number.is_nan() => self.typed(*number, train),
                    _ => self.nothing(train),
                },
            }
        }
    }

    fn nothing(&mut self, train: bool) {
        self.missing += 1;
        self.missing_in_train += u64::from(train);
    }

    fn typed(&mut self, number: f64, train: bool) {
        self.filled += 1;
        self.number(number, train);
        self.times = Forms::NONE;
        if !self.overflown {
            self.count(&number.to_string(), train);
        }
    }

    fn text(&mut self, cell: &str, row: u64, train: bool) {
        if is_missing(cell) {
            return self.nothing(train);
        }
        self.filled += 1;
        self.bytes += cell.len() as u64;
        match cell.parse().ok().filter(|number: &f64| number.is_finite()) {
            Some(number) => {
                self.padded |= cell.len() > 1
                    && cell.starts_with('0')
                    && cell.bytes().all(|byte| byte.is_ascii_digit());
                self.number(number, train);
            }
            None => {
                if self.first_text.is_none() {
                    self.first_text = Some((row, cell.into()));
                }
                self.words += cell.split_whitespace().count() as u64;
                let ends = |endings: &[&str]| {
                    let lower = cell.to_ascii_lowercase();
                    endings.iter().any(|ending| lower.ends_with(ending))
                };
                if cell.contains('.') {
                    self.images += u64::from(ends(&IMAGES));
                    self.sounds += u64::from(ends(&[".wav"]));
                }
            }
        }
        self.times.look(cell);
        if !self.overflown {
            self.count(cell, train);
        }
    }

    fn number(&mut self, number: f64, train: bool) {
        self.numbers += 1;
        self.words += 1;
        self.whole += u64::from(number.fract() == 0.0);
        self.ascending &= number > self.last;
        self.last = number;
        if train {
            self.range = [self.range[0].min(number), self.range[1].max(number)];
        }
    }

    fn count(&mut self, cell: &str, train: bool) {
        let once = [1, u64::from(train)];
        match self.values.get_mut(cell) {
            Some(counts) => {
                counts[0] += 1;
                counts[1] += u64::from(train);
            }
            None => {
                self.values.insert(cell.into(), once);
            }
        }
        let numbers = self.first_text.is_none() && !self.keep;
        if numbers && self.values.len() > NUMBERS {
            self.values = HashMap::new();
            self.overflown = true;
        } else if self.values.len() > VALUES {
            self.values.retain(|_, counts| counts[0] > 1);
            if self.values.len() > VALUES / 2 {
                self.values.retain(|_, counts| counts[0] > 4);
            }
        }
    }

    /// Whether all cells with something in them are numbers, and there are some.
    pub(crate) fn is_numeric(&self) -> bool {
        self.filled > 0 && self.numbers == self.filled
    }

    /// How many different cells there are, as far as they are counted.
    pub(crate) fn different(&self) -> usize {
        self.values.len()
    }

    /// How often each cell occurs in all rows and in training rows, in the order of the cells.
    pub(crate) fn values(&self) -> BTreeMap<&str, [u64; 2]> {
        self.values.iter().map(|(cell, &counts)| (&**cell, counts)).collect()
    }
}
