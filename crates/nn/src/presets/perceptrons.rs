//! Networks of linear layers, for samples of any shape.

use thalweg_graph::OpError;

use super::{Preset, Shapes};
use crate::dag::NodeSpec;
use crate::spec::{LayerSpec, mlp};

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "linear",
        about: "no hidden layer: logistic or linear regression",
        nodes: |shapes| perceptron(shapes, &[], 0.0),
    },
    Preset {
        name: "perceptron",
        about: "one hidden layer of 64 units",
        nodes: |shapes| perceptron(shapes, &[64], 0.0),
    },
    Preset {
        name: "mlp",
        about: "two hidden layers, their sizes chosen for the data (the default)",
        nodes: |shapes| match shapes.sample.iter().product::<usize>() >= WIDE_INPUT {
            true => perceptron(shapes, &[512, 256], 0.1),
            false => perceptron(shapes, &[128, 64], 0.2),
        },
    },
    Preset {
        name: "mlp-large",
        about: "1024-512-256 with dropout 0.2",
        nodes: |shapes| perceptron(shapes, &[1024, 512, 256], 0.2),
    },
];

/// The sizes from which on samples get the wide network.
const WIDE_INPUT: usize = 256;

fn perceptron(
    shapes: &Shapes<'_>,
    hidden: &[usize],
    dropout: f64,
) -> Result<Vec<NodeSpec>, OpError> {
    if shapes.vocabulary.is_some() {
        return Err(OpError::argument("a perceptron takes numbers, and the samples are ids")
            .hint("take a network that begins with an embedding"));
    }
    let mut layers = mlp(hidden, LayerSpec::Relu {}, dropout, shapes.outputs);
    if shapes.sample.len() > 1 {
        layers.insert(0, LayerSpec::Flatten { start: 1 });
    }
    Ok(layers.into_iter().map(NodeSpec::from).collect())
}
