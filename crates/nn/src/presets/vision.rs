//! Convolutional networks: for images, spectrograms and films.

use thalweg_graph::OpError;

use super::nodes::Nodes;
use super::{Preset, Shapes};
use crate::dag::NodeSpec;
use crate::spec::{BatchNormOptions, ConvOptions, LayerSpec, MaxPoolOptions};

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "lenet",
        about: "images: two convolutions with pooling, a hidden layer of 128",
        nodes: lenet,
    },
    Preset {
        name: "cnn",
        about: "images: three pairs of convolutions with batch norm, 32 to 128 channels",
        nodes: cnn,
    },
    Preset {
        name: "resnet18",
        about: "images: 18 layers with skips (He et al. 2015); 11 million weights",
        nodes: |shapes| resnet("resnet18", shapes, [2, 2, 2, 2]),
    },
    Preset {
        name: "resnet34",
        about: "images: 34 layers with skips; 21 million weights",
        nodes: |shapes| resnet("resnet34", shapes, [3, 4, 6, 3]),
    },
    Preset {
        name: "mobilenet",
        about: "images: small and quick, depth-wise convolutions in inverted residuals (Sandler et al. 2018)",
        nodes: mobilenet,
    },
    Preset {
        name: "audio-cnn",
        about: "spectrograms: four convolutions with batch norm, 16 to 128 channels",
        nodes: audio_cnn,
    },
    Preset {
        name: "cnn3d",
        about: "films: three convolutions over frames, height and width",
        nodes: cnn3d,
    },
];

/// The extent from which on images are taken down at once, as networks for ImageNet do.
const LARGE: usize = 112;

/// What samples must look like: their axes without the channel.
pub(super) struct Form {
    pub space: &'static [&'static str],
    pub things: &'static str,
}

pub(super) const IMAGES: Form = Form { space: &["height", "width"], things: "images" };
const SPECTROGRAMS: Form = Form { space: &["mels", "frames"], things: "spectrograms" };
const FILMS: Form = Form { space: &["frames", "height", "width"], things: "films" };

impl Form {
    /// The spatial extents of a sample, and a network that begins with a channel axis where the sample has none.
    pub fn begin(&self, name: &str, shapes: &Shapes<'_>) -> Result<(Nodes, Vec<usize>), OpError> {
        let (sample, rank) = (shapes.sample, self.space.len());
        let axes = self.space.join(", ");
        let fits = sample.len() == rank || sample.len() == rank + 1;
        if shapes.vocabulary.is_some() || !fits {
            let got = match shapes.vocabulary {
                Some(_) => "ids".to_owned(),
                None => format!("{sample:?}"),
            };
            let what = format!(
                "{name} takes {}, [{axes}] or [channels, {axes}], and the samples are {got}",
                self.things
            );
            return Err(OpError::argument(what).hint("mlp takes numbers of any shape"));
        }
        let mut nodes = Nodes::new();
        if sample.len() == rank {
            nodes.add(LayerSpec::Unsqueeze { axis: 1 });
        }
        Ok((nodes, sample[sample.len() - rank..].to_vec()))
    }
}

fn linear(out: usize) -> LayerSpec {
    LayerSpec::Linear { out, bias: true }
}

/// A 3×3 convolution that keeps the extents, and can be followed by a norm: no bias.
fn conv3x3(out: usize, stride: usize) -> ConvOptions {
    ConvOptions {
        stride: stride.into(),
        padding: 1.into(),
        bias: false,
        ..ConvOptions::new(out, 3)
    }
}

fn batch_norm() -> LayerSpec {
    LayerSpec::BatchNorm2d(BatchNormOptions::default())
}

fn lenet(shapes: &Shapes<'_>) -> Result<Vec<NodeSpec>, OpError> {
    let (mut nodes, _) = IMAGES.begin("lenet", shapes)?;
    for channels in [32, 64] {
        let conv = ConvOptions { padding: 1.into(), ..ConvOptions::new(channels, 3) };
        nodes.add(LayerSpec::Conv2d(conv)).add(LayerSpec::Relu {});
        nodes.add(LayerSpec::MaxPool2d(MaxPoolOptions::new(2)));
    }
    nodes.add(LayerSpec::Flatten { start: 1 }).add(linear(128)).add(LayerSpec::Relu {});
    nodes.add(LayerSpec::Dropout { p: 0.5 }).add(linear(shapes.outputs));
    Ok(nodes.list())
}

