//! The region of the input that a tile sees, copied with its zeros, so that a tap of a row of places is a row of
//! memory.

use std::ops::Range;

use super::geometry::{Pass, Tile, Triple, volume};
use crate::gemm::{Element, Kernel, Vector};

/// The most columns that are unfolded at a time.
pub const COLUMNS: usize = 128;

/// The layout of the region of one channel of one sample. A row is kept in as many pieces as the step along it, so
/// that neighbouring places look at neighbouring elements.
#[derive(Clone, Debug)]
pub struct Region {
    low: [isize; 3],
    /// Elements between the first and the last tap along each axis.
    span: Triple,
    step: Triple,
    /// Which residues modulo the step a tap looks at, along each axis.
    seen: [Vec<bool>; 3],
    piece: usize,
    row: usize,
    plane: usize,
    /// Elements of the region of a channel.
    pub channel: usize,
    /// How far each tap's element lies from that of the first corner.
    pub taps: Vec<usize>,
}

/// Columns that lie next to each other in the region: from where, and how many.
#[derive(Clone, Copy, Default)]
pub struct Run {
    column: usize,
    from: usize,
    len: usize,
}

impl Region {
    /// The region of tiles of `block` places.
    pub fn new(pass: &Pass, block: Triple) -> Region {
        let (step, reach) = (pass.step, pass.reach());
        let low = reach.map(|(low, _)| low);
        let span = reach.map(|(low, high)| (high - low) as usize);
        let len = [0, 1, 2].map(|a| (block[a].max(1) - 1) * step[a] + span[a] + 1);
        let piece = len[2].div_ceil(step[2]);
        let row = step[2] * piece;
        let plane = len[1] * row;
        let mut seen = step.map(|step| vec![false; step]);
        let taps = (pass.taps.iter())
            .map(|tap| {
                let at = [0, 1, 2].map(|a| (tap.at[a] - low[a]) as usize);
                (0..3).for_each(|a| seen[a][at[a] % step[a]] = true);
                at[0] * plane + at[1] * row + at[2] % step[2] * piece + at[2] / step[2]
            })
            .collect();
        Region { low, span, step, seen, piece, row, plane, channel: len[0] * plane, taps }
    }

    /// How far a place of a tile lies from its first one.
    #[inline(always)]
    pub fn corner(&self, [z, y, x]: Triple) -> usize {
        z * self.step[0] * self.plane + y * self.step[1] * self.row + x
    }

    /// The runs of these columns of a tile, at most [`COLUMNS`]; `sample` elements lie between two samples.
    pub fn runs<'a>(
        &self,
        tile: &Tile,
        columns: Range<usize>,
        sample: usize,
        runs: &'a mut [Run; COLUMNS],
    ) -> &'a [Run] {
        let (mut column, mut count) = (0, 0);
        for (row, run) in tile.rows(columns).zip(runs.iter_mut()) {
            let from = row.sample * sample + self.corner(row.place);
            *run = Run { column, from, len: row.len };
            column += row.len;
            count += 1;
        }
        &runs[..count]
    }
}

/// Copies the regions of some channels for a tile, sample by sample.
///
/// Valid memory: of `from`, the channels of all samples; of `to`, a region for each, and a vector more.
pub struct Load<'a, T> {
    pub region: &'a Region,
    pub pass: &'a Pass,
    pub tile: &'a Tile,
    pub channels: usize,
    /// The first channel of the tile's first sample.
    pub from: *const T,
    /// Elements between two samples.
    pub sample: usize,
    pub to: *mut T,
}

