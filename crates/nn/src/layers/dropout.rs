//! Random silence, against co-adaptation: of elements, of whole channels, of whole branches.

use std::sync::Arc;

use thalweg_graph::{Layer, OpError, Shape, Tensor};

use crate::context::{Mode, mode, random_stream};
use crate::layers::spatial::{check_spatial, kind};
use crate::layers::{check_float, forward_in, origin};
use crate::{Forward, Module};

/// While training, sets each element to 0 with probability `p` and divides the others by `1 − p`, so that the
/// expectation stays; in use, the identity. After
/// [Srivastava et al. 2014](https://jmlr.org/papers/v15/srivastava14a.html), with the scaling in training
/// ("inverted"), as PyTorch.
///
/// Shapes: any float. No parameters. `p` = 1 gives zeros. The elements that fall are decided by the run's seed, the
/// step, the layer's path and the element's place alone. Errors: `p` outside 0..=1, an input that is not a float.
///
/// ```
/// use thalweg_graph::{NoStates, Reference, Tensor};
/// use thalweg_nn::{Dropout, Forward, Mode, context};
/// let x = Tensor::new(&[1.0f32; 1000], [1000]);
/// let step = context::trace(Mode::Train, &context::fixed_key(7, 0), || Dropout::new(0.2).forward(&x));
/// let y = Reference::new().evaluate(&[step.result], &[], &NoStates)?[0].floats();
/// assert!(y.iter().all(|&y| y == 0.0 || y == 1.25));
/// let fallen = y.iter().filter(|&&y| y == 0.0).count();
/// assert!((150..250).contains(&fallen));
/// # Ok::<(), thalweg_graph::Error>(())
/// ```
#[derive(Clone, Debug, Module)]
pub struct Dropout {
    #[module(flatten)]
    layer: Arc<Layer>,
    p: f64,
}

impl Dropout {
    /// Drops each element with probability `p`.
    #[track_caller]
    pub fn new(p: f64) -> Dropout {
        Dropout { layer: Layer::new(format!("Dropout {p}")), p }
    }

    fn check(&self, x: &Tensor) -> Result<(), OpError> {
        check_probability(self.p, "0.5 drops every second element")?;
        check_float(x)
    }
}

impl Forward for Dropout {
    fn forward(&self, x: &Tensor) -> Tensor {
        forward_in(&self.layer, x, || self.check(x), || drop(x, self.p, x.rank()))
    }
}

/// [`Dropout`] of whole channels over `AXES` spatial axes, for neighbours that say the same: each channel of each sample
/// becomes 0 with probability `p`, or is divided by `1 − p`. After [Tompson et al. 2015](https://arxiv.org/abs/1411.4280).
///
/// Shapes: `[N, C, D…]`. Errors: another rank, `p` outside 0..=1, an input that is not a float.
#[derive(Clone, Debug, Module)]
pub struct ChannelDropout<const AXES: usize> {
    #[module(flatten)]
    layer: Arc<Layer>,
    p: f64,
}

/// [`ChannelDropout`] of sequences, `[N, C, L]`.
pub type Dropout1d = ChannelDropout<1>;
/// [`ChannelDropout`] of images, `[N, C, H, W]`.
pub type Dropout2d = ChannelDropout<2>;
/// [`ChannelDropout`] of volumes or films, `[N, C, D, H, W]`.
pub type Dropout3d = ChannelDropout<3>;

impl<const AXES: usize> ChannelDropout<AXES> {
    /// Drops each channel with probability `p`.
    #[track_caller]
    pub fn new(p: f64) -> Self {
        ChannelDropout { layer: Layer::new(format!("{} {p}", kind("Dropout", AXES))), p }
    }

    fn check(&self, x: &Tensor) -> Result<(), OpError> {
        check_probability(self.p, "0.5 drops every second channel")?;
        check_spatial(x, AXES, None)
    }
}

impl<const AXES: usize> Forward for ChannelDropout<AXES> {
    fn forward(&self, x: &Tensor) -> Tensor {
        forward_in(&self.layer, x, || self.check(x), || drop(x, self.p, 2))
    }
}

/// [`Dropout`] of whole samples, at the end of a residual branch: the sample then takes the skip connection alone, and
/// the network is shallower for it. After [Huang et al. 2016](https://arxiv.org/abs/1603.09382); torchvision's in its mode
/// `row`.
///
/// Shapes: `[N, …]`. Errors: a scalar, `p` outside 0..=1, an input that is not a float.
///
/// ```
/// use thalweg_nn::{Dag, LayerSpec, NodeSpec};
/// // x + drop(linear(x))
/// let block = Dag::new(vec![
///     NodeSpec::from(LayerSpec::Linear { out: 8, bias: true }),
///     NodeSpec::from(LayerSpec::StochasticDepth { p: 0.1 }).named("branch"),
///     NodeSpec::from(LayerSpec::Add {}).of(&["x", "branch"]),
/// ]);
/// assert_eq!(block.build([4, 8], thalweg_graph::DType::F32)?.dims(), [4, 8]);
/// # Ok::<(), thalweg_graph::Error>(())
/// ```
#[derive(Clone, Debug, Module)]
pub struct StochasticDepth {
    #[module(flatten)]
    layer: Arc<Layer>,
    p: f64,
}

impl StochasticDepth {
    /// Drops each sample of the branch with probability `p`.
    #[track_caller]
    pub fn new(p: f64) -> StochasticDepth {
        StochasticDepth { layer: Layer::new(format!("StochasticDepth {p}")), p }
    }

    fn check(&self, x: &Tensor) -> Result<(), OpError> {
        check_probability(self.p, "it usually grows from 0 to 0.1 … 0.5 over the blocks")?;
        check_float(x)?;
        match x.rank() {
            0 => Err(OpError::shape(format!("expects [N, …], got a scalar{}", origin(x)))
                .hint("the first axis counts samples; is it missing?")),
            _ => Ok(()),
        }
    }
}

impl Forward for StochasticDepth {
    fn forward(&self, x: &Tensor) -> Tensor {
        forward_in(&self.layer, x, || self.check(x), || drop(x, self.p, 1))
    }
}

fn check_probability(p: f64, hint: &str) -> Result<(), OpError> {
    match (0.0..=1.0).contains(&p) {
        true => Ok(()),
        false => {
            let what = format!("the probability p must be in 0..=1, got {p}");
            Err(OpError::argument(what).hint(hint))
        }
    }
}

/// While training, drops with probability `p` what lies at one place of the first `axes` axes, together.
#[track_caller]
fn drop(x: &Tensor, p: f64, axes: usize) -> Tensor {
    let Some((key, stream)) = random_stream().filter(|_| mode() == Mode::Train) else {
        return x.clone();
    };
    let kept = 1.0 - p;
    match kept {
        1.0 => x.clone(),
        0.0 => x.zeros_like(),
        // NaN stays visible where it falls, as in PyTorch: x·0 is NaN.
        _ => {
            let mut shape = vec![1; x.rank()];
            shape[..axes].copy_from_slice(&x.shape()[..axes]);
            let mask = Tensor::random_bernoulli(&key, stream, kept, Shape::from(shape));
            x * (mask.cast(x.dtype()) * (1.0 / kept))
        }
    }
}
