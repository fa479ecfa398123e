//! The convolution and its input gradient as matrix products: weights `[rows, channels·taps]` times the unfolded input
//! `[channels·taps, columns]`, which is made panel by panel as the product wants it.

use std::marker::PhantomData;

use thalweg_graph::OpError;

use super::direct::{OUTPUTS, Sums};
use super::geometry::{Pass, Tile, Tiling, Triple, volume};
use super::region::{COLUMNS, Load, Region, Run, Unfold};
use super::{Memory, Shape, TASKS};
use crate::call::Kernel;
use crate::gemm::{self, Element, Panel, Target, Vector, launch, panel_width, part, registers};
use crate::isa::Isa;
use crate::pool::Pool;

/// Rows of a panel of the unfolded input: it stays in the first-level cache.
const DEPTH: usize = 320;
/// Columns of a tile.
const TILE: [usize; 2] = [128, 1024];

/// The plan of a convolution or of an input gradient.
pub struct Correlate<T> {
    isa: Isa,
    passes: Vec<Planned>,
    groups: usize,
    /// Channels of the result in a group, and into how many tasks they are cut.
    rows: usize,
    row_parts: usize,
    /// Channels of the input in a group.
    channels: usize,
    /// Elements of the kernel.
    kernel: usize,
    tiling: Tiling,
    /// Columns of a panel.
    width: usize,
    /// Elements of a worker's memory for a region, for a panel, and for a tile of the result.
    parts: [usize; 3],
    /// Elements of the weights in the order of use; 0 where they are used as they are.
    packed: usize,
    element: PhantomData<fn(T) -> T>,
}

struct Planned {
    pass: Pass,
    region: Region,
    k_blocks: usize,
    /// Where the pass's weights begin.
    weights: usize,
    /// True where tiles of the result are written in place.
    in_place: bool,
}

impl<T: Element> Correlate<T> {
    /// The convolution of an input by a weight of these shapes.
    pub fn forward(isa: Isa, shape: &Shape) -> Self {
        let pass = Pass::forward(&shape.spec, &shape.x[2..], &shape.w[2..], &shape.y[2..]);
        Self::new(isa, shape, vec![pass], shape.outputs(), shape.channels(), false)
    }

    /// The gradient by its input.
    pub fn input_gradient(isa: Isa, shape: &Shape) -> Self {
        let passes = Pass::input_gradient(&shape.spec, &shape.x[2..], &shape.w[2..], &shape.y[2..]);
        Self::new(isa, shape, passes, shape.channels(), shape.outputs(), true)
    }

    fn new(
        isa: Isa,
        shape: &Shape,
        passes: Vec<Pass>,
        rows: usize,
        channels: usize,
        packs: bool,
    ) -> Self {
        let groups = shape.spec.groups;
        let most: Triple =
            [0, 1, 2].map(|a| passes.iter().map(|pass| pass.places[a]).max().unwrap_or(0));
        // Large tiles copy less; small ones are enough for all threads.
        let mut columns = TILE[1];
        let mut tiling = Tiling::new(shape.x[0], most, columns);
        while tiling.len() * groups < TASKS && columns > TILE[0] {
            columns /= 2;
            tiling = Tiling::new(shape.x[0], most, columns);
        }
        let row_parts =
            TASKS.div_ceil((tiling.len() * groups).max(1)).min(rows.div_ceil(64)).max(1);
        let width = panel_width(registers::<T>(isa).lanes, rows.div_ceil(row_parts));
        let mut weights = 0;
        let passes: Vec<Planned> = passes
            .into_iter()
            .map(|pass| {
                let taps = pass.taps.len();
                let planned = Planned {
                    region: Region::new(&pass, tiling.block),
                    k_blocks: (channels * taps).div_ceil(DEPTH).clamp(1, channels.max(1)),
                    weights,
                    in_place: pass.spread == [1; 3] && tiling.follows(),
                    pass,
                };
                weights += groups * rows * channels * taps;
                planned
            })
            .collect();
        let most = |f: &dyn Fn(&Planned) -> usize| passes.iter().map(f).max().unwrap_or(0);
        let parts = [
            most(&|p| tiling.together * channels.div_ceil(p.k_blocks) * p.region.channel),
            most(&|p| channels.div_ceil(p.k_blocks) * p.pass.taps.len() * width),
            most(&|p| match p.in_place {
                true => 0,
                false => rows.div_ceil(row_parts) * tiling.columns().next_multiple_of(width),
            }),
        ];
        Correlate {
            isa,
            groups,
            rows,
            row_parts,
            channels,
            kernel: shape.w[2..].iter().product(),
            width,
            parts: parts.map(|len| (len + COLUMNS).next_multiple_of(16)),
            packed: if packs { weights } else { 0 },
            passes,
            tiling,
            element: PhantomData,
        }
    }

