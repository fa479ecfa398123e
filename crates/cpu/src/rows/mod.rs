//! The interpreter of row programs: tile by tile through the cache.
//!
//! A program is compiled once: registers get places in a small scratch memory that stays in the first-level cache (or point
//! straight into memory, where elements lie contiguously), instructions become kernel pointers. A run walks tiles:
//! whole rows where these are short enough ([`Shape::Rows`]), chunks of rows where they are long ([`Shape::Wide`]). Tiles
//! are dealt to threads in blocks whose size depends on the program alone.

mod compile;
mod guard;
mod op;
mod slots;

use thalweg_plan::fuse::ROW_LIMIT;
use thalweg_plan::row::{Level, RowProgram, column_block};

use crate::isa::Isa;
use crate::kernels::{self, CHUNK};
use crate::pool::Pool;
use crate::walk::Walk;
use compile::Compiler;
use guard::unguard;
use op::TileOp;

/// Elements of a tile made of several short rows.
const TILE: usize = 1024;
/// Rows of at least this many elements are worth a call each: see [`TileOp::RunRows`].
const LONG: usize = 64;
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
    /// Where the truth value lies without which the program changes nothing.
    guard: Option<Walk>,
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
        let unguarded = unguard(program);
        let guard = unguarded.as_ref().map(|(_, cond)| Walk::new(cond, program, 1));
        let program = unguarded.as_ref().map_or(program, |(program, _)| program);
        let (rows, cols) = (program.row_count(), program.cols);
        let blocked = !program.column_sums.is_empty();
        let shape = if cols > ROW_LIMIT {
            let block = if blocked { column_block(rows) } else { 1 };
            Shape::Wide { block, group: TASK / CHUNK }
        } else {
            let tile = (TILE / cols.max(1)).max(1);
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
            by_rows: matches!(shape, Shape::Rows { tile, .. } if tile > 1) && cols >= LONG,
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
            guard,
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
        if let Some(guard) = &self.guard {
            // SAFETY: the caller's promise: the guard is one byte of a buffer.
            if unsafe { *guard.address(bases, 0, 0) } == 0 {
                return;
            }
        }
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
                    TileOp::RunRows { f, dst, args, steps, dst_step } => {
                        let [a, b, c] = args.map(|r| regs[r]);
                        for i in 0..tile.rows as isize {
                            f(
                                regs[dst].offset(i * dst_step),
                                a.offset(i * steps[0]),
                                b.offset(i * steps[1]),
                                c.offset(i * steps[2]),
                                tile.cols,
                            );
                        }
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
                    TileOp::Reduce { dst, src, fold, size, step } => {
                        // At most ROW_LIMIT / CHUNK partial results.
                        let mut partials = [0u64; ROW_LIMIT / CHUNK];
                        for i in 0..tile.rows {
                            let row = regs[src].offset(i as isize * step);
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
                    TileOp::Accumulate { src, sum, step } => {
                        let sum = &self.sums[sum];
                        let start = (block * self.cols + tile.col) * sum.size;
                        for i in 0..tile.rows {
                            let row = regs[src].offset(i as isize * step);
                            (sum.add)(memory.shared.add(sum.offset + start), row, tile.cols);
                        }
                    }
                }
            }
        }
    }
}
