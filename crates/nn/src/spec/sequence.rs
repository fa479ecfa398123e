//! The options of the layers over sequences, as configs spell them, and the layers they stand for.

use serde::{Deserialize, Serialize};
use thalweg_graph::{OpError, Shape};

use super::{LayerSpec, one, unit};
use crate::dag::Node;
use crate::init::Init;
use crate::layers::*;
use crate::module::Network;

fn tenth() -> f64 {
    0.1
}
fn wide() -> usize {
    2048
}
fn units() -> usize {
    64
}
fn factors() -> usize {
    16
}

/// The options of an [`Embedding`]: `{ type = "embedding", num = 10000, dim = 64, padding_idx = 0 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddingOptions {
    /// The number of ids.
    pub num: usize,
    /// The numbers for each id.
    pub dim: usize,
    /// The id that stands for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding_idx: Option<usize>,
    /// The standard deviation of the numbers at first; 1 by default.
    #[serde(default = "unit")]
    pub std: f64,
}

impl EmbeddingOptions {
    /// The defaults for so many ids and numbers.
    pub fn new(num: usize, dim: usize) -> EmbeddingOptions {
        EmbeddingOptions { num, dim, padding_idx: None, std: 1.0 }
    }

    #[track_caller]
    fn build(&self) -> Embedding {
        let init = Init::Normal { mean: 0.0, std: self.std };
        let table = Embedding::initialised(self.num, self.dim, init);
        match self.padding_idx {
            Some(index) => table.padding_idx(index),
            None => table,
        }
    }
}

/// The options of a recurrent layer: `{ type = "lstm", hidden = 256, layers = 2 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecurrentOptions {
    /// The size of the state.
    pub hidden: usize,
    /// How many layers lie one over the other; 1 by default.
    #[serde(default = "one")]
    pub layers: usize,
    /// Whether each layer also walks from the end to the beginning; no by default.
    #[serde(default)]
    pub bidirectional: bool,
    /// The probability of dropout between the layers; 0 by default.
    #[serde(default)]
    pub dropout: f64,
}

impl RecurrentOptions {
    /// The defaults for a state of this size.
    pub fn new(hidden: usize) -> RecurrentOptions {
        RecurrentOptions { hidden, layers: 1, bidirectional: false, dropout: 0.0 }
    }
}

/// The options of self-attention: `{ type = "multihead_attention", heads = 4, causal = true }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttentionOptions {
    /// The number of heads.
    pub heads: usize,
    /// Whether a place looks at itself and the places before it only; no by default.
    #[serde(default)]
    pub causal: bool,
    /// Whether queries and keys are turned by their place; no by default.
    #[serde(default)]
    pub rotary: bool,
}

/// The options of a [`TransformerEncoder`]: `{ type = "transformer_encoder", heads = 4, layers = 2, causal = true }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransformerOptions {
    /// The number of heads of each layer.
    pub heads: usize,
    /// How many layers follow each other; 1 by default.
    #[serde(default = "one")]
    pub layers: usize,
    /// The hidden size of the feed-forward parts; 2048 by default.
    #[serde(default = "wide")]
    pub feedforward: usize,
    /// The probability of dropout; 0.1 by default.
    #[serde(default = "tenth")]
    pub dropout: f64,
    /// Whether the norms come before the parts, and one more behind the last layer; no by default.
    #[serde(default)]
    pub norm_first: bool,
    /// Whether the feed-forward parts use GELU in place of relu; no by default.
    #[serde(default)]
    pub gelu: bool,
    /// Whether a place looks at itself and the places before it only; no by default.
    #[serde(default)]
    pub causal: bool,
    /// Whether queries and keys are turned by their place; no by default.
    #[serde(default)]
    pub rotary: bool,
}

impl TransformerOptions {
    /// The defaults for so many heads.
    pub fn new(heads: usize) -> TransformerOptions {
        TransformerOptions {
            heads,
            layers: 1,
            feedforward: wide(),
            dropout: tenth(),
            norm_first: false,
            gelu: false,
            causal: false,
            rotary: false,
        }
    }

    #[track_caller]
    fn build(&self, dim: usize) -> TransformerEncoder {
        let layer = || {
            let mut layer = TransformerEncoderLayer::new(dim, self.heads)
                .feedforward(self.feedforward)
                .dropout(self.dropout);
            if self.norm_first {
                layer = layer.norm_first();
            }
            if self.gelu {
                layer = layer.gelu();
            }
            if self.causal {
                layer = layer.causal();
            }
            if self.rotary { layer.rotary() } else { layer }
        };
        let stack = TransformerEncoder::new((0..self.layers).map(|_| layer()).collect());
        if self.norm_first { stack.norm() } else { stack }
    }
}

/// The options of a [`TransformerDecoderLayer`]: `{ type = "transformer_decoder_layer", heads = 4 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecoderOptions {
    /// The number of heads.
    pub heads: usize,
    /// The hidden size of the feed-forward part; 2048 by default.
    #[serde(default = "wide")]
    pub feedforward: usize,
    /// The probability of dropout; 0.1 by default.
    #[serde(default = "tenth")]
    pub dropout: f64,
    /// Whether the norms come before the parts; no by default.
    #[serde(default)]
    pub norm_first: bool,
    /// Whether the feed-forward part uses GELU in place of relu; no by default.
    #[serde(default)]
    pub gelu: bool,
}

