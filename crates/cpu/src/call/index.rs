//! Elements chosen by index: [`IndexSelect`], [`IndexAdd`], [`Gather`], [`ScatterAdd`], [`CheckRange`].
//!
//! Indices are checked before anything is written. Sums are deterministic because tasks share the *destinations*: each
//! element gets all its summands from one task, in the order of the index, as the reference adds them.

use std::ops::Range;

use thalweg_graph::ops::index::out_of_range;
use thalweg_graph::ops::{CheckRange, Gather, IndexAdd, IndexSelect, ScatterAdd};
use thalweg_graph::{DType, OpError, Shape, Tensor};

use super::cells::Axes;
use super::{ALONE, Kernel, Memory, TASK, deal};
use crate::isa::Isa;
use crate::kernels::accumulate;
use crate::pool::Pool;

/// Integers that must lie in a range, and what they are called.
struct Indices {
    shape: Shape,
    range: Range<i64>,
    what: String,
}

/// A tensor cut at the axis that is indexed: `outer` × `extent` × `inner` elements.
#[derive(Clone, Copy)]
struct Cut {
    outer: usize,
    extent: usize,
    inner: usize,
}

struct Check(Indices);

/// Whole rows: element `(o, k, j)` of the selection is `(o, ids[k], j)` of the tensor.
struct Rows {
    ids: Indices,
    cut: Cut,
    size: usize,
    /// `None` selects rows, else they are added up.
    add: Option<Add>,
}

/// Single elements: `(o, k, j)` of the index names `(o, index[o, k, j], j)` of the tensor.
struct Cells {
    index: Indices,
    /// The index cut at its axis.
    cut: Cut,
    /// Where its outer and inner places begin in the tensor, whose axis has this stride.
    outer: Axes,
    inner: Axes,
    stride: usize,
    extent: usize,
    numel: usize,
    dtype: DType,
    /// True where elements are added, false where they are gathered.
    adds: bool,
}

type Add = unsafe fn(dst: *mut u8, a: *const u8, n: usize);

pub(super) fn kernel(tensor: &Tensor, isa: Isa) -> Option<Box<dyn Kernel>> {
    let op = tensor.op();
    let inputs = tensor.inputs();
    if let Some(CheckRange { lo, hi, what }) = op.downcast() {
        let shape = inputs[0].shape().clone();
        return Some(Box::new(Check(Indices { shape, range: *lo..*hi, what: what.clone() })));
    }
    let indices = |axis: usize| Indices {
        shape: inputs[1].shape().clone(),
        range: 0..inputs[0].shape()[axis] as i64,
        what: "index".to_owned(),
    };
    let (shape, dtype) = (inputs.first()?.shape(), inputs[0].dtype());
    let rows = |axis: usize, add: Option<Add>| -> Option<Box<dyn Kernel>> {
        let (ids, cut) = (indices(axis), Cut::new(shape, axis));
        Some(Box::new(Rows { ids, cut, size: dtype.size(), add }))
    };
    let cells = |axis: usize, adds: bool| -> Option<Box<dyn Kernel>> {
        let (index, strides) = (indices(axis), shape.strides());
        let extents = index.shape.dims();
        Some(Box::new(Cells {
            cut: Cut::new(&index.shape, axis),
            outer: Axes::new(&extents[..axis], &strides[..axis]),
            inner: Axes::new(&extents[axis + 1..], &strides[axis + 1..]),
            stride: strides[axis] as usize,
            extent: shape[axis],
            numel: shape.numel(),
            dtype,
            adds,
            index,
        }))
    };
    if let Some(&IndexSelect { axis }) = op.downcast() {
        return rows(axis, None);
    }
    if let Some(&IndexAdd { axis }) = op.downcast() {
        return rows(axis, Some(accumulate(isa, dtype)));
    }
    if let Some(&Gather { axis }) = op.downcast() {
        return cells(axis, false);
    }
    cells(op.downcast::<ScatterAdd>()?.axis, true)
}

impl Cut {
    fn new(shape: &Shape, axis: usize) -> Cut {
        Cut {
            outer: shape[..axis].iter().product(),
            extent: shape[axis],
            inner: shape[axis + 1..].iter().product(),
        }
    }
}

