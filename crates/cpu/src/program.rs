//! A compiled computation: a plan with memory and kernels, ready to run again and again.

use std::fmt;

use thalweg_graph::{DType, Error, ErrorKind, OpError, StateId, States, Tensor, Value, ops};
use thalweg_plan::{Home, Kernel, MatMul, Plan, Step};

use crate::call::{Caller, Scratch};
use crate::gemm::{Gemm, GemmSpec};
use crate::isa::Isa;
use crate::pool::Pool;
use crate::rows::Rows;

/// A step of a plan with its kernel chosen.
enum Compiled {
    Rows(Rows),
    MatMulF32(Gemm<f32>, Batch),
    MatMulF64(Gemm<f64>, Batch),
    Call(Caller),
}

/// Where the products of a batch lie.
struct Batch {
    buffers: [usize; 3],
    offsets: Vec<[isize; 3]>,
}

/// A compiled computation; made by [`Cpu::compile`](crate::Cpu::compile).
///
/// It owns all memory that a run needs: running it does not allocate (ops without a fast kernel excepted, see
/// [`Program::slow_ops`]).
pub struct Program {
    plan: Plan,
    isa: Isa,
    /// Threads that there is scratch memory for.
    threads: usize,
    compiled: Vec<Compiled>,
    inputs: Vec<usize>,
    states: Vec<StateId>,
    memory: Value,
    shared_at: usize,
    local_at: usize,
    local_stride: usize,
    bases: Vec<Base>,
    outputs: Vec<Value>,
}

/// The address of a buffer during a run.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Base(*mut u8);

// SAFETY: the addresses are only followed inside `run`, which has exclusive access to the program and to whatever it
// was given.
unsafe impl Send for Base {}
// SAFETY: as above: a shared program reads none of them.
unsafe impl Sync for Base {}

impl Program {
    /// Chooses kernels for `plan`. `inputs` says in which order values will be fed.
    pub(crate) fn new(
        plan: Plan,
        inputs: &[Tensor],
        isa: Isa,
        threads: usize,
    ) -> Result<Program, Error> {
        let mut order = vec![];
        for needed in &plan.inputs {
            let place = inputs.iter().position(|t| t.id() == needed.id()).ok_or_else(|| {
                let name = needed.op().downcast::<ops::Input>().map_or("?", |i| i.name.as_str());
                let what = format!("input `{name}` is not among the inputs of the program");
                needed.error_here(OpError::new(ErrorKind::Missing, what))
            })?;
            order.push(place);
        }
        let compiled = plan
            .steps
            .iter()
            .map(|step| compile(&plan, step, isa))
            .collect::<Result<Vec<_>, Error>>()?;
        let line = |bytes: usize| bytes.next_multiple_of(64);
        let shared = compiled.iter().map(|c| c.shared_bytes(threads)).max().unwrap_or(0);
        let local_stride = line(compiled.iter().map(Compiled::local_bytes).max().unwrap_or(0)) + 64;
        let shared_at = line(plan.arena_bytes);
        let local_at = shared_at + line(shared);
        let memory = Value::zeros(DType::U8, [local_at + local_stride * threads]);
        let states = plan
            .states
            .iter()
            .filter_map(|t| t.op().downcast::<ops::State>().map(|s| s.id))
            .collect();
        let outputs = plan
            .outputs
            .iter()
            .zip(&plan.output_shapes)
            .map(|(&(buffer, _), shape)| Value::zeros(plan.buffers[buffer].dtype, shape))
            .collect();
        let bases = vec![Base(std::ptr::null_mut()); plan.buffers.len()];
        Ok(Program {
            plan,
            isa,
            threads,
            compiled,
            inputs: order,
            states,
            memory,
            shared_at,
            local_at,
            local_stride,
            bases,
            outputs,
        })
    }

    /// The plan that it runs.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The instruction set that it runs on.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Bytes that the program owns: intermediate results and scratch memory. With the store and the batch this is all a
    /// run needs, known before it starts.
    pub fn memory_bytes(&self) -> usize {
        self.memory.numel()
    }