impl DecoderOptions {
    #[track_caller]
    fn build(&self, dim: usize) -> TransformerDecoderLayer {
        let mut layer = TransformerDecoderLayer::new(dim, self.heads)
            .feedforward(self.feedforward)
            .dropout(self.dropout);
        if self.norm_first {
            layer = layer.norm_first();
        }
        if self.gelu { layer.gelu() } else { layer }
    }
}

/// The options of a [`TwoTower`]: `{ type = "two_tower", users = 3000, items = 1200 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TwoTowerOptions {
    /// How many user ids there are.
    pub users: usize,
    /// How many item ids there are.
    pub items: usize,
    /// How many ids each further column has; none by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub context: Vec<usize>,
    /// The numbers of a vector; 16 by default.
    #[serde(default = "factors")]
    pub dim: usize,
}

/// The options of a [`Seq2Seq`]: `{ type = "seq2seq", source_ids = 50, target_ids = 60, source = 20 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seq2SeqOptions {
    /// How many different ids a source is made of.
    pub source_ids: usize,
    /// How many different ids a target is made of.
    pub target_ids: usize,
    /// The places of a source; the rest is the target.
    pub source: usize,
    /// The numbers for each id; 64 by default.
    #[serde(default = "units")]
    pub dim: usize,
    /// The size of the states; 64 by default.
    #[serde(default = "units")]
    pub hidden: usize,
    /// The probability of dropout; 0 by default.
    #[serde(default)]
    pub dropout: f64,
}

/// The options of a [`Forecaster`]: `{ type = "forecaster", horizon = 12, season = 12 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForecasterOptions {
    /// How many numbers are forecast.
    pub horizon: usize,
    /// The number of hidden units; 64 by default.
    #[serde(default = "units")]
    pub hidden: usize,
    /// After how many steps the series nearly repeats itself; 1 by default.
    #[serde(default = "one")]
    pub season: usize,
}

macro_rules! recurrent {
    ($layer:expr, $options:expr) => {{
        let layer = $layer.layers($options.layers).dropout($options.dropout);
        if $options.bidirectional { layer.bidirectional() } else { layer }
    }};
}

/// A layer over a sequence that may take the sequence's ids as a second input.
trait Masked: Node + Network {}

impl<T: Node + Network> Masked for T {}

#[track_caller]
fn masked(spec: &LayerSpec, input: &Shape) -> Result<Option<Box<dyn Masked>>, OpError> {
    let width = || spec.extent(input, -1);
    Ok(Some(match spec {
        LayerSpec::Rnn(o) => Box::new(recurrent!(Rnn::new(width()?, o.hidden), o)),
        LayerSpec::RnnRelu(o) => Box::new(recurrent!(Rnn::new(width()?, o.hidden).relu(), o)),
        LayerSpec::Lstm(o) => Box::new(recurrent!(Lstm::new(width()?, o.hidden), o)),
        LayerSpec::Gru(o) => Box::new(recurrent!(Gru::new(width()?, o.hidden), o)),
        LayerSpec::MultiheadAttention(o) => {
            let layer = MultiheadAttention::new(width()?, o.heads);
            let layer = if o.causal { layer.causal() } else { layer };
            Box::new(if o.rotary { layer.rotary() } else { layer })
        }
        LayerSpec::TransformerEncoder(o) => Box::new(o.build(width()?)),
        LayerSpec::PoolTime { how } => Box::new(PoolTime::new(*how)),
        _ => return Ok(None),
    }))
}

/// The layer for an input of shape `input`, where it is one over sequences with one input.
#[track_caller]
pub(super) fn build(spec: &LayerSpec, input: &Shape) -> Result<Option<Box<dyn Network>>, OpError> {
    let width = || spec.extent(input, -1);
    Ok(Some(match spec {
        LayerSpec::Embedding(o) => Box::new(o.build()),
        LayerSpec::SinusoidalPositions {} => Box::new(SinusoidalPositions::new()),
        LayerSpec::LearnedPositions { max } => {
            let max = max.map_or_else(|| spec.extent(input, 1), Ok)?;
            Box::new(LearnedPositions::new(max, width()?))
        }
        LayerSpec::Transpose { axes: [a, b] } => Box::new(Transpose::new(*a, *b)),
        LayerSpec::TwoTower(o) => {
            Box::new(TwoTower::new(o.users, o.items, o.dim).context(&o.context))
        }
        LayerSpec::Seq2Seq(o) => {
            let &Seq2SeqOptions { source_ids, target_ids, source, dim, hidden, dropout } = o;
            let size = Seq2SeqSize { source_ids, target_ids, source, dim, hidden };
            Box::new(Seq2Seq::new(size).dropout(dropout))
        }
        LayerSpec::Forecaster(o) => {
            let channels = if input.rank() > 2 { width()? } else { 1 };
            let net = Forecaster::new(spec.extent(input, 1)?, channels, o.horizon);
            Box::new(net.hidden(o.hidden).season(o.season))
        }
        _ => return Ok(masked(spec, input)?.map(|layer| layer as Box<dyn Network>)),
    }))
}

/// The layer for inputs of these shapes, where it is one over sequences that may take several.
#[track_caller]
pub(super) fn build_node(
    spec: &LayerSpec,
    inputs: &[Shape],
) -> Option<Result<Box<dyn Node>, OpError>> {
    let first = inputs.first()?;
    if let LayerSpec::TransformerDecoderLayer(o) = spec {
        let width = spec.extent(first, -1);
        return Some(width.map(|width| Box::new(o.build(width)) as Box<dyn Node>));
    }
    masked(spec, first).map(|layer| layer.map(|layer| layer as Box<dyn Node>)).transpose()
}
