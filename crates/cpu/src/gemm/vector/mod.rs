//! The few vector operations that the micro-kernels are written in, for AVX-512, AVX2 and plain Rust.
//!
//! A kernel is one piece of code, generic over [`Vector`]; [`Vector::launch`] compiles it with the instruction set
//! switched on. Everything on the way from there to an intrinsic is `#[inline(always)]`, which is what lets the
//! compiler use the instructions.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Mul, Sub};

/// A number type that [`Gemm`](super::Gemm) multiplies: `f32` or `f64`.
pub trait Element:
    Copy
    + Default
    + PartialEq
    + Debug
    + Send
    + Sync
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + 'static
{
    /// The vector for [`Isa::Portable`](crate::isa::Isa::Portable).
    type Portable: Vector<Element = Self>;
    /// The vector for [`Isa::Avx2`](crate::isa::Isa::Avx2).
    type Avx2: Vector<Element = Self>;
    /// The vector for [`Isa::Avx512`](crate::isa::Isa::Avx512).
    type Avx512: Vector<Element = Self>;
}

impl Element for f32 {
    type Portable = [f32; 4];
    #[cfg(target_arch = "x86_64")]
    type Avx2 = std::arch::x86_64::__m256;
    #[cfg(target_arch = "x86_64")]
    type Avx512 = std::arch::x86_64::__m512;
    #[cfg(not(target_arch = "x86_64"))]
    type Avx2 = [f32; 4];
    #[cfg(not(target_arch = "x86_64"))]
    type Avx512 = [f32; 4];
}

impl Element for f64 {
    type Portable = [f64; 2];
    #[cfg(target_arch = "x86_64")]
    type Avx2 = std::arch::x86_64::__m256d;
    #[cfg(target_arch = "x86_64")]
    type Avx512 = std::arch::x86_64::__m512d;
    #[cfg(not(target_arch = "x86_64"))]
    type Avx2 = [f64; 2];
    #[cfg(not(target_arch = "x86_64"))]
    type Avx512 = [f64; 2];
}

/// Code that runs on vectors of type `V`, with the instruction set of `V` switched on.
pub trait Kernel<V> {
    /// Runs the kernel; to be marked `#[inline(always)]`.
    ///
    /// # Safety
    /// The machine has the instruction set of `V`; what the kernel points to is valid, as the kernel says.
    unsafe fn run(self);
}

/// A vector register.
///
/// # Safety
/// All methods: the machine has the instruction set of the vector; pointers are valid for what is read or written.
pub trait Vector: Copy {
    /// What a lane holds.
    type Element: Element;
    /// The number of lanes.
    const LANES: usize;
    /// The most rows of a block of sums two vectors wide that stays in registers, beside a row of B and an element of A.
    const ROWS: usize;

    /// Compiles the kernel with the instruction set on, as a function of its own, and runs it.
    unsafe fn launch<K: Kernel<Self>>(kernel: K);
    unsafe fn splat(x: Self::Element) -> Self;
    unsafe fn load(from: *const Self::Element) -> Self;
    /// Loads the first `count < LANES` lanes; the others are 0 and their memory is not touched.
    unsafe fn load_first(from: *const Self::Element, count: usize) -> Self;
    unsafe fn store(self, to: *mut Self::Element);
    /// Stores the first `count < LANES` lanes; the memory of the others is not touched.
    unsafe fn store_first(self, to: *mut Self::Element, count: usize);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    /// `self * b + c`, in one rounding where the instruction set has it.
    unsafe fn mul_add(self, b: Self, c: Self) -> Self;
    /// The sum of the lanes, by halves: lane i + lane (i + LANES/2) first.
    unsafe fn sum(self) -> Self::Element;
    /// Transposes a block of LANES × LANES: row i starts at `from + i·from_stride`, and becomes column i of `to`.
    unsafe fn transpose(
        from: *const Self::Element,
        from_stride: isize,
        to: *mut Self::Element,
        to_stride: usize,
    );
}

impl<T: Element<Portable = [T; N]>, const N: usize> Vector for [T; N] {
    type Element = T;
    const LANES: usize = N;
    const ROWS: usize = 6;

    #[inline(never)]
    unsafe fn launch<K: Kernel<Self>>(kernel: K) {
        // SAFETY: the caller's promise.
        unsafe { kernel.run() }
    }

    #[inline(always)]
    unsafe fn splat(x: T) -> Self {
        [x; N]
    }

    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: N elements are readable, as the caller promised; alignment is not needed.
        unsafe { from.cast::<Self>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const T, count: usize) -> Self {
        // SAFETY: only the first `count` elements are read.
        std::array::from_fn(|i| if i < count { unsafe { *from.add(i) } } else { T::default() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: N elements are writable, as the caller promised.
        unsafe { to.cast::<Self>().write_unaligned(self) }
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut T, count: usize) {
        for (i, x) in self.into_iter().enumerate().take(count) {
            // SAFETY: only the first `count` elements are written.
            unsafe { *to.add(i) = x }
        }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] + other[i])
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] - other[i])
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] * other[i])
    }

    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        std::array::from_fn(|i| self[i] * b[i] + c[i])
    }

    #[inline(always)]
    unsafe fn sum(mut self) -> T {
        let mut half = N / 2;
        while half > 0 {
            for i in 0..half {
                self[i] += self[i + half];
            }
            half /= 2;
        }
        self[0]
    }

    #[inline(always)]
    unsafe fn transpose(from: *const T, from_stride: isize, to: *mut T, to_stride: usize) {
        for i in 0..N {
            for j in 0..N {
                // SAFETY: element (i, j) of both blocks is valid, as the caller promised.
                unsafe {
                    *to.add(j * to_stride + i) = *from.offset(i as isize * from_stride).add(j)
                }
            }
        }
    }
}
