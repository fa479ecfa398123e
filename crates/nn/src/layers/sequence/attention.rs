//! Attention with several heads.

use std::sync::Arc;

use thalweg_graph::ops::Attention;
use thalweg_graph::{DType, Layer, OpError, Tensor};

use super::padding::{length_mask, sequence_and_lengths};
use super::positions::rotary_positions;
use crate::context::{self, Place};
use crate::dag::Node;
use crate::init::Init;
use crate::layers::{Linear, forward_in, needs_one, origin};
use crate::param::Param;
use crate::{Forward, Module};

/// Every place looks at every other, through several heads: of the projections q, k, v of a head's share of the
/// numbers, `softmax(q·kᵀ/√d)·v`; the heads side by side go through one more linear layer. After
/// [Vaswani et al. 2017](https://arxiv.org/abs/1706.03762).
///
/// Shapes: `[N, T, dim] → [N, T, dim]`, the batch first. Parameters, as PyTorch's: `in_proj_weight` `[3·dim, dim]` (of
/// q, k and v, Xavier uniform at first), `in_proj_bias` `[3·dim]` (zeros), `out_proj.weight` `[dim, dim]` and
/// `out_proj.bias` (zeros). Masks are true where something may be looked at, as in PyTorch's
/// `scaled_dot_product_attention`; its `key_padding_mask` says the opposite. Weights of attention are not dropped.
/// Errors: a last axis that is not `dim`, heads that do not divide it, a mask of another shape or type, an empty sequence.
///
/// ```
/// use thalweg_graph::{DType, Tensor};
/// use thalweg_nn::{Forward, MultiheadAttention};
/// let x = Tensor::zeros(DType::F32, [2, 10, 16]);
/// let attention = MultiheadAttention::new(16, 4).causal();
/// assert_eq!(attention.forward(&x).shape().dims(), [2, 10, 16]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct MultiheadAttention {
    #[module(flatten)]
    layer: Arc<Layer>,
    in_proj_weight: Param,
    in_proj_bias: Param,
    out_proj: Linear,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    causal: bool,
    #[module(skip)]
    rotary: bool,
}

impl MultiheadAttention {
    /// So many heads over `dim` numbers at each place.
    #[track_caller]
    pub fn new(dim: usize, heads: usize) -> MultiheadAttention {
        let weight = Init::XavierUniform { gain: 1.0 };
        MultiheadAttention {
            layer: Layer::new(format!("MultiheadAttention {dim}, {heads} heads")),
            in_proj_weight: Param::new("in_proj_weight", [3 * dim, dim], weight),
            in_proj_bias: Param::new("in_proj_bias", [3 * dim], Init::Zeros),
            out_proj: Linear::initialised(dim, dim, Init::layer_weight(), Some(Init::Zeros)),
            heads,
            causal: false,
            rotary: false,
        }
    }

    /// Lets a place look at itself and the places before it only.
    #[must_use]
    pub fn causal(mut self) -> MultiheadAttention {
        self.causal = true;
        self
    }

    /// Turns queries and keys by angles that grow with their place, so that scores depend on distances: see [`rotary_positions`].
    #[must_use]
    pub fn rotary(mut self) -> MultiheadAttention {
        self.rotary = true;
        self
    }

    fn dim(&self) -> usize {
        self.in_proj_bias.shape()[0] / 3
    }

    /// The queries `[N, Tq, dim]` look at the keys and values `[N, Tk, dim]`: self-attention where all three are one
    /// tensor. `keep` is `bool`, true where a key may be looked at: `[N, Tk]` for padding, or any shape that broadcasts to
    /// `[N, heads, Tq, Tk]` and has as many axes.
    #[track_caller]
    pub fn attend(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        keep: Option<&Tensor>,
    ) -> Tensor {
        let others = [key, value].into_iter().chain(keep);
        if let Some(poisoned) = others.into_iter().find(|x| x.error().is_some()) {
            return poisoned.clone();
        }
        let check = || {
            self.check(query, key, value)?;
            keep.map_or(Ok(()), |keep| self.check_keep(keep, query, key))
        };
        forward_in(&self.layer, query, check, || {
            let [q, k, v] = self.project(query, key, value);
            let joined = match context::is_step() && query.id() == key.id() {
                true => self.step(q, k, v),
                false => self.whole(q, k, v, keep),
            };
            self.out_proj.forward(&joined)
        })
    }

