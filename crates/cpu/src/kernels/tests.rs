//! Every tile kernel on every length up to 70, apart and in place, against the scalar functions of the reference executor;
//! folds against their documented order; the instruction sets against each other.

use thalweg_graph::ops::{Binary, Compare, ReduceKind, Unary};
use thalweg_graph::{DType, Op, Value};

use super::*;
use crate::isa::Isa;

const LENGTHS: std::ops::Range<usize> = 0..70;
/// Elements behind the result that a kernel must leave alone.
const MARGIN: usize = 40;

/// `n` elements, special ones among them, from place `shift` of a fixed list on.
fn sample(dtype: DType, shift: usize, n: usize) -> Value {
    const FLOATS: [f64; 23] = [
        0.0,
        1.0,
        -0.0,
        -1.0,
        0.5,
        f64::NAN,
        2.5,
        -2.5,
        3.0,
        f64::INFINITY,
        -3.5,
        1e-40,
        0.3,
        f64::NEG_INFINITY,
        -0.7,
        7.25,
        1e30,
        -1e-3,
        -88.0,
        88.5,
        -1e30,
        12.125,
        6.0,
    ];
    const INTS: [i64; 13] =
        [0, 1, -1, 5, 200, -7, 1 << 40, i64::MIN, i64::MAX, 255, i32::MIN as i64, 3, -128];
    let at = |len: usize| (0..n).map(move |i| (i * 5 + shift * 3) % len);
    let made = match dtype.is_float() {
        true => Value::from_f64(dtype, &at(23).map(|i| FLOATS[i]).collect::<Vec<_>>(), [n]),
        false => Value::from_i64(dtype, &at(13).map(|i| INTS[i]).collect::<Vec<_>>(), [n]),
    };
    made.unwrap()
}

/// Runs a kernel on `n` elements: the result, which is written over operand `over` where that is given. Also checks that
/// nothing else is written.
fn run(f: TileFn, out: DType, operands: &[&Value], over: Option<usize>, n: usize) -> Value {
    let mut marked = Value::from_i64(DType::U8, &[0x5a; (70 + MARGIN) * 8], [(70 + MARGIN) * 8]);
    let dst = marked.as_mut().unwrap().bytes_mut();
    let bytes = n * out.size();
    if let Some(i) = over {
        dst[..bytes].copy_from_slice(&operands[i].bytes()[..bytes]);
    }
    let at = dst.as_mut_ptr();
    let address = |i: usize| match operands.get(i) {
        _ if over == Some(i) => at.cast_const(),
        Some(value) => value.bytes().as_ptr(),
        None => operands[0].bytes().as_ptr(),
    };
    // SAFETY: operands have `n` elements or are scalars, the result has room; the instruction set is available.
    unsafe { f(at, address(0), address(1), address(2), n) };
    assert!(dst[bytes..].iter().all(|&b| b == 0x5a), "written behind the result");
    let mut result = Value::zeros(out, [n]);
    result.bytes_mut().copy_from_slice(&dst[..bytes]);
    result
}

/// Elements as `f64`, where all of them fit, and as `i64`, where they are integers.
fn element(value: &Value, i: usize) -> (f64, i64) {
    let i = if value.numel() == 1 { 0 } else { i };
    (value.to_f64()[i], value.to_i64()[i])
}

/// Checks that element `i` is `want`, up to `ulps` units in the last place of an `f32`.
fn assert_element(got: &Value, i: usize, want: (f64, i64), ulps: f64, what: &str) {
    let (float, int) = (got.to_f64()[i], got.to_i64()[i]);
    if !got.dtype().is_float() {
        return assert_eq!(int, got.dtype().wrap_int(want.1), "{what}, element {i}");
    }
    let want = got.dtype().round_float(want.0);
    let ulp = (want.abs() as f32).next_up() as f64 - (want.abs() as f32) as f64;
    let same = want.to_bits() == float.to_bits() || (want.is_nan() && float.is_nan());
    let close = ulps > 0.0 && (want - float).abs() <= ulps * ulp;
    assert!(same || close, "{what}, element {i}: expected {want:e}, got {float:e}");
}

