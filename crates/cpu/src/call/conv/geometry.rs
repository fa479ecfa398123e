//! Which elements meet in a convolution: passes over an input, and tiles of their places.
//!
//! Everything has three spatial axes; missing ones come first, with extent 1.

use std::ops::Range;

use thalweg_graph::ops::ConvSpec;

/// One number per spatial axis.
pub type Triple = [usize; 3];

/// A correlation: `result[first + spread·q] = Σ_t weight_t · input[step·q + at_t]` for every place q; the input is
/// zero outside its extents.
///
/// A convolution is one pass over its input. Its input gradient is a pass over the cotangent for each residue of the
/// input's elements modulo the stride: elements of one residue are under the same taps.
#[derive(Clone, Debug)]
pub struct Pass {
    pub input: Triple,
    pub step: Triple,
    pub taps: Vec<Tap>,
    /// The number of places.
    pub places: Triple,
    pub result: Triple,
    pub first: Triple,
    pub spread: Triple,
}

/// A tap: where it looks from place 0, and which element of the kernel it is.
#[derive(Clone, Debug)]
pub struct Tap {
    pub at: [isize; 3],
    pub weight: usize,
}

fn triple<T: Copy>(numbers: &[T], missing: T) -> [T; 3] {
    let mut triple = [missing; 3];
    triple[3 - numbers.len()..].copy_from_slice(numbers);
    triple
}

/// Every index below the extents, row-major.
fn indices([z, y, x]: Triple) -> impl Iterator<Item = Triple> {
    (0..z * y * x).map(move |i| [i / (y * x), i / x % y, i % x])
}

pub fn volume(extents: Triple) -> usize {
    extents.iter().product()
}

/// The taps of a kernel, seen from its first place.
fn taps(spec: &ConvSpec, kernel: &[usize]) -> impl Iterator<Item = Tap> {
    let (dilation, padding) = (triple(&spec.dilation, 1), triple(&spec.padding, [0, 0]));
    indices(triple(kernel, 1)).enumerate().map(move |(weight, tap)| {
        let at = |a: usize| (tap[a] * dilation[a]) as isize - padding[a][0] as isize;
        Tap { at: [0, 1, 2].map(at), weight }
    })
}

impl Pass {
    /// The convolution that takes these spatial extents of the input to those of the result.
    pub fn forward(spec: &ConvSpec, input: &[usize], kernel: &[usize], result: &[usize]) -> Pass {
        let pass = Pass {
            input: triple(input, 1),
            step: triple(&spec.stride, 1),
            taps: taps(spec, kernel).collect(),
            places: triple(result, 1),
            result: triple(result, 1),
            first: [0; 3],
            spread: [1; 3],
        };
        pass.flattened()
    }

    /// The passes over the cotangent of that convolution's result that together give the gradient by its input.
    pub fn input_gradient(
        spec: &ConvSpec,
        input: &[usize],
        kernel: &[usize],
        result: &[usize],
    ) -> Vec<Pass> {
        let (stride, input) = (triple(&spec.stride, 1), triple(input, 1));
        let pass = |first: Triple| {
            // The tap is over element `first` from the place whose number times the stride is their distance.
            let place = |tap: &Tap, a: usize| {
                let (distance, stride) = (first[a] as isize - tap.at[a], stride[a] as isize);
                (distance % stride == 0).then_some(distance / stride)
            };
            let meeting = |tap: Tap| {
                let at = [place(&tap, 0)?, place(&tap, 1)?, place(&tap, 2)?];
                Some(Tap { at, weight: tap.weight })
            };
            let pass = Pass {
                input: triple(result, 1),
                step: [1; 3],
                taps: taps(spec, kernel).filter_map(meeting).collect(),
                places: [0, 1, 2].map(|a| (input[a] - first[a]).div_ceil(stride[a])),
                result: input,
                first,
                spread: stride,
            };
            pass.flattened()
        };
        indices([0, 1, 2].map(|a| stride[a].min(input[a]))).map(pass).collect()
    }

