//! The forward pass of a recurrence.

use thalweg_graph::OpError;
use thalweg_graph::ops::Cell;

use super::cells::{UNITS, Units, each, gru, load, lstm, store};
use super::number::Number;
use super::product::Product;
use super::{Part, Walk};
use crate::call::{Kernel, Memory};
use crate::gemm::{Gemm, GemmSpec, Kernel as Code, Vector};
use crate::pool::Pool;

pub struct Forward<T> {
    walk: Walk<T>,
    /// The only step's product, for which the weights need not be packed.
    once: Option<Gemm<T>>,
}

impl<T: Number> Forward<T> {
    pub fn new(walk: Walk<T>) -> Forward<T> {
        let b = &walk.extents;
        let once = (b.steps == 1 && !b.is_empty()).then(|| {
            Gemm::new(walk.isa, &GemmSpec::row_major(b.batch, b.units, walk.row()).b_transposed())
        });
        Forward { walk, once }
    }
}

impl<T: Number> Kernel for Forward<T> {
    fn shared_bytes(&self, threads: usize) -> usize {
        let packed = || self.walk.packed(self.walk.gates(), self.walk.extents.units);
        self.once.as_ref().map_or_else(packed, |gemm| gemm.scratch_len(threads)) * size_of::<T>()
    }

    unsafe fn run(&self, pool: &Pool, memory: Memory) -> Result<(), OpError> {
        let walk = &self.walk;
        let b = &walk.extents;
        let units = b.units;
        // SAFETY: inputs, result and scratch are those of the op.
        unsafe {
            walk.check_lengths(&memory)?;
            if b.is_empty() {
                return Ok(());
            }
            let (start, _) = walk.before_and_after(walk.step(0));
            for (input, block) in [(4, 0), (5, b.states())].into_iter().take(states(b.cell)) {
                let to = memory.to::<T>().add(block + start * b.state());
                to.copy_from_nonoverlapping(memory.input(input), b.state());
            }
            match &self.once {
                Some(gemm) => {
                    let to = walk.products(memory.to(), 0);
                    let [h, w] = [4, 1].map(|i| memory.input(i));
                    gemm.run(pool, h, w, to, memory.scratch.shared.cast());
                }
                // Row g·H + u of the weights is column u of gate g.
                None => walk.pack(
                    pool,
                    &memory,
                    [walk.gates(), units],
                    [1, units as isize],
                    &|gate, unit| (gate * units + unit) * units,
                ),
            }
            let multiply = self.once.is_none();
            walk.walk(pool, b.steps, |part| {
                T::launch(walk.isa, Step { walk, memory, multiply, t: walk.step(part.i), part });
            });
        }
        Ok(())
    }
}

impl<T: Number> Walk<T> {
    /// Where the products of time step `t` go: to the gates, or to the new states where no gates are saved.
    ///
    /// # Safety
    /// `result` is that of the op, `t` one of its steps.
    #[inline(always)]
    unsafe fn products(&self, result: *mut T, t: usize) -> *mut T {
        let b = &self.extents;
        let at = match b.cell {
            Cell::RnnTanh | Cell::RnnRelu => self.before_and_after(t).1 * b.state(),
            Cell::Lstm | Cell::Gru => b.gates() + t * b.batch * self.row(),
        };
        // SAFETY: the caller's promise.
        unsafe { result.add(at) }
    }
}

/// States that a cell carries.
fn states(cell: Cell) -> usize {
    if cell == Cell::Lstm { 2 } else { 1 }
}

/// One step of some units of some sequences.
struct Step<'a, T> {
    walk: &'a Walk<T>,
    memory: Memory,
    /// Whether the products are still to be made.
    multiply: bool,
    /// The time step.
    t: usize,
    part: Part,
}

impl<T: Number, V: Vector<Element = T>> Code<V> for Step<'_, T> {
    #[inline(always)]
    unsafe fn run(self) {
        // SAFETY: all of it lies within the inputs and the result of the op.
        unsafe {
            if self.multiply {
                self.products::<V>();
            }
            match self.walk.extents.cell {
                Cell::RnnTanh => self.simple(false),
                Cell::RnnRelu => self.simple(true),
                Cell::Lstm => self.lstm(),
                Cell::Gru => self.gru(),
            }
        }
    }
}

