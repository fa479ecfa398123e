//! The most frequent windows, squares of 2 × 2 side by side, for `f32`: a row of squares is two rows of vectors.

use thalweg_graph::OpError;

use super::What;
use super::lanes::Lanes;
use crate::call::{self, Memory, deal};
use crate::gemm::{Kernel, Vector, launch};
use crate::isa::Isa;
use crate::pool::Pool;

/// A pooling of planes of `rows` × `columns` elements by squares.
pub struct Pairs {
    pub isa: Isa,
    pub what: What,
    pub planes: usize,
    pub rows: usize,
    pub columns: usize,
}

impl call::Kernel for Pairs {
    unsafe fn run(&self, pool: &Pool, memory: Memory) -> Result<(), OpError> {
        let Pairs { rows, columns, .. } = *self;
        let (plane, squares) = (rows * columns, (rows / 2) * (columns / 2));
        deal(pool, self.planes, plane, |planes| {
            let to = if self.what.makes_planes() { plane } else { squares };
            // SAFETY: these planes lie within the tensors, and this task alone writes them.
            unsafe {
                let g = match self.what {
                    What::MaxGrad => memory.input::<f32>(1),
                    _ => memory.input(0),
                };
                let planes_of = Planes {
                    pairs: self,
                    planes: planes.len(),
                    x: memory.input::<f32>(0).wrapping_add(planes.start * plane),
                    g: g.wrapping_add(planes.start * squares),
                    to: memory.to::<f32>().add(planes.start * to),
                };
                launch::<f32>(self.isa, planes_of);
            }
        });
        Ok(())
    }
}

/// Some planes: of `x` (but for the mean's gradient), their squares in `g` (for gradients), planes or squares of `to`.
struct Planes<'a> {
    pairs: &'a Pairs,
    planes: usize,
    x: *const f32,
    g: *const f32,
    to: *mut f32,
}

impl<V: Lanes> Kernel<V> for Planes<'_> {
    #[inline(always)]
    unsafe fn run(self) {
        let Pairs { what, rows, columns, .. } = *self.pairs;
        let squares = [rows / 2, columns / 2];
        for plane in 0..self.planes {
            for y in 0..squares[0] {
                let upper = (plane * rows + 2 * y) * columns;
                let row = (plane * squares[0] + y) * squares[1];
                for first in (0..squares[1]).step_by(V::LANES) {
                    let count = V::LANES.min(squares[1] - first);
                    let at = [upper + 2 * first, upper + columns + 2 * first];
                    // SAFETY: the squares lie in the planes.
                    unsafe { self.squares::<V>(at, row + first, count) }
                }
                if what.makes_planes() && columns % 2 == 1 {
                    // SAFETY: the last elements of both rows.
                    unsafe {
                        *self.to.add(upper + columns - 1) = 0.0;
                        *self.to.add(upper + 2 * columns - 1) = 0.0;
                    }
                }
            }
            if what.makes_planes() && rows % 2 == 1 {
                let last = (plane * rows + rows - 1) * columns;
                // SAFETY: the last row.
                unsafe { std::slice::from_raw_parts_mut(self.to.add(last), columns) }.fill(0.0);
            }
        }
    }
}

impl Planes<'_> {
    /// The next `count` squares from `square` on, whose rows are `at`.
    ///
    /// # Safety
    /// They lie in the planes; there are at most as many as lanes.
    #[inline(always)]
    unsafe fn squares<V: Lanes>(&self, at: [usize; 2], square: usize, count: usize) {
        let Planes { x, g, to, .. } = *self;
        // SAFETY: the caller's promise.
        unsafe {
            match self.pairs.what {
                What::MaxGrad => {
                    let [a, b] = read_pairs::<V>(x.add(at[0]), count);
                    let [c, d] = read_pairs::<V>(x.add(at[1]), count);
                    let g = read::<V>(g.add(square), count);
                    let zero = V::splat(0.0);
                    let (right, below_right) = (b.beats(a), d.beats(c));
                    let upper = V::select(right, b, a);
                    let below = V::select(below_right, d, c).beats(upper);
                    let (up, down) = (V::select(below, zero, g), V::select(below, g, zero));
                    let split = |mask, g| [V::select(mask, zero, g), V::select(mask, g, zero)];
                    write_pairs(split(right, up), to.add(at[0]), count);
                    write_pairs(split(below_right, down), to.add(at[1]), count);
                }
                What::AvgGrad => {
                    let share = read::<V>(g.add(square), count).mul(V::splat(0.25));
                    write_pairs([share, share], to.add(at[0]), count);
                    write_pairs([share, share], to.add(at[1]), count);
                }
                what => {
                    let [a, b] = read_pairs::<V>(x.add(at[0]), count);
                    let [c, d] = read_pairs::<V>(x.add(at[1]), count);
                    let result = match what {
                        What::Avg => a.add(b).add(c).add(d).mul(V::splat(0.25)),
                        _ => greater(greater(d, c), greater(b, a)),
                    };
                    write(result, to.add(square), count);
                }
            }
        }
    }
}

/// The greater one, `best` of two equal ones, NaN where there is one.
///
/// # Safety
/// The machine has the instruction set.
#[inline(always)]
unsafe fn greater<V: Lanes>(x: V, best: V) -> V {
    // SAFETY: the caller's promise.
    unsafe { V::select(x.beats(best), x, best) }
}

/// # Safety
/// `count`, at most the number of lanes, elements are valid for reading.
#[inline(always)]
unsafe fn read<V: Vector>(from: *const V::Element, count: usize) -> V {
    // SAFETY: the caller's promise.
    unsafe { if count == V::LANES { V::load(from) } else { V::load_first(from, count) } }
}

/// # Safety
/// `count`, at most the number of lanes, elements are valid for writing.
#[inline(always)]
unsafe fn write<V: Vector>(x: V, to: *mut V::Element, count: usize) {
    // SAFETY: the caller's promise.
    unsafe { if count == V::LANES { x.store(to) } else { x.store_first(to, count) } }
}

/// The first and the second elements of `count` pairs.
///
/// # Safety
/// The pairs are valid for reading; there are at most as many as lanes.
#[inline(always)]
unsafe fn read_pairs<V: Lanes>(from: *const f32, count: usize) -> [V; 2] {
    let elements = 2 * count;
    // SAFETY: the caller's promise.
    unsafe {
        let first = read::<V>(from, elements.min(V::LANES));
        let second = match elements > V::LANES {
            true => read::<V>(from.add(V::LANES), elements - V::LANES),
            false => first,
        };
        V::unzip(first, second)
    }
}

/// Writes pairs of the given first and second elements.
///
/// # Safety
/// As for [`read_pairs`], for writing.
#[inline(always)]
unsafe fn write_pairs<V: Lanes>([even, odd]: [V; 2], to: *mut f32, count: usize) {
    let elements = 2 * count;
    // SAFETY: the caller's promise.
    unsafe {
        let [first, second] = V::zip(even, odd);
        write(first, to, elements.min(V::LANES));
        if elements > V::LANES {
            write(second, to.add(V::LANES), elements - V::LANES);
        }
    }
}
