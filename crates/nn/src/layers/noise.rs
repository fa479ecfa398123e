//! Layers that add or draw random numbers while training.

use std::sync::Arc;

use thalweg_graph::ops::RandomKind;
use thalweg_graph::{Layer, OpError, Tensor};

use crate::context::{Mode, mode, penalty, random_stream};
use crate::layers::{check_float, forward_in, origin};
use crate::{Forward, Module};

/// Independent N(0, 1) numbers in the shape and type of `like`, from a stream of the running layer; `None` in use.
#[track_caller]
fn normal_like(like: &Tensor) -> Option<Tensor> {
    let (key, stream) = random_stream().filter(|_| mode() == Mode::Train)?;
    Some(Tensor::random(&key, RandomKind::Normal, stream, like.dtype(), like.shape()))
}

/// While training, adds N(0, std²) to each element; in use, the identity. After
/// [Bishop 1995](https://doi.org/10.1162/neco.1995.7.1.108): for small noise the same as a penalty on the network's slope.
///
/// Shapes: any float. No parameters. Errors: `std` negative or not a number, an input that is not a float.
///
/// ```
/// use thalweg_graph::{NoStates, Reference, Tensor};
/// use thalweg_nn::{Forward, GaussianNoise, Mode, context};
/// let x = Tensor::new(&[5.0f32; 1000], [1000]);
/// let layer = GaussianNoise::new(0.5);
/// let step = context::trace(Mode::Train, &context::fixed_key(7, 0), || layer.forward(&x));
/// let y = Reference::new().evaluate(&[step.result], &[], &NoStates)?[0].floats();
/// let mean = y.iter().sum::<f64>() / 1000.0;
/// assert!((mean - 5.0).abs() < 0.1 && y.iter().any(|y| (y - 5.0).abs() > 0.5));
/// # Ok::<(), thalweg_graph::Error>(())
/// ```
#[derive(Clone, Debug, Module)]
pub struct GaussianNoise {
    #[module(flatten)]
    layer: Arc<Layer>,
    std: f64,
}

impl GaussianNoise {
    /// Noise of standard deviation `std`.
    #[track_caller]
    pub fn new(std: f64) -> GaussianNoise {
        GaussianNoise { layer: Layer::new(format!("GaussianNoise {std}")), std }
    }

    fn check(&self, x: &Tensor) -> Result<(), OpError> {
        if !(self.std >= 0.0 && self.std.is_finite()) {
            let what = format!("std must be a finite number of at least 0, got {}", self.std);
            return Err(OpError::argument(what).hint("0.1 is usual for standardised inputs"));
        }
        check_float(x)
    }
}

impl Forward for GaussianNoise {
    fn forward(&self, x: &Tensor) -> Tensor {
        let add = || match normal_like(x) {
            Some(noise) if self.std > 0.0 => x + noise * self.std,
            _ => x.clone(),
        };
        forward_in(&self.layer, x, || self.check(x), add)
    }
}

/// The sampling of a variational autoencoder, so that gradients flow through it: the first half of the input is a mean
/// μ, the second the logarithm of a variance. While training, z = μ + e^(½·logvar)·ε with ε ~ N(0, 1), and the step's
/// loss gets
///
/// β · (1/N) Σ ½ (μ² + e^logvar − logvar − 1),
///
/// β times the mean divergence KL(N(μ, e^logvar) ‖ N(0, 1)) of a sample; in use, z = μ. After
/// [Kingma and Welling 2013](https://arxiv.org/abs/1312.6114), β after
/// [Higgins et al. 2017](https://openreview.net/forum?id=Sy2fzU9gl).
///
/// A Gaussian likelihood of variance s² makes the loss mean squared error + β·KL with β = 2s²/(numbers of a sample): β
/// weighs against the loss as it is scaled.
///
/// Shapes: `[N, 2Z, …] → [N, Z, …]`. No parameters. Errors: an odd axis 1, fewer than two axes, β negative or not a
/// number, an input that is not a float.
#[derive(Clone, Debug, Module)]
pub struct Reparameterize {
    #[module(flatten)]
    layer: Arc<Layer>,
    beta: f64,
}

impl Reparameterize {
    /// With the divergence's weight β; 1 is that of a loss that is a sample's negative log-likelihood.
    #[track_caller]
    pub fn new(beta: f64) -> Reparameterize {
        Reparameterize { layer: Layer::new(format!("Reparameterize {beta}")), beta }
    }

    fn check(&self, x: &Tensor) -> Result<(), OpError> {
        if !(self.beta >= 0.0 && self.beta.is_finite()) {
            let what = format!("beta must be a finite number of at least 0, got {}", self.beta);
            return Err(OpError::argument(what).hint("0 makes it an autoencoder with noise"));
        }
        check_float(x)?;
        if x.rank() < 2 || !x.dim(1).is_multiple_of(2) {
            let what = format!("expects [N, 2·Z, …], got {}{}", x.shape(), origin(x));
            return Err(OpError::shape(what)
                .hint("axis 1 holds the means, and behind them as many log-variances"));
        }
        Ok(())
    }

    fn sample(&self, x: &Tensor) -> Tensor {
        let codes = x.dim(1) / 2;
        let (mean, log_var) = (x.narrow(1, 0, codes), x.narrow(1, codes, codes));
        let Some(noise) = normal_like(&mean) else { return mean };
        let divergence = &mean * &mean + log_var.exp() - &log_var - 1.0;
        penalty(&(divergence.sum_all() * (0.5 * self.beta / x.dim(0) as f64)));
        mean + (log_var * 0.5).exp() * noise
    }
}

impl Forward for Reparameterize {
    fn forward(&self, x: &Tensor) -> Tensor {
        forward_in(&self.layer, x, || self.check(x), || self.sample(x))
    }
}
