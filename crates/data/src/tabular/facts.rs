//! What is gathered about a column while the table is read for the first time.

use std::collections::{BTreeMap, HashMap};

use super::chunk::Cells;
use super::deal::Part;
use super::glance::{Codes, Glance};
use super::number;
use super::time::Forms;
use crate::hash::Mixing;

/// Different cells that are counted of a column that is numbers so far; one with more is no list of codes.
pub(super) const NUMBERS: usize = 1_000;
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
    /// The least and the greatest number of the training rows; 0 is not told from −0.
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
    /// The first number and the last.
    ends: [f64; 2],
    /// How often each cell occurs: in all rows, in training rows.
    values: HashMap<Box<str>, [u64; 2], Mixing>,
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
            ends: [f64::NEG_INFINITY; 2],
            values: HashMap::default(),
            overflown: false,
            keep,
        }
    }

    /// Takes the cells of the next chunk into account, each with the part that its row is of. `first`: the number of its
    /// first row.
    pub(crate) fn add(&mut self, glance: Glance, cells: &Cells, first: u64, parts: &[Part]) {
        let Glance { facts: next, codes } = glance;
        let was_numeric = self.counts_numbers(u64::MAX);
        self.filled += next.filled;
        self.missing += next.missing;
        self.whole += next.whole;
        self.padded |= next.padded;
        self.words += next.words;
        self.bytes += next.bytes;
        self.times = self.times.and(next.times);
        self.images += next.images;
        self.sounds += next.sounds;
        if next.numbers > 0 {
            self.ascending &= next.ascending && next.ends[0] > self.ends[1];
            self.ends[1] = next.ends[1];
            self.numbers += next.numbers;
        }
        if self.first_text.is_none() {
            self.first_text = next.first_text.map(|(row, text)| (first + row, text));
        }
        let training = || (0..parts.len()).filter(|&row| parts[row] == Part::Train);
        if next.missing > 0 {
            let missing = training().filter(|&row| cells.is_missing(row)).count();
            self.missing_in_train += missing as u64;
        }
        // A chunk of which all numbers are within what is known needs no look at its training rows.
        if next.range[0] < self.range[0] || next.range[1] > self.range[1] {
            training().filter_map(|row| written(cells, row)).for_each(|x| self.widen(x));
        }
        if self.overflown {
            return;
        }
        let is_numeric = self.counts_numbers(u64::MAX);
        let fits = |codes: &Codes| is_numeric || self.values.len() + codes.first.len() <= VALUES;
        match codes.filter(|codes| was_numeric == is_numeric && fits(codes)) {
            Some(codes) => self.count_codes(&codes, cells, parts),
            // A chunk alone has too many different numbers.
            None if is_numeric => (self.values, self.overflown) = (HashMap::default(), true),
            None => {
                for (row, &part) in parts.iter().enumerate() {
                    if part != Part::Out && !cells.is_missing(row) {
                        self.count(&cells.text(row), first + row as u64, part);
                    }
                }
            }
        }
    }

    /// Whether up to a row the cells are numbers that are not to be taken for categories.
    fn counts_numbers(&self, row: u64) -> bool {
        !self.keep && self.first_text.as_ref().is_none_or(|(text, _)| row < *text)
    }

    fn count_codes(&mut self, codes: &Codes, cells: &Cells, parts: &[Part]) {
        let mut counts = vec![[0, 0]; codes.first.len()];
        for (&code, &part) in codes.of.iter().zip(parts).filter(|(code, _)| **code != Codes::NONE) {
            let [all, train] = &mut counts[usize::from(code)];
            *all += 1;
            *train += u64::from(part == Part::Train);
        }
        for (&row, [all, train]) in codes.first.iter().zip(counts) {
            let cell = cells.text(row);
            match self.values.get_mut(&*cell) {
                Some(counts) => *counts = [counts[0] + all, counts[1] + train],
                None => drop(self.values.insert(cell.into(), [all, train])),
            }
        }
        if self.counts_numbers(u64::MAX) && self.values.len() > NUMBERS {
            (self.values, self.overflown) = (HashMap::default(), true);
        }
    }

    /// A number of a typed file.
    pub(super) fn typed(&mut self, number: f64) {
        self.filled += 1;
        self.number(number);
        self.times = Forms::NONE;
    }

    /// A cell with something in it.
    pub(super) fn text(&mut self, cell: &str, row: u64) {
        self.filled += 1;
        self.bytes += cell.len() as u64;
        match number::finite(cell) {
            Some(number) => {
                self.padded |= cell.len() > 1
                    && cell.starts_with('0')
                    && cell.bytes().all(|byte| byte.is_ascii_digit());
                self.number(number);
            }
            None => {
                if self.first_text.is_none() {
                    self.first_text = Some((row, cell.into()));
                }
                self.words += match cell.bytes().all(|byte| byte.is_ascii_graphic()) {
                    true => 1,
                    false => cell.split_whitespace().count() as u64,
                };
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
    }

    fn number(&mut self, number: f64) {
        if self.numbers == 0 {
            self.ends[0] = number;
        }
        self.numbers += 1;
        self.words += 1;
        self.whole += u64::from(number.fract() == 0.0);
        self.ascending &= number > self.ends[1];
        self.ends[1] = number;
        self.widen(number);
    }

    fn widen(&mut self, number: f64) {
        let number = number + 0.0;
        self.range = [self.range[0].min(number), self.range[1].max(number)];
    }

    fn count(&mut self, cell: &str, row: u64, part: Part) {
        if self.overflown {
            return;
        }
        let train = u64::from(part == Part::Train);
        match self.values.get_mut(cell) {
            Some(counts) => *counts = [counts[0] + 1, counts[1] + train],
            None => drop(self.values.insert(cell.into(), [1, train])),
        }
        if self.counts_numbers(row) && self.values.len() > NUMBERS {
            (self.values, self.overflown) = (HashMap::default(), true);
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

/// The number that is written in a cell.
fn written(cells: &Cells, row: usize) -> Option<f64> {
    match cells {
        Cells::Text(_) => cells.number(row),
        Cells::Numbers(numbers) => numbers.get(row).copied().filter(|number| !number.is_nan()),
    }
}