impl Indices {
    /// The integers that are input `i`, where all lie in the range.
    ///
    /// # Safety
    /// The input has this shape and is of type `i64`.
    unsafe fn read<'a>(&self, memory: &Memory, i: usize) -> Result<&'a [i64], OpError> {
        // SAFETY: the caller's promise.
        let all: &[i64] = unsafe { memory.slice(i, self.shape.numel()) };
        let outside = |value: &i64| !self.range.contains(value);
        // Without a way out the loop is fast; where it fails, time does not matter.
        if all.iter().fold(false, |found, value| found | outside(value))
            && let Some(place) = all.iter().position(outside)
        {
            let Range { start, end } = self.range;
            return Err(out_of_range(&self.what, all[place], place, &self.shape, start, end));
        }
        Ok(all)
    }
}

impl Kernel for Check {
    unsafe fn run(&self, _: &Pool, memory: Memory) -> Result<(), OpError> {
        // SAFETY: input and result have the shape of the indices.
        unsafe {
            let all = self.0.read(&memory, 0)?;
            memory.part(0..all.len()).copy_from_slice(all);
        }
        Ok(())
    }
}

impl Kernel for Rows {
    unsafe fn run(&self, pool: &Pool, memory: Memory) -> Result<(), OpError> {
        // SAFETY: the ids are input 1.
        let ids = unsafe { self.ids.read(&memory, 1)? };
        match self.add {
            // SAFETY: the ids lie inside the axis.
            None => unsafe { self.select(pool, memory, ids) },
            // SAFETY: as above.
            Some(add) => unsafe { self.add(pool, memory, ids, add) },
        }
        Ok(())
    }
}

impl Rows {
    /// # Safety
    /// As for [`Kernel::run`]; the ids lie inside the axis.
    unsafe fn select(&self, pool: &Pool, memory: Memory, ids: &[i64]) {
        let Cut { outer, extent, inner } = self.cut;
        let bytes = inner * self.size;
        deal(pool, outer * ids.len(), inner, |rows| {
            for (row, o, k) in count(rows, ids.len()) {
                let id = ids[k] as usize;
                // SAFETY: the id names a row of the tensor; each row of the result is one task's.
                unsafe {
                    let from = memory.input::<u8>(0).add((o * extent + id) * bytes);
                    let to = memory.to::<u8>().add(row * bytes);
                    // Single elements are worth a copy of known length.
                    match bytes {
                        4 => to.copy_from_nonoverlapping(from, 4),
                        8 => to.copy_from_nonoverlapping(from, 8),
                        _ => to.copy_from_nonoverlapping(from, bytes),
                    }
                }
            }
        });
    }

    /// # Safety
    /// As for [`Kernel::run`]; the ids lie inside the axis.
    unsafe fn add(&self, pool: &Pool, memory: Memory, ids: &[i64], add: Add) {
        let Cut { outer, extent, inner } = self.cut;
        // SAFETY: the result has the tensor's elements.
        unsafe { copy(pool, memory, outer * extent * inner, self.size) };
        share(pool, self.cut, ids.len(), |outer, columns, rows| {
            for o in outer {
                for (k, &id) in ids.iter().enumerate() {
                    if !rows.contains(&(id as usize)) {
                        continue;
                    }
                    let to = ((o * extent + id as usize) * inner + columns.start) * self.size;
                    let from = ((o * ids.len() + k) * inner + columns.start) * self.size;
                    // SAFETY: the id names a row of the tensor; this part of it is this task's.
                    unsafe {
                        let from = memory.input::<u8>(2).add(from);
                        add(memory.to::<u8>().add(to), from, columns.len());
                    }
                }
            }
        });
    }
}

impl Kernel for Cells {
    unsafe fn run(&self, pool: &Pool, memory: Memory) -> Result<(), OpError> {
        // SAFETY: the index is input 1.
        let index = unsafe { self.index.read(&memory, 1)? };
        // SAFETY: the index lies inside the axis, and elements have the type or at least the size named here.
        unsafe {
            match (self.adds, self.dtype) {
                (false, dtype) => match dtype.size() {
                    1 => self.gather::<u8>(pool, memory, index),
                    4 => self.gather::<u32>(pool, memory, index),
                    _ => self.gather::<u64>(pool, memory, index),
                },
                (true, DType::F32) => self.scatter(pool, memory, index, |a: f32, b| a + b),
                (true, DType::F64) => self.scatter(pool, memory, index, |a: f64, b| a + b),
                (true, DType::I64) => self.scatter(pool, memory, index, i64::wrapping_add),
                (true, DType::I32) => self.scatter(pool, memory, index, i32::wrapping_add),
                (true, _) => self.scatter(pool, memory, index, u8::wrapping_add),
            }
        }
        Ok(())
    }
}

