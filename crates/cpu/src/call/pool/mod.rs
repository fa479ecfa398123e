//! Pooling: the greatest element of each window or the mean, and what their gradients are made of.
//!
//! A plane (one channel of one sample) is a piece of work. Windows side by side that have all their taps in the input are
//! worked on together, which the compiler turns into vector code; those at the ends one by one. The most frequent windows,
//! squares of two by two side by side, have kernels of their own: `pairs.rs`.

mod blocks;
mod lanes;
mod pairs;

use std::marker::PhantomData;
use std::ops::{Div, Range};

use thalweg_graph::ops::{
    AvgPool, AvgPoolGrad, MaxPool, MaxPoolGrad, MaxPoolPick, PoolSpec, Window,
};
use thalweg_graph::{DType, OpError, Tensor};

use super::{Kernel, Memory, deal};
use crate::gemm::{self, Element, launch};
use crate::isa::Isa;
use crate::pool::Pool;
use blocks::{Avg, AvgGrad, Block, Max, MaxGrad, NONE, Pick, beats};
use pairs::Pairs;

#[derive(Clone, Copy, PartialEq)]
enum What {
    Max,
    MaxGrad,
    MaxPick,
    Avg,
    AvgGrad,
}

impl What {
    /// True where the result has the input's extents.
    fn makes_planes(self) -> bool {
        matches!(self, What::MaxGrad | What::AvgGrad)
    }
}

/// A window along one axis.
struct Axis {
    window: Window,
    extent: usize,
    places: usize,
    /// For each place, the taps that a mean counts.
    counted: Vec<usize>,
}

/// One of the pooling ops. There are three axes; missing ones come first, with extent 1.
struct Pooling<T> {
    isa: Isa,
    what: What,
    axes: [Axis; 3],
    planes: usize,
    /// The places along each axis whose taps all lie in the input.
    inside: [Range<usize>; 3],
    /// Where the taps of such a window lie, counted from the first one.
    taps: Vec<usize>,
    element: PhantomData<fn(T) -> T>,
}

/// The numbers that are pooled.
trait Float: Element + PartialOrd + Div<Output = Self> {
    const LOWEST: Self;
    fn from_count(count: usize) -> Self;
}

impl Float for f32 {
    const LOWEST: f32 = f32::NEG_INFINITY;
    fn from_count(count: usize) -> f32 {
        count as f32
    }
}

impl Float for f64 {
    const LOWEST: f64 = f64::NEG_INFINITY;
    fn from_count(count: usize) -> f64 {
        count as f64
    }
}

pub(super) fn kernel(tensor: &Tensor, isa: Isa) -> Option<Box<dyn Kernel>> {
    let (op, first) = (tensor.op(), tensor.inputs().first()?);
    let (what, spec, input, padding_counts) = if let Some(MaxPool { spec }) = op.downcast() {
        (What::Max, spec, first, false)
    } else if let Some(MaxPoolGrad { spec }) = op.downcast() {
        (What::MaxGrad, spec, first, false)
    } else if let Some(MaxPoolPick { spec }) = op.downcast() {
        (What::MaxPick, spec, first, false)
    } else if let Some(AvgPool { spec, count_include_pad }) = op.downcast() {
        (What::Avg, spec, first, *count_include_pad)
    } else if let Some(AvgPoolGrad { pool, .. }) = op.downcast() {
        (What::AvgGrad, &pool.spec, tensor, pool.count_include_pad)
    } else {
        return None;
    };
    let axes = axes(spec, &input.shape()[2..], padding_counts);
    let planes = input.shape()[0] * input.shape()[1];
    let pairs = axes[0].is_one() && axes[1..].iter().all(Axis::is_pairs);
    if pairs && tensor.dtype() == DType::F32 && what != What::MaxPick {
        let [rows, columns] = [axes[1].extent, axes[2].extent];
        return Some(Box::new(Pairs { isa, what, planes, rows, columns }));
    }
    Some(match tensor.dtype() {
        DType::F64 => Box::new(Pooling::<f64>::new(isa, what, axes, planes)?),
        _ => Box::new(Pooling::<f32>::new(isa, what, axes, planes)?),
    })
}

impl Axis {
    /// True where nothing is pooled along it.
    fn is_one(&self) -> bool {
        self.extent == 1 && self.places == 1 && self.window.kernel == 1
    }

    /// True where windows of two lie side by side, with at most one element left.
    fn is_pairs(&self) -> bool {
        let Window { kernel, stride, before, dilation, .. } = self.window;
        [kernel, stride, before, dilation] == [2, 2, 0, 1] && self.places == self.extent / 2
    }

