//! The convolution and its input gradient.

use std::ops::Range;

use thalweg_graph::OpError;

use super::field::{Field, Square};
use super::squares::{Squares, Windows};
use super::{POINTS, transform};
use crate::call;
use crate::call::conv::geometry::{Pass, Tile, volume};
use crate::call::conv::{Memory, TASKS, deal};
use crate::gemm::{Kernel, Panel, Target, Vector, launch, panel_width, part, registers};
use crate::isa::Isa;
use crate::pool::Pool;

/// A convolution by 3 × 3, or the gradient by its input: `rows` channels from `channels`.
pub struct WinogradCorrelate {
    isa: Isa,
    squares: Squares,
    channels: usize,
    rows: usize,
    /// Elements between the weights of two result channels, and of two input channels.
    strides: [usize; 2],
    /// Which element of a 3 × 3 kernel is over each element of a window, row-major.
    order: [usize; 9],
    /// Result channels of a panel, panels, and into how many tasks those are cut.
    width: usize,
    panels: usize,
    panel_parts: usize,
    /// Channels with what fills the last vector.
    padded: usize,
    /// Elements of a worker's memory: for the field, its transform, the products, and squares of the result.
    parts: [usize; 4],
}

impl WinogradCorrelate {
    /// A pass of so many samples; `strides` are those of the weight's result and input channels.
    pub fn new(
        isa: Isa,
        samples: usize,
        pass: Pass,
        rows: usize,
        channels: usize,
        strides: [usize; 2],
    ) -> Self {
        let lanes = registers::<f32>(isa).lanes;
        let mut order = [0; 9];
        let low = pass.reach().map(|(low, _)| low);
        for tap in &pass.taps {
            let [_, y, x] = [0, 1, 2].map(|a| (tap.at[a] - low[a]) as usize);
            order[3 * y + x] = tap.weight;
        }
        let squares = Squares::new(samples, pass);
        let width = panel_width(lanes, squares.tiling.columns());
        let panels = rows.div_ceil(width);
        let padded = channels.next_multiple_of(lanes);
        let [y, x] = squares.field();
        let count = squares.tiling.columns();
        let parts = [
            squares.tiling.together * y * x * padded,
            POINTS * count * padded,
            POINTS * count * width,
            4 * count * lanes + lanes * lanes,
        ];
        let panel_parts = TASKS.div_ceil(squares.tiling.len().max(1)).min(panels).max(1);
        WinogradCorrelate {
            isa,
            squares,
            channels,
            rows,
            strides,
            order,
            width,
            panels,
            panel_parts,
            padded,
            parts,
        }
    }
}

impl call::Kernel for WinogradCorrelate {
    unsafe fn run(&self, pool: &Pool, memory: Memory) -> Result<(), OpError> {
        let count = self.panels * self.channels;
        deal(pool, count, POINTS * self.width, |items| {
            for item in items {
                let (w, to) = (memory.input(1), memory.shared());
                let (panel, channel) = (item / self.channels, item % self.channels);
                // SAFETY: the scratch holds the transformed weights, and this task alone writes these.
                unsafe { launch::<f32>(self.isa, Weights { plan: self, w, to, panel, channel }) }
            }
        });
        pool.run(self.squares.tiling.len() * self.panel_parts, &|task, worker| {
            let tile = self.squares.tile(task / self.panel_parts);
            let panels = part(task % self.panel_parts, self.panel_parts, self.panels);
            let (x, y) = (memory.input(0), memory.to());
            let (weights, local) = (memory.shared::<f32>().cast_const(), memory.local(worker));
            let block = Block { plan: self, x, weights, y, local, tile: &tile, panels };
            // SAFETY: the caller's promise; no other task writes this part of the result.
            unsafe { launch::<f32>(self.isa, block) }
        });
        Ok(())
    }

    fn shared_bytes(&self, _: usize) -> usize {
        self.panels * POINTS * self.channels * self.width * size_of::<f32>()
    }

    fn local_bytes(&self) -> usize {
        self.parts.iter().sum::<usize>() * size_of::<f32>()
    }
}

/// The transform of the weights of one input channel and one panel of result channels, to
/// `[panels, points, channels, width]`.
struct Weights<'a> {
    plan: &'a WinogradCorrelate,
    w: *const f32,
    to: *mut f32,
    panel: usize,
    channel: usize,
}

impl<V: Vector<Element = f32>> Kernel<V> for Weights<'_> {
    #[inline(always)]
    unsafe fn run(self) {
        let Weights { plan, panel, channel, .. } = self;
        let [row, column] = plan.strides;
        for lane in (0..plan.width).step_by(V::LANES) {
            let first = panel * plan.width + lane;
            let count = V::LANES.min(plan.rows.saturating_sub(first));
            let mut square = Square::<V>::new();
            let square = square.as_mut_ptr();
            // SAFETY: the weights read are the tensor's; those written lie in the scratch.
            unsafe {
                V::splat(0.0).store(square);
                let mut w = [[V::splat(0.0); 3]; 3];
                for (place, weight) in plan.order.iter().enumerate() {
                    for r in 0..count {
                        let at = (first + r) * row + channel * column + weight;
                        *square.add(r) = *self.w.add(at);
                    }
                    w[place / 3][place % 3] = V::load(square);
                }
                let points = transform::kernel(w);
                for point in 0..POINTS {
                    let at = ((panel * POINTS + point) * plan.channels + channel) * plan.width;
                    points[point / 4][point % 4].store(self.to.add(at + lane));
                }
            }
        }
    }
}

