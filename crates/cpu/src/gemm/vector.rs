//! The few vector operations that the micro-kernels are written in, for AVX2 and for plain Rust.
//!
//! A kernel is one piece of code, generic over [`Vector`]; [`Vector::launch`] compiles it with the instruction set
//! switched on. Everything on the way from there to an intrinsic is `#[inline(always)]`, which is what lets the
//! compiler use the instructions.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Mul};

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
    + Mul<Output = Self>
    + 'static
{
    /// The vector for [`Isa::Portable`](crate::isa::Isa::Portable).
    type Portable: Vector<Element = Self>;
    /// The vector for [`Isa::Avx2`](crate::isa::Isa::Avx2).
    type Avx2: Vector<Element = Self>;
}

impl Element for f32 {
    type Portable = [f32; 4];
    #[cfg(target_arch = "x86_64")]
    type Avx2 = std::arch::x86_64::__m256;
    #[cfg(not(target_arch = "x86_64"))]
    type Avx2 = [f32; 4];
}

impl Element for f64 {
    type Portable = [f64; 2];
    #[cfg(target_arch = "x86_64")]
    type Avx2 = std::arch::x86_64::__m256d;
    #[cfg(not(target_arch = "x86_64"))]
    type Avx2 = [f64; 2];
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

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{Kernel, Vector};
    use std::arch::x86_64::*;

    /// The mask of the first `count` ≤ 8 lanes of 32 bits.
    ///
    /// # Safety
    /// The machine has AVX2.
    #[inline(always)]
    unsafe fn first_lanes(count: usize) -> __m256i {
        const MASK: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
        // SAFETY: 8 elements from place 8 - `count` lie within the table.
        unsafe { _mm256_loadu_si256(MASK.as_ptr().add(8 - count).cast()) }
    }

    #[target_feature(enable = "avx2,fma")]
    unsafe fn launch<V, K: Kernel<V>>(kernel: K) {
        // SAFETY: the caller's promise.
        unsafe { kernel.run() }
    }

    // In the blocks below the instruction set is there and pointers are valid because the caller promised so.

    impl Vector for __m256 {
        type Element = f32;
        const LANES: usize = 8;

        #[inline(never)]
        unsafe fn launch<K: Kernel<Self>>(kernel: K) {
            // SAFETY: the caller's promise.
            unsafe { launch::<Self, K>(kernel) }
        }

        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            // SAFETY: AVX2 is there.
            unsafe { _mm256_set1_ps(x) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller's promise.
            unsafe { _mm256_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn load_first(from: *const f32, count: usize) -> Self {
            // SAFETY: masked lanes are not read.
            unsafe { _mm256_maskload_ps(from, first_lanes(count)) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe { _mm256_storeu_ps(to, self) }
        }

        #[inline(always)]
        unsafe fn store_first(self, to: *mut f32, count: usize) {
            // Masked stores are slow on many machines.
            // SAFETY: `count` elements are written: 4, 2 and 1 of them as its bits say.
            unsafe {
                let (mut to, mut rest) = (to, _mm256_castps256_ps128(self));
                if count & 4 != 0 {
                    _mm_storeu_ps(to, rest);
                    (to, rest) = (to.add(4), _mm256_extractf128_ps::<1>(self));
                }
                if count & 2 != 0 {
                    _mm_storel_pd(to.cast(), _mm_castps_pd(rest));
                    (to, rest) = (to.add(2), _mm_movehl_ps(rest, rest));
                }
                if count & 1 != 0 {
                    _mm_store_ss(to, rest);
                }
            }
        }

        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            // SAFETY: AVX2 is there.
            unsafe { _mm256_add_ps(self, other) }
        }

        #[inline(always)]
        unsafe fn mul_add(self, b: Self, c: Self) -> Self {
            // SAFETY: FMA is there.
            unsafe { _mm256_fmadd_ps(self, b, c) }
        }

        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            // SAFETY: AVX2 is there.
            unsafe {
                let four =
                    _mm_add_ps(_mm256_castps256_ps128(self), _mm256_extractf128_ps::<1>(self));
                let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
                _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
            }
        }

        #[inline(always)]
        unsafe fn transpose(from: *const f32, from_stride: isize, to: *mut f32, to_stride: usize) {
            // SAFETY: the caller's promise covers the 8 rows read and the 8 written.
            unsafe {
                let row = |i: isize| _mm256_loadu_ps(from.offset(i * from_stride));
                let low = |i| _mm256_unpacklo_ps(row(i), row(i + 1));
                let high = |i| _mm256_unpackhi_ps(row(i), row(i + 1));
                let pairs =
                    [[low(0), low(2), low(4), low(6)], [high(0), high(2), high(4), high(6)]];
                for (i, p) in pairs.into_iter().enumerate() {
                    let fours = [
                        [
                            _mm256_shuffle_ps::<0x44>(p[0], p[1]),
                            _mm256_shuffle_ps::<0x44>(p[2], p[3]),
                        ],
                        [
                            _mm256_shuffle_ps::<0xee>(p[0], p[1]),
                            _mm256_shuffle_ps::<0xee>(p[2], p[3]),
                        ],
                    ];
                    for (j, [first, second]) in fours.into_iter().enumerate() {
                        let column = to.add((2 * i + j) * to_stride);
                        _mm256_storeu_ps(column, _mm256_permute2f128_ps::<0x20>(first, second));
                        _mm256_storeu_ps(
                            column.add(4 * to_stride),
                            _mm256_permute2f128_ps::<0x31>(first, second),
                        );
                    }
                }
            }
        }
    }

