//! Where elements lie: offset and strides into a contiguous buffer.

use crate::shape::Shape;

/// The place of a tensor's elements in a buffer: element `[i, j, …]` lies at
/// `offset + i·strides[0] + j·strides[1] + …`, counted in elements. Strides may be zero (broadcast) or negative (flip).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    /// The extents.
    pub shape: Shape,
    /// One stride per axis, in elements.
    pub strides: Vec<isize>,
    /// The place of element `[0, 0, …]`.
    pub offset: usize,
}

impl Layout {
    /// Contiguous, row-major, from the buffer's start.
    pub fn contiguous(shape: &Shape) -> Layout {
        Layout { shape: shape.clone(), strides: shape.strides(), offset: 0 }
    }

    /// True where the elements lie one after the other in row-major order (at any offset).
    pub fn is_contiguous(&self) -> bool {
        self.shape.numel() == 0
            || self
                .shape
                .iter()
                .zip(self.strides.iter().zip(self.shape.strides()))
                .all(|(&extent, (&have, want))| extent == 1 || have == want)
    }

    /// The same elements under `shape`, where strides can say it: each axis of the new shape must lie within a
    /// run of old axes that are evenly spaced.
    pub fn reshape(&self, shape: &Shape) -> Option<Layout> {
        if self.shape.numel() != shape.numel() {
            return None;
        }
        if shape.numel() == 0 || self.is_contiguous() {
            let strides = shape.strides();
            return Some(Layout { shape: shape.clone(), strides, offset: self.offset });
        }
        let old: Vec<(usize, isize)> = (self.shape.iter().copied())
            .zip(self.strides.iter().copied())
            .filter(|&(extent, _)| extent != 1)
            .collect();
        let mut strides = vec![0isize; shape.rank()];
        let (mut from, mut to) = (0, 0);
        while from < old.len() {
            // Grow a group of old axes and a group of new axes until they hold the same number of elements.
            let (old_start, new_start) = (from, to);
            let (mut old_count, mut new_count) = (old[from].0, 1);
            from += 1;
            while to < shape.rank() && (new_count < old_count || shape[to] == 1) {
                new_count *= shape[to];
                to += 1;
                while new_count > old_count && from < old.len() {
                    old_count *= old[from].0;
                    from += 1;
                }
            }
            if old_count != new_count {
                return None;
            }
            let evenly =
                old[old_start..from].windows(2).all(|w| w[0].1 == w[1].1 * w[1].0 as isize);
            if !evenly {
                return None;
            }
            let mut stride = old[from - 1].1;
            for axis in (new_start..to).rev() {
                strides[axis] = stride;
                stride *= shape[axis] as isize;
            }
        }
        Some(Layout { shape: shape.clone(), strides, offset: self.offset })
    }

    /// The place of element `index`.
    pub fn at(&self, index: &[usize]) -> usize {
        let delta: isize = index.iter().zip(&self.strides).map(|(&i, &s)| i as isize * s).sum();
        self.offset.wrapping_add_signed(delta)
    }
}
