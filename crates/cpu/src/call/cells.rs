//! Where elements lie that a kernel reaches by counting over some axes of a tensor.

/// Axes of a tensor to count over, joined where they are evenly spaced.
pub struct Axes {
    /// (extent, stride), innermost first.
    axes: Vec<(usize, usize)>,
}

impl Axes {
    /// Counts over `extents`, outermost first, whose neighbours lie `strides` elements apart.
    pub fn new(extents: &[usize], strides: &[isize]) -> Axes {
        let mut axes: Vec<(usize, usize)> = vec![];
        for (&extent, &stride) in extents.iter().zip(strides).rev() {
            let stride = stride as usize;
            match axes.last_mut() {
                _ if extent == 1 => {}
                Some((count, step)) if stride == *step * *count => *count *= extent,
                _ => axes.push((extent, stride)),
            }
        }
        Axes { axes }
    }

    /// Elements before the `i`-th place.
    #[inline]
    pub fn place(&self, i: usize) -> usize {
        match *self.axes {
            [] => 0,
            [(_, stride)] => i * stride,
            _ => {
                let mut rest = i;
                let mut place = 0;
                for &(extent, stride) in &self.axes {
                    place += rest % extent * stride;
                    rest /= extent;
                }
                place
            }
        }
    }
}
