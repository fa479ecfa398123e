//! Matrix products: C = A·B, or C += A·B, for `f32` and `f64`.
//!
//! A [`Gemm`] is a plan for products of one shape. It is made once and run many times, without allocating: scratch
//! memory comes from the caller. Transposition is a matter of strides and costs nothing to ask for.
//!
//! The way: `plan` decides how (which kernel, what to pack, which tiles), `tile` walks one tile, `pack` copies operands
//! into the order of use, `kernel` keeps a block of C in registers, `vector` is what instruction sets differ in.
//!
//! Each element of C is summed in one order, which depends on the spec and the instruction set only: along k, in
//! stretches of at most 832 `f32` or 416 `f64`, or for small C one sum per vector lane. So a product has the same
//! bits on any number of threads. Zeros are not special: 0·∞ is NaN, as IEEE says.

pub(crate) mod block;
mod kernel;
mod pack;
mod panel;
mod plan;
mod tile;
mod vector;

#[cfg(test)]
mod tests;

use std::marker::PhantomData;
use std::ops::Range;

use crate::isa::Isa;
use crate::pool::Pool;
use block::AnyKernel;
pub(crate) use block::launch;
pub(crate) use kernel::{Outer, Target};
pub(crate) use pack::PackB;
pub(crate) use panel::{Panel, panel_width};
use plan::Plan;
pub(crate) use plan::{Registers, part};
use tile::{PackPanels, Tile};
pub use vector::Element;
pub(crate) use vector::{Kernel, Vector};

/// What is multiplied: `C[m, n] = A[m, k] · B[k, n]`, `batch` times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GemmSpec {
    /// Rows of A and C.
    pub m: usize,
    /// Columns of B and C.
    pub n: usize,
    /// Columns of A and rows of B; 0 gives zeros.
    pub k: usize,
    /// Row and column stride of A, in elements; any values, also 0 and negative ones.
    pub a_strides: [isize; 2],
    /// Row and column stride of B.
    pub b_strides: [isize; 2],
    /// Row and column stride of C. Distinct elements must have distinct places. Fastest where one of them is 1.
    pub c_strides: [isize; 2],
    /// Add to C instead of overwriting it. Without it C is never read.
    pub accumulate: bool,
    /// How many products of this shape one run computes.
    pub batch: usize,
}

impl GemmSpec {
    /// One product of contiguous row-major matrices, overwriting C.
    #[must_use]
    pub fn row_major(m: usize, k: usize, n: usize) -> Self {
        let [k_stride, n_stride] = [k, n].map(|n| n as isize);
        Self {
            m,
            n,
            k,
            a_strides: [k_stride, 1],
            b_strides: [n_stride, 1],
            c_strides: [n_stride, 1],
            accumulate: false,
            batch: 1,
        }
    }

    /// With A stored as its transpose: row-major `[k, m]`.
    #[must_use]
    pub fn a_transposed(self) -> Self {
        Self { a_strides: [1, self.m as isize], ..self }
    }

    /// With B stored as its transpose: row-major `[n, k]`.
    #[must_use]
    pub fn b_transposed(self) -> Self {
        Self { b_strides: [1, self.k as isize], ..self }
    }

    /// The same product written `Cᵀ = Bᵀ · Aᵀ`.
    fn transposed(&self) -> Self {
        let flip = |[row, column]: [isize; 2]| [column, row];
        Self {
            m: self.n,
            n: self.m,
            a_strides: flip(self.b_strides),
            b_strides: flip(self.a_strides),
            c_strides: flip(self.c_strides),
            ..self.clone()
        }
    }
}

/// A plan for the products of one [`GemmSpec`].
///
/// ```
/// use thalweg_cpu::{gemm::{Gemm, GemmSpec}, isa::Isa, pool::Pool};
/// let pool = Pool::new(1);
/// let gemm = Gemm::<f32>::new(Isa::detect(), &GemmSpec::row_major(2, 3, 1));
/// let (a, b, mut c) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 0.0, -1.0], [0.0; 2]);
/// let mut scratch = vec![0.0; gemm.scratch_len(pool.threads())];
/// // SAFETY: the arrays have the sizes of the spec.
/// unsafe { gemm.run(&pool, a.as_ptr(), b.as_ptr(), c.as_mut_ptr(), scratch.as_mut_ptr()) };
/// assert_eq!(c, [-2.0, -2.0]);
/// ```
#[derive(Clone, Debug)]
pub struct Gemm<T> {
    isa: Isa,
    plan: Plan,
    element: PhantomData<fn(T) -> T>,
}