impl Cells {
    /// # Safety
    /// As for [`Kernel::run`]; the index lies inside the axis, and elements have the size of `T`.
    unsafe fn gather<T: Copy>(&self, pool: &Pool, memory: Memory, index: &[i64]) {
        let Cut { outer, extent, inner } = self.cut;
        deal(pool, outer * extent, inner, |rows| {
            let mut start = self.outer.place(rows.start / extent.max(1));
            for (row, o, k) in count(rows, extent) {
                if k == 0 {
                    start = self.outer.place(o);
                }
                for j in 0..inner {
                    let at = row * inner + j;
                    let place = start + index[at] as usize * self.stride + self.inner.place(j);
                    // SAFETY: the index names an element of the tensor; each row of the result is one task's.
                    unsafe {
                        memory.to::<T>().add(at).write(memory.input::<T>(0).add(place).read())
                    };
                }
            }
        });
    }

    /// # Safety
    /// As for [`Kernel::run`]; the index lies inside the axis, and elements are of type `T`.
    unsafe fn scatter<T: Copy>(
        &self,
        pool: &Pool,
        memory: Memory,
        index: &[i64],
        add: impl Fn(T, T) -> T + Sync,
    ) {
        let Cut { outer, extent: count, inner } = self.cut;
        // SAFETY: the result has the tensor's elements.
        unsafe { copy(pool, memory, self.numel, size_of::<T>()) };
        let cut = Cut { outer, extent: self.extent, inner };
        share(pool, cut, count, |outer, columns, rows| {
            for o in outer {
                let start = self.outer.place(o);
                for k in 0..count {
                    for j in columns.clone() {
                        let at = (o * count + k) * inner + j;
                        let id = index[at] as usize;
                        if !rows.contains(&id) {
                            continue;
                        }
                        let place = start + id * self.stride + self.inner.place(j);
                        // SAFETY: the index names an element of the tensor, which is this task's.
                        unsafe {
                            let to = memory.to::<T>().add(place);
                            to.write(add(to.read(), memory.input::<T>(2).add(at).read()));
                        }
                    }
                }
            }
        });
    }
}

/// Each row with its quotient and remainder by `n`, without a division for each.
fn count(rows: Range<usize>, n: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let mut at = (rows.start / n.max(1), rows.start % n.max(1));
    rows.map(move |row| {
        let (quotient, rest) = at;
        at = if rest + 1 == n { (quotient + 1, 0) } else { (quotient, rest + 1) };
        (row, quotient, rest)
    })
}

/// Copies the `n` elements of input 0 to the result.
///
/// # Safety
/// Both have that many elements of `size` bytes.
unsafe fn copy(pool: &Pool, memory: Memory, n: usize, size: usize) {
    deal(pool, n, 1, |range| {
        let (start, bytes) = (range.start * size, range.len() * size);
        // SAFETY: the caller's promise; the ranges are disjoint.
        unsafe {
            let from = memory.input::<u8>(0).add(start);
            memory.to::<u8>().add(start).copy_from_nonoverlapping(from, bytes);
        }
    });
}

/// Deals a tensor out to tasks that add `count` summands along its axis: calls `f` with ranges of its outer places, of its
/// inner places and of its axis. Each task looks at the whole index, so the axis is cut only where the rest does not
/// give work to all threads.
fn share(
    pool: &Pool,
    cut: Cut,
    count: usize,
    f: impl Fn(Range<usize>, Range<usize>, Range<usize>) + Sync,
) {
    // A task's columns should fill a few cache lines.
    const COLUMNS: usize = 64;
    let Cut { outer, extent, inner } = cut;
    let work = outer * count * inner;
    if work <= ALONE {
        return f(0..outer, 0..inner, 0..extent);
    }
    let want = (2 * pool.threads()).min(work.div_ceil(TASK));
    let outers = outer.min(want);
    let inners = inner.div_ceil(COLUMNS).min(want.div_ceil(outers));
    let rows = extent.min(want.div_ceil(outers * inners));
    let part = |i: usize, parts: usize, n: usize| i * n / parts..(i + 1) * n / parts;
    pool.run(outers * inners * rows, &|task, _| {
        let (rest, row) = (task / rows, task % rows);
        let (o, j) = (rest / inners, rest % inners);
        f(part(o, outers, outer), part(j, inners, inner), part(row, rows, extent));
    });
}
