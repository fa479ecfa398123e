//! The backward pass. A task takes a range of queries and a range of keys of one head and adds up the gradients of the
//! queries, or of keys and values, or of all: enough heads make a task each, few ones are cut into blocks, which
//! computes the scores twice.

use std::ops::Range;

use thalweg_graph::ops::AttentionSize;

use super::super::Memory;
use super::Heads;
use super::tile::{
    Head, KEYS, LANES, QUERIES, Real, Rows, blocks, get, key_blocks, put, transpose,
};
use crate::gemm::block::Block;
use crate::gemm::{Kernel, Vector};
use crate::pool::Pool;

/// From so many heads on, each is one task.
const ENOUGH: usize = 16;

/// Elements of a worker's scratch: transposed queries and cotangents, two tiles, two numbers for each query, spare
/// columns.
pub fn scratch_len(size: &AttentionSize) -> usize {
    let (rows, keys) = (size.queries.min(QUERIES), size.keys.min(KEYS));
    let width = rows.next_multiple_of(LANES);
    width * (size.width + size.value_width + 2 * keys + 2) + Block::<f32>::spare_len(keys.max(rows))
}

/// # Safety
/// `memory` is that of a node for which `heads` was made, whose cotangents lie as `g` says.
pub unsafe fn run<T: Real>(heads: &Heads, g: &Rows, pool: &Pool, memory: Memory) {
    let size = &heads.size;
    let (query_blocks, key_blocks) = (size.queries.div_ceil(QUERIES), size.keys.div_ceil(KEYS));
    let whole = heads.count() >= ENOUGH;
    let per_head = if whole { 1 } else { query_blocks + key_blocks };
    pool.run(heads.count() * per_head, &|task, worker| {
        let (head, part) = (task / per_head, task % per_head);
        let (mut queries, mut keys) = (0..size.queries, 0..size.keys);
        let (of_queries, of_keys) = (whole || part < query_blocks, whole || part >= query_blocks);
        match () {
            _ if whole => {}
            _ if of_queries => queries = part * QUERIES..size.queries.min((part + 1) * QUERIES),
            _ => {
                let block = part - query_blocks;
                keys = block * KEYS..size.keys.min((block + 1) * KEYS);
            }
        }
        // SAFETY: queries and keys are within the head; no other task has their gradients, nor at this time the worker's
        // scratch.
        unsafe {
            let local = memory.scratch.local.add(worker * memory.scratch.local_stride);
            let task = Task::<T> {
                queries,
                keys,
                of_queries,
                of_keys,
                scratch: local.cast(),
                ..Task::new(heads, g, memory, head)
            };
            T::launch(heads.isa, task);
        }
    });
}

/// Some queries and keys of a head.
///
/// Valid memory: everything of the head but the gradients, which are valid where `of_queries` and `of_keys` say so, for
/// the queries and keys of the task; `scratch` for [`scratch_len`].
struct Task<'a, T> {
    head: Head<'a, T>,
    /// The first row of the cotangents, of the results and of the logarithms, and the distances of rows.
    g: (*const T, isize),
    result: (*const T, isize),
    logs: *const T,
    /// The first rows of the gradients.
    dq: (*mut T, isize),
    dk: (*mut T, isize),
    dv: (*mut T, isize),
    queries: Range<usize>,
    keys: Range<usize>,
    of_queries: bool,
    of_keys: bool,
    scratch: *mut T,
}

