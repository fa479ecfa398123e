//! Conversion between element types, and addresses as elements.

use thalweg_graph::DType;

use super::TileFn;

/// # Safety
/// As for [`TileFn`].
unsafe fn convert<A: Copy, R>(dst: *mut u8, a: *const u8, n: usize, f: impl Fn(A) -> R) {
    for i in 0..n {
        // SAFETY: both have `n` elements, and where they are the same memory element `i` is read before it is written.
        unsafe { dst.cast::<R>().add(i).write(f(a.cast::<A>().add(i).read())) };
    }
}

macro_rules! casts {
    ($from:expr, $to:expr, $($name:ident: $t:ty),*) => {
        match $from {
            $(DType::$name => casts!(@to $t, $to, F32: f32, F64: f64, I64: i64, I32: i32, U8: u8),)*
        }
    };
    (@to $a:ty, $to:expr, $($name:ident: $t:ty),*) => {
        match $to {
            $(DType::$name => |d, a, _, _, n| {
                // SAFETY: the caller keeps the contract of a tile function.
                unsafe { convert(d, a, n, |x: $a| x as $t) }
            },)*
            DType::Bool => |d, a, _, _, n| {
                // SAFETY: as above.
                unsafe { convert(d, a, n, |x: $a| (x != (0 as $a)) as u8) }
            },
        }
    };
}

/// The kernel that converts `from` into `to`: floats truncate towards zero and saturate, integers wrap around.
pub(crate) fn cast(from: DType, to: DType) -> TileFn {
    casts!(from, to, F32: f32, F64: f64, I64: i64, I32: i32, U8: u8, Bool: u8)
}

/// Writes `start + i·step` as elements of `dtype`.
///
/// # Safety
/// `dst` is valid for `n` elements of `dtype`.
pub(crate) unsafe fn index(dtype: DType, dst: *mut u8, start: isize, step: isize, n: usize) {
    macro_rules! write {
        ($t:ty) => {
            for i in 0..n {
                // SAFETY: `i < n`.
                unsafe { dst.cast::<$t>().add(i).write((start + i as isize * step) as $t) };
            }
        };
    }
    match dtype {
        DType::F32 => write!(f32),
        DType::F64 => write!(f64),
        DType::I64 => write!(i64),
        DType::I32 => write!(i32),
        DType::U8 | DType::Bool => write!(u8),
    }
}
