//! Normalisation of groups of channels within each sample.

use std::sync::Arc;

use thalweg_graph::{Layer, OpError, Tensor};

use crate::init::Init;
use crate::layers::conv::per_channel;
use crate::layers::layer_norm::{affine, check_eps};
use crate::layers::spatial::{check_spatial, kind};
use crate::layers::{check_float, forward_in, needs_one, origin};
use crate::param::Param;
use crate::spec::InstanceNormOptions;
use crate::{Forward, Module};

/// `y = (x − mean) / √(var + ε) · weight + bias`: the channels of each sample are cut into groups, and mean and (biased)
/// variance are those of a group over all its channels and places, by two passes. After
/// [Wu and He 2018](https://arxiv.org/abs/1803.08494).
///
/// Shapes: `[N, C, …]`. Parameters, as PyTorch's: `weight` (ones) and `bias` (zeros), `[C]`. ε = 1e-5. The same in training
/// and in use. Errors: groups that do not divide the channels, another number of channels, a size of 0, ε that is
/// negative or not a number, an input that is not a float.
///
/// ```
/// use thalweg_graph::{Reference, Tensor};
/// use thalweg_nn::{Forward, GroupNorm, Store};
/// let norm = GroupNorm::new(2, 4);
/// let mut store = Store::new(0);
/// store.bind(&norm)?;
/// let y = norm.forward(&Tensor::new(&[1.0f32, 3.0, 10.0, 30.0], [1, 4]));
/// let y = Reference::new().evaluate(&[y], &[], &store)?[0].floats();
/// assert!(y.iter().zip([-1.0, 1.0, -1.0, 1.0]).all(|(a, b)| (a - b).abs() < 1e-4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Module)]
pub struct GroupNorm {
    #[module(flatten)]
    layer: Arc<Layer>,
    groups: usize,
    channels: usize,
    eps: f64,
    weight: Option<Param>,
    bias: Option<Param>,
}

impl GroupNorm {
    /// Normalises `groups` groups of `channels` channels altogether.
    #[track_caller]
    pub fn new(groups: usize, channels: usize) -> GroupNorm {
        GroupNorm {
            layer: Layer::new(format!("GroupNorm {groups} of {channels}")),
            groups,
            channels,
            eps: 1e-5,
            weight: Some(Param::new("weight", [channels], Init::Ones)),
            bias: Some(Param::new("bias", [channels], Init::Zeros)),
        }
    }

    /// What is added to the variance; 1e-5 unless told otherwise.
    pub fn eps(mut self, eps: f64) -> GroupNorm {
        self.eps = eps;
        self
    }

    /// Only normalises: no weight and no bias.
    pub fn without_affine(mut self) -> GroupNorm {
        (self.weight, self.bias) = (None, None);
        self
    }

    fn check(&self, x: &Tensor) -> Result<(), OpError> {
        let (groups, channels, shape) = (self.groups, self.channels, x.shape());
        if groups == 0 || channels == 0 {
            return Err(needs_one(if groups == 0 { "groups" } else { "channels" }));
        }
        if !channels.is_multiple_of(groups) {
            let what = format!("groups must divide the {channels} channels, got {groups}");
            return Err(OpError::argument(what).hint("32 groups are usual where there are many"));
        }
        check_eps(self.eps)?;
        check_float(x)?;
        if x.rank() < 2 || x.dim(1) != channels {
            let what = format!("expects [N, {channels}, …], got {shape}{}", origin(x));
            return Err(OpError::shape(what).hint("channels are on axis 1"));
        }
        Ok(())
    }
}

impl Forward for GroupNorm {
    fn forward(&self, x: &Tensor) -> Tensor {
        let normalise = || in_groups(x, self.groups, self.eps, &self.weight, &self.bias);
        forward_in(&self.layer, x, || self.check(x), normalise)
    }
}

/// [`GroupNorm`] with a group for each channel, over `AXES` spatial axes: every channel of every sample by itself. After
/// [Ulyanov, Vedaldi and Lempitsky 2016](https://arxiv.org/abs/1607.08022).
///
/// Shapes: `[N, C, D…]`. As PyTorch's, it has no parameters and no running statistics unless told to have `weight` (ones)
/// and `bias` (zeros), `[C]`. ε = 1e-5. The same in training and in use. Errors: another number of channels or axes,
/// fewer than two values in a channel, 0 channels, ε that is negative or not a number, an input that is not a float.
#[derive(Clone, Debug, Module)]
pub struct InstanceNorm<const AXES: usize> {
    #[module(flatten)]
    layer: Arc<Layer>,
    channels: usize,
    eps: f64,
    weight: Option<Param>,
    bias: Option<Param>,
}

/// [`InstanceNorm`] of sequences, `[N, C, L]`.
pub type InstanceNorm1d = InstanceNorm<1>;
/// [`InstanceNorm`] of images, `[N, C, H, W]`.
pub type InstanceNorm2d = InstanceNorm<2>;
/// [`InstanceNorm`] of volumes or films, `[N, C, D, H, W]`.
pub type InstanceNorm3d = InstanceNorm<3>;

impl<const AXES: usize> InstanceNorm<AXES> {
    /// Normalises each of `channels` channels.
    #[track_caller]
    pub fn new(channels: usize) -> Self {
        Self::with(channels, InstanceNormOptions::default())
    }

    /// Normalises each of `channels` channels, with all options.
    #[track_caller]
    pub fn with(channels: usize, options: InstanceNormOptions) -> Self {
        let InstanceNormOptions { eps, affine } = options;
        let param = |name, init| affine.then(|| Param::new(name, [channels], init));
        InstanceNorm {
            layer: Layer::new(format!("{} {channels}", kind("InstanceNorm", AXES))),
            channels,
            eps,
            weight: param("weight", Init::Ones),
            bias: param("bias", Init::Zeros),
        }
    }

    fn check(&self, x: &Tensor) -> Result<(), OpError> {
        if self.channels == 0 {
            return Err(needs_one("channels"));
        }
        check_eps(self.eps)?;
        check_spatial(x, AXES, Some(self.channels))?;
        if x.shape()[2..].iter().product::<usize>() < 2 {
            let what = format!("needs more than one value in a channel, got {}", x.shape());
            return Err(OpError::shape(what).hint("a single value minus its mean is always 0"));
        }
        Ok(())
    }
}

impl<const AXES: usize> Forward for InstanceNorm<AXES> {
    fn forward(&self, x: &Tensor) -> Tensor {
        let normalise = || in_groups(x, self.channels, self.eps, &self.weight, &self.bias);
        forward_in(&self.layer, x, || self.check(x), normalise)
    }
}

/// Normalises each of `groups` groups of the channels of each sample, then scales and shifts by channel.
#[track_caller]
fn in_groups(
    x: &Tensor,
    groups: usize,
    eps: f64,
    weight: &Option<Param>,
    bias: &Option<Param>,
) -> Tensor {
    let group = x.shape()[1..].iter().product::<usize>() / groups;
    let rows = x.reshape([x.dim(0), groups, group]);
    let centred = &rows - rows.mean(&[2]).keepdim(&rows, &[2]);
    let var = (&centred * &centred).mean(&[2]).keepdim(&rows, &[2]);
    let y = (centred / (var + eps).sqrt()).reshape(x.shape());
    affine(y, weight, bias, |param| per_channel(&param.tensor(), x.rank() - 2))
}