fn cnn(shapes: &Shapes<'_>) -> Result<Vec<NodeSpec>, OpError> {
    let (mut nodes, mut extents) = IMAGES.begin("cnn", shapes)?;
    for channels in [32, 64, 128] {
        for _ in 0..2 {
            nodes.add(LayerSpec::Conv2d(conv3x3(channels, 1)));
            nodes.add(batch_norm()).add(LayerSpec::Relu {});
        }
        nodes.add(LayerSpec::MaxPool2d(halve(&mut extents)));
    }
    nodes.add(LayerSpec::GlobalAvgPool {}).add(LayerSpec::Dropout { p: 0.2 });
    nodes.add(linear(shapes.outputs));
    Ok(nodes.list())
}

fn audio_cnn(shapes: &Shapes<'_>) -> Result<Vec<NodeSpec>, OpError> {
    let (mut nodes, mut extents) = SPECTROGRAMS.begin("audio-cnn", shapes)?;
    for channels in [16, 32, 64, 128] {
        nodes.add(LayerSpec::Conv2d(conv3x3(channels, 1)));
        nodes.add(batch_norm()).add(LayerSpec::Relu {});
        nodes.add(LayerSpec::MaxPool2d(halve(&mut extents)));
    }
    nodes.add(LayerSpec::GlobalAvgPool {}).add(LayerSpec::Dropout { p: 0.3 });
    nodes.add(linear(shapes.outputs));
    Ok(nodes.list())
}

fn cnn3d(shapes: &Shapes<'_>) -> Result<Vec<NodeSpec>, OpError> {
    let (mut nodes, mut extents) = FILMS.begin("cnn3d", shapes)?;
    for channels in [16, 32, 64] {
        nodes.add(LayerSpec::Conv3d(conv3x3(channels, 1)));
        nodes.add(LayerSpec::BatchNorm3d(BatchNormOptions::default())).add(LayerSpec::Relu {});
        nodes.add(LayerSpec::MaxPool3d(halve(&mut extents)));
    }
    nodes.add(LayerSpec::GlobalAvgPool {}).add(LayerSpec::Dropout { p: 0.3 });
    nodes.add(linear(shapes.outputs));
    Ok(nodes.list())
}

/// Pooling that halves each axis that has two elements.
fn halve(extents: &mut [usize]) -> MaxPoolOptions {
    let kernel: Vec<usize> = extents.iter().map(|&extent| extent.clamp(1, 2)).collect();
    extents.iter_mut().zip(&kernel).for_each(|(extent, kernel)| *extent /= kernel);
    MaxPoolOptions::new(kernel)
}

/// [He et al. 2015](https://arxiv.org/abs/1512.03385), with basic blocks of the names that torchvision gives their parameters.
/// Small images get the stem for CIFAR: one 3×3 convolution, nothing taken down.
fn resnet(name: &str, shapes: &Shapes<'_>, blocks: [usize; 4]) -> Result<Vec<NodeSpec>, OpError> {
    let (mut nodes, extents) = IMAGES.begin(name, shapes)?;
    let large = extents.iter().all(|&extent| extent >= LARGE);
    let stem = match large {
        true => ConvOptions {
            stride: 2.into(),
            padding: 3.into(),
            bias: false,
            ..ConvOptions::new(64, 7)
        },
        false => conv3x3(64, 1),
    };
    nodes.named("conv1", LayerSpec::Conv2d(stem)).named("bn1", batch_norm());
    nodes.named("relu", LayerSpec::Relu {});
    if large {
        let pool =
            MaxPoolOptions { stride: Some(2.into()), padding: 1.into(), ..MaxPoolOptions::new(3) };
        nodes.named("maxpool", LayerSpec::MaxPool2d(pool));
    }
    let mut channels = 64;
    for (stage, blocks) in blocks.into_iter().enumerate() {
        let out = 64 << stage;
        for block in 0..blocks {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            basic_block(&mut nodes, &format!("layer{}.{block}", stage + 1), channels, out, stride);
            channels = out;
        }
    }
    nodes.named("avgpool", LayerSpec::GlobalAvgPool {}).named("fc", linear(shapes.outputs));
    Ok(nodes.list())
}

