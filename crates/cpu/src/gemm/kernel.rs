//! The two micro-kernels: a block of C that stays in registers while k runs.
//!
//! [`Outer`] adds up outer products: a column of A (one broadcast per row) times a row of B (whole vectors). It wants
//! B's rows contiguous, which packing sees to. [`Dot`] multiplies rows of A with rows of Bᵀ along k, with one sum per
//! lane, and needs no packing where both are contiguous along k; that pays where C is small.

use std::mem::MaybeUninit;

use super::vector::{Element, Kernel, Vector};

/// The most rows of a [`Dot`] block.
pub const DOT_ROWS: usize = 3;
/// The most columns of a [`Dot`] block of several rows, and of one row.
pub const DOT_COLUMNS: [usize; 2] = [4, 8];

/// The block of C that a micro-kernel computes, and where it goes.
#[derive(Clone, Copy)]
pub struct Target<T> {
    /// The first element of the block.
    pub c: *mut T,
    /// Row and column stride.
    pub strides: [isize; 2],
    /// Add to what is there.
    pub accumulate: bool,
}

/// `C[MR, columns] (+)= A[MR, k] · B[k, columns]`, with the sums of each element in the order of k.
///
/// Valid memory: A and C at their strides; of B, `k` rows of `NV` whole vectors.
pub struct Outer<T, const MR: usize, const NV: usize> {
    pub k: usize,
    pub a: *const T,
    /// Row and column stride of A.
    pub a_strides: [isize; 2],
    pub b: *const T,
    /// Row stride of B.
    pub b_stride: isize,
    pub target: Target<T>,
    /// How many columns are stored: at most `NV` vectors.
    pub columns: usize,
}

#[expect(clippy::needless_range_loop, reason = "plain index loops are sure to be unrolled")]
impl<T: Element, V: Vector<Element = T>, const MR: usize, const NV: usize> Kernel<V>
    for Outer<T, MR, NV>
{
    #[inline(always)]
    unsafe fn run(self) {
        // SAFETY: the loads and stores are those that the fields promise; pointers that are moved beyond the last
        // row or column are not read.
        unsafe {
            let mut sums = [[V::splat(T::default()); NV]; MR];
            let [row, column] = self.a_strides;
            // Two unrelated pointers, half of the rows to each at distances that an address can express: left alone, the
            // compiler walks from row to row in a chain of additions as long as the arithmetic.
            let half = if MR <= 6 { 3 } else { 7 };
            let mut near = self.a;
            let mut far = std::hint::black_box(self.a.wrapping_offset(half as isize * row));
            let mut b = self.b;
            for _ in 0..self.k {
                if MR < NV {
                    let a: [V; MR] =
                        std::array::from_fn(|i| V::splat(*near.offset(i as isize * row)));
                    for j in 0..NV {
                        let b = V::load(b.add(j * V::LANES));
                        for i in 0..MR {
                            sums[i][j] = a[i].mul_add(b, sums[i][j]);
                        }
                    }
                } else {
                    let b: [V; NV] = std::array::from_fn(|j| V::load(b.add(j * V::LANES)));
                    for i in 0..MR {
                        let from = if i < half { near } else { far };
                        let a = V::splat(*from.offset((i % half) as isize * row));
                        for j in 0..NV {
                            sums[i][j] = a.mul_add(b[j], sums[i][j]);
                        }
                    }
                }
                near = near.wrapping_offset(column);
                far = far.wrapping_offset(column);
                b = b.wrapping_offset(self.b_stride);
            }
            let Target { c, strides: [row, column], accumulate } = self.target;
            if column != 1 || self.columns != NV * V::LANES {
                return store_by_memory(&sums, self.columns, self.target);
            }
            for (i, sums) in sums.iter().enumerate() {
                for (j, &sum) in sums.iter().enumerate() {
                    let c = c.offset(i as isize * row).add(j * V::LANES);
                    if accumulate { V::load(c).add(sum) } else { sum }.store(c);
                }
            }
        }
    }
}

