//! The gradient by the weight.
//!
//! As for the plain one, tiles are summed in order within a block of them, and blocks in order.

use std::ops::Range;

use thalweg_graph::OpError;

use super::field::{Field, Square};
use super::squares::{Cotangents, Squares, Windows};
use super::{CHANNELS, POINTS, transform};
use crate::call;
use crate::call::conv::geometry::{Pass, volume};
use crate::call::conv::{Memory, PARTIAL, TASKS, deal};
use crate::gemm::{Kernel, Panel, Target, Vector, launch, panel_width, part, registers};
use crate::isa::Isa;
use crate::pool::Pool;

/// The gradient by a weight `[outputs, channels, 3, 3]`.
pub struct WinogradWeightGradient {
    isa: Isa,
    squares: Squares,
    channels: usize,
    outputs: usize,
    /// Into how many parts channels and tiles are cut.
    channel_parts: usize,
    blocks: usize,
    /// Outputs of a panel; a part's channels and the outputs with what fills the last vector.
    width: usize,
    padded: [usize; 2],
    /// Elements of a worker's memory: fields of input and cotangent, and their transforms.
    parts: [usize; 4],
}

impl WinogradWeightGradient {
    pub fn new(isa: Isa, samples: usize, pass: Pass, channels: usize, outputs: usize) -> Self {
        let lanes = registers::<f32>(isa).lanes;
        let squares = Squares::new(samples, pass);
        let tiles = squares.tiling.len().max(1);
        let partial = POINTS * channels * outputs.next_multiple_of(lanes);
        let blocks = TASKS.min(PARTIAL / partial).clamp(1, tiles);
        let channel_parts = TASKS.div_ceil(blocks).min(channels / CHANNELS).max(1);
        let most = channels.div_ceil(channel_parts);
        let padded = [most, outputs].map(|n| n.next_multiple_of(lanes));
        let (count, [y, x]) = (squares.tiling.columns(), squares.field());
        let parts = [
            squares.tiling.together * y * x * padded[0],
            4 * count * padded[1],
            POINTS * count * padded[0],
            POINTS * count * padded[1],
        ];
        let width = panel_width(lanes, most);
        WinogradWeightGradient {
            isa,
            squares,
            channels,
            outputs,
            channel_parts,
            blocks,
            width,
            padded,
            parts,
        }
    }

    /// Where the sums of a block for a point and a channel begin.
    fn sums(&self, block: usize, point: usize, channel: usize) -> usize {
        ((block * POINTS + point) * self.channels + channel) * self.padded[1]
    }
}

impl call::Kernel for WinogradWeightGradient {
    unsafe fn run(&self, pool: &Pool, memory: Memory) -> Result<(), OpError> {
        pool.run(self.blocks * self.channel_parts, &|task, worker| {
            let channels = part(task % self.channel_parts, self.channel_parts, self.channels);
            let block = task / self.channel_parts;
            let (x, g, sums) = (memory.input(0), memory.input(1), memory.shared());
            let local = memory.local(worker);
            let block = Block { plan: self, x, g, sums, local, block, channels };
            // SAFETY: the caller's promise; this task alone has this part of the sums.
            unsafe { launch::<f32>(self.isa, block) }
        });
        let lanes = registers::<f32>(self.isa).lanes;
        let vectors = self.padded[1] / lanes;
        deal(pool, self.channels * vectors, POINTS * lanes * self.blocks, |items| {
            for item in items {
                let (sums, to) = (memory.shared::<f32>().cast_const(), memory.to());
                let (channel, output) = (item / vectors, item % vectors * lanes);
                // SAFETY: the sums are there, and this task alone writes these kernels.
                unsafe {
                    launch::<f32>(self.isa, Combine { plan: self, sums, to, channel, output })
                }
            }
        });
        Ok(())
    }

    fn shared_bytes(&self, _: usize) -> usize {
        self.sums(self.blocks, 0, 0) * size_of::<f32>()
    }

    fn local_bytes(&self) -> usize {
        self.parts.iter().sum::<usize>() * size_of::<f32>()
    }
}

/// The sums over a block of tiles for a part of the channels.
struct Block<'a> {
    plan: &'a WinogradWeightGradient,
    x: *const f32,
    g: *const f32,
    sums: *mut f32,
    local: *mut f32,
    block: usize,
    channels: Range<usize>,
}

