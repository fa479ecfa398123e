//! The kernels of row programs: one loop over the elements of a tile each.
//!
//! A kernel is an untyped function pointer, chosen when a program is compiled; the interpreter calls it for each tile.
//! `f32` kernels exist for every instruction set; the other types are rare and run portable code.

mod binary;
mod convert;
mod reduce;
mod select;
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

/// `dst[i] = f(a[i], b[i])`, where `SA` and `SB` say that an operand is a single element.
///
/// Elements are read a block at a time before any is written, so that a result may take the place of an operand
/// and the loop is vector code all the same.
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
    const BLOCK: usize = 16;
    let (dst, a, b) = (dst.cast::<R>(), a.cast::<A>(), b.cast::<A>());
    if n == 0 {
        return;
    }
    // SAFETY: a scalar operand is one readable element, and `n > 0` makes the others have a first one.
    let (first_a, first_b) = unsafe { (a.read(), b.read()) };
    let mut i = 0;
    while i + BLOCK <= n {
        // SAFETY: `i + BLOCK <= n`, and operands that are not scalars have `n` elements.
        let x: [A; BLOCK] =
            if SA { [first_a; BLOCK] } else { unsafe { a.add(i).cast::<[A; BLOCK]>().read() } };
        // SAFETY: as above.
        let y: [A; BLOCK] =
            if SB { [first_b; BLOCK] } else { unsafe { b.add(i).cast::<[A; BLOCK]>().read() } };
        let mut out = [f(x[0], y[0]); BLOCK];
        for j in 0..BLOCK {
            out[j] = f(x[j], y[j]);
        }
        // SAFETY: `i + BLOCK <= n`, and `dst` has `n` elements.
        unsafe { dst.add(i).cast::<[R; BLOCK]>().write(out) };
        i += BLOCK;
    }
    while i < n {
        // SAFETY: `i < n`.
        unsafe {
            let x = if SA { first_a } else { a.add(i).read() };
            let y = if SB { first_b } else { b.add(i).read() };
            dst.add(i).write(f(x, y));
        }
        i += 1;
    }
}
