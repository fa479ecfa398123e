//! Running text, to learn what comes next.
//!
//! The tokens of a text are cut into windows that follow each other; the target at each place is the next token. The
//! last tenth of each text is for validation, and no window reaches from one part or text into another.

use serde::{Deserialize, Serialize};

use super::text::MIN_COUNT;
use crate::dataset::Dataset;
use crate::encoding::Encoding;
use crate::error::DataError;
use crate::features::{Features, Raw};
use crate::files::Files;
use crate::options::{Level, SourceOptions};
use crate::place::Place;
use crate::source::Loaded;
use crate::split::Split;
use crate::targets::{IGNORED, Targets};
use crate::vocabulary::{UNKNOWN, Vocabulary};

/// Tokens in a sample where nobody says.
const WINDOW: usize = 128;

/// How running text becomes ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Language {
    /// What a token is.
    pub level: Level,
    /// The tokens by id; id 0 is the unknown one.
    pub vocabulary: Vocabulary,
    /// Tokens in a sample. The last one of a part is padded with id 0, whose targets are ignored.
    pub window: usize,
}

/// Reads texts.
pub(crate) fn read(
    mut files: Files,
    name: &str,
    options: &SourceOptions,
    known: Option<&Language>,
) -> Result<Loaded, DataError> {
    let level = known.map(|known| known.level).or(options.level).unwrap_or(Level::Char);
    let texts = tokens(&mut files, level)?;
    let halves: Vec<(&[String], &[String])> = match known {
        Some(_) => texts.iter().map(|text| (text.as_slice(), &[][..])).collect(),
        None => texts.iter().map(|text| text.split_at(text.len() - text.len() / 10)).collect(),
    };
    let language = known.cloned().unwrap_or_else(|| {
        let tokens = halves.iter().flat_map(|(train, _)| *train).map(String::as_str);
        Language {
            level,
            vocabulary: Vocabulary::of(&[UNKNOWN], tokens, options.min_count.unwrap_or(MIN_COUNT)),
            window: options.window.unwrap_or(WINDOW),
        }
    });
    let (mut ids, mut labels) = (Vec::new(), Vec::new());
    for (train, _) in &halves {
        language.windows(train, &mut ids, &mut labels);
    }
    let train = ids.len() / language.window;
    for (_, valid) in &halves {
        language.windows(valid, &mut ids, &mut labels);
    }
    let rows = ids.len() / language.window;
    if train == 0 {
        return Err(too_short(&files, &texts));
    }
    let parts = (rows > train).then(|| Split {
        train: (0..train).collect(),
        valid: (train..rows).collect(),
        test: Vec::new(),
    });
    let names = language.vocabulary.tokens().to_vec();
    let targets = Targets::Sequence { labels, length: language.window, names };
    let features = Features::new(Raw::I64(ids), vec![language.window])?;
    let data = Dataset::new(name, features, targets)?;
    Ok(Loaded { parts, ..Loaded::of(data, None, Encoding::Language(language)) })
}

/// Reads texts without targets.
pub(crate) fn read_features(mut files: Files, language: &Language) -> Result<Features, DataError> {
    let (mut ids, mut labels) = (Vec::new(), Vec::new());
    let texts = tokens(&mut files, language.level)?;
    for text in &texts {
        language.windows(text, &mut ids, &mut labels);
    }
    match ids.is_empty() {
        true => Err(too_short(&files, &texts)),
        false => Features::new(Raw::I64(ids), vec![language.window]),
    }
}

fn tokens(files: &mut Files, level: Level) -> Result<Vec<Vec<String>>, DataError> {
    (0..files.len()).map(|i| Ok(level.tokens(&files.text(i)?))).collect()
}

fn too_short(files: &Files, texts: &[Vec<String>]) -> DataError {
    let place = match files.len() {
        1 => files.place(0),
        _ => Place::file(files.root()),
    };
    DataError::content(
        place,
        format!(
            "no text has two tokens; the longest has {}",
            texts.iter().map(Vec::len).max().unwrap_or(0)
        ),
        "bring text: a token is learned from the ones before it",
    )
}

impl Language {
    /// Adds the windows of a text and the tokens that follow theirs.
    fn windows(&self, tokens: &[String], ids: &mut Vec<i64>, labels: &mut Vec<i64>) {
        let all: Vec<i64> = tokens.iter().map(|token| self.vocabulary.id(token)).collect();
        let Some((_, next)) = all.split_first() else { return };
        for (seen, next) in all[..next.len()].chunks(self.window).zip(next.chunks(self.window)) {
            ids.extend(seen);
            ids.resize(ids.len().next_multiple_of(self.window), 0);
            labels.extend(next);
            labels.resize(labels.len().next_multiple_of(self.window), IGNORED);
        }
    }
}
