//! Accuracy, special values, and equality of the two instruction-set paths.

use thalweg_graph::ops::Unary;

use super::*;
use crate::isa::Isa;

type Function = fn(f32) -> f32;
type ArgumentsAndResults = &'static [(f32, f32)];
type Kernel = unsafe fn(*mut f32, *const f32, usize);

/// A function, its reference, the largest error in ulp, and its loop.
struct Case {
    name: &'static str,
    f: Function,
    reference: fn(f64) -> f64,
    bound: f64,
    kernel: fn(Isa) -> Kernel,
}

const CASES: [Case; 11] = [
    Case {
        name: "exp",
        f: exp,
        reference: |x| Unary::Exp.float(x),
        bound: 1.04,
        kernel: kernels::exp,
    },
    Case {
        name: "expm1",
        f: expm1,
        reference: |x| Unary::Expm1.float(x),
        bound: 1.81,
        kernel: kernels::expm1,
    },
    Case {
        name: "log",
        f: log,
        reference: |x| Unary::Log.float(x),
        bound: 0.86,
        kernel: kernels::log,
    },
    Case {
        name: "log1p",
        f: log1p,
        reference: |x| Unary::Log1p.float(x),
        bound: 0.89,
        kernel: kernels::log1p,
    },
    Case {
        name: "tanh",
        f: tanh,
        reference: |x| Unary::Tanh.float(x),
        bound: 2.5,
        kernel: kernels::tanh,
    },
    Case {
        name: "sigmoid",
        f: sigmoid,
        reference: |x| Unary::Sigmoid.float(x),
        bound: 2.41,
        kernel: kernels::sigmoid,
    },
    Case {
        name: "erf",
        f: erf,
        reference: |x| Unary::Erf.float(x),
        bound: 2.85,
        kernel: kernels::erf,
    },
    Case {
        name: "softplus",
        f: softplus,
        reference: |x| Unary::Softplus.float(x),
        bound: 1.71,
        kernel: kernels::softplus,
    },
    Case {
        name: "sin",
        f: sin,
        reference: |x| Unary::Sin.float(x),
        bound: 1.56,
        kernel: kernels::sin,
    },
    Case {
        name: "cos",
        f: cos,
        reference: |x| Unary::Cos.float(x),
        bound: 1.55,
        kernel: kernels::cos,
    },
    Case {
        name: "sqrt",
        f: sqrt,
        reference: |x| Unary::Sqrt.float(x),
        bound: 0.5,
        kernel: kernels::sqrt,
    },
];

/// The distance of `got` from the exact value in units of the last place of an `f32` of the exact value's size.
/// Infinity counts as 2^128, the next value after the largest finite one.
fn ulps(got: f32, exact: f64) -> f64 {
    const BEYOND: f64 = f32::MAX as f64 * (1.0 + 1.0 / (u32::MAX >> 8) as f64);
    if got.is_nan() || exact.is_nan() {
        return if got.is_nan() && exact.is_nan() { 0.0 } else { f64::INFINITY };
    }
    let (got, exact) = (f64::from(got).clamp(-BEYOND, BEYOND), exact.clamp(-BEYOND, BEYOND));
    let exponent = (((exact.to_bits() >> 52) & 0x7ff) as i64).clamp(1023 - 126, 1023 + 127);
    (got - exact).abs() * f64::from_bits(((1023 + 23 + 1023 - exponent) as u64) << 52)
}

/// The largest error of a case over some inputs, given as bits, and where it is.
fn worst(case: &Case, bits: impl Iterator<Item = u32>) -> (f64, f32) {
    bits.map(f32::from_bits).fold((0.0, 0.0), |worst, x| {
        let error = ulps((case.f)(x), (case.reference)(f64::from(x)));
        if error > worst.0 { (error, x) } else { worst }
    })
}

/// All binades of both signs, and those around 1 more densely: 4.3 million inputs.
fn sweep() -> impl Iterator<Item = u32> {
    let dense = (1e-2f32.to_bits()..130f32.to_bits()).step_by(107);
    (0..=u32::MAX).step_by(2039).chain(dense.clone()).chain(dense.map(|bits| bits | 1 << 31))
}

#[test]
fn errors_are_within_the_stated_bounds() {
    for case in &CASES {
        let (error, x) = worst(case, sweep());
        println!("{:8} {error:.4} ulp at {x:e}", case.name);
        assert!(error <= case.bound, "{}: {error:.4} ulp at {x:e}", case.name);
        assert!(
            error > 0.8 * case.bound,
            "{}: at most {error:.4} ulp, the bound is loose",
            case.name
        );
    }
}

/// The proof of the bounds; takes some ten minutes in release mode.
#[test]
#[ignore = "goes through all floats"]
fn errors_are_within_the_stated_bounds_for_every_float() {
    for case in &CASES {
        let (error, x) = worst(case, 0..=u32::MAX);
        println!("{:8} {error:.4} ulp at {x:e}", case.name);
        assert!(error <= case.bound, "{}: {error:.4} ulp at {x:e}", case.name);
    }
}

#[test]
fn values_stay_in_range() {
    let ranges: [(Function, f32, f32); 6] = [
        (exp, 0.0, f32::INFINITY),
        (tanh, -1.0, 1.0),
        (sigmoid, 0.0, 1.0),
        (erf, -1.0, 1.0),
        (sin, -1.0, 1.0),
        (cos, -1.0, 1.0),
    ];
    for x in sweep().map(f32::from_bits).filter(|x| x.is_finite()) {
        for (i, (f, low, high)) in ranges.iter().enumerate() {
            assert!((*low..=*high).contains(&f(x)), "function {i} at {x:e}");
        }
    }
}

