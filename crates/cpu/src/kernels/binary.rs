//! Elementwise functions of two operands, and comparisons.

use thalweg_graph::DType;
use thalweg_graph::ops::{Binary, Compare};

use super::{Scalars, TileFn, map2, maximum, minimum};
use crate::dispatch::isa_fn;
use crate::isa::Isa;
use crate::math;

/// One kernel for each way in which the operands can be scalars.
macro_rules! variants {
    ($($name:ident($t:ty => $r:ty) = $f:expr;)*) => {$(
        fn $name(isa: Isa, scalars: Scalars) -> TileFn {
            isa_fn! {
                unsafe fn both(d: *mut u8, a: *const u8, b: *const u8, c: *const u8, n: usize) =
                    |d, a, b, _, n| map2::<$t, $r, false, false>(d, a, b, n, $f);
                unsafe fn left(d: *mut u8, a: *const u8, b: *const u8, c: *const u8, n: usize) =
                    |d, a, b, _, n| map2::<$t, $r, true, false>(d, a, b, n, $f);
                unsafe fn right(d: *mut u8, a: *const u8, b: *const u8, c: *const u8, n: usize) =
                    |d, a, b, _, n| map2::<$t, $r, false, true>(d, a, b, n, $f);
                unsafe fn neither(d: *mut u8, a: *const u8, b: *const u8, c: *const u8, n: usize) =
                    |d, a, b, _, n| map2::<$t, $r, true, true>(d, a, b, n, $f);
            }
            match scalars {
                [false, false] => both(isa),
                [true, false] => left(isa),
                [false, true] => right(isa),
                [true, true] => neither(isa),
            }
        }
    )*};
}

variants! {
    add(f32 => f32) = |a, b| a + b;
    sub(f32 => f32) = |a, b| a - b;
    mul(f32 => f32) = |a, b| a * b;
    div(f32 => f32) = |a, b| a / b;
    pow(f32 => f32) = math::pow;
    max(f32 => f32) = maximum;
    min(f32 => f32) = minimum;
    eq(f32 => u8) = |a, b| (a == b) as u8;
    ne(f32 => u8) = |a, b| (a != b) as u8;
    lt(f32 => u8) = |a, b| (a < b) as u8;
    le(f32 => u8) = |a, b| (a <= b) as u8;
    gt(f32 => u8) = |a, b| (a > b) as u8;
    ge(f32 => u8) = |a, b| (a >= b) as u8;
}

/// The kernel of `op` on elements of type `dtype`; `None` where the op does not take that type.
pub(crate) fn binary(isa: Isa, op: Binary, dtype: DType, scalars: Scalars) -> Option<TileFn> {
    match dtype {
        DType::F32 => Some(match op {
            Binary::Add => add(isa, scalars),
            Binary::Sub => sub(isa, scalars),
            Binary::Mul => mul(isa, scalars),
            Binary::Div => div(isa, scalars),
            Binary::Pow => pow(isa, scalars),
            Binary::Maximum => max(isa, scalars),
            Binary::Minimum => min(isa, scalars),
            Binary::And | Binary::Or | Binary::Xor => return None,
        }),
        DType::F64 => doubles(op, scalars),
        DType::I64 => ints::<i64>(op, scalars),
        DType::I32 => ints::<i32>(op, scalars),
        DType::U8 => ints::<u8>(op, scalars),
        DType::Bool => match op {
            Binary::And | Binary::Or | Binary::Xor => ints::<u8>(op, scalars),
            _ => None,
        },
    }
}

/// The kernel of a comparison of elements of type `dtype`.
pub(crate) fn compare(isa: Isa, op: Compare, dtype: DType, scalars: Scalars) -> TileFn {
    match dtype {
        DType::F32 => match op {
            Compare::Eq => eq(isa, scalars),
            Compare::Ne => ne(isa, scalars),
            Compare::Lt => lt(isa, scalars),
            Compare::Le => le(isa, scalars),
            Compare::Gt => gt(isa, scalars),
            Compare::Ge => ge(isa, scalars),
        },
        DType::F64 => comparisons::<f64>(op, scalars),
        DType::I64 => comparisons::<i64>(op, scalars),
        DType::I32 => comparisons::<i32>(op, scalars),
        DType::U8 | DType::Bool => comparisons::<u8>(op, scalars),
    }
}