/// Stores a block whose columns are not whole vectors or not next to each other, by way of memory: from registers
/// it would be a branch for each, which costs the usual case as well.
///
/// # Safety
/// The target is valid for `MR` rows and `columns` columns.
#[inline(always)]
unsafe fn store_by_memory<V: Vector, const MR: usize, const NV: usize>(
    sums: &[[V; NV]; MR],
    columns: usize,
    target: Target<V::Element>,
) {
    let mut block = MaybeUninit::<[[V; NV]; MR]>::uninit();
    let block = block.as_mut_ptr().cast::<V::Element>();
    let width = NV * V::LANES;
    let Target { c, strides: [row, column], accumulate } = target;
    // SAFETY: the block holds MR × NV vectors, and all of them are written before any is read; of C only what the
    // caller promised is touched.
    unsafe {
        for (i, sums) in sums.iter().enumerate() {
            for (j, &sum) in sums.iter().enumerate() {
                sum.store(block.add(i * width + j * V::LANES));
            }
        }
        if column == 1 {
            for i in 0..MR {
                for j in (0..columns).step_by(V::LANES) {
                    let (sum, c) =
                        (V::load(block.add(i * width + j)), c.offset(i as isize * row).add(j));
                    let count = columns - j;
                    if count >= V::LANES {
                        if accumulate { V::load(c).add(sum) } else { sum }.store(c);
                    } else {
                        if accumulate { V::load_first(c, count).add(sum) } else { sum }
                            .store_first(c, count);
                    }
                }
            }
            return;
        }
        for j in 0..columns {
            let c = c.offset(j as isize * column);
            for i in 0..MR {
                target.put(c.offset(i as isize * row), *block.add(i * width + j));
            }
        }
    }
}

impl<T: Element> Target<T> {
    /// # Safety
    /// `c` is valid for reading and writing.
    #[inline(always)]
    unsafe fn put(&self, c: *mut T, sum: T) {
        // SAFETY: the caller's promise.
        unsafe { *c = if self.accumulate { *c + sum } else { sum } }
    }
}

/// `C[MR, NC] (+)= A[MR, k] · Bᵀ`, where A and Bᵀ (NC rows) are contiguous along k: one sum per lane, then the sum
/// of the lanes.
///
/// Valid memory: A, Bᵀ and C at their strides.
pub struct Dot<T, const MR: usize, const NC: usize> {
    pub k: usize,
    pub a: *const T,
    pub a_stride: isize,
    pub b: *const T,
    pub b_stride: isize,
    pub target: Target<T>,
}

impl<T: Element, V: Vector<Element = T>, const MR: usize, const NC: usize> Kernel<V>
    for Dot<T, MR, NC>
{
    #[inline(always)]
    unsafe fn run(self) {
        // SAFETY: the loads and stores are those that the fields promise.
        unsafe {
            let mut sums = [[V::splat(T::default()); NC]; MR];
            let whole = self.k - self.k % V::LANES;
            for from in (0..whole).step_by(V::LANES) {
                self.add_products(&mut sums, from, V::LANES);
            }
            if whole < self.k {
                self.add_products(&mut sums, whole, self.k - whole);
            }
            let Target { c, strides: [row, column], .. } = self.target;
            for (i, sums) in sums.iter().enumerate() {
                for (j, &sum) in sums.iter().enumerate() {
                    self.target.put(c.offset(i as isize * row + j as isize * column), sum.sum());
                }
            }
        }
    }
}

impl<T: Element, const MR: usize, const NC: usize> Dot<T, MR, NC> {
    /// Adds the products of `count` (at most LANES) elements along k to the lanes.
    ///
    /// # Safety
    /// As for the kernel; `from + count` is at most `k`.
    #[inline(always)]
    unsafe fn add_products<V: Vector<Element = T>>(
        &self,
        sums: &mut [[V; NC]; MR],
        from: usize,
        count: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let load =
                |p: *const T| if count == V::LANES { V::load(p) } else { V::load_first(p, count) };
            let mut a = [V::splat(T::default()); MR];
            for (i, a) in a.iter_mut().enumerate() {
                *a = load(self.a.offset(i as isize * self.a_stride).add(from));
            }
            for j in 0..NC {
                let b = load(self.b.offset(j as isize * self.b_stride).add(from));
                for (sums, &a) in sums.iter_mut().zip(&a) {
                    sums[j] = a.mul_add(b, sums[j]);
                }
            }
        }
    }
}