    /// The places whose taps all lie in the input.
    fn inside(&self) -> Range<usize> {
        let Window { kernel, stride, before, dilation, .. } = self.window;
        let first = before.div_ceil(stride);
        let span = dilation * (kernel - 1);
        let end = (self.extent + before).saturating_sub(span).div_ceil(stride);
        first.min(self.places)..end.clamp(first.min(self.places), self.places)
    }
}

fn axes(spec: &PoolSpec, extents: &[usize], padding_counts: bool) -> [Axis; 3] {
    let one = Window { kernel: 1, stride: 1, before: 0, after: 0, dilation: 1 };
    let windows = spec.windows();
    let missing = 3 - windows.len();
    std::array::from_fn(|a| {
        let (window, extent) = match a.checked_sub(missing) {
            Some(a) => (windows[a], extents[a]),
            None => (one, 1),
        };
        let places = window.places(extent, spec.ceil).unwrap_or(0);
        let count = |place: usize| {
            let counts = |tap: &usize| match padding_counts {
                true => window.at(place, *tap) < extent + window.before + window.after,
                false => window.element(place, *tap, extent).is_some(),
            };
            (0..window.kernel).filter(counts).count()
        };
        Axis { window, extent, places, counted: (0..places).map(count).collect() }
    })
}

impl<T: Float> Kernel for Pooling<T> {
    unsafe fn run(&self, pool: &Pool, memory: Memory) -> Result<(), OpError> {
        let sizes = [self.size(|axis| axis.extent), self.size(|axis| axis.places)];
        let work = self.size(|axis| axis.places * axis.window.kernel).max(sizes[0]);
        deal(pool, self.planes, work, |planes| {
            for plane in planes {
                let [input, result] = sizes.map(|size| plane * size);
                // SAFETY: the plane lies within the tensors, and this task alone writes it.
                unsafe {
                    let (from, other, to) = match self.what {
                        What::Max | What::Avg => (input, 0, result),
                        What::MaxGrad => (input, result, input),
                        What::MaxPick => (input, input, result),
                        What::AvgGrad => (result, 0, input),
                    };
                    let (x, to) = (memory.input::<T>(0).add(from), memory.to::<T>().add(to));
                    let other = memory.input::<T>(1).wrapping_add(other);
                    launch::<T>(self.isa, Plane { pooling: self, x, other, to });
                }
            }
        });
        Ok(())
    }
}

impl<T> Pooling<T> {
    /// `None` where a plane has more elements than are counted here.
    fn new(isa: Isa, what: What, axes: [Axis; 3], planes: usize) -> Option<Self> {
        let inside = axes.each_ref().map(Axis::inside);
        let [z, y, x] = axes.each_ref().map(|axis| axis.window);
        let rows = (0..z.kernel).flat_map(|i| (0..y.kernel).map(move |j| (i, j)));
        let taps = rows.flat_map(|(i, j)| {
            let row = i * z.dilation * axes[1].extent + j * y.dilation;
            (0..x.kernel).map(move |k| (row, k * x.dilation))
        });
        let columns = axes[2].extent;
        let taps = match inside.iter().any(Range::is_empty) {
            // No window is as far as its taps reach.
            true => vec![],
            false => taps.map(|(row, at)| row * columns + at).collect(),
        };
        let pooling = Pooling { isa, what, axes, planes, inside, taps, element: PhantomData };
        (pooling.size(|axis| axis.extent) < NONE as usize).then_some(pooling)
    }

    fn size(&self, of: impl Fn(&Axis) -> usize) -> usize {
        self.axes.iter().map(of).product()
    }
}

/// One plane of a pooling.
struct Plane<'a, T> {
    pooling: &'a Pooling<T>,
    x: *const T,
    other: *const T,
    to: *mut T,
}

impl<T: Float, V> gemm::Kernel<V> for Plane<'_, T> {
    #[inline(always)]
    unsafe fn run(self) {
        // SAFETY: the plane is this task's.
        unsafe {
            match self.pooling.what {
                What::Max => self.each::<Max>(),
                What::Avg => self.each::<Avg>(),
                What::MaxPick => self.each::<Pick>(),
                What::MaxGrad => {
                    self.clear();
                    self.each::<MaxGrad>();
                }
                What::AvgGrad => {
                    self.clear();
                    self.each::<AvgGrad>();
                }
            }
        }
    }
}

