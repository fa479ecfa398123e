//! Normalisation across the batch.

use std::sync::Arc;

use thalweg_graph::{DType, Layer, OpError, Tensor};

use crate::context::{Mode, mode, read, write};
use crate::init::Init;
use crate::layers::layer_norm::{affine, check_eps};
use crate::layers::spatial::{check_spatial, kind};
use crate::layers::{check_float, forward_in, needs_one, origin};
use crate::param::Param;
use crate::spec::BatchNormOptions;
use crate::{Forward, Module};

/// `y = (x − mean) / √(var + ε) · weight + bias`, per channel. While training, mean and *biased* variance are those
/// of the batch (by two passes), and the running statistics move towards them; in use, the running
/// statistics are taken. After [Ioffe and Szegedy 2015](https://arxiv.org/abs/1502.03167).
///
/// Shapes: channels on axis 1, `AXES` axes behind; `BatchNorm1d` takes `[N, C]` too. Names as PyTorch's: parameters
/// `weight` (ones) and `bias` (zeros), buffers `running_mean` (zeros), `running_var` (ones) and `num_batches_tracked` (`i64`,
/// 0). ε = 1e-5. `running ← (1 − momentum)·running + momentum·batch`, momentum 0.1; `running_var` takes the *unbiased*
/// variance, Σ(x − mean)²/(n − 1).
///
/// Errors: another number of channels or axes, 0 channels, fewer than two values per channel while training, ε that
/// is negative, momentum outside 0..=1, an input that is not a float.
///
/// ```
/// use thalweg_graph::{Executor, Reference, Tensor};
/// use thalweg_nn::{BatchNorm1d, Forward, Mode, Store, context};
/// let norm = BatchNorm1d::new(1);
/// let mut store = Store::new(0);
/// store.bind(&norm)?;
/// let x = Tensor::new(&[1.0f32, 3.0], [2, 1]);
/// let step = context::trace(Mode::Train, &context::fixed_key(0, 0), || norm.forward(&x));
/// let y = &Reference::new().run(&[step.result], &step.writes, &[], &mut store)?[0];
/// assert!((y.to_f64()[0] + 1.0).abs() < 1e-4); // (1 − 2) / √(1 + ε)
/// assert_eq!(store.value("running_mean").unwrap().to_f64(), [0.2f32 as f64]); // 0.9·0 + 0.1·2
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Module)]
pub struct BatchNorm<const AXES: usize> {
    #[module(flatten)]
    layer: Arc<Layer>,
    channels: usize,
    #[module(skip)]
    options: BatchNormOptions,
    weight: Option<Param>,
    bias: Option<Param>,
    running_mean: Param,
    running_var: Param,
    num_batches_tracked: Param,
}

/// [`BatchNorm`] of features `[N, C]` or sequences `[N, C, L]`.
pub type BatchNorm1d = BatchNorm<1>;
/// [`BatchNorm`] of images, `[N, C, H, W]`.
pub type BatchNorm2d = BatchNorm<2>;
/// [`BatchNorm`] of volumes or films, `[N, C, D, H, W]`.
pub type BatchNorm3d = BatchNorm<3>;

impl<const AXES: usize> BatchNorm<AXES> {
    /// Normalises each of `channels` channels.
    #[track_caller]
    pub fn new(channels: usize) -> Self {
        Self::with(channels, BatchNormOptions::default())
    }

    /// Normalises each of `channels` channels, with all options.
    #[track_caller]
    pub fn with(channels: usize, options: BatchNormOptions) -> Self {
        let float = |name: &str, init| Param::buffer(name, DType::F32, [channels], init);
        let param = |name, init| options.affine.then(|| Param::new(name, [channels], init));
        BatchNorm {
            layer: Layer::new(format!("{} {channels}", kind("BatchNorm", AXES))),
            channels,
            weight: param("weight", Init::Ones),
            bias: param("bias", Init::Zeros),
            running_mean: float("running_mean", Init::Zeros),
            running_var: float("running_var", Init::Ones),
            num_batches_tracked: Param::buffer("num_batches_tracked", DType::I64, [], Init::Zeros),
            options,
        }
    }

    /// What is added to the variance; 1e-5 unless told otherwise.
    pub fn eps(mut self, eps: f64) -> Self {
        self.options.eps = eps;
        self
    }

    /// The weight of the new batch in the running statistics; 0.1 unless told otherwise.
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.options.momentum = momentum;
        self
    }

    /// Only normalises: no weight and no bias.
    pub fn without_affine(mut self) -> Self {
        self.options.affine = false;
        (self.weight, self.bias) = (None, None);
        self
    }

    fn check(&self, x: &Tensor) -> Result<(), OpError> {
        let BatchNormOptions { eps, momentum, .. } = self.options;
        if self.channels == 0 {
            return Err(needs_one("channels"));
        }
        check_eps(eps)?;
        if !(0.0..=1.0).contains(&momentum) {
            let what = format!("momentum must be in 0..=1, got {momentum}");
            return Err(OpError::argument(what)
                .hint("it is the weight of the new batch, as in PyTorch: 0.1 is usual"));
        }
        let (want, shape) = (self.channels, x.shape());
        match AXES {
            1 => {
                check_float(x)?;
                if !matches!(x.rank(), 2 | 3) || x.dim(1) != want {
                    let what =
                        format!("expects [N, {want}] or [N, {want}, L], got {shape}{}", origin(x));
                    return Err(OpError::shape(what).hint("channels are on axis 1"));
                }
            }
            _ => check_spatial(x, AXES, Some(want))?,
        }
        if mode() == Mode::Train && x.numel() / want < 2 {
            let what = format!("needs more than one value per channel in training, got {shape}");
            return Err(OpError::shape(what)
                .hint("use larger batches, and drop a last batch of one sample"));
        }
        Ok(())
    }

    fn normalise(&self, x: &Tensor) -> Tensor {
        let axes: Vec<isize> = (0..x.rank() as isize).filter(|&axis| axis != 1).collect();
        let per_channel = |t: &Tensor| t.keepdim(x, &axes);
        let (centred, var) = match mode() {
            Mode::Train => {
                let mean = x.mean(&axes);
                let centred = x - per_channel(&mean);
                let var = (&centred * &centred).mean(&axes);
                self.track(&mean.detach(), &var.detach(), x.numel() / self.channels);
                (centred, var)
            }
            Mode::Eval => (x - per_channel(&read(&self.running_mean)), read(&self.running_var)),
        };
        let y = centred / per_channel(&(var + self.options.eps).sqrt());
        affine(y, &self.weight, &self.bias, |param| per_channel(&param.tensor()))
    }

    /// Moves the running statistics towards a batch of `n` values per channel.
    fn track(&self, mean: &Tensor, var: &Tensor, n: usize) {
        let momentum = self.options.momentum;
        let unbiased = var * (n as f64 / (n - 1) as f64);
        for (running, batch) in [(&self.running_mean, mean), (&self.running_var, &unbiased)] {
            write(running, read(running) * (1.0 - momentum) + batch * momentum);
        }
        write(&self.num_batches_tracked, read(&self.num_batches_tracked) + 1.0);
    }
}

impl<const AXES: usize> Forward for BatchNorm<AXES> {
    fn forward(&self, x: &Tensor) -> Tensor {
        forward_in(&self.layer, x, || self.check(x), || self.normalise(x))
    }
}
