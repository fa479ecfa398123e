//! How parameters begin: the initialisers of PyTorch's `torch.nn.init`, as values that a config can hold.
//!
//! The numbers are counter-based: they depend on the seed, the parameter's stream (a hash of its path) and
//! the element's index alone, so adding a layer changes no other layer's start.

use serde::{Deserialize, Serialize};
use thalweg_graph::random::{normal_f32, uniform_f32};
use thalweg_graph::{DType, Shape, Value};

/// The distribution a parameter is drawn from.
///
/// Formulas and gains are those of
/// [`torch.nn.init`](https://docs.pytorch.org/docs/stable/nn.init.html). In a config file: `"zeros"`,
/// `{ constant = 0.5 }`, `{ kaiming_normal = { nonlinearity = "relu" } }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Init {
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
    /// The same number everywhere.
    Constant(f64),
    /// Uniform in `[lo, hi)`.
    Uniform {
        /// The least value.
        lo: f64,
        /// The upper bound.
        hi: f64,
    },
    /// 1 or −1, each as often as the other.
    Signs,
    /// Gaussian.
    Normal {
        /// The mean; default 0.
        #[serde(default)]
        mean: f64,
        /// The standard deviation; default 1.
        #[serde(default = "one")]
        std: f64,
    },
    /// Uniform in ±gain·√(6/(fan_in + fan_out)), after
    /// [Glorot and Bengio 2010](https://proceedings.mlr.press/v9/glorot10a.html).
    XavierUniform {
        /// See [`Nonlinearity::gain`]; default 1.
        #[serde(default = "one")]
        gain: f64,
    },
    /// Gaussian with standard deviation gain·√(2/(fan_in + fan_out)).
    XavierNormal {
        /// See [`Nonlinearity::gain`]; default 1.
        #[serde(default = "one")]
        gain: f64,
    },
    /// Uniform in ±gain·√(3/fan), after [He et al. 2015](https://arxiv.org/abs/1502.01852).
    KaimingUniform {
        /// The negative slope of the leaky ReLU that follows; default 0. Other nonlinearities ignore it.
        #[serde(default)]
        a: f64,
        /// Which fan is kept at unit variance; default `fan_in` (the forward pass).
        #[serde(default)]
        mode: Fan,
        /// What follows the layer; default `leaky_relu`.
        #[serde(default)]
        nonlinearity: Nonlinearity,
    },
    /// Gaussian with standard deviation gain/√fan; the fields are those of `KaimingUniform`.
    KaimingNormal {
        /// The negative slope of the leaky ReLU that follows; default 0.
        #[serde(default)]
        a: f64,
        /// Which fan is kept at unit variance; default `fan_in`.
        #[serde(default)]
        mode: Fan,
        /// What follows the layer; default `leaky_relu`.
        #[serde(default)]
        nonlinearity: Nonlinearity,
    },
    /// A random matrix with orthonormal rows or columns (whichever are fewer), times `gain`, after
    /// [Saxe et al. 2013](https://arxiv.org/abs/1312.6120). Axes behind the first are taken as one.
    Orthogonal {
        /// See [`Nonlinearity::gain`]; default 1.
        #[serde(default = "one")]
        gain: f64,
    },
}

fn one() -> f64 {
    1.0
}

/// Which side of a weight a Kaiming initialiser looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fan {
    /// The number of inputs of one output: keeps the variance of activations.
    #[default]
    FanIn,
    /// The number of outputs of one input: keeps the variance of gradients.
    FanOut,
}

/// The function behind a layer, for its recommended gain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nonlinearity {
    /// None: gain 1.
    Linear,
    /// Gain 1.
    Sigmoid,
    /// Gain 5/3.
    Tanh,
    /// Gain √2.
    Relu,
    /// Gain √(2/(1+a²)) for the negative slope a.
    #[default]
    LeakyRelu,
    /// Gain 3/4.
    Selu,
}

impl Nonlinearity {
    /// The gain of `torch.nn.init.calculate_gain`; `a` is the negative slope of the leaky ReLU.
    pub fn gain(self, a: f64) -> f64 {
        match self {
            Nonlinearity::Linear | Nonlinearity::Sigmoid => 1.0,
            Nonlinearity::Tanh => 5.0 / 3.0,
            Nonlinearity::Relu => std::f64::consts::SQRT_2,
            Nonlinearity::LeakyRelu => (2.0 / (1.0 + a * a)).sqrt(),
            Nonlinearity::Selu => 0.75,
        }
    }
}

/// The fans of a weight, `(fan_in, fan_out)`: `shape[1]` and `shape[0]`, each times the extents of the axes
/// behind them (a convolution's window). PyTorch refuses fewer than two axes; here both fans of a vector
/// are its length, and those of a scalar are 1.
pub fn fans(shape: &Shape) -> (usize, usize) {
    match shape.dims() {
        [] => (1, 1),
        [n] => (*n, *n),
        [out, into, window @ ..] => {
            let window: usize = window.iter().product();
            (into * window, out * window)
        }
    }
}

