//! Random tensors: [`Random`]. Every task draws a range of its own; an element depends on its place alone.

use std::ops::Range;

use thalweg_graph::ops::{Random, RandomKind};
use thalweg_graph::random::Draw;
use thalweg_graph::{DType, OpError, Tensor};

use super::{Kernel, Memory, deal};
use crate::pool::Pool;

struct Drawn {
    op: Random,
    numel: usize,
}

pub(super) fn kernel(tensor: &Tensor) -> Option<Box<dyn Kernel>> {
    let op = tensor.op().downcast::<Random>()?.clone();
    Some(Box::new(Drawn { op, numel: tensor.numel() }))
}

impl Kernel for Drawn {
    unsafe fn run(&self, pool: &Pool, memory: Memory) -> Result<(), OpError> {
        // SAFETY: the key is two integers.
        let key = unsafe { memory.input::<[i64; 2]>(0).read() };
        let draw = self.op.draw(key);
        // A number costs about as much as moving eight.
        deal(pool, self.numel, 8, |range| {
            // SAFETY: the ranges are disjoint and lie inside the result.
            unsafe { self.fill(&draw, memory, range) }
        });
        Ok(())
    }
}

impl Drawn {
    /// # Safety
    /// The range lies inside the result and is this task's.
    unsafe fn fill(&self, draw: &Draw, memory: Memory, range: Range<usize>) {
        let first = range.start as u64;
        let places = first..range.end as u64;
        // SAFETY: the result has elements of the op's type.
        unsafe {
            match (self.op.kind, self.op.dtype) {
                (RandomKind::Bernoulli(p), _) => draw.fill_bernoulli(p, first, memory.part(range)),
                (RandomKind::Uniform, DType::F64) => {
                    let out: &mut [f64] = memory.part(range);
                    out.iter_mut().zip(places).for_each(|(x, i)| *x = draw.uniform_f64(i));
                }
                (RandomKind::Normal, DType::F64) => {
                    let out: &mut [f64] = memory.part(range);
                    out.iter_mut().zip(places).for_each(|(x, i)| *x = draw.normal_f64(i));
                }
                (RandomKind::Uniform, _) => draw.fill_uniform_f32(first, memory.part(range)),
                (RandomKind::Normal, _) => draw.fill_normal_f32(first, memory.part(range)),
            }
        }
    }
}
