//! Penalties on the size of parameters, to be added to a loss.

use thalweg_graph::{DType, Tensor};

/// Σ|w| over all `parameters`, a scalar of their type; derivative sign(w), 0 at 0. Times λ it is lasso's
/// penalty, which makes weights sparse.
#[track_caller]
pub fn l1_penalty(parameters: &[Tensor]) -> Tensor {
    total(parameters, |w| w.abs())
}

/// Σw² over all `parameters`, a scalar of their type; derivative 2w. Times λ it is ridge regression's penalty. An
/// optimizer's `weight_decay` of 2λ has the same effect on plain SGD.
#[track_caller]
pub fn l2_penalty(parameters: &[Tensor]) -> Tensor {
    total(parameters, |w| w * w)
}

#[track_caller]
fn total(parameters: &[Tensor], size: impl Fn(&Tensor) -> Tensor) -> Tensor {
    let dtype = parameters.first().map_or(DType::F32, Tensor::dtype);
    let sums = parameters.iter().map(|w| size(w).sum_all());
    sums.reduce(|a, b| a + b).unwrap_or_else(|| Tensor::scalar(0.0, dtype))
}
