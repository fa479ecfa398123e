//! The error function, in two polynomials: one for |x| < 1.5, one for the rest up to 4, where it has reached 1.

use super::{horner, poly};

/// erf x = 2/√π ∫₀ˣ e^(−t²) dt. Odd, keeps the sign of zero, and is ±1 from |x| = 4 on.
///
/// Error: at most 2.85 ulp.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let s = x * x;
    // Minimax for erf(x)/x − 1 on |x| <= 1.5; the error of erf is 2^-26 relative.
    let p = horner(
        s,
        [
            0.128_379_15,
            -0.376_125_48,
            0.112_829_67,
            -0.026_837_103,
            0.005_172_743,
            -8.045_59e-4,
            9.203_226e-5,
            -5.663_084e-6,
        ],
    );
    let near = x + x * p;

    let a = x.abs();
    let t = if a > 4.0 { 4.0 } else { a } - 2.75;
    // Minimax for 1 − erf(t + 2.75) on [1.5, 4]; the error is 2^-24.8.
    let c = poly(
        t,
        [
            1.005_948_65e-4,
            -5.860_932e-4,
            0.001_613_521_4,
            -0.002_763_294_4,
            0.003_248_750_5,
            -0.002_742_394_4,
            0.001_682_353_9,
            -6.731_008e-4,
            5.977_721e-5,
            9.833_562e-5,
            -4.078_19e-5,
            2.433_858_8e-6,
        ],
    );
    let far = (1.0 - c).copysign(x);
    if a < 1.5 { near } else { far }
}