    /// q, k and v as `[N, heads, T, dim / heads]`. What is one tensor is projected by one product.
    fn project(&self, query: &Tensor, key: &Tensor, value: &Tensor) -> [Tensor; 3] {
        let (dim, weight, bias) = (self.dim(), &self.in_proj_weight, &self.in_proj_bias);
        let project = |x: &Tensor, first: usize, count: usize| {
            let rows = weight.tensor().narrow(0, first * dim, count * dim);
            x.matmul(&rows.t()) + bias.tensor().narrow(0, first * dim, count * dim)
        };
        let part = |x: &Tensor, number: usize| {
            let x = x.narrow(-1, number * dim, dim);
            x.reshape([x.dim(0), x.dim(1), self.heads, dim / self.heads]).transpose(1, 2)
        };
        match (query.id() == key.id(), key.id() == value.id()) {
            (true, true) => {
                let all = project(query, 0, 3);
                [part(&all, 0), part(&all, 1), part(&all, 2)]
            }
            (false, true) => {
                let both = project(key, 1, 2);
                [part(&project(query, 0, 1), 0), part(&both, 0), part(&both, 1)]
            }
            _ => [(query, 0), (key, 1), (value, 2)].map(|(x, n)| part(&project(x, n, 1), 0)),
        }
    }

    fn whole(&self, q: Tensor, k: Tensor, v: Tensor, keep: Option<&Tensor>) -> Tensor {
        let turn = |x: Tensor| if self.rotary { rotary_positions(&x, None) } else { x };
        let (q, k) = (turn(q), turn(k));
        let mask = keep.map(|keep| match keep.rank() {
            2 => keep.unsqueeze(1).unsqueeze(1),
            _ => keep.clone(),
        });
        join(&q.attention(&k, &v, mask.as_ref(), &self.options(self.causal)))
    }

    /// Self-attention of one new place over the keys and values kept so far.
    fn step(&self, q: Tensor, k: Tensor, v: Tensor) -> Tensor {
        let Some(place) = context::place() else { return self.whole(q, k, v, None) };
        let turn = |x: Tensor| if self.rotary { rotary_positions(&x, Some(&place)) } else { x };
        let (q, k) = (turn(q), turn(k));
        let Place { position, capacity } = place;
        let window = Tensor::new(&[0i64, 0, 1, 0], [4]) * &position;
        let kept = |name: &str, new: &Tensor| {
            let shape = [new.dim(0), new.dim(1), capacity, new.dim(3)];
            let Some((cache, before)) = context::cache(name, shape) else { return new.clone() };
            let after = before.update_slice_at(new, &window);
            context::write(&cache, after.clone());
            after
        };
        let (k, v) = (kept("keys", &k), kept("values", &v));
        let known = Tensor::iota(DType::I64, [1, 1, 1, capacity], -1).le(&position);
        join(&q.attention(&k, &v, Some(&known), &self.options(false)))
    }

    fn options(&self, causal: bool) -> Attention {
        let width = self.dim() / self.heads;
        Attention { scale: 1.0 / (width as f64).sqrt(), causal }
    }