impl<'a, T: Real> Task<'a, T> {
    /// Everything of head number `i`, without scratch.
    ///
    /// # Safety
    /// As for [`run`].
    unsafe fn new(heads: &'a Heads, g: &Rows, memory: Memory, i: usize) -> Self {
        let size = &heads.size;
        let (b, h) = (i / size.heads, i % size.heads);
        let len = |dims: [usize; 4]| dims.iter().product::<usize>();
        let [result, q, k, v] = [size.result(), size.q(), size.k(), size.v()].map(Rows::joined);
        // SAFETY: the head is within the operands.
        unsafe {
            let to = memory.to::<T>();
            let [dk, dv] = [to.add(len(size.q())), to.add(len(size.q()) + len(size.k()))];
            let packed = memory.input::<T>(3);
            Task {
                head: heads.head(memory, i, 5),
                g: (memory.input::<T>(4).offset(g.at(b, h, 0)), g.row),
                result: (packed.offset(result.at(b, h, 0)), result.row),
                logs: packed.add(len(size.result()) + i * size.queries),
                dq: (to.offset(q.at(b, h, 0)), q.row),
                dk: (dk.offset(k.at(b, h, 0)), k.row),
                dv: (dv.offset(v.at(b, h, 0)), v.row),
                queries: 0..size.queries,
                keys: 0..size.keys,
                of_queries: true,
                of_keys: true,
                scratch: std::ptr::null_mut(),
            }
        }
    }
}

/// The place of row `i`.
///
/// # Safety
/// There is one.
#[inline(always)]
unsafe fn row<T>((first, stride): (*const T, isize), i: usize) -> *const T {
    // SAFETY: the caller's promise.
    unsafe { first.offset(i as isize * stride) }
}

impl<T: Real, V: Vector<Element = T>> Kernel<V> for Task<'_, T> {
    #[inline(always)]
    unsafe fn run(self) {
        let size = &self.head.heads.size;
        // SAFETY: the parts of the scratch are what `scratch_len` counts; keys and queries are within the head.
        unsafe {
            if self.of_queries {
                clear(self.dq, &self.queries, size.width);
            }
            if self.of_keys {
                clear(self.dk, &self.keys, size.width);
                clear(self.dv, &self.keys, size.value_width);
            }
            for queries in blocks(self.queries.clone(), QUERIES) {
                let width = queries.len().next_multiple_of(LANES);
                let qt = self.scratch;
                let gt = qt.add(size.width * width);
                let tiles = gt.add(size.value_width * width);
                self.head.transpose_queries::<V>(&queries, qt, width);
                let g = (row(self.g, queries.start), self.g.1);
                transpose::<T, V>(g, queries.len(), size.value_width, gt, width);
                let logs = tiles.add(2 * size.keys.min(KEYS) * width);
                let means = logs.add(width);
                self.read_rows(&queries, width, logs, means);
                for keys in key_blocks(self.head.heads, &queries) {
                    if keys.start < self.keys.end && self.keys.start < keys.end {
                        self.tile::<V>(&queries, &keys, [qt, gt], tiles, [logs, means]);
                    }
                }
            }
        }
    }
}

/// # Safety
/// There are such rows of `n` elements.
#[inline(always)]
unsafe fn clear<T: Real>(to: (*mut T, isize), rows: &Range<usize>, n: usize) {
    for i in rows.clone() {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(to.0.offset(i as isize * to.1), n) }
            .fill(T::default());
    }
}

