//! The gradient by the weight as matrix products: the unfolded input `[channels·taps, columns]` times the transposed
//! cotangent `[columns, outputs]`, summed over all tiles.
//!
//! Tiles are summed in order within a block of them, and the blocks in order: their number follows from the shape, so
//! the sum has the same bits on any number of threads.

use std::marker::PhantomData;

use thalweg_graph::OpError;

use super::direct::{OUTPUTS, Products};
use super::geometry::{Pass, Tiling, volume};
use super::region::{COLUMNS, Load, Region, Run, Unfold};
use super::{Memory, PARTIAL, Shape, TASKS};
use crate::call::Kernel;
use crate::gemm::{
    self, Element, PackB, Panel, Registers, Target, Vector, launch, panel_width, part, registers,
};
use crate::isa::Isa;
use crate::pool::Pool;

/// Columns of a tile: the panels of the cotangent stay in the second-level cache.
const TILE: usize = 256;

/// The plan of a weight gradient.
pub struct WeightGradient<T> {
    isa: Isa,
    pass: Pass,
    region: Region,
    tiling: Tiling,
    groups: usize,
    channels: usize,
    outputs: usize,
    /// Into how many parts channels and tiles are cut.
    channel_parts: usize,
    blocks: usize,
    /// Rows of the unfolded input that are multiplied at a time.
    group_rows: usize,
    /// Outputs of a panel, and outputs with what fills the last panel.
    width: usize,
    padded: usize,
    /// Elements of a worker's memory for a region, for rows of the unfolded input, and for the cotangent.
    parts: [usize; 3],
    element: PhantomData<fn(T) -> T>,
}

impl<T: Element> WeightGradient<T> {
    pub fn new(isa: Isa, shape: &Shape) -> Self {
        let Registers { lanes, rows: most_rows, .. } = registers::<T>(isa);
        let pass = Pass::forward(&shape.spec, &shape.x[2..], &shape.w[2..], &shape.y[2..]);
        let (groups, channels, outputs) = (shape.spec.groups, shape.channels(), shape.outputs());
        let tiling = Tiling::new(shape.x[0], pass.places, TILE);
        let region = Region::new(&pass, tiling.block);
        let taps = pass.taps.len();
        let rows = channels * taps;
        let group_rows = rows.div_ceil(rows.div_ceil(most_rows).max(1)).max(1);
        let width = panel_width(lanes, group_rows);
        let padded = outputs.next_multiple_of(width);
        let blocks =
            TASKS.min(PARTIAL / (groups * rows * padded).max(1)).clamp(1, tiling.len().max(1));
        let channel_parts = TASKS.div_ceil(blocks * groups).min(rows.div_ceil(128)).min(channels);
        let channel_parts = channel_parts.max(1);
        let columns = tiling.columns();
        let parts = [
            tiling.together * channels.div_ceil(channel_parts) * region.channel,
            group_rows * (columns + COLUMNS),
            columns * padded,
        ];
        WeightGradient {
            isa,
            pass,
            region,
            tiling,
            groups,
            channels,
            outputs,
            channel_parts,
            blocks,
            group_rows,
            width,
            padded,
            parts: parts.map(|len| (len + COLUMNS).next_multiple_of(16)),
            element: PhantomData,
        }
    }

    /// Rows of the unfolded input, which are columns of a group's weight.
    fn rows(&self) -> usize {
        self.channels * self.pass.taps.len()
    }
}

