//! Networks for sequences: text, series, and pairs of ids.

use thalweg_graph::OpError;

use super::{Preset, Shapes};
use crate::dag::{INPUT, NodeSpec};
use crate::layers::{Padding, Pool};
use crate::spec::{
    ConvOptions, EmbeddingOptions, ForecasterOptions, LayerSpec, RecurrentOptions, Seq2SeqOptions,
    TransformerOptions, TwoTowerOptions,
};

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "text-cnn",
        about: "convolutions over 3, 4 and 5 neighbours, the greatest of each (Kim 2014)",
        nodes: text_cnn,
    },
    Preset {
        name: "lstm",
        about: "a bidirectional LSTM, the greatest of its states",
        nodes: |shapes| recurrent(shapes, LayerSpec::Lstm(both_ways(shapes))),
    },
    Preset {
        name: "gru",
        about: "a bidirectional GRU, the greatest of its states",
        nodes: |shapes| recurrent(shapes, LayerSpec::Gru(both_ways(shapes))),
    },
    Preset {
        name: "transformer",
        about: "two Transformer layers, the mean of their places",
        nodes: transformer,
    },
    Preset {
        name: "tagger",
        about: "a bidirectional LSTM with an output at each place",
        nodes: tagger,
    },
    Preset { name: "char-lm", about: "a language model: two LSTM layers of 256", nodes: char_lm },
    Preset {
        name: "gpt",
        about: "a language model: four causal Transformer layers of 128",
        nodes: gpt,
    },
    Preset {
        name: "seq2seq",
        about: "an encoder and a decoder that looks back at it (GRU)",
        nodes: seq2seq,
    },
    Preset {
        name: "forecaster",
        about: "corrects a seasonal-naive forecast of a series",
        nodes: forecaster,
    },
    Preset {
        name: "two-tower",
        about: "a vector and a bias for each user and each item",
        nodes: two_tower,
    },
];

/// The numbers of an embedded id in the networks that read a sequence.
const EMBEDDING: usize = 64;

/// So many ids are words, most of them seldom: what is learned of each must be damped, or the texts are learned by heart.
const WORDS: usize = 1000;

fn both_ways(shapes: &Shapes<'_>) -> RecurrentOptions {
    let words = shapes.vocabulary.is_some_and(|num| num >= WORDS);
    let hidden = if words { 64 } else { 128 };
    RecurrentOptions { bidirectional: true, ..RecurrentOptions::new(hidden) }
}

fn linear(out: usize) -> NodeSpec {
    NodeSpec::from(LayerSpec::Linear { out, bias: true })
}

fn dropout(p: f64) -> NodeSpec {
    NodeSpec::from(LayerSpec::Dropout { p })
}

/// The sequence that a network reads, called `sequence`: embedded ids, or numbers as they are.
struct Read {
    nodes: Vec<NodeSpec>,
    /// The input that says where padding is; there is none among numbers.
    ids: Option<&'static str>,
}

impl Read {
    fn new(shapes: &Shapes<'_>) -> Result<Read, OpError> {
        match (shapes.vocabulary, shapes.sample) {
            (Some(num), [_]) => {
                let padded = |dim, std| {
                    let options = EmbeddingOptions::new(num, dim);
                    let table = EmbeddingOptions { padding_idx: Some(0), std, ..options };
                    NodeSpec::from(LayerSpec::Embedding(table))
                };
                let nodes = match num >= WORDS {
                    true => vec![padded(2 * EMBEDDING, 0.1), dropout(0.5).named("sequence")],
                    false => vec![padded(EMBEDDING, 1.0).named("sequence")],
                };
                Ok(Read { nodes, ids: Some(INPUT) })
            }
            (None, [_, _]) => Ok(Read { nodes: vec![], ids: None }),
            (vocabulary, sample) => {
                let what = if vocabulary.is_some() { "ids" } else { "numbers" };
                Err(OpError::argument(format!(
                    "it reads sequences, got samples {sample:?} of {what}"
                ))
                .hint("samples are ids [length], or numbers [steps, columns]"))
            }
        }
    }

