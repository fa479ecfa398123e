//! A network as a list of layers, whose sizes follow from the first input.

use std::fmt;
use std::sync::{Arc, OnceLock};

use thalweg_graph::{DType, Error, Layer, Shape, Tensor};

use crate::context::{Mode, fixed_key, trace};
use crate::layers::{PerAxis, Pool};
use crate::module::{Forward, Module, Network, Visitor};
use crate::spec::{
    AvgPoolOptions, BatchNormOptions, ChannelDropoutOptions, ConvOptions, EmbeddingOptions,
    GroupNormOptions, InstanceNormOptions, Interpolation, LayerSpec, MaxPoolOptions,
    RecurrentOptions, TransformerOptions, UpsampleOptions,
};

/// Layers one after the other: the output of each is the input of the next.
///
/// The layers are described; they are built when the first input (or [`Sequential::build`]) tells its shape.
/// Building is deterministic, and happens once: an input that does not fit later is an error that names the
/// layer. Parameters are named as in PyTorch's `nn.Sequential`, by the layer's place: `0.weight`, `0.bias`,
/// `2.weight`.
///
/// ```
/// use thalweg_graph::{DType, Tensor};
/// use thalweg_nn::{Forward, Sequential, parameters};
/// let net = Sequential::new().flatten().linear(128).relu().dropout(0.5).linear(10);
/// let y = net.forward(&Tensor::zeros(DType::F32, [64, 28, 28]));
/// assert_eq!(y.shape().dims(), [64, 10]);
/// let names: Vec<String> = parameters(&net).into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["1.weight", "1.bias", "4.weight", "4.bias"]);
/// ```
pub struct Sequential {
    layer: Arc<Layer>,
    parts: Vec<Part>,
    built: OnceLock<Vec<Arc<dyn Network>>>,
}

#[derive(Clone)]
enum Part {
    Spec(LayerSpec),
    Ready(Arc<dyn Network>),
}

impl Sequential {
    /// No layers: the identity.
    #[track_caller]
    pub fn new() -> Sequential {
        Sequential::from_specs(Vec::new())
    }

    /// The described layers.
    #[track_caller]
    pub fn from_specs(specs: Vec<LayerSpec>) -> Sequential {
        let parts = specs.into_iter().map(Part::Spec).collect();
        Sequential { layer: Layer::new("Sequential"), parts, built: OnceLock::new() }
    }

    /// The layers as data, where all of them are: `None` with a layer that was [pushed](Sequential::push) ready.
    pub fn specs(&self) -> Option<Vec<LayerSpec>> {
        let specs = self.parts.iter().map(|part| match part {
            Part::Spec(spec) => Some(spec.clone()),
            Part::Ready(_) => None,
        });
        specs.collect()
    }

    /// Adds a layer that is ready. It keeps its parameters whatever is added later; so clone them into it to
    /// share them.
    pub fn push(self, layer: impl Network + 'static) -> Sequential {
        self.with(Part::Ready(Arc::new(layer)))
    }

    /// Adds a described layer. Layers that were already built are forgotten and built anew.
    pub fn layer(self, spec: LayerSpec) -> Sequential {
        self.with(Part::Spec(spec))
    }

    fn with(mut self, part: Part) -> Sequential {
        self.parts.push(part);
        self.built = OnceLock::new();
        self
    }

    /// The number of layers.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// True with no layers.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Builds the layers for inputs of shape `input` (batch axis first; its extent does not matter) and type `dtype`,
    /// and tells the shape of the output. What is built already stays; a failure leaves nothing built.
    #[track_caller]
    pub fn build(&self, input: impl Into<Shape>, dtype: DType) -> Result<Shape, Error> {
        self.infer(&Tensor::input("x", dtype, input)).ok().map(|y| y.shape().clone())
    }

    /// The output for `x`, having built what was not; poisoned where that fails.
    #[track_caller]
    fn infer(&self, x: &Tensor) -> Tensor {
        // In a trace of its own, so that building takes no random stream and leaves no write in the step's.
        let inferred = trace(Mode::Eval, &fixed_key(0, 0), || match self.built.get() {
            Some(layers) => run(layers, x),
            None => self.make(x),
        });
        inferred.result
    }

    #[track_caller]
    fn make(&self, x: &Tensor) -> Tensor {
        let (mut layers, mut y) = (Vec::<Arc<dyn Network>>::new(), x.clone());
        for (place, part) in self.parts.iter().enumerate() {
            let layer = match part {
                Part::Ready(layer) => Ok(layer.clone()),
                Part::Spec(spec) => spec.build(y.shape()).map(Arc::from),
            };
            match layer {
                Ok(layer) => {
                    y = layer.forward(&y);
                    layers.push(layer);
                }
                Err(mut error) => {
                    error.what = format!("layer {place}: {}", error.what);
                    let _entered = self.layer.enter();
                    return Tensor::poison("build", error);
                }
            }
            if y.error().is_some() {
                return y;
            }
        }
        // Another thread may have been first; then its layers are the ones.
        let _ = self.built.set(layers);
        y
    }
}

