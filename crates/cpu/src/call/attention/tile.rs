//! A tile of scores, and what it is made from.

use std::ops::{Div, Neg, Range, Sub};

use thalweg_graph::Layout;
use thalweg_graph::ops::Unary;

use super::Heads;
use crate::gemm::block::{AnyKernel, Block, launch};
use crate::gemm::{Element, PackB, Vector};
use crate::isa::Isa;
use crate::math;

/// Queries of a tile.
pub const QUERIES: usize = 32;
/// Keys of a tile.
pub const KEYS: usize = 64;
/// Queries that are worked on side by side: whole vectors of any instruction set.
pub const LANES: usize = 16;

/// Numbers of [`LANES`] queries.
pub type Lanes<T> = [T; LANES];

/// A float with the functions of the soft-max.
pub trait Real:
    Element + PartialOrd + Sub<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    const ONE: Self;
    const INFINITY: Self;
    fn from_f64(x: f64) -> Self;
    fn exp(self) -> Self;
    fn ln(self) -> Self;
    /// Runs a kernel on vectors of this type.
    ///
    /// # Safety
    /// As for [`launch`].
    unsafe fn launch(isa: Isa, kernel: impl AnyKernel<Self>);
}

impl Real for f32 {
    const ONE: f32 = 1.0;
    const INFINITY: f32 = f32::INFINITY;
    #[inline(always)]
    fn from_f64(x: f64) -> f32 {
        x as f32
    }
    #[inline(always)]
    fn exp(self) -> f32 {
        math::exp(self)
    }
    #[inline(always)]
    fn ln(self) -> f32 {
        math::log(self)
    }
    unsafe fn launch(isa: Isa, kernel: impl AnyKernel<f32>) {
        // SAFETY: the caller's promise.
        unsafe { launch(isa, kernel) }
    }
}

impl Real for f64 {
    const ONE: f64 = 1.0;
    const INFINITY: f64 = f64::INFINITY;
    #[inline(always)]
    fn from_f64(x: f64) -> f64 {
        x
    }
    #[inline(always)]
    fn exp(self) -> f64 {
        Unary::Exp.float(self)
    }
    #[inline(always)]
    fn ln(self) -> f64 {
        Unary::Log.float(self)
    }
    /// The portable code suffices for checks of gradients; code for other vectors would take long to compile.
    unsafe fn launch(_: Isa, kernel: impl AnyKernel<f64>) {
        // SAFETY: the caller's promise.
        unsafe { <f64 as Element>::Portable::launch(kernel) }
    }
}

/// Where the rows of a tensor `[B, H, T, D]` begin; the elements of a row are side by side.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    batch: isize,
    head: isize,
    /// From one row of a head to the next.
    pub row: isize,
}

impl Rows {
    pub fn of(layout: &Layout) -> Rows {
        let s = &layout.strides;
        Rows { batch: s[0], head: s[1], row: s[2] }
    }

    /// The rows of `[B, H, T, D]` in the order `[B, T, H, D]`.
    pub fn joined([_, h, t, d]: [usize; 4]) -> Rows {
        Rows { batch: (t * h * d) as isize, head: d as isize, row: (h * d) as isize }
    }

    /// The distance of a row from the first one.
    pub fn at(&self, batch: usize, head: usize, row: usize) -> isize {
        batch as isize * self.batch + head as isize * self.head + row as isize * self.row
    }
}

/// One head: the addresses of its first query, key and value, and of its part of the mask with the strides to the next
/// query and to the next key.
pub struct Head<'a, T> {
    pub heads: &'a Heads,
    pub q: *const T,
    pub k: *const T,
    pub v: *const T,
    pub mask: Option<(*const u8, [isize; 2])>,
    pub scale: T,
}

/// Part of the tile's operands, below each other.
///
/// # Safety
/// `from` has `rows` rows of `width` elements, `to` room for `width` rows of `padded` elements.
#[inline(always)]
pub unsafe fn transpose<T: Element, V: Vector<Element = T>>(
    from: (*const T, isize),
    rows: usize,
    width: usize,
    to: *mut T,
    padded: usize,
) {
    let strides = [1, from.1];
    // SAFETY: the caller's promise.
    unsafe {
        V::launch(PackB { k: width, columns: rows, b: from.0, strides, padded, width: padded, to })
    }
}

