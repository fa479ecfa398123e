//! The kernels of row programs: one loop over the elements of a tile each.
//!
//! A kernel is an untyped function pointer, chosen when a program is compiled; the interpreter calls it for each tile.
//! `f32` kernels exist for every instruction set; the other types are rare and run portable code.

mod binary;
mod convert;
mod reduce;
mod select;
#[cfg(test)]
mod tests;
mod unary;

pub(crate) use binary::{binary, compare};
pub(crate) use convert::{cast, index};
pub(crate) use reduce::{CHUNK, Fold, accumulate, fold};
pub(crate) use select::{select, spread};
pub(crate) use unary::unary;

/// `dst[i] = f(a[i], b[i], c[i])` for `i < n`; operands that a kernel does not take are not looked at.
///
/// # Safety
/// `dst` is valid for writing `n` elements of the kernel's result type, and each operand for reading `n` elements of its
/// type (one, where it is a scalar). `dst` equals an operand of elements of the same size or overlaps none. The machine
/// has the instruction set the kernel was chosen for.
pub(crate) type TileFn =
    unsafe fn(dst: *mut u8, a: *const u8, b: *const u8, c: *const u8, n: usize);

/// Whether each of two operands is one element for all (`true`), or one for each.
pub(crate) type Scalars = [bool; 2];

/// NaN wins over any number; of two equal ones the second is taken, as in the reference.
#[inline(always)]
pub(crate) fn maximum<T: PartialOrd + Copy>(a: T, b: T) -> T {
    // A NaN is the one thing that differs from itself.
    #[allow(clippy::eq_op)]
    if a > b || a != a { a } else { b }
}

#[inline(always)]
pub(crate) fn minimum<T: PartialOrd + Copy>(a: T, b: T) -> T {
    #[allow(clippy::eq_op)]
    if a < b || a != a { a } else { b }
}

/// `dst[i] = f(a[i], b[i])`, where `SA` and `SB` say that an operand is a single element.
///
/// A result may take the place of an operand. Each of these cases has a loop of its own: with one loop for all, the
/// compiler's overlap check would send every in-place call to scalar code.
///
/// # Safety
/// As for [`TileFn`].
#[inline(always)]
pub(crate) unsafe fn map2<A: Copy, R: Copy, const SA: bool, const SB: bool>(
    dst: *mut u8,
    a: *const u8,
    b: *const u8,
    n: usize,
    f: impl Fn(A, A) -> R,
) {
    let (dst, a, b) = (dst.cast::<R>(), a.cast::<A>(), b.cast::<A>());
    if n == 0 {
        return;
    }
    // SAFETY: a scalar operand is one readable element, and `n > 0` makes the others have a first one.
    let (first_a, first_b) = unsafe { (a.read(), b.read()) };
    let each = |dst: *mut R, a: *const A, b: *const A| {
        for i in 0..n {
            // SAFETY: `i < n`, and operands that are not scalars have `n` elements.
            unsafe {
                let x = if SA { first_a } else { a.add(i).read() };
                let y = if SB { first_b } else { b.add(i).read() };
                dst.add(i).write(f(x, y));
            }
        }
    };
    if !SA && std::ptr::eq(dst.cast(), a) {
        each(dst, dst.cast(), b);
    } else if !SB && std::ptr::eq(dst.cast(), b) {
        each(dst, a, dst.cast());
    } else {
        each(dst, a, b);
    }
}
