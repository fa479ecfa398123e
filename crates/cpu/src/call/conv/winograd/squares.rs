//! The squares of a result and their windows.

use super::transform;
use crate::call::conv::geometry::{Pass, Tile, Tiling};
use crate::gemm::{Kernel, Vector};

/// Squares of a tile: its transforms stay in the second-level cache.
const TILE: usize = 96;

/// A pass whose places are made in squares of 2 × 2.
pub struct Squares {
    pub pass: Pass,
    /// Tiles of whole rows of squares, in one sample or in several.
    pub tiling: Tiling,
}

impl Squares {
    pub fn new(samples: usize, pass: Pass) -> Squares {
        let [_, y, x] = pass.places;
        let (rows, columns) = (y.div_ceil(2), x.div_ceil(2));
        let tiling = Tiling::new(samples, [1, rows, columns], TILE.max(columns));
        Squares { pass, tiling }
    }

    pub fn tile(&self, i: usize) -> Tile {
        self.tiling.tile(i, self.tiling.places)
    }

    /// Rows and columns of the input in the windows of a tile.
    pub fn field(&self) -> [usize; 2] {
        let [_, rows, columns] = self.tiling.block;
        [2 * rows + 2, 2 * columns + 2]
    }

    /// The first row and column of them.
    pub fn corner(&self, tile: &Tile) -> [isize; 2] {
        let reach = self.pass.reach();
        [1, 2].map(|a| 2 * tile.first[a] as isize + reach[a].0)
    }
}

/// Calls `f(square, place)` for each square of a tile: its number, and the place in the field of its first element.
#[inline(always)]
pub fn each(tile: &Tile, field: [usize; 2], mut f: impl FnMut(usize, usize)) {
    let mut square = 0;
    for row in tile.rows(0..tile.columns()) {
        let [_, y, x] = row.place;
        let first = (row.sample * field[0] + 2 * y) * field[1] + 2 * x;
        for i in 0..row.len {
            f(square, first + 2 * i);
            square += 1;
        }
    }
}

/// The transform of the windows of a tile, from a field `[samples, rows, columns, padded]` to
/// `[points, squares, padded]`.
///
/// Valid memory: as much of `field` and `to`.
pub struct Windows<'a> {
    pub squares: &'a Squares,
    pub tile: &'a Tile,
    pub field: *const f32,
    pub padded: usize,
    pub to: *mut f32,
}

#[expect(clippy::needless_range_loop, reason = "plain index loops are sure to be unrolled")]
impl<V: Vector<Element = f32>> Kernel<V> for Windows<'_> {
    #[inline(always)]
    unsafe fn run(self) {
        let Windows { squares, tile, field, padded, to } = self;
        let (count, extents) = (tile.columns(), squares.field());
        each(tile, extents, |square, place| {
            for channel in (0..padded).step_by(V::LANES) {
                // SAFETY: the window lies in the field.
                unsafe {
                    let at = |i, j| field.add((place + i * extents[1] + j) * padded + channel);
                    let mut window = [[V::splat(0.0); 4]; 4];
                    for i in 0..4 {
                        for j in 0..4 {
                            window[i][j] = V::load(at(i, j));
                        }
                    }
                    let points = transform::input(window);
                    let to = to.add(square * padded + channel);
                    for i in 0..4 {
                        for j in 0..4 {
                            points[i][j].store(to.add((4 * i + j) * count * padded));
                        }
                    }
                }
            }
        });
    }
}

/// The transform of the squares of a tile's cotangent, from a field `[samples, rows, columns, padded]` of two rows and
/// columns for each square to `[points, squares, padded]`.
///
/// Valid memory: as much of `field` and `to`.
pub struct Cotangents<'a> {
    pub tile: &'a Tile,
    pub field: *const f32,
    /// Rows and columns of the field.
    pub extents: [usize; 2],
    pub padded: usize,
    pub to: *mut f32,
}

#[expect(clippy::needless_range_loop, reason = "plain index loops are sure to be unrolled")]
impl<V: Vector<Element = f32>> Kernel<V> for Cotangents<'_> {
    #[inline(always)]
    unsafe fn run(self) {
        let Cotangents { tile, field, extents, padded, to } = self;
        let count = tile.columns();
        each(tile, extents, |square, place| {
            for channel in (0..padded).step_by(V::LANES) {
                // SAFETY: the square lies in the field.
                unsafe {
                    let at = |i, j| field.add((place + i * extents[1] + j) * padded + channel);
                    let g = [
                        [V::load(at(0, 0)), V::load(at(0, 1))],
                        [V::load(at(1, 0)), V::load(at(1, 1))],
                    ];
                    let points = transform::cotangent(g);
                    let to = to.add(square * padded + channel);
                    for i in 0..4 {
                        for j in 0..4 {
                            points[i][j].store(to.add((4 * i + j) * count * padded));
                        }
                    }
                }
            }
        });
    }
}
