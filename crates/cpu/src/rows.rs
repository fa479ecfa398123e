//! The interpreter of row programs: tile by tile through the cache.
//!
//! A program is compiled once: registers get places in a small scratch memory that stays in the first-level cache (or point
//! straight into memory, where elements lie contiguously), instructions become kernel pointers. A run walks tiles:
//! whole rows where these are short enough ([`Shape::Rows`]), chunks of rows where they are long ([`Shape::Wide`]). Tiles
//! are dealt to threads in blocks whose size depends on the program alone.

use thalweg_graph::{DType, Map};
use thalweg_plan::fuse::ROW_LIMIT;
use thalweg_plan::row::{Code, Level, Reg, RowProgram, column_block};

use crate::isa::Isa;
use crate::kernels::{self, CHUNK, Fold, TileFn};
use crate::pool::Pool;
use crate::walk::Walk;

/// Elements of a tile made of several short rows.
const TILE: usize = 1024;
/// Rows of at least this many elements are tiles of their own.
const LONG: usize = 128;
/// Elements that one task works on.
const TASK: usize = 8192;
/// Work (elements × instructions) below which handing tasks to other threads costs more than it saves.
const ALONE: usize = 16 * 1024;

/// A compiled row program.
pub(crate) struct Rows {
    shape: Shape,
    rows: usize,
    cols: usize,
    /// What runs for each tile.
    ops: Vec<TileOp>,
    /// What runs for each row of a wide program when the chunks of that row have been folded.
    tail: Vec<TileOp>,
    walks: Vec<Walk>,
    homes: Vec<RegHome>,
    constants: Vec<u64>,
    sums: Vec<Sum>,
    folds: usize,
    /// Bytes that each worker needs, and bytes that all share.
    local: usize,
    shared: usize,
}

enum Shape {
    /// Tiles of `tile` whole rows, tasks of `block` rows.
    Rows { tile: usize, block: usize },
    /// Tiles of one chunk of one row, tasks of `block` rows × `group` chunks.
    Wide { block: usize, group: usize },
}

/// Where a register's elements are.
#[derive(Clone, Copy)]
enum RegHome {
    /// In the worker's scratch memory, at a byte offset.
    Slot(usize),
    /// Among the constants.
    Constant(usize),
    /// Wherever the last [`TileOp::Point`] or [`TileOp::Choose`] said.
    Moving,
}

/// A sum over rows: partial results lie at `shared + offset + block · cols · size`.
struct Sum {
    add: unsafe fn(*mut u8, *const u8, usize),
    offset: usize,
    buffer: usize,
    size: usize,
}

enum TileOp {
    /// The register points at memory.
    Point {
        reg: Reg,
        walk: usize,
    },
    /// Elements are collected from memory.
    Gather {
        reg: Reg,
        walk: usize,
        level: Level,
    },
    /// Addresses become elements.
    Index {
        reg: Reg,
        walk: usize,
        level: Level,
        dtype: DType,
    },
    Run {
        f: TileFn,
        dst: Reg,
        args: [Reg; 3],
        level: Level,
    },
    /// A choice that is the same for all elements: no element is touched.
    Choose {
        dst: Reg,
        cond: Reg,
        yes: Reg,
        no: Reg,
    },
    /// One element per row becomes one per place.
    Expand {
        f: TileFn,
        dst: Reg,
        src: Reg,
        size: usize,
    },
    /// A row reduction.
    Reduce {
        dst: Reg,
        src: Reg,
        fold: Fold,
        size: usize,
    },
    /// A chunk's part of a row reduction.
    ReducePart {
        src: Reg,
        fold: Fold,
        size: usize,
        offset: usize,
    },
    /// The parts of a row, joined.
    Join {
        dst: Reg,
        fold: Fold,
        size: usize,
        offset: usize,
    },
    Store {
        src: Reg,
        walk: usize,
        level: Level,
    },
    Accumulate {
        src: Reg,
        sum: usize,
    },
}

/// What a run works on, shared among the workers.
#[derive(Clone, Copy)]
struct Memory<'a> {
    bases: &'a [*mut u8],
    shared: *mut u8,
    local: *mut u8,
    local_stride: usize,
}

// SAFETY: tasks write different tiles of every store, different parts of the shared scratch, and the local
// scratch of their own worker.
unsafe impl Sync for Memory<'_> {}