/// What is done with a task's number and a worker's.
type Task<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// What a run works on, to be shared among the workers.
struct Operands<T> {
    a: *const T,
    b: *const T,
    c: *mut T,
    shared: *mut T,
    local: *mut T,
}

// SAFETY: A and B are only read; the tasks write different parts of C and of the scratch.
unsafe impl<T: Sync> Sync for Operands<T> {}

impl<T: Element> Gemm<T> {
    /// Plans the products. The plan depends on the spec and the instruction set only.
    #[must_use]
    pub fn new(isa: Isa, spec: &GemmSpec) -> Self {
        Self { isa, plan: Plan::new(spec, registers::<T>(isa)), element: PhantomData }
    }

    /// Plans products with a B that the caller packs ([`Gemm::pack_b`]), to be multiplied by again and again: wherever a
    /// method takes B, it takes the packed one.
    #[must_use]
    pub fn with_packed_b(isa: Isa, spec: &GemmSpec) -> Self {
        Self { isa, plan: Plan::packed(spec, registers::<T>(isa)), element: PhantomData }
    }

    /// Elements of a packed B: `[panels, k, panel width]`. A kernel that makes B as it goes can write it like this itself;
    /// in the last panel, columns beyond B must hold numbers up to the next power of two of vectors, as they are computed with.
    #[must_use]
    pub fn packed_b_len(&self) -> usize {
        self.plan.packed_len()
    }

    /// Panels of a packed B.
    #[must_use]
    pub fn panels(&self) -> usize {
        self.plan.panels
    }

    /// Columns of a panel, the last one maybe excepted.
    #[must_use]
    pub fn panel_width(&self) -> usize {
        self.plan.width
    }

    /// Packs some panels of the B of a plan [with packed B](Gemm::with_packed_b), whose strides the spec says.
    ///
    /// # Safety
    /// The machine has the plan's instruction set. At the spec's strides the columns of these panels are valid for
    /// reading; `packed` is valid for writing [`Gemm::packed_b_len`] elements and does not overlap B.
    pub unsafe fn pack_b(&self, panels: Range<usize>, b: *const T, packed: *mut T) {
        let depth = 0..self.plan.spec.k;
        // SAFETY: the caller's promise.
        unsafe { self.launch(PackPanels { plan: &self.plan, b, packed, depth, panels }) }
    }

