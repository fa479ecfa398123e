//! Changes of a batch inside the training step. They are ops of the step's graph, drawn from its random key; what
//! turns single images or sounds about belongs to the data.

use thalweg_graph::ops::RandomKind;
use thalweg_graph::{DType, Layer, OpError, Tensor, Value};

use crate::context::{Mode, mode, random_stream};

/// Mixes each sample and its target with those of the row before (the last one for row 0):
///
/// x′ = λ·x + (1 − λ)·x_before, t′ = λ·t + (1 − λ)·t_before, λ ~ Beta(α, α), one λ for the batch.
///
/// Rows are in random order in training, so the partner is a random one. After
/// [Zhang et al. 2017](https://arxiv.org/abs/1710.09412), as torchvision's `MixUp`; α from 0.1 to 0.4 is usual, 0 changes
/// nothing. Outside a training trace both are returned as they are.
///
/// Shapes: `x` and `target` `[N, …]`, floats: class labels become shares by
/// [`one_hot`](Tensor::one_hot), which cross-entropy and focal loss take. Errors: α outside 0..=100, no
/// rows axis, another number of rows, a target that is not a float. Both results are then poisoned.
///
/// ```
/// use thalweg_graph::{DType, NoStates, Reference, Tensor};
/// use thalweg_nn::{Mode, augment::mixup, context};
/// let x = Tensor::new(&[0.0f32, 1.0], [2, 1]);
/// let shares = Tensor::new(&[0i64, 1], [2]).one_hot(2, DType::F32);
/// let step = context::trace(Mode::Train, &context::fixed_key(0, 0), || mixup(&x, &shares, 0.4));
/// let (x, shares) = step.result;
/// let mixed = Reference::new().evaluate(&[x, shares], &[], &NoStates)?;
/// // What was 0 or 1 is the share of class 1 now.
/// assert_eq!(mixed[0].floats(), [mixed[1].floats()[1], mixed[1].floats()[3]]);
/// # Ok::<(), thalweg_graph::Error>(())
/// ```
#[track_caller]
pub fn mixup(x: &Tensor, target: &Tensor, alpha: f64) -> (Tensor, Tensor) {
    if let Some(poisoned) = [x, target].into_iter().find(|tensor| tensor.error().is_some()) {
        return (poisoned.clone(), poisoned.clone());
    }
    let _entered = Layer::new("Mixup").enter();
    if let Err(error) = check(x, target, alpha) {
        let poisoned = Tensor::poison("mixup", error);
        return (poisoned.clone(), poisoned);
    }
    let training = random_stream().filter(|_| mode() == Mode::Train && alpha > 0.0);
    let Some((key, stream)) = training.filter(|_| x.dim(0) > 1) else {
        return (x.clone(), target.clone());
    };
    let share = symmetric_beta(&key, stream, alpha, 1);
    let mix = |tensor: &Tensor| {
        let share = share.cast(tensor.dtype()).reshape(vec![1; tensor.rank()]);
        let (last, others) = (tensor.dim(0) - 1, tensor.narrow(0, 0, tensor.dim(0) - 1));
        let before = Tensor::concat(&[tensor.narrow(0, last, 1), others], 0);
        tensor * &share + before * (1.0 - share)
    };
    (mix(x), mix(target))
}

fn check(x: &Tensor, target: &Tensor, alpha: f64) -> Result<(), OpError> {
    // Far beyond what is of use, where the table still has all its digits.
    if !(0.0..=100.0).contains(&alpha) {
        let what = format!("alpha must be in 0..=100, got {alpha}");
        return Err(OpError::argument(what).hint("0.2 is usual, 1 mixes evenly"));
    }
    for (name, tensor) in [("the input", x), ("the target", target)] {
        if !tensor.dtype().is_float() {
            let (dtype, shape) = (tensor.dtype(), tensor.shape());
            let what = format!("{name} must be a float, got {dtype}{shape}");
            return Err(
                OpError::dtype(what).hint("labels become shares by one_hot(classes, DType::F32)")
            );
        }
    }
    if x.rank() == 0 || target.rank() == 0 || x.dim(0) != target.dim(0) {
        let what =
            format!("axis 0 must count the same rows, got {} and {}", x.shape(), target.shape());
        return Err(OpError::shape(what).hint("each row of the input has a row of the target"));
    }
    Ok(())
}

/// Cells of the table of quantiles.
const CELLS: usize = 1024;

