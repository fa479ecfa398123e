//! The functions over arrays: `exp(isa)(dst, a, n)` sets `dst[i] = exp(a[i])` for `i` in `0..n`.
//!
//! Each item here chooses the code for an [`Isa`](crate::isa::Isa) and returns a pointer to it. To call that pointer, the
//! path must be available on this machine, `a` must be valid for reading and `dst` for writing `n` elements, and
//! the two must be equal or must not overlap.

use super::trig::{cos_within, is_beyond, sin_within};
use crate::dispatch::{isa_fn, map1};

isa_fn! {
    /// [`exp`](super::exp) of an array.
    pub unsafe fn exp(dst: *mut f32, a: *const f32, n: usize) = |d, a, n| map1(d, a, n, super::exp);
    /// [`expm1`](super::expm1) of an array.
    pub unsafe fn expm1(dst: *mut f32, a: *const f32, n: usize) = |d, a, n| map1(d, a, n, super::expm1);
    /// [`log`](super::log) of an array.
    pub unsafe fn log(dst: *mut f32, a: *const f32, n: usize) = |d, a, n| map1(d, a, n, super::log);
    /// [`log1p`](super::log1p) of an array.
    pub unsafe fn log1p(dst: *mut f32, a: *const f32, n: usize) = |d, a, n| map1(d, a, n, super::log1p);
    /// [`tanh`](super::tanh) of an array.
    pub unsafe fn tanh(dst: *mut f32, a: *const f32, n: usize) = |d, a, n| map1(d, a, n, super::tanh);
    /// [`sigmoid`](super::sigmoid) of an array.
    pub unsafe fn sigmoid(dst: *mut f32, a: *const f32, n: usize) = |d, a, n| map1(d, a, n, super::sigmoid);
    /// [`erf`](super::erf) of an array.
    pub unsafe fn erf(dst: *mut f32, a: *const f32, n: usize) = |d, a, n| map1(d, a, n, super::erf);
    /// [`softplus`](super::softplus) of an array.
    pub unsafe fn softplus(dst: *mut f32, a: *const f32, n: usize) = |d, a, n| map1(d, a, n, super::softplus);
    /// [`sqrt`](super::sqrt) of an array.
    pub unsafe fn sqrt(dst: *mut f32, a: *const f32, n: usize) = |d, a, n| map1(d, a, n, super::sqrt);
    /// [`sin`](super::sin) of an array.
    pub unsafe fn sin(dst: *mut f32, a: *const f32, n: usize) = |d, a, n| trig(d, a, n, sin_within, super::sin);
    /// [`cos`](super::cos) of an array.
    pub unsafe fn cos(dst: *mut f32, a: *const f32, n: usize) = |d, a, n| trig(d, a, n, cos_within, super::cos);
}

/// [`map1`] by blocks: with the branch-free `within` where a block has no huge argument, else with `any`. The two agree
/// wherever `within` serves, so a result does not depend on its neighbours.
///
/// # Safety
/// As for [`map1`].
#[inline(always)]
unsafe fn trig(
    dst: *mut f32,
    a: *const f32,
    n: usize,
    within: impl Fn(f32) -> f32,
    any: impl Fn(f32) -> f32,
) {
    const BLOCK: usize = 256;
    for start in (0..n).step_by(BLOCK) {
        let len = BLOCK.min(n - start);
        // SAFETY: `start + len <= n`; the reading is over before the first write.
        let huge = unsafe { std::slice::from_raw_parts(a.add(start), len) }
            .iter()
            .fold(false, |huge, &x| huge | is_beyond(x));
        // SAFETY: `start + len <= n`, and equal or disjoint arrays have equal or disjoint blocks.
        unsafe {
            if huge {
                map1(dst.add(start), a.add(start), len, &any);
            } else {
                map1(dst.add(start), a.add(start), len, &within);
            }
        }
    }
}
