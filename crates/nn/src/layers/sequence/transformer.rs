//! The layers of a Transformer.

use std::sync::Arc;

use thalweg_graph::{Layer, OpError, Tensor};

use super::attention::check_places;
use super::padding::{length_mask, sequence_and_lengths};
use crate::activations::Activations;
use crate::dag::Node;
use crate::layers::{Dropout, LayerNorm, Linear, MultiheadAttention, forward_in, needs_one};
use crate::{Forward, Module};

/// What an encoder and a decoder layer are made of beside their attention.
#[derive(Clone, Copy, Debug)]
struct Options {
    dim: usize,
    feedforward: usize,
    norm_first: bool,
    gelu: bool,
}

impl Options {
    fn check(&self, name: &str, x: &Tensor) -> Result<(), OpError> {
        if self.feedforward == 0 {
            return Err(needs_one("feedforward"));
        }
        check_places(name, x, self.dim)
    }

    /// `x + f(norm(x))`, or `norm(x + f(x))`: see [`TransformerEncoderLayer::norm_first`].
    fn residual(&self, norm: &LayerNorm, x: &Tensor, f: impl FnOnce(&Tensor) -> Tensor) -> Tensor {
        match self.norm_first {
            true => x + f(&norm.forward(x)),
            false => norm.forward(&(x + f(x))),
        }
    }

    fn activate(&self, x: &Tensor) -> Tensor {
        if self.gelu { x.gelu() } else { x.relu() }
    }
}

macro_rules! builders {
    ($layer:ident) => {
        impl $layer {
            /// The size of the hidden layer of the feed-forward part; 2048 by default. It makes that part anew.
            #[track_caller]
            #[must_use]
            pub fn feedforward(mut self, size: usize) -> $layer {
                let dim = self.options.dim;
                self.options.feedforward = size;
                (self.linear1, self.linear2) = (Linear::new(dim, size), Linear::new(size, dim));
                self
            }

            /// The probability with which what a part adds, and the hidden layer, are dropped; 0.1 by default.
            #[track_caller]
            #[must_use]
            pub fn dropout(mut self, p: f64) -> $layer {
                self.dropout = Dropout::new(p);
                self
            }

            /// Normalises what goes into each part (`x + f(norm(x))`) in place of what comes out (`norm(x + f(x))`, as
            /// the paper): [Xiong et al. 2020](https://arxiv.org/abs/2002.04745).
            #[must_use]
            pub fn norm_first(mut self) -> $layer {
                self.options.norm_first = true;
                self
            }

            /// GELU in the feed-forward part, in place of relu.
            #[must_use]
            pub fn gelu(mut self) -> $layer {
                self.options.gelu = true;
                self
            }

            /// [Rotary positions](MultiheadAttention::rotary) in self-attention.
            #[must_use]
            pub fn rotary(mut self) -> $layer {
                self.self_attn = self.self_attn.rotary();
                self
            }

            fn feed_forward(&self, x: &Tensor) -> Tensor {
                let hidden = self.options.activate(&self.linear1.forward(x));
                let y = self.linear2.forward(&self.dropout.forward(&hidden));
                self.dropout.forward(&y)
            }
        }
    };
}

/// Self-attention and a two-layer network at each place, each around a skip connection with layer norm. After
/// [Vaswani et al. 2017](https://arxiv.org/abs/1706.03762).
///
/// Shapes: `[N, T, dim]`, unchanged; the batch first. Parameters, as PyTorch's: `self_attn.*` (see
/// [`MultiheadAttention`]), `linear1.*`, `linear2.*`, `norm1.*`, `norm2.*`. Defaults, as PyTorch's: a hidden layer of 2048,
/// relu, dropout 0.1 (PyTorch's also drops weights of attention), the norm behind each part. Errors: as
/// [`MultiheadAttention`].
///
/// ```
/// use thalweg_graph::{DType, Tensor};
/// use thalweg_nn::{Forward, TransformerEncoderLayer};
/// let layer = TransformerEncoderLayer::new(16, 4).feedforward(64).norm_first().gelu().causal();
/// assert_eq!(layer.forward(&Tensor::zeros(DType::F32, [2, 10, 16])).shape().dims(), [2, 10, 16]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct TransformerEncoderLayer {
    #[module(flatten)]
    layer: Arc<Layer>,
    self_attn: MultiheadAttention,
    linear1: Linear,
    linear2: Linear,
    norm1: LayerNorm,
    norm2: LayerNorm,
    dropout: Dropout,
    #[module(skip)]
    options: Options,
}

