//! Shapes: the extents of a tensor, broadcasting, axes.

use std::fmt;
use std::ops::Deref;

/// The extents of a tensor, outermost first. A scalar has the empty shape `[]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Shape(Vec<usize>);

impl Shape {
    /// The shape of a scalar, `[]`.
    pub fn scalar() -> Self {
        Shape(Vec::new())
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The extents as a slice.
    pub fn dims(&self) -> &[usize] {
        &self.0
    }

    /// The number of elements: the product of the extents, 1 for a scalar.
    /// [`Shape::checked_numel`] has already been asked of every tensor's shape, so this cannot overflow there.
    pub fn numel(&self) -> usize {
        self.0.iter().product()
    }

    /// The number of elements, or `None` where it (or its size in bytes at 8 bytes an element)
    /// does not fit into `isize`.
    pub fn checked_numel(&self) -> Option<usize> {
        // An extent of zero makes the product zero, whatever the others say; still, the others must
        // not overflow on their own, since strides are computed from them.
        let product = self.0.iter().try_fold(1usize, |n, &d| n.checked_mul(d.max(1)))?;
        let bytes = product.checked_mul(8)?;
        (bytes <= isize::MAX as usize).then(|| self.numel())
    }

    /// Row-major strides in elements; an axis of extent 1 keeps its natural stride.
    pub fn strides(&self) -> Vec<isize> {
        let mut strides = vec![1isize; self.rank()];
        for i in (0..self.rank().saturating_sub(1)).rev() {
            strides[i] = strides[i + 1] * self.0[i + 1].max(1) as isize;
        }
        strides
    }

    /// The common shape of `self` and `other` under NumPy's broadcasting rules: aligned at the last
    /// axis, extents must be equal or 1. `None` where they do not fit.
    pub fn broadcast_with(&self, other: &Shape) -> Option<Shape> {
        let rank = self.rank().max(other.rank());
        let mut dims = vec![0; rank];
        for (i, d) in dims.iter_mut().enumerate() {
            let a = (i + self.rank()).checked_sub(rank).map_or(1, |j| self.0[j]);
            let b = (i + other.rank()).checked_sub(rank).map_or(1, |j| other.0[j]);
            *d = match (a, b) {
                (a, b) if a == b => a,
                (1, b) => b,
                (a, 1) => a,
                _ => return None,
            };
        }
        Some(Shape(dims))
    }

    /// True where a tensor of this shape can be broadcast to `target`.
    pub fn broadcasts_to(&self, target: &Shape) -> bool {
        self.broadcast_with(target).as_ref() == Some(target)
    }

    /// The shape without the axes `axes` (sorted, unique); with `keepdim` they stay with extent 1.
    pub fn reduced(&self, axes: &[usize], keepdim: bool) -> Shape {
        let dims = self.0.iter().enumerate();
        Shape(match keepdim {
            true => dims.map(|(i, &d)| if axes.contains(&i) { 1 } else { d }).collect(),
            false => dims.filter(|(i, _)| !axes.contains(i)).map(|(_, &d)| d).collect(),
        })
    }

    /// Every multi-index of this shape in row-major order.
    pub fn indices(&self) -> Indices {
        Indices { dims: self.0.clone(), next: (self.numel() > 0).then(|| vec![0; self.rank()]) }
    }
}

/// Iterator over the multi-indices of a shape; made by [`Shape::indices`].
pub struct Indices {
    dims: Vec<usize>,
    next: Option<Vec<usize>>,
}

impl Iterator for Indices {
    type Item = Vec<usize>;

    fn next(&mut self) -> Option<Vec<usize>> {
        let current = self.next.take()?;
        let mut following = current.clone();
        for axis in (0..self.dims.len()).rev() {
            following[axis] += 1;
            if following[axis] < self.dims[axis] {
                self.next = Some(following);
                break;
            }
            following[axis] = 0;
        }
        Some(current)
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl From<&[usize]> for Shape {
    fn from(dims: &[usize]) -> Self {
        Shape(dims.to_vec())
    }
}

impl From<Vec<usize>> for Shape {
    fn from(dims: Vec<usize>) -> Self {
        Shape(dims)
    }
}

impl From<&Vec<usize>> for Shape {
    fn from(dims: &Vec<usize>) -> Self {
        Shape(dims.clone())
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(dims: [usize; N]) -> Self {
        Shape(dims.to_vec())
    }
}

impl<const N: usize> From<&[usize; N]> for Shape {
    fn from(dims: &[usize; N]) -> Self {
        Shape(dims.to_vec())
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Self {
        shape.clone()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// Resolves an axis that may count from the end (`-1` is the last): `None` where it is out of range.
pub fn resolve_axis(axis: isize, rank: usize) -> Option<usize> {
    let resolved = if axis < 0 { axis + rank as isize } else { axis };
    (0..rank as isize).contains(&resolved).then_some(resolved as usize)
}
