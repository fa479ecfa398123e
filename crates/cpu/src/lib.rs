//! How a plan runs on the CPU: kernels, SIMD dispatch, the thread pool and the run loop.
//!
//! [`Cpu`] is an [`Executor`]: it compiles a graph into a [`Program`] and runs that. Read `program.rs` first, then `rows.rs`, the
//! interpreter of fused programs.

mod call;
pub(crate) mod dispatch;
pub mod gemm;
pub mod isa;
mod kernels;
pub mod math;
pub mod pool;
mod program;
mod rows;
mod walk;

use std::sync::Arc;

use thalweg_graph::ops::Input;
use thalweg_graph::{Error, Executor, Feed, StateId, States, Tensor, Value, reachable};
use thalweg_plan::Passes;

pub use isa::Isa;
pub use pool::Pool;
pub use program::Program;

/// The CPU executor: a thread pool and an instruction set.
///
/// ```
/// use thalweg_cpu::Cpu;
/// use thalweg_graph::{Executor, NoStates, Tensor};
/// let x = Tensor::new(&[1.0f32, 2.0, 3.0], [3]);
/// let y = (&x * &x).sum_all();
/// let value = &Cpu::new(1).run(&[y], &[], &[], &mut NoStates)?[0];
/// assert_eq!(value.item(), Some(14.0));
/// # Ok::<(), thalweg_graph::Error>(())
/// ```
#[derive(Clone)]
pub struct Cpu {
    pool: Arc<Pool>,
    isa: Isa,
    passes: Passes,
}

impl Cpu {
    /// An executor of `threads` threads (at least one), counting the caller's, on the best instruction set of this machine.
    ///
    /// The environment variable `THALWEG_OFF`, a list like `fuse,reuse`, switches passes of the planner off
    /// (`simplify`, `fuse`, `reuse`), AVX-512 (`avx512`) or all vector instructions (`simd`): results stay the same but for
    /// the last two, which may change the last bits of a matrix product. It is for finding bugs.
    pub fn new(threads: usize) -> Cpu {
        let off = std::env::var("THALWEG_OFF").unwrap_or_default();
        let on = |name: &str| !off.split(',').any(|o| o.trim() == name);
        let passes = Passes { simplify: on("simplify"), fuse: on("fuse"), reuse: on("reuse") };
        let isa = Isa::available()
            .find(|&isa| isa == Isa::Portable || on("simd") && (isa != Isa::Avx512 || on("avx512")))
            .unwrap_or(Isa::Portable);
        Cpu { pool: Arc::new(Pool::new(threads)), isa, passes }
    }

    /// The same executor on another instruction set; the best available one where this machine lacks it.
    #[must_use]
    pub fn with_isa(mut self, isa: Isa) -> Cpu {
        self.isa = if isa.is_available() { isa } else { Isa::detect() };
        self
    }

    /// The same executor with other passes of the planner.
    #[must_use]
    pub fn with_passes(mut self, passes: Passes) -> Cpu {
        self.passes = passes;
        self
    }

    /// The threads that work, counting the caller's.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// The instruction set of the kernels.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The thread pool, for [`Program::run`].
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Compiles the computation of `outputs`, and of new values for the states in `updates`. Values of `inputs` are
    /// fed to each run in this order.
    pub fn compile(
        &self,
        inputs: &[Tensor],
        outputs: &[Tensor],
        updates: &[(StateId, Tensor)],
    ) -> Result<Program, Error> {
        let plan = thalweg_plan::plan(outputs, updates, self.passes)?;
        Program::new(plan, inputs, self.isa, self.threads())
    }
}

impl Executor for Cpu {
    fn run(
        &self,
        outputs: &[Tensor],
        updates: &[(StateId, Tensor)],
        feeds: &[Feed<Value>],
        states: &mut dyn States,
    ) -> Result<Vec<Value>, Error> {
        let mut roots = outputs.to_vec();
        roots.extend(updates.iter().map(|u| u.1.clone()));
        let inputs: Vec<Tensor> = reachable(&roots)
            .into_iter()
            .filter(|t| t.op().downcast::<Input>().is_some())
            .collect();
        let values: Vec<&Value> = inputs
            .iter()
            .filter_map(|t| feeds.iter().find(|f| f.input.id() == t.id()).map(|f| &f.value))
            .collect();
        let fed: Vec<Tensor> =
            inputs.into_iter().filter(|t| feeds.iter().any(|f| f.input.id() == t.id())).collect();
        let mut program = self.compile(&fed, outputs, updates)?;
        Ok(program.run(&self.pool, &values, states)?.to_vec())
    }
}
