//! Source and target texts, to learn one from the other: the first two columns of a table.
//!
//! A sample is the source ids and then the target ids from the start token on, `[source_length + target_length]`;
//! the targets are the target ids to the end token, so that each place is to say the one after it. To predict,
//! a sample is the source ids and a start token.

use serde::{Deserialize, Serialize};

use super::text::{MIN_COUNT, length, level, padded};
use crate::dataset::Dataset;
use crate::encoding::Encoding;
use crate::error::DataError;
use crate::features::{Features, Raw};
use crate::options::{Level, SourceOptions};
use crate::source::Loaded;
use crate::tabular::whole::Whole;
use crate::targets::{IGNORED, Targets};
use crate::vocabulary::{END, PAD, START, UNKNOWN, Vocabulary};

/// How a pair of texts becomes ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairs {
    /// Whether the first line of a file names the columns.
    pub header: bool,
    /// What a token is.
    pub level: Level,
    /// The source tokens by id; id 0 is padding, id 1 the unknown one.
    pub source: Vocabulary,
    /// The target tokens by id; id 0 is padding, id 1 the unknown one, id 2 the start and id 3 the end.
    pub target: Vocabulary,
    /// Source tokens in a sample.
    pub source_length: usize,
    /// Target tokens in a sample, the start (or the end) included.
    pub target_length: usize,
}

/// Reads pairs.
pub(crate) fn read(
    table: &Whole,
    name: &str,
    options: &SourceOptions,
    known: Option<&Pairs>,
) -> Result<Loaded, DataError> {
    table.column_or(None, 1, "target texts")?;
    let (train, test) = table.deal((0..table.rows()).collect(), options.test.as_ref())?;
    let pairs = known.cloned().unwrap_or_else(|| Pairs::fit(table, &train, options));
    let set = |name: String, rows: &[usize]| {
        let (mut ids, mut labels) = (Vec::new(), Vec::new());
        for &row in rows {
            let target = pairs.level.tokens(table.cell(row, 1));
            let target = &target[..target.len().min(pairs.target_length.saturating_sub(1))];
            let target = target.iter().map(|token| pairs.target.id(token));
            ids.extend(pairs.source_ids(table.cell(row, 0)));
            let first = pairs.target.id(START);
            resized(&mut ids, std::iter::once(first).chain(target.clone()), pairs.target_length, 0);
            let last = pairs.target.id(END);
            resized(&mut labels, target.chain([last]), pairs.target_length, IGNORED);
        }
        let (length, names) = (pairs.target_length, pairs.target.tokens().to_vec());
        let features = Features::new(Raw::I64(ids), vec![pairs.source_length + length])?;
        Dataset::new(name, features, Targets::Sequence { labels, length, names })
    };
    let test = match test.as_slice() {
        [] => None,
        rows => Some(set(format!("{name}-test"), rows)?),
    };
    let train = set(name.into(), &train)?;
    Ok(Loaded { notes: table.notes(), ..Loaded::of(train, test, Encoding::Pairs(pairs)) })
}

/// Reads source texts to predict on: the first column.
pub(crate) fn read_features(table: &Whole, pairs: &Pairs) -> Result<Features, DataError> {
    let mut ids = Vec::new();
    for row in 0..table.rows() {
        ids.extend(pairs.source_ids(table.cell(row, 0)));
        resized(&mut ids, [pairs.target.id(START)].into_iter(), pairs.target_length, 0);
    }
    Features::new(Raw::I64(ids), vec![pairs.source_length + pairs.target_length])
}

/// Adds exactly `length` ids.
fn resized(out: &mut Vec<i64>, ids: impl Iterator<Item = i64>, length: usize, pad: i64) {
    let end = out.len() + length;
    out.extend(ids.take(length));
    out.resize(end, pad);
}

impl Pairs {
    /// What suits the pairs to learn from, where `options` do not say it.
    fn fit(table: &Whole, rows: &[usize], options: &SourceOptions) -> Pairs {
        let cells =
            |column| -> Vec<&str> { rows.iter().map(|&row| table.cell(row, column)).collect() };
        let level = options.level.unwrap_or_else(|| level(&cells(0)));
        let min_count = options.min_count.unwrap_or(MIN_COUNT);
        let side = |column, special: &[&str]| {
            let tokens: Vec<Vec<String>> =
                cells(column).into_iter().map(|cell| level.tokens(cell)).collect();
            let all = tokens.iter().flatten().map(String::as_str);
            let length = options.length.unwrap_or_else(|| length(tokens.iter().map(Vec::len)));
            (Vocabulary::of(special, all, min_count), length)
        };
        let (source, source_length) = side(0, &[PAD, UNKNOWN]);
        let (target, target_length) = side(1, &[PAD, UNKNOWN, START, END]);
        // What is known of texts: a file that names its columns itself says nothing of others.
        let header = options.header.unwrap_or(false);
        Pairs { header, level, source, target, source_length, target_length: target_length + 1 }
    }

    fn source_ids(&self, cell: &str) -> Vec<i64> {
        padded(&self.source, &self.level.tokens(cell), self.source_length)
    }
}