    /// The name of the sequence.
    fn sequence(&self) -> &'static str {
        if self.ids.is_some() { "sequence" } else { INPUT }
    }

    /// A node over what `of` names, which learns from the ids where padding is.
    fn over(&self, layer: LayerSpec, of: &str) -> NodeSpec {
        let inputs: Vec<&str> = std::iter::once(of).chain(self.ids).collect();
        NodeSpec::from(layer).of(&inputs)
    }
}

/// Of ids alone: how many there are.
fn vocabulary(shapes: &Shapes<'_>, length: Option<usize>) -> Result<usize, OpError> {
    let fits = matches!(shapes.sample, [n] if length.is_none_or(|length| *n == length));
    match shapes.vocabulary.filter(|_| fits) {
        Some(num) => Ok(num),
        None => {
            let length = length.map_or("length".to_owned(), |length| length.to_string());
            let what = format!("it takes ids [{length}], got samples {:?}", shapes.sample);
            Err(OpError::argument(what).hint("take a network for this kind of data"))
        }
    }
}

fn text_cnn(shapes: &Shapes<'_>) -> Result<Vec<NodeSpec>, OpError> {
    const CHANNELS: usize = 100;
    let read = Read::new(shapes)?;
    let turn = || NodeSpec::from(LayerSpec::Transpose { axes: [1, 2] });
    let mut nodes = read.nodes.clone();
    nodes.push(turn().of(&[read.sequence()]).named("channels"));
    let widths = [3usize, 4, 5];
    let pooled = widths.map(|width| format!("pooled{width}"));
    for (width, pooled) in widths.into_iter().zip(&pooled) {
        let conv = ConvOptions { padding: Padding::Same, ..ConvOptions::new(CHANNELS, width) };
        let (places, turned) = (format!("near{width}"), format!("places{width}"));
        nodes.push(NodeSpec::from(LayerSpec::Conv1d(conv)).of(&["channels"]).named(&places));
        nodes.push(NodeSpec::from(LayerSpec::Relu {}));
        nodes.push(turn().named(&turned));
        nodes.push(read.over(LayerSpec::PoolTime { how: Pool::Max }, &turned).named(pooled));
    }
    nodes.push(NodeSpec::from(LayerSpec::Concat { axis: -1 }).of(&pooled));
    nodes.extend([dropout(0.5), linear(shapes.outputs)]);
    Ok(nodes)
}

fn recurrent(shapes: &Shapes<'_>, layer: LayerSpec) -> Result<Vec<NodeSpec>, OpError> {
    let read = Read::new(shapes)?;
    let mut nodes = read.nodes.clone();
    nodes.push(read.over(layer, read.sequence()).named("states"));
    nodes.push(read.over(LayerSpec::PoolTime { how: Pool::Max }, "states"));
    nodes.extend([dropout(0.4), linear(shapes.outputs)]);
    Ok(nodes)
}

fn transformer(shapes: &Shapes<'_>) -> Result<Vec<NodeSpec>, OpError> {
    let read = Read::new(shapes)?;
    let encoder = TransformerOptions {
        layers: 2,
        feedforward: 128,
        gelu: true,
        norm_first: true,
        ..TransformerOptions::new(4)
    };
    let mut nodes = read.nodes.clone();
    if read.ids.is_none() {
        nodes.push(linear(EMBEDDING));
    }
    nodes.push(NodeSpec::from(LayerSpec::SinusoidalPositions {}).named("placed"));
    nodes.push(read.over(LayerSpec::TransformerEncoder(encoder), "placed").named("encoded"));
    nodes.push(read.over(LayerSpec::PoolTime { how: Pool::Mean }, "encoded"));
    nodes.push(linear(shapes.outputs));
    Ok(nodes)
}

