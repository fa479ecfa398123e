//! From a row program to tile ops: operands get kernels, registers get places.

use thalweg_graph::{DType, Map};
use thalweg_plan::row::{Code, Level, Reg, RowProgram};

use super::op::TileOp;
use super::{RegHome, Shape, Sum};
use crate::isa::Isa;
use crate::kernels::{self, CHUNK};
use crate::walk::Walk;

/// A register of the compiled program: its type and level.
#[derive(Clone, Copy)]
pub(super) struct RegType {
    pub dtype: DType,
    pub level: Level,
    /// Where it points into memory whose rows do not follow each other: the walk, and the bytes from row to row.
    pub steps: Option<(usize, isize)>,
}

/// A register as a kernel reads it: whether it is one element for all of a tile (or of a row), and the bytes from row
/// to row.
struct Operand {
    reg: Reg,
    scalar: bool,
    step: isize,
}

pub(super) struct Compiler<'a> {
    pub isa: Isa,
    pub program: &'a RowProgram,
    pub tile_rows: usize,
    pub wide: bool,
    /// Tiles have several rows that are long enough to be worked on one by one.
    pub by_rows: bool,
    pub ops: Vec<TileOp>,
    pub tail: Vec<TileOp>,
    pub walks: Vec<Walk>,
    pub types: Vec<RegType>,
    pub homes: Vec<RegHome>,
    pub constants: Vec<u64>,
    /// The compiled register of each instruction.
    pub reg_of: Vec<Reg>,
    /// The same, expanded to one element per place.
    pub full_of: Vec<Option<Reg>>,
    /// Instructions of a wide program that wait for a row reduction.
    pub after_reduction: Vec<bool>,
    pub folds: usize,
    pub shared: usize,
}