impl Init {
    /// The start of the weight of PyTorch's `Linear` and `Conv`: Kaiming uniform with a = √5, which is
    /// uniform in ±1/√fan_in.
    pub fn layer_weight() -> Init {
        Init::KaimingUniform {
            a: 5f64.sqrt(),
            mode: Fan::FanIn,
            nonlinearity: Nonlinearity::LeakyRelu,
        }
    }

    /// The start of the bias of PyTorch's `Linear` and `Conv`: uniform in ±1/√fan_in, zeros for no input.
    pub fn layer_bias(fan_in: usize) -> Init {
        match fan_in {
            0 => Init::Zeros,
            _ => Init::around_zero(1.0 / (fan_in as f64).sqrt()),
        }
    }

    fn around_zero(bound: f64) -> Init {
        Init::Uniform { lo: -bound, hi: bound }
    }

    /// Draws a value of `shape`. Equal arguments give equal bits.
    pub fn sample(&self, shape: impl Into<Shape>, dtype: DType, seed: u64, stream: u64) -> Value {
        let shape = shape.into();
        let n = shape.numel();
        let (fan_in, fan_out) = fans(&shape);
        let both = (fan_in + fan_out) as f64;
        let fan = |mode: &Fan| match mode {
            Fan::FanIn => fan_in as f64,
            Fan::FanOut => fan_out as f64,
        };
        let uniform = |lo: f64, hi: f64| -> Vec<f64> {
            let unit = uniform_f32(seed, 0, stream, n);
            unit.into_iter().map(|u| lo + (hi - lo) * u as f64).collect()
        };
        let normal = |mean: f64, std: f64| -> Vec<f64> {
            let unit = normal_f32(seed, 0, stream, n);
            unit.into_iter().map(|z| mean + std * z as f64).collect()
        };
        let data = match self {
            Init::Zeros => vec![0.0; n],
            Init::Ones => vec![1.0; n],
            Init::Constant(value) => vec![*value; n],
            Init::Signs => uniform(-1.0, 1.0).into_iter().map(f64::signum).collect(),
            Init::Uniform { lo, hi } => uniform(*lo, *hi),
            Init::Normal { mean, std } => normal(*mean, *std),
            Init::XavierUniform { gain } => {
                let bound = gain * (6.0 / both).sqrt();
                uniform(-bound, bound)
            }
            Init::XavierNormal { gain } => normal(0.0, gain * (2.0 / both).sqrt()),
            Init::KaimingUniform { a, mode, nonlinearity } => {
                let bound = nonlinearity.gain(*a) * (3.0 / fan(mode)).sqrt();
                uniform(-bound, bound)
            }
            Init::KaimingNormal { a, mode, nonlinearity } => {
                normal(0.0, nonlinearity.gain(*a) / fan(mode).sqrt())
            }
            Init::Orthogonal { gain } => {
                let rows = shape.first().copied().unwrap_or(1);
                let cols = n.checked_div(rows).unwrap_or(0);
                let mut q = orthonormal(normal(0.0, 1.0), rows, cols);
                q.iter_mut().for_each(|x| *x *= gain);
                q
            }
        };
        Value::from_f64(dtype, &data, &shape).unwrap_or_else(|| Value::zeros(dtype, &shape))
    }
}

