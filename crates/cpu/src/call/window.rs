//! Windows at a place known only at run time: [`SliceAt`], [`UpdateSliceAt`].

use thalweg_graph::ops::window_at::window_starts;
use thalweg_graph::ops::{SliceAt, UpdateSliceAt};
use thalweg_graph::{OpError, Shape, Tensor};

use super::cells::Axes;
use super::{Kernel, Memory, deal};
use crate::pool::Pool;

/// Copies a window out of a tensor, or into a copy of one.
struct Window {
    shape: Shape,
    window: Shape,
    strides: Vec<usize>,
    /// The window's rows in the tensor, and their length.
    rows: Axes,
    len: usize,
    size: usize,
    /// True where the window is written.
    writes: bool,
}

pub(super) fn kernel(tensor: &Tensor) -> Option<Box<dyn Kernel>> {
    let inputs = tensor.inputs();
    let writes = tensor.op().downcast::<UpdateSliceAt>().is_some();
    let window = match writes {
        true => inputs[1].shape(),
        false => &tensor.op().downcast::<SliceAt>()?.lens,
    };
    let shape = inputs[0].shape();
    let strides = shape.strides();
    // The last axes that are taken whole make one row together with the axis before them.
    let mut split = shape.rank().saturating_sub(1);
    while split > 0 && window[split] == shape[split] {
        split -= 1;
    }
    Some(Box::new(Window {
        rows: Axes::new(&window[..split], &strides[..split]),
        len: window[split..].iter().product(),
        strides: strides.iter().map(|&s| s as usize).collect(),
        shape: shape.clone(),
        window: window.clone(),
        size: tensor.dtype().size(),
        writes,
    }))
}

impl Kernel for Window {
    unsafe fn run(&self, pool: &Pool, memory: Memory) -> Result<(), OpError> {
        // SAFETY: the starts are the last input, one for each axis.
        let starts: &[i64] = unsafe { memory.slice(1 + self.writes as usize, self.shape.rank()) };
        let fits = |axis: usize| {
            (0..=(self.shape[axis] - self.window[axis]) as i64).contains(&starts[axis])
        };
        if !(0..starts.len()).all(fits) {
            window_starts(starts, &self.window, &self.shape)?;
        }
        let first: usize = starts.iter().zip(&self.strides).map(|(&i, s)| i as usize * s).sum();
        let bytes = self.len * self.size;
        let (x, to) = (memory.input::<u8>(0), memory.to::<u8>());
        if self.writes {
            // SAFETY: the result has as many elements as the tensor.
            unsafe { to.copy_from_nonoverlapping(x, self.shape.numel() * self.size) };
        }
        let rows = self.window.numel() / self.len.max(1);
        deal(pool, rows, self.len, |range| {
            for row in range {
                let place = (first + self.rows.place(row)) * self.size;
                // SAFETY: the window has been found to lie inside the tensor; each row is one task's.
                unsafe {
                    if self.writes {
                        let update = memory.input::<u8>(1).add(row * bytes);
                        memory.to::<u8>().add(place).copy_from_nonoverlapping(update, bytes);
                    } else {
                        let from = memory.input::<u8>(0).add(place);
                        memory.to::<u8>().add(row * bytes).copy_from_nonoverlapping(from, bytes);
                    }
                }
            }
        });
        Ok(())
    }
}
