//! The exponential and what is made of it: exp, expm1, sigmoid, tanh.
//!
//! All start from `x = n ln 2 + r` with integer `n` and `|r| <= (ln 2)/2`, where e^r − 1 is a polynomial.

use super::{LN2_HI, LN2_LO, ROUND, poly};

/// The bits of 1.0. Adding `n << 23` to them gives 2^n, for `n` in -126..=127.
const ONE: u32 = 0x3f80_0000;

/// `(n, e^r − 1)` where `x = n ln 2 + r`, with `n` in the low nine bits of the integer; for `|x| < 127`. A NaN comes out
/// in the second part.
#[inline(always)]
fn reduced(x: f32) -> (u32, f32) {
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN2_HI) - n * LN2_LO;
    // Minimax for (e^r − 1 − r)/r² on |r| <= 0.3468; the error of e^r − 1 is 2^-26.1 relative.
    let p = poly(r, [0.499_999_97, 0.166_665_43, 0.041_667_502, 0.008_366_545, 0.001_386_458]);
    (shifted.to_bits(), r + (r * r) * p)
}

/// e^x. Overflows to infinity above 88.72284, and is 0 below −103.98.
///
/// Error: at most 1.04 ulp.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let t = if x > 89.0 { 89.0 } else { x };
    let t = if t < -104.0 { -104.0 } else { t };
    let (n, p) = reduced(t);
    // 2^n in two factors, 2^⌊n/2⌋ and the rest, as n = 128 and n < -126 have no float.
    let half = (n << 22) & 0xff80_0000;
    let rest = (n << 23).wrapping_sub(half);
    let rest = f32::from_bits(rest.wrapping_add(ONE));
    // Zero without an underflow on the way, for which processors may take a hundred cycles: such arguments are
    // common, as masked-out logits.
    let rest = if x < -104.0 { 0.0 } else { rest };
    ((1.0 + p) * f32::from_bits(half.wrapping_add(ONE))) * rest
}

/// e^x − 1, accurate near 0; keeps the sign of zero.
///
/// Error: at most 1.81 ulp.
#[inline(always)]
pub fn expm1(x: f32) -> f32 {
    let t = if x > 89.0 { 89.0 } else { x };
    let t = if t < -18.0 { -18.0 } else { t };
    let (n, p) = reduced(t);
    // Half the result, as 2^128 has no float.
    let scale = f32::from_bits((n.wrapping_sub(1) << 23).wrapping_add(ONE));
    let y = 2.0 * (p * scale + (scale - 0.5));
    if x.abs() < 2e-8 { x } else { y }
}

/// 1 / (1 + e^-x). Exactly 0.5 at 0; never overflows on the way.
///
/// Error: at most 2.41 ulp.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    let z = exp(-x.abs());
    let numerator = if x < 0.0 { z } else { 1.0 };
    numerator / (1.0 + z)
}

/// tanh x = (e^x − e^-x) / (e^x + e^-x). Odd, keeps the sign of zero, and is ±1 from |x| = 9.02 on.
///
/// Error: at most 2.5 ulp.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let t = -2.0 * x.abs();
    let t = if t < -20.0 { -20.0 } else { t };
    let (n, p) = reduced(t);
    let scale = f32::from_bits((n << 23).wrapping_add(ONE));
    let m = p * scale + (scale - 1.0);
    (-m / (2.0 + m)).copysign(x)
}