/// Runs a kernel apart and over each operand of the result's size that is not a scalar, on every length; `want` says what
/// element `i` of a length must be.
fn check(
    what: &str,
    kernel: impl Fn(Isa) -> TileFn,
    out: DType,
    operands: &[(DType, bool)],
    ulps: f64,
    want: impl Fn(&[Value], usize) -> (f64, i64),
) {
    for n in LENGTHS {
        let values: Vec<Value> = (operands.iter().enumerate())
            .map(|(i, &(dtype, scalar))| sample(dtype, n + 7 * i, if scalar { 1 } else { n }))
            .collect();
        let all: Vec<&Value> = values.iter().collect();
        let in_place = |&i: &usize| operands[i].0.size() == out.size() && !operands[i].1;
        let mut first: Option<Value> = None;
        for isa in Isa::available() {
            let f = kernel(isa);
            for over in std::iter::once(None).chain((0..all.len()).filter(in_place).map(Some)) {
                let place = format!("{what}, {operands:?}, {isa:?}, {n} elements, over {over:?}");
                let got = run(f, out, &all, over, n);
                for i in 0..n {
                    assert_element(&got, i, want(&values, i), ulps, &place);
                }
                // Where NaNs are, is all that is said of them.
                let bits = |v: &Value| -> Vec<u64> {
                    v.to_f64().iter().map(|x| if x.is_nan() { 1 } else { x.to_bits() }).collect()
                };
                let first = first.get_or_insert_with(|| got.clone());
                assert_eq!(bits(first), bits(&got), "{place}: other bits than the first way");
            }
        }
    }
}

#[test]
fn unary_kernels() {
    for dtype in DType::ALL {
        for op in Unary::ALL {
            let Some(_) = unary(Isa::Portable, op, dtype) else { continue };
            let truth = matches!(op, Unary::IsNan | Unary::IsFinite | Unary::Not);
            let out = if truth { DType::Bool } else { dtype };
            let rounded = [
                Unary::Exp,
                Unary::Expm1,
                Unary::Log,
                Unary::Log1p,
                Unary::Sin,
                Unary::Cos,
                Unary::Tanh,
                Unary::Sigmoid,
                Unary::Softplus,
                Unary::Erf,
            ];
            let ulps = if dtype == DType::F32 && rounded.contains(&op) { 4.0 } else { 0.0 };
            let kernel = |isa| unary(isa, op, dtype).unwrap();
            check(op.name(), kernel, out, &[(dtype, false)], ulps, |values, i| {
                let (float, int) = element(&values[0], i);
                match dtype.is_float() {
                    true => (op.float(float), op.float(float) as i64),
                    false => (0.0, op.int(int)),
                }
            });
        }
    }
}

#[test]
fn binary_kernels() {
    for dtype in DType::ALL {
        for op in Binary::ALL {
            for scalars in [[false, false], [true, false], [false, true], [true, true]] {
                let Some(_) = binary(Isa::Portable, op, dtype, scalars) else { continue };
                let ulps = if dtype == DType::F32 && op == Binary::Pow { 4.0 } else { 0.0 };
                let kernel = |isa| binary(isa, op, dtype, scalars).unwrap();
                let operands = scalars.map(|s| (dtype, s));
                check(op.name(), kernel, dtype, &operands, ulps, |values, i| {
                    let ((a, x), (b, y)) = (element(&values[0], i), element(&values[1], i));
                    (op.float(a, b), op.int(x, y))
                });
            }
        }
    }
}

#[test]
fn comparisons() {
    for dtype in DType::ALL {
        for op in Compare::ALL {
            for scalars in [[false, false], [true, false], [false, true], [true, true]] {
                let kernel = |isa| compare(isa, op, dtype, scalars);
                let operands = scalars.map(|s| (dtype, s));
                check(op.name(), kernel, DType::Bool, &operands, 0.0, |values, i| {
                    let ((a, x), (b, y)) = (element(&values[0], i), element(&values[1], i));
                    let holds = if dtype.is_float() { op.holds(a, b) } else { op.holds(x, y) };
                    (0.0, holds as i64)
                });
            }
        }
    }
}

