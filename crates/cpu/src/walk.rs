//! How a row program walks memory: from a place in the iteration space to an address.

use std::ops::Range;

use thalweg_plan::row::{Access, Level, RowProgram};

/// An access of a row program, ready to be walked.
pub(crate) struct Walk {
    pub buffer: usize,
    pub col_stride: isize,
    offset: isize,
    /// (extent, stride) of the row axes, innermost first.
    axes: Vec<(usize, isize)>,
    size: usize,
    /// True where row `r` begins at `r` times the row's columns.
    rows_follow: bool,
    /// True where row `r` has its one element at place `r`.
    rows_touch: bool,
}

impl Walk {
    pub fn new(access: &Access, program: &RowProgram, size: usize) -> Walk {
        let axes: Vec<(usize, isize)> =
            program.rows.iter().copied().zip(access.row_strides.iter().copied()).rev().collect();
        let spaced = |first: isize| {
            let mut stride = first;
            axes.iter().all(|&(extent, have)| {
                let fits = have == stride || extent == 1;
                stride *= extent as isize;
                fits
            })
        };
        Walk {
            buffer: access.buffer,
            col_stride: access.col_stride,
            offset: access.offset as isize,
            rows_follow: spaced(program.cols as isize),
            rows_touch: spaced(1),
            axes,
            size,
        }
    }

    /// True where a tile of `rows` rows is one contiguous piece of memory.
    pub fn is_tile(&self, level: Level, rows: usize, cols: usize) -> bool {
        match level {
            Level::Uniform => true,
            Level::Row => rows == 1 || self.rows_touch,
            Level::Full => (self.col_stride == 1 || cols == 1) && (rows == 1 || self.rows_follow),
        }
    }

    /// Bytes from one row to the next, where rows are pieces of memory at even distances.
    pub fn row_step(&self) -> Option<isize> {
        let mut step = self.axes.first().map_or(0, |&(_, stride)| stride);
        let first = step;
        let even = self.axes.iter().all(|&(extent, stride)| {
            let fits = stride == step || extent == 1;
            step *= extent as isize;
            fits
        });
        (even && self.col_stride == 1).then_some(first * self.size as isize)
    }

    /// The place of an element in its buffer.
    pub fn place(&self, row: usize, col: usize) -> isize {
        let mut place = self.offset + col as isize * self.col_stride;
        let mut rest = row;
        for &(extent, stride) in &self.axes {
            place += (rest % extent) as isize * stride;
            rest /= extent;
        }
        place
    }

    /// # Safety
    /// The place lies inside the buffer.
    #[inline]
    pub unsafe fn address(&self, bases: &[*mut u8], row: usize, col: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { bases[self.buffer].offset(self.place(row, col) * self.size as isize) }
    }

    /// Copies `cols` elements of each row of `rows` from memory to `dst`, one after the other.
    ///
    /// # Safety
    /// The places lie inside the buffer, `dst` has room, and the two do not overlap.
    pub unsafe fn gather(
        &self,
        bases: &[*mut u8],
        dst: *mut u8,
        rows: Range<usize>,
        col: usize,
        cols: usize,
    ) {
        for (i, row) in rows.enumerate() {
            // SAFETY: the caller's promise.
            unsafe {
                let from = self.address(bases, row, col);
                copy(self.size, dst.add(i * cols * self.size), 1, from, self.col_stride, cols);
            }
        }
    }

    /// Copies `cols` elements for each row of `rows` from `src`, one after the other, to memory.
    ///
    /// # Safety
    /// The places lie inside the buffer, and `src` is either the very same memory or does not overlap it.
    pub unsafe fn scatter(
        &self,
        bases: &[*mut u8],
        src: *const u8,
        rows: Range<usize>,
        col: usize,
        cols: usize,
    ) {
        for (i, row) in rows.enumerate() {
            // SAFETY: the caller's promise.
            unsafe {
                let to = self.address(bases, row, col);
                let from = src.add(i * cols * self.size);
                if !std::ptr::eq(to, from) {
                    copy(self.size, to, self.col_stride, from, 1, cols);
                }
            }
        }
    }
}

/// # Safety
/// Both sides are valid for `n` elements of `size` bytes at their strides and do not overlap.
unsafe fn copy(
    size: usize,
    to: *mut u8,
    to_stride: isize,
    from: *const u8,
    from_stride: isize,
    n: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match size {
            _ if to_stride == 1 && from_stride == 1 => to.copy_from_nonoverlapping(from, n * size),
            1 => strided::<u8>(to, to_stride, from, from_stride, n),
            4 => strided::<u32>(to, to_stride, from, from_stride, n),
            _ => strided::<u64>(to, to_stride, from, from_stride, n),
        }
    }
}

/// # Safety
/// As for [`copy`].
unsafe fn strided<T: Copy>(
    to: *mut u8,
    to_stride: isize,
    from: *const u8,
    from_stride: isize,
    n: usize,
) {
    let (to, from) = (to.cast::<T>(), from.cast::<T>());
    for i in 0..n as isize {
        // SAFETY: the caller's promise.
        unsafe { to.offset(i * to_stride).write(from.offset(i * from_stride).read()) };
    }
}
