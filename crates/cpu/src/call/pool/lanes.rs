//! What pooling needs of a vector of `f32` beyond arithmetic: comparison, choice, and every second element.

use crate::gemm::Vector;

/// # Safety
/// All methods: the machine has the instruction set of the vector.
pub trait Lanes: Vector<Element = f32> {
    /// A truth value per lane.
    type Mask: Copy;

    /// Where `self` is greater than the best element so far; NaN is greater than all.
    unsafe fn beats(self, best: Self) -> Self::Mask;
    /// `yes` where the mask is set, else `no`.
    unsafe fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
    /// The elements at even places of two vectors one after the other, and those at odd places.
    unsafe fn unzip(first: Self, second: Self) -> [Self; 2];
    /// Two vectors one after the other whose elements at even places are those of `even`, at odd places those of `odd`.
    unsafe fn zip(even: Self, odd: Self) -> [Self; 2];
}

impl Lanes for [f32; 4] {
    type Mask = [bool; 4];

    #[inline(always)]
    unsafe fn beats(self, best: Self) -> [bool; 4] {
        std::array::from_fn(|i| !best[i].is_nan() & ((self[i] > best[i]) | self[i].is_nan()))
    }

    #[inline(always)]
    unsafe fn select(mask: [bool; 4], yes: Self, no: Self) -> Self {
        std::array::from_fn(|i| if mask[i] { yes[i] } else { no[i] })
    }

    #[inline(always)]
    unsafe fn unzip(a: Self, b: Self) -> [Self; 2] {
        [[a[0], a[2], b[0], b[2]], [a[1], a[3], b[1], b[3]]]
    }

    #[inline(always)]
    unsafe fn zip(a: Self, b: Self) -> [Self; 2] {
        [[a[0], b[0], a[1], b[1]], [a[2], b[2], a[3], b[3]]]
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Lanes;
    use std::arch::x86_64::*;

    // In the blocks below the instruction set is there because the caller promised so.

    impl Lanes for __m256 {
        type Mask = __m256;

        #[inline(always)]
        unsafe fn beats(self, best: Self) -> __m256 {
            // SAFETY: AVX2 is there.
            unsafe {
                // Not less or equal: greater, or one is NaN.
                let takes = _mm256_cmp_ps::<_CMP_NLE_UQ>(self, best);
                _mm256_and_ps(takes, _mm256_cmp_ps::<_CMP_ORD_Q>(best, best))
            }
        }

        #[inline(always)]
        unsafe fn select(mask: __m256, yes: Self, no: Self) -> Self {
            // SAFETY: AVX2 is there.
            unsafe { _mm256_blendv_ps(no, yes, mask) }
        }

        #[inline(always)]
        unsafe fn unzip(first: Self, second: Self) -> [Self; 2] {
            // SAFETY: AVX2 is there.
            unsafe {
                let order = |x| {
                    let x = _mm256_castps_pd(x);
                    _mm256_castpd_ps(_mm256_permute4x64_pd::<0b11_01_10_00>(x))
                };
                [
                    order(_mm256_shuffle_ps::<0x88>(first, second)),
                    order(_mm256_shuffle_ps::<0xdd>(first, second)),
                ]
            }
        }

        #[inline(always)]
        unsafe fn zip(even: Self, odd: Self) -> [Self; 2] {
            // SAFETY: AVX2 is there.
            unsafe {
                let (low, high) = (_mm256_unpacklo_ps(even, odd), _mm256_unpackhi_ps(even, odd));
                [
                    _mm256_permute2f128_ps::<0x20>(low, high),
                    _mm256_permute2f128_ps::<0x31>(low, high),
                ]
            }
        }
    }

    /// Every second of 32 places, from `first` on.
    const fn every_second(first: i32) -> [i32; 16] {
        let mut places = [0; 16];
        let mut i = 0;
        while i < 16 {
            places[i] = first + 2 * i as i32;
            i += 1;
        }
        places
    }

    /// Places of two vectors of 16 in turn, from `first` on.
    const fn in_turn(first: i32) -> [i32; 16] {
        let mut places = [0; 16];
        let mut i = 0;
        while i < 16 {
            places[i] = first + i as i32 / 2 + 16 * (i as i32 % 2);
            i += 1;
        }
        places
    }

    const EVEN: [i32; 16] = every_second(0);
    const ODD: [i32; 16] = every_second(1);
    const LOW: [i32; 16] = in_turn(0);
    const HIGH: [i32; 16] = in_turn(8);

    /// # Safety
    /// The machine has AVX-512.
    #[inline(always)]
    unsafe fn pick(places: &[i32; 16], a: __m512, b: __m512) -> __m512 {
        // SAFETY: AVX-512 is there; the table has 16 places.
        unsafe { _mm512_permutex2var_ps(a, _mm512_loadu_si512(places.as_ptr().cast()), b) }
    }

    impl Lanes for __m512 {
        type Mask = __mmask16;

        #[inline(always)]
        unsafe fn beats(self, best: Self) -> __mmask16 {
            // SAFETY: AVX-512 is there.
            unsafe {
                let ordered = _mm512_cmp_ps_mask::<_CMP_ORD_Q>(best, best);
                // Not less or equal: greater, or one is NaN.
                _mm512_mask_cmp_ps_mask::<_CMP_NLE_UQ>(ordered, self, best)
            }
        }

        #[inline(always)]
        unsafe fn select(mask: __mmask16, yes: Self, no: Self) -> Self {
            // SAFETY: AVX-512 is there.
            unsafe { _mm512_mask_blend_ps(mask, no, yes) }
        }

        #[inline(always)]
        unsafe fn unzip(first: Self, second: Self) -> [Self; 2] {
            // SAFETY: AVX-512 is there.
            unsafe { [pick(&EVEN, first, second), pick(&ODD, first, second)] }
        }

        #[inline(always)]
        unsafe fn zip(even: Self, odd: Self) -> [Self; 2] {
            // SAFETY: AVX-512 is there.
            unsafe { [pick(&LOW, even, odd), pick(&HIGH, even, odd)] }
        }
    }
}
