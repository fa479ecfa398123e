//! The backward pass of a recurrence.

use thalweg_graph::OpError;
use thalweg_graph::ops::Cell;

use super::cells::{Number, UNITS, Units, each, gru_grad, load, lstm_grad, store};
use super::product::{Product, launch};
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
                launch::<T, _>(walk.isa, Step { walk, memory, given: *given, part });
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
                    Cell::RnnTanh => self.simple(t, |dh, h| dh * (T::ONE - h * h)),
                    Cell::RnnRelu => {
                        self.simple(t, |dh, h| if h > T::default() { dh } else { T::default() })
                    }
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

    /// Calls `f` for every row with its places and the cotangent of h, where what has come back is added.
    ///
    /// # Safety
    /// The memory is that of the op.
    #[inline(always)]
    unsafe fn rows(&self, t: usize, f: impl Fn(Row, &Units<T>)) {
        let (walk, Part { rows, block, .. }) = (self.walk, &self.part);
        let (b, count) = (&walk.extents, walk.units(*block).len());
        // SAFETY: rows and units are those of the op.
        unsafe {
            let cotangents = self.memory.input::<T>(self.given + 1).add(t * b.state());
            let back = self.memory.to::<T>().add(b.grad_start());
            for row in rows.clone() {
                let unit = block * UNITS;
                let inside = t < walk.length(&self.memory, row);
                let (state, projection) = (row * b.units + unit, row * walk.row() + unit);
                let (g, back) = (load(cotangents.add(state), count), load(back.add(state), count));
                let dh = each(|u| g[u] + back[u]);
                f(Row { state, projection, inside }, &dh);
            }
        }
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

    /// # Safety
    /// The memory is that of the op, the cell one without saved gates; `t` is a time step.
    #[inline(always)]
    unsafe fn simple(&self, t: usize, f: impl Fn(T, T) -> T) {
        let walk = self.walk;
        let (b, count) = (&walk.extents, walk.units(self.part.block).len());
        // SAFETY: rows and units are those of the op.
        unsafe {
            let new = self.saved(walk.before_and_after(t).1 * b.state());
            let dq = self.memory.to::<T>().add(t * b.batch * walk.row());
            let back = self.memory.to::<T>().add(b.grad_start());
            self.rows(t, |row, dh| {
                let h = load(new.add(row.state), count);
                self.put(&[each(|u| f(dh[u], h[u]))], &row, dq);
                let carried = if row.inside { &[T::default(); UNITS] } else { dh };
                store(carried, back.add(row.state), count);
            });
        }
    }

    /// # Safety
    /// The memory is that of the op, an LSTM; `t` is a time step.
    #[inline(always)]
    unsafe fn lstm(&self, t: usize) {
        let walk = self.walk;
        let (b, count) = (&walk.extents, walk.units(self.part.block).len());
        let (before, after) = walk.before_and_after(t);
        // SAFETY: rows and units are those of the op.
        unsafe {
            let [old, new] =
                [before, after].map(|place| self.saved(b.states() + place * b.state()));
            let gates = self.saved(b.gates() + t * b.batch * walk.row());
            let cotangents = self.memory.input::<T>(self.given + 2).add(t * b.state());
            let dq = self.memory.to::<T>().add(t * b.batch * walk.row());
            let back = self.memory.to::<T>().add(b.grad_start());
            let back_c = back.add(b.state());
            self.rows(t, |row, dh| {
                let gate = |g: usize| load(gates.add(row.projection + g * b.units), count);
                let [old, new] = [old, new].map(|c| load(c.add(row.state), count));
                let (g, dc) = (cotangents.add(row.state), back_c.add(row.state));
                let (g, dc) = (load(g, count), load(dc, count));
                let dc = each(|u| g[u] + dc[u]);
                let gates = std::array::from_fn(gate);
                let (da, dc_old) = lstm_grad(&gates, [&old, &new], dh, &dc);
                self.put(&da, &row, dq);
                let (h, c) = match row.inside {
                    true => (&[T::default(); UNITS], &dc_old),
                    false => (dh, &dc),
                };
                store(h, back.add(row.state), count);
                store(c, back_c.add(row.state), count);
            });
        }
    }

    /// # Safety
    /// The memory is that of the op, a GRU; `t` is a time step.
    #[inline(always)]
    unsafe fn gru(&self, t: usize) {
        let walk = self.walk;
        let (b, count) = (&walk.extents, walk.units(self.part.block).len());
        // SAFETY: rows and units are those of the op.
        unsafe {
            let old = self.saved(walk.before_and_after(t).0 * b.state());
            let inner = self.saved(b.inner() + t * b.state());
            let step = t * b.batch * walk.row();
            let gates = self.saved(b.gates() + step);
            let [dq, dp] = [0, b.grad_p()].map(|at| self.memory.to::<T>().add(at + step));
            let back = self.memory.to::<T>().add(b.grad_start());
            self.rows(t, |row, dh| {
                let gate = |g: usize| load(gates.add(row.projection + g * b.units), count);
                let [inner, old] = [inner, old].map(|from| load(from.add(row.state), count));
                let gates = std::array::from_fn(gate);
                let (p, q, dh_old) = gru_grad(&gates, &inner, &old, dh);
                self.put(&q, &row, dq);
                self.put(&p, &row, dp);
                let carried = if row.inside { &dh_old } else { dh };
                store(carried, back.add(row.state), count);
            });
        }
    }
}
