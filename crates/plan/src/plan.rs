//! The plan: kernels in order, and where every buffer lies. Data, not code: an executor gives it life.

use std::fmt;
use std::sync::Arc;

use thalweg_graph::{DType, Layer, Layout, Shape, Tensor, Value};

use crate::row::{BufferId, RowProgram};

/// Where a buffer lies.
#[derive(Clone, Debug)]
pub enum Home {
    /// At a byte offset of the one arena.
    Arena(usize),
    /// In the value fed to input `i`.
    Input(usize),
    /// In the store: state `i`.
    State(usize),
    /// In the plan itself.
    Constant(Arc<Value>),
}

/// A piece of memory: `len` elements, contiguous.
#[derive(Clone, Debug)]
pub struct Buffer {
    /// Where it lies.
    pub home: Home,
    /// The type of its elements.
    pub dtype: DType,
    /// How many there are.
    pub len: usize,
}

/// A matrix, or a batch of them, inside a buffer; strides in elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// The buffer.
    pub buffer: BufferId,
    /// The place of the first element.
    pub offset: usize,
    /// One stride per batch axis.
    pub batch_strides: Vec<isize>,
    /// From one row to the next.
    pub row_stride: isize,
    /// From one column to the next.
    pub col_stride: isize,
}

/// `to[…, m, n] = a[…, m, k] · b[…, k, n]`; `to` is contiguous.
#[derive(Clone, Debug, PartialEq)]
pub struct MatMul {
    /// `f32` or `f64`.
    pub dtype: DType,
    /// Extents of the batch axes.
    pub batch: Vec<usize>,
    /// Rows of a and of the result.
    pub m: usize,
    /// Columns of b and of the result.
    pub n: usize,
    /// Columns of a, rows of b.
    pub k: usize,
    /// The left matrix.
    pub a: Matrix,
    /// The right matrix.
    pub b: Matrix,
    /// The result.
    pub to: BufferId,
}

/// An op with a kernel of its own.
#[derive(Clone, Debug)]
pub struct Call {
    /// The node, for its op and shapes.
    pub tensor: Tensor,
    /// The buffer of each input, and where in it the elements lie: as the op [reads](thalweg_graph::Op::reads) them.
    pub inputs: Vec<(BufferId, Layout)>,
    /// The result, contiguous.
    pub to: BufferId,
}

/// What runs.
#[derive(Clone, Debug)]
pub enum Kernel {
    /// A row program.
    Rows(RowProgram),
    /// A matrix product.
    MatMul(MatMul),
    /// Anything else.
    Call(Call),
}

/// A kernel, and what it is called in a profile.
#[derive(Clone, Debug)]
pub struct Step {
    /// What runs.
    pub kernel: Kernel,
    /// The op that gave it its name (of a fused program, the last one).
    pub name: &'static str,
    /// The layer it belongs to.
    pub layer: Option<Arc<Layer>>,
}

/// A computation that is ready to run again and again.
#[derive(Clone, Debug)]
pub struct Plan {
    /// All memory.
    pub buffers: Vec<Buffer>,
    /// What runs, in order.
    pub steps: Vec<Step>,
    /// The input nodes that must be fed.
    pub inputs: Vec<Tensor>,
    /// The state nodes that are read or written.
    pub states: Vec<Tensor>,
    /// Buffer and offset (in elements) of each output.
    pub outputs: Vec<(BufferId, usize)>,
    /// The shape of each output.
    pub output_shapes: Vec<Shape>,
    /// Bytes of the arena: with the states, all the memory that a run needs.
    pub arena_bytes: usize,
}

impl Kernel {
    /// The buffers that it reads.
    pub fn reads(&self) -> Vec<BufferId> {
        match self {
            Kernel::Rows(program) => program.loaded().map(|a| a.buffer).collect(),
            Kernel::MatMul(matmul) => vec![matmul.a.buffer, matmul.b.buffer],
            Kernel::Call(call) => call.inputs.iter().map(|i| i.0).collect(),
        }
    }

    /// The buffers that it writes.
    pub fn writes(&self) -> Vec<BufferId> {
        match self {
            Kernel::Rows(program) => {
                let stores = program.stores.iter().map(|s| s.to.buffer);
                stores.chain(program.column_sums.iter().map(|s| s.to)).collect()
            }
            Kernel::MatMul(matmul) => vec![matmul.to],
            Kernel::Call(call) => vec![call.to],
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} steps, {} bytes of arena", self.steps.len(), self.arena_bytes)?;
        for (i, buffer) in self.buffers.iter().enumerate() {
            let home = match &buffer.home {
                Home::Arena(offset) => format!("arena+{offset}"),
                Home::Input(i) => format!("input {i}"),
                Home::State(i) => format!("state {i}"),
                Home::Constant(_) => "constant".to_owned(),
            };
            writeln!(f, "  b{i}: {}[{}] {home}", buffer.dtype, buffer.len)?;
        }
        for (i, step) in self.steps.iter().enumerate() {
            write!(f, "  {i}: {} ", step.name)?;
            match &step.kernel {
                Kernel::Rows(program) => write!(f, "{program}")?,
                Kernel::MatMul(m) => writeln!(
                    f,
                    "b{} = b{} · b{}, batch {:?}, {}×{}×{}",
                    m.to, m.a.buffer, m.b.buffer, m.batch, m.m, m.k, m.n
                )?,
                Kernel::Call(call) => {
                    let inputs = call.inputs.iter().map(|(b, at)| format!("b{b}+{}", at.offset));
                    let inputs: Vec<String> = inputs.collect();
                    writeln!(f, "b{} = call({})", call.to, inputs.join(", "))?
                }
            }
        }
        Ok(())
    }
}
