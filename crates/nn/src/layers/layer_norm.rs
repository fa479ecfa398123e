//! Normalisation within each sample.

use std::sync::Arc;

use thalweg_graph::{Layer, OpError, Shape, Tensor};

use crate::init::Init;
use crate::layers::{check_float, forward_in, needs_one, origin};
use crate::param::Param;
use crate::{Forward, Module};

/// `y = (x − mean) / √(var + ε) · weight + bias`, mean and (biased) variance over the last axes, by two
/// passes. After [Ba, Kiros and Hinton 2016](https://arxiv.org/abs/1607.06450).
///
/// Shapes: `[…, shape] → [… , shape]`. Parameters, as PyTorch's: `weight` (ones) and `bias` (zeros) of the normalised
/// shape. ε = 1e-5. The same in training and in use. Errors: last axes that are not the normalised shape, an
/// empty one, ε that is negative or not a number, an input that is not a float.
///
/// ```
/// use thalweg_graph::{Reference, Tensor};
/// use thalweg_nn::{Forward, LayerNorm, Store};
/// let norm = LayerNorm::new([2]);
/// let mut store = Store::new(0);
/// store.bind(&norm)?;
/// let y = norm.forward(&Tensor::new(&[1.0f32, 3.0, 10.0, 30.0], [2, 2]));
/// let y = Reference::new().evaluate(&[y], &[], &store)?[0].floats();
/// assert!(y.iter().zip([-1.0, 1.0, -1.0, 1.0]).all(|(a, b)| (a - b).abs() < 1e-4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Module)]
pub struct LayerNorm {
    #[module(flatten)]
    layer: Arc<Layer>,
    #[module(skip)]
    shape: Shape,
    eps: f64,
    weight: Option<Param>,
    bias: Option<Param>,
}

impl LayerNorm {
    /// Normalises over the last axes, whose extents are `shape`.
    #[track_caller]
    pub fn new(shape: impl Into<Shape>) -> LayerNorm {
        let shape = shape.into();
        LayerNorm {
            layer: Layer::new(format!("LayerNorm {shape}")),
            weight: Some(Param::new("weight", &shape, Init::Ones)),
            bias: Some(Param::new("bias", &shape, Init::Zeros)),
            shape,
            eps: 1e-5,
        }
    }

    /// What is added to the variance; 1e-5 unless told otherwise.
    pub fn eps(mut self, eps: f64) -> LayerNorm {
        self.eps = eps;
        self
    }

    /// Only normalises: no weight and no bias.
    pub fn without_affine(mut self) -> LayerNorm {
        (self.weight, self.bias) = (None, None);
        self
    }

    fn check(&self, x: &Tensor) -> Result<(), OpError> {
        if self.shape.rank() == 0 || self.shape.numel() == 0 {
            return Err(needs_one("every extent of the normalised shape"));
        }
        check_eps(self.eps)?;
        check_float(x)?;
        if !x.shape().ends_with(&self.shape) {
            let (want, got) = (&self.shape, x.shape());
            let what = format!("last axes must be {want}, got {got}{}", origin(x));
            return Err(OpError::shape(what).hint("make the layer with the shape of one sample"));
        }
        Ok(())
    }

    fn normalise(&self, x: &Tensor) -> Tensor {
        let axes: Vec<isize> = (1..=self.shape.rank() as isize).map(|axis| -axis).collect();
        let centred = x - x.mean(&axes).keepdim(x, &axes);
        let var = (&centred * &centred).mean(&axes).keepdim(x, &axes);
        // Most of the gradient of a factor is computed once per row; that of a divisor is not.
        let factor = 1.0 / (var + self.eps).sqrt();
        affine(centred * factor, &self.weight, &self.bias, |p| p.tensor())
    }
}

impl Forward for LayerNorm {
    fn forward(&self, x: &Tensor) -> Tensor {
        forward_in(&self.layer, x, || self.check(x), || self.normalise(x))
    }
}

/// Accepts what may be added to a variance.
pub(super) fn check_eps(eps: f64) -> Result<(), OpError> {
    match eps >= 0.0 && eps.is_finite() {
        true => Ok(()),
        false => {
            let what = format!("eps must be a finite number of at least 0, got {eps}");
            Err(OpError::argument(what).hint("1e-5 is usual"))
        }
    }
}

/// `y · weight + bias`, of what there is of them, each seen as `shaped` says.
pub(super) fn affine(
    mut y: Tensor,
    weight: &Option<Param>,
    bias: &Option<Param>,
    shaped: impl Fn(&Param) -> Tensor,
) -> Tensor {
    if let Some(weight) = weight {
        y = y * shaped(weight);
    }
    if let Some(bias) = bias {
        y = y + shaped(bias);
    }
    y
}
