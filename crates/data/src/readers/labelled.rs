//! Sentences with a tag for each word, one word a line, as the CoNLL shared tasks have them: the first cell of a line
//! is the word and the last one its tag, cells are set apart by spaces or tabs, and an empty line ends a sentence.
//! Lines that begin with `-DOCSTART-` are left out.

use serde::{Deserialize, Serialize};

use super::text::{MIN_COUNT, length, padded};
use crate::dataset::Dataset;
use crate::encoding::Encoding;
use crate::error::{DataError, thousands};
use crate::features::{Features, Raw};
use crate::files::Files;
use crate::options::SourceOptions;
use crate::samples::{check_classes, class_ids, class_names};
use crate::source::Loaded;
use crate::targets::{IGNORED, Targets};
use crate::vocabulary::{PAD, UNKNOWN, Vocabulary};

/// How a sentence becomes ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labelled {
    /// The words by id; id 0 is padding, id 1 the unknown one.
    pub vocabulary: Vocabulary,
    /// Words in a sample; longer sentences are cut, shorter ones padded at the end, and the targets there ignored.
    pub length: usize,
}

/// A word, its tag (empty where it has none) and the line they are in.
struct Word {
    word: String,
    tag: String,
    line: u64,
}

/// Reads sentences with tags.
pub(crate) fn read(
    mut files: Files,
    name: &str,
    options: &SourceOptions,
    known: Option<(&Labelled, &[String])>,
) -> Result<Loaded, DataError> {
    let sentences = sentences(&mut files)?;
    let words = || sentences.iter().flatten();
    if let Some(word) = words().find(|word| word.tag.is_empty()) {
        return Err(DataError::content(
            files.place(0).line(word.line),
            format!("there is one cell, '{}'; a word and its tag are needed", word.word),
            "write WORD TAB TAG on each line, and an empty line after each sentence",
        ));
    }
    let names = match known {
        Some((_, names)) => names.to_vec(),
        None => class_names(words().map(|word| word.tag.as_str())),
    };
    check_classes(&names, &files.place(0), words().count())?;
    let labelled = match known {
        Some((labelled, _)) => labelled.clone(),
        None => Labelled {
            vocabulary: Vocabulary::of(
                &[PAD, UNKNOWN],
                words().map(|word| word.word.as_str()),
                options.min_count.unwrap_or(MIN_COUNT),
            ),
            length: options.length.unwrap_or_else(|| length(sentences.iter().map(Vec::len))),
        },
    };
    let tags: Vec<&str> = words().map(|word| word.tag.as_str()).collect();
    let lines: Vec<u64> = words().map(|word| word.line).collect();
    let mut tags = class_ids(&tags, &names, |i| files.place(0).line(lines[i]))?.into_iter();
    let mut labels = Vec::with_capacity(sentences.len() * labelled.length);
    for sentence in &sentences {
        let mut row: Vec<i64> = tags.by_ref().take(sentence.len()).collect();
        row.resize(labelled.length, IGNORED);
        labels.extend(row);
    }
    let cut = sentences.iter().filter(|sentence| sentence.len() > labelled.length).count();
    let mut notes = Vec::new();
    if cut > 0 {
        notes.push(format!(
            "{} of {} sentences are cut after {} words",
            thousands(cut as u64),
            thousands(sentences.len() as u64),
            labelled.length
        ));
    }
    let targets = Targets::Sequence { labels, length: labelled.length, names };
    let data = Dataset::new(name, labelled.encode(&sentences)?, targets)?;
    Ok(Loaded { notes, ..Loaded::of(data, None, Encoding::Labelled(labelled)) })
}

/// Reads sentences to predict on; their lines need no tags.
pub(crate) fn read_features(mut files: Files, labelled: &Labelled) -> Result<Features, DataError> {
    labelled.encode(&sentences(&mut files)?)
}

fn sentences(files: &mut Files) -> Result<Vec<Vec<Word>>, DataError> {
    let text = files.text(0)?;
    let mut sentences = vec![Vec::new()];
    for (line, number) in text.lines().zip(1..) {
        let mut cells = match line.contains('\t') {
            true => line.split('\t').map(str::trim).filter(|cell| !cell.is_empty()).collect(),
            false => line.split_whitespace().collect::<Vec<_>>(),
        };
        let tag = if cells.len() > 1 { cells.pop() } else { None };
        match (cells.first(), sentences.last_mut()) {
            (Some(&"-DOCSTART-"), _) => {}
            (Some(&word), Some(sentence)) => {
                let tag = tag.unwrap_or("").to_string();
                sentence.push(Word { word: word.to_string(), tag, line: number });
            }
            (None, Some(sentence)) if !sentence.is_empty() => sentences.push(Vec::new()),
            _ => {}
        }
    }
    sentences.retain(|sentence| !sentence.is_empty());
    match sentences.is_empty() {
        false => Ok(sentences),
        true => Err(DataError::content(
            files.place(0),
            "there is no sentence in it",
            "write WORD TAB TAG on each line, and an empty line after each sentence",
        )),
    }
}

impl Labelled {
    fn encode(&self, sentences: &[Vec<Word>]) -> Result<Features, DataError> {
        let mut ids = Vec::with_capacity(sentences.len() * self.length);
        for sentence in sentences {
            let words: Vec<String> = sentence.iter().map(|word| word.word.clone()).collect();
            ids.extend(padded(&self.vocabulary, &words, self.length));
        }
        Features::new(Raw::I64(ids), vec![self.length])
    }
}