    /// True where a group is too small for a matrix product.
    fn is_direct(&self) -> bool {
        self.channels == 1 && self.rows <= OUTPUTS
    }

    /// Writes the weights of input channel `channel` (counted over all groups) in the order of use: for each pass
    /// `[channels, outputs·taps]`, from `[outputs, channels, kernel]`.
    ///
    /// # Safety
    /// As for [`Kernel::run`]; no other task has this channel.
    unsafe fn pack(&self, channel: usize, w: *const T, to: *mut T) {
        let (group, row) = (channel / self.rows, channel % self.rows);
        for planned in &self.passes {
            let taps = &planned.pass.taps;
            let mut place = planned.weights + channel * self.channels * taps.len();
            for output in group * self.channels..(group + 1) * self.channels {
                for tap in taps {
                    // SAFETY: both places lie within the weights.
                    unsafe {
                        *to.add(place) =
                            *w.add((output * self.rows + row) * self.kernel + tap.weight);
                    }
                    place += 1;
                }
            }
        }
    }
}

impl<T: Element> Kernel for Correlate<T> {
    unsafe fn run(&self, pool: &Pool, memory: Memory) -> Result<(), OpError> {
        if self.packed > 0 {
            let count = self.groups * self.rows;
            super::deal(pool, count, self.packed / count, |channels| {
                for channel in channels {
                    // SAFETY: the scratch holds the packed weights, and this task alone writes this channel's.
                    unsafe { self.pack(channel, memory.input(1), memory.shared()) }
                }
            });
        }
        let tasks = self.tiling.len() * self.groups * self.row_parts;
        pool.run(tasks, &|task, worker| {
            let weights = match self.packed {
                0 => memory.input::<T>(1),
                _ => memory.shared::<T>().cast_const(),
            };
            let (x, y, local) = (memory.input(0), memory.to(), memory.local(worker));
            let tile = TileTask { plan: self, x, weights, y, local, task };
            // SAFETY: the caller's promise; no other task writes this part of the result.
            unsafe { launch::<T>(self.isa, tile) }
        });
        Ok(())
    }

    fn shared_bytes(&self, _: usize) -> usize {
        self.packed * size_of::<T>()
    }

    fn local_bytes(&self) -> usize {
        self.parts.iter().sum::<usize>() * size_of::<T>()
    }
}

/// One tile of the result.
struct TileTask<'a, T> {
    plan: &'a Correlate<T>,
    x: *const T,
    weights: *const T,
    y: *mut T,
    local: *mut T,
    task: usize,
}

impl<T: Element, V: Vector<Element = T>> gemm::Kernel<V> for TileTask<'_, T> {
    #[inline(always)]
    unsafe fn run(self) {
        for planned in &self.plan.passes {
            // SAFETY: the caller's promise.
            unsafe { self.pass::<V>(planned) };
        }
    }
}