    /// Into how many tasks a run is divided: 1 runs on the calling thread alone.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.plan.spec.batch * self.plan.tiles()
    }

    /// Elements of scratch memory that a run on a pool of that many threads needs. It is fastest aligned to 64 bytes.
    #[must_use]
    pub fn scratch_len(&self, threads: usize) -> usize {
        let workers = if self.tasks() > 1 { threads } else { 1 };
        self.shared_len() + workers * self.local_len()
    }

    /// Computes one product.
    ///
    /// # Safety
    /// As for [`Gemm::run_batched`], with all offsets 0.
    pub unsafe fn run(&self, pool: &Pool, a: *const T, b: *const T, c: *mut T, scratch: *mut T) {
        debug_assert_eq!(self.plan.spec.batch, 1, "a batch needs offsets");
        // SAFETY: the caller's promise.
        unsafe { self.run_batched(pool, a, b, c, &|_| [0; 3], scratch) }
    }

    /// Computes one product on the calling thread alone, for use within a task of another kernel. The bits are those
    /// of [`Gemm::run`].
    ///
    /// # Safety
    /// As for [`Gemm::run_batched`], with all offsets 0 and scratch memory for one thread.
    pub unsafe fn run_alone(&self, a: *const T, b: *const T, c: *mut T, scratch: *mut T) {
        debug_assert_eq!(self.plan.spec.batch, 1, "a batch needs offsets");
        let run = |tasks: usize, task: Task<'_>| (0..tasks).for_each(|index| task(index, 0));
        // SAFETY: the caller's promise.
        unsafe { self.run_on(run, a, b, c, &|_| [0; 3], scratch) }
    }

    /// Computes all products of the batch; `offsets(i)` says how far, in elements, A, B and C of product `i` lie from
    /// `a`, `b` and `c`. Parallel over products and tiles.
    ///
    /// # Safety
    /// The machine has the plan's instruction set ([`Isa::is_available`]). At the offsets and the spec's strides, all
    /// elements of A and B are valid for reading, all elements of C for writing (with `accumulate` also for reading),
    /// no two elements of C are the same memory, and C overlaps neither A nor B. `scratch` is valid for
    /// [`Gemm::scratch_len`] elements for this pool, and overlaps none of them.
    pub unsafe fn run_batched(
        &self,
        pool: &Pool,
        a: *const T,
        b: *const T,
        c: *mut T,
        offsets: &(dyn Fn(usize) -> [isize; 3] + Sync),
        scratch: *mut T,
    ) {
        // SAFETY: the caller's promise.
        unsafe { self.run_on(|tasks, task| pool.run(tasks, task), a, b, c, offsets, scratch) }
    }

    /// Computes all products by tasks that `run` runs.
    ///
    /// # Safety
    /// As for `run_batched`, with scratch memory for all workers whose numbers `run` gives to tasks, each to one at a time.
    unsafe fn run_on(
        &self,
        run: impl Fn(usize, Task<'_>),
        a: *const T,
        b: *const T,
        c: *mut T,
        offsets: &(dyn Fn(usize) -> [isize; 3] + Sync),
        scratch: *mut T,
    ) {
        let plan = &self.plan;
        if plan.spec.k == 0 && plan.spec.accumulate {
            return;
        }
        let local = scratch.wrapping_add(self.shared_len());
        let (a, b) = if plan.swapped { (b, a) } else { (a, b) };
        let operands = &Operands { a, b, c, shared: scratch, local };
        if plan.shared_len() > 0 {
            // Only plans of a batch of 1 share B.
            let [a_offset, b_offset, _] = offsets(0);
            let offset = if plan.swapped { a_offset } else { b_offset };
            // SAFETY: the caller's promise; the scratch begins with `shared_len` elements.
            run(plan.pack_tasks(), &|index, _| unsafe { self.pack(operands, offset, index) });
        }
        let tiles = plan.tiles();
        run(self.tasks(), &|task, worker| {
            let [a, b, c] = offsets(task / tiles);
            let offsets = if plan.swapped { [b, a, c] } else { [a, b, c] };
            // SAFETY: the caller's promise; no other task has this tile or, at this time, this worker.
            unsafe { self.tile(operands, offsets, task % tiles, worker) }
        });
    }

    /// # Safety
    /// As for `run_batched`; `index` is one of the plan's pack tasks.
    unsafe fn pack(&self, operands: &Operands<T>, offset: isize, index: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let b = operands.b.offset(offset);
            let (depth, panels) = self.plan.pack_task(index);
            let packed = operands.shared;
            self.launch(PackPanels { plan: &self.plan, b, packed, depth, panels });
        }
    }

    /// # Safety
    /// As for `run_batched`; no other call has this tile, or at the same time this worker.
    unsafe fn tile(
        &self,
        operands: &Operands<T>,
        offsets: [isize; 3],
        index: usize,
        worker: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let a = operands.a.offset(offsets[0]);
            let b = operands.b.offset(offsets[1]);
            let c = operands.c.offset(offsets[2]);
            let local = operands.local.add(worker * self.local_len());
            self.launch(Tile { plan: &self.plan, a, b, c, shared: operands.shared, local, index });
        }
    }

    fn shared_len(&self) -> usize {
        self.plan.shared_len().next_multiple_of(ALIGN)
    }

    fn local_len(&self) -> usize {
        (self.plan.local_a() + self.plan.local_b()).next_multiple_of(ALIGN)
    }

    /// # Safety
    /// The kernel's promises; the machine has the plan's instruction set.
    unsafe fn launch(&self, kernel: impl AnyKernel<T>) {
        // SAFETY: the caller's promise.
        unsafe { launch(self.isa, kernel) }
    }
}

/// What the kernels of an instruction set have to work with.
pub(crate) fn registers<T: Element>(isa: Isa) -> Registers {
    match isa {
        Isa::Portable => Registers::of::<T::Portable>(),
        Isa::Avx2 => Registers::of::<T::Avx2>(),
        Isa::Avx512 => Registers::of::<T::Avx512>(),
    }
}

/// Parts of the scratch begin on cache lines: a multiple of 64 bytes for either element.
const ALIGN: usize = 16;
