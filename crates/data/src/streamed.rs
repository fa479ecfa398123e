//! Samples that are too many for memory: decoded from their files whenever they are needed.
//!
//! The first samples are kept decoded, as many as memory may hold; the others are decoded on background threads, a few
//! megabytes at a time, and a batch that was announced by `Streamed::prefetch` while something else is done. What a
//! sample is made of is the same in either way, so no bit of a result depends on how much is kept.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::decoding::{Decoding, Groups, Work};
use crate::error::DataError;
use crate::files::Files;

/// Bytes of samples that are decoded together.
const TOGETHER: usize = 1 << 23;
/// Bytes of a batch that is decoded ahead, at most.
const AHEAD: usize = 1 << 27;

/// Samples of values of type `T`.
pub struct Streamed<T>(Arc<Inner<T>>);

struct Inner<T> {
    files: Files,
    groups: Groups,
    work: Arc<Work<Vec<T>>>,
    /// Values in a sample.
    width: usize,
    /// The values of the first samples.
    kept: Vec<T>,
    ahead: Mutex<Option<Ahead<T>>>,
}

/// A batch that is being decoded.
struct Ahead<T> {
    rows: Vec<usize>,
    decoding: Decoding<Vec<T>>,
}

/// Samples that were read once.
pub(crate) enum Read<T> {
    /// All of them, one after the other.
    Whole(Vec<T>),
    /// Some of them.
    Part(Streamed<T>),
}

impl<T: Copy + Send + Sync + 'static> Streamed<T> {
    /// Decodes each sample once, so that those that cannot be are found, and keeps the first ones, up to so many bytes.
    /// `work` makes `width` values of the files of a sample.
    pub(crate) fn read(
        files: &Files,
        groups: Groups,
        width: usize,
        bytes: usize,
        work: Arc<Work<Vec<T>>>,
    ) -> Result<Read<T>, DataError> {
        let rows: Vec<usize> = (0..groups.len()).collect();
        let keep = (bytes / size_of::<T>() / width.max(1)).min(rows.len()) * width;
        let mut kept = Vec::with_capacity(keep);
        let (files, ahead) = (files.clone(), Mutex::new(None));
        let mut inner = Inner { files, groups, work, width, kept: Vec::new(), ahead };
        inner.visit(&rows, |values| {
            if kept.len() < keep {
                kept.extend(values);
            }
        })?;
        Ok(match kept.len() == rows.len() * width {
            true => Read::Whole(kept),
            false => {
                inner.kept = kept;
                Read::Part(Streamed(Arc::new(inner)))
            }
        })
    }

    /// Values in all.
    pub(crate) fn len(&self) -> usize {
        self.0.groups.len() * self.0.width
    }

    /// Bytes that are kept.
    pub(crate) fn held(&self) -> usize {
        size_of_val(self.0.kept.as_slice())
    }

    /// Begins to decode rows, which must exist, that will be asked for next. Those that were announced before and not
    /// asked for are given up.
    pub(crate) fn prefetch(&self, rows: &[usize]) {
        let inner = &*self.0;
        if rows.len().saturating_mul(inner.width * size_of::<T>()) > AHEAD {
            return;
        }
        let mut ahead = inner.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        if ahead.as_ref().is_none_or(|ahead| ahead.rows != rows) {
            *ahead = Some(Ahead { rows: rows.to_vec(), decoding: inner.begin(rows) });
        }
    }

    /// The values of rows, which must exist.
    pub(crate) fn pick(&self, rows: &[usize]) -> Result<Vec<T>, DataError> {
        let mut picked = Vec::with_capacity(rows.len() * self.0.width);
        self.visit(rows, |values| picked.extend(values))?;
        Ok(picked)
    }

    /// Shows rows, which must exist, one after the other.
    pub(crate) fn visit(&self, rows: &[usize], each: impl FnMut(&[T])) -> Result<(), DataError> {
        self.0.visit(rows, each)
    }
}

impl<T: Copy + Send + Sync + 'static> Inner<T> {
    /// The values of a row, where they are kept.
    fn kept(&self, row: usize) -> Option<&[T]> {
        self.kept.get(row * self.width..(row + 1) * self.width)
    }

    /// Begins to decode those of these rows that are not kept.
    fn begin(&self, rows: &[usize]) -> Decoding<Vec<T>> {
        let which = rows.iter().copied().filter(|&row| self.kept(row).is_none()).collect();
        Decoding::begin(&self.files, &self.groups, which, Arc::clone(&self.work))
    }

    /// The batch of these rows that is under way, where it is.
    fn announced(&self, rows: &[usize]) -> Option<Decoding<Vec<T>>> {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        ahead.take_if(|ahead| ahead.rows == rows).map(|ahead| ahead.decoding)
    }

    /// While some rows are shown, the next ones are decoded.
    fn visit(&self, rows: &[usize], mut each: impl FnMut(&[T])) -> Result<(), DataError> {
        let mut begun = self.announced(rows);
        let together = match begun {
            Some(_) => rows.len(),
            None => TOGETHER / (self.width * size_of::<T>()),
        };
        let mut pieces = rows.chunks(together.max(1)).peekable();
        while let Some(piece) = pieces.next() {
            let decoding = begun.take().unwrap_or_else(|| self.begin(piece));
            begun = pieces.peek().map(|next| self.begin(next));
            let mut decoded = decoding.finish().into_iter();
            for &row in piece {
                match self.kept(row) {
                    Some(values) => each(values),
                    None => {
                        if let Some(values) = decoded.next() {
                            each(&values?);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

impl<T> Clone for Streamed<T> {
    fn clone(&self) -> Streamed<T> {
        Streamed(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Streamed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { groups, width, .. } = &*self.0;
        write!(f, "Streamed {{ {} samples of {width} values }}", groups.len())
    }
}

/// The same files.
impl<T> PartialEq for Streamed<T> {
    fn eq(&self, other: &Streamed<T>) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