impl<V: Vector<Element = f32>> Kernel<V> for Block<'_> {
    #[inline(always)]
    unsafe fn run(self) {
        let Block { plan, block, channels, .. } = self;
        let WinogradWeightGradient { squares, padded, .. } = plan;
        let pass = &squares.pass;
        let (input, result) = (volume(pass.input), volume(pass.places));
        let tiles = part(block, plan.blocks, squares.tiling.len());
        // SAFETY: channels and squares lie within the tensors, copies within the worker's memory, and the sums within
        // the shared memory.
        unsafe {
            let fields = [self.local, self.local.add(plan.parts[0])];
            let windows = fields[1].add(plan.parts[1]);
            let cotangents = windows.add(plan.parts[2]);
            if tiles.is_empty() {
                for point in 0..POINTS {
                    let sums = self.sums.add(plan.sums(block, point, channels.start));
                    let len = channels.len() * padded[1];
                    std::slice::from_raw_parts_mut(sums, len).fill(0.0);
                }
            }
            for i in tiles.clone() {
                let tile = squares.tile(i);
                let (count, samples) = (tile.columns(), tile.samples.len());
                let first = tile.samples.start * plan.channels + channels.start;
                V::launch(Field {
                    from: self.x.add(first * input),
                    samples,
                    sample: plan.channels * input,
                    channels: channels.len(),
                    plane: [pass.input[1], pass.input[2]],
                    start: squares.corner(&tile),
                    extents: squares.field(),
                    padded: padded[0],
                    to: fields[0],
                });
                V::launch(Windows {
                    squares,
                    tile: &tile,
                    field: fields[0],
                    padded: padded[0],
                    to: windows,
                });
                let extents = [1, 2].map(|a| 2 * tile.extents[a]);
                V::launch(Field {
                    from: self.g.add(tile.samples.start * plan.outputs * result),
                    samples,
                    sample: plan.outputs * result,
                    channels: plan.outputs,
                    plane: [pass.places[1], pass.places[2]],
                    start: [1, 2].map(|a| 2 * tile.first[a] as isize),
                    extents,
                    padded: padded[1],
                    to: fields[1],
                });
                let (field, tile) = (fields[1], &tile);
                V::launch(Cotangents { tile, field, extents, padded: padded[1], to: cotangents });
                for point in 0..POINTS {
                    for panel in (0..padded[1]).step_by(plan.width) {
                        V::launch(Panel {
                            m: channels.len(),
                            k: count,
                            a: windows.add(point * count * padded[0]),
                            a_strides: [1, padded[0] as isize],
                            b: cotangents.add(point * count * padded[1] + panel),
                            b_stride: padded[1] as isize,
                            target: Target {
                                c: self.sums.add(plan.sums(block, point, channels.start) + panel),
                                strides: [padded[1] as isize, 1],
                                accumulate: i > tiles.start,
                            },
                            columns: plan.width.min(padded[1] - panel),
                        });
                    }
                }
            }
        }
    }
}

/// Adds up the blocks' sums for one channel and a vector of outputs, and transforms them to kernels.
struct Combine<'a> {
    plan: &'a WinogradWeightGradient,
    sums: *const f32,
    to: *mut f32,
    channel: usize,
    output: usize,
}

impl<V: Vector<Element = f32>> Kernel<V> for Combine<'_> {
    #[inline(always)]
    unsafe fn run(self) {
        let Combine { plan, channel, output, .. } = self;
        let mut square = Square::<V>::new();
        let square = square.as_mut_ptr();
        // SAFETY: the sums are whole vectors; the kernels lie within the weight.
        unsafe {
            let at = |block: usize, point: usize| {
                V::load(self.sums.add(plan.sums(block, point, channel) + output))
            };
            let sum = |point: usize| {
                (1..plan.blocks).fold(at(0, point), |sum, block| sum.add(at(block, point)))
            };
            let mut sums = [[V::splat(0.0); 4]; 4];
            for point in 0..POINTS {
                sums[point / 4][point % 4] = sum(point);
            }
            let kernel = transform::kernel_gradient(sums);
            for tap in 0..9 {
                kernel[tap / 3][tap % 3].store(square.add(tap * V::LANES));
            }
            for i in 0..V::LANES.min(plan.outputs - output) {
                let to = self.to.add(((output + i) * plan.channels + channel) * 9);
                for tap in 0..9 {
                    *to.add(tap) = *square.add(tap * V::LANES + i);
                }
            }
        }
    }
}
