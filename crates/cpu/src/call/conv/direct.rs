//! Convolutions of one channel to a few, as the groups of a depth-wise one are: too little work for a matrix product.
//! Rows of the result are made straight from rows of the region.

use super::geometry::{Pass, Tile, volume};
use super::region::Region;
use crate::gemm::{Element, Kernel, Vector};

/// Channels of a group's result up to which this is faster.
pub const OUTPUTS: usize = 4;

/// Taps whose sums are kept in registers together.
const TAPS: usize = 9;

/// `C[rows, columns]` of a tile: sums over the taps.
///
/// Valid memory: the tile's regions, and a vector more; weights `[rows, taps]`; C at its stride.
pub struct Sums<'a, T> {
    pub region: &'a Region,
    pub tile: &'a Tile,
    pub from: *const T,
    pub rows: usize,
    pub weights: *const T,
    pub c: *mut T,
    pub stride: usize,
}

impl<T: Element, V: Vector<Element = T>> Kernel<V> for Sums<'_, T> {
    #[inline(always)]
    unsafe fn run(self) {
        let Sums { region, tile, rows, .. } = self;
        let taps = region.taps.as_slice();
        let mut column = 0;
        for run in tile.rows(0..tile.columns()) {
            let from = region.corner(run.place) + run.sample * region.channel;
            for row in 0..rows {
                for i in (0..run.len).step_by(V::LANES) {
                    // SAFETY: the elements lie in the region; weights and C are as the fields promise.
                    unsafe {
                        let from = self.from.add(from + i);
                        let weights = self.weights.add(row * taps.len());
                        let mut sum = V::splat(T::default());
                        for (tap, &at) in taps.iter().enumerate() {
                            let weight = V::splat(*weights.add(tap));
                            sum = V::load(from.add(at)).mul_add(weight, sum);
                        }
                        let c = self.c.add(row * self.stride + column + i);
                        match run.len - i {
                            count if count < V::LANES => sum.store_first(c, count),
                            _ => sum.store(c),
                        }
                    }
                }
            }
            column += run.len;
        }
    }
}

/// Adds to `sums[taps, outputs]`, at its stride, the products of a tile's cotangent with what each tap sees.
///
/// Valid memory: the tile's regions; the cotangent of its samples; the sums.
pub struct Products<'a, T> {
    pub region: &'a Region,
    pub pass: &'a Pass,
    pub tile: &'a Tile,
    pub from: *const T,
    /// The first output's plane of the tile's first sample.
    pub g: *const T,
    pub outputs: usize,
    /// Elements between two samples of the cotangent.
    pub sample: usize,
    pub sums: *mut T,
    pub stride: usize,
    /// Overwrites the sums instead.
    pub first: bool,
}

#[expect(clippy::needless_range_loop, reason = "plain index loops are sure to be unrolled")]
impl<T: Element, V: Vector<Element = T>> Kernel<V> for Products<'_, T> {
    #[inline(always)]
    unsafe fn run(self) {
        let Products { region, pass, tile, outputs, .. } = self;
        let count = region.taps.len();
        for output in 0..outputs {
            for first in (0..count).step_by(TAPS) {
                let mut taps = [0; TAPS];
                for tap in 0..TAPS {
                    // The last one again where there are fewer.
                    taps[tap] = region.taps[(first + tap).min(count - 1)];
                }
                // SAFETY: rows of the cotangent and of the regions; as many elements are read of both.
                unsafe {
                    let mut sums = [V::splat(T::default()); TAPS];
                    for run in tile.rows(0..tile.columns()) {
                        let at = [0, 1, 2].map(|a| tile.first[a] + run.place[a]);
                        let place = (at[0] * pass.places[1] + at[1]) * pass.places[2] + at[2];
                        let plane = run.sample * self.sample + output * volume(pass.places);
                        let g = self.g.add(plane + place);
                        let corner = region.corner(run.place) + run.sample * region.channel;
                        let from = self.from.add(corner);
                        let whole = run.len - run.len % V::LANES;
                        for i in (0..whole).step_by(V::LANES) {
                            let g = V::load(g.add(i));
                            for tap in 0..TAPS {
                                sums[tap] = V::load(from.add(taps[tap] + i)).mul_add(g, sums[tap]);
                            }
                        }
                        let rest = run.len - whole;
                        if rest > 0 {
                            let g = V::load_first(g.add(whole), rest);
                            for tap in 0..TAPS {
                                let x = V::load_first(from.add(taps[tap] + whole), rest);
                                sums[tap] = x.mul_add(g, sums[tap]);
                            }
                        }
                    }
                    for tap in 0..TAPS.min(count - first) {
                        let to = self.sums.add((first + tap) * self.stride + output);
                        let sum = sums[tap].sum();
                        *to = if self.first { sum } else { *to + sum };
                    }
                }
            }
        }
    }
}
