//! Gradients checked against finite differences, of first and second order.
//!
//! The function is evaluated in `f64` by the wide reference executor, whatever the inputs' type. With random
//! weights w on its result and a random direction v in its inputs, the slope ⟨∇⟨w, f⟩, v⟩ that
//! [`grad`] gives must equal the central difference (⟨w, f(x + εv)⟩ − ⟨w, f(x − εv)⟩) / 2ε.
//! The second order is the same check of the slope itself, as a function of the inputs.

use std::fmt;

use crate::dtype::DType;
use crate::error::Error;
use crate::executor::{Feed, NoStates};
use crate::grad::grad;
use crate::random::Draw;
use crate::reference::{Data, RefValue, Reference};
use crate::tensor::Tensor;
use crate::value::Value;

/// How a check is made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The length ε of the step to each side; default 1e-5.
    pub eps: f64,
    /// What the two slopes may differ by, relative to the greater of 1 and their size; default 1e-6.
    pub tolerance: f64,
    /// The number of random directions; default 3.
    pub directions: usize,
    /// Whether the gradient's gradient is checked too; default true.
    pub second_order: bool,
    /// Chooses the weights and the directions; default 0.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options { eps: 1e-5, tolerance: 1e-6, directions: 3, second_order: true, seed: 0 }
    }
}

/// Why a check failed.
#[derive(Clone, Debug)]
pub enum GradcheckError {
    /// The function, its gradient or their evaluation fails.
    Graph(Error),
    /// The function's result is not a float, or no input is.
    NotDifferentiable(DType),
    /// A slope is not what finite differences say.
    Mismatch {
        /// 1 for the gradient, 2 for the gradient's gradient.
        order: usize,
        /// The slope that the gradient gives.
        analytic: f64,
        /// The slope that finite differences give.
        numeric: f64,
        /// The input and the place in it where a single element's slope differs most.
        worst: (usize, Vec<usize>),
    },
}

impl From<Error> for GradcheckError {
    fn from(error: Error) -> Self {
        GradcheckError::Graph(error)
    }
}

impl fmt::Display for GradcheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GradcheckError::Graph(error) => write!(f, "{error}"),
            GradcheckError::NotDifferentiable(dtype) => {
                write!(f, "there is no gradient of a {dtype} result by these inputs")
            }
            GradcheckError::Mismatch { order, analytic, numeric, worst: (input, place) } => write!(
                f,
                "order {order}: the gradient says {analytic:e}, finite differences say {numeric:e}; \
                 they differ most at {place:?} of input {input}"
            ),
        }
    }
}

impl std::error::Error for GradcheckError {}

/// Checks the gradient of `f` at `inputs`; integer inputs are held fixed. Kinks (0 of `relu`, ties of `max`)
/// must be kept farther away than `eps`.
///
/// ```
/// use thalweg_graph::gradcheck::{Options, gradcheck};
/// use thalweg_graph::Value;
/// let x = Value::from_slice(&[0.3, -1.2, 2.0]);
/// gradcheck(|x| x[0].tanh() * &x[0], &[x], &Options::default())?;
/// # Ok::<(), thalweg_graph::gradcheck::GradcheckError>(())
/// ```
pub fn gradcheck(
    f: impl Fn(&[Tensor]) -> Tensor,
    inputs: &[Value],
    options: &Options,
) -> Result<(), GradcheckError> {
    let leaves: Vec<Tensor> = (inputs.iter().enumerate())
        .map(|(i, value)| Tensor::input(&format!("input {i}"), value.dtype(), value.shape()))
        .collect();
    let floats: Vec<usize> = (0..leaves.len()).filter(|&i| leaves[i].dtype().is_float()).collect();
    let result = f(&leaves).ok()?;
    if !result.dtype().is_float() || floats.is_empty() {
        return Err(GradcheckError::NotDifferentiable(result.dtype()));
    }
    let check = Check { leaves: &leaves, floats: &floats, inputs, options };
    for direction in 0..options.directions as u64 {
        let weights = noise(options.seed, 1000 + direction, &result);
        let loss = dot(&[(result.clone(), Tensor::constant(weights))]);
        let along: Vec<Value> = (floats.iter())
            .map(|&i| noise(options.seed, direction * 100 + i as u64, &leaves[i]))
            .collect();
        let slope = check.slope(&loss, &along, 1)?;
        if options.second_order {
            let _ = check.slope(&slope, &along, 2)?;
        }
    }
    Ok(())
}

