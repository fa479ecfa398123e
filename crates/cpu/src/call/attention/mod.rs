//! Scaled dot-product attention: [`Attention`] and [`AttentionGrad`].
//!
//! Of the scores only tiles exist, one in each worker's scratch: a block of queries meets one block of keys after the
//! other. The forward pass keeps the running maximum and sum of the soft-max; the backward pass computes the tiles again
//! from queries, keys and the logarithms of the sums (Dao 2023, "FlashAttention-2"). Tiles that `causal` hides are
//! skipped.
//!
//! A tile holds queries side by side and keys below each other. So maxima, sums and exponentials are whole vectors
//! without any sum across lanes, and all products read their operands as they lie: only the queries (and, backwards, the
//! cotangents) of a block are transposed, once.
//!
//! Sums over keys go block by block, as do sums over queries; what a task computes follows from the shape alone.

mod backward;
mod forward;
mod tile;

use std::marker::PhantomData;

use thalweg_graph::ops::{Attention, AttentionGrad, AttentionSize};
use thalweg_graph::{DType, Layout, OpError, Tensor};

use super::{Kernel, Memory};
use crate::isa::Isa;
use crate::pool::Pool;
use tile::{Head, Real, Rows};

/// What is attended to, and where it lies.
struct Heads {
    size: AttentionSize,
    scale: f64,
    causal: bool,
    q: Rows,
    k: Rows,
    v: Rows,
    /// The strides of the mask.
    mask: Option<[isize; 4]>,
    isa: Isa,
}

struct Forward<T>(Heads, PhantomData<T>);

struct Backward<T> {
    heads: Heads,
    /// Where the cotangents lie.
    g: Rows,
    element: PhantomData<T>,
}

pub(super) fn kernel(tensor: &Tensor, layouts: &[Layout], isa: Isa) -> Option<Box<dyn Kernel>> {
    let forward = tensor.op().downcast::<Attention>();
    let backward = tensor.op().downcast::<AttentionGrad>();
    let (options, mask) = match (forward, backward) {
        (Some(options), _) => (options, 3),
        (_, Some(AttentionGrad(options))) => (options, 5),
        _ => return None,
    };
    // An axis of one element is the same for all heads, queries or keys.
    let spread = |l: &Layout| -> [isize; 4] {
        std::array::from_fn(|axis| if l.shape[axis] == 1 { 0 } else { l.strides[axis] })
    };
    let heads = Heads {
        size: AttentionSize::of(tensor.inputs()),
        scale: options.scale,
        causal: options.causal,
        q: Rows::of(&layouts[0]),
        k: Rows::of(&layouts[1]),
        v: Rows::of(&layouts[2]),
        mask: layouts.get(mask).map(spread),
        isa,
    };
    Some(match (tensor.dtype(), backward.map(|_| Rows::of(&layouts[4]))) {
        (DType::F64, None) => Box::new(Forward::<f64>(heads, PhantomData)),
        (_, None) => Box::new(Forward::<f32>(heads, PhantomData)),
        (DType::F64, Some(g)) => Box::new(Backward::<f64> { heads, g, element: PhantomData }),
        (_, Some(g)) => Box::new(Backward::<f32> { heads, g, element: PhantomData }),
    })
}

impl Heads {
    fn count(&self) -> usize {
        self.size.batch * self.size.heads
    }

    /// Head number `i` of all sequences' heads.
    ///
    /// # Safety
    /// `memory` holds the inputs of the node, the mask standing at place `mask`.
    unsafe fn head<T: Real>(&self, memory: Memory, i: usize, mask: usize) -> Head<'_, T> {
        let (batch, head) = (i / self.size.heads, i % self.size.heads);
        // SAFETY: the head is within the inputs.
        let at = |input: usize, rows: &Rows| unsafe {
            memory.input::<T>(input).offset(rows.at(batch, head, 0))
        };
        let mask = self.mask.map(|[b, h, q, k]| {
            let offset = batch as isize * b + head as isize * h;
            // SAFETY: as above.
            (unsafe { memory.input::<u8>(mask).offset(offset) }, [q, k])
        });
        Head {
            heads: self,
            q: at(0, &self.q),
            k: at(1, &self.k),
            v: at(2, &self.v),
            mask,
            scale: T::from_f64(self.scale),
        }
    }
}

impl<T: Real> Kernel for Forward<T> {
    unsafe fn run(&self, pool: &Pool, memory: Memory) -> Result<(), OpError> {
        // SAFETY: the caller's promise.
        unsafe { forward::run::<T>(&self.0, pool, memory) };
        Ok(())
    }
    fn local_bytes(&self) -> usize {
        forward::scratch_len(&self.0.size) * size_of::<T>()
    }
}

impl<T: Real> Kernel for Backward<T> {
    unsafe fn run(&self, pool: &Pool, memory: Memory) -> Result<(), OpError> {
        // SAFETY: the caller's promise.
        unsafe { backward::run::<T>(&self.heads, &self.g, pool, memory) };
        Ok(())
    }
    fn local_bytes(&self) -> usize {
        backward::scratch_len(&self.heads.size) * size_of::<T>()
    }
}