impl<T: Element, V: Vector<Element = T>> Kernel<V> for Load<'_, T> {
    #[inline(always)]
    unsafe fn run(self) {
        let Load { region, pass, tile, channels, .. } = self;
        let step = region.step;
        let len = [0, 1, 2].map(|a| (tile.extents[a].max(1) - 1) * step[a] + region.span[a] + 1);
        let start = [0, 1, 2].map(|a| (tile.first[a] * step[a]) as isize + region.low[a]);
        let inside = |a: usize, i: usize| {
            let i = start[a] + i as isize;
            (0..pass.input[a] as isize).contains(&i).then_some(i as usize)
        };
        for i in 0..tile.samples.len() * channels {
            let (sample, channel) = (i / channels, i % channels);
            // Rows are written in the order of memory: whole vectors reach into the next row, which is written later.
            for z in (0..len[0]).filter(|z| region.seen[0][z % step[0]]) {
                for y in (0..len[1]).filter(|y| region.seen[1][y % step[1]]) {
                    // SAFETY: the row lies in the input, its copy in the channel's region.
                    unsafe {
                        let from = inside(0, z).zip(inside(1, y)).map(|(z, y)| {
                            let row = channel * volume(pass.input)
                                + (z * pass.input[1] + y) * pass.input[2];
                            self.from.add(sample * self.sample + row)
                        });
                        let to =
                            self.to.add(i * region.channel + z * region.plane + y * region.row);
                        match from {
                            None => fill::<V>(to, 0..region.row),
                            Some(from) if step[2] == 1 => {
                                copy_row::<V>(from, pass.input[2], start[2], len[2], to);
                            }
                            Some(from) => {
                                for residue in (0..step[2]).filter(|&r| region.seen[2][r]) {
                                    for x in (residue..len[2]).step_by(step[2]) {
                                        let at = residue * region.piece + x / step[2];
                                        *to.add(at) =
                                            inside(2, x).map_or(T::default(), |x| *from.add(x));
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Writes zeros, in whole vectors.
///
/// # Safety
/// `to` is valid for the range and a vector more.
#[inline(always)]
unsafe fn fill<V: Vector>(to: *mut V::Element, range: Range<usize>) {
    for i in range.step_by(V::LANES) {
        // SAFETY: the caller's promise.
        unsafe { V::splat(Default::default()).store(to.add(i)) };
    }
}

/// Copies `len` elements from place `start` on of a row of `extent`, with zeros outside, in whole vectors.
///
/// # Safety
/// The row is valid for reading, `to` for writing `len` elements and a vector more.
#[inline(always)]
unsafe fn copy_row<V: Vector>(
    row: *const V::Element,
    extent: usize,
    start: isize,
    len: usize,
    to: *mut V::Element,
) {
    let lead = (-start).clamp(0, len as isize) as usize;
    let end = (extent as isize - start).clamp(lead as isize, len as isize) as usize;
    // SAFETY: what is read lies in the row, what is written within `len` and a vector more.
    unsafe {
        fill::<V>(to, 0..lead);
        let from = row.offset(start + lead as isize);
        let mut i = lead;
        while i + V::LANES <= end {
            V::load(from.add(i - lead)).store(to.add(i));
            i += V::LANES;
        }
        if i < end {
            // The lanes beyond are zeros.
            V::load_first(from.add(i - lead), end - i).store(to.add(i));
            i += V::LANES;
        }
        if i < len {
            fill::<V>(to, i..len);
        }
    }
}

/// Copies rows of the unfolded input, each the elements of one channel under one tap at all columns of the runs.
///
/// Valid memory: the regions, and a vector more; of `to`, the rows, and a vector more.
pub struct Unfold<'a, T> {
    pub region: &'a Region,
    /// The region of channel 0.
    pub from: *const T,
    pub runs: &'a [Run],
    /// Which rows: channel times the number of taps, plus the tap.
    pub rows: Range<usize>,
    pub to: *mut T,
    /// Elements from one row to the next.
    pub stride: usize,
}

impl<T: Element, V: Vector<Element = T>> Kernel<V> for Unfold<'_, T> {
    #[inline(always)]
    unsafe fn run(self) {
        let taps = self.region.taps.as_slice();
        let (mut channel, mut tap) = (self.rows.start / taps.len(), self.rows.start % taps.len());
        let mut to = self.to;
        for _ in self.rows {
            // SAFETY: what is copied lies in the regions and in the row; rows and runs are written in the order of
            // memory, so that whole vectors reach only into what is written later.
            unsafe {
                let from = self.from.add(channel * self.region.channel + taps[tap]);
                for run in self.runs {
                    let (from, to) = (from.add(run.from), to.add(run.column));
                    let mut i = 0;
                    while i < run.len {
                        V::load(from.add(i)).store(to.add(i));
                        i += V::LANES;
                    }
                }
                to = to.add(self.stride);
            }
            tap += 1;
            if tap == taps.len() {
                (channel, tap) = (channel + 1, 0);
            }
        }
    }
}