    /// A kernel of one tap that looks at every element once has no need of rows.
    fn flattened(mut self) -> Pass {
        let plain = self.taps.len() == 1
            && self.taps[0].at == [0; 3]
            && self.step == [1; 3]
            && self.spread == [1; 3]
            && self.input == self.places;
        if plain {
            let flat = [1, 1, volume(self.input)];
            (self.input, self.places, self.result) = (flat, flat, flat);
        }
        self
    }

    /// The least and the greatest offset of a tap along each axis.
    pub fn reach(&self) -> [(isize, isize); 3] {
        [0, 1, 2].map(|a| {
            let along = || self.taps.iter().map(|tap| tap.at[a]);
            (along().min().unwrap_or(0), along().max().unwrap_or(0))
        })
    }
}

/// How the places of all samples are cut into tiles of whole samples or of a box of places in one.
#[derive(Clone, Debug)]
pub struct Tiling {
    samples: usize,
    pub places: Triple,
    /// Samples of a tile.
    pub together: usize,
    /// Places of a tile along each axis.
    pub block: Triple,
}

/// Some samples, and a box of places in each. Its columns are all of those places, row-major.
#[derive(Clone, Debug)]
pub struct Tile {
    pub samples: Range<usize>,
    pub first: Triple,
    pub extents: Triple,
}

/// Neighbouring columns of a tile along the last axis: which sample, and the first place, counted from the tile's.
pub struct Row {
    pub sample: usize,
    pub place: Triple,
    pub len: usize,
}

/// The size of each of the fewest equal parts of `n` that have at most `most`.
fn even(n: usize, most: usize) -> usize {
    let parts = n.div_ceil(most.clamp(1, n.max(1))).max(1);
    n.div_ceil(parts).max(1)
}

impl Tiling {
    /// Tiles of at most `columns` columns.
    pub fn new(samples: usize, places: Triple, columns: usize) -> Tiling {
        let [z, y, x] = places;
        let x = even(x, columns);
        let y = even(y, columns / x);
        let z = even(z, columns / (x * y));
        let block = [z, y, x];
        let together = if block == places { even(samples, columns / volume(block)) } else { 1 };
        Tiling { samples, places, together, block }
    }

    fn counts(&self) -> Triple {
        [0, 1, 2].map(|a| self.places[a].div_ceil(self.block[a]))
    }

    /// The number of tiles.
    pub fn len(&self) -> usize {
        self.samples.div_ceil(self.together) * volume(self.counts())
    }

    /// The most columns of a tile.
    pub fn columns(&self) -> usize {
        self.together * volume(self.block)
    }

    /// True where the columns of a tile follow each other in a result of these places.
    pub fn follows(&self) -> bool {
        let whole = |a: usize| self.block[a] == self.places[a];
        self.together == 1 && whole(2) && (whole(1) || self.places[0] == 1)
    }

    /// Tile `i` of a pass of these places, which are at most those of the tiling.
    pub fn tile(&self, i: usize, places: Triple) -> Tile {
        let [z, y, x] = self.counts();
        let at = [i / (y * x) % z, i / x % y, i % x];
        let start = i / (z * y * x) * self.together;
        let first = [0, 1, 2].map(|a| at[a] * self.block[a]);
        Tile {
            samples: start..(start + self.together).min(self.samples),
            first,
            extents: [0, 1, 2].map(|a| places[a].saturating_sub(first[a]).min(self.block[a])),
        }
    }
}

impl Tile {
    pub fn columns(&self) -> usize {
        self.samples.len() * volume(self.extents)
    }

    /// The rows of these columns, in order.
    pub fn rows(&self, columns: Range<usize>) -> impl Iterator<Item = Row> {
        let [z, y, x] = self.extents;
        let mut next = columns.start;
        std::iter::from_fn(move || {
            let (row, column) = (next / x.max(1), next % x.max(1));
            let len = (x - column).min(columns.end - next);
            next += len;
            let place = [row / y % z, row % y, column];
            (len > 0).then_some(Row { sample: row / (y * z), place, len })
        })
    }
}
