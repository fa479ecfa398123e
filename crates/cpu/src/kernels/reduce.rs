//! Reductions over the elements of a row, and sums over rows.
//!
//! **The order of a row reduction** is a function of the row's length alone: rows of fewer than 16 elements from
//! left to right; longer ones in chunks of [`CHUNK`] elements, each into 32 lanes (element `i` into lane `i mod 32`) that
//! are folded in halves, then the chunks from left to right. Sums of `f32` chunks are added up in `f64`.

use thalweg_graph::DType;
use thalweg_graph::ops::ReduceKind;

use super::{maximum, minimum};
use crate::dispatch::isa_fn;
use crate::isa::Isa;

/// Elements that are folded by lanes before the result joins those of other chunks.
pub(crate) const CHUNK: usize = 1024;

const LANES: usize = 32;

/// A row reduction: of one chunk, and of the results of several.
#[derive(Clone, Copy)]
pub(crate) struct Fold {
    /// Folds `n ≤ CHUNK` elements at `a` into one at `dst`.
    pub chunk: unsafe fn(dst: *mut u8, a: *const u8, n: usize),
    /// Folds the results of `n` chunks at `a` into one at `dst`.
    pub join: unsafe fn(dst: *mut u8, a: *const u8, n: usize),
}

impl Fold {
    /// Folds a row of `n` elements, whose chunks' results go through `partials`.
    ///
    /// # Safety
    /// `a` is valid for `n` elements of `size` bytes, `partials` for one per chunk, `dst` for one.
    pub unsafe fn row(&self, dst: *mut u8, a: *const u8, n: usize, size: usize, partials: *mut u8) {
        // SAFETY: the chunks lie within the row.
        unsafe {
            if n <= CHUNK {
                return (self.chunk)(dst, a, n);
            }
            let chunks = n.div_ceil(CHUNK);
            for i in 0..chunks {
                let len = CHUNK.min(n - i * CHUNK);
                (self.chunk)(partials.add(i * size), a.add(i * CHUNK * size), len);
            }
            (self.join)(dst, partials, chunks);
        }
    }
}

/// # Safety
/// `a` is valid for `n` elements, `dst` for one.
#[inline(always)]
unsafe fn lanes<T: Copy>(dst: *mut u8, a: *const u8, n: usize, unit: T, f: impl Fn(T, T) -> T) {
    let (dst, a) = (dst.cast::<T>(), a.cast::<T>());
    if n < 16 {
        let mut x = unit;
        for i in 0..n {
            // SAFETY: `i < n`.
            x = f(x, unsafe { a.add(i).read() });
        }
        // SAFETY: `dst` is one element.
        return unsafe { dst.write(x) };
    }
    let mut acc = [unit; LANES];
    let mut i = 0;
    while i + LANES <= n {
        // SAFETY: `i + LANES <= n`.
        let x = unsafe { a.add(i).cast::<[T; LANES]>().read() };
        for j in 0..LANES {
            acc[j] = f(acc[j], x[j]);
        }
        i += LANES;
    }
    for (j, slot) in acc.iter_mut().enumerate().take(n - i) {
        // SAFETY: `i + j < n`.
        *slot = f(*slot, unsafe { a.add(i + j).read() });
    }
    let mut half = LANES / 2;
    while half > 0 {
        for j in 0..half {
            acc[j] = f(acc[j], acc[j + half]);
        }
        half /= 2;
    }
    // SAFETY: `dst` is one element.
    unsafe { dst.write(acc[0]) };
}

/// # Safety
/// `a` is valid for `n` elements, `dst` for one.
#[inline(always)]
unsafe fn in_order<T: Copy>(dst: *mut u8, a: *const u8, n: usize, unit: T, f: impl Fn(T, T) -> T) {
    let mut x = unit;
    for i in 0..n {
        // SAFETY: `i < n`.
        x = f(x, unsafe { a.cast::<T>().add(i).read() });
    }
    // SAFETY: `dst` is one element.
    unsafe { dst.cast::<T>().write(x) };
}

/// # Safety
/// `a` is valid for `n` elements of `f32`, `dst` for one.
unsafe fn join_sums(dst: *mut u8, a: *const u8, n: usize) {
    let mut sum = 0.0f64;
    for i in 0..n {
        // SAFETY: `i < n`.
        sum += unsafe { a.cast::<f32>().add(i).read() } as f64;
    }
    // SAFETY: `dst` is one element.
    unsafe { dst.cast::<f32>().write(sum as f32) };
}

