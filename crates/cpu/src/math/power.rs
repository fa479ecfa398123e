//! Powers: those that IEEE arithmetic gives, and the general one.

/// √x, correctly rounded; NaN below 0.
#[inline(always)]
pub fn sqrt(x: f32) -> f32 {
    x.sqrt()
}

/// x^y by the `libm` crate in `f64`, rounded: one call per element, not vectorised. Special cases as in IEEE 754 `pow`
/// (x^0 = 1 and 1^y = 1 even for NaN).
#[inline(always)]
pub fn pow(x: f32, y: f32) -> f32 {
    libm::pow(f64::from(x), f64::from(y)) as f32
}
