//! Recurrent layers, forward and backward.
//!
//! A step is a small product with the recurrent weights and the cell's functions of its result. The weights are packed once
//! a run. At every step the units are divided into blocks; a task computes all gates of its units, first the products and
//! then, while they are in the cache, the functions, and there is one hand-off between two steps. Where sequences are many
//! and the weights small, the sequences are divided instead, and every task walks through all steps on its own. An
//! element's sum is the same either way.

mod backward;
mod cells;
mod forward;
mod number;
mod product;

use std::marker::PhantomData;
use std::ops::Range;

use thalweg_graph::ops::index::out_of_range;
use thalweg_graph::ops::recurrent::Blocks;
use thalweg_graph::ops::{Recurrent, RecurrentGrad};
use thalweg_graph::{DType, OpError, Shape, Tensor};

use super::{Kernel, Memory};
use crate::gemm::part;
use crate::isa::Isa;
use crate::pool::Pool;
use cells::UNITS;
use number::Number;
use product::{Pack, width};

/// Weights of this size stay in a core's cache while it walks through all steps on its own.
const SMALL_BYTES: usize = 256 * 1024;
/// The least sequences that are worth a walk of their own.
const SEQUENCES: usize = 16;
/// Multiply-adds of one step below which handing blocks of units to other threads costs more than it saves.
const ALONE: usize = 64 * 1024;
/// The most walks that the sequences are divided among.
const MAX_PARTS: usize = 64;

/// A recurrence of one shape.
#[derive(Clone)]
struct Walk<T> {
    isa: Isa,
    extents: Blocks,
    reverse: bool,
    /// The place of the lengths among the inputs.
    lengths: Option<usize>,
    element: PhantomData<fn(T) -> T>,
}

/// What a task computes: some units of some sequences, at the step that is walked as number `i`.
#[derive(Clone)]
struct Part {
    i: usize,
    rows: Range<usize>,
    block: usize,
}

pub(super) fn kernel(tensor: &Tensor, isa: Isa) -> Option<Box<dyn Kernel>> {
    match tensor.dtype() {
        DType::F32 => kernel_of::<f32>(tensor, isa),
        DType::F64 => kernel_of::<f64>(tensor, isa),
        _ => None,
    }
}

fn kernel_of<T: Number>(tensor: &Tensor, isa: Isa) -> Option<Box<dyn Kernel>> {
    let backward = tensor.op().downcast::<RecurrentGrad>();
    let op: &Recurrent = match backward {
        Some(backward) => &backward.of,
        None => tensor.op().downcast()?,
    };
    let walk = Walk::<T> {
        isa,
        extents: op.blocks(tensor.inputs()),
        reverse: op.how.reverse,
        lengths: op.padded.then(|| op.inputs() - 1),
        element: PhantomData,
    };
    Some(match backward {
        Some(_) => Box::new(backward::Backward { walk, given: op.inputs() }),
        None => Box::new(forward::Forward::new(walk)),
    })
}

impl<T: Number> Walk<T> {
    fn gates(&self) -> usize {
        self.extents.cell.gates()
    }

    /// Elements of a row of a projection.
    fn row(&self) -> usize {
        self.gates() * self.extents.units
    }

    fn blocks(&self) -> usize {
        self.extents.units.div_ceil(UNITS)
    }

    /// The units of a block.
    fn units(&self, block: usize) -> Range<usize> {
        block * UNITS..self.extents.units.min((block + 1) * UNITS)
    }

    /// The first columns and the widths of the panels that hold the units of a block, counted from its first one.
    fn panels(&self, block: usize) -> impl Iterator<Item = (usize, usize)> {
        let (count, width) = (self.units(block).len(), width::<T>(self.isa));
        (0..count).step_by(width).map(move |first| (first, width.min(count - first)))
    }

    /// Elements of all panels: those of `gates` gates with `k` rows.
    fn packed(&self, gates: usize, k: usize) -> usize {
        self.blocks() * UNITS * gates * k
    }

    /// The time step that is walked as number `i`.
    fn step(&self, i: usize) -> usize {
        if self.reverse { self.extents.steps - 1 - i } else { i }
    }

    /// The states before and after time step `t`, by their places among all states.
    fn before_and_after(&self, t: usize) -> (usize, usize) {
        if self.reverse { (t + 1, t) } else { (t, t + 1) }
    }

    /// The length of sequence `n`, all of them where none are given.
    ///
    /// # Safety
    /// The inputs are those of the op.
    unsafe fn length(&self, memory: &Memory, n: usize) -> usize {
        match self.lengths {
            // SAFETY: there is a length for every sequence.
            Some(i) => unsafe { memory.input::<i64>(i).add(n).read() as usize },
            None => self.extents.steps,
        }
    }

    /// # Safety
    /// The inputs are those of the op.
    unsafe fn check_lengths(&self, memory: &Memory) -> Result<(), OpError> {
        let Some(i) = self.lengths else { return Ok(()) };
        let (steps, batch) = (self.extents.steps as i64, self.extents.batch);
        // SAFETY: there is a length for every sequence.
        let lengths: &[i64] = unsafe { memory.slice(i, batch) };
        match lengths.iter().position(|length| !(1..=steps).contains(length)) {
            Some(n) => {
                let shape = Shape::from([batch]);
                Err(out_of_range("sequence length", lengths[n], n, &shape, 1, steps + 1))
            }
            None => Ok(()),
        }
    }

    /// Packs the panels of a product with `k` rows whose columns for gate `g` and unit `u` begin `column(g, u)` elements
    /// into the weights.
    ///
    /// # Safety
    /// The weights are those of the op, the shared scratch has room for the panels.
    unsafe fn pack(
        &self,
        pool: &Pool,
        memory: &Memory,
        [gates, k]: [usize; 2],
        strides: [isize; 2],
        column: &(impl Fn(usize, usize) -> usize + Sync),
    ) {
        pool.run(self.blocks() * gates, &|task, _| {
            let (block, gate) = (task / gates, task % gates);
            for (first, columns) in self.panels(block) {
                // SAFETY: the columns are of the weights; a panel is one task's.
                unsafe {
                    let at = column(gate, block * UNITS + first);
                    let from = memory.input::<T>(1).add(at);
                    let to = memory.scratch.shared.cast::<T>().add((task * UNITS + first) * k);
                    T::launch(self.isa, Pack { k, columns, from, strides, to });
                }
            }
        });
    }

    /// Calls `f` for every part of `count` steps; those of one step come after those of the step before, as far as they are
    /// of the same sequences.
    fn walk(&self, pool: &Pool, count: usize, f: impl Fn(Part) + Sync) {
        let Blocks { batch, units, .. } = self.extents;
        let weights = self.row() * units;
        let small = weights * size_of::<T>() <= SMALL_BYTES;
        let parts = if small { (batch / SEQUENCES).clamp(1, MAX_PARTS) } else { 1 };
        pool.run(parts, &|which, _| {
            let rows = part(which, parts, batch);
            for i in 0..count {
                let one = |block: usize| f(Part { i, rows: rows.clone(), block });
                match batch * weights <= ALONE {
                    true => (0..self.blocks()).for_each(one),
                    // Inside a task this runs on its own thread.
                    false => pool.run(self.blocks(), &|block, _| one(block)),
                }
            }
        });
    }
}
