//! What is done with the windows of a pooling, one or several side by side.

use super::{Float, Plane};

/// What is done with `C` windows side by side, `S` elements apart along the last axis. Those of more than one window have
/// all their taps along it in the input.
pub(super) trait Block<T> {
    /// True where running the same windows twice changes nothing.
    const ASSIGNS: bool;

    /// # Safety
    /// The windows lie in the plane; the first one is number `number`, at `place`.
    unsafe fn run<const C: usize, const S: usize>(
        plane: &Plane<T>,
        place: [usize; 3],
        number: usize,
    );
}

pub(super) struct Max;
pub(super) struct Avg;
pub(super) struct Pick;
pub(super) struct MaxGrad;
pub(super) struct AvgGrad;

/// A winner where there is none.
pub(super) const NONE: u32 = u32::MAX;

impl<T: Float> Block<T> for Max {
    const ASSIGNS: bool = true;

    #[inline(always)]
    unsafe fn run<const C: usize, const S: usize>(
        plane: &Plane<T>,
        place: [usize; 3],
        number: usize,
    ) {
        let mut best = [T::LOWEST; C];
        plane.taps(place, |at| {
            for (i, best) in best.iter_mut().enumerate() {
                // SAFETY: the tap lies in the input.
                let x = unsafe { *plane.x.add(at + i * S) };
                // A NaN stays: nothing is greater.
                *best = if (x > *best) | is_nan(x) { x } else { *best };
            }
        });
        // SAFETY: the windows lie in the plane.
        unsafe { plane.to.add(number).cast::<[T; C]>().write_unaligned(best) };
    }
}

impl<T: Float> Block<T> for Avg {
    const ASSIGNS: bool = true;

    #[inline(always)]
    unsafe fn run<const C: usize, const S: usize>(
        plane: &Plane<T>,
        place: [usize; 3],
        number: usize,
    ) {
        let mut sum = [T::default(); C];
        plane.taps(place, |at| {
            for (i, sum) in sum.iter_mut().enumerate() {
                // SAFETY: the tap lies in the input.
                *sum += unsafe { *plane.x.add(at + i * S) };
            }
        });
        let [z, y, x] = place;
        for (i, sum) in sum.into_iter().enumerate() {
            // SAFETY: the windows lie in the plane.
            unsafe { *plane.to.add(number + i) = sum / plane.divisor([z, y, x + i]) };
        }
    }
}

impl<T: Float> Block<T> for Pick {
    const ASSIGNS: bool = true;

    #[inline(always)]
    unsafe fn run<const C: usize, const S: usize>(
        plane: &Plane<T>,
        place: [usize; 3],
        number: usize,
    ) {
        // SAFETY: the windows lie in the plane, and winners in the input.
        unsafe {
            for (i, winner) in plane.winners::<C, S>(place).into_iter().enumerate() {
                *plane.to.add(number + i) = match winner {
                    NONE => T::default(),
                    _ => *plane.other.add(winner as usize),
                };
            }
        }
    }
}

impl<T: Float> Block<T> for MaxGrad {
    const ASSIGNS: bool = false;

    #[inline(always)]
    unsafe fn run<const C: usize, const S: usize>(
        plane: &Plane<T>,
        place: [usize; 3],
        number: usize,
    ) {
        // SAFETY: the windows lie in the plane, and winners in the input.
        unsafe {
            for (i, winner) in plane.winners::<C, S>(place).into_iter().enumerate() {
                if winner != NONE {
                    *plane.to.add(winner as usize) += *plane.other.add(number + i);
                }
            }
        }
    }
}

impl<T: Float> Block<T> for AvgGrad {
    const ASSIGNS: bool = false;

    #[inline(always)]
    unsafe fn run<const C: usize, const S: usize>(
        plane: &Plane<T>,
        place: [usize; 3],
        number: usize,
    ) {
        let [z, y, x] = place;
        // SAFETY: the windows lie in the plane, and their elements in the result.
        unsafe {
            let share: [T; C] =
                std::array::from_fn(|i| *plane.x.add(number + i) / plane.divisor([z, y, x + i]));
            plane.taps(place, |at| {
                for (i, share) in share.iter().enumerate() {
                    *plane.to.add(at + i * S) += *share;
                }
            });
        }
    }
}

/// True where x is greater than the best element so far; NaN is greater than all. Without branches, for vector code.
#[inline(always)]
pub(super) fn beats<T: Float>(x: T, best: T) -> bool {
    !is_nan(best) & ((x > best) | is_nan(x))
}

/// A NaN is the one thing that differs from itself.
#[inline(always)]
#[allow(clippy::eq_op)]
pub(super) fn is_nan<T: PartialEq + Copy>(x: T) -> bool {
    x != x
}