impl<T: Element> Kernel for WeightGradient<T> {
    unsafe fn run(&self, pool: &Pool, memory: Memory) -> Result<(), OpError> {
        let tasks = self.blocks * self.groups * self.channel_parts;
        pool.run(tasks, &|task, worker| {
            let (x, g, sums) = (memory.input(0), memory.input(1), memory.shared());
            let local = memory.local(worker);
            // SAFETY: the caller's promise; this task alone has this part of the sums.
            unsafe { launch::<T>(self.isa, Block { plan: self, x, g, sums, local, task }) }
        });
        let rows = self.rows();
        let step = registers::<T>(self.isa).lanes;
        let chunks = rows.div_ceil(step);
        super::deal(pool, self.groups * chunks, step * self.outputs * self.blocks, |chunks_of| {
            for i in chunks_of {
                let (group, first) = (i / chunks, i % chunks * step);
                let rows = first..(first + step).min(rows);
                let (sums, to) = (memory.shared::<T>().cast_const(), memory.to());
                // SAFETY: the sums are there, and this task alone writes these columns.
                unsafe { launch::<T>(self.isa, Combine { plan: self, sums, to, group, rows }) }
            }
        });
        Ok(())
    }

    fn shared_bytes(&self, _: usize) -> usize {
        (self.blocks * self.groups * self.rows() * self.padded + 16) * size_of::<T>()
    }

    fn local_bytes(&self) -> usize {
        self.parts.iter().sum::<usize>() * size_of::<T>()
    }
}

/// The sums over a block of tiles for a part of a group's channels.
struct Block<'a, T> {
    plan: &'a WeightGradient<T>,
    x: *const T,
    g: *const T,
    sums: *mut T,
    local: *mut T,
    task: usize,
}

impl<T: Element, V: Vector<Element = T>> gemm::Kernel<V> for Block<'_, T> {
    #[inline(always)]
    unsafe fn run(self) {
        let plan = self.plan;
        let WeightGradient { pass, region, tiling, groups, .. } = plan;
        let channels = part(self.task % plan.channel_parts, plan.channel_parts, plan.channels);
        let group = self.task / plan.channel_parts % groups;
        let block = self.task / (plan.channel_parts * groups);
        let taps = pass.taps.len();
        let rows = channels.len() * taps;
        let input = volume(pass.input);
        let tiles = part(block, plan.blocks, tiling.len());
        // SAFETY: channels and tiles lie within the tensors, copies within the worker's memory, and the sums within
        // the shared memory.
        unsafe {
            let sums = (self.sums).add(
                ((block * groups + group) * plan.rows() + channels.start * taps) * plan.padded,
            );
            let [regions, unfolded] = [self.local, self.local.add(plan.parts[0])];
            let panels = unfolded.add(plan.parts[1]);
            if tiles.is_empty() {
                std::slice::from_raw_parts_mut(sums, rows * plan.padded).fill(T::default());
            }
            for i in tiles.clone() {
                let tile = tiling.tile(i, pass.places);
                let columns = tile.columns();
                let first = tile.samples.start * groups + group;
                V::launch(Load {
                    region,
                    pass,
                    tile: &tile,
                    channels: channels.len(),
                    from: self.x.add((first * plan.channels + channels.start) * input),
                    sample: groups * plan.channels * input,
                    to: regions,
                });
                if plan.channels == 1 && plan.outputs <= OUTPUTS {
                    let places = volume(pass.places);
                    V::launch(Products {
                        region,
                        pass,
                        tile: &tile,
                        from: regions,
                        g: self.g.add(first * plan.outputs * places),
                        outputs: plan.outputs,
                        sample: groups * plan.outputs * places,
                        sums,
                        stride: plan.padded,
                        first: i == tiles.start,
                    });
                    continue;
                }
                self.pack::<V>(i, group, panels);
                for first in (0..rows).step_by(plan.group_rows) {
                    let last = rows.min(first + plan.group_rows);
                    // Whole vectors reach beyond a row, some of whose columns may be unfolded later than the next row's.
                    let stride = columns + V::LANES;
                    for column in (0..columns).step_by(COLUMNS) {
                        let end = columns.min(column + COLUMNS);
                        let mut runs = [Run::default(); COLUMNS];
                        let sample = channels.len() * region.channel;
                        let runs = region.runs(&tile, column..end, sample, &mut runs);
                        let to = unfolded.add(column);
                        let rows = first..last;
                        V::launch(Unfold { region, from: regions, runs, rows, to, stride });
                    }
                    for panel in (0..plan.padded).step_by(plan.width) {
                        V::launch(Panel {
                            m: last - first,
                            k: columns,
                            a: unfolded,
                            a_strides: [stride as isize, 1],
                            b: panels.add(panel * columns),
                            b_stride: plan.width as isize,
                            target: Target {
                                c: sums.add(first * plan.padded + panel),
                                strides: [plan.padded as isize, 1],
                                accumulate: i > tiles.start,
                            },
                            columns: plan.width,
                        });
                    }
                }
            }
        }
    }
}