impl TransformerEncoderLayer {
    /// So many heads over `dim` numbers at each place.
    #[track_caller]
    pub fn new(dim: usize, heads: usize) -> TransformerEncoderLayer {
        let feedforward = 2048;
        TransformerEncoderLayer {
            layer: Layer::new(format!("TransformerEncoderLayer {dim}")),
            self_attn: MultiheadAttention::new(dim, heads),
            linear1: Linear::new(dim, feedforward),
            linear2: Linear::new(feedforward, dim),
            norm1: LayerNorm::new([dim]),
            norm2: LayerNorm::new([dim]),
            dropout: Dropout::new(0.1),
            options: Options { dim, feedforward, norm_first: false, gelu: false },
        }
    }

    /// Lets a place look at itself and the places before it only: the block of a language model.
    #[must_use]
    pub fn causal(mut self) -> TransformerEncoderLayer {
        self.self_attn = self.self_attn.causal();
        self
    }

    /// The output; `keep` is `bool` `[N, T]`, true at places that may be looked at.
    #[track_caller]
    pub fn forward_with(&self, x: &Tensor, keep: Option<&Tensor>) -> Tensor {
        forward_in(
            &self.layer,
            x,
            || self.options.check("sequence", x),
            || {
                let attend = |x: &Tensor| self.self_attn.attend(x, x, x, keep);
                let x = self.options.residual(&self.norm1, x, |x| self.dropout.forward(&attend(x)));
                self.options.residual(&self.norm2, &x, |x| self.feed_forward(x))
            },
        )
    }
}

builders!(TransformerEncoderLayer);

impl Forward for TransformerEncoderLayer {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.forward_with(x, None)
    }
}

/// Causal self-attention, attention over a memory (an encoder's outputs), and a two-layer network at each place, each
/// around a skip connection with layer norm. After [Vaswani et al. 2017](https://arxiv.org/abs/1706.03762).
///
/// Shapes: `[N, T, dim]` with a memory `[N, S, dim]`, gives `[N, T, dim]`. Parameters, as PyTorch's: `self_attn.*`,
/// `multihead_attn.*` (over the memory), `linear1.*`, `linear2.*`, `norm1.*`, `norm2.*`, `norm3.*`. Defaults and errors as
/// [`TransformerEncoderLayer`]'s; self-attention is causal.
///
/// ```
/// use thalweg_graph::{DType, Tensor};
/// use thalweg_nn::TransformerDecoderLayer;
/// let (x, memory) = (Tensor::zeros(DType::F32, [2, 5, 16]), Tensor::zeros(DType::F32, [2, 9, 16]));
/// let layer = TransformerDecoderLayer::new(16, 4).feedforward(64);
/// assert_eq!(layer.forward_with(&x, &memory, None).shape().dims(), [2, 5, 16]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct TransformerDecoderLayer {
    #[module(flatten)]
    layer: Arc<Layer>,
    self_attn: MultiheadAttention,
    multihead_attn: MultiheadAttention,
    linear1: Linear,
    linear2: Linear,
    norm1: LayerNorm,
    norm2: LayerNorm,
    norm3: LayerNorm,
    dropout: Dropout,
    #[module(skip)]
    options: Options,
}

impl TransformerDecoderLayer {
    /// So many heads over `dim` numbers at each place.
    #[track_caller]
    pub fn new(dim: usize, heads: usize) -> TransformerDecoderLayer {
        let feedforward = 2048;
        TransformerDecoderLayer {
            layer: Layer::new(format!("TransformerDecoderLayer {dim}")),
            self_attn: MultiheadAttention::new(dim, heads).causal(),
            multihead_attn: MultiheadAttention::new(dim, heads),
            linear1: Linear::new(dim, feedforward),
            linear2: Linear::new(feedforward, dim),
            norm1: LayerNorm::new([dim]),
            norm2: LayerNorm::new([dim]),
            norm3: LayerNorm::new([dim]),
            dropout: Dropout::new(0.1),
            options: Options { dim, feedforward, norm_first: false, gelu: false },
        }
    }

