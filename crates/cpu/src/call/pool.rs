//! Pooling: the greatest element of each window or the mean, and what their gradients are made of.
//!
//! A plane (one channel of one sample) is a task. Results are made row by row: for each tap one pass over the whole row,
//! which the compiler turns into vector code.

use std::marker::PhantomData;
use std::ops::Div;

use thalweg_graph::ops::{
    AvgPool, AvgPoolGrad, MaxPool, MaxPoolGrad, MaxPoolPick, PoolSpec, Window,
};
use thalweg_graph::{DType, OpError, Tensor};

use super::{Kernel, Memory, deal};
use crate::gemm::{self, Element, launch};
use crate::isa::Isa;
use crate::pool::Pool;

#[derive(Clone, Copy, PartialEq)]
enum What {
    Max,
    MaxGrad,
    MaxPick,
    Avg,
    AvgGrad,
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
    Some(match tensor.dtype() {
        DType::F64 => Box::new(Pooling::<f64> { isa, what, axes, planes, element: PhantomData }),
        _ => Box::new(Pooling::<f32> { isa, what, axes, planes, element: PhantomData }),
    })
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
                    let x = memory.input::<T>(0).add(from);
                    let other = memory.input::<T>(1).wrapping_add(other);
                    launch::<T>(
                        self.isa,
                        Plane { pooling: self, x, other, to: memory.to::<T>().add(to) },
                    );
                }
            }
        });
        Ok(())
    }
}

impl<T> Pooling<T> {
    fn size(&self, of: impl Fn(&Axis) -> usize) -> usize {
        self.axes.iter().map(of).product()
    }
}

/// The places along an axis whose element under `tap` lies in the input: the first and one past the last, and the first
/// one's element.
#[inline(always)]
fn inside(axis: &Axis, tap: usize) -> (usize, usize, usize) {
    let Window { stride, before, .. } = axis.window;
    let at = axis.window.at(0, tap);
    let first = before.saturating_sub(at).div_ceil(stride);
    let end = (axis.extent + before).saturating_sub(at).div_ceil(stride).min(axis.places);
    (first.min(end), end, (first * stride + at).wrapping_sub(before))
}

/// Places of a row that are worked on together.
const ROW: usize = 64;

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
        let [z, y, x] = &self.pooling.axes;
        if matches!(self.pooling.what, What::MaxGrad | What::AvgGrad) {
            let size = self.pooling.size(|axis| axis.extent);
            // SAFETY: the plane is this task's.
            unsafe { std::slice::from_raw_parts_mut(self.to, size).fill(T::default()) };
        }
        for place_z in 0..z.places {
            for place_y in 0..y.places {
                for first in (0..x.places).step_by(ROW) {
                    let row = (place_z * y.places + place_y) * x.places + first;
                    let len = ROW.min(x.places - first);
                    let place = [place_z, place_y, first];
                    // SAFETY: the places lie in the plane.
                    unsafe {
                        match self.pooling.what {
                            What::Max => self.max(place, row, len),
                            What::MaxGrad | What::MaxPick => self.winners(place, row, len),
                            What::Avg => self.avg(place, row, len),
                            What::AvgGrad => self.avg_grad(place, row, len),
                        }
                    }
                }
            }
        }
    }
}