impl<T: Element> Block<'_, T> {
    /// Transposes the cotangent of a tile's columns to panels `[columns, width]`.
    ///
    /// # Safety
    /// As for the block.
    #[inline(always)]
    unsafe fn pack<V: Vector<Element = T>>(&self, tile: usize, group: usize, to: *mut T) {
        let plan = self.plan;
        let tile = plan.tiling.tile(tile, plan.pass.places);
        let (columns, places) = (tile.columns(), volume(plan.pass.places));
        let whole = plan.tiling.follows() || plan.tiling.block == plan.pass.places;
        let piece = if whole { volume(tile.extents) } else { tile.extents[2] };
        for panel in (0..plan.padded).step_by(plan.width) {
            let outputs = plan.width.min(plan.outputs - panel);
            for column in (0..columns).step_by(piece.max(1)) {
                for row in tile.rows(column..column + 1) {
                    let at = [0, 1, 2].map(|a| tile.first[a] + row.place[a]);
                    let place = (at[0] * plan.pass.places[1] + at[1]) * plan.pass.places[2] + at[2];
                    let sample = tile.samples.start + row.sample;
                    // SAFETY: the piece lies within the cotangent, and within the panel.
                    unsafe {
                        let channel = (sample * plan.groups + group) * plan.outputs + panel;
                        V::launch(PackB {
                            k: piece,
                            columns: outputs,
                            b: self.g.add(channel * places + place),
                            strides: [1, places as isize],
                            padded: plan.width,
                            width: plan.width,
                            to: to.add(panel * columns + column * plan.width),
                        });
                    }
                }
            }
        }
    }
}

/// Adds up the blocks' sums for a few columns of a group's weight, and transposes them into it.
struct Combine<'a, T> {
    plan: &'a WeightGradient<T>,
    sums: *const T,
    to: *mut T,
    group: usize,
    rows: std::ops::Range<usize>,
}

impl<T: Element, V: Vector<Element = T>> gemm::Kernel<V> for Combine<'_, T> {
    #[inline(always)]
    unsafe fn run(self) {
        let plan = self.plan;
        let (all, count) = (plan.rows(), self.rows.len());
        for output in (0..plan.outputs).step_by(V::LANES) {
            let outputs = V::LANES.min(plan.outputs - output);
            // One vector for each of at most LANES rows.
            let mut square = [std::mem::MaybeUninit::<V>::uninit(); 16];
            let square = square.as_mut_ptr().cast::<T>();
            // SAFETY: padded rows are whole vectors, and a square has at most 16 of them; columns and outputs lie
            // within the weight.
            unsafe {
                for (i, row) in self.rows.clone().enumerate() {
                    let at = |block: usize| {
                        let row = (block * plan.groups + self.group) * all + row;
                        V::load(self.sums.add(row * plan.padded + output))
                    };
                    (1..plan.blocks)
                        .fold(at(0), |sum, block| sum.add(at(block)))
                        .store(square.add(i * V::LANES));
                }
                let to = self.to.add((self.group * plan.outputs + output) * all + self.rows.start);
                if count == V::LANES && outputs == V::LANES {
                    V::transpose(square, V::LANES as isize, to, all);
                } else {
                    for j in 0..outputs {
                        for i in 0..count {
                            *to.add(j * all + i) = *square.add(i * V::LANES + j);
                        }
                    }
                }
            }
        }
    }
}