/// Portable kernels of a generic function, one for each way in which the operands can be scalars.
macro_rules! portable {
    ($t:ty => $r:ty, $scalars:expr, $f:expr) => {
        match $scalars {
            [false, false] => |d, a, b, _, n| {
                // SAFETY: the caller keeps the contract of a tile function.
                unsafe { map2::<$t, $r, false, false>(d, a, b, n, $f) }
            },
            // SAFETY: as above.
            [true, false] => |d, a, b, _, n| unsafe { map2::<$t, $r, true, false>(d, a, b, n, $f) },
            // SAFETY: as above.
            [false, true] => |d, a, b, _, n| unsafe { map2::<$t, $r, false, true>(d, a, b, n, $f) },
            // SAFETY: as above.
            [true, true] => |d, a, b, _, n| unsafe { map2::<$t, $r, true, true>(d, a, b, n, $f) },
        }
    };
}

fn doubles(op: Binary, scalars: Scalars) -> Option<TileFn> {
    Some(match op {
        Binary::Add => portable!(f64 => f64, scalars, |a, b| a + b),
        Binary::Sub => portable!(f64 => f64, scalars, |a, b| a - b),
        Binary::Mul => portable!(f64 => f64, scalars, |a, b| a * b),
        Binary::Div => portable!(f64 => f64, scalars, |a, b| a / b),
        Binary::Pow => portable!(f64 => f64, scalars, |a, b| Binary::Pow.float(a, b)),
        Binary::Maximum => portable!(f64 => f64, scalars, maximum),
        Binary::Minimum => portable!(f64 => f64, scalars, minimum),
        Binary::And | Binary::Or | Binary::Xor => return None,
    })
}

fn ints<T: Int>(op: Binary, scalars: Scalars) -> Option<TileFn> {
    Some(match op {
        Binary::Add => portable!(T => T, scalars, |a: T, b| a.apply(b, Binary::Add)),
        Binary::Sub => portable!(T => T, scalars, |a: T, b| a.apply(b, Binary::Sub)),
        Binary::Mul => portable!(T => T, scalars, |a: T, b| a.apply(b, Binary::Mul)),
        Binary::Maximum => portable!(T => T, scalars, |a: T, b| a.apply(b, Binary::Maximum)),
        Binary::Minimum => portable!(T => T, scalars, |a: T, b| a.apply(b, Binary::Minimum)),
        Binary::And => portable!(T => T, scalars, |a: T, b| a.apply(b, Binary::And)),
        Binary::Or => portable!(T => T, scalars, |a: T, b| a.apply(b, Binary::Or)),
        Binary::Xor => portable!(T => T, scalars, |a: T, b| a.apply(b, Binary::Xor)),
        Binary::Div | Binary::Pow => return None,
    })
}

fn comparisons<T: PartialOrd + Copy>(op: Compare, scalars: Scalars) -> TileFn {
    match op {
        Compare::Eq => portable!(T => u8, scalars, |a: T, b| (a == b) as u8),
        Compare::Ne => portable!(T => u8, scalars, |a: T, b| (a != b) as u8),
        Compare::Lt => portable!(T => u8, scalars, |a: T, b| (a < b) as u8),
        Compare::Le => portable!(T => u8, scalars, |a: T, b| (a <= b) as u8),
        Compare::Gt => portable!(T => u8, scalars, |a: T, b| (a > b) as u8),
        Compare::Ge => portable!(T => u8, scalars, |a: T, b| (a >= b) as u8),
    }
}

/// An integer as the reference executor computes with it: in `i64`, wrapped to the type.
trait Int: Copy {
    fn apply(self, other: Self, op: Binary) -> Self;
}

macro_rules! int {
    ($($t:ty),*) => {$(
        impl Int for $t {
            #[inline(always)]
            fn apply(self, other: $t, op: Binary) -> $t {
                op.int(self as i64, other as i64) as $t
            }
        }
    )*};
}

int!(i64, i32, u8);
