//! The rows of an epoch in batches, in a new order each time. The order is a function of seed and epoch alone: a run
//! that resumes at epoch 7 sees what the uninterrupted one saw there.
//!
//! Up to [`WINDOW`] rows every order is equally likely. Of more, blocks of [`BLOCK`] neighbours are shuffled, and then the
//! rows of as many blocks as make a window: rows that are used together lie in a few places of a file, and nothing as long
//! as the set is held.

use std::borrow::Cow;

use crate::error::DataError;
use crate::random::{permutation, shuffle, stream};

/// Rows that are shuffled together.
pub const WINDOW: usize = 1 << 16;
/// Neighbours that come into the same window.
pub const BLOCK: usize = 1 << 10;

/// Shuffled batches of row numbers.
#[derive(Debug, Clone)]
pub struct Batches<'a> {
    rows: Cow<'a, [usize]>,
    batch: usize,
    seed: u64,
    drop_last: bool,
}

impl<'a> Batches<'a> {
    /// Batches of `batch` of these rows; the last one of an epoch is shorter where they do not divide evenly.
    ///
    /// # Errors
    /// [`DataError::NoRows`]; [`DataError::BatchSize`] where `batch` is 0 or larger than the set.
    pub fn new(
        rows: impl Into<Cow<'a, [usize]>>,
        batch: usize,
        seed: u64,
    ) -> Result<Batches<'a>, DataError> {
        let rows = rows.into();
        if rows.is_empty() {
            return Err(DataError::NoRows { what: "make batches" });
        }
        if batch == 0 || batch > rows.len() {
            return Err(DataError::BatchSize { batch, rows: rows.len() });
        }
        Ok(Batches { rows, batch, seed, drop_last: false })
    }

    /// Leaves the short last batch of an epoch out. Off by default.
    #[must_use]
    pub fn drop_last(mut self, yes: bool) -> Batches<'a> {
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

    /// The batches of epoch `epoch`, shuffled. Any epoch may be asked for at any time.
    #[must_use]
    pub fn epoch(&self, epoch: u64) -> Epoch<'_> {
        self.several(epoch, 1)
    }

    /// The batches of epoch `epoch`, `count` after each other together.
    #[must_use]
    pub fn several(&self, epoch: u64, count: usize) -> Epoch<'_> {
        let blocks = match self.rows.len() {
            0..=WINDOW => Vec::new(),
            rows => permutation(self.seed, stream::blocks(epoch), rows.div_ceil(BLOCK)),
        };
        Epoch {
            batches: self,
            epoch,
            blocks,
            window: Vec::new(),
            windows: 0,
            taken: 0,
            left: self.used(),
            most: self.batch.saturating_mul(count.max(1)),
        }
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

/// The batches of an epoch.
#[derive(Debug, Clone)]
pub struct Epoch<'a> {
    batches: &'a Batches<'a>,
    epoch: u64,
    /// The order of the blocks, where there is more than a window.
    blocks: Vec<usize>,
    /// The rows of the window at hand, shuffled.
    window: Vec<usize>,
    /// Windows so far.
    windows: usize,
    /// Rows taken of the window.
    taken: usize,
    /// Rows to be given.
    left: usize,
    /// Rows that are given at a time.
    most: usize,
}

impl Epoch<'_> {
    /// Fills the window with the rows that come next, and shuffles them.
    fn refill(&mut self) {
        const BLOCKS: usize = WINDOW / BLOCK;
        let rows = self.batches.rows();
        self.window.clear();
        self.taken = 0;
        let stream = if self.blocks.is_empty() {
            self.window.extend(rows);
            stream::epoch(self.epoch)
        } else {
            for block in self.blocks.iter().skip(self.windows * BLOCKS).take(BLOCKS) {
                let first = block * BLOCK;
                self.window.extend(&rows[first..(first + BLOCK).min(rows.len())]);
            }
            stream::window(self.epoch, self.windows as u64)
        };
        shuffle(self.batches.seed, stream, &mut self.window);
        self.windows += 1;
    }
}

impl Iterator for Epoch<'_> {
    type Item = Vec<usize>;

    fn next(&mut self) -> Option<Vec<usize>> {
        let count = self.most.min(self.left);
        self.left -= count;
        let mut rows = Vec::with_capacity(count);
        while rows.len() < count {
            if self.taken == self.window.len() {
                self.refill();
            }
            let end = self.window.len().min(self.taken + count - rows.len());
            rows.extend(&self.window[self.taken..end]);
            self.taken = end;
        }
        (count > 0).then_some(rows)
    }
}
