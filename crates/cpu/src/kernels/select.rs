//! Choosing between two operands, and repeating one element.

use super::TileFn;
use crate::dispatch::isa_fn;
use crate::isa::Isa;

/// `dst[i] = cond[i] ? a[i] : b[i]`, where `SA` and `SB` say that an operand is a single element.
///
/// # Safety
/// As for [`TileFn`]; `cond` is the first operand, of bytes.
#[inline(always)]
unsafe fn choose<T: Copy, const SA: bool, const SB: bool>(
    dst: *mut u8,
    cond: *const u8,
    a: *const u8,
    b: *const u8,
    n: usize,
) {
    let (dst, a, b) = (dst.cast::<T>(), a.cast::<T>(), b.cast::<T>());
    if n == 0 {
        return;
    }
    // SAFETY: a scalar operand is one readable element, and `n > 0` makes the others have a first one.
    let (first_a, first_b) = unsafe { (a.read(), b.read()) };
    let each = |dst: *mut T, a: *const T, b: *const T| {
        for i in 0..n {
            // SAFETY: `i < n`, and operands that are not scalars have `n` elements.
            unsafe {
                let x = if SA { first_a } else { a.add(i).read() };
                let y = if SB { first_b } else { b.add(i).read() };
                dst.add(i).write(if cond.add(i).read() != 0 { x } else { y });
            }
        }
    };
    // As in `map2`: in place has a loop of its own.
    if !SA && std::ptr::eq(dst, a) {
        each(dst, dst, b);
    } else if !SB && std::ptr::eq(dst, b) {
        each(dst, a, dst);
    } else {
        each(dst, a, b);
    }
}

macro_rules! sizes {
    ($($name:ident = $t:ty;)*) => {$(
        fn $name(isa: Isa, scalars: [bool; 2]) -> TileFn {
            isa_fn! {
                unsafe fn both(d: *mut u8, c: *const u8, a: *const u8, b: *const u8, n: usize) = choose::<$t, false, false>;
                unsafe fn left(d: *mut u8, c: *const u8, a: *const u8, b: *const u8, n: usize) = choose::<$t, true, false>;
                unsafe fn right(d: *mut u8, c: *const u8, a: *const u8, b: *const u8, n: usize) = choose::<$t, false, true>;
                unsafe fn neither(d: *mut u8, c: *const u8, a: *const u8, b: *const u8, n: usize) = choose::<$t, true, true>;
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

sizes! {
    bytes = u8;
    words = u32;
    doubles = u64;
}

/// The kernel of `cond ? a : b` (operands in this order, the condition not a scalar) for elements of `size` bytes.
pub(crate) fn select(isa: Isa, size: usize, scalars: [bool; 2]) -> TileFn {
    match size {
        1 => bytes(isa, scalars),
        4 => words(isa, scalars),
        _ => doubles(isa, scalars),
    }
}

/// The kernel that fills `dst` with the one element `a`, of `size` bytes.
pub(crate) fn spread(size: usize) -> TileFn {
    /// # Safety
    /// As for [`TileFn`].
    unsafe fn fill<T: Copy>(dst: *mut u8, a: *const u8, _: *const u8, _: *const u8, n: usize) {
        // SAFETY: `a` is one element, `dst` has `n`.
        unsafe {
            let x = a.cast::<T>().read();
            (0..n).for_each(|i| dst.cast::<T>().add(i).write(x));
        }
    }
    match size {
        1 => fill::<u8>,
        4 => fill::<u32>,
        _ => fill::<u64>,
    }
}
