//! Vectors of AVX2: 8 lanes of `f32`, 4 of `f64`; 16 registers.

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
    const ROWS: usize = 6;

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
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_sub_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_mul_ps(self, other) }
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
            let four = _mm_add_ps(_mm256_castps256_ps128(self), _mm256_extractf128_ps::<1>(self));
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
            let pairs = [[low(0), low(2), low(4), low(6)], [high(0), high(2), high(4), high(6)]];
            for (i, p) in pairs.into_iter().enumerate() {
                let fours = [
                    [_mm256_shuffle_ps::<0x44>(p[0], p[1]), _mm256_shuffle_ps::<0x44>(p[2], p[3])],
                    [_mm256_shuffle_ps::<0xee>(p[0], p[1]), _mm256_shuffle_ps::<0xee>(p[2], p[3])],
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
    const ROWS: usize = 6;

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
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_sub_pd(self, other) }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_mul_pd(self, other) }
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
            let two = _mm_add_pd(_mm256_castpd256_pd128(self), _mm256_extractf128_pd::<1>(self));
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
