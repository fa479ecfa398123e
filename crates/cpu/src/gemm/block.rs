//! Products of a few dozen rows and columns, as steps of a larger kernel: no plan, no packing but of what is not whole
//! vectors.

use super::kernel::{Outer, Target};
use super::pack::PackB;
use super::tile::run;
use super::vector::{Element, Kernel, Vector};
use crate::isa::Isa;

/// Runs a kernel on the vectors of an instruction set.
///
/// # Safety
/// The kernel's promises; the machine has the instruction set.
pub(crate) unsafe fn launch<T: Element>(isa: Isa, kernel: impl AnyKernel<T>) {
    // SAFETY: the caller's promise.
    unsafe {
        match isa {
            Isa::Portable => T::Portable::launch(kernel),
            Isa::Avx2 => T::Avx2::launch(kernel),
            Isa::Avx512 => T::Avx512::launch(kernel),
        }
    }
}

/// A kernel for every instruction set.
pub(crate) trait AnyKernel<T: Element>:
    Kernel<T::Portable> + Kernel<T::Avx2> + Kernel<T::Avx512>
{
}

impl<T: Element, K: Kernel<T::Portable> + Kernel<T::Avx2> + Kernel<T::Avx512>> AnyKernel<T> for K {}

/// `C[m, n] (+)= A[m, k] · B[k, n]`, with the sums of each element in the order of k; rows of B and C are contiguous.
///
/// Valid memory: A, B and C at their strides. Where `n` is not a multiple of [`Block::WIDTH`], rows of B hold whole
/// vectors, or `spare` has [`Block::spare_len`] elements.
pub(crate) struct Block<T> {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a: *const T,
    /// Row and column stride of A.
    pub a_strides: [isize; 2],
    pub b: *const T,
    pub b_stride: isize,
    pub c: *mut T,
    pub c_stride: isize,
    /// Add to what is there.
    pub accumulate: bool,
    /// Room for the last columns of B.
    pub spare: *mut T,
}

/// Vectors side by side in a micro-kernel.
const VECTORS: usize = 2;

impl<T> Block<T> {
    /// Elements of spare memory that a product of `k` columns of A needs, whatever the vectors.
    pub fn spare_len(k: usize) -> usize {
        k * VECTORS * super::ALIGN
    }
}

impl<T: Element, V: Vector<Element = T>> Kernel<V> for Block<T> {
    #[inline(always)]
    unsafe fn run(self) {
        let Block { m, n, k, a, a_strides, c_stride, accumulate, .. } = self;
        // Groups of rows, equal to within one, the larger ones first.
        let groups = m.div_ceil(V::ROWS).max(1);
        let (size, larger) = (m / groups, m % groups);
        let width = VECTORS * V::LANES;
        for column in (0..n).step_by(width) {
            let columns = width.min(n - column);
            let vectors = columns.div_ceil(V::LANES);
            // SAFETY: rows and columns are within the product; what is not whole vectors goes by the spare memory.
            unsafe {
                let mut b = (self.b.add(column), self.b_stride);
                if !columns.is_multiple_of(V::LANES) {
                    let padded = vectors * V::LANES;
                    let (from, to) = (b.0, self.spare);
                    let strides = [self.b_stride, 1];
                    Kernel::<V>::run(PackB {
                        k,
                        columns,
                        b: from,
                        strides,
                        padded,
                        width: padded,
                        to,
                    });
                    b = (to, padded as isize);
                }
                let mut next = 0;
                for group in 0..groups.min(m) {
                    let rows = size + usize::from(group < larger);
                    let first = next as isize;
                    next += rows;
                    let (a, b, b_stride) = (a.offset(first * a_strides[0]), b.0, b.1);
                    let c = self.c.offset(first * c_stride).add(column);
                    let target = Target { c, strides: [c_stride, 1], accumulate };
                    run!(V::launch, Outer[rows, vectors] up to V::ROWS,
                        (1 2 3 4 5 6 7 8 9 10 11 12 13 14: [1 2]) =>
                        { k, a, a_strides, b, b_stride, target, columns });
                }
            }
        }
    }
}
