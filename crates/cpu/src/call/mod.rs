//! Ops with a kernel of their own, one file per family. What has none here runs by its reference kernel, which allocates
//! and is slow; `inspect` says so.
//!
//! A kernel is chosen once, for the shapes and types of one node. It reads inputs that are contiguous or lie as the op
//! [reads](thalweg_graph::Op::reads) them, writes a contiguous result that
//! overlaps none of them, allocates nothing, and gives the same bits however many threads share the work.

mod arg;
mod attention;
mod cells;
mod conv;
mod index;
mod pool;
mod random;
mod recurrent;
mod reference;
mod window;

use std::ops::Range;

use thalweg_graph::{Error, Layout, OpError, Tensor};
use thalweg_plan::Call;

use crate::isa::Isa;
use crate::pool::Pool;

/// Elements that one task moves.
const TASK: usize = 8192;
/// Elements below which handing tasks to other threads costs more than it saves.
const ALONE: usize = 16 * 1024;
/// Inputs that a fast kernel can have.
const INPUTS: usize = 12;

/// A call with its kernel chosen.
pub(crate) struct Caller {
    tensor: Tensor,
    /// Buffer and offset in bytes of each input.
    inputs: Vec<(usize, usize)>,
    layouts: Vec<Layout>,
    to: usize,
    fast: Option<Box<dyn Kernel>>,
}

/// The kernel of one node.
trait Kernel: Send + Sync {
    /// Computes the result, or says what value is wrong.
    ///
    /// # Safety
    /// `memory` holds the addresses of the inputs and of the result of the node that the kernel was made for: contiguous,
    /// aligned, and the result overlaps no input. The machine has the instruction set the kernel was made for.
    unsafe fn run(&self, pool: &Pool, memory: Memory) -> Result<(), OpError>;

    /// Bytes of scratch memory that all tasks of a run on so many threads share.
    fn shared_bytes(&self, threads: usize) -> usize {
        let _ = threads;
        0
    }

    /// Bytes of scratch memory that each worker needs for itself.
    fn local_bytes(&self) -> usize {
        0
    }
}

/// The addresses that a kernel works on.
#[derive(Clone, Copy)]
struct Memory {
    inputs: [*const u8; INPUTS],
    to: *mut u8,
    scratch: Scratch,
}

/// Memory that is free while a call runs, aligned to 64 bytes; its contents are unspecified before.
#[derive(Clone, Copy)]
pub(crate) struct Scratch {
    /// What the kernel's `shared_bytes` asked for.
    pub shared: *mut u8,
    /// Where the first worker's own begins; each has what `local_bytes` asked for.
    pub local: *mut u8,
    /// Bytes from one worker's to the next.
    pub local_stride: usize,
}

// SAFETY: inputs are only read, tasks write different parts of the result and of the shared scratch, and a worker has
// scratch of its own.
unsafe impl Sync for Memory {}

impl Memory {
    fn input<T>(&self, i: usize) -> *const T {
        self.inputs[i].cast()
    }

    fn to<T>(&self) -> *mut T {
        self.to.cast()
    }

    /// The scratch memory of all tasks.
    fn shared<T>(&self) -> *mut T {
        self.scratch.shared.cast()
    }

    /// The scratch memory of a worker.
    fn local<T>(&self, worker: usize) -> *mut T {
        self.scratch.local.wrapping_add(worker * self.scratch.local_stride).cast()
    }

    /// The first `n` elements of input `i`.
    ///
    /// # Safety
    /// The input has that many elements of type `T`.
    unsafe fn slice<'a, T>(&self, i: usize, n: usize) -> &'a [T] {
        // SAFETY: the caller's promise; nothing writes an input while a kernel runs.
        unsafe { std::slice::from_raw_parts(self.input(i), n) }
    }

    /// Elements of the result.
    ///
    /// # Safety
    /// They lie inside the result, are of type `T`, and no other task has them.
    unsafe fn part<'a, T>(&self, range: Range<usize>) -> &'a mut [T] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.to::<T>().add(range.start), range.len()) }
    }
}

/// The kernel for `tensor`, whose inputs lie as `layouts` say, where there is a fast one.
fn fast(tensor: &Tensor, layouts: &[Layout], isa: Isa) -> Option<Box<dyn Kernel>> {
    index::kernel(tensor, isa)
        .or_else(|| window::kernel(tensor))
        .or_else(|| random::kernel(tensor, isa))
        .or_else(|| arg::kernel(tensor, isa))
        .or_else(|| recurrent::kernel(tensor, isa))
        .or_else(|| attention::kernel(tensor, layouts, isa))
        .or_else(|| conv::kernel(tensor, isa))
        .or_else(|| pool::kernel(tensor, isa))
}

/// Calls `f` with ranges that together are `0..count`, each of about `each` elements' worth of `width` elements per
/// item, on all threads where that pays.
fn deal(pool: &Pool, count: usize, width: usize, f: impl Fn(Range<usize>) + Sync) {
    if count.saturating_mul(width) <= ALONE {
        return f(0..count);
    }
    let step = (TASK / width.max(1)).max(1);
    pool.run(count.div_ceil(step), &|task, _| f(task * step..(task * step + step).min(count)));
}

impl Caller {
    pub fn new(call: &Call, isa: Isa) -> Caller {
        let tensor = call.tensor.clone();
        let sizes = tensor.inputs().iter().map(|t| t.dtype().size());
        let place = |((b, layout), size): (&(usize, Layout), usize)| (*b, layout.offset * size);
        let inputs = call.inputs.iter().zip(sizes).map(place).collect();
        let layouts: Vec<Layout> = call.inputs.iter().map(|(_, layout)| layout.clone()).collect();
        let fast = fast(&tensor, &layouts, isa);
        Caller { tensor, inputs, layouts, to: call.to, fast }
    }

    pub fn name(&self) -> &'static str {
        self.tensor.op().name()
    }

    /// Bytes of scratch memory that all tasks of a run on so many threads share.
    pub fn shared_bytes(&self, threads: usize) -> usize {
        self.fast.as_ref().map_or(0, |kernel| kernel.shared_bytes(threads))
    }

    /// Bytes of scratch memory that each worker needs for itself.
    pub fn local_bytes(&self) -> usize {
        self.fast.as_ref().map_or(0, |kernel| kernel.local_bytes())
    }

    /// True where the op runs by its reference kernel.
    pub fn is_slow(&self) -> bool {
        self.fast.is_none()
    }

    /// # Safety
    /// The buffers are valid for what the plan says of them.
    /// `scratch` is as large as [`Caller::shared_bytes`] and [`Caller::local_bytes`] say, for as many threads as the pool has.
    pub unsafe fn run(
        &self,
        pool: &Pool,
        bases: &[*mut u8],
        scratch: Scratch,
    ) -> Result<(), Error> {
        // SAFETY: the plan's buffers hold the inputs from their offsets on.
        let address = |&(buffer, offset): &(usize, usize)| unsafe { bases[buffer].add(offset) };
        // SAFETY: the caller's promise; the plan gives the result a buffer of its own.
        let done = unsafe {
            match &self.fast {
                Some(kernel) => {
                    let mut inputs = [std::ptr::null(); INPUTS];
                    for (input, place) in inputs.iter_mut().zip(&self.inputs) {
                        *input = address(place).cast_const();
                    }
                    kernel.run(pool, Memory { inputs, to: bases[self.to], scratch })
                }
                None => {
                    let inputs = self.inputs.iter().map(address).zip(&self.layouts);
                    reference::run(&self.tensor, inputs, bases[self.to])
                }
            }
        };
        done.map_err(|e| self.tensor.error_here(e))
    }
}