isa_fn! {
    unsafe fn sum_f32(d: *mut u8, a: *const u8, n: usize) = |d, a, n| lanes(d, a, n, 0.0f32, |x, y| x + y);
    unsafe fn prod_f32(d: *mut u8, a: *const u8, n: usize) = |d, a, n| lanes(d, a, n, 1.0f32, |x, y| x * y);
    unsafe fn max_f32(d: *mut u8, a: *const u8, n: usize) = |d, a, n| lanes(d, a, n, f32::NEG_INFINITY, maximum);
    unsafe fn min_f32(d: *mut u8, a: *const u8, n: usize) = |d, a, n| lanes(d, a, n, f32::INFINITY, minimum);
}

/// The row reduction of `kind` on elements of `dtype`; `None` for those that are not row reductions.
pub(crate) fn fold(isa: Isa, kind: ReduceKind, dtype: DType) -> Option<Fold> {
    macro_rules! both {
        ($t:ty, $unit:expr, $f:expr) => {
            Fold {
                // SAFETY: the caller keeps the contract of the field.
                chunk: |d, a, n| unsafe { lanes::<$t>(d, a, n, $unit, $f) },
                // SAFETY: as above.
                join: |d, a, n| unsafe { in_order::<$t>(d, a, n, $unit, $f) },
            }
        };
    }
    macro_rules! ints {
        ($t:ty) => {
            match kind {
                ReduceKind::Sum => both!($t, 0, |a, b| a.wrapping_add(b)),
                ReduceKind::Prod => both!($t, 1, |a, b| a.wrapping_mul(b)),
                ReduceKind::Max => both!($t, <$t>::MIN, Ord::max),
                ReduceKind::Min => both!($t, <$t>::MAX, Ord::min),
                _ => return None,
            }
        };
    }
    Some(match dtype {
        DType::F32 => match kind {
            ReduceKind::Sum => Fold { chunk: sum_f32(isa), join: join_sums },
            ReduceKind::Prod => Fold { chunk: prod_f32(isa), ..both!(f32, 1.0, |a, b| a * b) },
            ReduceKind::Max => {
                Fold { chunk: max_f32(isa), ..both!(f32, f32::NEG_INFINITY, maximum) }
            }
            ReduceKind::Min => Fold { chunk: min_f32(isa), ..both!(f32, f32::INFINITY, minimum) },
            _ => return None,
        },
        DType::F64 => match kind {
            ReduceKind::Sum => both!(f64, 0.0, |a, b| a + b),
            ReduceKind::Prod => both!(f64, 1.0, |a, b| a * b),
            ReduceKind::Max => both!(f64, f64::NEG_INFINITY, maximum),
            ReduceKind::Min => both!(f64, f64::INFINITY, minimum),
            _ => return None,
        },
        DType::I64 => ints!(i64),
        DType::I32 => ints!(i32),
        DType::U8 => ints!(u8),
        DType::Bool => match kind {
            ReduceKind::Any => both!(u8, 0, |a, b| a | b),
            ReduceKind::All => both!(u8, 1, |a, b| a & b),
            _ => return None,
        },
    })
}

/// `dst[i] += a[i]` for `i < n`.
pub(crate) fn accumulate(
    isa: Isa,
    dtype: DType,
) -> unsafe fn(dst: *mut u8, a: *const u8, n: usize) {
    /// # Safety
    /// Both are valid for `n` elements and do not overlap.
    #[inline(always)]
    unsafe fn add<T: Copy>(dst: *mut u8, a: *const u8, n: usize, f: impl Fn(T, T) -> T) {
        let (dst, a) = (dst.cast::<T>(), a.cast::<T>());
        for i in 0..n {
            // SAFETY: `i < n`.
            unsafe { dst.add(i).write(f(dst.add(i).read(), a.add(i).read())) };
        }
    }
    isa_fn! {
        unsafe fn add_f32(d: *mut u8, a: *const u8, n: usize) = |d, a, n| add(d, a, n, |x: f32, y| x + y);
    }
    match dtype {
        DType::F32 => add_f32(isa),
        // SAFETY: the caller keeps the contract of `add`.
        DType::F64 => |d, a, n| unsafe { add(d, a, n, |x: f64, y| x + y) },
        // SAFETY: as above.
        DType::I64 => |d, a, n| unsafe { add(d, a, n, |x: i64, y| x.wrapping_add(y)) },
        // SAFETY: as above.
        DType::I32 => |d, a, n| unsafe { add(d, a, n, |x: i32, y| x.wrapping_add(y)) },
        // SAFETY: as above.
        DType::U8 | DType::Bool => |d, a, n| unsafe { add(d, a, n, |x: u8, y| x.wrapping_add(y)) },
    }
}