/// A tile: `rows` rows from `row` on, `cols` columns from `col` on.
#[derive(Clone, Copy)]
struct Tile {
    row: usize,
    rows: usize,
    col: usize,
    cols: usize,
}

impl Tile {
    fn count(&self, level: Level) -> usize {
        match level {
            Level::Uniform => 1,
            Level::Row => self.rows,
            Level::Full => self.rows * self.cols,
        }
    }
}

impl Rows {
    /// Compiles `program`. `overlaps(a, b)` says whether two buffers can be the same memory.
    pub fn compile(
        isa: Isa,
        program: &RowProgram,
        overlaps: &dyn Fn(usize, usize) -> bool,
    ) -> Option<Rows> {
        let (rows, cols) = (program.row_count(), program.cols);
        let blocked = !program.column_sums.is_empty();
        let shape = if cols > ROW_LIMIT {
            let block = if blocked { column_block(rows) } else { 1 };
            Shape::Wide { block, group: TASK / CHUNK }
        } else {
            let tile = if cols >= LONG { 1 } else { (TILE / cols.max(1)).max(1) };
            let per_task = (TASK / cols.max(1)).max(1).next_multiple_of(tile);
            Shape::Rows { tile, block: if blocked { column_block(rows) } else { per_task } }
        };
        let mut compiler = Compiler {
            isa,
            program,
            tile_rows: match shape {
                Shape::Rows { tile, .. } => tile,
                Shape::Wide { .. } => 1,
            },
            wide: matches!(shape, Shape::Wide { .. }),
            ops: vec![],
            tail: vec![],
            walks: vec![],
            types: vec![],
            homes: vec![],
            constants: vec![],
            reg_of: vec![],
            full_of: vec![None; program.code.len()],
            after_reduction: vec![false; program.code.len()],
            folds: 0,
            shared: 0,
        };
        let sums = compiler.compile(overlaps, rows, &shape)?;
        let local = compiler.place_slots();
        Some(Rows {
            shape,
            rows,
            cols,
            ops: compiler.ops,
            tail: compiler.tail,
            walks: compiler.walks,
            homes: compiler.homes,
            constants: compiler.constants,
            sums,
            folds: compiler.folds,
            local,
            shared: compiler.shared,
        })
    }

    /// Bytes of scratch memory that each worker needs; a multiple of 64.
    pub fn local_bytes(&self) -> usize {
        (self.homes.len() * size_of::<usize>()).next_multiple_of(64) + self.local + 64
    }

    /// Bytes of scratch memory that all workers share.
    pub fn shared_bytes(&self) -> usize {
        self.shared
    }

    /// Runs the program.
    ///
    /// # Safety
    /// `bases` holds the address of every buffer of the plan that the program names, valid for its length and
    /// disjoint but where the plan says otherwise; `shared` is valid for [`Rows::shared_bytes`], `local` for
    /// `local_stride ≥` [`Rows::local_bytes`] times the pool's threads; all are aligned to 64 bytes. The machine has the
    /// instruction set the program was compiled for.
    pub unsafe fn run(
        &self,
        pool: &Pool,
        bases: &[*mut u8],
        shared: *mut u8,
        local: *mut u8,
        local_stride: usize,
    ) {
        let memory = Memory { bases, shared, local, local_stride };
        let deal = |tasks: usize, work: usize, f: &(dyn Fn(usize, usize) + Sync)| {
            if work <= ALONE { (0..tasks).for_each(|t| f(t, 0)) } else { pool.run(tasks, f) }
        };
        let work = self.rows * self.cols * (self.ops.len() + 2);
        match self.shape {
            Shape::Rows { tile, block } => {
                deal(self.rows.div_ceil(block), work, &|task, worker| {
                    // SAFETY: the caller's promise; blocks are disjoint.
                    unsafe { self.rows_task(memory, worker, task, tile, block) }
                });
                // SAFETY: the caller's promise; every block has been summed.
                unsafe { self.finish_sums(memory, self.rows.div_ceil(block)) };
            }
            Shape::Wide { block, group } => {
                let groups = self.cols.div_ceil(group * CHUNK);
                deal(self.rows.div_ceil(block) * groups, work, &|task, worker| {
                    // SAFETY: the caller's promise; blocks and groups are disjoint.
                    unsafe { self.wide_task(memory, worker, task, block, group, groups) }
                });
                // SAFETY: the caller's promise; every block has been summed.
                unsafe { self.finish_sums(memory, self.rows.div_ceil(block)) };
                if !self.tail.is_empty() {
                    deal(
                        self.rows,
                        self.rows * (self.tail.len() + self.folds * groups),
                        &|row, worker| {
                            // SAFETY: the caller's promise; every chunk has been folded.
                            unsafe {
                                let regs = self.registers(memory, worker);
                                let tile = Tile { row, rows: 1, col: 0, cols: 1 };
                                self.tile(&self.tail, memory, regs, tile, row);
                            }
                        },
                    );
                }
            }
        }
    }

