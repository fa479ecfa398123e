//! The product that a recurrence makes at every step: many times with the same matrix on the right, which is packed once.

use std::ops::Range;

use super::number::Number;
use crate::gemm::{Element, Kernel, Outer, PackB, Target, Vector, part};
use crate::isa::Isa;

/// Vectors of a panel.
const VECTORS: usize = 2;
/// Rows of a panel that are multiplied before the next ones: they stay in the first-level cache while the rows of the
/// left matrix pass by.
const DEPTH: usize = 128;

/// Columns of a panel of packed columns.
pub fn width<T: Number>(isa: Isa) -> usize {
    VECTORS * T::lanes(isa)
}

/// Columns of a matrix of `k` rows, to be copied to a panel.
///
/// Valid memory: the columns at their strides; `k` rows of [`width`] elements of `to`.
pub struct Pack<T> {
    pub k: usize,
    pub columns: usize,
    pub from: *const T,
    /// Row and column stride.
    pub strides: [isize; 2],
    pub to: *mut T,
}

impl<T: Element, V: Vector<Element = T>> Kernel<V> for Pack<T> {
    #[inline(always)]
    unsafe fn run(self) {
        let Self { k, columns, from, strides, to } = self;
        let width = VECTORS * V::LANES;
        // SAFETY: the fields' promises.
        unsafe { V::launch(PackB { k, columns, b: from, strides, padded: width, width, to }) }
    }
}

/// `C[rows, columns] (+)= A[rows, k] · panel`: each sum in the order of k, in stretches of [`DEPTH`].
///
/// Valid memory: the rows of A and C, which are contiguous; the panel, as [`Pack`] leaves it.
pub struct Product<T> {
    pub rows: Range<usize>,
    pub k: usize,
    pub a: *const T,
    /// Elements from one row of A to the next.
    pub a_stride: usize,
    pub panel: *const T,
    pub columns: usize,
    pub c: *mut T,
    /// Elements from one row of C to the next.
    pub c_stride: usize,
    pub accumulate: bool,
}

/// Calls the kernel of that many rows.
macro_rules! rows {
    ($V:ty, $rows:expr, $($R:literal)+ => $fields:tt) => {
        match $rows {
            $($R if $R <= <$V>::ROWS => <$V>::launch(Outer::<_, $R, VECTORS> $fields),)+
            rows => unreachable!("no kernel of {rows} rows"),
        }
    };
}

impl<T: Element> Product<T> {
    /// # Safety
    /// The fields' promises; the machine has the instruction set of `V`.
    #[inline(always)]
    pub unsafe fn run<V: Vector<Element = T>>(self) {
        let groups = self.rows.len().div_ceil(V::ROWS);
        let width = VECTORS * V::LANES;
        for from in (0..self.k).step_by(DEPTH) {
            let k = DEPTH.min(self.k - from);
            let accumulate = self.accumulate || from > 0;
            for group in 0..groups {
                let rows = part(group, groups, self.rows.len());
                let first = self.rows.start + rows.start;
                // SAFETY: rows and stretches of k are those of the product.
                unsafe {
                    let a = self.a.add(first * self.a_stride + from);
                    let b = self.panel.add(from * width);
                    let c = self.c.add(first * self.c_stride);
                    let target = Target { c, strides: [self.c_stride as isize, 1], accumulate };
                    rows!(V, rows.len(), 1 2 3 4 5 6 7 8 9 10 11 12 13 14 => {
                        k, a, a_strides: [self.a_stride as isize, 1], b, b_stride: width as isize,
                        target, columns: self.columns
                    });
                }
            }
        }
        if self.k == 0 && !self.accumulate {
            for row in self.rows {
                // SAFETY: a row of the product; there is nothing to add up.
                unsafe {
                    std::slice::from_raw_parts_mut(self.c.add(row * self.c_stride), self.columns)
                        .fill(T::default())
                }
            }
        }
    }
}