impl<T: Element> TileTask<'_, T> {
    /// # Safety
    /// As for the task.
    #[inline(always)]
    unsafe fn pass<V: Vector<Element = T>>(&self, planned: &Planned) {
        let Planned { pass, region, k_blocks, .. } = planned;
        let plan = self.plan;
        let tile = plan.tiling.tile(self.task / (plan.row_parts * plan.groups), pass.places);
        let group = self.task / plan.row_parts % plan.groups;
        let rows = part(self.task % plan.row_parts, plan.row_parts, plan.rows);
        let (columns, taps) = (tile.columns(), pass.taps.len());
        let (input, result) = (volume(pass.input), volume(pass.result));
        let depth = plan.channels * taps;
        // SAFETY: channels, rows and columns lie within the tensors, copies within the worker's memory.
        unsafe {
            let [regions, panel] = [self.local, self.local.add(plan.parts[0])];
            let a = self.weights.add(planned.weights + (group * plan.rows + rows.start) * depth);
            let first_row = (tile.samples.start * plan.groups + group) * plan.rows + rows.start;
            let (c, stride) = match planned.in_place {
                true => {
                    let [z, y, x] = tile.first;
                    let place = (z * pass.places[1] + y) * pass.places[2] + x;
                    (self.y.add(first_row * result + place), result)
                }
                false => {
                    let stride = plan.tiling.columns().next_multiple_of(plan.width);
                    (panel.add(plan.parts[1]), stride)
                }
            };
            for block in 0..*k_blocks {
                let channels = part(block, *k_blocks, plan.channels);
                let first = tile.samples.start * plan.groups + group;
                V::launch(Load {
                    region,
                    pass,
                    tile: &tile,
                    channels: channels.len(),
                    from: self.x.add((first * plan.channels + channels.start) * input),
                    sample: plan.groups * plan.channels * input,
                    to: regions,
                });
                if plan.is_direct() {
                    let (from, rows, weights) = (regions, rows.len(), a);
                    V::launch(Sums { region, tile: &tile, from, rows, weights, c, stride });
                    break;
                }
                for column in (0..columns).step_by(plan.width) {
                    let width = plan.width.min(columns - column);
                    let mut runs = [Run::default(); COLUMNS];
                    let sample = channels.len() * region.channel;
                    let runs = region.runs(&tile, column..column + width, sample, &mut runs);
                    let k = channels.len() * taps;
                    if k > 0 {
                        V::launch(Unfold {
                            region,
                            from: regions,
                            runs,
                            rows: 0..k,
                            to: panel,
                            stride: plan.width,
                        });
                    }
                    V::launch(Panel {
                        m: rows.len(),
                        k,
                        a: a.add(channels.start * taps),
                        a_strides: [depth as isize, 1],
                        b: panel,
                        b_stride: plan.width as isize,
                        target: Target {
                            c: c.add(column),
                            strides: [stride as isize, 1],
                            accumulate: block > 0,
                        },
                        columns: width,
                    });
                }
            }
            if !planned.in_place {
                for row in 0..rows.len() {
                    let to = self.y.add((first_row + row) * result);
                    self.scatter::<V>(pass, &tile, c.add(row * stride), to);
                }
            }
        }
    }

    /// Writes a row of the tile to the result, whose samples' first elements follow `to`.
    ///
    /// # Safety
    /// As for the task.
    #[inline(always)]
    unsafe fn scatter<V: Vector<Element = T>>(
        &self,
        pass: &Pass,
        tile: &Tile,
        mut from: *const T,
        to: *mut T,
    ) {
        let sample = self.plan.groups * self.plan.rows * volume(pass.result);
        for row in tile.rows(0..tile.columns()) {
            let at =
                [0, 1, 2].map(|a| pass.first[a] + pass.spread[a] * (tile.first[a] + row.place[a]));
            let place = (at[0] * pass.result[1] + at[1]) * pass.result[2] + at[2];
            // SAFETY: the places lie within the result; the row within the tile.
            unsafe {
                let to = to.add(row.sample * sample + place);
                if pass.spread[2] == 1 {
                    let mut i = 0;
                    while i + V::LANES <= row.len {
                        V::load(from.add(i)).store(to.add(i));
                        i += V::LANES;
                    }
                    if i < row.len {
                        V::load_first(from.add(i), row.len - i).store_first(to.add(i), row.len - i);
                    }
                } else {
                    for i in 0..row.len {
                        *to.add(i * pass.spread[2]) = *from.add(i);
                    }
                }
                from = from.add(row.len);
            }
        }
    }
}
