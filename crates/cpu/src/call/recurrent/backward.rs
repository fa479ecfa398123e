//! The backward pass of a recurrence.

use thalweg_graph::OpError;
use thalweg_graph::ops::Cell;

use super::cells::{UNITS, Units, each, gru_grad, load, lstm_grad, store};
use super::number::Number;
use super::product::Product;
use super::{Part, Walk};
use crate::call::{Kernel, Memory};
use crate::gemm::{Kernel as Code, Vector};
use crate::pool::Pool;

pub struct Backward<T> {
    pub walk: Walk<T>,
    /// The number of inputs of the forward pass; its result and the cotangents follow them.
    pub given: usize,
}

impl<T: Number> Kernel for Backward<T> {
    fn shared_bytes(&self, _: usize) -> usize {
        self.walk.packed(1, self.walk.row()) * size_of::<T>()
    }

    unsafe fn run(&self, pool: &Pool, memory: Memory) -> Result<(), OpError> {
        let Backward { walk, given } = self;
        let b = &walk.extents;
        // SAFETY: inputs, result and scratch are those of the op.
        unsafe {
            walk.check_lengths(&memory)?;
            if b.is_empty() {
                return Ok(());
            }
            let size = [1, walk.row()];
            walk.pack(pool, &memory, size, [b.units as isize, 1], &|_, unit| unit);
            memory.part::<T>(b.grad_start()..b.grad_len()).fill(T::default());
            // One step more: what the first time step sends back to the state before it.
            walk.walk(pool, b.steps + 1, |part| {
                T::launch(walk.isa, Step { walk, memory, given: *given, part });
            });
        }
        Ok(())
    }
}

/// One step of some units of some sequences: takes what the step walked before sends back to its old state, then finds the
/// gradients of its own projections. What comes back to a state gathers where the gradient of the first one will stay.
struct Step<'a, T> {
    walk: &'a Walk<T>,
    memory: Memory,
    given: usize,
    part: Part,
}

impl<T: Number, V: Vector<Element = T>> Code<V> for Step<'_, T> {
    #[inline(always)]
    unsafe fn run(self) {
        let (walk, i) = (self.walk, self.part.i);
        // SAFETY: all of it lies within the inputs and the result of the op.
        unsafe {
            if i > 0 {
                self.product::<V>(walk.extents.steps - i);
            }
            if i < walk.extents.steps {
                let t = walk.step(walk.extents.steps - 1 - i);
                match walk.extents.cell {
                    Cell::RnnTanh => self.simple(t, false),
                    Cell::RnnRelu => self.simple(t, true),
                    Cell::Lstm => self.lstm(t),
                    Cell::Gru => self.gru(t),
                }
            }
        }
    }
}

/// The places of a row's units: in a state and in a projection, of one time step.
struct Row {
    state: usize,
    projection: usize,
    inside: bool,
}