/// The squares of a tile, for some panels of channels.
struct Block<'a> {
    plan: &'a WinogradCorrelate,
    x: *const f32,
    weights: *const f32,
    y: *mut f32,
    local: *mut f32,
    tile: &'a Tile,
    panels: Range<usize>,
}

impl<V: Vector<Element = f32>> Kernel<V> for Block<'_> {
    #[inline(always)]
    unsafe fn run(self) {
        let Block { plan, tile, .. } = self;
        let Squares { pass, .. } = &plan.squares;
        let count = tile.columns();
        let [_, height, width] = pass.input;
        let sample = plan.channels * volume(pass.input);
        // SAFETY: channels and squares lie within the tensors, copies within the worker's memory.
        unsafe {
            let field = self.local;
            let windows = field.add(plan.parts[0]);
            let products = windows.add(plan.parts[1]);
            let result = products.add(plan.parts[2]);
            V::launch(Field {
                from: self.x.add(tile.samples.start * sample),
                samples: tile.samples.len(),
                sample,
                channels: plan.channels,
                plane: [height, width],
                start: plan.squares.corner(tile),
                extents: plan.squares.field(),
                padded: plan.padded,
                to: field,
            });
            V::launch(Windows {
                squares: &plan.squares,
                tile,
                field,
                padded: plan.padded,
                to: windows,
            });
            for panel in self.panels.clone() {
                for point in 0..POINTS {
                    let weights = (panel * POINTS + point) * plan.channels * plan.width;
                    V::launch(Panel {
                        m: count,
                        k: plan.channels,
                        a: windows.add(point * count * plan.padded),
                        a_strides: [plan.padded as isize, 1],
                        b: self.weights.add(weights),
                        b_stride: plan.width as isize,
                        target: Target {
                            c: products.add(point * count * plan.width),
                            strides: [plan.width as isize, 1],
                            accumulate: false,
                        },
                        columns: plan.width,
                    });
                }
                for lane in (0..plan.width).step_by(V::LANES) {
                    let channel = panel * plan.width + lane;
                    if channel < plan.rows {
                        self.transform::<V>(products.add(lane), result);
                        self.write::<V>(result, channel);
                    }
                }
            }
        }
    }
}

#[expect(clippy::needless_range_loop, reason = "plain index loops are sure to be unrolled")]
impl Block<'_> {
    /// Rows of the result that the tile has in each sample.
    fn height(&self) -> usize {
        let left = self.plan.squares.pass.places[1] - 2 * self.tile.first[1];
        left.min(2 * self.tile.extents[1])
    }

    /// Makes a vector of channels of the result, `[samples, rows, columns, lanes]`, from the products.
    ///
    /// # Safety
    /// As for the block.
    #[inline(always)]
    unsafe fn transform<V: Vector<Element = f32>>(&self, products: *const f32, result: *mut f32) {
        let (count, stride) = (self.tile.columns(), self.plan.width);
        let (height, width) = (self.height(), self.plan.squares.pass.places[2]);
        let mut square = 0;
        for row in self.tile.rows(0..count) {
            let [_, y, first] = row.place;
            for x in first..first + row.len {
                // SAFETY: the products of a square; elements of the result that the tile has.
                unsafe {
                    let at = |point: usize| products.add((point * count + square) * stride);
                    let mut m = [[V::splat(0.0); 4]; 4];
                    for point in 0..POINTS {
                        m[point / 4][point % 4] = V::load(at(point));
                    }
                    let pixels = transform::output(m);
                    for i in 0..2 {
                        for j in 0..2 {
                            let (y, x) = (2 * y + i, 2 * x + j);
                            if y < height && x < width {
                                let place = (row.sample * height + y) * width + x;
                                pixels[i][j].store(result.add(place * V::LANES));
                            }
                        }
                    }
                }
                square += 1;
            }
        }
    }

    /// Writes a vector of channels from `channel` on to the tensor.
    ///
    /// # Safety
    /// As for the block.
    #[inline(always)]
    unsafe fn write<V: Vector<Element = f32>>(&self, result: *const f32, channel: usize) {
        let plan = self.plan;
        let [_, height, width] = plan.squares.pass.places;
        let (plane, pixels) = (height * width, self.height() * width);
        let channels = V::LANES.min(plan.rows - channel);
        let mut square = Square::<V>::new();
        let square = square.as_mut_ptr();
        for sample in self.tile.samples.clone() {
            let done = (sample - self.tile.samples.start) * pixels;
            // SAFETY: the channels' rows of the result; a whole square is written only where there is one.
            unsafe {
                let to = self.y.add((sample * plan.rows + channel) * plane);
                let to = to.add(2 * self.tile.first[1] * width);
                for first in (0..pixels).step_by(V::LANES) {
                    let from = result.add((done + first) * V::LANES);
                    let count = V::LANES.min(pixels - first);
                    if count == V::LANES && channels == V::LANES {
                        V::transpose(from, V::LANES as isize, to.add(first), plane);
                        continue;
                    }
                    V::transpose(from, V::LANES as isize, square, V::LANES);
                    for i in 0..channels {
                        let (row, to) = (square.add(i * V::LANES), to.add(i * plane + first));
                        match count == V::LANES {
                            true => V::load(row).store(to),
                            false => V::load(row).store_first(to, count),
                        }
                    }
                }
            }
        }
    }
}
