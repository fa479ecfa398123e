//! The forward pass: one task for each block of queries of each head.

use std::ops::Range;

use thalweg_graph::ops::AttentionSize;

use super::super::Memory;
use super::Heads;
use super::tile::{Head, KEYS, LANES, QUERIES, Real, Rows, get, key_blocks, put};
use crate::gemm::block::Block;
use crate::gemm::{Kernel, Vector};
use crate::pool::Pool;

/// Columns of a worker's tile.
fn width(size: &AttentionSize) -> usize {
    size.queries.min(QUERIES).next_multiple_of(LANES)
}

/// Elements of a worker's scratch: transposed queries, a tile, three numbers for each query, spare columns.
pub fn scratch_len(size: &AttentionSize) -> usize {
    let keys = size.keys.min(KEYS);
    width(size) * (size.width + keys + 3) + Block::<f32>::spare_len(keys)
}

/// # Safety
/// `memory` is that of a node for which `heads` was made.
pub unsafe fn run<T: Real>(heads: &Heads, pool: &Pool, memory: Memory) {
    let size = &heads.size;
    let per_head = size.queries.div_ceil(QUERIES);
    let to = Rows::joined(size.result());
    let sums = size.result().iter().product::<usize>();
    pool.run(heads.count() * per_head, &|task, worker| {
        let (head, block) = (task / per_head, task % per_head);
        let queries = block * QUERIES..size.queries.min((block + 1) * QUERIES);
        // SAFETY: head and queries are within the operands; no other task has their results, nor at this time the
        // worker's scratch.
        unsafe {
            let (b, h) = (head / size.heads, head % size.heads);
            let result = memory.to::<T>().offset(to.at(b, h, queries.start));
            let logs = memory.to::<T>().add(sums + head * size.queries + queries.start);
            let local = memory.scratch.local.add(worker * memory.scratch.local_stride);
            let head = heads.head::<T>(memory, head, 3);
            let stride = to.row;
            T::launch(
                heads.isa,
                Task { head, queries, result, stride, logs, scratch: local.cast() },
            );
        }
    });
}

/// The queries of one block.
///
/// Valid memory: `result` and `logs` for the block, `scratch` for [`scratch_len`].
struct Task<'a, T> {
    head: Head<'a, T>,
    queries: Range<usize>,
    result: *mut T,
    /// From one row of the result to the next.
    stride: isize,
    logs: *mut T,
    scratch: *mut T,
}

impl<T: Real, V: Vector<Element = T>> Kernel<V> for Task<'_, T> {
    #[inline(always)]
    unsafe fn run(self) {
        let Task { head, queries, .. } = &self;
        let (heads, size) = (head.heads, &head.heads.size);
        let (rows, width) = (queries.len(), queries.len().next_multiple_of(LANES));
        // SAFETY: the parts of the scratch are what `scratch_len` counts; keys and queries are within the head.
        unsafe {
            let qt = self.scratch;
            let tile = qt.add(size.width * width);
            let tops = tile.add(size.keys.min(KEYS) * width);
            let (sums, shrink) = (tops.add(width), tops.add(2 * width));
            let spare = tops.add(3 * width);
            head.transpose_queries::<V>(queries, qt, width);
            for j in (0..width).step_by(LANES) {
                put(tops.add(j), [-T::INFINITY; LANES]);
                put(sums.add(j), [T::default(); LANES]);
            }
            for keys in key_blocks(heads, queries) {
                head.scores::<V>(queries, &keys, qt, width, tile);
                for j in (0..width).step_by(LANES) {
                    let [tops, sums, shrink] = [tops, sums, shrink].map(|p| p.add(j));
                    soften(tile.add(j), width, keys.len(), tops, sums, shrink);
                }
                if keys.start > 0 {
                    self.multiply_rows(rows, shrink);
                }
                V::launch(Block {
                    m: rows,
                    n: size.value_width,
                    k: keys.len(),
                    a: tile,
                    a_strides: [1, width as isize],
                    b: head.v.offset(keys.start as isize * heads.v.row),
                    b_stride: heads.v.row,
                    c: self.result,
                    c_stride: self.stride,
                    accumulate: keys.start > 0,
                    spare,
                });
            }
            for i in 0..rows {
                let (top, sum) = (tops.add(i).read(), sums.add(i).read());
                // Where nothing is attended to, the result is 0 already.
                shrink.add(i).write(if sum == T::default() { sum } else { T::ONE / sum });
                self.logs.add(i).write(Head::shift(top) + sum.ln());
            }
            self.multiply_rows(rows, shrink);
        }
    }
}

impl<T: Real> Task<'_, T> {
    /// Multiplies each row of the result by a number of its own.
    ///
    /// # Safety
    /// As for the task; there are `rows` factors.
    #[inline(always)]
    unsafe fn multiply_rows(&self, rows: usize, factors: *const T) {
        let n = self.head.heads.size.value_width;
        for i in 0..rows {
            // SAFETY: the row is within the block's results.
            unsafe {
                let (factor, row) =
                    (factors.add(i).read(), self.result.offset(i as isize * self.stride));
                if factor != T::ONE {
                    for x in std::slice::from_raw_parts_mut(row, n) {
                        *x = *x * factor;
                    }
                }
            }
        }
    }
}

/// Turns the scores of [`LANES`] queries into weights exp(score − top), where `tops` holds the greatest scores so far;
/// adds them to the `sums`, and says by what the earlier weights shrink. NaN stays NaN.
///
/// # Safety
/// The tile has `keys` rows that are `width` apart; the others are numbers for these queries.
#[inline(always)]
unsafe fn soften<T: Real>(
    tile: *mut T,
    width: usize,
    keys: usize,
    tops: *mut T,
    sums: *mut T,
    shrink: *mut T,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let before = get(tops);
        let mut top = before;
        for key in 0..keys {
            let score = get(tile.add(key * width));
            for i in 0..LANES {
                // NaN never is the greatest; its weight is NaN, and so is the sum.
                top[i] = if score[i] > top[i] { score[i] } else { top[i] };
            }
        }
        let (mut shift, mut factor) = (top, top);
        for i in 0..LANES {
            shift[i] = Head::shift(top[i]);
            factor[i] = (before[i] - shift[i]).exp();
        }
        let mut sum = get(sums);
        for i in 0..LANES {
            sum[i] = sum[i] * factor[i];
        }
        for key in 0..keys {
            let mut weight = get(tile.add(key * width));
            for i in 0..LANES {
                weight[i] = (weight[i] - shift[i]).exp();
                sum[i] += weight[i];
            }
            put(tile.add(key * width), weight);
        }
        put(tops, top);
        put(sums, sum);
        put(shrink, factor);
    }
}