    impl Vector for __m256d {
        type Element = f64;
        const LANES: usize = 4;

        #[inline(never)]
        unsafe fn launch<K: Kernel<Self>>(kernel: K) {
            // SAFETY: the caller's promise.
            unsafe { launch::<Self, K>(kernel) }
        }

        #[inline(always)]
        unsafe fn splat(x: f64) -> Self {
            // SAFETY: AVX2 is there.
            unsafe { _mm256_set1_pd(x) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f64) -> Self {
            // SAFETY: the caller's promise.
            unsafe { _mm256_loadu_pd(from) }
        }

        #[inline(always)]
        unsafe fn load_first(from: *const f64, count: usize) -> Self {
            // SAFETY: masked lanes are not read.
            unsafe { _mm256_maskload_pd(from, first_lanes(2 * count)) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f64) {
            // SAFETY: the caller's promise.
            unsafe { _mm256_storeu_pd(to, self) }
        }

        #[inline(always)]
        unsafe fn store_first(self, to: *mut f64, count: usize) {
            // SAFETY: `count` elements are written: 2 and 1 of them as its bits say.
            unsafe {
                let (mut to, mut rest) = (to, _mm256_castpd256_pd128(self));
                if count & 2 != 0 {
                    _mm_storeu_pd(to, rest);
                    (to, rest) = (to.add(2), _mm256_extractf128_pd::<1>(self));
                }
                if count & 1 != 0 {
                    _mm_store_sd(to, rest);
                }
            }
        }

        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            // SAFETY: AVX2 is there.
            unsafe { _mm256_add_pd(self, other) }
        }

        #[inline(always)]
        unsafe fn mul_add(self, b: Self, c: Self) -> Self {
            // SAFETY: FMA is there.
            unsafe { _mm256_fmadd_pd(self, b, c) }
        }

        #[inline(always)]
        unsafe fn sum(self) -> f64 {
            // SAFETY: AVX2 is there.
            unsafe {
                let two =
                    _mm_add_pd(_mm256_castpd256_pd128(self), _mm256_extractf128_pd::<1>(self));
                _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)))
            }
        }

        #[inline(always)]
        unsafe fn transpose(from: *const f64, from_stride: isize, to: *mut f64, to_stride: usize) {
            // SAFETY: the caller's promise covers the 4 rows read and the 4 written.
            unsafe {
                let row = |i: isize| _mm256_loadu_pd(from.offset(i * from_stride));
                let low = [_mm256_unpacklo_pd(row(0), row(1)), _mm256_unpacklo_pd(row(2), row(3))];
                let high = [_mm256_unpackhi_pd(row(0), row(1)), _mm256_unpackhi_pd(row(2), row(3))];
                for (i, [first, second]) in [low, high].into_iter().enumerate() {
                    let column = to.add(i * to_stride);
                    _mm256_storeu_pd(column, _mm256_permute2f128_pd::<0x20>(first, second));
                    _mm256_storeu_pd(
                        column.add(2 * to_stride),
                        _mm256_permute2f128_pd::<0x31>(first, second),
                    );
                }
            }
        }
    }
}
