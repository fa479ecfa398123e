//! The small transforms, on vectors of channels. Plain loops over small arrays stay in registers.
//!
//! # Safety
//! All functions: the machine has the instruction set of the vectors.

use crate::gemm::Vector;

/// A square of vectors.
pub type Square<V, const N: usize> = [[V; N]; N];

/// Bᵀ of four rows or columns.
#[inline(always)]
unsafe fn b<V: Vector>([p, q, r, s]: [V; 4]) -> [V; 4] {
    // SAFETY: the caller's promise.
    unsafe { [p.sub(r), q.add(r), r.sub(q), q.sub(s)] }
}

/// Bᵀ x B of a window.
#[expect(clippy::needless_range_loop, reason = "plain index loops are sure to be unrolled")]
#[inline(always)]
pub unsafe fn input<V: Vector>(mut x: Square<V, 4>) -> Square<V, 4> {
    for row in &mut x {
        // SAFETY: the caller's promise.
        *row = unsafe { b(*row) };
    }
    for j in 0..4 {
        // SAFETY: the caller's promise.
        [x[0][j], x[1][j], x[2][j], x[3][j]] = unsafe { b([x[0][j], x[1][j], x[2][j], x[3][j]]) };
    }
    x
}

/// Aᵀ of four rows or columns.
#[inline(always)]
unsafe fn a_transposed<V: Vector>([p, q, r, s]: [V; 4]) -> [V; 2] {
    // SAFETY: the caller's promise.
    unsafe { [p.add(q).add(r), q.sub(r).sub(s)] }
}

/// Aᵀ m A: a square of the result.
#[inline(always)]
pub unsafe fn output<V: Vector>(m: Square<V, 4>) -> Square<V, 2> {
    let mut y = [[m[0][0]; 2]; 2];
    let mut rows = [[m[0][0]; 2]; 4];
    for i in 0..4 {
        // SAFETY: the caller's promise.
        rows[i] = unsafe { a_transposed(m[i]) };
    }
    for j in 0..2 {
        // SAFETY: the caller's promise.
        [y[0][j], y[1][j]] =
            unsafe { a_transposed([rows[0][j], rows[1][j], rows[2][j], rows[3][j]]) };
    }
    y
}

/// A of two rows or columns.
#[inline(always)]
unsafe fn a<V: Vector>([p, q]: [V; 2]) -> [V; 4] {
    // SAFETY: the caller's promise.
    unsafe { [p, p.add(q), p.sub(q), V::splat(Default::default()).sub(q)] }
}

/// A g Aᵀ of a square of the cotangent.
#[inline(always)]
pub unsafe fn cotangent<V: Vector>(g: Square<V, 2>) -> Square<V, 4> {
    let mut result = [[g[0][0]; 4]; 4];
    // SAFETY: the caller's promise.
    let rows = unsafe { [a(g[0]), a(g[1])] };
    for j in 0..4 {
        // SAFETY: the caller's promise.
        [result[0][j], result[1][j], result[2][j], result[3][j]] =
            unsafe { a([rows[0][j], rows[1][j]]) };
    }
    result
}

/// G of three rows or columns.
#[inline(always)]
unsafe fn g<V: Vector<Element = f32>>([p, q, r]: [V; 3]) -> [V; 4] {
    // SAFETY: the caller's promise.
    unsafe {
        let half = V::splat(0.5);
        let (ends, middle) = (p.add(r).mul(half), q.mul(half));
        [p, ends.add(middle), ends.sub(middle), r]
    }
}

/// G w Gᵀ of a kernel.
#[inline(always)]
pub unsafe fn kernel<V: Vector<Element = f32>>(w: Square<V, 3>) -> Square<V, 4> {
    let mut result = [[w[0][0]; 4]; 4];
    // SAFETY: the caller's promise.
    let rows = unsafe { [g(w[0]), g(w[1]), g(w[2])] };
    for j in 0..4 {
        // SAFETY: the caller's promise.
        [result[0][j], result[1][j], result[2][j], result[3][j]] =
            unsafe { g([rows[0][j], rows[1][j], rows[2][j]]) };
    }
    result
}

/// Gᵀ of four rows or columns.
#[inline(always)]
unsafe fn g_transposed<V: Vector<Element = f32>>([p, q, r, s]: [V; 4]) -> [V; 3] {
    // SAFETY: the caller's promise.
    unsafe {
        let half = V::splat(0.5);
        let (sum, difference) = (q.add(r).mul(half), q.sub(r).mul(half));
        [p.add(sum), difference, sum.add(s)]
    }
}

/// Gᵀ s G: the gradient by the kernel.
#[inline(always)]
pub unsafe fn kernel_gradient<V: Vector<Element = f32>>(s: Square<V, 4>) -> Square<V, 3> {
    let mut result = [[s[0][0]; 3]; 3];
    let mut rows = [[s[0][0]; 3]; 4];
    for i in 0..4 {
        // SAFETY: the caller's promise.
        rows[i] = unsafe { g_transposed(s[i]) };
    }
    for j in 0..3 {
        // SAFETY: the caller's promise.
        [result[0][j], result[1][j], result[2][j]] =
            unsafe { g_transposed([rows[0][j], rows[1][j], rows[2][j], rows[3][j]]) };
    }
    result
}