    /// The output for a sequence and a memory; `keep` is `bool` `[N, S]`, true at places of the memory that may be looked
    /// at.
    #[track_caller]
    pub fn forward_with(&self, x: &Tensor, memory: &Tensor, keep: Option<&Tensor>) -> Tensor {
        if memory.error().is_some() {
            return memory.clone();
        }
        forward_in(
            &self.layer,
            x,
            || {
                self.options
                    .check("sequence", x)
                    .and_then(|()| self.options.check("memory", memory))
            },
            || {
                let x = self.options.residual(&self.norm1, x, |x| {
                    self.dropout.forward(&self.self_attn.attend(x, x, x, None))
                });
                let x = self.options.residual(&self.norm2, &x, |x| {
                    self.dropout.forward(&self.multihead_attn.attend(x, memory, memory, keep))
                });
                self.options.residual(&self.norm3, &x, |x| self.feed_forward(x))
            },
        )
    }
}

builders!(TransformerDecoderLayer);

/// A sequence and a memory, and as a third input the ids `[N, S]` of the memory, whose zeros at the end are padding.
impl Node for TransformerDecoderLayer {
    fn forward_all(&self, inputs: &[Tensor]) -> Tensor {
        let _entered = self.layer.enter();
        match inputs {
            [x, memory] => self.forward_with(x, memory, None),
            [x, rest @ ..] => match sequence_and_lengths(rest) {
                Ok((memory, lengths)) => {
                    let keep = lengths.map(|lengths| length_mask(&lengths, memory.dim(1)));
                    self.forward_with(x, memory, keep.as_ref())
                }
                Err(error) => Tensor::poison("forward", error),
            },
            [] => Tensor::poison("forward", OpError::argument("takes a sequence and a memory")),
        }
    }
}

/// Encoder layers one after the other, and where there is one a norm behind the last.
///
/// Parameters, as PyTorch's: `layers.0.*`, `layers.1.*`, …, `norm.*`. Shapes and errors: those of the
/// [layers](TransformerEncoderLayer).
#[derive(Clone, Debug, Module)]
pub struct TransformerEncoder {
    #[module(flatten)]
    layer: Arc<Layer>,
    layers: Vec<TransformerEncoderLayer>,
    norm: Option<LayerNorm>,
}

impl TransformerEncoder {
    /// These layers.
    #[track_caller]
    pub fn new(layers: Vec<TransformerEncoderLayer>) -> TransformerEncoder {
        let kind = format!("TransformerEncoder × {}", layers.len());
        TransformerEncoder { layer: Layer::new(kind), layers, norm: None }
    }

    /// With a norm behind the last layer: where the layers [norm first](TransformerEncoderLayer::norm_first), nothing else
    /// bounds what comes out.
    #[track_caller]
    #[must_use]
    pub fn norm(mut self) -> TransformerEncoder {
        self.norm = self.layers.first().map(|layer| LayerNorm::new([layer.options.dim]));
        self
    }

    /// The output; `keep` is `bool` `[N, T]`, true at places that may be looked at.
    #[track_caller]
    pub fn forward_with(&self, x: &Tensor, keep: Option<&Tensor>) -> Tensor {
        let run = |x: Tensor, layer: &TransformerEncoderLayer| layer.forward_with(&x, keep);
        let y = self.layers.iter().fold(x.clone(), run);
        self.norm.as_ref().map_or(y.clone(), |norm| norm.forward(&y))
    }
}

impl Forward for TransformerEncoder {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.forward_with(x, None)
    }
}

/// A sequence `[N, L, dim]`, and as a second input the ids `[N, L]` whose zeros at the end are padding.
impl Node for TransformerEncoder {
    fn forward_all(&self, inputs: &[Tensor]) -> Tensor {
        let _entered = self.layer.enter();
        match sequence_and_lengths(inputs) {
            Ok((x, lengths)) => {
                let keep = lengths.map(|lengths| length_mask(&lengths, x.dim(1)));
                self.forward_with(x, keep.as_ref())
            }
            Err(error) => Tensor::poison("forward", error),
        }
    }
}