fn run(layers: &[Arc<dyn Network>], x: &Tensor) -> Tensor {
    layers.iter().fold(x.clone(), |x, layer| layer.forward(&x))
}

macro_rules! builders {
    ($($(#[$doc:meta])* $name:ident($($field:ident: $type:ty),*) = $spec:expr;)*) => {
        /// One method for each sort of layer, with PyTorch's defaults for what is not named.
        impl Sequential {
            $($(#[$doc])*
            pub fn $name(self $(, $field: $type)*) -> Sequential {
                self.layer($spec)
            })*
        }
    };
}

builders! {
    /// [`Linear`](crate::Linear) to `out` outputs.
    linear(out: usize) = LayerSpec::Linear { out, bias: true };
    /// [`Linear`](crate::Linear) to `out` outputs, only multiplying.
    linear_without_bias(out: usize) = LayerSpec::Linear { out, bias: false };
    /// [`Embedding`](crate::Embedding).
    embedding(num: usize, dim: usize) = LayerSpec::Embedding(EmbeddingOptions::new(num, dim));
    /// [`Flatten`](crate::Flatten) from axis 1.
    flatten() = LayerSpec::Flatten { start: 1 };
    /// [`Dropout`](crate::Dropout).
    dropout(p: f64) = LayerSpec::Dropout { p };
    /// [`BatchNorm1d`](crate::BatchNorm1d).
    batch_norm1d() = LayerSpec::BatchNorm1d(BatchNormOptions::default());
    /// [`BatchNorm2d`](crate::BatchNorm2d).
    batch_norm2d() = LayerSpec::BatchNorm2d(BatchNormOptions::default());
    /// [`BatchNorm3d`](crate::BatchNorm3d).
    batch_norm3d() = LayerSpec::BatchNorm3d(BatchNormOptions::default());
    /// [`GroupNorm`](crate::GroupNorm).
    group_norm(groups: usize) =
        LayerSpec::GroupNorm(GroupNormOptions { groups, eps: 1e-5, affine: true });
    /// [`InstanceNorm2d`](crate::InstanceNorm2d).
    instance_norm2d() = LayerSpec::InstanceNorm2d(InstanceNormOptions::default());
    /// [`Conv1d`](crate::Conv1d) to `out` channels.
    conv1d(out: usize, kernel: impl Into<PerAxis>) =
        LayerSpec::Conv1d(ConvOptions::new(out, kernel));
    /// [`Conv2d`](crate::Conv2d) to `out` channels.
    conv2d(out: usize, kernel: impl Into<PerAxis>) =
        LayerSpec::Conv2d(ConvOptions::new(out, kernel));
    /// [`Conv3d`](crate::Conv3d) to `out` channels.
    conv3d(out: usize, kernel: impl Into<PerAxis>) =
        LayerSpec::Conv3d(ConvOptions::new(out, kernel));
    /// [`MaxPool1d`](crate::MaxPool1d) of windows side by side.
    max_pool1d(kernel: impl Into<PerAxis>) = LayerSpec::MaxPool1d(MaxPoolOptions::new(kernel));
    /// [`MaxPool2d`](crate::MaxPool2d) of windows side by side.
    max_pool2d(kernel: impl Into<PerAxis>) = LayerSpec::MaxPool2d(MaxPoolOptions::new(kernel));
    /// [`MaxPool3d`](crate::MaxPool3d) of windows side by side.
    max_pool3d(kernel: impl Into<PerAxis>) = LayerSpec::MaxPool3d(MaxPoolOptions::new(kernel));
    /// [`AvgPool2d`](crate::AvgPool2d) of windows side by side.
    avg_pool2d(kernel: impl Into<PerAxis>) = LayerSpec::AvgPool2d(AvgPoolOptions::new(kernel));
    /// [`GlobalAvgPool`](crate::GlobalAvgPool).
    global_avg_pool() = LayerSpec::GlobalAvgPool {};
    /// [`GlobalMaxPool`](crate::GlobalMaxPool).
    global_max_pool() = LayerSpec::GlobalMaxPool {};
    /// [`Upsample`](crate::Upsample) by the nearest element.
    upsample(scale: impl Into<PerAxis>) =
        LayerSpec::Upsample(UpsampleOptions::scale(scale, Interpolation::Nearest));
    /// [`Dropout2d`](crate::Dropout2d).
    dropout2d(p: f64) = LayerSpec::Dropout2d(ChannelDropoutOptions { p });
    /// [`GaussianNoise`](crate::GaussianNoise).
    gaussian_noise(std: f64) = LayerSpec::GaussianNoise { std };
    /// [`Reparameterize`](crate::Reparameterize).
    reparameterize(beta: f64) = LayerSpec::Reparameterize { beta };
    /// [`Reshape`](crate::Reshape) of each sample; one extent may be −1.
    reshape(shape: impl Into<Vec<isize>>) = LayerSpec::Reshape { shape: shape.into() };
    /// [`Unsqueeze`](crate::Unsqueeze): axis 1 is the channel that images may lack.
    unsqueeze(axis: isize) = LayerSpec::Unsqueeze { axis };
    /// [`LayerNorm`](crate::LayerNorm) over the last axis.
    layer_norm() = LayerSpec::LayerNorm { axes: 1, eps: 1e-5, affine: true };
    /// [`Rnn`](crate::Rnn) of one layer.
    rnn(hidden: usize) = LayerSpec::Rnn(RecurrentOptions::new(hidden));
    /// [`Lstm`](crate::Lstm) of one layer.
    lstm(hidden: usize) = LayerSpec::Lstm(RecurrentOptions::new(hidden));
    /// [`Gru`](crate::Gru) of one layer.
    gru(hidden: usize) = LayerSpec::Gru(RecurrentOptions::new(hidden));
    /// [`TransformerEncoder`](crate::TransformerEncoder) of one layer.
    transformer_encoder(heads: usize) =
        LayerSpec::TransformerEncoder(TransformerOptions::new(heads));
    /// [`SinusoidalPositions`](crate::SinusoidalPositions).
    sinusoidal_positions() = LayerSpec::SinusoidalPositions {};
    /// [`LearnedPositions`](crate::LearnedPositions) for as many places as the input has.
    learned_positions() = LayerSpec::LearnedPositions { max: None };
    /// [`PoolTime`](crate::PoolTime).
    pool_time(how: Pool) = LayerSpec::PoolTime { how };
    /// [`Relu`](crate::Relu).
    relu() = LayerSpec::Relu {};
    /// [`LeakyRelu`](crate::LeakyRelu).
    leaky_relu(alpha: f64) = LayerSpec::LeakyRelu { alpha };
    /// [`Elu`](crate::Elu).
    elu(alpha: f64) = LayerSpec::Elu { alpha };
    /// [`Sigmoid`](crate::Sigmoid).
    sigmoid() = LayerSpec::Sigmoid {};
    /// [`Tanh`](crate::Tanh).
    tanh() = LayerSpec::Tanh {};
    /// [`Softmax`](crate::Softmax).
    softmax(axis: isize) = LayerSpec::Softmax { axis };
    /// [`LogSoftmax`](crate::LogSoftmax).
    log_softmax(axis: isize) = LayerSpec::LogSoftmax { axis };
    /// [`Gelu`](crate::Gelu) by the error function.
    gelu() = LayerSpec::Gelu { tanh: false };
    /// [`Gelu`](crate::Gelu) by tanh.
    gelu_tanh() = LayerSpec::Gelu { tanh: true };
    /// [`Silu`](crate::Silu).
    silu() = LayerSpec::Silu {};
    /// [`Softplus`](crate::Softplus).
    softplus() = LayerSpec::Softplus {};
    /// [`Prelu`](crate::Prelu) with one slope for all.
    prelu() = LayerSpec::Prelu { per_channel: false };
}

impl Forward for Sequential {
    fn forward(&self, x: &Tensor) -> Tensor {
        if self.built.get().is_none() {
            let inferred = self.infer(&match x.error() {
                Some(_) => x.clone(),
                None => Tensor::input("x", x.dtype(), x.shape()),
            });
            if inferred.error().is_some() {
                return inferred;
            }
        }
        run(self.built.get().map_or(&[], Vec::as_slice), x)
    }
}

impl Module for Sequential {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        match self.built.get() {
            Some(layers) => {
                visitor.layer(&self.layer);
                layers.visit(visitor);
            }
            None => visitor.unbuilt(&self.layer),
        }
    }
}

impl Default for Sequential {
    #[track_caller]
    fn default() -> Sequential {
        Sequential::new()
    }
}

impl fmt::Debug for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for part in &self.parts {
            match part {
                Part::Spec(spec) => list.entry(spec),
                Part::Ready(_) => list.entry(&"a ready layer"),
            };
        }
        list.finish()
    }
}