impl<T: Float> Plane<'_, T> {
    /// # Safety
    /// The result is of the input's extents.
    #[inline(always)]
    unsafe fn clear(&self) {
        let size = self.pooling.size(|axis| axis.extent);
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.to, size) }.fill(T::default());
    }

    /// All windows.
    ///
    /// # Safety
    /// As for [`Block::run`].
    #[inline(always)]
    unsafe fn each<B: Block<T>>(&self) {
        let [z, y, x] = &self.pooling.axes;
        let inside = &self.pooling.inside[2];
        for row in 0..z.places * y.places {
            let run = |x: usize| [row / y.places, row % y.places, x];
            let number = row * x.places;
            // SAFETY: the caller's promise; those inside have all their taps in the input.
            unsafe {
                for x in (0..inside.start).chain(inside.end..x.places) {
                    B::run::<1, 1>(self, run(x), number + x);
                }
                match x.window.stride {
                    1 => self.side_by_side::<B, 1>(run(0), inside.clone(), number),
                    2 => self.side_by_side::<B, 2>(run(0), inside.clone(), number),
                    _ => {
                        for x in inside.clone() {
                            B::run::<1, 1>(self, run(x), number + x);
                        }
                    }
                }
            }
        }
    }

    /// # Safety
    /// As for [`Block::run`].
    #[inline(always)]
    unsafe fn side_by_side<B: Block<T>, const S: usize>(
        &self,
        [z, y, _]: [usize; 3],
        inside: Range<usize>,
        number: usize,
    ) {
        let mut x = inside.start;
        // SAFETY: the caller's promise.
        unsafe {
            self.blocks::<B, 16, S>([z, y], &mut x, inside.end, number);
            self.blocks::<B, 8, S>([z, y], &mut x, inside.end, number);
            self.blocks::<B, 4, S>([z, y], &mut x, inside.end, number);
            for x in x..inside.end {
                B::run::<1, S>(self, [z, y, x], number + x);
            }
        }
    }

    /// As many whole blocks as there are from `x` on; where blocks only assign, the last one overlaps the one before.
    ///
    /// # Safety
    /// As for [`Block::run`].
    #[inline(always)]
    unsafe fn blocks<B: Block<T>, const C: usize, const S: usize>(
        &self,
        [z, y]: [usize; 2],
        x: &mut usize,
        end: usize,
        number: usize,
    ) {
        let first = *x;
        // SAFETY: the caller's promise.
        unsafe {
            while *x + C <= end {
                B::run::<C, S>(self, [z, y, *x], number + *x);
                *x += C;
            }
            if B::ASSIGNS && first < *x && *x < end {
                B::run::<C, S>(self, [z, y, end - C], number + end - C);
                *x = end;
            }
        }
    }

    /// Calls `f` with the element under each tap of the window at `place`, row-major.
    #[inline(always)]
    fn taps(&self, place: [usize; 3], mut f: impl FnMut(usize)) {
        let [z, y, x] = &self.pooling.axes;
        if (0..3).all(|a| self.pooling.inside[a].contains(&place[a])) {
            let [z, y, x] = [(z, 0), (y, 1), (x, 2)]
                .map(|(axis, a)| axis.window.stride * place[a] - axis.window.before);
            let [_, rows, columns] = self.pooling.axes.each_ref().map(|axis| axis.extent);
            let first = (z * rows + y) * columns + x;
            return self.pooling.taps.iter().for_each(|tap| f(first + tap));
        }
        for tap in 0..z.window.kernel {
            let Some(at_z) = z.window.element(place[0], tap, z.extent) else { continue };
            for tap in 0..y.window.kernel {
                let Some(at_y) = y.window.element(place[1], tap, y.extent) else { continue };
                let row = (at_z * y.extent + at_y) * x.extent;
                for tap in 0..x.window.kernel {
                    if let Some(at_x) = x.window.element(place[2], tap, x.extent) {
                        f(row + at_x);
                    }
                }
            }
        }
    }

    /// The first greatest element of each window (the first NaN where there is one); `NONE` where all taps miss.
    ///
    /// # Safety
    /// As for [`Block::run`].
    #[inline(always)]
    unsafe fn winners<const C: usize, const S: usize>(&self, place: [usize; 3]) -> [u32; C] {
        let (mut best, mut winner) = ([T::LOWEST; C], [NONE; C]);
        self.taps(place, |at| {
            for i in 0..C {
                // SAFETY: the tap lies in the input.
                let x = unsafe { *self.x.add(at + i * S) };
                let takes = (winner[i] == NONE) | beats(x, best[i]);
                best[i] = if takes { x } else { best[i] };
                winner[i] = if takes { (at + i * S) as u32 } else { winner[i] };
            }
        });
        winner
    }

    /// The number of elements that the mean of a window counts.
    #[inline(always)]
    fn divisor(&self, [z, y, x]: [usize; 3]) -> T {
        let axes = &self.pooling.axes;
        let count = axes[0].counted[z] * axes[1].counted[y] * axes[2].counted[x];
        T::from_count(count.max(1))
    }
}