    unsafe fn rows_task(
        &self,
        memory: Memory,
        worker: usize,
        task: usize,
        tile: usize,
        block: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let regs = self.registers(memory, worker);
            for sum in &self.sums {
                let bytes = self.cols * sum.size;
                memory.shared.add(sum.offset + task * bytes).write_bytes(0, bytes);
            }
            let end = (task * block + block).min(self.rows);
            let mut row = task * block;
            while row < end {
                let rows = tile.min(end - row);
                let tile = Tile { row, rows, col: 0, cols: self.cols };
                self.tile(&self.ops, memory, regs, tile, task);
                row += rows;
            }
        }
    }

    unsafe fn wide_task(
        &self,
        memory: Memory,
        worker: usize,
        task: usize,
        block: usize,
        group: usize,
        groups: usize,
    ) {
        let (block_at, group_at) = (task / groups, task % groups);
        let columns = group_at * group * CHUNK..((group_at + 1) * group * CHUNK).min(self.cols);
        // SAFETY: the caller's promise.
        unsafe {
            let regs = self.registers(memory, worker);
            for sum in &self.sums {
                let start = (block_at * self.cols + columns.start) * sum.size;
                memory.shared.add(sum.offset + start).write_bytes(0, columns.len() * sum.size);
            }
            for row in block_at * block..(block_at * block + block).min(self.rows) {
                for col in columns.clone().step_by(CHUNK) {
                    let cols = CHUNK.min(columns.end - col);
                    self.tile(&self.ops, memory, regs, Tile { row, rows: 1, col, cols }, block_at);
                }
            }
        }
    }

    /// Adds the blocks' sums up, in order.
    unsafe fn finish_sums(&self, memory: Memory, blocks: usize) {
        for sum in &self.sums {
            // SAFETY: the caller's promise: the result has `cols` elements, and so has each block.
            unsafe {
                let to = memory.bases[sum.buffer];
                to.write_bytes(0, self.cols * sum.size);
                for block in 0..blocks {
                    let part = memory.shared.add(sum.offset + block * self.cols * sum.size);
                    (sum.add)(to, part, self.cols);
                }
            }
        }
    }

    /// The worker's table of register addresses, with those that never move filled in.
    unsafe fn registers<'a>(&self, memory: Memory<'a>, worker: usize) -> &'a mut [*mut u8] {
        // SAFETY: the local scratch begins with room for the table.
        unsafe {
            let local = memory.local.add(worker * memory.local_stride);
            let table = (self.homes.len() * size_of::<usize>()).next_multiple_of(64);
            let regs = local.cast::<*mut u8>();
            for (i, home) in self.homes.iter().enumerate() {
                let address = match *home {
                    RegHome::Slot(offset) => local.add(table + offset),
                    RegHome::Constant(i) => self.constants.as_ptr().add(i).cast_mut().cast(),
                    RegHome::Moving => std::ptr::null_mut(),
                };
                regs.add(i).write(address);
            }
            std::slice::from_raw_parts_mut(regs, self.homes.len())
        }
    }

    #[inline]
    unsafe fn tile(
        &self,
        ops: &[TileOp],
        memory: Memory,
        regs: &mut [*mut u8],
        tile: Tile,
        block: usize,
    ) {
        for op in ops {
            // SAFETY: the compiler gave every register room for a tile, and every walk stays inside its buffer.
            unsafe {
                match *op {
                    TileOp::Point { reg, walk } => {
                        let walk = &self.walks[walk];
                        regs[reg] = walk.address(memory.bases, tile.row, tile.col);
                    }
                    TileOp::Gather { reg, walk, level } => {
                        let cols = if level == Level::Full { tile.cols } else { 1 };
                        self.walks[walk].gather(
                            memory.bases,
                            regs[reg],
                            tile.row..tile.row + tile.rows,
                            tile.col,
                            cols,
                        );
                    }
                    TileOp::Index { reg, walk, level, dtype } => {
                        let walk = &self.walks[walk];
                        let cols = if level == Level::Full { tile.cols } else { 1 };
                        for i in 0..if level == Level::Uniform { 1 } else { tile.rows } {
                            let start = walk.place(tile.row + i, tile.col);
                            let dst = regs[reg].add(i * cols * dtype.size());
                            kernels::index(dtype, dst, start, walk.col_stride, cols);
                        }
                    }
                    TileOp::Run { f, dst, args, level } => {
                        f(
                            regs[dst],
                            regs[args[0]],
                            regs[args[1]],
                            regs[args[2]],
                            tile.count(level),
                        );
                    }
                    TileOp::Choose { dst, cond, yes, no } => {
                        regs[dst] = if *regs[cond] != 0 { regs[yes] } else { regs[no] };
                    }
                    TileOp::Expand { f, dst, src, size } => {
                        for i in 0..tile.rows {
                            let src = regs[src].add(i * size);
                            f(regs[dst].add(i * tile.cols * size), src, src, src, tile.cols);
                        }
                    }
                    TileOp::Reduce { dst, src, fold, size } => {
                        // At most ROW_LIMIT / CHUNK partial results.
                        let mut partials = [0u64; ROW_LIMIT / CHUNK];
                        for i in 0..tile.rows {
                            let row = regs[src].add(i * tile.cols * size);
                            let to = regs[dst].add(i * size);
                            fold.row(to, row, tile.cols, size, partials.as_mut_ptr().cast());
                        }
                    }
                    TileOp::ReducePart { src, fold, size, offset } => {
                        let chunks = self.cols.div_ceil(CHUNK);
                        let at = tile.row * chunks + tile.col / CHUNK;
                        (fold.chunk)(memory.shared.add(offset + at * size), regs[src], tile.cols);
                    }
                    TileOp::Join { dst, fold, size, offset } => {
                        let chunks = self.cols.div_ceil(CHUNK);
                        let parts = memory.shared.add(offset + tile.row * chunks * size);
                        (fold.join)(regs[dst], parts, chunks);
                    }
                    TileOp::Store { src, walk, level } => {
                        let cols = if level == Level::Full { tile.cols } else { 1 };
                        self.walks[walk].scatter(
                            memory.bases,
                            regs[src],
                            tile.row..tile.row + tile.rows,
                            tile.col,
                            cols,
                        );
                    }
                    TileOp::Accumulate { src, sum } => {
                        let sum = &self.sums[sum];
                        let start = (block * self.cols + tile.col) * sum.size;
                        for i in 0..tile.rows {
                            let row = regs[src].add(i * tile.cols * sum.size);
                            (sum.add)(memory.shared.add(sum.offset + start), row, tile.cols);
                        }
                    }
                }
            }
        }
    }
}

