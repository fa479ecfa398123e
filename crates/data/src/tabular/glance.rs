//! What a chunk says of a column, seen before it is known which of its rows are to be learned from. Chunks are looked at
//! in any order, on background threads; [`Facts::add`] puts them together in theirs.

use std::collections::HashMap;
use std::hash::Hash;

use super::chunk::{Cells, is_missing};
use super::facts::{Facts, NUMBERS};
use crate::hash::Mixing;

/// The facts of a chunk, and which of its cells are equal.
pub(crate) struct Glance {
    /// Of all rows; numbers of the training rows and counts of cells are not among them.
    pub facts: Facts,
    /// None where nobody counts cells, or they are too many different ones.
    pub codes: Option<Codes>,
}

/// Numbers for the different cells of a chunk.
#[derive(Default)]
pub(crate) struct Codes {
    /// Of each row; [`Codes::NONE`] where there is nothing.
    pub of: Vec<u16>,
    /// For each number the first row that has it.
    pub first: Vec<usize>,
}

impl Codes {
    pub(crate) const NONE: u16 = u16::MAX;
}

impl Glance {
    /// Looks at the cells of a chunk but for the rows that are left out. `count`: whether equal cells are looked for.
    pub(crate) fn of(cells: &Cells, out: &[bool], count: bool) -> Glance {
        let mut facts = Facts::new(false);
        let rows = || (0..cells.len()).filter(|&row| !out.get(row).is_some_and(|&out| out));
        let codes = match cells {
            Cells::Text(texts) => {
                let mut coder = Coder::new(count);
                for row in rows() {
                    let cell = texts.get(row);
                    if is_missing(cell) {
                        facts.missing += 1;
                    } else {
                        facts.text(cell, row as u64);
                        coder.add(row, cell);
                    }
                }
                coder.finish(cells.len())
            }
            Cells::Numbers(numbers) => {
                let mut coder = Coder::new(count);
                for row in rows() {
                    let number = numbers[row];
                    if number.is_nan() {
                        facts.missing += 1;
                    } else {
                        facts.typed(number);
                        coder.add(row, number.to_bits());
                    }
                }
                coder.finish(cells.len())
            }
        };
        Glance { facts, codes }
    }
}

/// Gives numbers to different cells.
struct Coder<K> {
    known: HashMap<K, u16, Mixing>,
    codes: Option<Codes>,
}

impl<K: Hash + Eq> Coder<K> {
    fn new(count: bool) -> Coder<K> {
        Coder { known: HashMap::default(), codes: count.then(Codes::default) }
    }

    fn add(&mut self, row: usize, cell: K) {
        let Some(codes) = &mut self.codes else { return };
        let next = codes.first.len();
        let code = *self.known.entry(cell).or_insert(next as u16);
        if usize::from(code) == next {
            if next == NUMBERS {
                self.codes = None;
                return;
            }
            codes.first.push(row);
        }
        codes.of.resize(row, Codes::NONE);
        codes.of.push(code);
    }

    fn finish(mut self, rows: usize) -> Option<Codes> {
        if let Some(codes) = &mut self.codes {
            codes.of.resize(rows, Codes::NONE);
        }
        self.codes
    }
}
