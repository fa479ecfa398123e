//! Sine and cosine. `x = q π/2 + r` is found in `f64`, with π/2 in two parts: that costs less than the five
//! parts it would take in `f32`, and leaves r correctly rounded even next to the zeros.

use super::{ROUND, poly};

/// Up to this magnitude [`sin`] and [`cos`] are branch-free; beyond, they call the `libm` crate.
pub const TRIG_LIMIT: f32 = 65_536.0;

/// π/2 = `PI_2_HI + PI_2_LO`. The high part has 36 significant bits, so its product with `q` is exact.
const PI_2_HI: f64 = 1.570_796_326_792_333_3;
const PI_2_LO: f64 = 2.563_344_151_594_519e-12;

/// sin(x + `turns` π/2) for |x| up to [`TRIG_LIMIT`].
#[inline(always)]
fn shifted_sin(x: f32, turns: u32) -> f32 {
    let shifted = x * std::f32::consts::FRAC_2_PI + ROUND;
    let q = f64::from(shifted - ROUND);
    let r = ((f64::from(x) - q * PI_2_HI) - q * PI_2_LO) as f32;
    let quadrant = shifted.to_bits().wrapping_add(turns);

    // Minimax for |r| <= 0.8; the errors are 2^-27.7 relative and 2^-32.7.
    let r2 = r * r;
    let sin = r + r * (r2 * poly(r2, [-0.166_666_54, 0.008_332_095, -1.950_554e-4]));
    let cos =
        1.0 - (0.5 * r2 - (r2 * r2) * poly(r2, [0.041_666_64, -0.001_388_714_2, 2.441_425_4e-5]));
    let magnitude = if quadrant & 1 == 0 { sin } else { cos };
    f32::from_bits(magnitude.to_bits() ^ ((quadrant & 2) << 30))
}

/// sin x for |x| up to [`TRIG_LIMIT`], NaN for infinities and NaN.
#[inline(always)]
pub(super) fn sin_within(x: f32) -> f32 {
    // sin x rounds to x, and this keeps the sign of zero.
    if x.abs() < 2e-4 { x } else { shifted_sin(x, 0) }
}

/// cos x for |x| up to [`TRIG_LIMIT`], NaN for infinities and NaN.
#[inline(always)]
pub(super) fn cos_within(x: f32) -> f32 {
    shifted_sin(x, 1)
}

/// Whether [`sin_within`] and [`cos_within`] do not serve for `x`.
#[inline(always)]
pub(super) fn is_beyond(x: f32) -> bool {
    x.abs() > TRIG_LIMIT && x.abs() < f32::INFINITY
}

/// sin x. NaN at ±∞.
///
/// Error: at most 1.56 ulp.
#[inline(always)]
pub fn sin(x: f32) -> f32 {
    if is_beyond(x) { libm::sin(f64::from(x)) as f32 } else { sin_within(x) }
}

/// cos x. NaN at ±∞.
///
/// Error: at most 1.55 ulp.
#[inline(always)]
pub fn cos(x: f32) -> f32 {
    if is_beyond(x) { libm::cos(f64::from(x)) as f32 } else { cos_within(x) }
}