#[test]
fn choices() {
    for dtype in DType::ALL {
        for scalars in [[false, false], [true, false], [false, true], [true, true]] {
            let kernel = |isa| select(isa, dtype.size(), scalars);
            let operands = [(DType::Bool, false), (dtype, scalars[0]), (dtype, scalars[1])];
            check("select", kernel, dtype, &operands, 0.0, |values, i| {
                element(&values[if element(&values[0], i).1 != 0 { 1 } else { 2 }], i)
            });
        }
        let operands = [(dtype, true)];
        check(
            "spread",
            |_| spread(dtype.size()),
            dtype,
            &operands,
            0.0,
            |values, i| element(&values[0], i),
        );
    }
}

#[test]
fn casts() {
    for from in DType::ALL {
        for to in DType::ALL {
            let what = format!("{from} to {to}");
            check(
                &what,
                |_| cast(from, to),
                to,
                &[(from, false)],
                0.0,
                |values, i| {
                    let (float, int) = element(&values[0], i);
                    match from.is_float() {
                        // Towards zero, saturating; NaN is 0, and true.
                        true => (float, to.round_float(float) as i64),
                        // From the integer itself, rounded once.
                        false if to == DType::F32 => (int as f32 as f64, int),
                        false => (int as f64, int),
                    }
                },
            );
        }
    }
}

#[test]
fn addresses() {
    for dtype in DType::ALL {
        for (start, step) in [(0isize, 1isize), (7, 0), (100, -3), (1, 1000)] {
            let mut out = Value::zeros(dtype, [30]);
            // SAFETY: the result has 30 elements.
            unsafe { index(dtype, out.bytes_mut().as_mut_ptr(), start, step, 30) };
            for i in 0..30 {
                let want = (start + i as isize * step) as i64;
                if dtype != DType::Bool {
                    assert_element(&out, i, (want as f64, want), 0.0, "index");
                }
            }
        }
    }
}

/// A row reduction in its documented order, element by element.
fn in_order<T: Copy>(row: &[T], unit: T, f: impl Fn(T, T) -> T, join: impl Fn(&[T]) -> T) -> T {
    let chunk = |chunk: &[T]| -> T {
        if chunk.len() < 16 {
            return chunk.iter().fold(unit, |a, &b| f(a, b));
        }
        let lane = |l: usize| chunk.iter().skip(l).step_by(32).fold(unit, |a, &b| f(a, b));
        let mut lanes: Vec<T> = (0..32).map(lane).collect();
        while lanes.len() > 1 {
            let upper = lanes.split_off(lanes.len() / 2);
            lanes.iter_mut().zip(upper).for_each(|(a, b)| *a = f(*a, b));
        }
        lanes[0]
    };
    let parts: Vec<T> = row.chunks(CHUNK).map(chunk).collect();
    match parts.as_slice() {
        [] => unit,
        [one] => *one,
        many => join(many),
    }
}

/// Folds rows of many lengths on every instruction set and compares with `want`.
fn check_fold(kind: ReduceKind, dtype: DType, rough: bool, want: impl Fn(&Value) -> Value) {
    let long = [100, 1000, 1023, 1024, 1025, 1039, 1040, 1041, 2047, 2048, 2049, 5000];
    for n in LENGTHS.chain(long) {
        let row = match rough {
            true => sample(dtype, n, n),
            false => {
                let smooth = (0..n).map(|i| ((i * 37 + n) % 101) as f64 / 101.0 - 0.4);
                let near =
                    smooth.map(|x| if kind == ReduceKind::Prod { 1.0 + x / 64.0 } else { x });
                Value::from_f64(dtype, &near.collect::<Vec<_>>(), [n]).unwrap()
            }
        };
        for isa in Isa::available() {
            let fold = fold(isa, kind, dtype).unwrap();
            let (mut partials, mut out) = ([0u64; 8], Value::zeros(dtype, [1]));
            let (from, to) = (row.bytes().as_ptr(), out.bytes_mut().as_mut_ptr());
            let partials = partials.as_mut_ptr().cast();
            // SAFETY: the row has `n` elements, and there is room for a partial result for each chunk.
            unsafe { fold.row(to, from, n, dtype.size(), partials) };
            let place = format!("{kind:?} of {n} {dtype}, {isa:?}");
            assert_element(&out, 0, element(&want(&row), 0), 0.0, &place);
        }
    }
}

