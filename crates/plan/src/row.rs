//! Row programs: fused elementwise chains and reductions, as data.
//!
//! A row program walks an iteration space of `rows × cols` elements. Every register holds one element per
//! place of the space ([`Level::Full`]), one per row ([`Level::Row`]: what a row reduction gives), or one
//! altogether ([`Level::Uniform`]). A program says nothing of tiles, threads or instructions sets; an
//! executor cuts the space as it likes, as long as each reduction keeps its documented order.

use std::fmt;

use thalweg_graph::ops::ReduceKind;
use thalweg_graph::{DType, Map};

/// Names a buffer of a plan.
pub type BufferId = usize;

/// Names a register of a row program: the instruction that defines it.
pub type Reg = usize;

/// Where the elements of an operand lie, for each place of the iteration space: element (i₀, i₁, …, c) at
/// `offset + Σ iₐ·row_strides[a] + c·col_stride` of its buffer, in elements.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// The buffer.
    pub buffer: BufferId,
    /// The place of the first element.
    pub offset: usize,
    /// One stride per row axis.
    pub row_strides: Vec<isize>,
    /// The distance between two columns; 0 repeats one element along the row.
    pub col_stride: isize,
}

/// How many elements a register holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// One for the whole space.
    Uniform,
    /// One per row.
    Row,
    /// One per place.
    Full,
}

/// What defines a register.
#[derive(Clone, Debug, PartialEq)]
pub enum Code {
    /// Elements read from memory.
    Load(Access),
    /// The address itself: `offset + Σ iₐ·row_strides[a] + c·col_stride` (the buffer is not looked at).
    Index(Access),
    /// One number.
    Imm(f64),
    /// An elementwise function of other registers.
    Map(Map, Vec<Reg>),
    /// A reduction of a full register over the columns of each row.
    Reduce(ReduceKind, Reg),
}

/// One instruction: what it computes, of which type, how many elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Instr {
    /// What it computes.
    pub code: Code,
    /// The element type of the result.
    pub dtype: DType,
    /// How many elements the result has.
    pub level: Level,
}

/// A register that goes to memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Store {
    /// What is written.
    pub reg: Reg,
    /// Where; a row-level register is written once per row, its column stride is not looked at.
    pub to: Access,
}

/// A sum over all rows for each column. The rows are summed one after the other within blocks of
/// [`column_block`] rows, then the blocks' sums one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnSum {
    /// What is summed: a full register.
    pub reg: Reg,
    /// `cols` contiguous elements.
    pub to: BufferId,
}

/// A fused kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct RowProgram {
    /// Extents of the row axes, outermost first; the empty list is one row.
    pub rows: Vec<usize>,
    /// Elements of a row.
    pub cols: usize,
    /// The instructions, each after those it reads.
    pub code: Vec<Instr>,
    /// What is written, after everything has been computed.
    pub stores: Vec<Store>,
    /// Sums over the rows.
    pub column_sums: Vec<ColumnSum>,
}

impl RowProgram {
    /// The number of rows.
    pub fn row_count(&self) -> usize {
        self.rows.iter().product()
    }

    /// True where a register depends on a row reduction.
    pub fn has_row_reductions(&self) -> bool {
        self.code.iter().any(|i| matches!(i.code, Code::Reduce(..)))
    }

    /// The registers that `code` reads.
    pub fn reads(code: &Code) -> &[Reg] {
        match code {
            Code::Map(_, regs) => regs,
            Code::Reduce(_, reg) => std::slice::from_ref(reg),
            Code::Load(_) | Code::Index(_) | Code::Imm(_) => &[],
        }
    }

    /// Every buffer that is read.
    pub fn loaded(&self) -> impl Iterator<Item = &Access> {
        self.code.iter().filter_map(|i| match &i.code {
            Code::Load(access) => Some(access),
            _ => None,
        })
    }
}

/// How many rows a column sum adds up before the partial sum is set aside: a function of the number of rows
/// alone, so that neither threads nor fusion can change a bit.
pub fn column_block(rows: usize) -> usize {
    rows.div_ceil(64).max(16)
}

impl fmt::Display for RowProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "rows {:?} × cols {}", self.rows, self.cols)?;
        for (reg, instr) in self.code.iter().enumerate() {
            write!(f, "    r{reg}: {}.{:?} = ", instr.dtype, instr.level)?;
            match &instr.code {
                Code::Load(a) => writeln!(f, "load {a}")?,
                Code::Index(a) => writeln!(f, "index {a}")?,
                Code::Imm(x) => writeln!(f, "{x}")?,
                Code::Map(map, regs) => writeln!(f, "{map:?} {regs:?}")?,
                Code::Reduce(kind, reg) => writeln!(f, "{kind:?} over row of r{reg}")?,
            }
        }
        for store in &self.stores {
            writeln!(f, "    store r{} to {}", store.reg, store.to)?;
        }
        for sum in &self.column_sums {
            writeln!(f, "    sum rows of r{} to b{}", sum.reg, sum.to)?;
        }
        Ok(())
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b{}+{} {:?}/{}", self.buffer, self.offset, self.row_strides, self.col_stride)
    }
}