/// A register of the compiled program: its type and level.
#[derive(Clone, Copy)]
struct RegType {
    dtype: DType,
    level: Level,
}

struct Compiler<'a> {
    isa: Isa,
    program: &'a RowProgram,
    tile_rows: usize,
    wide: bool,
    ops: Vec<TileOp>,
    tail: Vec<TileOp>,
    walks: Vec<Walk>,
    types: Vec<RegType>,
    homes: Vec<RegHome>,
    constants: Vec<u64>,
    /// The compiled register of each instruction.
    reg_of: Vec<Reg>,
    /// The same, expanded to one element per place.
    full_of: Vec<Option<Reg>>,
    /// Instructions of a wide program that wait for a row reduction.
    after_reduction: Vec<bool>,
    folds: usize,
    shared: usize,
}

impl Compiler<'_> {
    fn compile(
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
            let src = self.full(sum.reg);
            let blocks = match *shape {
                Shape::Rows { block, .. } | Shape::Wide { block, .. } => rows.div_ceil(block),
            };
            self.ops.push(TileOp::Accumulate { src, sum: sums.len() });
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
        self.types.push(RegType { dtype, level });
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
                let points = walk.is_tile(level, self.tile_rows, self.program.cols);
                self.walks.push(walk);
                let walk = self.walks.len() - 1;
                let home = if points { RegHome::Moving } else { RegHome::Slot(0) };
                let reg = self.register(dtype, level, home);
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
                let src = self.full(*from);
                let dst = self.register(dtype, Level::Row, RegHome::Slot(0));
                if self.wide {
                    let chunks = self.program.cols.div_ceil(CHUNK);
                    let offset = self.share(self.program.row_count() * chunks * size);
                    self.folds += 1;
                    self.ops.push(TileOp::ReducePart { src, fold, size, offset });
                    self.tail.push(TileOp::Join { dst, fold, size, offset });
                } else {
                    self.ops.push(TileOp::Reduce { dst, src, fold, size });
                }
                dst
            }
            Code::Map(map, args) => {
                let dst = self.map(*map, args, dtype, level, late)?;
                // Row-level maps that precede a reduction may be wanted by the tail too.
                if self.wide && !late && level != Level::Full {
                    if let Some(op) = self.ops.last().map(TileOp::again) {
                        self.tail.push(op);
                    }
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
        let mut operands = vec![];
        let mut scalars = vec![];
        for &arg in args {
            let (reg, scalar) = self.operand(arg, level);
            operands.push(reg);
            scalars.push(scalar);
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
        self.push(late, TileOp::Run { f, dst, args, level });
        Some(dst)
    }

    /// The register to read for an instruction of `level`, and whether it is one element for all of a tile.
    fn operand(&mut self, instr: Reg, level: Level) -> (Reg, bool) {
        let reg = self.reg_of[instr];
        let have = self.types[reg].level;
        match (have, level) {
            _ if have == level => (reg, false),
            (Level::Row, Level::Full) if self.tile_rows > 1 => (self.full(instr), false),
            _ => (reg, true),
        }
    }

    /// The register of an instruction with one element per place.
    fn full(&mut self, instr: Reg) -> Reg {
        let src = self.reg_of[instr];
        let RegType { dtype, level } = self.types[src];
        if level == Level::Full {
            return src;
        }
        if let Some(reg) = self.full_of[instr] {
            return reg;
        }
        let dst = self.register(dtype, Level::Full, RegHome::Slot(0));
        let f = kernels::spread(dtype.size());
        self.ops.push(match level {
            Level::Row if self.tile_rows > 1 => TileOp::Expand { f, dst, src, size: dtype.size() },
            _ => TileOp::Run { f, dst, args: [src; 3], level: Level::Full },
        });
        self.full_of[instr] = Some(dst);
        dst
    }

    fn stores(&mut self, overlaps: &dyn Fn(usize, usize) -> bool) {
        for store in &self.program.stores {
            let RegType { dtype, level: have } = self.types[self.reg_of[store.reg]];
            let level = match store.to.col_stride == 0 && self.program.cols > 1 {
                true => Level::Row,
                false => Level::Full,
            };
            let late = self.wide && level == Level::Row;
            let walk = Walk::new(&store.to, self.program, dtype.size());
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
            self.walks.push(walk);
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
        let runs = matches!(self.ops[maker], TileOp::Run { .. } | TileOp::Gather { .. });
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
            for op in &self.ops {
                match *op {
                    TileOp::Point { reg: r, walk } if r == reg => {
                        if overlaps(self.walks[walk].buffer, buffer) {
                            return true;
                        }
                    }
                    TileOp::Choose { dst, yes, no, .. } if dst == reg => pending.extend([yes, no]),
                    _ => {}
                }
            }
        }
        false
    }

    /// Gives every register that needs one a place in the worker's scratch memory; returns its size. A place is
    /// used again once its register has been read for the last time.
    fn place_slots(&mut self) -> usize {
        let count = self.homes.len();
        let mut last = vec![0; count];
        // A register that the tail reads, or that may stand for another one, lives to the end.
        let mut lives_on = vec![false; count];
        for (at, op) in self.ops.iter().enumerate() {
            op.reads().into_iter().for_each(|r| last[r] = at);
            if let TileOp::Choose { yes, no, .. } = *op {
                lives_on[yes] = true;
                lives_on[no] = true;
            }
        }
        for op in &self.tail {
            op.reads().into_iter().chain(op.defines()).for_each(|r| lives_on[r] = true);
        }
        let full = if self.wide { CHUNK } else { self.tile_rows * self.program.cols.max(1) };
        let mut free: Vec<(usize, usize)> = vec![];
        let mut end = 0;
        let mut placed = vec![false; count];
        let bytes: Vec<usize> = (self.types.iter())
            .map(|t| {
                let elements = match t.level {
                    Level::Uniform => 1,
                    Level::Row => self.tile_rows,
                    Level::Full => full,
                };
                // The extra line keeps tiles of a power of two from falling into the same cache sets.
                (elements * t.dtype.size()).next_multiple_of(64) + 64
            })
            .collect();
        let mut take = |free: &mut Vec<(usize, usize)>, bytes: usize| {
            if let Some(i) = free.iter().position(|&(_, len)| len == bytes) {
                return free.swap_remove(i).0;
            }
            end += bytes;
            end - bytes
        };
        for (at, op) in self.ops.iter().enumerate() {
            if let Some(reg) = op.defines()
                && matches!(self.homes[reg], RegHome::Slot(_))
                && !placed[reg]
            {
                self.homes[reg] = RegHome::Slot(take(&mut free, bytes[reg]));
                placed[reg] = true;
            }
            for reg in op.reads() {
                if placed[reg] && last[reg] == at && !lives_on[reg] {
                    let RegHome::Slot(offset) = self.homes[reg] else { continue };
                    free.push((offset, bytes[reg]));
                    placed[reg] = false;
                }
            }
        }
        for op in &self.tail {
            if let Some(reg) = op.defines()
                && matches!(self.homes[reg], RegHome::Slot(_))
                && !placed[reg]
            {
                self.homes[reg] = RegHome::Slot(take(&mut vec![], bytes[reg]));
                placed[reg] = true;
            }
        }
        end
    }
}

impl TileOp {
    /// The register that the op gives a value.
    fn defines(&self) -> Option<Reg> {
        match *self {
            TileOp::Point { reg, .. } | TileOp::Gather { reg, .. } | TileOp::Index { reg, .. } => {
                Some(reg)
            }
            TileOp::Run { dst, .. }
            | TileOp::Choose { dst, .. }
            | TileOp::Expand { dst, .. }
            | TileOp::Reduce { dst, .. }
            | TileOp::Join { dst, .. } => Some(dst),
            TileOp::ReducePart { .. } | TileOp::Store { .. } | TileOp::Accumulate { .. } => None,
        }
    }

    fn reads(&self) -> Vec<Reg> {
        match *self {
            TileOp::Point { .. }
            | TileOp::Gather { .. }
            | TileOp::Index { .. }
            | TileOp::Join { .. } => vec![],
            TileOp::Run { args, .. } => args.to_vec(),
            TileOp::Choose { cond, yes, no, .. } => vec![cond, yes, no],
            TileOp::Expand { src, .. }
            | TileOp::Reduce { src, .. }
            | TileOp::ReducePart { src, .. }
            | TileOp::Store { src, .. }
            | TileOp::Accumulate { src, .. } => vec![src],
        }
    }

    /// The same op, to run in the tail as well.
    fn again(&self) -> TileOp {
        match *self {
            TileOp::Run { f, dst, args, level } => TileOp::Run { f, dst, args, level },
            TileOp::Choose { dst, cond, yes, no } => TileOp::Choose { dst, cond, yes, no },
            TileOp::Point { reg, walk } => TileOp::Point { reg, walk },
            TileOp::Gather { reg, walk, level } => TileOp::Gather { reg, walk, level },
            TileOp::Index { reg, walk, level, dtype } => TileOp::Index { reg, walk, level, dtype },
            TileOp::Expand { f, dst, src, size } => TileOp::Expand { f, dst, src, size },
            TileOp::Reduce { dst, src, fold, size } => TileOp::Reduce { dst, src, fold, size },
            TileOp::ReducePart { src, fold, size, offset } => {
                TileOp::ReducePart { src, fold, size, offset }
            }
            TileOp::Join { dst, fold, size, offset } => TileOp::Join { dst, fold, size, offset },
            TileOp::Store { src, walk, level } => TileOp::Store { src, walk, level },
            TileOp::Accumulate { src, sum } => TileOp::Accumulate { src, sum },
        }
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
