//! The logarithm and what is made of it: log, log1p, softplus.
//!
//! `x = 2^e (1 + f)` with `1 + f` in [√½, √2), so that log x = e ln 2 + log(1 + f), the latter a polynomial.

use super::{LN2_HI, LN2_LO, exp, poly};

/// The bits of the float just above √½, where the range of the mantissa starts.
const SQRT_HALF: i32 = 0x3f35_04f3;

/// `(e, f)` of a positive normal `x`.
#[inline(always)]
fn split(x: f32) -> (f32, f32) {
    let bits = (x.to_bits() as i32).wrapping_sub(SQRT_HALF);
    let mantissa = (bits & 0x007f_ffff).wrapping_add(SQRT_HALF);
    ((bits >> 23) as f32, f32::from_bits(mantissa as u32) - 1.0)
}

/// e ln 2 + log(1 + f) + `low`, for `f` in [√½ − 1, √2 − 1) and a small `low`.
#[inline(always)]
fn join(e: f32, f: f32, low: f32) -> f32 {
    // Minimax for (log(1 + f) − f + f²/2)/f³; the error of log(1 + f) is 2^-26.8 relative.
    let q = poly(
        f,
        [
            0.333_333_8,
            -0.250_008_43,
            0.199_986_68,
            -0.166_208_91,
            0.142_442_44,
            -0.132_199_14,
            0.125_378_41,
            -0.072_358_996,
        ],
    );
    let f2 = f * f;
    let tail = (f2 * f) * q + (e * LN2_LO + low);
    (f + (tail - 0.5 * f2)) + e * LN2_HI
}

/// The natural logarithm: −∞ at ±0, NaN below.
///
/// Error: at most 0.86 ulp.
#[inline(always)]
pub fn log(x: f32) -> f32 {
    let denormal = x < f32::MIN_POSITIVE;
    let scaled = if denormal { x * 8_388_608.0 } else { x };
    let (e, f) = split(scaled);
    let e = if denormal { e - 23.0 } else { e };
    let y = join(e, f, 0.0);
    finish(y, x, x)
}

/// log(1 + x), accurate near 0; keeps the sign of zero. −∞ at −1, NaN below.
///
/// Error: at most 0.89 ulp.
#[inline(always)]
pub fn log1p(x: f32) -> f32 {
    let u = 1.0 + x;
    // What was lost in rounding u, relative to u.
    let lost = if x < 1.0 { x - (u - 1.0) } else { 1.0 - (u - x) };
    let (e, f) = split(u);
    let f = if e == 0.0 { x } else { f };
    let low = if e == 0.0 { 0.0 } else { lost / u };
    let y = join(e, f, low);
    let y = finish(y, u, x);
    if x.abs() < 2e-8 { x } else { y }
}

/// `y`, unless the logarithm's argument `u` is not a positive finite number; `x` is what to give for +∞.
#[inline(always)]
fn finish(y: f32, u: f32, x: f32) -> f32 {
    let special = if u == 0.0 { f32::NEG_INFINITY } else { f32::NAN };
    let special = if u > 0.0 { x } else { special };
    if u > 0.0 && u < f32::INFINITY { y } else { special }
}

/// log(1 + e^x), computed as max(x, 0) + log(1 + e^-|x|): `x` itself for large x, e^x for very negative x.
///
/// Error: at most 1.71 ulp.
#[inline(always)]
pub fn softplus(x: f32) -> f32 {
    let z = exp(-x.abs());
    // z is in [0, 1], so 1 + z needs no splitting by bits: it is 1 + f or 2 (1 + f).
    let large = z > 0.414_213_5;
    let f = if large { 0.5 * z - 0.5 } else { z };
    let e = if large { 1.0 } else { 0.0 };
    let y = join(e, f, 0.0);
    if x > 0.0 { x + y } else { y }
}