impl<T: Float> Plane<'_, T> {
    /// Calls `f(places, element)` for each tap of `len` windows from `place` on, row-major: the windows (counted from
    /// the first) whose tap lies in the input, and the first one's element.
    #[inline(always)]
    fn taps(
        &self,
        place: [usize; 3],
        len: usize,
        mut f: impl FnMut(std::ops::Range<usize>, usize),
    ) {
        let [z, y, x] = &self.pooling.axes;
        for tap_z in 0..z.window.kernel {
            let Some(at_z) = z.window.element(place[0], tap_z, z.extent) else { continue };
            for tap_y in 0..y.window.kernel {
                let Some(at_y) = y.window.element(place[1], tap_y, y.extent) else { continue };
                let row = (at_z * y.extent + at_y) * x.extent;
                for tap in 0..x.window.kernel {
                    let (first, end, element) = inside(x, tap);
                    let start = first.max(place[2]);
                    let end = end.min(place[2] + len);
                    if start < end {
                        let at = row + element.wrapping_add((start - first) * x.window.stride);
                        f(start - place[2]..end - place[2], at);
                    }
                }
            }
        }
    }

    /// # Safety
    /// The windows lie in the plane.
    #[inline(always)]
    unsafe fn max(&self, place: [usize; 3], row: usize, len: usize) {
        let stride = self.pooling.axes[2].window.stride;
        // SAFETY: the row lies in the result, and the elements in the input.
        unsafe {
            let to = self.to.add(row);
            (0..len).for_each(|i| *to.add(i) = T::LOWEST);
            self.taps(place, len, |places, at| {
                let (to, from) = (to.add(places.start), self.x.add(at));
                strided(places.len(), stride, |i, j| {
                    let (x, best) = (*from.add(j), *to.add(i));
                    *to.add(i) = if x > best || is_nan(x) { x } else { best };
                });
            });
        }
    }

    /// # Safety
    /// As for `max`.
    #[inline(always)]
    unsafe fn winners(&self, place: [usize; 3], row: usize, len: usize) {
        let stride = self.pooling.axes[2].window.stride;
        let mut best = [T::LOWEST; ROW];
        let mut winner = [usize::MAX; ROW];
        // SAFETY: the row lies in the result, and the elements in the input; a window has at most `ROW` places here.
        unsafe {
            self.taps(place, len, |places, at| {
                let (best, winner) = (&mut best[places.clone()], &mut winner[places.clone()]);
                strided(places.len(), stride, |i, j| {
                    let (x, seen) = (*self.x.add(at + j), *best.get_unchecked(i));
                    let known = *winner.get_unchecked(i) != usize::MAX;
                    let takes = !known || (!is_nan(seen) && (x > seen || is_nan(x)));
                    *best.get_unchecked_mut(i) = if takes { x } else { seen };
                    *winner.get_unchecked_mut(i) =
                        if takes { at + j } else { *winner.get_unchecked(i) };
                });
            });
            for (i, &winner) in winner.iter().enumerate().take(len) {
                match (self.pooling.what, winner) {
                    (What::MaxGrad, usize::MAX) => {}
                    (What::MaxGrad, winner) => *self.to.add(winner) += *self.other.add(row + i),
                    (_, usize::MAX) => *self.to.add(row + i) = T::default(),
                    (_, winner) => *self.to.add(row + i) = *self.other.add(winner),
                }
            }
        }
    }

    /// The number of elements that the mean of a window counts.
    #[inline(always)]
    fn divisor(&self, [z, y, x]: [usize; 3]) -> T {
        let axes = &self.pooling.axes;
        let count = axes[0].counted[z] * axes[1].counted[y] * axes[2].counted[x];
        T::from_count(count.max(1))
    }

    /// # Safety
    /// As for `max`.
    #[inline(always)]
    unsafe fn avg(&self, place: [usize; 3], row: usize, len: usize) {
        let stride = self.pooling.axes[2].window.stride;
        let [z, y, x] = place;
        // SAFETY: the row lies in the result, and the elements in the input.
        unsafe {
            let to = self.to.add(row);
            (0..len).for_each(|i| *to.add(i) = T::default());
            self.taps(place, len, |places, at| {
                let (to, from) = (to.add(places.start), self.x.add(at));
                strided(places.len(), stride, |i, j| *to.add(i) += *from.add(j));
            });
            (0..len).for_each(|i| *to.add(i) = *to.add(i) / self.divisor([z, y, x + i]));
        }
    }

    /// # Safety
    /// As for `max`.
    #[inline(always)]
    unsafe fn avg_grad(&self, place: [usize; 3], row: usize, len: usize) {
        let stride = self.pooling.axes[2].window.stride;
        let [z, y, x] = place;
        let mut share = [T::default(); ROW];
        for (i, share) in share.iter_mut().enumerate().take(len) {
            // SAFETY: the row lies in the cotangent.
            *share = unsafe { *self.x.add(row + i) } / self.divisor([z, y, x + i]);
        }
        self.taps(place, len, |places, at| {
            let share = &share[places.clone()];
            // SAFETY: the elements lie in the plane.
            strided(places.len(), stride, |i, j| unsafe {
                *self.to.add(at + j) += *share.get_unchecked(i);
            });
        });
    }
}

/// Calls `f(i, i·stride)` for `i < n`; the usual strides are known to the compiler.
#[inline(always)]
fn strided(n: usize, stride: usize, mut f: impl FnMut(usize, usize)) {
    match stride {
        1 => (0..n).for_each(|i| f(i, i)),
        2 => (0..n).for_each(|i| f(i, 2 * i)),
        _ => (0..n).for_each(|i| f(i, stride * i)),
    }
}

/// A NaN is the one thing that differs from itself.
#[inline(always)]
#[allow(clippy::eq_op)]
fn is_nan<T: PartialEq + Copy>(x: T) -> bool {
    x != x
}