impl Compiler<'_> {
    pub fn compile(
        &mut self,
        overlaps: &dyn Fn(usize, usize) -> bool,
        rows: usize,
        shape: &Shape,
    ) -> Option<Vec<Sum>> {
        for at in 0..self.program.code.len() {
            self.instruction(at)?;
        }
        let mut sums = vec![];
        for sum in &self.program.column_sums {
            let dtype = self.program.code[sum.reg].dtype;
            let Operand { reg: src, step, .. } = self.rows_of(sum.reg);
            let blocks = match *shape {
                Shape::Rows { block, .. } | Shape::Wide { block, .. } => rows.div_ceil(block),
            };
            self.ops.push(TileOp::Accumulate { src, sum: sums.len(), step });
            let size = dtype.size();
            let offset = self.share(blocks * self.program.cols * size);
            sums.push(Sum {
                add: kernels::accumulate(self.isa, dtype),
                offset,
                buffer: sum.to,
                size,
            });
        }
        self.stores(overlaps);
        Some(sums)
    }

    fn share(&mut self, bytes: usize) -> usize {
        let offset = self.shared;
        self.shared += bytes.next_multiple_of(64);
        offset
    }

    fn register(&mut self, dtype: DType, level: Level, home: RegHome) -> Reg {
        self.types.push(RegType { dtype, level, steps: None });
        self.homes.push(home);
        self.homes.len() - 1
    }

    /// Adds an op to the tiles, or to the tail of a wide program.
    fn push(&mut self, late: bool, op: TileOp) {
        if late { self.tail.push(op) } else { self.ops.push(op) }
    }

    fn instruction(&mut self, at: usize) -> Option<()> {
        let instr = &self.program.code[at];
        let (dtype, level) = (instr.dtype, instr.level);
        let late = self.wide
            && (RowProgram::reads(&instr.code).iter().any(|&r| self.after_reduction[r])
                || matches!(instr.code, Code::Reduce(..)));
        self.after_reduction[at] = late;
        let reg = match &instr.code {
            Code::Imm(x) => {
                self.constants.push(encode(dtype, *x));
                self.register(dtype, Level::Uniform, RegHome::Constant(self.constants.len() - 1))
            }
            Code::Load(access) => {
                let walk = Walk::new(access, self.program, dtype.size());
                let is_tile = walk.is_tile(level, self.tile_rows, self.program.cols);
                let step = walk.row_step();
                let step = step.filter(|_| self.by_rows && level == Level::Full && !is_tile);
                let points = is_tile || step.is_some();
                self.walks.push(walk);
                let walk = self.walks.len() - 1;
                let home = if points { RegHome::Moving } else { RegHome::Slot(0) };
                let reg = self.register(dtype, level, home);
                self.types[reg].steps = step.map(|step| (walk, step));
                let op = || match points {
                    true => TileOp::Point { reg, walk },
                    false => TileOp::Gather { reg, walk, level },
                };
                self.ops.push(op());
                // The tail of a wide program may read it as well, once per row.
                if self.wide && level != Level::Full {
                    self.tail.push(op());
                }
                reg
            }
            Code::Index(access) => {
                self.walks.push(Walk::new(access, self.program, dtype.size()));
                let walk = self.walks.len() - 1;
                let reg = self.register(dtype, level, RegHome::Slot(0));
                self.ops.push(TileOp::Index { reg, walk, level, dtype });
                if self.wide && level != Level::Full {
                    self.tail.push(TileOp::Index { reg, walk, level, dtype });
                }
                reg
            }
            Code::Reduce(kind, from) => {
                let fold = kernels::fold(self.isa, *kind, dtype)?;
                let size = dtype.size();
                let Operand { reg: src, step, .. } = self.rows_of(*from);
                let dst = self.register(dtype, Level::Row, RegHome::Slot(0));
                if self.wide {
                    let chunks = self.program.cols.div_ceil(CHUNK);
                    let offset = self.share(self.program.row_count() * chunks * size);
                    self.folds += 1;
                    self.ops.push(TileOp::ReducePart { src, fold, size, offset });
                    self.tail.push(TileOp::Join { dst, fold, size, offset });
                } else {
                    self.ops.push(TileOp::Reduce { dst, src, fold, size, step });
                }
                dst
            }
            Code::Map(map, args) => {
                let start = self.ops.len();
                let dst = self.map(*map, args, dtype, level, late)?;
                // Row-level maps that precede a reduction may be wanted by the tail too.
                if self.wide && !late && level != Level::Full {
                    self.tail.extend(&self.ops[start..]);
                }
                dst
            }
        };
        self.reg_of.push(reg);
        Some(())
    }

    fn map(
        &mut self,
        map: Map,
        args: &[Reg],
        dtype: DType,
        level: Level,
        late: bool,
    ) -> Option<Reg> {
        let from = args.first().map_or(dtype, |&r| self.program.code[r].dtype);
        let by_rows = level == Level::Full
            && map != Map::Select
            && args.iter().any(|&arg| self.wants_rows(self.reg_of[arg]));
        let (mut operands, mut scalars, mut steps) = (vec![], vec![], vec![]);
        for &arg in args {
            let operand = if by_rows { self.by_row(arg) } else { self.operand(arg, level) };
            operands.push(operand.reg);
            scalars.push(operand.scalar);
            steps.push(operand.step);
        }
        let home = RegHome::Slot(0);
        let pad = |a: &[Reg], i: usize| a.get(i).or(a.first()).copied().unwrap_or(0);
        let f = match map {
            Map::Unary(op) => kernels::unary(self.isa, op, from)?,
            Map::Cast(to) => kernels::cast(from, to),
            Map::Binary(op) => kernels::binary(self.isa, op, from, [scalars[0], scalars[1]])?,
            Map::Compare(op) => kernels::compare(self.isa, op, from, [scalars[0], scalars[1]]),
            Map::Select => {
                if scalars[0] && scalars[1] == scalars[2] && !scalars[1] {
                    let dst = self.register(dtype, level, RegHome::Moving);
                    let (cond, yes, no) = (operands[0], operands[1], operands[2]);
                    self.push(late, TileOp::Choose { dst, cond, yes, no });
                    return Some(dst);
                }
                if scalars[0] {
                    let spread = self.register(DType::Bool, level, home);
                    let args = [operands[0]; 3];
                    let f = kernels::spread(1);
                    self.push(late, TileOp::Run { f, dst: spread, args, level });
                    operands[0] = spread;
                }
                kernels::select(self.isa, dtype.size(), [scalars[1], scalars[2]])
            }
            Map::Iota { .. } => return None,
        };
        let args = [pad(&operands, 0), pad(&operands, 1), pad(&operands, 2)];
        let dst = self.register(dtype, level, home);
        let op = match by_rows {
            true => {
                let steps = [0, 1, 2].map(|i| steps.get(i).copied().unwrap_or(0));
                TileOp::RunRows { f, dst, args, steps, dst_step: self.row_bytes(dtype) }
            }
            false => TileOp::Run { f, dst, args, level },
        };
        self.push(late, op);
        Some(dst)
    }

    /// Bytes of a row of elements of `dtype` in a tile.
    fn row_bytes(&self, dtype: DType) -> isize {
        (self.program.cols * dtype.size()) as isize
    }

    /// True where a register cannot be read as one piece, but row by row it can.
    fn wants_rows(&self, reg: Reg) -> bool {
        self.by_rows && (self.types[reg].level == Level::Row || self.types[reg].steps.is_some())
    }

    /// The register of an instruction, to be read row by row.
    fn by_row(&self, instr: Reg) -> Operand {
        let reg = self.reg_of[instr];
        let RegType { dtype, level, steps } = self.types[reg];
        let step = match level {
            Level::Uniform => 0,
            Level::Row => dtype.size() as isize,
            Level::Full => steps.map_or(self.row_bytes(dtype), |(_, step)| step),
        };
        Operand { reg, scalar: level != Level::Full, step }
    }

    /// The register of an instruction with one element per place, to be read row by row.
    fn rows_of(&mut self, instr: Reg) -> Operand {
        let operand = self.by_row(instr);
        match operand.scalar {
            false => operand,
            true => {
                let reg = self.full(instr);
                let step = self.row_bytes(self.types[reg].dtype);
                Operand { reg, scalar: false, step }
            }
        }
    }

    /// The register to read for an instruction of `level`.
    fn operand(&mut self, instr: Reg, level: Level) -> Operand {
        let reg = self.reg_of[instr];
        let (reg, scalar) = match (self.types[reg].level, level) {
            (Level::Full, Level::Full) => (self.full(instr), false),
            (have, _) if have == level => (reg, false),
            (Level::Row, Level::Full) if self.tile_rows > 1 => (self.full(instr), false),
            _ => (reg, true),
        };
        Operand { reg, scalar, step: 0 }
    }

    /// The register of an instruction with one element per place, as one piece.
    fn full(&mut self, instr: Reg) -> Reg {
        let src = self.reg_of[instr];
        let RegType { dtype, level, steps } = self.types[src];
        if level == Level::Full && steps.is_none() {
            return src;
        }
        if let Some(reg) = self.full_of[instr] {
            return reg;
        }
        let dst = self.register(dtype, Level::Full, RegHome::Slot(0));
        if let Some((walk, _)) = steps {
            self.ops.push(TileOp::Gather { reg: dst, walk, level });
            self.full_of[instr] = Some(dst);
            return dst;
        }
        let f = kernels::spread(dtype.size());
        self.ops.push(match level {
            Level::Row if self.tile_rows > 1 => TileOp::Expand { f, dst, src, size: dtype.size() },
            _ => TileOp::Run { f, dst, args: [src; 3], level: Level::Full },
        });
        self.full_of[instr] = Some(dst);
        dst
    }

    fn stores(&mut self, overlaps: &dyn Fn(usize, usize) -> bool) {
        let mut sources = vec![];
        for store in &self.program.stores {
            let RegType { dtype, level: have, .. } = self.types[self.reg_of[store.reg]];
            // A row of no elements still has its one row-level element.
            let level = match store.to.col_stride == 0 && self.program.cols != 1 {
                true => Level::Row,
                false => Level::Full,
            };
            let late = self.wide && level == Level::Row;
            let src = match (have, level) {
                (_, Level::Full) => self.full(store.reg),
                (Level::Uniform, _) if self.tile_rows > 1 => {
                    let dst = self.register(dtype, Level::Row, RegHome::Slot(0));
                    let args = [self.reg_of[store.reg]; 3];
                    let f = kernels::spread(dtype.size());
                    self.push(late, TileOp::Run { f, dst, args, level: Level::Row });
                    dst
                }
                _ => self.reg_of[store.reg],
            };
            // What lies where another store writes (two states that change places) is set aside first.
            let mut others = self.program.stores.iter().filter(|s| s.reg != store.reg);
            let src = match others.any(|s| self.aliases(src, s.to.buffer, overlaps)) {
                true => {
                    let dst = self.register(dtype, level, RegHome::Slot(0));
                    let f = kernels::cast(dtype, dtype);
                    self.push(late, TileOp::Run { f, dst, args: [src; 3], level });
                    dst
                }
                false => src,
            };
            sources.push((src, level, late));
        }
        for (store, (src, level, late)) in self.program.stores.iter().zip(sources) {
            self.walks.push(Walk::new(&store.to, self.program, self.types[src].dtype.size()));
            let walk = self.walks.len() - 1;
            if !late && self.writes_directly(src, walk, level, store.to.buffer, overlaps) {
                // The kernel that computes the register writes to memory; the address must be known before.
                let maker = self.ops.iter().position(|op| op.defines() == Some(src)).unwrap_or(0);
                self.homes[src] = RegHome::Moving;
                self.ops.insert(maker, TileOp::Point { reg: src, walk });
            } else {
                self.push(late, TileOp::Store { src, walk, level });
            }
        }
    }

    /// True where the kernel that computes `reg` may write straight to memory: it fills a slot of its own, memory takes the
    /// tile as it is, and nobody reads what lay there afterwards.
    fn writes_directly(
        &self,
        reg: Reg,
        walk: usize,
        level: Level,
        buffer: usize,
        overlaps: &dyn Fn(usize, usize) -> bool,
    ) -> bool {
        let computed = matches!(self.homes[reg], RegHome::Slot(_));
        let Some(maker) = self.ops.iter().position(|op| op.defines() == Some(reg)) else {
            return false;
        };
        let runs = matches!(
            self.ops[maker],
            TileOp::Run { .. } | TileOp::RunRows { .. } | TileOp::Gather { .. }
        );
        let whole = self.walks[walk].is_tile(level, self.tile_rows, self.program.cols);
        // A gather may read what it would overwrite.
        let from = if matches!(self.ops[maker], TileOp::Gather { .. }) { maker } else { maker + 1 };
        let read_later = self.ops[from..].iter().any(|op| {
            op.reads().into_iter().any(|r| self.aliases(r, buffer, overlaps))
                || matches!(op, TileOp::Gather { walk, .. } if overlaps(self.walks[*walk].buffer, buffer))
        });
        computed && runs && whole && !read_later
    }

    /// True where the register may be an address inside `buffer`.
    fn aliases(&self, reg: Reg, buffer: usize, overlaps: &dyn Fn(usize, usize) -> bool) -> bool {
        let mut pending = vec![reg];
        while let Some(reg) = pending.pop() {
            for op in self.ops.iter().chain(&self.tail) {
                match *op {
                    TileOp::Point { reg: r, walk }
                        if r == reg && overlaps(self.walks[walk].buffer, buffer) =>
                    {
                        return true;
                    }
                    TileOp::Choose { dst, yes, no, .. } if dst == reg => pending.extend([yes, no]),
                    _ => {}
                }
            }
        }
        false
    }
}

/// `x` as an element of `dtype`, in the low bytes of a word.
fn encode(dtype: DType, x: f64) -> u64 {
    let mut word = [0u8; 8];
    match dtype {
        DType::F32 => word[..4].copy_from_slice(&(x as f32).to_ne_bytes()),
        DType::F64 => word.copy_from_slice(&x.to_ne_bytes()),
        DType::I64 => word.copy_from_slice(&(x as i64).to_ne_bytes()),
        DType::I32 => word[..4].copy_from_slice(&(x as i32).to_ne_bytes()),
        DType::U8 => word[0] = x as u8,
        DType::Bool => word[0] = (x != 0.0) as u8,
    }
    u64::from_ne_bytes(word)
}
