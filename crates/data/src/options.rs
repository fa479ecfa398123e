//! What a user may say about a source. Every option has a default that the reader finds in the data; one that means
//! nothing for the kind of data at hand is an error, so that no wish is passed over in silence.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::split::TestRows;
use crate::suggest;
use crate::tabular::{ColumnType, TableTask};

/// A kind of data, and so the reader for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Images or other numbers in IDX files.
    Idx,
    /// Images, or sequences of images, in class folders.
    Images,
    /// WAV recordings in class folders, or with the class in their names.
    Audio,
    /// Running text, to learn what comes next.
    Language,
    /// A table with a column of text and one that says what it is.
    Text,
    /// A table of who rates what how high.
    Ratings,
    /// A table with a column of numbers in order of time.
    Series,
    /// Sentences with a tag for each word, one word a line.
    Labelled,
    /// A table of source and target texts.
    Pairs,
    /// A table of numbers, categories, times, texts and more, of which one column is learned.
    Table,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 10] = [
        Kind::Idx,
        Kind::Images,
        Kind::Audio,
        Kind::Language,
        Kind::Text,
        Kind::Ratings,
        Kind::Series,
        Kind::Labelled,
        Kind::Pairs,
        Kind::Table,
    ];

    /// The name that [`Kind::from_str`] takes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Idx => "idx",
            Kind::Images => "images",
            Kind::Audio => "audio",
            Kind::Language => "language",
            Kind::Text => "text",
            Kind::Ratings => "ratings",
            Kind::Series => "series",
            Kind::Labelled => "labelled",
            Kind::Pairs => "pairs",
            Kind::Table => "table",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Kind, DataError> {
        let names = || Kind::ALL.iter().map(|kind| kind.name());
        Kind::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            let near = suggest::nearest(text, names());
            let near = near.map_or(String::new(), |near| format!("did you mean '{near}'? "));
            let all: Vec<&str> = names().collect();
            DataError::option(
                "kind",
                format!("'{text}' is no kind of data"),
                format!("{near}kinds are {}", all.join(", ")),
            )
        })
    }
}

/// What a token of a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// A character (a Unicode scalar value).
    Char,
    /// A word or a sign between words (Unicode Standard Annex 29), in lower case.
    Word,
}

/// What is done with the numbers of a target column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// The classes `negative` and `positive`; rows with 0 are left out.
    Sign,
}

/// The size of an image: a side in pixels, or height and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Size {
    /// As high as wide.
    Square(usize),
    /// Height and width.
    Rectangle([usize; 2]),
}

impl Size {
    /// Height and width.
    #[must_use]
    pub fn pixels(self) -> [usize; 2] {
        match self {
            Size::Square(side) => [side, side],
            Size::Rectangle(pixels) => pixels,
        }
    }
}

/// What is known about a source beyond its path. All that is not said is found in the data.
///
/// A column is named by its header, or by its number from 1 where the file has no header.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceOptions {
    /// The kind of data, where it is not to be guessed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// What is to be learned, and what predictions are called. Tables: the column of that name; else the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Tables: what is done with the numbers of the target first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transform: Option<Transform>,
    /// Tables: what columns are taken for, by name, where it is not to be guessed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types: Option<BTreeMap<String, ColumnType>>,
    /// Tables: columns that are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop: Option<Vec<String>>,
    /// Tables: what is to be done with the target, where it is not to be guessed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<TableTask>,
    /// Tables: rows with the same cell in this column stay in one part. The column itself is not learned from. Series:
    /// rows with the same cell are a series of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Tables: the latest rows by this column are for the test, those before them for validation. Series: the rows are
    /// in order of this column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_col: Option<String>,
    /// Tables: a file with the validation rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_file: Option<String>,
    /// Tables: a file with the test rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_file: Option<String>,
    /// Text: the column that is read; else the text column with the most different cells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Ratings: the column of users; else the one called so, or the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Ratings: the column of items; else the one called so, or the second one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// Ratings: the columns that say under what circumstances something was rated; else those with at most 100 different
    /// cells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<Vec<String>>,
    /// Tables: whether the first line names the columns; else it does where none of its cells is empty or a number.
    /// Pairs have none unless it is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// Files: where the file name holds the class and other fields, such as `{label}_{speaker}_{take}.wav`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_pattern: Option<String>,
    /// Which rows are for the test, where the rows themselves say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<TestRows>,
    /// Text: what a token is; else characters for running text and texts without spaces, words for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// Text: tokens that occur less often in the training rows are unknown; else 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_count: Option<usize>,
    /// Text: tokens in a sample; else enough for 99.5 % of the training rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    /// Running text: characters in a sample, else 128. Series: numbers in a sample, else twice the horizon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<usize>,
    /// Series: how many numbers are to be forecast; else 12.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub horizon: Option<usize>,
    /// Images: their size; else the most frequent one, shrunk to at most 64 pixels on the longer side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// Images: 1 for grey or 3 for red, green, blue; else 1 where all of them are grey.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<usize>,
    /// Audio: frames of a spectrogram; else enough for 95 % of the training recordings. Sequences of images: images
    /// in a sample; else the most frequent number, at most 16.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<usize>,
    /// Audio: samples a second; else the most frequent rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// Audio: mel bands; else 40.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mels: Option<usize>,
    /// Megabytes that samples may take in memory; else 256. Further rows of a table lie in a temporary file, and further
    /// images and recordings are decoded whenever they are needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<usize>,
    /// Files that are damaged and rows that cannot be read are left out, counted and listed; else the first one is an
    /// error.
    #[serde(skip_serializing_if = "is_false")]
    pub skip_bad: bool,
}