impl<T: Number> Step<'_, T> {
    /// Adds what comes back through the hidden projection of the step that is walked as number `number` forward.
    ///
    /// # Safety
    /// The machine has the instruction set of `V`; the memory is that of the op.
    #[inline(always)]
    unsafe fn product<V: Vector<Element = T>>(&self, number: usize) {
        let (walk, Part { rows, block, .. }) = (self.walk, &self.part);
        let b = &walk.extents;
        // SAFETY: gradients, panels and sums lie where the op and the packing have put them.
        unsafe {
            let dq = self.memory.to::<T>().add(walk.step(number) * b.batch * walk.row());
            for (first, columns) in walk.panels(*block) {
                let unit = block * UNITS + first;
                let panels = self.memory.scratch.shared.cast::<T>();
                let product = Product {
                    rows: rows.clone(),
                    k: walk.row(),
                    a: dq.cast_const(),
                    a_stride: walk.row(),
                    panel: panels.add(unit * walk.row()).cast_const(),
                    columns,
                    c: self.memory.to::<T>().add(b.grad_start() + unit),
                    c_stride: b.units,
                    accumulate: true,
                };
                product.run::<V>();
            }
        }
    }

    /// The places of row `n` at time step `t`, and the cotangent of its h, where what has come back is added.
    ///
    /// # Safety
    /// The memory is that of the op.
    #[inline(always)]
    unsafe fn row(&self, n: usize, t: usize) -> (Row, Units<T>) {
        let (walk, unit, count) = (self.walk, self.part.block * UNITS, self.count());
        let b = &walk.extents;
        let (state, projection) = (n * b.units + unit, n * walk.row() + unit);
        // SAFETY: rows and units are those of the op.
        unsafe {
            let inside = t < walk.length(&self.memory, n);
            let g = self.memory.input::<T>(self.given + 1).add(t * b.state() + state);
            let back = self.back().add(state);
            let (g, back) = (load(g, count), load(back, count));
            (Row { state, projection, inside }, each!(|u| g[u] + back[u]))
        }
    }

    /// Where what comes back to the states h gathers; that of c follows.
    ///
    /// # Safety
    /// The memory is that of the op.
    #[inline(always)]
    unsafe fn back(&self) -> *mut T {
        // SAFETY: the caller's promise.
        unsafe { self.memory.to::<T>().add(self.walk.extents.grad_start()) }
    }

    /// How many units the block has.
    #[inline(always)]
    fn count(&self) -> usize {
        self.walk.units(self.part.block).len()
    }

    /// The units of `G` saved gates in a row.
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

    /// Writes the gradients of a projection at `to`: none beyond a sequence's end.
    ///
    /// # Safety
    /// `to` holds projections of one step, `G` is the number of gates.
    #[inline(always)]
    unsafe fn put<const G: usize>(&self, gradients: &[Units<T>; G], row: &Row, to: *mut T) {
        let count = self.walk.units(self.part.block).len();
        for (g, gradient) in gradients.iter().enumerate() {
            let gradient = if row.inside { gradient } else { &[T::default(); UNITS] };
            // SAFETY: the gate's units lie in the row.
            unsafe { store(gradient, to.add(row.projection + g * self.walk.extents.units), count) }
        }
    }

    /// An address in the result of the forward pass.
    ///
    /// # Safety
    /// The result has that many elements.
    #[inline(always)]
    unsafe fn saved(&self, at: usize) -> *const T {
        // SAFETY: the caller's promise.
        unsafe { self.memory.input::<T>(self.given).add(at) }
    }

    /// A simple cell, whose function is relu or tanh.
    ///
    /// # Safety
    /// The memory is that of the op, the cell one without saved gates; `t` is a time step.
    #[inline(always)]
    unsafe fn simple(&self, t: usize, relu: bool) {
        let (walk, count, zero) = (self.walk, self.count(), T::default());
        let b = &walk.extents;
        // SAFETY: rows and units are those of the op.
        unsafe {
            let new = self.saved(walk.before_and_after(t).1 * b.state());
            let dq = self.memory.to::<T>().add(t * b.batch * walk.row());
            for n in self.part.rows.clone() {
                let (row, dh) = self.row(n, t);
                let h = load(new.add(row.state), count);
                let da = match relu {
                    true => each!(|u| if h[u] > zero { dh[u] } else { zero }),
                    false => each!(|u| dh[u] * (T::ONE - h[u] * h[u])),
                };
                self.put(&[da], &row, dq);
                let carried = if row.inside { &[zero; UNITS] } else { &dh };
                store(carried, self.back().add(row.state), count);
            }
        }
    }

    /// # Safety
    /// The memory is that of the op, an LSTM; `t` is a time step.
    #[inline(always)]
    unsafe fn lstm(&self, t: usize) {
        let (walk, count) = (self.walk, self.count());
        let b = &walk.extents;
        let (before, after) = walk.before_and_after(t);
        // SAFETY: rows and units are those of the op.
        unsafe {
            let old_c = self.saved(b.states() + before * b.state());
            let new_c = self.saved(b.states() + after * b.state());
            let gates = self.saved(b.gates() + t * b.batch * walk.row());
            let cotangents = self.memory.input::<T>(self.given + 2).add(t * b.state());
            let dq = self.memory.to::<T>().add(t * b.batch * walk.row());
            let back_c = self.back().add(b.state());
            for n in self.part.rows.clone() {
                let (row, dh) = self.row(n, t);
                let (old, new) =
                    (load(old_c.add(row.state), count), load(new_c.add(row.state), count));
                let g = load(cotangents.add(row.state), count);
                let dc = load(back_c.add(row.state), count);
                let dc = each!(|u| g[u] + dc[u]);
                let saved = self.gates::<4>(gates.add(row.projection));
                let (da, dc_old) = lstm_grad(&saved, [&old, &new], &dh, &dc);
                self.put(&da, &row, dq);
                let (h, c) = match row.inside {
                    true => (&[T::default(); UNITS], &dc_old),
                    false => (&dh, &dc),
                };
                store(h, self.back().add(row.state), count);
                store(c, back_c.add(row.state), count);
            }
        }
    }

    /// # Safety
    /// The memory is that of the op, a GRU; `t` is a time step.
    #[inline(always)]
    unsafe fn gru(&self, t: usize) {
        let (walk, count) = (self.walk, self.count());
        let b = &walk.extents;
        // SAFETY: rows and units are those of the op.
        unsafe {
            let old = self.saved(walk.before_and_after(t).0 * b.state());
            let inner = self.saved(b.inner() + t * b.state());
            let step = t * b.batch * walk.row();
            let gates = self.saved(b.gates() + step);
            let dq = self.memory.to::<T>().add(step);
            let dp = self.memory.to::<T>().add(b.grad_p() + step);
            for n in self.part.rows.clone() {
                let (row, dh) = self.row(n, t);
                let inner = load(inner.add(row.state), count);
                let old = load(old.add(row.state), count);
                let saved = self.gates::<3>(gates.add(row.projection));
                let (p, q, dh_old) = gru_grad(&saved, &inner, &old, &dh);
                self.put(&q, &row, dq);
                self.put(&p, &row, dp);
                let carried = if row.inside { &dh_old } else { &dh };
                store(carried, self.back().add(row.state), count);
            }
        }
    }
}