/// # Safety
/// There are that many elements.
#[inline(always)]
pub unsafe fn get<T: Copy>(from: *const T) -> Lanes<T> {
    // SAFETY: the caller's promise; alignment is not needed.
    unsafe { from.cast::<Lanes<T>>().read_unaligned() }
}

/// # Safety
/// There is room for that many elements.
#[inline(always)]
pub unsafe fn put<T: Copy>(to: *mut T, x: Lanes<T>) {
    // SAFETY: the caller's promise; alignment is not needed.
    unsafe { to.cast::<Lanes<T>>().write_unaligned(x) }
}

/// The blocks of keys that a block of queries meets, in order; `causal` hides what comes after its last query.
pub fn key_blocks(
    heads: &Heads,
    queries: &Range<usize>,
) -> impl Iterator<Item = Range<usize>> + use<> {
    let end = if heads.causal { heads.size.keys.min(queries.end) } else { heads.size.keys };
    blocks(0..end, KEYS)
}

/// The range in blocks of `step`.
pub fn blocks(range: Range<usize>, step: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(step).map(move |start| start..end.min(start + step))
}

impl<T: Real> Head<'_, T> {
    /// `tile[key][query] = queryᵀ·key`, −∞ where the query may not attend to the key; `qt` holds the transposed queries,
    /// scaled, `width` columns wide, of which those beyond the last query are 0.
    ///
    /// # Safety
    /// Queries and keys are of the head; `tile` has room for `width` columns of them.
    #[inline(always)]
    pub unsafe fn scores<V: Vector<Element = T>>(
        &self,
        queries: &Range<usize>,
        keys: &Range<usize>,
        qt: *const T,
        width: usize,
        tile: *mut T,
    ) {
        let stride = self.heads.k.row;
        // SAFETY: the caller's promise.
        unsafe {
            V::launch(Block {
                m: keys.len(),
                n: width,
                k: self.heads.size.width,
                a: self.k.offset(keys.start as isize * stride),
                a_strides: [stride, 1],
                b: qt,
                b_stride: width as isize,
                c: tile,
                c_stride: width as isize,
                accumulate: false,
                spare: std::ptr::null_mut(),
            });
        }
        if let Some((mask, [query_stride, key_stride])) = self.mask {
            for (i, key) in keys.clone().enumerate() {
                for (j, query) in queries.clone().enumerate() {
                    let at = query as isize * query_stride + key as isize * key_stride;
                    // SAFETY: the mask has an element for each pair, the tile a place.
                    unsafe {
                        if mask.offset(at).read() == 0 {
                            tile.add(i * width + j).write(-T::INFINITY);
                        }
                    }
                }
            }
        }
        if self.heads.causal && keys.end > queries.start + 1 {
            for (i, key) in keys.clone().enumerate() {
                for j in 0..key.saturating_sub(queries.start).min(queries.len()) {
                    // SAFETY: the place is within the tile.
                    unsafe { tile.add(i * width + j).write(-T::INFINITY) };
                }
            }
        }
    }

    /// Writes the transposed queries, scaled.
    ///
    /// # Safety
    /// The queries are of the head; `qt` has room for them, `width` columns wide.
    #[inline(always)]
    pub unsafe fn transpose_queries<V: Vector<Element = T>>(
        &self,
        queries: &Range<usize>,
        qt: *mut T,
        width: usize,
    ) {
        let (stride, depth) = (self.heads.q.row, self.heads.size.width);
        // SAFETY: the caller's promise.
        unsafe {
            let from = self.q.offset(queries.start as isize * stride);
            transpose::<T, V>((from, stride), queries.len(), depth, qt, width);
            for x in std::slice::from_raw_parts_mut(qt, depth * width) {
                *x = *x * self.scale;
            }
        }
    }
}

impl<T: Real> Head<'_, T> {
    /// The shift of the exponents of a query whose greatest score is `top`: itself, or 0 where all are −∞, as −∞ − −∞ is
    /// not a number.
    #[inline(always)]
    pub fn shift(top: T) -> T {
        if top == -T::INFINITY { T::default() } else { top }
    }
}