#[test]
fn folds_of_floats_keep_their_order() {
    macro_rules! check {
        ($t:ty, $dtype:expr, $sum:expr) => {
            let fold = |unit: $t, f: fn($t, $t) -> $t| {
                move |row: &Value| {
                    let join = |parts: &[$t]| parts.iter().fold(unit, |a, &b| f(a, b));
                    Value::scalar(in_order(row.as_slice::<$t>().unwrap(), unit, f, join))
                }
            };
            let sum = |row: &Value| {
                Value::scalar(in_order(row.as_slice::<$t>().unwrap(), 0.0, |a, b| a + b, $sum))
            };
            for rough in [false, true] {
                check_fold(ReduceKind::Sum, $dtype, rough, sum);
                check_fold(ReduceKind::Prod, $dtype, rough, fold(1.0, |a, b| a * b));
                let max = |a: $t, b: $t| if a > b || a.is_nan() { a } else { b };
                check_fold(ReduceKind::Max, $dtype, rough, fold(<$t>::NEG_INFINITY, max));
                let min = |a: $t, b: $t| if a < b || a.is_nan() { a } else { b };
                check_fold(ReduceKind::Min, $dtype, rough, fold(<$t>::INFINITY, min));
            }
        };
    }
    let in_doubles = |parts: &[f32]| parts.iter().fold(0.0, |sum, &x| sum + x as f64) as f32;
    check!(f32, DType::F32, in_doubles);
    check!(f64, DType::F64, |parts: &[f64]| parts.iter().fold(0.0, |a, &b| a + b));
}

#[test]
fn folds_of_integers_wrap() {
    for dtype in [DType::I64, DType::I32, DType::U8] {
        let fold = |unit: i64, f: fn(i64, i64) -> i64| {
            move |row: &Value| Value::scalar(row.to_i64().iter().fold(unit, |a, &b| f(a, b)))
        };
        let (least, greatest) = match dtype {
            DType::I64 => (i64::MIN, i64::MAX),
            DType::I32 => (i32::MIN as i64, i32::MAX as i64),
            _ => (0, 255),
        };
        check_fold(ReduceKind::Sum, dtype, true, fold(0, i64::wrapping_add));
        check_fold(ReduceKind::Prod, dtype, true, fold(1, i64::wrapping_mul));
        check_fold(ReduceKind::Max, dtype, true, fold(least, i64::max));
        check_fold(ReduceKind::Min, dtype, true, fold(greatest, i64::min));
    }
    let any = |row: &Value| Value::scalar(row.to_i64().contains(&1) as i64);
    let all = |row: &Value| Value::scalar(!row.to_i64().contains(&0) as i64);
    check_fold(ReduceKind::Any, DType::Bool, true, any);
    check_fold(ReduceKind::All, DType::Bool, true, all);
}

#[test]
fn accumulation_adds_to_what_is_there() {
    for dtype in DType::ALL.into_iter().filter(|&d| d != DType::Bool) {
        for n in LENGTHS {
            for isa in Isa::available() {
                let (a, b) = (sample(dtype, n, n + 3), sample(dtype, n + 5, n));
                let mut sum = a.clone();
                // SAFETY: both have `n` elements.
                unsafe {
                    accumulate(isa, dtype)(sum.bytes_mut().as_mut_ptr(), b.bytes().as_ptr(), n)
                };
                for i in 0..n + 3 {
                    let (have, add) = ((a.to_f64()[i], a.to_i64()[i]), (i < n).then_some(i));
                    let add = add.map_or((-0.0, 0), |i| (b.to_f64()[i], b.to_i64()[i]));
                    let want = (have.0 + add.0, have.1.wrapping_add(add.1));
                    assert_element(&sum, i, want, 0.0, &format!("{dtype}, {isa:?}, {n}"));
                }
            }
        }
    }
}
