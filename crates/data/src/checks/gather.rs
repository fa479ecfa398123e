//! What the checks need of a table, gathered while its rows are encoded.

use std::collections::BTreeMap;

use super::rows::counts;
use super::{Answer, Examined, Nature, Seen, Twins, row_hash};
use crate::dataset::Dataset;
use crate::split::Split;
use crate::tabular::chunk::{Cells, Chunk};
use crate::tabular::deal::Part;
use crate::tabular::encoder::Encoder;
use crate::tabular::facts::Facts;
use crate::tabular::sample::Sampler;
use crate::tabular::time::years;
use crate::tabular::{Table, TableTask};
use crate::targets::Targets;

/// Rows of the training, validation and test part that are kept at most, and cells of each.
const ROWS: [usize; 3] = [8192, 4096, 4096];
const CELLS: usize = 1 << 20;

/// Rows of each part, and how often equal ones occur.
pub(crate) struct Gathered {
    samplers: [Sampler; 3],
    twins: Twins,
}

impl Gathered {
    /// Nothing yet, of a table with so many columns.
    pub(crate) fn new(seed: u64, columns: usize) -> Gathered {
        let most = CELLS / (columns + 1);
        let samplers = ROWS.map(|rows| Sampler::holding(seed, rows.min(most.max(1024))));
        Gathered { samplers, twins: Twins::default() }
    }

    /// Takes a row of a chunk into account, with the hash of its cells. `places`: where each column of the table is in the
    /// chunk (none for those that are left out), and the target behind them.
    pub(crate) fn add(
        &mut self,
        chunk: &Chunk,
        places: &[Option<usize>],
        (row, hash): (usize, u64),
        part: Part,
    ) {
        let part = match part {
            Part::Train => 0,
            Part::Valid => 1,
            Part::Test => 2,
            Part::Out => return,
        };
        self.twins.add(hash, part);
        self.samplers[part].add(chunk.first + row as u64, |kept| {
            for place in places {
                kept.push(&place.map_or("".into(), |place| chunk.columns[place].text(row)));
            }
        });
    }

    /// The table as the checks see it; `facts` are those of its columns.
    pub(crate) fn finish<'a>(
        self,
        table: &Table,
        facts: impl Iterator<Item = &'a Facts>,
        data: &Dataset,
        split: &Split,
    ) -> Examined {
        let samples = self.samplers.map(Sampler::finish);
        let of = |column: usize| samples.iter().flat_map(move |sample| sample.column(column));
        let seen =
            table.columns.iter().zip(facts).enumerate().filter_map(|(i, (column, facts))| {
                let nature = nature(&column.encoder)?;
                let mut seen =
                    Seen::new(&column.name, nature, of(i), [facts.filled, facts.missing]);
                if let Encoder::Time(moment) = &column.encoder {
                    let time = |cell| moment.form.parse(cell).map_or(f64::NAN, |time| years(&time));
                    seen.numbers = Some(of(i).map(time).collect());
                }
                Some(seen)
            });
        let columns = seen.collect();
        let targets = of(table.columns.len());
        let answer = match (&data.targets, table.target.task) {
            (Targets::Classes { labels, names }, _) => {
                let ids: BTreeMap<&str, usize> =
                    names.iter().map(String::as_str).zip(0..).collect();
                let id = |cell: &str| ids.get(&*table.target.class(cell.into())).copied();
                let parts = [&split.train, &split.valid, &split.test];
                Answer::Classes {
                    classes: counts(names, parts.map(|rows| (labels.as_slice(), rows.as_slice()))),
                    labels: targets.map(|cell| id(cell).unwrap_or(0)).collect(),
                }
            }
            (Targets::Values { .. }, TableTask::Regression) => {
                Answer::Numbers(targets.map(|cell| cell.parse().unwrap_or(f64::NAN)).collect())
            }
            _ => Answer::Other,
        };
        let parts = (samples.iter().enumerate())
            .flat_map(|(part, sample)| std::iter::repeat_n(part, sample.rows.len()));
        Examined {
            columns,
            target: table.target.column.clone(),
            answer,
            parts: parts.collect(),
            rows: [&split.train, &split.valid, &split.test].map(|rows| rows.len() as u64),
            twins: self.twins,
        }
    }
}

/// The hash of the cells of a row at these places.
pub(crate) fn cells_hash(columns: &[Cells], places: &[Option<usize>], row: usize) -> u64 {
    row_hash(places.iter().flatten().map(|&place| match &columns[place] {
        Cells::Text(texts) => Bytes::Text(texts.get(row)),
        Cells::Numbers(numbers) => {
            Bytes::Number(numbers.get(row).copied().unwrap_or(f64::NAN).to_le_bytes())
        }
    }))
}

/// The bytes of a cell.
enum Bytes<'a> {
    Text(&'a str),
    Number([u8; 8]),
}

impl AsRef<[u8]> for Bytes<'_> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Bytes::Text(text) => text.as_bytes(),
            Bytes::Number(bytes) => bytes,
        }
    }
}

/// The nature of a column, where it was not dropped by the user.
fn nature(encoder: &Encoder) -> Option<Nature> {
    Some(match encoder {
        Encoder::Number(_) | Encoder::Time(_) => Nature::Number,
        Encoder::Boolean(_) | Encoder::Category(_) => Nature::Category,
        Encoder::Identifier => Nature::Identifier,
        Encoder::Constant => Nature::Constant,
        Encoder::Dropped => return None,
        _ => Nature::Text,
    })
}
