//! How raw data became features: all that a reader found out about its training data and must use again on other
//! data, so that a prediction sees what the training saw. A run keeps it in `model.json`.

use serde::{Deserialize, Serialize};

use crate::options::Kind;
use crate::readers::audio::Audio;
use crate::readers::images::Images;
use crate::readers::labelled::Labelled;
use crate::readers::language::Language;
use crate::readers::pairs::Pairs;
use crate::readers::ratings::Ratings;
use crate::readers::series::Series;
use crate::readers::text::Text;
use crate::tabular::Table;

/// How raw data became features.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Encoding {
    /// The values are taken as they are, as of IDX files.
    #[default]
    Values,
    /// Images of one size, u8 `[channels, height, width]` or `[channels, frames, height, width]`.
    Images(Images),
    /// Log-mel spectrograms, f32 `[1, mels, frames]`.
    Audio(Audio),
    /// Running text, ids `[window]`; targets: the next token at each place.
    Language(Language),
    /// Text to classify or judge, ids `[length]`.
    Text(Text),
    /// A user and an item, ids `[2]`; targets: the rating.
    Ratings(Ratings),
    /// The last numbers of a series, f32 `[window, 1]`; targets: the next `horizon` ones.
    Series(Series),
    /// Sentences, ids `[length]`; targets: the tag of each word.
    Labelled(Labelled),
    /// Source and target texts, ids `[source_length + target_length]`; targets: the next target token.
    Pairs(Pairs),
    /// Rows of a table, f32 `[width]`.
    Table(Table),
}

impl Encoding {
    /// The kind of data it is for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Encoding::Values => Kind::Idx,
            Encoding::Images(_) => Kind::Images,
            Encoding::Audio(_) => Kind::Audio,
            Encoding::Language(_) => Kind::Language,
            Encoding::Text(_) => Kind::Text,
            Encoding::Ratings(_) => Kind::Ratings,
            Encoding::Series(_) => Kind::Series,
            Encoding::Labelled(_) => Kind::Labelled,
            Encoding::Pairs(_) => Kind::Pairs,
            Encoding::Table(_) => Kind::Table,
        }
    }

    /// How many different ids there are, and so the rows of an embedding: of the tokens; of users and of items; of
    /// source and of target tokens. Empty where the features are no ids.
    #[must_use]
    pub fn ids(&self) -> Vec<usize> {
        match self {
            Encoding::Values
            | Encoding::Images(_)
            | Encoding::Audio(_)
            | Encoding::Series(_)
            | Encoding::Table(_) => vec![],
            Encoding::Language(language) => vec![language.vocabulary.len()],
            Encoding::Text(text) => vec![text.vocabulary.len()],
            Encoding::Labelled(labelled) => vec![labelled.vocabulary.len()],
            Encoding::Ratings(ratings) => [&ratings.users, &ratings.items]
                .into_iter()
                .chain(ratings.context.iter().map(|circumstance| &circumstance.values))
                .map(|values| values.len())
                .collect(),
            Encoding::Pairs(pairs) => vec![pairs.source.len(), pairs.target.len()],
        }
    }

    /// Whether the first line of a file names the columns, where the features come from a table.
    pub(crate) fn header(&self) -> Option<bool> {
        match self {
            Encoding::Text(text) => Some(text.header),
            Encoding::Ratings(ratings) => Some(ratings.header),
            Encoding::Series(series) => Some(series.header),
            Encoding::Pairs(pairs) => Some(pairs.header),
            Encoding::Table(table) => Some(table.header),
            _ => None,
        }
    }
}
