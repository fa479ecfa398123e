//! Rows of numbers in a temporary file, for tables that are larger than memory.
//!
//! The file has no name: it is gone when its last user is. It lies where the system keeps temporary files, which
//! `TMPDIR` changes. It is read by position, a few blocks at a time, and not mapped, so that what is resident stays small.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::DataError;

/// Rows that are read together.
const BLOCK: usize = 256;
/// Blocks that are kept, at most: an epoch's window takes less than half of them.
const KEPT: usize = 1 << 10;
/// Bytes of blocks that are kept, at most; wider rows are read one by one.
const KEPT_BYTES: usize = 1 << 26;
/// Bytes that are written at once.
const WRITTEN: usize = 1 << 20;

/// A temporary file without a name.
pub(crate) fn temporary() -> Result<File, DataError> {
    tempfile::tempfile().map_err(unwritable)
}

/// What the system says about a temporary file in our words.
pub(crate) fn unwritable(source: io::Error) -> DataError {
    DataError::Temporary { folder: std::env::temp_dir(), source }
}

/// Writes rows behind each other.
pub(crate) struct Writer {
    file: File,
    bytes: Vec<u8>,
    written: usize,
}

impl Writer {
    pub(crate) fn new() -> Result<Writer, DataError> {
        Ok(Writer { file: temporary()?, bytes: Vec::new(), written: 0 })
    }

    /// Adds numbers.
    pub(crate) fn push(&mut self, values: &[f32]) -> Result<(), DataError> {
        self.bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        self.written += values.len();
        if self.bytes.len() >= WRITTEN { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), DataError> {
        self.file.write_all(&self.bytes).map_err(unwritable)?;
        self.bytes.clear();
        Ok(())
    }

    /// The rows of `width` numbers that were written.
    pub(crate) fn finish(mut self, width: usize) -> Result<Spilled, DataError> {
        self.flush()?;
        let blocks = self.written.div_ceil((width * BLOCK).max(1));
        let cache = Mutex::new(Cache::new(blocks));
        Ok(Spilled(Arc::new(Rows { file: self.file, width, len: self.written, cache })))
    }
}

/// Rows of numbers in a temporary file.
#[derive(Clone)]
pub struct Spilled(Arc<Rows>);

struct Rows {
    file: File,
    width: usize,
    /// Numbers in all.
    len: usize,
    cache: Mutex<Cache>,
}

/// Blocks of the file that are in memory. Which one has to go is found as a clock does it: a hand goes round over the
/// places and takes the first block that was not looked at since it came by last.
struct Cache {
    /// The place of each block of the file, or [`NOWHERE`].
    places: Vec<u32>,
    kept: Vec<Kept>,
    hand: usize,
    bytes: Vec<u8>,
}

/// The place of a block that is not in memory.
const NOWHERE: u32 = u32::MAX;

struct Kept {
    block: usize,
    is_fresh: bool,
    values: Vec<f32>,
}

impl Spilled {
    /// Numbers in all.
    pub(crate) fn len(&self) -> usize {
        self.0.len
    }

    /// Shows rows, which must exist, one after the other.
    pub(crate) fn visit(
        &self,
        rows: &[usize],
        mut each: impl FnMut(&[f32]),
    ) -> Result<(), DataError> {
        let Rows { file, width, len, cache } = &*self.0;
        let cache = &mut *cache.lock().unwrap_or_else(PoisonError::into_inner);
        let block_bytes = width * BLOCK * size_of::<f32>();
        let kept = KEPT.min(KEPT_BYTES / block_bytes.max(1));
        if kept < KEPT / 2 {
            let mut values = Vec::with_capacity(*width);
            for row in rows {
                cache.load(file, row * width, *width, &mut values)?;
                each(&values);
            }
            return Ok(());
        }
        for &row in rows {
            let block = row / BLOCK;
            if cache.places[block] == NOWHERE {
                let first = block * BLOCK * width;
                cache.keep(file, block, first, (BLOCK * width).min(len - first), kept)?;
            }
            let found = &mut cache.kept[cache.places[block] as usize];
            found.is_fresh = true;
            let at = row % BLOCK * width;
            each(&found.values[at..at + width]);
        }
        Ok(())
    }
}

impl Cache {
    fn new(blocks: usize) -> Cache {
        Cache { places: vec![NOWHERE; blocks], kept: Vec::new(), hand: 0, bytes: Vec::new() }
    }

