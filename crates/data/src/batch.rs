//! The rows of an epoch in batches, in a new order each time. The order is a function of seed and epoch alone: a run
//! that resumes at epoch 7 sees what the uninterrupted one saw there.

use crate::error::DataError;
use crate::random::{shuffle, stream};

/// Shuffled batches of row numbers; one buffer serves all epochs.
#[derive(Debug, Clone)]
pub struct Batches {
    rows: Vec<usize>,
    order: Vec<usize>,
    batch: usize,
    seed: u64,
    drop_last: bool,
}

impl Batches {
    /// Batches of `batch` of these rows; the last one of an epoch is shorter where they do not divide evenly.
    ///
    /// # Errors
    /// [`DataError::NoRows`]; [`DataError::BatchSize`] where `batch` is 0 or larger than the set.
    pub fn new(rows: Vec<usize>, batch: usize, seed: u64) -> Result<Batches, DataError> {
        if rows.is_empty() {
            return Err(DataError::NoRows { what: "make batches" });
        }
        if batch == 0 || batch > rows.len() {
            return Err(DataError::BatchSize { batch, rows: rows.len() });
        }
        Ok(Batches { order: rows.clone(), rows, batch, seed, drop_last: false })
    }

    /// Leaves the short last batch of an epoch out. Off by default.
    #[must_use]
    pub fn drop_last(mut self, yes: bool) -> Batches {
        self.drop_last = yes;
        self
    }

    /// Batches in an epoch, at least 1.
    #[must_use]
    pub fn count(&self) -> usize {
        self.used().div_ceil(self.batch)
    }

    /// Rows in a full batch.
    #[must_use]
    pub fn batch_size(&self) -> usize {
        self.batch
    }

    /// All rows, in the order they were given.
    #[must_use]
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// The batches of epoch `epoch`, shuffled. Allocates nothing; any epoch may be asked for at any time.
    pub fn epoch(&mut self, epoch: u64) -> std::slice::Chunks<'_, usize> {
        self.order.copy_from_slice(&self.rows);
        shuffle(self.seed, stream::epoch(epoch), &mut self.order);
        self.order[..self.used()].chunks(self.batch)
    }

    /// All rows in batches, in the order they were given: for evaluation. No row is left out.
    pub fn in_order(&self) -> std::slice::Chunks<'_, usize> {
        self.rows.chunks(self.batch)
    }

    /// Rows used in an epoch.
    fn used(&self) -> usize {
        let short = if self.drop_last { self.rows.len() % self.batch } else { 0 };
        self.rows.len() - short
    }
}
