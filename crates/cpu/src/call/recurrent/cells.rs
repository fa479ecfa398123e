//! One step of every cell and its gradient, on some units of one sequence at a time. Loops over arrays of a fixed length
//! become vector code on whatever instruction set they are compiled for.

use super::number::Number;

/// Units that are computed together.
pub const UNITS: usize = 32;

/// As many units of one gate or state; those that do not exist hold anything.
pub type Units<T> = [T; UNITS];

/// An expression of every unit. A macro and no function of a closure: a closure would be compiled once for all instruction
/// sets, without any.
macro_rules! each {
    (|$u:ident| $value:expr) => {{
        let mut units = [Default::default(); $crate::call::recurrent::cells::UNITS];
        for $u in 0..$crate::call::recurrent::cells::UNITS {
            units[$u] = $value;
        }
        units
    }};
}

pub(super) use each;

/// From the pre-activations of i, f, g, o and the old c: the gates, the new c and h.
#[inline(always)]
pub fn lstm<T: Number>(a: &[Units<T>; 4], c: &Units<T>) -> ([Units<T>; 4], Units<T>, Units<T>) {
    let i = each!(|u| a[0][u].sigmoid());
    let f = each!(|u| a[1][u].sigmoid());
    let g = each!(|u| a[2][u].tanh());
    let o = each!(|u| a[3][u].sigmoid());
    let c = each!(|u| f[u] * c[u] + i[u] * g[u]);
    let h = each!(|u| o[u] * c[u].tanh());
    ([i, f, g, o], c, h)
}

/// From the gates, the old and the new c, and the cotangents of the new h and c: the gradients of the
/// pre-activations, and of the old c.
#[inline(always)]
pub fn lstm_grad<T: Number>(
    [i, f, g, o]: &[Units<T>; 4],
    [old, new]: [&Units<T>; 2],
    dh: &Units<T>,
    dc: &Units<T>,
) -> ([Units<T>; 4], Units<T>) {
    let t = each!(|u| new[u].tanh());
    let dc = each!(|u| dc[u] + dh[u] * o[u] * (T::ONE - t[u] * t[u]));
    let da = [
        each!(|u| dc[u] * g[u] * (i[u] * (T::ONE - i[u]))),
        each!(|u| dc[u] * old[u] * (f[u] * (T::ONE - f[u]))),
        each!(|u| dc[u] * i[u] * (T::ONE - g[u] * g[u])),
        each!(|u| dh[u] * t[u] * (o[u] * (T::ONE - o[u]))),
    ];
    (da, each!(|u| dc[u] * f[u]))
}

/// From the projections p and q of r, z, n and the old h: the gates and the new h.
#[inline(always)]
pub fn gru<T: Number>(
    p: &[Units<T>; 3],
    q: &[Units<T>; 3],
    h: &Units<T>,
) -> ([Units<T>; 3], Units<T>) {
    let r = each!(|u| (p[0][u] + q[0][u]).sigmoid());
    let z = each!(|u| (p[1][u] + q[1][u]).sigmoid());
    let n = each!(|u| (p[2][u] + r[u] * q[2][u]).tanh());
    let h = each!(|u| n[u] + z[u] * (h[u] - n[u]));
    ([r, z, n], h)
}

/// From the gates, the saved `q_n`, the old h and the cotangent of the new one: the gradients of p and q, and that of the
/// old h but for what comes through q.
#[inline(always)]
pub fn gru_grad<T: Number>(
    [r, z, n]: &[Units<T>; 3],
    inner: &Units<T>,
    h: &Units<T>,
    dh: &Units<T>,
) -> ([Units<T>; 3], [Units<T>; 3], Units<T>) {
    let dn = each!(|u| dh[u] * (T::ONE - z[u]) * (T::ONE - n[u] * n[u]));
    let dz = each!(|u| dh[u] * (h[u] - n[u]) * (z[u] * (T::ONE - z[u])));
    let dr = each!(|u| dn[u] * inner[u] * (r[u] * (T::ONE - r[u])));
    let dq = each!(|u| dn[u] * r[u]);
    ([dr, dz, dn], [dr, dz, dq], each!(|u| dh[u] * z[u]))
}

/// The units at `from`, of which `count` exist.
///
/// # Safety
/// They are readable.
#[inline(always)]
pub unsafe fn load<T: Number>(from: *const T, count: usize) -> Units<T> {
    // SAFETY: the caller's promise.
    unsafe {
        if count == UNITS {
            from.cast::<Units<T>>().read_unaligned()
        } else {
            let mut units = [T::default(); UNITS];
            for (u, unit) in units.iter_mut().enumerate().take(count) {
                *unit = from.add(u).read();
            }
            units
        }
    }
}

/// Writes the `count` units that exist.
///
/// # Safety
/// They are writable.
#[inline(always)]
pub unsafe fn store<T: Number>(units: &Units<T>, to: *mut T, count: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        if count == UNITS {
            to.cast::<Units<T>>().write_unaligned(*units)
        } else {
            to.copy_from_nonoverlapping(units.as_ptr(), count)
        }
    }
}