    fn check(&self, query: &Tensor, key: &Tensor, value: &Tensor) -> Result<(), OpError> {
        let (dim, heads) = (self.dim(), self.heads);
        if dim == 0 || heads == 0 {
            return Err(needs_one(if dim == 0 { "dim" } else { "heads" }));
        }
        if dim % heads != 0 {
            let what = format!("the heads must divide dim {dim}, got {heads}");
            return Err(OpError::argument(what).hint("each head takes an equal share"));
        }
        if self.rotary && (dim / heads) % 2 != 0 {
            let what = format!("rotary positions need heads of even size, got {}", dim / heads);
            return Err(OpError::argument(what).hint("numbers are turned in pairs"));
        }
        for (name, x) in [("queries", query), ("keys", key), ("values", value)] {
            check_places(name, x, dim)?;
        }
        for (name, x, axes) in [("keys", key, 1), ("values", value, 2)] {
            let of = [query, key][axes - 1];
            if x.shape()[..axes] != of.shape()[..axes] {
                let (got, want) = (x.shape(), of.shape());
                let what = format!("the {name} {got} do not fit {want}{}", origin(x));
                return Err(OpError::shape(what).hint(
                    "queries, keys and values are of one batch, keys and values of one length",
                ));
            }
        }
        match context::is_step() && query.id() == key.id() && !self.causal {
            true => context::whole_sequence("attention that is not causal"),
            false => Ok(()),
        }
    }

    fn check_keep(&self, keep: &Tensor, query: &Tensor, key: &Tensor) -> Result<(), OpError> {
        let (dtype, shape) = (keep.dtype(), keep.shape());
        let scores = [key.dim(0), self.heads, query.dim(1), key.dim(1)];
        let fits = match shape.rank() {
            2 => shape[..] == key.shape()[..2],
            4 => (0..4).all(|axis| shape[axis] == 1 || shape[axis] == scores[axis]),
            _ => false,
        };
        if fits && dtype == DType::Bool {
            return Ok(());
        }
        let want = format!("bool[{}, {}]", key.dim(0), key.dim(1));
        let what = format!(
            "the mask must be {want} or broadcast to bool{scores:?}, got {dtype}{shape}{}",
            origin(keep)
        );
        let error = if dtype == DType::Bool { OpError::shape(what) } else { OpError::dtype(what) };
        Err(error.hint("[N, Tk], true where a key may be looked at"))
    }
}

/// That `x` is a sequence `[N, T, dim]` of `f32` with a place.
pub(super) fn check_places(name: &str, x: &Tensor, dim: usize) -> Result<(), OpError> {
    if x.dtype() != DType::F32 {
        let what = format!("the {name} must be f32, got {}{}{}", x.dtype(), x.shape(), origin(x));
        return Err(OpError::dtype(what).hint("ids go through an embedding first"));
    }
    if x.rank() != 3 || x.dim(2) != dim {
        let what = format!("the {name} must be [N, T, {dim}], got {}{}", x.shape(), origin(x));
        return Err(OpError::shape(what).hint("samples, places, numbers at each place"));
    }
    match x.dim(1) {
        0 => {
            let (shape, from) = (x.shape(), origin(x));
            let what =
                format!("axis 1 (T) of the {name} must be at least 1, got 0 in {shape}{from}");
            Err(OpError::shape(what).hint("a sequence needs a place to look at"))
        }
        _ => Ok(()),
    }
}

/// The heads side by side again.
fn join(heads: &Tensor) -> Tensor {
    heads.transpose(1, 2).flatten(2, 3)
}

impl Forward for MultiheadAttention {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.attend(x, x, x, None)
    }
}

/// A sequence `[N, L, dim]`, and as a second input the ids `[N, L]` whose zeros at the end are padding.
impl Node for MultiheadAttention {
    fn forward_all(&self, inputs: &[Tensor]) -> Tensor {
        let _entered = self.layer.enter();
        match sequence_and_lengths(inputs) {
            Ok((x, lengths)) => {
                let keep = lengths.map(|lengths| length_mask(&lengths, x.dim(1)));
                self.attend(x, x, x, keep.as_ref())
            }
            Err(error) => Tensor::poison("forward", error),
        }
    }
}
