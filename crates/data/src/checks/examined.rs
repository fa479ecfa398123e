//! A table as the checks see it: a sample of its rows, column by column, and counts of all rows.

use std::collections::HashMap;

use super::Twins;
use crate::tabular::chunk::is_missing;
use crate::tabular::number;

/// The share of cells that look like numbers from which on a column may be meant as one.
const DRESSED: f64 = 0.95;

/// Whether a cell is a number with signs around or in it: `$3`, `12 %`, `1,234.5`, `1.234,5`.
fn is_dressed(cell: &str) -> bool {
    let signs = |c: char| "$€£¥%+- ".contains(c);
    let inner = cell.trim_matches(signs);
    let of_numbers = |c: char| c.is_ascii_digit() || "., '".contains(c);
    // Several points are those of a version or an address, unless they set thousands apart.
    let points = inner.matches('.').count();
    inner.starts_with(|c: char| c.is_ascii_digit() || c == '.' || c == ',')
        && inner.contains(|c: char| c.is_ascii_digit())
        && inner.chars().all(of_numbers)
        && (points < 2 || inner.split('.').skip(1).all(|group| group.len() >= 3))
}

/// What a column was taken for, as far as the checks care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// A number or a time.
    Number,
    /// One of several values; yes or no, too.
    Category,
    /// Words.
    Text,
    /// Names rows; left out.
    Identifier,
    /// Everywhere the same, or empty; left out.
    Constant,
}

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// What it was taken for.
    pub nature: Nature,
    /// Cells of the whole table with something in them.
    pub filled: u64,
    /// Cells of the whole table with nothing in them.
    pub missing: u64,
    /// The cells of the sample as numbers: equal cells have equal ones, in the order in which they first occur, from
    /// 1; 0 where there is nothing.
    pub codes: Vec<u32>,
    /// The cells of the sample as numbers, where the column is one; NaN where there is nothing.
    pub numbers: Option<Vec<f64>>,
    /// A cell such as `$1,234.50`, where the column is none of numbers and nearly all its cells are like it.
    pub dressed: Option<String>,
}

/// What is to be learned.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A class: the names, and the rows of each in training, validation and test part of the whole table; and the
    /// class of each row of the sample.
    Classes {
        /// Name and rows of each class.
        classes: Vec<(String, [u64; 3])>,
        /// By row of the sample.
        labels: Vec<usize>,
    },
    /// A number, by row of the sample.
    Numbers(Vec<f64>),
    /// Something else, such as a set of labels: checks that need the target pass over it.
    Other,
}

/// A table.
#[derive(Clone, Debug, PartialEq)]
pub struct Examined {
    /// The columns but the target, those that were dropped by the user left out.
    pub columns: Vec<Seen>,
    /// The name of the target.
    pub target: String,
    /// What it says.
    pub answer: Answer,
    /// The part of each row of the sample: 0 training, 1 validation, 2 test.
    pub parts: Vec<usize>,
    /// The rows of the whole table in each part.
    pub rows: [u64; 3],
    /// How often equal rows occur.
    pub twins: Twins,
}

impl Seen {
    /// A column of which the sample holds these cells, and the whole table so many filled and empty ones.
    #[must_use]
    pub fn new<'a>(
        name: &str,
        nature: Nature,
        cells: impl IntoIterator<Item = &'a str>,
        [filled, missing]: [u64; 2],
    ) -> Seen {
        let mut known: HashMap<&str, u32> = HashMap::new();
        let (mut codes, mut numbers) = (Vec::new(), Vec::new());
        let (mut figures, mut dressed) = (0, None);
        for cell in cells {
            let next = known.len() as u32 + 1;
            codes.push(if is_missing(cell) { 0 } else { *known.entry(cell).or_insert(next) });
            if nature == Nature::Number {
                let number = number::finite(cell);
                numbers.push(number.unwrap_or(f64::NAN));
            } else if !is_missing(cell) {
                let plain = number::parse(cell).is_some();
                figures += usize::from(plain || is_dressed(cell));
                if !plain && dressed.is_none() && is_dressed(cell) {
                    dressed = Some(cell.to_string());
                }
            }
        }
        let numbers = (nature == Nature::Number).then_some(numbers);
        let cells = codes.iter().filter(|&&code| code > 0).count();
        let dressed = dressed.filter(|_| figures as f64 >= DRESSED * cells as f64);
        Seen { name: name.into(), nature, filled, missing, codes, numbers, dressed }
    }

    /// How many different cells the sample has.
    #[must_use]
    pub fn different(&self) -> usize {
        self.codes.iter().max().map_or(0, |&most| most as usize)
    }

    /// Whether the network sees it.
    pub(super) fn is_used(&self) -> bool {
        !matches!(self.nature, Nature::Identifier | Nature::Constant)
    }
}

impl Examined {
    /// The columns that the network sees.
    pub(super) fn used(&self) -> impl Iterator<Item = &Seen> {
        self.columns.iter().filter(|column| column.is_used())
    }

    /// At most `most` rows of a part of the sample, evenly spread over it.
    pub(super) fn sampled(&self, part: usize, most: usize) -> Vec<usize> {
        let rows: Vec<usize> =
            (0..self.parts.len()).filter(|&row| self.parts[row] == part).collect();
        super::spread(rows.len(), most).map(|i| rows[i]).collect()
    }
}
