//! The transcendental functions of the kernels, for `f32`: plain Rust without a branch in it ([`pow`] and
//! huge arguments of [`sin`] and [`cos`] aside), so that a `for` loop over a slice becomes vector code on whatever
//! instruction set it is compiled for. Every function is built from IEEE
//! `+ - * /`, bit patterns and selects only (no fused multiply-add, no platform math library), so all targets and all
//! [instruction sets](crate::isa::Isa) give the same bits.
//!
//! Errors are measured against the `libm` crate's `f64` functions over **all** `f32` inputs, in units in the last
//! place (ulp) of the exact result rounded to `f32`; `tests.rs` asserts them. NaN in gives NaN out (only its payload is
//! unspecified), and results in the denormal range are computed, not flushed to zero.
//!
//! | function | largest error, ulp | | function | largest error, ulp |
//! |---|---|---|---|---|
//! | [`exp`] | 1.04 | | [`sigmoid`] | 2.41 |
//! | [`expm1`] | 1.81 | | [`tanh`] | 2.5 |
//! | [`log`] | 0.86 | | [`erf`] | 2.85 |
//! | [`log1p`] | 0.89 | | [`softplus`] | 1.71 |
//! | [`sin`] | 1.56 | | [`cos`] | 1.55 |
//! | [`sqrt`] | 0.5 | | | |
//!
//! [`kernels`] holds the loops over arrays. The `f64` functions are those of the reference executor,
//! [`Unary::float`](thalweg_graph::ops::Unary::float).

mod erf;
mod exp;
mod log;
mod power;
#[cfg(test)]
mod tests;
mod trig;

pub mod kernels;

pub use erf::erf;
pub use exp::{exp, expm1, sigmoid, tanh};
pub use log::{log, log1p, softplus};
pub use power::{pow, sqrt};
pub use trig::{TRIG_LIMIT, cos, sin};

/// ln 2 = `LN2_HI + LN2_LO`. The high part has 9 significant bits, so its product with any exponent is exact.
const LN2_HI: f32 = 355.0 / 512.0;
const LN2_LO: f32 = -2.121_944_4e-4;

/// 1.5 · 2^23. Adding it to `|x| < 2^22` rounds `x` to an integer (ties to even), which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;

/// The polynomial with coefficients `c`, lowest degree first, at `x`, by Horner's rule.
#[inline(always)]
fn horner<const N: usize>(x: f32, c: [f32; N]) -> f32 {
    let mut y = c[N - 1];
    for i in (0..N - 1).rev() {
        y = y * x + c[i];
    }
    y
}

/// As [`horner`], by Horner's rule in x² on the even and on the odd coefficients. This halves the latency, which is what
/// bounds the loops; it is for polynomials that add little to the rounding error of the result.
#[inline(always)]
fn poly<const N: usize>(x: f32, c: [f32; N]) -> f32 {
    let x2 = x * x;
    let mut parts = [c[N - 1], c[N - 2]];
    for i in (0..N - 2).rev() {
        let part = &mut parts[(N - 1 - i) % 2];
        *part = *part * x2 + c[i];
    }
    let [last, other] = parts;
    if N % 2 == 1 { last + x * other } else { other + x * last }
}