struct Check<'a> {
    leaves: &'a [Tensor],
    /// The places of the inputs that are varied.
    floats: &'a [usize],
    inputs: &'a [Value],
    options: &'a Options,
}

impl Check<'_> {
    /// Compares the slopes of `loss` along `along`, and gives the analytic one.
    fn slope(
        &self,
        loss: &Tensor,
        along: &[Value],
        order: usize,
    ) -> Result<Tensor, GradcheckError> {
        let varied: Vec<Tensor> = self.floats.iter().map(|&i| self.leaves[i].clone()).collect();
        let gradients = grad(loss, &varied)?;
        let directions = along.iter().map(|v| Tensor::constant(v.clone()));
        let slope = dot(&gradients.iter().cloned().zip(directions).collect::<Vec<_>>()).ok()?;
        let analytic = self.at(&slope, &[], 0.0)?;
        let along: Vec<Vec<f64>> = along.iter().map(Value::to_f64).collect();
        let numeric = self.difference(loss, &along)?;
        let scale = analytic.abs().max(numeric.abs()).max(1.0);
        // Not `>`: a NaN must fail.
        let agrees = (analytic - numeric).abs() <= self.options.tolerance * scale;
        match agrees {
            true => Ok(slope),
            false => {
                let worst = self.worst(loss, &gradients)?;
                Err(GradcheckError::Mismatch { order, analytic, numeric, worst })
            }
        }
    }

    fn difference(&self, loss: &Tensor, along: &[Vec<f64>]) -> Result<f64, Error> {
        let eps = self.options.eps;
        Ok((self.at(loss, along, eps)? - self.at(loss, along, -eps)?) / (2.0 * eps))
    }

    /// The scalar `loss` at the inputs moved by `step` along `along`.
    fn at(&self, loss: &Tensor, along: &[Vec<f64>], step: f64) -> Result<f64, Error> {
        Ok(self.values(std::slice::from_ref(loss), along, step)?[0][0])
    }

    fn values(&self, of: &[Tensor], along: &[Vec<f64>], step: f64) -> Result<Vec<Vec<f64>>, Error> {
        let mut feeds: Vec<Feed<RefValue>> = (self.leaves.iter().zip(self.inputs))
            .map(|(leaf, value)| Feed { input: leaf.clone(), value: RefValue::from_value(value) })
            .collect();
        for (&i, v) in self.floats.iter().zip(along) {
            if let Data::Float(x) = &mut feeds[i].value.data {
                x.iter_mut().zip(v).for_each(|(x, v)| *x += step * v);
            }
        }
        let values = Reference::wide().evaluate(of, &feeds, &NoStates)?;
        Ok(values.iter().map(RefValue::floats).collect())
    }

    /// Where one element's slope differs most; asked only when something is wrong.
    fn worst(&self, loss: &Tensor, gradients: &[Tensor]) -> Result<(usize, Vec<usize>), Error> {
        let analytic = self.values(gradients, &[], 0.0)?;
        let mut still: Vec<Vec<f64>> =
            self.floats.iter().map(|&i| vec![0.0; self.inputs[i].numel()]).collect();
        let mut worst = (f64::NEG_INFINITY, (0, vec![]));
        for (place, &input) in self.floats.iter().enumerate() {
            for (element, index) in self.inputs[input].shape().indices().enumerate() {
                still[place][element] = 1.0;
                let gap = (self.difference(loss, &still)? - analytic[place][element]).abs();
                still[place][element] = 0.0;
                let gap = if gap.is_nan() { f64::INFINITY } else { gap };
                if gap > worst.0 {
                    worst = (gap, (input, index));
                }
            }
        }
        Ok(worst.1)
    }
}

/// Σ ⟨a, b⟩ over the pairs, in `f64`.
fn dot(pairs: &[(Tensor, Tensor)]) -> Tensor {
    let mut sum = Tensor::scalar(0.0, DType::F64);
    for (a, b) in pairs {
        sum = sum + (a.cast(DType::F64) * b.cast(DType::F64)).sum_all();
    }
    sum
}

/// Numbers between ½ and 1 of either sign, in the shape and type of `like`.
fn noise(seed: u64, stream: u64, like: &Tensor) -> Value {
    let draw = Draw { seed, step: 0, stream };
    let numbers: Vec<f64> = (0..like.numel() as u64)
        .map(|i| draw.uniform_f64(i) - 0.5)
        .map(|x| x + 0.5f64.copysign(x))
        .collect();
    Value::from_f64(like.dtype(), &numbers, like.shape())
        .unwrap_or_else(|| Value::zeros(like.dtype(), like.shape()))
}