impl<T: Real> Task<'_, T> {
    /// Reads the logarithms of a block of queries, as shifts of their exponents, and computes Σ result·cotangent of
    /// each, which is the mean of dP under the weights.
    ///
    /// # Safety
    /// As for the task; there is room for `width` numbers each.
    #[inline(always)]
    unsafe fn read_rows(&self, queries: &Range<usize>, width: usize, logs: *mut T, means: *mut T) {
        let n = self.head.heads.size.value_width;
        // SAFETY: the caller's promise.
        unsafe {
            for (i, query) in queries.clone().enumerate() {
                logs.add(i).write(Head::shift(self.logs.add(query).read()));
                let result = std::slice::from_raw_parts(row(self.result, query), n);
                let g = std::slice::from_raw_parts(row(self.g, query), n);
                let mut sums = [T::default(); LANES];
                for (a, b) in result.chunks(LANES).zip(g.chunks(LANES)) {
                    for (sum, (&a, &b)) in sums.iter_mut().zip(a.iter().zip(b)) {
                        *sum += a * b;
                    }
                }
                let mut half = LANES / 2;
                while half > 0 {
                    for lane in 0..half {
                        sums[lane] += sums[lane + half];
                    }
                    half /= 2;
                }
                means.add(i).write(sums[0]);
            }
            for i in queries.len()..width {
                logs.add(i).write(T::default());
                means.add(i).write(T::default());
            }
        }
    }

    /// Adds what one tile gives.
    ///
    /// # Safety
    /// As for the task; the keys are a whole block, and the others parts of the scratch, filled for the queries.
    #[inline(always)]
    unsafe fn tile<V: Vector<Element = T>>(
        &self,
        queries: &Range<usize>,
        keys: &Range<usize>,
        [qt, gt]: [*const T; 2],
        tiles: *mut T,
        [logs, means]: [*const T; 2],
    ) {
        let (heads, size) = (self.head.heads, &self.head.heads.size);
        let (rows, width) = (queries.len(), queries.len().next_multiple_of(LANES));
        let wide = width as isize;
        // SAFETY: the operands of each product are parts of the scratch and rows of the head.
        unsafe {
            let by_score = tiles.add(size.keys.min(KEYS) * width);
            let spare = means.add(width).cast_mut();
            self.head.scores::<V>(queries, keys, qt, width, tiles);
            let [k, v] = [(self.head.k, heads.k.row), (self.head.v, heads.v.row)];
            let product = Block {
                m: keys.len(),
                n: width,
                k: size.value_width,
                a: row(v, keys.start),
                a_strides: [v.1, 1],
                b: gt,
                b_stride: wide,
                c: by_score,
                c_stride: wide,
                accumulate: false,
                spare,
            };
            V::launch(product);
            for j in (0..width).step_by(LANES) {
                let (logs, means) = (get(logs.add(j)), get(means.add(j)));
                for i in 0..keys.len() {
                    let (p, d) = (tiles.add(i * width + j), by_score.add(i * width + j));
                    let (mut weight, mut slope) = (get(p), get(d));
                    for i in 0..LANES {
                        weight[i] = (weight[i] - logs[i]).exp();
                        slope[i] = weight[i] * (slope[i] - means[i]) * self.head.scale;
                    }
                    put(p, weight);
                    put(d, slope);
                }
            }
            // What is left are three products of a tile and rows: dv += P·g, dk += dS·q, dq += dSᵀ·k.
            let sum = |m: usize,
                       n: usize,
                       k: usize,
                       a: (*const T, [isize; 2]),
                       b: (*const T, isize),
                       c: (*mut T, isize)| {
                V::launch(Block {
                    m,
                    n,
                    k,
                    a: a.0,
                    a_strides: a.1,
                    b: b.0,
                    b_stride: b.1,
                    c: c.0,
                    c_stride: c.1,
                    accumulate: true,
                    spare,
                });
            };
            let at = |to: (*mut T, isize), i: usize| (to.0.offset(i as isize * to.1), to.1);
            let (of_rows, of_keys) = ([wide, 1], [1, wide]);
            if self.of_keys {
                let g = (row(self.g, queries.start), self.g.1);
                let q = (self.head.q.offset(queries.start as isize * heads.q.row), heads.q.row);
                sum(
                    keys.len(),
                    size.value_width,
                    rows,
                    (tiles, of_rows),
                    g,
                    at(self.dv, keys.start),
                );
                sum(keys.len(), size.width, rows, (by_score, of_rows), q, at(self.dk, keys.start));
            }
            if self.of_queries {
                let k = (row(k, keys.start), k.1);
                sum(
                    rows,
                    size.width,
                    keys.len(),
                    (by_score, of_keys),
                    k,
                    at(self.dq, queries.start),
                );
            }
        }
    }
}