    /// Takes a block of `count` numbers from place `first` on into memory, where at most `most` are kept.
    fn keep(
        &mut self,
        file: &File,
        block: usize,
        first: usize,
        count: usize,
        most: usize,
    ) -> Result<(), DataError> {
        let mut values = Vec::new();
        let place = if self.kept.len() < most { self.kept.len() } else { self.given_up() };
        if let Some(old) = self.kept.get_mut(place) {
            self.places[old.block] = NOWHERE;
            values = std::mem::take(&mut old.values);
        }
        self.load(file, first, count, &mut values)?;
        let now = Kept { block, is_fresh: true, values };
        match self.kept.get_mut(place) {
            Some(old) => *old = now,
            None => self.kept.push(now),
        }
        self.places[block] = place as u32;
        Ok(())
    }

    /// The place of a block that was not looked at lately.
    fn given_up(&mut self) -> usize {
        loop {
            let place = self.hand;
            self.hand = (place + 1) % self.kept.len();
            if !std::mem::take(&mut self.kept[place].is_fresh) {
                return place;
            }
        }
    }

    /// Reads `count` numbers from place `first` on.
    fn load(
        &mut self,
        file: &File,
        first: usize,
        count: usize,
        values: &mut Vec<f32>,
    ) -> Result<(), DataError> {
        self.bytes.resize(count * size_of::<f32>(), 0);
        read_at(file, &mut self.bytes, (first * size_of::<f32>()) as u64).map_err(unwritable)?;
        values.clear();
        let (numbers, _) = self.bytes.as_chunks();
        values.extend(numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)));
        Ok(())
    }
}

/// The bytes of a file from a place on.
#[cfg(unix)]
pub(crate) fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

/// The bytes of a file from a place on. The place in the file is moved: one reader at a time.
#[cfg(not(unix))]
pub(crate) fn read_at(mut file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(bytes)
}

impl fmt::Debug for Spilled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rows { width, len, .. } = &*self.0;
        write!(f, "Spilled {{ {len} numbers in rows of {width} }}")
    }
}

/// The same file.
impl PartialEq for Spilled {
    fn eq(&self, other: &Spilled) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Philox;

    /// Narrow rows through the cache, many more blocks than it keeps; wide ones one by one.
    #[test]
    fn rows_are_read_as_they_were_written() {
        for (width, rows) in [(1, 400_000), (7, 1000), (700, 300)] {
            let mut writer = Writer::new().unwrap();
            let value = |row: usize, i: usize| (row * width + i) as f32;
            for row in 0..rows {
                let values: Vec<f32> = (0..width).map(|i| value(row, i)).collect();
                writer.push(&values).unwrap();
            }
            let spilled = writer.finish(width).unwrap();
            assert_eq!(spilled.len(), width * rows);
            let mut random = Philox::new(0, width as u64);
            let wanted: Vec<usize> =
                (0..20_000).map(|_| random.below(rows as u64) as usize).chain([rows - 1]).collect();
            let mut seen = 0;
            let check = |values: &[f32]| {
                let row = wanted[seen];
                let right: Vec<f32> = (0..width).map(|i| value(row, i)).collect();
                assert_eq!(values, right);
                seen += 1;
            };
            spilled.visit(&wanted, check).unwrap();
            assert_eq!(seen, wanted.len());
            let cache = spilled.0.cache.lock().unwrap();
            assert!(cache.kept.len() <= KEPT);
        }
    }
}