impl<T: Number> Step<'_, T> {
    /// The first element of a state, and the place of `[row, unit]` in it.
    ///
    /// # Safety
    /// The state is one of the result's.
    #[inline(always)]
    unsafe fn state(&self, block: usize, place: usize) -> *mut T {
        // SAFETY: the caller's promise.
        unsafe { self.memory.to::<T>().add(block + place * self.walk.extents.state()) }
    }

    /// The hidden projections, without the bias.
    ///
    /// # Safety
    /// The machine has the instruction set of `V`; the memory is that of the op.
    #[inline(always)]
    unsafe fn products<V: Vector<Element = T>>(&self) {
        let (walk, Part { rows, block, .. }) = (self.walk, &self.part);
        let units = walk.extents.units;
        // SAFETY: states, panels and products lie where the op and the packing have put them.
        unsafe {
            let a = self.state(0, walk.before_and_after(self.t).0).cast_const();
            for gate in 0..walk.gates() {
                for (first, columns) in walk.panels(*block) {
                    let at = ((block * walk.gates() + gate) * UNITS + first) * units;
                    let product = Product {
                        rows: rows.clone(),
                        k: units,
                        a,
                        a_stride: units,
                        panel: self.memory.scratch.shared.cast::<T>().add(at).cast_const(),
                        columns,
                        c: walk
                            .products(self.memory.to(), self.t)
                            .add(gate * units + block * UNITS + first),
                        c_stride: walk.row(),
                        accumulate: false,
                    };
                    product.run::<V>();
                }
            }
        }
    }

    /// The units of `G` gates in a row.
    ///
    /// # Safety
    /// The row has them.
    #[inline(always)]
    unsafe fn gates<const G: usize>(&self, row: *const T) -> [Units<T>; G] {
        let mut gates = [[T::default(); UNITS]; G];
        for (g, gate) in gates.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { *gate = load(row.add(g * self.walk.extents.units), self.count()) }
        }
        gates
    }

    /// # Safety
    /// The row has room for `G` gates.
    #[inline(always)]
    unsafe fn put<const G: usize>(&self, gates: &[Units<T>; G], row: *mut T) {
        for (g, gate) in gates.iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { store(gate, row.add(g * self.walk.extents.units), self.count()) }
        }
    }

    /// How many units the block has.
    #[inline(always)]
    fn count(&self) -> usize {
        self.walk.units(self.part.block).len()
    }

    /// The biases of the input and of the hidden projection.
    ///
    /// # Safety
    /// The memory is that of the op, and `G` is the cell's.
    #[inline(always)]
    unsafe fn biases<const G: usize>(&self) -> [[Units<T>; G]; 2] {
        let at = self.part.block * UNITS;
        // SAFETY: the biases have a row for every gate and unit.
        unsafe {
            [
                self.gates(self.memory.input::<T>(2).add(at)),
                self.gates(self.memory.input::<T>(3).add(at)),
            ]
        }
    }

    /// The places of the block's first unit in row `n` of a state and of a projection, and whether the sequence has this
    /// step.
    ///
    /// # Safety
    /// The memory is that of the op.
    #[inline(always)]
    unsafe fn row(&self, n: usize) -> (usize, usize, bool) {
        let (walk, unit) = (self.walk, self.part.block * UNITS);
        // SAFETY: the caller's promise.
        let inside = self.t < unsafe { walk.length(&self.memory, n) };
        (n * walk.extents.units + unit, n * walk.row() + unit, inside)
    }

    /// The input projections of this step.
    ///
    /// # Safety
    /// The memory is that of the op.
    #[inline(always)]
    unsafe fn projections(&self) -> *const T {
        let at = self.t * self.walk.extents.batch * self.walk.row();
        // SAFETY: the step is one of the op's.
        unsafe { self.memory.input::<T>(0).add(at) }
    }

    /// A simple cell, whose function is relu or tanh.
    ///
    /// # Safety
    /// The memory is that of the op, the cell one without saved gates.
    #[inline(always)]
    unsafe fn simple(&self, relu: bool) {
        let (walk, count) = (self.walk, self.count());
        let (before, after) = walk.before_and_after(self.t);
        // SAFETY: rows and units are those of the op; the new state holds the products.
        unsafe {
            let (old, new) = (self.state(0, before), self.state(0, after));
            let x = self.projections();
            let [[b_ih], [b_hh]] = self.biases::<1>();
            let bias = each!(|u| b_ih[u] + b_hh[u]);
            for n in self.part.rows.clone() {
                let (state, row, inside) = self.row(n);
                let (p, q) = (load(x.add(row), count), load(new.add(state), count));
                let a: Units<T> = each!(|u| q[u] + (p[u] + bias[u]));
                let h = match (inside, relu) {
                    (false, _) => load(old.add(state), count),
                    (true, true) => each!(|u| a[u].relu()),
                    (true, false) => each!(|u| a[u].tanh()),
                };
                store(&h, new.add(state), count);
            }
        }
    }

    /// # Safety
    /// The memory is that of the op, an LSTM.
    #[inline(always)]
    unsafe fn lstm(&self) {
        let (b, count) = (&self.walk.extents, self.count());
        let (before, after) = self.walk.before_and_after(self.t);
        // SAFETY: rows and units are those of the op; the place of the gates holds the products.
        unsafe {
            let (h_old, h_new) = (self.state(0, before), self.state(0, after));
            let (c_old, c_new) = (self.state(b.states(), before), self.state(b.states(), after));
            let (x, products) = (self.projections(), self.walk.products(self.memory.to(), self.t));
            let [mut bias, b_hh] = self.biases::<4>();
            for g in 0..4 {
                bias[g] = each!(|u| bias[g][u] + b_hh[g][u]);
            }
            for n in self.part.rows.clone() {
                let (state, row, inside) = self.row(n);
                let p = self.gates::<4>(x.add(row));
                let mut a = self.gates::<4>(products.add(row));
                for g in 0..4 {
                    a[g] = each!(|u| a[g][u] + (p[g][u] + bias[g][u]));
                }
                let c = load(c_old.add(state), count);
                let (gates, new_c, new_h) = lstm(&a, &c);
                self.put(&gates, products.add(row));
                let (h, c) = match inside {
                    true => (new_h, new_c),
                    false => (load(h_old.add(state), count), c),
                };
                store(&h, h_new.add(state), count);
                store(&c, c_new.add(state), count);
            }
        }
    }

    /// # Safety
    /// The memory is that of the op, a GRU.
    #[inline(always)]
    unsafe fn gru(&self) {
        let (b, count) = (&self.walk.extents, self.count());
        let (before, after) = self.walk.before_and_after(self.t);
        // SAFETY: rows and units are those of the op; the place of the gates holds the products.
        unsafe {
            let (old, new) = (self.state(0, before), self.state(0, after));
            let (x, products) = (self.projections(), self.walk.products(self.memory.to(), self.t));
            let inner = self.memory.to::<T>().add(b.inner() + self.t * b.state());
            let [b_ih, b_hh] = self.biases::<3>();
            for n in self.part.rows.clone() {
                let (state, row, inside) = self.row(n);
                let mut p = self.gates::<3>(x.add(row));
                let mut q = self.gates::<3>(products.add(row));
                for g in 0..3 {
                    p[g] = each!(|u| p[g][u] + b_ih[g][u]);
                    q[g] = each!(|u| q[g][u] + b_hh[g][u]);
                }
                let h = load(old.add(state), count);
                let (gates, new_h) = gru(&p, &q, &h);
                self.put(&gates, products.add(row));
                store(&q[2], inner.add(state), count);
                store(if inside { &new_h } else { &h }, new.add(state), count);
            }
        }
    }
}
