//! T5 and T5gru: the next character of a text, by two recurrent layers.

use thalweg::nn::{Embedding, Gru, Linear, Lstm};
use thalweg::prelude::*;
use thalweg::{graph, nn};

use crate::{Contest, Fallible, Step};

/// Characters of an alphabet, which are also the numbers that stand for one.
const CHARACTERS: usize = 128;
/// Characters of a sequence.
const LENGTH: usize = 64;
/// Units of a recurrent layer.
const HIDDEN: usize = 256;

#[derive(Debug, Module)]
struct Net<R> {
    embedding: Embedding,
    layers: R,
    output: Linear,
}

impl<R: Module + Forward> Forward for Net<R> {
    fn forward(&self, ids: &Tensor) -> Tensor {
        self.output.forward(&self.layers.forward(&self.embedding.forward(ids)))
    }
}

pub fn step(contest: &Contest) -> Fallible<Step> {
    match contest.workload {
        "T5" => step_of(contest, Lstm::new(CHARACTERS, HIDDEN).layers(2)),
        _ => step_of(contest, Gru::new(CHARACTERS, HIDDEN).layers(2)),
    }
}

fn step_of<R: Module + Forward>(contest: &Contest, layers: R) -> Fallible<Step> {
    let embedding = Embedding::new(CHARACTERS, CHARACTERS);
    let net = Net { embedding, layers, output: Linear::new(HIDDEN, CHARACTERS) };
    let rows = contest.batch * LENGTH;
    let characters = |stream: u64| {
        let drawn = graph::random::uniform_f32(1, 0, stream, rows);
        drawn.into_iter().map(|u| (u * CHARACTERS as f32) as i64).collect::<Vec<_>>()
    };
    let x = Value::new(&characters(0), [contest.batch, LENGTH]).ok_or("the batch does not fit")?;
    let y = Value::from_slice(&characters(1));
    let optimizer = nn::optim::Adam::default().into();
    let logits = |y: &Tensor| y.reshape([rows, CHARACTERS]);
    Step::of(&net, logits, optimizer, 1e-3, [x, y], contest.threads)
}
