//! Random tensors: [`Random`]. Every task draws a range of its own; an element depends on its place alone.
//!
//! Dropout draws a number for each activation of each step, so what it needs is vector code: the generator of
//! [`thalweg_graph::random`], eight blocks side by side.

use std::ops::Range;

use thalweg_graph::ops::{Random, RandomKind};
use thalweg_graph::random::Draw;
use thalweg_graph::{DType, OpError, Tensor};

use super::{Kernel, Memory, deal};
use crate::dispatch::isa_fn;
use crate::isa::Isa;
use crate::pool::Pool;

/// Blocks that are drawn side by side.
const LANES: usize = 8;
/// Numbers in them: four to a block.
const GROUP: usize = 4 * LANES;

struct Drawn {
    op: Random,
    numel: usize,
    isa: Isa,
}

pub(super) fn kernel(tensor: &Tensor, isa: Isa) -> Option<Box<dyn Kernel>> {
    let op = tensor.op().downcast::<Random>()?.clone();
    Some(Box::new(Drawn { op, numel: tensor.numel(), isa }))
}

/// The words of the blocks from `first` on, `GROUP` of them; the layout of the counter is that of [`Draw::block`].
#[inline(always)]
fn words(draw: &Draw, first: u64) -> [u32; GROUP] {
    let halves = |x: u64| [x as u32, (x >> 32) as u32];
    let ([step, step_high], [stream, stream_high]) = (halves(draw.step), halves(draw.stream));
    let [mut k0, mut k1] = halves(draw.seed);
    let (mut a, mut b) = ([0; LANES], [0; LANES]);
    let (mut c, mut d) = ([stream; LANES], [stream_high ^ step_high; LANES]);
    for lane in 0..LANES {
        let [low, high] = halves(first + lane as u64);
        (a[lane], b[lane]) = (low, step.wrapping_add(high.wrapping_mul(0x9E37_79B9)));
    }
    // One loop for each array: that is what the compiler makes vector code of.
    let low = |x: [u32; LANES], factor: u32| x.map(|x| x.wrapping_mul(factor));
    let high = |x: [u32; LANES], factor: u32| x.map(|x| ((x as u64 * factor as u64) >> 32) as u32);
    let mix = |x: [u32; LANES], mut y: [u32; LANES], key: u32| {
        y.iter_mut().zip(x).for_each(|(y, x)| *y ^= x ^ key);
        y
    };
    for _ in 0..10 {
        let (p0, p1) = (high(a, 0xD251_1F53), high(c, 0xCD9E_8D57));
        let (q0, q1) = (low(a, 0xD251_1F53), low(c, 0xCD9E_8D57));
        (a, b, c, d) = (mix(p1, b, k0), q1, mix(p0, d, k1), q0);
        (k0, k1) = (k0.wrapping_add(0x9E37_79B9), k1.wrapping_add(0xBB67_AE85));
    }
    let mut out = [0; GROUP];
    for (lane, block) in out.chunks_exact_mut(4).enumerate() {
        block.copy_from_slice(&[a[lane], b[lane], c[lane], d[lane]]);
    }
    out
}

/// As [`Draw::uniform_f32`] makes a number of a word.
#[inline(always)]
fn unit(word: u32) -> f32 {
    // The top 24 bits are positive as signed ones, for which there is a vector instruction.
    (word >> 8) as i32 as f32 * (1.0 / (1u32 << 24) as f32)
}

isa_fn! {
    /// Fills whole groups with uniform numbers, from block `first` on.
    unsafe fn uniform(draw: &Draw, first: u64, out: &mut [f32]) = |draw: &Draw, first: u64, out: &mut [f32]| {
        for (i, group) in out.chunks_exact_mut(GROUP).enumerate() {
            let words = words(draw, first + (i * LANES) as u64);
            group.iter_mut().zip(words).for_each(|(x, word)| *x = unit(word));
        }
    };
    /// Fills whole groups with "the uniform number is less than `p`", from block `first` on.
    unsafe fn bernoulli(draw: &Draw, first: u64, out: &mut [u8], p: f64) = |draw: &Draw, first: u64, out: &mut [u8], p: f64| {
        // The least number of 24 bits that is not less.
        let bound = (p * (1u32 << 24) as f64).ceil() as i32;
        for (i, group) in out.chunks_exact_mut(GROUP).enumerate() {
            let words = words(draw, first + (i * LANES) as u64);
            group.iter_mut().zip(words).for_each(|(x, word)| *x = (bound > (word >> 8) as i32) as u8);
        }
    };
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
                (RandomKind::Bernoulli(p), _) => {
                    let (head, groups, tail) = cut(first, memory.part(range));
                    let at = first + head.len() as u64;
                    let end = at + groups.len() as u64;
                    draw.fill_bernoulli(p, first, head);
                    bernoulli(self.isa)(draw, at / 4, groups, p);
                    draw.fill_bernoulli(p, end, tail);
                }
                (RandomKind::Uniform, DType::F64) => {
                    let out: &mut [f64] = memory.part(range);
                    out.iter_mut().zip(places).for_each(|(x, i)| *x = draw.uniform_f64(i));
                }
                (RandomKind::Normal, DType::F64) => {
                    let out: &mut [f64] = memory.part(range);
                    out.iter_mut().zip(places).for_each(|(x, i)| *x = draw.normal_f64(i));
                }
                (RandomKind::Uniform, _) => {
                    let (head, groups, tail) = cut(first, memory.part(range));
                    let at = first + head.len() as u64;
                    let end = at + groups.len() as u64;
                    draw.fill_uniform_f32(first, head);
                    uniform(self.isa)(draw, at / 4, groups);
                    draw.fill_uniform_f32(end, tail);
                }
                (RandomKind::Normal, _) => draw.fill_normal_f32(first, memory.part(range)),
            }
        }
    }
}

/// Cuts elements from place `first` on into those before the first whole block, whole groups, and what is left.
fn cut<T>(first: u64, out: &mut [T]) -> (&mut [T], &mut [T], &mut [T]) {
    let (head, rest) =
        out.split_at_mut(out.len().min((first.next_multiple_of(4) - first) as usize));
    let (groups, tail) = rest.split_at_mut(rest.len() / GROUP * GROUP);
    (head, groups, tail)
}