    /// Ops that run by their reference kernel, for want of a fast one.
    pub fn slow_ops(&self) -> Vec<&'static str> {
        let calls = self.compiled.iter().filter_map(|c| match c {
            Compiled::Call(caller) if caller.is_slow() => Some(caller.name()),
            _ => None,
        });
        calls.collect()
    }

    /// Runs the program: `feeds` are the values of the inputs, in the order given at compilation. Returns the values
    /// of the outputs, which stay valid until the next run. Fails, with every state untouched, where a feed or a
    /// state is missing or mis-shaped, where a value is out of its range, or where the pool has more threads than the program
    /// was compiled for.
    pub fn run(
        &mut self,
        pool: &Pool,
        feeds: &[&Value],
        states: &mut dyn States,
    ) -> Result<&[Value], Error> {
        self.run_observed(pool, feeds, states, &mut |_| {})
    }

    /// As [`Program::run`]; `done` is told the number of each step of the plan when it has run, so that a caller with a
    /// clock can see where the time goes.
    pub fn run_observed(
        &mut self,
        pool: &Pool,
        feeds: &[&Value],
        states: &mut dyn States,
        done: &mut dyn FnMut(usize),
    ) -> Result<&[Value], Error> {
        if pool.threads() > self.threads {
            let (have, want) = (self.threads, pool.threads());
            let what = format!("compiled for {have} threads, run on a pool of {want}");
            let error = OpError::new(ErrorKind::Argument, what)
                .hint("compile it on the executor whose pool runs it");
            return Err(Error::new(error, "run", None, None));
        }
        let memory = self.resolve(feeds, states)?;
        // SAFETY: the offsets lie inside the memory.
        let (shared, local) = unsafe { (memory.add(self.shared_at), memory.add(self.local_at)) };
        // A `Base` is a transparent wrapper around the address.
        // SAFETY: the two types have the same layout.
        let bases = unsafe {
            std::slice::from_raw_parts(self.bases.as_ptr().cast::<*mut u8>(), self.bases.len())
        };
        for (step, compiled) in self.compiled.iter().enumerate() {
            // SAFETY: `resolve` has found every buffer with the size that the plan asks for; the scratch was measured
            // for these kernels and for at least as many threads as the pool has; the instruction set was checked when
            // the program was compiled.
            unsafe {
                match compiled {
                    Compiled::Rows(rows) => rows.run(pool, bases, shared, local, self.local_stride),
                    Compiled::MatMulF32(gemm, batch) => batch.run(gemm, pool, bases, shared),
                    Compiled::MatMulF64(gemm, batch) => batch.run(gemm, pool, bases, shared),
                    Compiled::Call(caller) => {
                        let scratch = Scratch { shared, local, local_stride: self.local_stride };
                        caller.run(pool, bases, scratch)?
                    }
                }
            }
            done(step);
        }
        for (&(buffer, offset), output) in self.plan.outputs.iter().zip(&mut self.outputs) {
            let bytes = output.bytes_mut();
            let size = self.plan.buffers[buffer].dtype.size();
            // SAFETY: the buffer holds the output from its offset on.
            let from = unsafe {
                std::slice::from_raw_parts(bases[buffer].add(offset * size), bytes.len())
            };
            bytes.copy_from_slice(from);
        }
        Ok(&self.outputs)
    }

    /// The values of the outputs after the last run.
    pub fn outputs(&self) -> &[Value] {
        &self.outputs
    }

    /// Finds the address of every buffer for this run, and that of the program's own memory.
    fn resolve(&mut self, feeds: &[&Value], states: &mut dyn States) -> Result<*mut u8, Error> {
        let memory = self.memory.bytes_mut().as_mut_ptr();
        for (buffer, base) in self.plan.buffers.iter().zip(&mut self.bases) {
            base.0 = match &buffer.home {
                // SAFETY: the arena is as large as the plan asks for.
                Home::Arena(offset) => unsafe { memory.add(*offset) },
                Home::Constant(value) => value.bytes().as_ptr().cast_mut(),
                Home::Input(i) => {
                    let node = &self.plan.inputs[*i];
                    let value = feeds.get(self.inputs[*i]).copied();
                    check(node, value)?.bytes().as_ptr().cast_mut()
                }
                Home::State(i) => {
                    let node = &self.plan.states[*i];
                    let value = states.get_mut(self.states[*i]);
                    check(node, value.as_deref())?;
                    match value {
                        Some(value) => value.bytes_mut().as_mut_ptr(),
                        None => std::ptr::null_mut(),
                    }
                }
            };
        }
        Ok(memory)
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {} bytes\n{}", self.isa, self.memory_bytes(), self.plan)
    }
}

/// The value, where it is one that `node` stands for.
fn check<'a>(node: &Tensor, value: Option<&'a Value>) -> Result<&'a Value, Error> {
    match value {
        Some(value) if value.dtype() == node.dtype() && value.shape() == node.shape() => Ok(value),
        _ => Err(misfit(node, value)),
    }
}

