//! Elementwise functions of one operand.

use thalweg_graph::DType;
use thalweg_graph::ops::Unary;

use super::TileFn;
use crate::dispatch::{isa_fn, map1};
use crate::isa::Isa;
use crate::math;

/// `dst[i] = f(a[i])` with a result of another type.
///
/// # Safety
/// As for [`TileFn`].
#[inline(always)]
unsafe fn convert<A: Copy, R>(dst: *mut u8, a: *const u8, n: usize, f: impl Fn(A) -> R) {
    for i in 0..n {
        // SAFETY: both have `n` elements, and where they are the same memory element `i` is read before it is written.
        unsafe { dst.cast::<R>().add(i).write(f(a.cast::<A>().add(i).read())) };
    }
}

macro_rules! floats {
    ($($name:ident = $f:expr;)*) => {
        isa_fn! {$(
            unsafe fn $name(d: *mut u8, a: *const u8, b: *const u8, c: *const u8, n: usize) =
                |d: *mut u8, a: *const u8, _, _, n| map1(d.cast::<f32>(), a.cast::<f32>(), n, $f);
        )*}
    };
}

floats! {
    neg = |x: f32| -x;
    abs = |x: f32| x.abs();
    sign = |x: f32| if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else { x };
    relu = |x: f32| if x <= 0.0 { 0.0 } else { x };
    floor = |x: f32| x.floor();
    ceil = |x: f32| x.ceil();
    round = |x: f32| x.round_ties_even();
}

/// A function of `math::kernels` as a tile function.
macro_rules! math {
    ($isa:expr, $name:ident) => {
        match $isa {
            // SAFETY: the caller keeps the contract of a tile function, which is that of the math kernels.
            Isa::Portable => |d, a, _, _, n| unsafe {
                math::kernels::$name(Isa::Portable)(d.cast(), a.cast(), n)
            },
            // SAFETY: as above.
            Isa::Avx2 => |d, a, _, _, n| unsafe {
                math::kernels::$name(Isa::Avx2)(d.cast(), a.cast(), n)
            },
            // SAFETY: as above.
            Isa::Avx512 => |d, a, _, _, n| unsafe {
                math::kernels::$name(Isa::Avx512)(d.cast(), a.cast(), n)
            },
        }
    };
}

/// The kernel of `op` on elements of type `dtype`; `None` where the op does not take that type.
pub(crate) fn unary(isa: Isa, op: Unary, dtype: DType) -> Option<TileFn> {
    match dtype {
        DType::F32 => f32s(isa, op),
        DType::F64 => f64s(op),
        DType::I64 => ints::<i64>(op),
        DType::I32 => ints::<i32>(op),
        DType::U8 => ints::<u8>(op),
        DType::Bool => (op == Unary::Not).then_some(|d, a, _, _, n| {
            // SAFETY: the caller keeps the contract of a tile function.
            unsafe { convert(d, a, n, |x: u8| (x == 0) as u8) }
        }),
    }
}

fn f32s(isa: Isa, op: Unary) -> Option<TileFn> {
    Some(match op {
        Unary::Neg => neg(isa),
        Unary::Abs => abs(isa),
        Unary::Sign => sign(isa),
        Unary::Exp => math!(isa, exp),
        Unary::Expm1 => math!(isa, expm1),
        Unary::Log => math!(isa, log),
        Unary::Log1p => math!(isa, log1p),
        Unary::Sqrt => math!(isa, sqrt),
        Unary::Sin => math!(isa, sin),
        Unary::Cos => math!(isa, cos),
        Unary::Tanh => math!(isa, tanh),
        Unary::Sigmoid => math!(isa, sigmoid),
        Unary::Softplus => math!(isa, softplus),
        Unary::Erf => math!(isa, erf),
        Unary::Relu => relu(isa),
        Unary::Floor => floor(isa),
        Unary::Ceil => ceil(isa),
        Unary::Round => round(isa),
        // SAFETY: the caller keeps the contract of a tile function.
        Unary::IsNan => |d, a, _, _, n| unsafe { convert(d, a, n, |x: f32| x.is_nan() as u8) },
        Unary::IsFinite => |d, a, _, _, n| {
            // SAFETY: as above.
            unsafe { convert(d, a, n, |x: f32| x.is_finite() as u8) }
        },
        Unary::Not => return None,
    })
}

macro_rules! one_each {
    ($op:expr, $($variant:ident),*) => {
        match $op {
            $(Unary::$variant => {
                // SAFETY: the caller keeps the contract of a tile function.
                Some(|d, a, _, _, n| unsafe { convert(d, a, n, |x: f64| Unary::$variant.float(x)) })
            })*
            // SAFETY: as above.
            Unary::IsNan => Some(|d, a, _, _, n| unsafe { convert(d, a, n, |x: f64| x.is_nan() as u8) }),
            // SAFETY: as above.
            Unary::IsFinite => Some(|d, a, _, _, n| unsafe { convert(d, a, n, |x: f64| x.is_finite() as u8) }),
            Unary::Not => None,
        }
    };
}

/// The `f64` functions are those of the reference executor.
fn f64s(op: Unary) -> Option<TileFn> {
    one_each!(
        op, Neg, Abs, Sign, Exp, Expm1, Log, Log1p, Sqrt, Sin, Cos, Tanh, Sigmoid, Softplus, Erf,
        Relu, Floor, Ceil, Round
    )
}

fn ints<T: Int>(op: Unary) -> Option<TileFn> {
    Some(match op {
        // SAFETY: the caller keeps the contract of a tile function.
        Unary::Neg => |d, a, _, _, n| unsafe { convert(d, a, n, |x: T| x.wrap(Unary::Neg)) },
        // SAFETY: as above.
        Unary::Abs => |d, a, _, _, n| unsafe { convert(d, a, n, |x: T| x.wrap(Unary::Abs)) },
        // SAFETY: as above.
        Unary::Sign => |d, a, _, _, n| unsafe { convert(d, a, n, |x: T| x.wrap(Unary::Sign)) },
        // SAFETY: as above.
        Unary::Relu => |d, a, _, _, n| unsafe { convert(d, a, n, |x: T| x.wrap(Unary::Relu)) },
        _ => return None,
    })
}

/// An integer as the reference executor computes with it: in `i64`, wrapped to the type.
trait Int: Copy {
    fn wrap(self, op: Unary) -> Self;
}

macro_rules! int {
    ($($t:ty),*) => {$(
        impl Int for $t {
            #[inline(always)]
            fn wrap(self, op: Unary) -> $t {
                op.int(self as i64) as $t
            }
        }
    )*};
}

int!(i64, i32, u8);
