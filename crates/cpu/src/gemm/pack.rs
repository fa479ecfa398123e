//! Packing: copying a piece of A or B into the order in which the micro-kernel reads it.

use std::ops::Range;

use super::plan::part;
use super::vector::{Element, Kernel, Vector};

/// How many columns of A are packed at a time.
const PACK_DEPTH: usize = 8;

/// Copies `B[k, columns]` to `k` rows that are `width` apart, with zeros from `columns` to `padded`, so that the
/// micro-kernel can read whole vectors.
///
/// Valid memory: B at its strides; `k · width` elements of `to`; `columns ≤ padded ≤ width`.
pub struct PackB<T> {
    pub k: usize,
    pub columns: usize,
    pub b: *const T,
    /// Row and column stride of B.
    pub strides: [isize; 2],
    pub padded: usize,
    pub width: usize,
    pub to: *mut T,
}

impl<T: Element, V: Vector<Element = T>> Kernel<V> for PackB<T> {
    #[inline(always)]
    unsafe fn run(self) {
        let Self { k, columns, b, strides: [row, column], padded, width, to } = self;
        // SAFETY: reads are of elements of B below `k` and `columns`, writes below `k` and `width`.
        unsafe {
            let whole = columns - columns % V::LANES;
            match (row, column, whole / V::LANES) {
                (_, 1, 2) => copy_vectors::<V, 2>(k, b, row, to, width),
                (_, 1, _) => {
                    for j in (0..whole).step_by(V::LANES) {
                        copy_vectors::<V, 1>(k, b.add(j), row, to.add(j), width);
                    }
                }
                (1, ..) => {
                    for j in (0..whole).step_by(V::LANES) {
                        copy_transposed::<V>(
                            k,
                            b.offset(j as isize * column),
                            column,
                            to.add(j),
                            width,
                        );
                    }
                }
                _ => copy(k, whole, b, [row, column], to, width),
            }
            copy(
                k,
                columns - whole,
                b.offset(whole as isize * column),
                [row, column],
                to.add(whole),
                width,
            );
            for i in 0..k {
                for j in columns..padded {
                    *to.add(i * width + j) = T::default();
                }
            }
        }
    }
}

/// A panel of the usual width is copied row by row in one pass: rows may be so far apart that they would push each
/// other out of the cache before a second one.
#[inline(always)]
unsafe fn copy_vectors<V: Vector, const N: usize>(
    k: usize,
    mut from: *const V::Element,
    row: isize,
    mut to: *mut V::Element,
    width: usize,
) {
    for _ in 0..k {
        for j in 0..N {
            // SAFETY: the caller's promise: N vectors at each of the `k` rows.
            unsafe { V::load(from.add(j * V::LANES)).store(to.add(j * V::LANES)) }
        }
        from = from.wrapping_offset(row);
        to = to.wrapping_add(width);
    }
}

/// Copies LANES columns that are contiguous along k.
#[inline(always)]
unsafe fn copy_transposed<V: Vector>(
    k: usize,
    from: *const V::Element,
    column: isize,
    to: *mut V::Element,
    width: usize,
) {
    let whole = k - k % V::LANES;
    // SAFETY: the caller's promise: a vector at each of the `k` rows of both.
    unsafe {
        for i in (0..whole).step_by(V::LANES) {
            V::transpose(from.add(i), column, to.add(i * width), width);
        }
        copy(k - whole, V::LANES, from.add(whole), [1, column], to.add(whole * width), width);
    }
}

#[inline(always)]
unsafe fn copy<T: Copy>(
    k: usize,
    columns: usize,
    from: *const T,
    strides: [isize; 2],
    to: *mut T,
    width: usize,
) {
    for i in 0..k {
        for j in 0..columns {
            // SAFETY: the caller's promise: `k` rows of `columns` elements.
            unsafe {
                *to.add(i * width + j) =
                    *from.offset(i as isize * strides[0] + j as isize * strides[1]);
            }
        }
    }
}

/// Copies groups of rows of `A[m, k]`, one after the other, each to `k` columns of as many elements as it has rows (at
/// most [`Vector::ROWS`]).
///
/// Valid memory: A at its strides, and `k` times the rows of the groups of `to`.
pub struct PackA<T> {
    pub k: usize,
    /// A's rows, and the groups that all of them make.
    pub m: usize,
    pub groups: usize,
    /// Which of the groups are packed.
    pub packed: Range<usize>,
    pub a: *const T,
    /// Row and column stride of A.
    pub strides: [isize; 2],
    pub to: *mut T,
}

impl<T: Element, V: Vector<Element = T>> Kernel<V> for PackA<T> {
    #[inline(always)]
    unsafe fn run(self) {
        let [row, column] = self.strides;
        let first = part(self.packed.start, self.groups, self.m).start;
        // A is usually contiguous along its rows here, and its columns far apart: a few columns at a time let all
        // groups use the cache lines that the first one has fetched.
        for depth in (0..self.k).step_by(PACK_DEPTH) {
            let k = PACK_DEPTH.min(self.k - depth);
            for group in self.packed.clone() {
                let rows = part(group, self.groups, self.m);
                // SAFETY: the rows and columns copied are within A, their places within `to`, as the fields promise.
                unsafe {
                    let a = self.a.offset(rows.start as isize * row + depth as isize * column);
                    let to = self.to.add((rows.start - first) * self.k + depth * rows.len());
                    match (rows.len(), row) {
                        // A constant length saves the copy of a column its branches.
                        (rows, 1) if rows == V::ROWS => {
                            copy_columns::<V>(k, V::ROWS, a, column, to)
                        }
                        (rows, 1) => copy_columns::<V>(k, rows, a, column, to),
                        (rows, _) => copy(k, rows, a, [column, row], to, rows),
                    }
                }
            }
        }
    }
}

/// Copies `k` columns of contiguous rows to places next to each other.
#[inline(always)]
unsafe fn copy_columns<V: Vector>(
    k: usize,
    rows: usize,
    mut from: *const V::Element,
    column: isize,
    mut to: *mut V::Element,
) {
    let rest = rows % V::LANES;
    for _ in 0..k {
        // SAFETY: the caller's promise: `rows` elements at each of the `k` columns.
        unsafe {
            for i in (0..rows - rest).step_by(V::LANES) {
                V::load(from.add(i)).store(to.add(i));
            }
            if rest > 0 {
                V::load_first(from.add(rows - rest), rest).store_first(to.add(rows - rest), rest);
            }
        }
        from = from.wrapping_offset(column);
        to = to.wrapping_add(rows);
    }
}
