//! What a column is taken for, and why.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::encoder::boolean_of;
use super::facts::Facts;
use crate::error::{DataError, thousands};
use crate::suggest;

/// What a column is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ColumnType {
    /// A number, of which more and less mean something.
    Number,
    /// One of several values.
    Category,
    /// Yes or no.
    Boolean,
    /// A date, with or without a time of day.
    Time,
    /// Words.
    Text,
    /// The path of an image file, from the table's folder.
    Image,
    /// The path of a WAV file, from the table's folder.
    Audio,
    /// Names rows; left out.
    Identifier,
    /// Is everywhere the same; left out.
    Constant,
}

impl ColumnType {
    /// All types.
    pub const ALL: [ColumnType; 9] = [
        ColumnType::Number,
        ColumnType::Category,
        ColumnType::Boolean,
        ColumnType::Time,
        ColumnType::Text,
        ColumnType::Image,
        ColumnType::Audio,
        ColumnType::Identifier,
        ColumnType::Constant,
    ];

    /// The name that [`ColumnType::from_str`] takes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ColumnType::Number => "number",
            ColumnType::Category => "category",
            ColumnType::Boolean => "boolean",
            ColumnType::Time => "time",
            ColumnType::Text => "text",
            ColumnType::Image => "image",
            ColumnType::Audio => "audio",
            ColumnType::Identifier => "identifier",
            ColumnType::Constant => "constant",
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ColumnType {
    type Err = DataError;

    fn from_str(text: &str) -> Result<ColumnType, DataError> {
        let names = || ColumnType::ALL.iter().map(|kind| kind.name());
        ColumnType::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            let near = suggest::nearest(text, names());
            let near = near.map_or(String::new(), |near| format!("did you mean '{near}'? "));
            DataError::option(
                "types",
                format!("'{text}' is no type of a column"),
                format!("{near}types are {}", names().collect::<Vec<_>>().join(", ")),
            )
        })
    }
}

impl TryFrom<String> for ColumnType {
    type Error = DataError;

    fn try_from(text: String) -> Result<ColumnType, DataError> {
        text.parse()
    }
}

impl From<ColumnType> for String {
    fn from(kind: ColumnType) -> String {
        kind.name().into()
    }
}

/// The share of numbers from which on other cells of a column are taken for mistakes.
const NUMBERS: f64 = 0.95;
/// The share of different cells from which on a column may name its rows.
const NAMES: f64 = 0.95;
/// Rows from which on a column can be seen to name them.
const ROWS: u64 = 20;
/// Words in a cell, on average, from which on a column is text.
const WORDS: f64 = 2.0;
/// Bytes of a text that is an identifier, such as a hash or a UUID.
const HASH: f64 = 16.0;

/// What a column looks like and why; or the row and the text of a cell that does not belong among numbers.
/// `exists` says whether the first cells are paths of files.
pub(crate) fn infer(
    name: &str,
    facts: &Facts,
    exists: &dyn Fn() -> bool,
) -> Result<(ColumnType, String), (u64, String)> {
    let filled = facts.filled as f64;
    let different = facts.different();
    let count = |n: usize| thousands(n as u64);
    let found = |kind, reason: String| Ok((kind, reason));
    if facts.filled == 0 {
        return found(ColumnType::Constant, "there is nothing in it".into());
    }
    if !facts.overflown && different == 1 && facts.missing == 0 {
        return found(ColumnType::Constant, "every cell is the same".into());
    }
    let share = different as f64 / filled;
    let all_different = !facts.overflown && different as u64 == facts.filled;
    if facts.is_numeric() {
        let whole = facts.whole == facts.numbers;
        if facts.padded {
            return found(ColumnType::Category, "numbers with zeros before them are codes".into());
        }
        if whole && facts.missing == 0 && facts.ascending && facts.filled >= ROWS {
            let reason = "whole numbers that count up, row by row";
            return found(ColumnType::Identifier, reason.into());
        }
        if whole
            && all_different
            && facts.missing == 0
            && is_called_id(name)
            && facts.filled >= ROWS
        {
            let reason = "called an id, and every row has another whole number";
            return found(ColumnType::Identifier, reason.into());
        }
        let reason = match (whole, facts.overflown) {
            (true, true) => "every cell is a whole number".into(),
            (true, false) => format!("whole numbers, {} different ones", count(different)),
            (false, _) => "every cell is a number".into(),
        };
        return found(ColumnType::Number, reason);
    }
    if facts.numbers as f64 >= NUMBERS * filled
        && let Some(stray) = &facts.first_text
    {
        return Err(stray.clone());
    }
    if let Some(form) = facts.times.form() {
        let doubt = match facts.times.is_ambiguous() {
            true => "; whether day or month is first cannot be seen",
            false => "",
        };
        return found(ColumnType::Time, format!("times, written {}{doubt}", form.words()));
    }
    if facts.images == facts.filled && exists() {
        return found(ColumnType::Image, "paths of image files".into());
    }
    if facts.sounds == facts.filled && exists() {
        return found(ColumnType::Audio, "paths of WAV files".into());
    }
    if facts.is_boolean() && different <= 2 {
        return found(ColumnType::Boolean, "its cells mean yes and no".into());
    }
    let (words, bytes) = (facts.words as f64 / filled, facts.bytes as f64 / filled);
    let many = facts.filled >= ROWS;
    if words < 1.05 && many && share >= NAMES {
        let reason = match bytes >= HASH {
            true => "a code of its own in nearly every row",
            false => "another single word in nearly every row",
        };
        return found(ColumnType::Identifier, reason.into());
    }
    if words >= WORDS && many && share > 0.5 {
        let reason = format!("{words:.1} words in a cell, {} different ones", count(different));
        return found(ColumnType::Text, reason);
    }
    let more = if facts.overflown { "more than " } else { "" };
    found(ColumnType::Category, format!("{more}{} different values", count(different)))
}

/// Whether a column calls itself an identifier.
fn is_called_id(name: &str) -> bool {
    let name = name.to_lowercase();
    ["id", "key", "uuid", "guid", "index"].contains(&name.as_str())
        || [" id", "_id", "-id"].iter().any(|end| name.ends_with(end))
}

impl Facts {
    fn is_boolean(&self) -> bool {
        self.values().keys().all(|cell| boolean_of(cell).is_some())
    }
}