fn tagger(shapes: &Shapes<'_>) -> Result<Vec<NodeSpec>, OpError> {
    let read = Read::new(shapes)?;
    let mut nodes = read.nodes.clone();
    nodes.push(read.over(LayerSpec::Lstm(both_ways(shapes)), read.sequence()));
    nodes.extend([dropout(0.3), linear(shapes.outputs)]);
    Ok(nodes)
}

fn char_lm(shapes: &Shapes<'_>) -> Result<Vec<NodeSpec>, OpError> {
    let num = vocabulary(shapes, None)?;
    let layers = RecurrentOptions { layers: 2, ..RecurrentOptions::new(256) };
    Ok(vec![
        NodeSpec::from(LayerSpec::Embedding(EmbeddingOptions::new(num, 128))),
        NodeSpec::from(LayerSpec::Lstm(layers)),
        linear(shapes.outputs),
    ])
}

fn gpt(shapes: &Shapes<'_>) -> Result<Vec<NodeSpec>, OpError> {
    // Ids and positions begin small and alike, as in GPT-2: what the blocks add is then seen from the beginning.
    let table =
        EmbeddingOptions { std: 0.02, ..EmbeddingOptions::new(vocabulary(shapes, None)?, 128) };
    let blocks = TransformerOptions {
        layers: 4,
        feedforward: 512,
        gelu: true,
        norm_first: true,
        causal: true,
        ..TransformerOptions::new(4)
    };
    Ok(vec![
        NodeSpec::from(LayerSpec::Embedding(table)),
        NodeSpec::from(LayerSpec::LearnedPositions { max: None }),
        NodeSpec::from(LayerSpec::TransformerEncoder(blocks)),
        linear(shapes.outputs),
    ])
}

/// The outputs are the target's ids, and their places stand behind the source's.
fn seq2seq(shapes: &Shapes<'_>) -> Result<Vec<NodeSpec>, OpError> {
    let source_ids = vocabulary(shapes, None)?;
    let places = shapes.places.unwrap_or(0);
    let source = shapes.sample[0].checked_sub(places).filter(|&source| source > 0 && places > 0);
    let Some(source) = source else {
        let what = format!("it takes a source and a target, got ids {:?}", shapes.sample);
        return Err(OpError::argument(format!("{what} and {places} outputs"))
            .hint("a sample is the ids of the source and behind them those of the target"));
    };
    let (target_ids, dim, hidden) = (shapes.outputs, EMBEDDING, 128);
    let options = Seq2SeqOptions { source_ids, target_ids, source, dim, hidden, dropout: 0.1 };
    Ok(vec![LayerSpec::Seq2Seq(options).into()])
}

fn forecaster(shapes: &Shapes<'_>) -> Result<Vec<NodeSpec>, OpError> {
    let (None, [window] | [window, _]) = (shapes.vocabulary, shapes.sample) else {
        let what = format!("it takes numbers [steps] or [steps, columns], got {:?}", shapes.sample);
        return Err(OpError::argument(what).hint("take a network for this kind of data"));
    };
    // A horizon is more often than not a whole season.
    let season = shapes.outputs.min(*window);
    let options = ForecasterOptions { horizon: shapes.outputs, hidden: 64, season };
    Ok(vec![LayerSpec::Forecaster(options).into()])
}

fn two_tower(shapes: &Shapes<'_>) -> Result<Vec<NodeSpec>, OpError> {
    let ids = vocabulary(shapes, None)?;
    let columns = shapes.sample.first().copied().unwrap_or(0);
    if columns < 2 {
        let what = format!("two-tower takes a user and an item, got samples {:?}", shapes.sample);
        return Err(OpError::argument(what).hint("they are the first two columns of ids"));
    }
    let options =
        TwoTowerOptions { users: ids, items: ids, context: vec![ids; columns - 2], dim: 8 };
    Ok(vec![LayerSpec::TwoTower(options).into()])
}
