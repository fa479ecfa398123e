//! A sample of training rows, of which medians, quantiles and vocabularies are taken: those rows whose random words
//! (by seed and row number) are the least. It does not depend on how the table is cut into chunks, and it is all rows
//! where there are not more than it holds.

use std::collections::BinaryHeap;

use super::chunk::Texts;
use crate::random::{stream, word};

/// Rows of a sample at most.
const ROWS: usize = 16_384;
/// Cells of a sample at most; a table of very many columns has a smaller sample.
const CELLS: usize = 1 << 22;

/// Rows of a table as text, in the order of the table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sample {
    /// The numbers of the rows in the table, from 0.
    pub rows: Vec<u64>,
    /// The cells of each of them.
    pub cells: Vec<Vec<String>>,
}

impl Sample {
    /// The cells of a column.
    pub fn column(&self, column: usize) -> impl Iterator<Item = &str> {
        self.cells.iter().map(move |row| row.get(column).map_or("", String::as_str))
    }
}

/// A sample in the making.
pub(crate) struct Sampler {
    seed: u64,
    most: usize,
    /// Word and number of each row and where its cells are, the greatest word on top.
    kept: BinaryHeap<(u64, u64, usize)>,
    cells: Vec<Texts>,
}

impl Sampler {
    pub(crate) fn new(seed: u64, columns: usize) -> Sampler {
        Sampler::holding(seed, (CELLS / columns.max(1)).clamp(1024, ROWS))
    }

    /// A sampler that keeps at most so many rows.
    pub(crate) fn holding(seed: u64, most: usize) -> Sampler {
        Sampler { seed, most, kept: BinaryHeap::new(), cells: Vec::new() }
    }

    /// Shows a row with its number; `write` is asked for its cells where it is kept.
    pub(crate) fn add(&mut self, number: u64, write: impl FnOnce(&mut Texts)) {
        let rank = word(self.seed, stream::SAMPLE, number);
        if self.kept.len() < self.most {
            let mut cells = Texts::default();
            write(&mut cells);
            self.kept.push((rank, number, self.cells.len()));
            self.cells.push(cells);
        } else if let Some(mut worst) = self.kept.peek_mut()
            && rank < worst.0
        {
            (worst.0, worst.1) = (rank, number);
            let cells = &mut self.cells[worst.2];
            cells.clear();
            write(cells);
        }
    }

    pub(crate) fn finish(self) -> Sample {
        let mut kept = self.kept.into_vec();
        kept.sort_unstable_by_key(|(_, number, _)| *number);
        let strings = |place: usize| {
            let cells = &self.cells[place];
            (0..cells.len()).map(|i| cells.get(i).to_string()).collect()
        };
        let (rows, cells) =
            kept.into_iter().map(|(_, number, place)| (number, strings(place))).unzip();
        Sample { rows, cells }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tabular::chunk::{Cells, Chunk, Texts};

    fn sample(rows: usize, chunk: usize) -> Sample {
        let mut sampler = Sampler::holding(7, 50);
        for first in (0..rows).step_by(chunk) {
            let many = chunk.min(rows - first);
            let mut texts = Texts::default();
            (first..first + many).for_each(|row| texts.push(&row.to_string()));
            let chunk = Chunk {
                first: first as u64,
                rows: many,
                columns: vec![Cells::Text(texts)],
                checksums: vec![],
            };
            for row in 0..many {
                let cells = |cells: &mut Texts| cells.push(&chunk.columns[0].text(row));
                sampler.add(chunk.first + row as u64, cells);
            }
        }
        sampler.finish()
    }

    #[test]
    fn a_sample_does_not_depend_on_chunks_and_is_all_rows_of_few() {
        let few = sample(50, 8);
        assert_eq!(few.rows, (0..50).collect::<Vec<u64>>());
        let many = sample(5000, 64);
        assert_eq!(many, sample(5000, 4999));
        assert_eq!(many.rows.len(), 50);
        assert!(many.rows.is_sorted() && many.rows[49] > 4000 && many.rows[0] < 1000);
        let cells: Vec<&str> = many.column(0).collect();
        assert_eq!(cells[3], many.rows[3].to_string());
    }
}