fn basic_block(nodes: &mut Nodes, name: &str, channels: usize, out: usize, stride: usize) {
    let part = |part: &str| format!("{name}.{part}");
    let input = nodes.last();
    nodes.named(part("conv1"), LayerSpec::Conv2d(conv3x3(out, stride)));
    nodes.named(part("bn1"), batch_norm()).named(part("relu1"), LayerSpec::Relu {});
    nodes.named(part("conv2"), LayerSpec::Conv2d(conv3x3(out, 1)));
    nodes.named(part("bn2"), batch_norm());
    let branch = nodes.last();
    let skip = match stride == 1 && channels == out {
        true => input,
        false => {
            let conv =
                ConvOptions { stride: stride.into(), bias: false, ..ConvOptions::new(out, 1) };
            nodes.named(part("downsample.0"), LayerSpec::Conv2d(conv)).of(&[&input]);
            nodes.named(part("downsample.1"), batch_norm());
            nodes.last()
        }
    };
    nodes.named(part("add"), LayerSpec::Add {}).of(&[&branch, &skip]);
    nodes.named(part("relu2"), LayerSpec::Relu {});
}

/// After [Sandler et al. 2018](https://arxiv.org/abs/1801.04381), narrower and shallower: half a million weights.
fn mobilenet(shapes: &Shapes<'_>) -> Result<Vec<NodeSpec>, OpError> {
    let (mut nodes, extents) = IMAGES.begin("mobilenet", shapes)?;
    let stride = if extents.iter().all(|&extent| extent >= LARGE) { 2 } else { 1 };
    normed(&mut nodes, "stem", conv3x3(16, stride), true);
    // Expansion, channels, blocks, stride of the first.
    let stages = [(1, 16, 1, 1), (4, 24, 2, 2), (4, 40, 2, 2), (4, 80, 3, 2)];
    let (mut channels, mut place) = (16, 0);
    for (expansion, out, blocks, stride) in stages {
        for block in 0..blocks {
            place += 1;
            let stride = if block == 0 { stride } else { 1 };
            inverted_residual(&mut nodes, place, [channels, out], expansion, stride);
            channels = out;
        }
    }
    normed(&mut nodes, "head", pointwise(320), true);
    nodes.add(LayerSpec::GlobalAvgPool {}).add(LayerSpec::Dropout { p: 0.2 });
    nodes.named("classifier", linear(shapes.outputs));
    Ok(nodes.list())
}

fn inverted_residual(
    nodes: &mut Nodes,
    place: usize,
    [channels, out]: [usize; 2],
    expansion: usize,
    stride: usize,
) {
    let part = |part: &str| format!("block{place}.{part}");
    let input = nodes.last();
    let wide = channels * expansion;
    if expansion > 1 {
        normed(nodes, &part("expand"), pointwise(wide), true);
    }
    normed(nodes, &part("depthwise"), ConvOptions { groups: wide, ..conv3x3(wide, stride) }, true);
    normed(nodes, &part("project"), pointwise(out), false);
    if stride == 1 && channels == out {
        let branch = nodes.last();
        nodes.named(part("add"), LayerSpec::Add {}).of(&[&branch, &input]);
    }
}

fn pointwise(out: usize) -> ConvOptions {
    ConvOptions { bias: false, ..ConvOptions::new(out, 1) }
}

/// A convolution with batch norm behind it, and maybe a ReLU.
fn normed(nodes: &mut Nodes, name: &str, conv: ConvOptions, relu: bool) {
    nodes.named(format!("{name}.conv"), LayerSpec::Conv2d(conv));
    nodes.named(format!("{name}.bn"), batch_norm());
    if relu {
        nodes.named(format!("{name}.relu"), LayerSpec::Relu {});
    }
}
