//! Activation functions, as methods of [`Tensor`].
//!
//! All are compositions of graph primitives (`relu`, `sigmoid`, `tanh` and `softplus` are primitives
//! already); elementwise ones and reductions over one axis, which a planner makes one pass of. NaN goes
//! through each of them. At the kinks the derivative is that of the left side, as in PyTorch.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, SQRT_2};

use thalweg_graph::{OpError, Tensor};

/// Activation functions that are not primitives of the graph. Axes may be negative, counting from the end.
pub trait Activations {
    /// x where x > 0, else αx (PyTorch's default: α = 0.01). Derivative 1 where x > 0, else α.
    fn leaky_relu(&self, alpha: f64) -> Tensor;

    /// x where x > 0, else wx with a learned slope: `weight` has one element, or one for each channel
    /// (axis 1). ∂/∂x is 1 where x > 0, else w; ∂/∂w is 0 where x > 0, else x. PyTorch starts w at 0.25.
    /// After [He et al. 2015](https://arxiv.org/abs/1502.01852).
    fn prelu(&self, weight: &Tensor) -> Tensor;

    /// x where x > 0, else α(eˣ − 1) (default: α = 1). Derivative 1 where x > 0, else αeˣ.
    /// After [Clevert et al. 2015](https://arxiv.org/abs/1511.07289).
    fn elu(&self, alpha: f64) -> Tensor;

    /// x·Φ(x) with the Gaussian distribution function Φ(x) = ½(1 + erf(x/√2)). Derivative
    /// Φ(x) + x·e^(−x²/2)/√(2π). After [Hendrycks and Gimpel 2016](https://arxiv.org/abs/1606.08415).
    fn gelu(&self) -> Tensor;

    /// GELU's approximation ½x(1 + tanh(√(2/π)(x + 0.044715x³))).
    fn gelu_tanh(&self) -> Tensor;

    /// x·sigmoid(x), also called swish. Derivative s + x·s(1 − s).
    fn silu(&self) -> Tensor;

    /// ln sigmoid(x) = −softplus(−x), no overflow. Derivative sigmoid(−x).
    fn log_sigmoid(&self) -> Tensor;

    /// e^(xᵢ − max)/Σ along `axis`: no overflow. Derivative ∂pᵢ/∂xⱼ = pᵢ(δᵢⱼ − pⱼ).
    fn softmax(&self, axis: isize) -> Tensor;

    /// ln softmax(x) along `axis`, finite for finite x. Derivative ∂/∂xⱼ = δᵢⱼ − pⱼ.
    fn log_softmax(&self, axis: isize) -> Tensor;
}

impl Activations for Tensor {
    // A chosen slope, not a chosen value: the backward pass is one product.
    #[track_caller]
    fn leaky_relu(&self, alpha: f64) -> Tensor {
        let (one, alpha) = (Tensor::full_like(self, 1.0), Tensor::full_like(self, alpha));
        self * Tensor::select(&positive(self), &one, &alpha)
    }

    #[track_caller]
    fn prelu(&self, weight: &Tensor) -> Tensor {
        if let Some(poisoned) = [self, weight].into_iter().find(|t| t.error().is_some()) {
            return poisoned.clone();
        }
        let channels = if self.rank() < 2 { 1 } else { self.dim(1) };
        let mut shape = vec![1; self.rank()];
        if weight.numel() == channels && channels != 1 {
            shape[1] = channels;
        } else if weight.numel() != 1 {
            let (w, x) = (weight.shape(), self.shape());
            let what = format!("one slope or {channels} are expected for {x}, got {w}");
            let hint = "give one slope in all, or one for each channel (axis 1)";
            return Tensor::poison("prelu", OpError::shape(what).hint(hint));
        }
        let slope = weight.reshape(shape);
        self * Tensor::select(&positive(self), &Tensor::full_like(self, 1.0), &slope)
    }

    // expm1 sees 0 on the positive side: its overflow there would meet the unchosen side's zero gradient.
    #[track_caller]
    fn elu(&self, alpha: f64) -> Tensor {
        let positive = positive(self);
        let below = Tensor::select(&positive, &self.zeros_like(), self);
        Tensor::select(&positive, self, &(below.expm1() * alpha))
    }

    #[track_caller]
    fn gelu(&self) -> Tensor {
        self * (((self * FRAC_1_SQRT_2).erf() + 1.0) * 0.5)
    }

    #[track_caller]
    fn gelu_tanh(&self) -> Tensor {
        const SQRT_2_OVER_PI: f64 = FRAC_2_SQRT_PI / SQRT_2;
        let inner = self * (self * self * (0.044715 * SQRT_2_OVER_PI) + SQRT_2_OVER_PI);
        self * ((inner.tanh() + 1.0) * 0.5)
    }

    #[track_caller]
    fn silu(&self) -> Tensor {
        self * self.sigmoid()
    }

    #[track_caller]
    fn log_sigmoid(&self) -> Tensor {
        -(-self).softplus()
    }

    #[track_caller]
    fn softmax(&self, axis: isize) -> Tensor {
        let weights = shifted(self, axis).exp();
        let total = weights.sum(&[axis]).keepdim(self, &[axis]);
        weights / total
    }

    #[track_caller]
    fn log_softmax(&self, axis: isize) -> Tensor {
        let shifted = shifted(self, axis);
        let total = shifted.exp().sum(&[axis]).keepdim(self, &[axis]);
        shifted - total.log()
    }
}

#[track_caller]
fn positive(x: &Tensor) -> Tensor {
    x.gt(&x.zeros_like())
}

/// x − max along `axis`. The shift cancels in what is made of it, so its gradient is left out.
#[track_caller]
fn shifted(x: &Tensor, axis: isize) -> Tensor {
    x - x.detach().max(&[axis]).keepdim(x, &[axis])
}