/// Equal bits, or both NaN.
fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

#[test]
fn special_values() {
    const INF: f32 = f32::INFINITY;
    const NAN: f32 = f32::NAN;
    const TINY: f32 = 1e-45;
    let cases: &[(&str, Function, ArgumentsAndResults)] = &[
        ("exp", exp, &[(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0), (-1e4, 0.0), (TINY, 1.0)]),
        ("exp", exp, &[(88.722_84, INF), (-103.9, TINY), (-104.0, 0.0)]),
        (
            "expm1",
            expm1,
            &[(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -1.0), (-1e4, -1.0), (89.0, INF)],
        ),
        ("expm1", expm1, &[(TINY, TINY), (-TINY, -TINY), (1e-30, 1e-30)]),
        (
            "log",
            log,
            &[
                (0.0, -INF),
                (-0.0, -INF),
                (-1.0, NAN),
                (-TINY, NAN),
                (-INF, NAN),
                (INF, INF),
                (1.0, 0.0),
            ],
        ),
        (
            "log",
            log,
            &[(TINY, -103.278_93), (f32::MIN_POSITIVE, -87.336_55), (f32::MAX, 88.722_84)],
        ),
        (
            "log1p",
            log1p,
            &[(0.0, 0.0), (-0.0, -0.0), (-1.0, -INF), (-1.5, NAN), (-INF, NAN), (INF, INF)],
        ),
        ("log1p", log1p, &[(TINY, TINY), (-TINY, -TINY), (1e-30, 1e-30), (f32::MAX, 88.722_84)]),
        (
            "tanh",
            tanh,
            &[(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (9.02, 1.0), (-1e4, -1.0)],
        ),
        ("tanh", tanh, &[(TINY, TINY), (-TINY, -TINY), (1e-30, 1e-30)]),
        (
            "sigmoid",
            sigmoid,
            &[(0.0, 0.5), (-0.0, 0.5), (INF, 1.0), (-INF, 0.0), (1e4, 1.0), (-1e4, 0.0)],
        ),
        (
            "erf",
            erf,
            &[(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (4.0, 1.0), (-1e4, -1.0)],
        ),
        (
            "softplus",
            softplus,
            &[(INF, INF), (-INF, 0.0), (1e4, 1e4), (-1e4, 0.0), (0.0, std::f32::consts::LN_2)],
        ),
        (
            "sin",
            sin,
            &[(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN), (TINY, TINY), (-TINY, -TINY)],
        ),
        ("sin", sin, &[(1e30, -0.791_163_44), (f32::MAX, -0.521_876_5)]),
        ("cos", cos, &[(0.0, 1.0), (-0.0, 1.0), (INF, NAN), (-INF, NAN), (f32::MAX, 0.853_021)]),
    ];
    for (name, f, values) in cases {
        assert!(f(NAN).is_nan() && f(-NAN).is_nan(), "{name}(NaN)");
        for &(x, y) in *values {
            assert!(same(f(x), y), "{name}({x:e}) = {:e}, not {y:e}", f(x));
        }
    }
    assert!(
        same(pow(2.0, 10.0), 1024.0) && same(pow(0.0, 0.0), 1.0) && pow(-8.0, 1.0 / 3.0).is_nan()
    );
    assert!(
        same(pow(10.0, 39.0), INF) && same(pow(10.0, -50.0), 0.0) && same(pow(-2.0, 3.0), -8.0)
    );
}

#[test]
fn odd_and_even_functions() {
    for x in sweep().map(f32::from_bits) {
        for f in [tanh, erf, sin] {
            assert!(same(f(-x), -f(x)), "{x:e}");
        }
        assert!(same(cos(-x), cos(x)), "{x:e}");
    }
}

/// All instruction sets give the bits of the scalar function, wherever an element stands (in a vector or in the
/// rest after the last vector, aligned or not, beside huge ones) and whether or not in place.
#[test]
fn kernels_give_the_bits_of_the_scalar_functions() {
    let inputs: Vec<f32> = sweep().step_by(7).map(f32::from_bits).collect();
    for case in &CASES {
        let expected: Vec<f32> = inputs.iter().map(|&x| (case.f)(x)).collect();
        for isa in Isa::available() {
            let kernel = (case.kernel)(isa);
            let check = |start: usize, n: usize| {
                let input = &inputs[start..start + n];
                let mut output = vec![7.0; n + 1];
                let mut in_place = input.to_vec();
                // SAFETY: all arrays have at least `n` elements, and the machine has `isa`.
                unsafe {
                    kernel(output.as_mut_ptr(), input.as_ptr(), n);
                    kernel(in_place.as_mut_ptr(), in_place.as_ptr(), n);
                }
                for (i, &y) in expected[start..start + n].iter().enumerate() {
                    assert!(same(output[i], y), "{} {isa:?} at {:e}", case.name, input[i]);
                    assert!(
                        same(in_place[i], y),
                        "{} {isa:?} in place at {:e}",
                        case.name,
                        input[i]
                    );
                }
                assert_eq!(output[n], 7.0, "{} {isa:?} wrote past the end", case.name);
            };
            check(0, inputs.len());
            for n in 0..40 {
                check(inputs.len() / 2 + n, n);
            }
        }
    }
}