/// `n` draws of Beta(α, α), `f32`: uniform numbers through the distribution's quantiles, a table with linear
/// interpolation between. The table is of (2λ)^α, which is nearly linear where the quantiles λ themselves are
/// steep, and of the lower half, the distribution being symmetric about ½.
fn symmetric_beta(key: &Tensor, stream: u64, alpha: f64, n: usize) -> Tensor {
    let table = Value::from_f64(DType::F32, &quantiles(alpha), [CELLS + 1]);
    let table = Tensor::constant(table.unwrap_or_else(|| Value::zeros(DType::F32, [CELLS + 1])));
    let uniform = Tensor::random(key, RandomKind::Uniform, stream, DType::F32, [n]);
    let place = uniform.minimum(&(1.0 - &uniform)) * (2 * CELLS) as f64;
    let cell = place.cast(DType::I64);
    let cell = cell.minimum(&Tensor::full_like(&cell, (CELLS - 1) as f64));
    let (low, high) = (table.index_select(0, &cell), table.index_select(0, &(&cell + 1.0)));
    let power = &low + (high - &low) * (place - cell.cast(DType::F32));
    let lower = (power.log() * (1.0 / alpha)).exp() * 0.5;
    Tensor::select(&uniform.lt(&Tensor::full_like(&uniform, 0.5)), &lower, &(1.0 - &lower))
}

/// (2λ)^α for the quantiles λ of Beta(α, α) at 0, ½/CELLS, …, ½. The density λ^(α − 1)·(1 − λ)^(α − 1) is summed by the
/// midpoint rule over t = (2λ)^e, e = min(α, 1), in which it has no pole.
fn quantiles(alpha: f64) -> Vec<f64> {
    const STEPS: usize = 16 * CELLS;
    let exponent = alpha.min(1.0);
    let mut sums = vec![0.0];
    for step in 0..STEPS {
        let t = (step as f64 + 0.5) / STEPS as f64;
        let lambda = 0.5 * libm::pow(t, 1.0 / exponent);
        let density = libm::pow(t, alpha / exponent - 1.0) * libm::pow(1.0 - lambda, alpha - 1.0);
        sums.push(sums[step] + density);
    }
    let mut step = 0;
    let quantile = |cell: usize| {
        let sum = sums[STEPS] * cell as f64 / CELLS as f64;
        while step + 1 < STEPS && sums[step + 1] < sum {
            step += 1;
        }
        let within = (sum - sums[step]) / (sums[step + 1] - sums[step]);
        libm::pow((step as f64 + within) / STEPS as f64, alpha / exponent)
    };
    (0..=CELLS).map(quantile).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::fixed_key;
    use thalweg_graph::{NoStates, Reference};

    #[test]
    fn draws_have_the_moments_of_the_beta_distribution() {
        for alpha in [0.1, 0.2, 0.5, 1.0, 2.0, 8.0, 50.0] {
            let draws = symmetric_beta(&fixed_key(1, 2), 3, alpha, 20_000);
            let draws = Reference::new().evaluate(&[draws], &[], &NoStates).unwrap()[0].floats();
            assert!(draws.iter().all(|x| (0.0..=1.0).contains(x)));
            let moment = |power| draws.iter().map(|x| (x - 0.5f64).powi(power)).sum::<f64>() / 2e4;
            let variance = 0.25 / (2.0 * alpha + 1.0);
            assert!(moment(1).abs() < 3.0 * (variance / 2e4).sqrt(), "{alpha}: {}", moment(1));
            assert!((moment(2) / variance - 1.0).abs() < 0.03, "{alpha}: {}", moment(2));
            let fourth = 3.0 / 16.0 / ((2.0 * alpha + 1.0) * (2.0 * alpha + 3.0));
            assert!((moment(4) / fourth - 1.0).abs() < 0.06, "{alpha}: {}", moment(4));
        }
    }

    #[test]
    fn quantiles_of_known_distributions() {
        // Beta(1, 1) is uniform; Beta(½, ½) is the arcsine distribution, whose quantiles are sin²(πu/2).
        for (cell, t) in quantiles(1.0).into_iter().enumerate() {
            assert!((t - cell as f64 / CELLS as f64).abs() < 1e-9);
        }
        for (cell, t) in quantiles(0.5).into_iter().enumerate() {
            let angle = std::f64::consts::PI * cell as f64 / CELLS as f64 / 4.0;
            let want = std::f64::consts::SQRT_2 * angle.sin();
            assert!((t - want).abs() < 1e-6, "{cell}: {t}, not {want}");
        }
    }
}