/// The `rows`×`cols` matrix `a` with its shorter side made orthonormal by Gram–Schmidt. Every vector is
/// cleared twice of the ones before it, which leaves an error of rounding size. For a Gaussian matrix the
/// result is uniform over all such matrices, as PyTorch's (a QR with the signs of R's diagonal folded in).
fn orthonormal(mut a: Vec<f64>, rows: usize, cols: usize) -> Vec<f64> {
    // Vector `v` is a row of a wide matrix, a column of a tall one.
    let (count, len) = (rows.min(cols), rows.max(cols));
    let at = |v: usize, i: usize| if rows <= cols { v * cols + i } else { i * cols + v };
    let dot = |a: &[f64], v: usize, w: usize| -> f64 {
        (0..len).map(|i| a[at(v, i)] * a[at(w, i)]).sum()
    };
    for v in 0..count {
        for before in (0..v).chain(0..v) {
            let overlap = dot(&a, v, before);
            (0..len).for_each(|i| a[at(v, i)] -= overlap * a[at(before, i)]);
        }
        let norm = dot(&a, v, v).sqrt();
        (0..len).for_each(|i| a[at(v, i)] /= norm);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(init: &Init, shape: &[usize]) -> Vec<f64> {
        init.sample(shape, DType::F64, 7, 3).to_f64()
    }

    fn mean_and_std(x: &[f64]) -> (f64, f64) {
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let var = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / x.len() as f64;
        (mean, var.sqrt())
    }

    #[test]
    fn fans_count_the_window() {
        assert_eq!(fans(&Shape::from([10, 20])), (20, 10));
        assert_eq!(fans(&Shape::from([8, 3, 5, 5])), (75, 200));
        assert_eq!(fans(&Shape::from([4])), (4, 4));
        assert_eq!(fans(&Shape::scalar()), (1, 1));
    }

    #[test]
    fn spreads_are_those_of_the_formulas() {
        let shape = [200, 300];
        let relu = Nonlinearity::Relu;
        let cases = [
            (Init::Uniform { lo: 1.0, hi: 3.0 }, 2.0, 2.0 / 12f64.sqrt()),
            (Init::Normal { mean: -1.0, std: 0.5 }, -1.0, 0.5),
            (Init::XavierUniform { gain: 2.0 }, 0.0, 2.0 * (2.0f64 / 500.0).sqrt()),
            (Init::XavierNormal { gain: 1.0 }, 0.0, (2.0f64 / 500.0).sqrt()),
            (
                Init::KaimingUniform { a: 0.0, mode: Fan::FanIn, nonlinearity: relu },
                0.0,
                (2.0f64 / 300.0).sqrt(),
            ),
            (
                Init::KaimingNormal { a: 0.0, mode: Fan::FanOut, nonlinearity: relu },
                0.0,
                (2.0f64 / 200.0).sqrt(),
            ),
            (Init::layer_weight(), 0.0, (1.0f64 / 900.0).sqrt()),
            (Init::layer_bias(300), 0.0, (1.0f64 / 900.0).sqrt()),
        ];
        for (init, mean, std) in cases {
            let (m, s) = mean_and_std(&draw(&init, &shape));
            assert!((m - mean).abs() < 0.02 * std, "{init:?}: mean {m}, not {mean}");
            assert!((s / std - 1.0).abs() < 0.01, "{init:?}: std {s}, not {std}");
        }
    }

    #[test]
    fn orthogonal_has_orthonormal_short_sides() {
        for (rows, cols) in [(5, 5), (3, 8), (8, 3), (1, 4)] {
            let q = draw(&Init::Orthogonal { gain: 2.0 }, &[rows, cols]);
            let short = rows.min(cols);
            for i in 0..short {
                for j in 0..short {
                    let dot: f64 = match rows <= cols {
                        true => (0..cols).map(|k| q[i * cols + k] * q[j * cols + k]).sum(),
                        false => (0..rows).map(|k| q[k * cols + i] * q[k * cols + j]).sum(),
                    };
                    let want = if i == j { 4.0 } else { 0.0 };
                    assert!((dot - want).abs() < 1e-12, "{rows}×{cols}: {dot} at {i},{j}");
                }
            }
        }
    }

    #[test]
    fn every_initialiser_fills_every_shape() {
        let all = [
            Init::Zeros,
            Init::Ones,
            Init::Constant(2.5),
            Init::Orthogonal { gain: 1.0 },
            Init::XavierNormal { gain: 1.0 },
            Init::layer_weight(),
        ];
        for init in all {
            for shape in [&[][..], &[3], &[0], &[0, 4], &[4, 0], &[2, 3, 4]] {
                let value = init.sample(shape, DType::F32, 1, 2);
                assert_eq!(value.shape().dims(), shape);
                assert!(value.to_f64().iter().all(|x| x.is_finite()), "{init:?} {shape:?}");
            }
        }
    }

    #[test]
    fn seeds_and_streams_decide_the_numbers() {
        let init = Init::Normal { mean: 0.0, std: 1.0 };
        let value = |seed, stream| init.sample([16], DType::F32, seed, stream);
        assert_eq!(value(1, 2), value(1, 2));
        assert_ne!(value(1, 2), value(2, 2));
        assert_ne!(value(1, 2), value(1, 3));
    }

    #[test]
    fn configs_are_short() {
        let read = |text| serde_json::from_str::<Init>(text);
        let mode = Fan::FanOut;
        let (a, nonlinearity) = (0.0, Nonlinearity::LeakyRelu);
        for (text, init) in [
            (r#""zeros""#, Init::Zeros),
            (r#"{"constant": 0.5}"#, Init::Constant(0.5)),
            (r#"{"normal": {"std": 2}}"#, Init::Normal { mean: 0.0, std: 2.0 }),
            (r#"{"orthogonal": {}}"#, Init::Orthogonal { gain: 1.0 }),
            (
                r#"{"kaiming_normal": {"mode": "fan_out"}}"#,
                Init::KaimingNormal { a, mode, nonlinearity },
            ),
        ] {
            assert_eq!(read(text).unwrap(), init, "{text}");
        }
        let error = read(r#"{"normal": {"sdt": 2}}"#).unwrap_err().to_string();
        assert!(error.contains("unknown field `sdt`"), "{error}");
    }
}
