//! From one sequence to another.

use std::sync::Arc;

use thalweg_graph::ops::Attention;
use thalweg_graph::{DType, Layer, OpError, Tensor};

use super::padding::{length_mask, sequence_lengths};
use crate::context;
use crate::layers::{Carry, Dropout, Embedding, Gru, Linear, forward_in, needs_one, origin};
use crate::{Forward, Module};

/// The sizes of a [`Seq2Seq`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seq2SeqSize {
    /// How many different ids a source is made of.
    pub source_ids: usize,
    /// How many different ids a target is made of.
    pub target_ids: usize,
    /// The places of a source, S.
    pub source: usize,
    /// The numbers for each id.
    pub dim: usize,
    /// The size of the states; even, since the encoder's two directions share it.
    pub hidden: usize,
}

/// An encoder reads the source, a decoder writes the target and looks back at the source at each step. The encoder is a
/// bidirectional [`Gru`], whose final state the decoder, a [`Gru`] too, begins with; at each place the decoder's state d
/// looks at the encoder's outputs by `softmax(d·eᵀ/√hidden)·e = c`, and `tanh(W·[c, d] + b)` goes into the output layer.
/// After [Luong, Pham and Manning 2015](https://arxiv.org/abs/1508.04025).
///
/// Shapes: ids `i64` `[N, S + T]`, the source and behind it the target as far as it is known, `→ [N, T, target_ids]`: at each
/// place of the target the logits of the id that follows it, which depend on the places up to it. Id 0 is padding, and
/// padding behind a source or a target changes nothing. Parameters: `source_embedding.weight`, `target_embedding.weight`,
/// `encoder.*`, `decoder.*`, `combine.*`, `output.*`. Errors: an input of another type or shape, sizes of 0, an odd hidden
/// size; at run time, an id outside its table.
///
/// ```
/// use thalweg_graph::Tensor;
/// use thalweg_nn::{Forward, Seq2Seq, Seq2SeqSize};
/// let size = Seq2SeqSize { source_ids: 20, target_ids: 30, source: 3, dim: 8, hidden: 16 };
/// let ids = Tensor::new(&[5i64, 6, 0, 2, 9], [1, 5]);
/// assert_eq!(Seq2Seq::new(size).forward(&ids).shape().dims(), [1, 2, 30]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct Seq2Seq {
    #[module(flatten)]
    layer: Arc<Layer>,
    #[module(skip)]
    size: Seq2SeqSize,
    source_embedding: Embedding,
    target_embedding: Embedding,
    encoder: Gru,
    decoder: Gru,
    combine: Linear,
    output: Linear,
    dropout: Dropout,
}

impl Seq2Seq {
    /// A network of this size, without dropout.
    #[track_caller]
    pub fn new(size: Seq2SeqSize) -> Seq2Seq {
        let Seq2SeqSize { source_ids, target_ids, source, dim, hidden } = size;
        Seq2Seq {
            layer: Layer::new(format!("Seq2Seq {source_ids} → {target_ids}, {source} places")),
            size,
            source_embedding: Embedding::new(source_ids, dim).padding_idx(0),
            target_embedding: Embedding::new(target_ids, dim).padding_idx(0),
            encoder: Gru::new(dim, hidden / 2).bidirectional(),
            decoder: Gru::new(dim, hidden),
            combine: Linear::new(2 * hidden, hidden),
            output: Linear::new(hidden, target_ids),
            dropout: Dropout::new(0.0),
        }
    }

    /// [`Dropout`] of the embedded ids and of what goes into the output layer.
    #[track_caller]
    #[must_use]
    pub fn dropout(mut self, p: f64) -> Seq2Seq {
        self.dropout = Dropout::new(p);
        self
    }

    fn check(&self, ids: &Tensor) -> Result<(), OpError> {
        let Seq2SeqSize { source, hidden, .. } = self.size;
        if source == 0 {
            return Err(needs_one("source"));
        }
        if hidden == 0 || hidden % 2 != 0 {
            let what = format!("hidden must be even and at least 2, got {hidden}");
            return Err(OpError::argument(what).hint("the encoder's two directions share it"));
        }
        let (dtype, shape) = (ids.dtype(), ids.shape());
        if dtype != DType::I64 {
            let what = format!("expects i64 ids, got {dtype}{shape}{}", origin(ids));
            return Err(OpError::dtype(what).hint("convert with cast(DType::I64) first"));
        }
        if ids.rank() != 2 || ids.dim(1) <= source {
            let what = format!("the ids must be [N, {source} + T], T ≥ 1, got {shape}");
            return Err(OpError::shape(format!("{what}{}", origin(ids)))
                .hint("the ids of the source, then those of the target"));
        }
        context::whole_sequence("an encoder")
    }

    fn run(&self, ids: &Tensor) -> Tensor {
        let Seq2SeqSize { source, hidden, .. } = self.size;
        let (batch, places) = (ids.dim(0), ids.dim(1) - source);
        let (read, written) = (ids.narrow(1, 0, source), ids.narrow(1, source, places));
        let lengths = sequence_lengths(&read);
        let embedded = |table: &Embedding, ids: &Tensor| self.dropout.forward(&table.forward(ids));
        let x = embedded(&self.source_embedding, &read);
        let (memory, end) = self.encoder.forward_with(&x, None, Some(&lengths));
        // [2, N, hidden / 2]: a sequence's two directions side by side are the decoder's first state.
        let start = end.h.transpose(0, 1).reshape([1, batch, hidden]);
        let x = embedded(&self.target_embedding, &written);
        let (states, _) = self.decoder.forward_with(&x, Some(&Carry { h: start, c: None }), None);

        let keys = memory.unsqueeze(1);
        let keep = length_mask(&lengths, source).unsqueeze(1).unsqueeze(1);
        let scale = 1.0 / (hidden as f64).sqrt();
        let options = Attention { scale, causal: false };
        let seen = states.unsqueeze(1).attention(&keys, &keys, Some(&keep), &options).squeeze(1);
        let both = self.combine.forward(&Tensor::concat(&[seen, states], -1)).tanh();
        self.output.forward(&self.dropout.forward(&both))
    }
}

impl Forward for Seq2Seq {
    fn forward(&self, ids: &Tensor) -> Tensor {
        forward_in(&self.layer, ids, || self.check(ids), || self.run(ids))
    }
}