fn is_false(yes: &bool) -> bool {
    !yes
}

impl SourceOptions {
    /// Every option by name, whether it is given, and the kinds of data it is for.
    fn given(&self) -> Vec<(&'static str, bool, &'static [Kind])> {
        use Kind::{Audio, Images, Labelled, Language, Pairs, Ratings, Series, Table, Text};
        vec![
            ("target", self.target.is_some(), &Kind::ALL),
            ("transform", self.transform.is_some(), &[Text]),
            ("types", self.types.is_some(), &[Table]),
            ("drop", self.drop.is_some(), &[Table]),
            ("task", self.task.is_some(), &[Table, Series]),
            ("group", self.group.is_some(), &[Table, Series]),
            ("time_col", self.time_col.is_some(), &[Table, Series]),
            ("valid_file", self.valid_file.is_some(), &[Table]),
            ("test_file", self.test_file.is_some(), &[Table]),
            ("context", self.context.is_some(), &[Ratings]),
            ("column", self.column.is_some(), &[Text]),
            ("user", self.user.is_some(), &[Ratings]),
            ("item", self.item.is_some(), &[Ratings]),
            ("header", self.header.is_some(), &[Text, Ratings, Series, Pairs, Table]),
            ("label_pattern", self.label_pattern.is_some(), &[Audio, Images]),
            ("test", self.test.is_some(), &[Audio, Images, Text, Ratings, Pairs, Table]),
            ("level", self.level.is_some(), &[Text, Language, Pairs, Table]),
            ("min_count", self.min_count.is_some(), &[Text, Language, Labelled, Pairs, Table]),
            ("length", self.length.is_some(), &[Text, Labelled, Pairs, Table]),
            ("window", self.window.is_some(), &[Language, Series]),
            ("horizon", self.horizon.is_some(), &[Series]),
            ("size", self.size.is_some(), &[Images, Table]),
            ("channels", self.channels.is_some(), &[Images, Table]),
            ("frames", self.frames.is_some(), &[Audio, Images, Table]),
            ("rate", self.rate.is_some(), &[Audio, Table]),
            ("mels", self.mels.is_some(), &[Audio, Table]),
            ("memory", self.memory.is_some(), &[Audio, Images, Table]),
            ("skip_bad", self.skip_bad, &[Audio, Images, Text, Ratings, Series, Pairs, Table]),
        ]
    }

    /// Whether something is said that means something for tables of many columns only.
    pub(crate) fn speak_of_tables(&self) -> bool {
        let given = self.given();
        given.iter().any(|(_, given, kinds)| *given && *kinds == [Kind::Table])
    }

    /// The names of all options.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let given = SourceOptions::default().given().into_iter().map(|(name, ..)| name);
        std::iter::once("kind").chain(given)
    }

    /// Refuses what means nothing for data of this kind, and numbers of 0.
    pub(crate) fn check(&self, kind: Kind) -> Result<(), DataError> {
        for (name, given, kinds) in self.given() {
            if given && !kinds.contains(&kind) {
                let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
                return Err(DataError::option(
                    name,
                    format!("it means nothing for data of kind '{kind}'"),
                    format!(
                        "leave it out, or set kind where another was meant; it is for {}",
                        kinds.join(", ")
                    ),
                ));
            }
        }
        let numbers = [
            ("min_count", self.min_count),
            ("length", self.length),
            ("window", self.window),
            ("horizon", self.horizon),
            ("frames", self.frames),
            ("mels", self.mels),
            ("rate", self.rate.map(|rate| rate as usize)),
            ("size", self.size.map(|size| size.pixels()[0].min(size.pixels()[1]))),
        ];
        match numbers.into_iter().find(|(_, number)| *number == Some(0)) {
            Some((name, _)) => {
                Err(DataError::option(name, "it is 0", "give a number from 1, or leave it out"))
            }
            None => Ok(()),
        }
    }
}
