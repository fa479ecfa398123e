//! T6: a small causal Transformer that predicts the next of 256 tokens. Four blocks of width 256 with 4 heads, a
//! feed-forward part of 1024 with GELU, layer norms before, learned positions; sequences of 128.

use thalweg::graph::ops::Attention;
use thalweg::prelude::*;
use thalweg::{graph, nn};

use crate::{Contest, Fallible, Step};

const VOCABULARY: usize = 256;
const LENGTH: usize = 128;
const WIDTH: usize = 256;
const HEADS: usize = 4;
const BLOCKS: usize = 4;

#[derive(Module)]
struct Block {
    norm_1: LayerNorm,
    /// Of queries, keys and values.
    parts: [Linear; 3],
    project: Linear,
    norm_2: LayerNorm,
    widen: Linear,
    narrow: Linear,
}

#[derive(Module)]
struct Gpt {
    tokens: Embedding,
    positions: Param,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

impl Block {
    fn new() -> Block {
        Block {
            norm_1: LayerNorm::new([WIDTH]),
            parts: [0; 3].map(|_| Linear::new(WIDTH, WIDTH)),
            project: Linear::new(WIDTH, WIDTH),
            norm_2: LayerNorm::new([WIDTH]),
            widen: Linear::new(WIDTH, 4 * WIDTH),
            narrow: Linear::new(4 * WIDTH, WIDTH),
        }
    }
}

impl Forward for Block {
    fn forward(&self, x: &Tensor) -> Tensor {
        let (batch, length) = (x.dim(0), x.dim(1));
        let normal = self.norm_1.forward(x);
        let heads = [batch, length, HEADS, WIDTH / HEADS];
        let [q, k, v] =
            [0, 1, 2].map(|i| self.parts[i].forward(&normal).reshape(heads).transpose(1, 2));
        let options = Attention { scale: 1.0 / ((WIDTH / HEADS) as f64).sqrt(), causal: true };
        let seen = q.attention(&k, &v, None, &options);
        let x = x + self.project.forward(&seen.transpose(1, 2).reshape([batch, length, WIDTH]));
        &x + self.narrow.forward(&self.widen.forward(&self.norm_2.forward(&x)).gelu())
    }
}

impl Gpt {
    fn new() -> Gpt {
        let init = Init::Normal { mean: 0.0, std: 1.0 };
        Gpt {
            tokens: Embedding::new(VOCABULARY, WIDTH),
            positions: Param::new("positions", [LENGTH, WIDTH], init),
            blocks: (0..BLOCKS).map(|_| Block::new()).collect(),
            norm: LayerNorm::new([WIDTH]),
            head: Linear::without_bias(WIDTH, VOCABULARY),
        }
    }
}

impl Forward for Gpt {
    /// Ids `[N, T]` to logits `[N·T, K]`.
    fn forward(&self, ids: &Tensor) -> Tensor {
        let x = self.tokens.forward(ids) + self.positions.tensor();
        let x = self.blocks.iter().fold(x, |x, block| block.forward(&x));
        self.head.forward(&self.norm.forward(&x)).reshape([ids.numel(), VOCABULARY])
    }
}

pub fn step(contest: &Contest) -> Fallible<Step> {
    let rows = contest.batch * LENGTH;
    let tokens = |stream: u64| -> Vec<i64> {
        let drawn = graph::random::uniform_f32(1, 0, stream, rows);
        drawn.into_iter().map(|u| (u * VOCABULARY as f32) as i64).collect()
    };
    let x = Value::new(&tokens(0), [contest.batch, LENGTH]).ok_or("the batch does not fit")?;
    let y = Value::from_slice(&tokens(1));
    let optimizer = nn::optim::AdamW::default().into();
    Step::of(&Gpt::new(), Tensor::clone, optimizer, 3e-4, [x, y], contest.threads)
}
