//! One vector for a whole sequence.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thalweg_graph::{DType, Layer, OpError, Tensor};

use super::padding::{length_mask, sequence_and_lengths};
use crate::context;
use crate::dag::Node;
use crate::layers::{check_float, forward_in, origin};
use crate::{Forward, Module};

/// What is taken of a sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// The mean over its places.
    #[default]
    Mean,
    /// The greatest of its places, for each number.
    Max,
    /// Its last place.
    Last,
}

/// The mean, the maximum or the last of the places of a sequence: `[N, T, F] → [N, F]`. Padding does not count.
///
/// No parameters. Errors: an input that is no sequence of floats, an empty one, lengths that do not fit.
///
/// ```
/// use thalweg_graph::{NoStates, Reference, Tensor};
/// use thalweg_nn::{Node, Pool, PoolTime};
/// let x = Tensor::new(&[1.0f32, 3.0, 100.0], [1, 3, 1]);
/// let ids = Tensor::new(&[7i64, 8, 0], [1, 3]);
/// let y = PoolTime::new(Pool::Mean).forward_all(&[x, ids]);
/// assert_eq!(Reference::new().evaluate(&[y], &[], &NoStates)?[0].floats(), [2.0]);
/// # Ok::<(), thalweg_graph::Error>(())
/// ```
#[derive(Clone, Debug, Module)]
pub struct PoolTime {
    #[module(flatten)]
    layer: Arc<Layer>,
    #[module(skip)]
    how: Pool,
}

impl PoolTime {
    /// Pools so.
    #[track_caller]
    pub fn new(how: Pool) -> PoolTime {
        PoolTime { layer: Layer::new(format!("PoolTime {how:?}")), how }
    }

    fn check(&self, x: &Tensor) -> Result<(), OpError> {
        check_float(x)?;
        if x.rank() != 3 || x.dim(1) == 0 {
            let what =
                format!("the input must be [N, T, F], T ≥ 1, got {}{}", x.shape(), origin(x));
            return Err(OpError::shape(what).hint("samples, places, numbers at each place"));
        }
        context::whole_sequence("pooling over time")
    }

    /// One vector for each sequence, of its first `lengths` places (`i64` `[N]`, each at least 1) where they are given.
    #[track_caller]
    pub fn pool(&self, x: &Tensor, lengths: Option<&Tensor>) -> Tensor {
        if let Some(poisoned) = lengths.filter(|lengths| lengths.error().is_some()) {
            return poisoned.clone();
        }
        let check = || {
            self.check(x)?;
            match lengths.filter(|lengths| lengths.shape().dims() != [x.dim(0)]) {
                Some(lengths) => {
                    let (want, got) = (x.dim(0), lengths.shape());
                    let what =
                        format!("the lengths must be [{want}], got {got}{}", origin(lengths));
                    Err(OpError::shape(what).hint("one length for each sequence of the batch"))
                }
                None => Ok(()),
            }
        };
        forward_in(&self.layer, x, check, || match lengths {
            Some(lengths) => self.some(x, lengths),
            None => self.all(x),
        })
    }

    fn all(&self, x: &Tensor) -> Tensor {
        match self.how {
            Pool::Mean => x.mean(&[1]),
            Pool::Max => x.max(&[1]),
            Pool::Last => x.narrow(1, x.dim(1) - 1, 1).squeeze(1),
        }
    }

    fn some(&self, x: &Tensor, lengths: &Tensor) -> Tensor {
        let valid = length_mask(lengths, x.dim(1)).unsqueeze(-1);
        let only = |which: &Tensor, x: &Tensor, otherwise: f64| {
            Tensor::select(which, x, &Tensor::full_like(x, otherwise))
        };
        match self.how {
            Pool::Mean => {
                let count = lengths.cast(x.dtype()).unsqueeze(-1);
                only(&valid, x, 0.0).sum(&[1]) / count
            }
            Pool::Max => only(&valid, x, f64::NEG_INFINITY).max(&[1]),
            Pool::Last => {
                let number = Tensor::iota(DType::I64, [x.dim(0), x.dim(1)], 1) + 1.0;
                let last = number.equal(&lengths.unsqueeze(-1)).unsqueeze(-1);
                only(&last, x, 0.0).sum(&[1])
            }
        }
    }
}

impl Forward for PoolTime {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.pool(x, None)
    }
}

/// A sequence `[N, L, F]`, and as a second input the ids `[N, L]` whose zeros at the end are padding.
impl Node for PoolTime {
    fn forward_all(&self, inputs: &[Tensor]) -> Tensor {
        let _entered = self.layer.enter();
        match sequence_and_lengths(inputs) {
            Ok((x, lengths)) => self.pool(x, lengths.as_ref()),
            Err(error) => Tensor::poison("forward", error),
        }
    }
}
