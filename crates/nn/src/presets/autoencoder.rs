//! Networks that give back their input through a narrow middle: `outputs` is the number of the sample's elements, in
//! one row.

use thalweg_graph::OpError;

use super::nodes::Nodes;
use super::vision::IMAGES;
use super::{Preset, Shapes};
use crate::dag::NodeSpec;
use crate::spec::{ConvOptions, ConvTransposeOptions, LayerSpec};

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "autoencoder",
        about: "gives back its input through a narrow middle, called `code`; convolutional for images",
        nodes: |shapes| {
            autoencoder("autoencoder", shapes, &|nodes, size| {
                nodes.named("code", linear(size));
            })
        },
    },
    Preset {
        name: "vae",
        about: "an autoencoder whose code is drawn from a normal distribution (Kingma and Welling 2013)",
        nodes: |shapes| {
            autoencoder("vae", shapes, &|nodes, size| {
                // The loss being a mean over a sample's elements, as for a Gaussian likelihood of variance ½.
                let beta = 1.0 / shapes.outputs.max(1) as f64;
                nodes.named("distribution", linear(2 * size));
                nodes.named("code", LayerSpec::Reparameterize { beta });
            })
        },
    },
];

fn linear(out: usize) -> LayerSpec {
    LayerSpec::Linear { out, bias: true }
}

/// An autoencoder whose middle `code` adds, in as many numbers as it is told.
fn autoencoder(
    name: &str,
    shapes: &Shapes<'_>,
    code: &dyn Fn(&mut Nodes, usize),
) -> Result<Vec<NodeSpec>, OpError> {
    let elements: usize = shapes.sample.iter().product();
    if shapes.vocabulary.is_some() {
        return Err(OpError::argument(format!("{name} takes numbers, and the samples are ids"))
            .hint("one-hot columns are numbers"));
    }
    if shapes.outputs != elements {
        let got = shapes.outputs;
        let what =
            format!("{name} gives back the {elements} numbers of a sample, got {got} outputs");
        return Err(OpError::argument(what).hint("its target is the sample itself"));
    }
    match matches!(shapes.sample.len(), 2 | 3) {
        true => convolutional(name, shapes, code),
        false => Ok(dense(shapes, elements, code)),
    }
}

/// The numbers of a code: an eighth of the sample's, from 2 to 32.
fn code_size(elements: usize) -> usize {
    (elements / 8).clamp(2, 32)
}

fn dense(shapes: &Shapes<'_>, elements: usize, code: &dyn Fn(&mut Nodes, usize)) -> Vec<NodeSpec> {
    let hidden = (elements / 2).clamp(16, 256);
    let mut nodes = Nodes::new();
    if shapes.sample.len() > 1 {
        nodes.add(LayerSpec::Flatten { start: 1 });
    }
    nodes.add(linear(hidden)).add(LayerSpec::Relu {});
    code(&mut nodes, code_size(elements));
    nodes.add(linear(hidden)).add(LayerSpec::Relu {}).add(linear(elements));
    nodes.list()
}

/// Two convolutions that halve the extents, and two transposed ones that double them.
fn convolutional(
    name: &str,
    shapes: &Shapes<'_>,
    code: &dyn Fn(&mut Nodes, usize),
) -> Result<Vec<NodeSpec>, OpError> {
    const CHANNELS: [usize; 2] = [16, 32];
    let (mut nodes, extents) = IMAGES.begin(name, shapes)?;
    let mut sizes = vec![extents];
    for channels in CHANNELS {
        let conv =
            ConvOptions { stride: 2.into(), padding: 1.into(), ..ConvOptions::new(channels, 3) };
        nodes.add(LayerSpec::Conv2d(conv)).add(LayerSpec::Relu {});
        let halved = sizes[sizes.len() - 1].iter().map(|extent| extent.div_ceil(2)).collect();
        sizes.push(halved);
    }
    let [full, half, quarter] = [&sizes[0], &sizes[1], &sizes[2]];
    nodes.add(LayerSpec::Flatten { start: 1 });
    code(&mut nodes, code_size(shapes.outputs));
    let inner = [CHANNELS[1], quarter[0], quarter[1]];
    nodes.add(linear(inner.iter().product())).add(LayerSpec::Relu {});
    let shape = inner.iter().filter_map(|&extent| isize::try_from(extent).ok()).collect();
    nodes.add(LayerSpec::Reshape { shape });
    let colours = match shapes.sample {
        [channels, _, _] => *channels,
        _ => 1,
    };
    nodes.add(enlarge(CHANNELS[0], half)).add(LayerSpec::Relu {}).add(enlarge(colours, full));
    nodes.add(LayerSpec::Flatten { start: 1 });
    Ok(nodes.list())
}

/// A transposed convolution to the extents `to`, from half of them.
fn enlarge(channels: usize, to: &[usize]) -> LayerSpec {
    // (n − 1)·2 − 2 + 3 is odd; even extents need one more.
    let output_padding: Vec<usize> = to.iter().map(|extent| (extent + 1) % 2).collect();
    LayerSpec::ConvTranspose2d(ConvTransposeOptions {
        stride: 2.into(),
        padding: 1.into(),
        output_padding: output_padding.into(),
        ..ConvTransposeOptions::new(channels, 3)
    })
}
