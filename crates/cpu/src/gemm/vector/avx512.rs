//! Vectors of AVX-512: 16 lanes of `f32`, 8 of `f64`; 32 registers.

use super::{Kernel, Vector};
use std::arch::x86_64::*;

/// The mask of the first `count` < 32 lanes.
#[inline(always)]
fn first_lanes(count: usize) -> u32 {
    (1 << count) - 1
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn launch<V, K: Kernel<V>>(kernel: K) {
    // SAFETY: the caller's promise.
    unsafe { kernel.run() }
}

/// The 4 × 4 quarters of four vectors, transposed.
///
/// # Safety
/// The machine has AVX-512.
#[inline(always)]
unsafe fn transpose_quarters([a, b, c, d]: [__m512d; 4]) -> [__m512d; 4] {
    // SAFETY: AVX-512 is there.
    unsafe {
        let even = [_mm512_shuffle_f64x2::<0x88>(a, b), _mm512_shuffle_f64x2::<0x88>(c, d)];
        let odd = [_mm512_shuffle_f64x2::<0xdd>(a, b), _mm512_shuffle_f64x2::<0xdd>(c, d)];
        [
            _mm512_shuffle_f64x2::<0x88>(even[0], even[1]),
            _mm512_shuffle_f64x2::<0x88>(odd[0], odd[1]),
            _mm512_shuffle_f64x2::<0xdd>(even[0], even[1]),
            _mm512_shuffle_f64x2::<0xdd>(odd[0], odd[1]),
        ]
    }
}

// In the blocks below the instruction set is there and pointers are valid because the caller promised so.

impl Vector for __m512 {
    type Element = f32;
    const LANES: usize = 16;
    const ROWS: usize = 14;

    #[inline(never)]
    unsafe fn launch<K: Kernel<Self>>(kernel: K) {
        // SAFETY: the caller's promise.
        unsafe { launch::<Self, K>(kernel) }
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_set1_ps(x) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self {
        // SAFETY: masked lanes are not touched.
        unsafe { _mm512_maskz_loadu_ps(first_lanes(count) as __mmask16, from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { _mm512_storeu_ps(to, self) }
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, count: usize) {
        // SAFETY: masked lanes are not touched.
        unsafe { _mm512_mask_storeu_ps(to, first_lanes(count) as __mmask16, self) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_add_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_sub_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_mul_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_fmadd_ps(self, b, c) }
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: AVX-512 is there, and with it AVX2.
        unsafe {
            let eight =
                _mm256_add_ps(_mm512_castps512_ps256(self), _mm512_extractf32x8_ps::<1>(self));
            Vector::sum(eight)
        }
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_stride: isize, to: *mut f32, to_stride: usize) {
        // SAFETY: the caller's promise covers the 16 rows read and the 16 written.
        unsafe {
            let row = |i: isize| _mm512_loadu_ps(from.offset(i * from_stride));
            let pair = |i: isize| {
                let [a, b] = [row(i), row(i + 1)];
                [_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)]
            };
            // Of four rows from `i` on, element `c` of each quarter, for `c` from 0 to 3.
            let four = |i: isize| {
                let [a, b] = [pair(i), pair(i + 2)];
                [
                    _mm512_shuffle_ps::<0x44>(a[0], b[0]),
                    _mm512_shuffle_ps::<0xee>(a[0], b[0]),
                    _mm512_shuffle_ps::<0x44>(a[1], b[1]),
                    _mm512_shuffle_ps::<0xee>(a[1], b[1]),
                ]
            };
            let fours = [four(0), four(4), four(8), four(12)];
            for c in 0..4 {
                let quarters = fours.map(|four| _mm512_castps_pd(four[c]));
                for (quarter, column) in transpose_quarters(quarters).into_iter().enumerate() {
                    let to = to.add((4 * quarter + c) * to_stride);
                    _mm512_storeu_ps(to, _mm512_castpd_ps(column));
                }
            }
        }
    }
}

impl Vector for __m512d {
    type Element = f64;
    const LANES: usize = 8;
    const ROWS: usize = 14;

    #[inline(never)]
    unsafe fn launch<K: Kernel<Self>>(kernel: K) {
        // SAFETY: the caller's promise.
        unsafe { launch::<Self, K>(kernel) }
    }

    #[inline(always)]
    unsafe fn splat(x: f64) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_set1_pd(x) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f64) -> Self {
        // SAFETY: the caller's promise.
        unsafe { _mm512_loadu_pd(from) }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f64, count: usize) -> Self {
        // SAFETY: masked lanes are not touched.
        unsafe { _mm512_maskz_loadu_pd(first_lanes(count) as __mmask8, from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        // SAFETY: the caller's promise.
        unsafe { _mm512_storeu_pd(to, self) }
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut f64, count: usize) {
        // SAFETY: masked lanes are not touched.
        unsafe { _mm512_mask_storeu_pd(to, first_lanes(count) as __mmask8, self) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_add_pd(self, other) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_sub_pd(self, other) }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_mul_pd(self, other) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_fmadd_pd(self, b, c) }
    }

    #[inline(always)]
    unsafe fn sum(self) -> f64 {
        // SAFETY: AVX-512 is there, and with it AVX2.
        unsafe {
            let four =
                _mm256_add_pd(_mm512_castpd512_pd256(self), _mm512_extractf64x4_pd::<1>(self));
            Vector::sum(four)
        }
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f64, from_stride: isize, to: *mut f64, to_stride: usize) {
        // SAFETY: the caller's promise covers the 8 rows read and the 8 written.
        unsafe {
            let row = |i: isize| _mm512_loadu_pd(from.offset(i * from_stride));
            // Of two rows from `i` on, element `c` of each quarter, for `c` 0 and 1.
            let two = |i: isize| {
                let [a, b] = [row(i), row(i + 1)];
                [_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b)]
            };
            let twos = [two(0), two(2), two(4), two(6)];
            for c in 0..2 {
                let columns = transpose_quarters(twos.map(|two| two[c]));
                for (quarter, column) in columns.into_iter().enumerate() {
                    _mm512_storeu_pd(to.add((2 * quarter + c) * to_stride), column);
                }
            }
        }
    }
}
