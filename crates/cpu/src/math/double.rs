//! The same functions for `f64`, by the `libm` crate: scalar code, the same bits on every target.

/// e^x.
#[inline(always)]
pub fn exp(x: f64) -> f64 {
    libm::exp(x)
}

/// e^x − 1, accurate near 0.
#[inline(always)]
pub fn expm1(x: f64) -> f64 {
    libm::expm1(x)
}

/// The natural logarithm.
#[inline(always)]
pub fn log(x: f64) -> f64 {
    libm::log(x)
}

/// log(1 + x), accurate near 0.
#[inline(always)]
pub fn log1p(x: f64) -> f64 {
    libm::log1p(x)
}

/// The hyperbolic tangent.
#[inline(always)]
pub fn tanh(x: f64) -> f64 {
    libm::tanh(x)
}

/// 1 / (1 + e^-x), without overflow on the way.
#[inline(always)]
pub fn sigmoid(x: f64) -> f64 {
    let z = libm::exp(-x.abs());
    let numerator = if x < 0.0 { z } else { 1.0 };
    numerator / (1.0 + z)
}

/// The error function.
#[inline(always)]
pub fn erf(x: f64) -> f64 {
    libm::erf(x)
}

/// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|).
#[inline(always)]
pub fn softplus(x: f64) -> f64 {
    let y = libm::log1p(libm::exp(-x.abs()));
    if x > 0.0 { x + y } else { y }
}

/// The sine.
#[inline(always)]
pub fn sin(x: f64) -> f64 {
    libm::sin(x)
}

/// The cosine.
#[inline(always)]
pub fn cos(x: f64) -> f64 {
    libm::cos(x)
}

/// x^y.
#[inline(always)]
pub fn pow(x: f64, y: f64) -> f64 {
    libm::pow(x, y)
}

/// √x, correctly rounded.
#[inline(always)]
pub fn sqrt(x: f64) -> f64 {
    x.sqrt()
}

/// 1/x, correctly rounded.
#[inline(always)]
pub fn recip(x: f64) -> f64 {
    1.0 / x
}

/// 1/√x: the two correctly rounded operations one after the other.
#[inline(always)]
pub fn rsqrt(x: f64) -> f64 {
    1.0 / x.sqrt()
}