fn misfit(node: &Tensor, value: Option<&Value>) -> Error {
    let name = match (node.op().downcast::<ops::Input>(), node.op().downcast::<ops::State>()) {
        (Some(input), _) => format!("input `{}`", input.name),
        (_, Some(state)) => format!("state `{}`", state.name),
        _ => node.op().name().to_owned(),
    };
    let what = match value {
        None => format!("{name} has no value"),
        Some(value) => {
            let (want, got) = ((node.dtype(), node.shape()), (value.dtype(), value.shape()));
            format!("{name} expects {}{}, got {}{}", want.0, want.1, got.0, got.1)
        }
    };
    node.error_here(OpError::new(ErrorKind::Missing, what))
}

fn compile(plan: &Plan, step: &Step, isa: Isa) -> Result<Compiled, Error> {
    Ok(match &step.kernel {
        Kernel::Rows(program) => {
            let rows =
                Rows::compile(isa, program, &|a, b| overlaps(plan, a, b)).ok_or_else(|| {
                    let what = format!("no kernel for\n{program}");
                    Error::new(
                        OpError::new(ErrorKind::Internal, what),
                        step.name,
                        None,
                        step.layer.clone(),
                    )
                })?;
            Compiled::Rows(rows)
        }
        Kernel::MatMul(matmul) => match matmul.dtype {
            DType::F64 => Compiled::MatMulF64(Gemm::new(isa, &spec(matmul)), Batch::new(matmul)),
            _ => Compiled::MatMulF32(Gemm::new(isa, &spec(matmul)), Batch::new(matmul)),
        },
        Kernel::Call(call) => Compiled::Call(Caller::new(call, isa)),
    })
}

/// True where two buffers can be the same memory.
fn overlaps(plan: &Plan, a: usize, b: usize) -> bool {
    let bytes = |b: usize| plan.buffers[b].len * plan.buffers[b].dtype.size();
    match (&plan.buffers[a].home, &plan.buffers[b].home) {
        _ if a == b => true,
        (Home::Arena(x), Home::Arena(y)) => *x < y + bytes(b) && *y < x + bytes(a),
        _ => false,
    }
}

fn spec(matmul: &MatMul) -> GemmSpec {
    GemmSpec {
        m: matmul.m,
        n: matmul.n,
        k: matmul.k,
        a_strides: [matmul.a.row_stride, matmul.a.col_stride],
        b_strides: [matmul.b.row_stride, matmul.b.col_stride],
        c_strides: [matmul.n as isize, 1],
        accumulate: false,
        batch: matmul.batch.iter().product(),
    }
}

impl Batch {
    fn new(matmul: &MatMul) -> Batch {
        let shape = thalweg_graph::Shape::from(&matmul.batch);
        let at = |index: &[usize], strides: &[isize]| -> isize {
            index.iter().zip(strides).map(|(&i, &s)| i as isize * s).sum()
        };
        let result = (matmul.m * matmul.n) as isize;
        let offsets = shape
            .indices()
            .enumerate()
            .map(|(i, index)| {
                [
                    matmul.a.offset as isize + at(&index, &matmul.a.batch_strides),
                    matmul.b.offset as isize + at(&index, &matmul.b.batch_strides),
                    i as isize * result,
                ]
            })
            .collect();
        Batch { buffers: [matmul.a.buffer, matmul.b.buffer, matmul.to], offsets }
    }

    /// # Safety
    /// The buffers are valid for what the plan says of them, and the scratch for what the product asks for.
    unsafe fn run<T: crate::gemm::Element>(
        &self,
        gemm: &Gemm<T>,
        pool: &Pool,
        bases: &[*mut u8],
        shared: *mut u8,
    ) {
        let [a, b, c] = self.buffers.map(|i| bases[i].cast::<T>());
        // SAFETY: the caller's promise.
        unsafe { gemm.run_batched(pool, a, b, c, &|i| self.offsets[i], shared.cast()) }
    }
}

impl Compiled {
    fn shared_bytes(&self, threads: usize) -> usize {
        match self {
            Compiled::Rows(rows) => rows.shared_bytes(),
            Compiled::MatMulF32(gemm, _) => gemm.scratch_len(threads) * size_of::<f32>(),
            Compiled::MatMulF64(gemm, _) => gemm.scratch_len(threads) * size_of::<f64>(),
            Compiled::Call(caller) => caller.shared_bytes(threads),
        }
    }

    fn local_bytes(&self) -> usize {
        match self {
            Compiled::Rows(rows) => rows.local_bytes(),
            Compiled::Call(caller) => caller.local_bytes(),
            Compiled::MatMulF32(..) | Compiled::MatMulF64(..) => 0,
        }
    }
}
