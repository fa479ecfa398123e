//! A piece of a product for kernels that make their operands as they go: all rows times one packed panel.

use super::kernel::{Outer, Target};
use super::plan::part;
use super::tile::run;
use super::vector::{Element, Kernel, Vector};

/// `C[m, columns] (+)= A[m, k] · B[k, columns]`, with the sums of each element in the order of k.
///
/// Valid memory: A and C at their strides; of B, `k` rows of `columns` elements, filled up with numbers to the next
/// power of two of vectors. `columns` is at most [`panel_width`].
pub(crate) struct Panel<T> {
    pub m: usize,
    pub k: usize,
    pub a: *const T,
    /// Row and column stride of A.
    pub a_strides: [isize; 2],
    pub b: *const T,
    /// Row stride of B.
    pub b_stride: isize,
    pub target: Target<T>,
    pub columns: usize,
}

/// The columns of a panel for products of that many rows. Few rows need wide panels to keep enough sums in flight.
pub(crate) fn panel_width(lanes: usize, m: usize) -> usize {
    let vectors = match m {
        0 | 1 => 8,
        2 | 3 => 4,
        _ => 2,
    };
    lanes * vectors
}

impl<T: Element, V: Vector<Element = T>> Kernel<V> for Panel<T> {
    #[inline(always)]
    unsafe fn run(self) {
        let Panel { m, k, a_strides, b, b_stride, columns, .. } = self;
        let vectors = columns.div_ceil(V::LANES).next_power_of_two();
        let groups = m.div_ceil(V::ROWS);
        for group in 0..groups {
            let rows = part(group, groups, m);
            let first = rows.start as isize;
            // SAFETY: the rows are among the `m`, for which the fields promise valid memory.
            unsafe {
                let a = self.a.offset(first * a_strides[0]);
                let c = self.target.c.offset(first * self.target.strides[0]);
                let target = Target { c, ..self.target };
                run!(V::launch, Outer[rows.len(), vectors] up to V::ROWS,
                    (1: [1 2 4 8]) (2 3: [1 2 4]) (4 5 6 7 8 9 10 11 12 13 14: [1 2]) =>
                    { k, a, a_strides, b, b_stride, target, columns });
            }
        }
    }
}
