//! Random silence, against co-adaptation.

use std::sync::Arc;

use thalweg_graph::{Layer, OpError, Tensor};

use crate::context::{Mode, mode, random_stream};
use crate::layers::{check_float, forward_in};
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
        if !(0.0..=1.0).contains(&self.p) {
            let what = format!("the probability p must be in 0..=1, got {}", self.p);
            return Err(OpError::argument(what).hint("0.5 drops every second element"));
        }
        check_float(x)
    }

    fn drop(&self, x: &Tensor) -> Tensor {
        let Some((key, stream)) = random_stream().filter(|_| mode() == Mode::Train) else {
            return x.clone();
        };
        let kept = 1.0 - self.p;
        match kept {
            1.0 => x.clone(),
            0.0 => x.zeros_like(),
            // NaN stays visible where it falls, as in PyTorch: x·0 is NaN.
            _ => {
                let mask = Tensor::random_bernoulli(&key, stream, kept, x.shape());
                x * (mask.cast(x.dtype()) * (1.0 / kept))
            }
        }
    }
}

impl Forward for Dropout {
    fn forward(&self, x: &Tensor) -> Tensor {
        forward_in(&self.layer, x, || self.check(x), || self.drop(x))
    }
}
