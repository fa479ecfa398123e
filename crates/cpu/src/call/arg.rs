//! The place of the greatest or least element along one axis: `argmax`, `argmin`.

use thalweg_graph::ops::{Reduce, ReduceKind};
use thalweg_graph::{DType, OpError, Tensor};

use super::{Kernel, Memory, deal};
use crate::isa::Isa;
use crate::kernels::{CHUNK, Fold, fold};
use crate::pool::Pool;

/// Columns that are searched side by side.
const COLUMNS: usize = 64;

/// The search along the axis of `extent` elements of a tensor cut there: `outer` × `extent` × `inner`.
struct Arg {
    outer: usize,
    extent: usize,
    inner: usize,
    dtype: DType,
    greatest: bool,
    /// The greatest (or least) element of a chunk.
    best: Fold,
}

pub(super) fn kernel(tensor: &Tensor, isa: Isa) -> Option<Box<dyn Kernel>> {
    let Reduce { kind, axes } = tensor.op().downcast::<Reduce>()?;
    let extreme = match kind {
        ReduceKind::ArgMax => ReduceKind::Max,
        ReduceKind::ArgMin => ReduceKind::Min,
        _ => return None,
    };
    let &[axis] = axes.as_slice() else { return None };
    let x = &tensor.inputs()[0];
    Some(Box::new(Arg {
        outer: x.shape()[..axis].iter().product(),
        extent: x.shape()[axis],
        inner: x.shape()[axis + 1..].iter().product(),
        dtype: x.dtype(),
        greatest: *kind == ReduceKind::ArgMax,
        best: fold(isa, extreme, x.dtype())?,
    }))
}

impl Kernel for Arg {
    unsafe fn run(&self, pool: &Pool, memory: Memory) -> Result<(), OpError> {
        // SAFETY: the tensor's elements are of the type named here.
        unsafe {
            match self.dtype {
                DType::F32 => self.search::<f32>(pool, memory),
                DType::F64 => self.search::<f64>(pool, memory),
                DType::I64 => self.search::<i64>(pool, memory),
                DType::I32 => self.search::<i32>(pool, memory),
                DType::U8 | DType::Bool => self.search::<u8>(pool, memory),
            }
        }
        Ok(())
    }
}

impl Arg {
    /// # Safety
    /// As for [`Kernel::run`]; elements are of type `T`.
    unsafe fn search<T: PartialOrd + Copy>(&self, pool: &Pool, memory: Memory) {
        let Arg { outer, extent, inner, .. } = *self;
        if inner == 1 {
            deal(pool, outer, extent, |rows| {
                for row in rows {
                    // SAFETY: the row has `extent` elements; its place in the result is this task's.
                    unsafe {
                        let place = self.row(memory.input::<T>(0).add(row * extent));
                        memory.to::<i64>().add(row).write(place as i64);
                    }
                }
            });
            return;
        }
        let blocks = inner.div_ceil(COLUMNS);
        deal(pool, outer * blocks, extent * COLUMNS, |tasks| {
            for task in tasks {
                let (o, col) = (task / blocks, task % blocks * COLUMNS);
                // SAFETY: the columns lie inside the tensor; their places in the result are this task's.
                unsafe {
                    let from = memory.input::<T>(0).add(o * extent * inner + col);
                    let places = memory.part(o * inner + col..o * inner + inner.min(col + COLUMNS));
                    match self.greatest {
                        true => columns(from, extent, inner, places, |a, b| a > b),
                        false => columns(from, extent, inner, places, |a, b| a < b),
                    }
                }
            }
        });
    }

    /// The place in the row at `a`: the best of each chunk first, by vector code, then its place in the first chunk
    /// that has it.
    ///
    /// # Safety
    /// The row has `extent ≥ 1` elements of type `T`.
    unsafe fn row<T: PartialOrd + Copy>(&self, a: *const T) -> usize {
        // SAFETY: the caller's promise: `at < extent`.
        let (mut best, mut start) = (unsafe { a.read() }, 0);
        for chunk in (0..self.extent).step_by(CHUNK) {
            let n = CHUNK.min(self.extent - chunk);
            let mut found = best;
            // SAFETY: the chunk lies in the row, and `found` is one element.
            unsafe { (self.best.chunk)((&raw mut found).cast(), a.add(chunk).cast(), n) };
            let better = if self.greatest { found > best } else { found < best };
            if better || is_nan(found) {
                (best, start) = (found, chunk);
            }
            if is_nan(found) {
                break;
            }
        }
        // SAFETY: `i < extent`.
        let is_best = |i: &usize| unsafe { a.add(*i).read() == best || is_nan(a.add(*i).read()) };
        (start..self.extent).find(is_best).unwrap_or(0)
    }
}

/// The places of the best elements of up to [`COLUMNS`] columns, whose rows lie `stride` elements apart.
///
/// # Safety
/// `a` is the first element of `extent ≥ 1` rows.
#[inline(always)]
unsafe fn columns<T: PartialOrd + Copy>(
    a: *const T,
    extent: usize,
    stride: usize,
    places: &mut [i64],
    better: impl Fn(T, T) -> bool,
) {
    // SAFETY: there is a first row, and the columns lie inside it.
    let first = |j: usize| unsafe { a.add(j).read() };
    let mut best = [first(0); COLUMNS];
    for (j, (best, place)) in best.iter_mut().zip(places.iter_mut()).enumerate() {
        (*best, *place) = (first(j), 0);
    }
    for i in 1..extent {
        for (j, (best, place)) in best.iter_mut().zip(places.iter_mut()).enumerate() {
            // SAFETY: the caller's promise.
            let x = unsafe { a.add(i * stride + j).read() };
            if better(x, *best) || (is_nan(x) && !is_nan(*best)) {
                (*best, *place) = (x, i as i64);
            }
        }
    }
}

/// A NaN is the one thing that differs from itself.
#[inline(always)]
#[allow(clippy::eq_op)]
fn is_nan<T: PartialEq + Copy>(x: T) -> bool {
    x != x
}
