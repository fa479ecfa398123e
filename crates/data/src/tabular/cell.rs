//! A single cell.

use std::borrow::Cow;

use super::chunk::{Cells, is_missing};
use super::number;

/// What stands in a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// Nothing.
    Missing,
    /// A number.
    Number(f64),
    /// A text; it may be a number in writing.
    Text(&'a str),
}

impl<'a> Cell<'a> {
    /// The cell as a finite number, where it is one.
    #[must_use]
    pub fn number(self) -> Option<f64> {
        match self {
            Cell::Missing => None,
            Cell::Number(number) => Some(number),
            Cell::Text(text) => number::parse(text).or_else(|| number::parse(text.trim())),
        }
        .filter(|number: &f64| number.is_finite())
    }

    /// The cell as text; empty where there is nothing.
    #[must_use]
    pub fn text(self) -> Cow<'a, str> {
        match self {
            Cell::Missing => Cow::Borrowed(""),
            Cell::Number(number) => Cow::Owned(number.to_string()),
            Cell::Text(text) => Cow::Borrowed(text),
        }
    }
}

impl Cells {
    /// What stands in a row.
    #[must_use]
    pub fn cell(&self, row: usize) -> Cell<'_> {
        match self {
            Cells::Text(texts) => match texts.get(row) {
                text if is_missing(text) => Cell::Missing,
                text => Cell::Text(text),
            },
            Cells::Numbers(numbers) => numbers.get(row).copied().into(),
        }
    }
}

impl From<f64> for Cell<'_> {
    fn from(number: f64) -> Self {
        if number.is_nan() { Cell::Missing } else { Cell::Number(number) }
    }
}

impl From<f32> for Cell<'_> {
    fn from(number: f32) -> Self {
        f64::from(number).into()
    }
}

impl From<i32> for Cell<'_> {
    fn from(number: i32) -> Self {
        Cell::Number(number.into())
    }
}

impl From<bool> for Cell<'_> {
    fn from(yes: bool) -> Self {
        Cell::Text(if yes { "true" } else { "false" })
    }
}

/// Empty text and the words for nothing, such as `NA`, are [`Cell::Missing`].
impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        let text = text.trim();
        if is_missing(text) { Cell::Missing } else { Cell::Text(text) }
    }
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(cell: Option<T>) -> Self {
        cell.map_or(Cell::Missing, Into::into)
    }
}
