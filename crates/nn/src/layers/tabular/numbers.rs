//! Embeddings of number columns.

use std::sync::Arc;

use thalweg_graph::{Layer, OpError, Tensor, Value};

use crate::init::Init;
use crate::layers::{check_dtype, forward_in, needs_one, origin};
use crate::param::Param;
use crate::{Forward, Module};

/// Number columns, each as `dim` numbers that are piecewise linear in it, bending at its `knots` (usually the quantiles
/// of the training rows), so that a network can tell the parts of a column's range apart, as a tree does ([Gorishniy,
/// Rubachev and Babenko 2022](https://arxiv.org/abs/2203.05556)). Between the T + 1 knots k of column j lie T pieces,
/// and
///
/// `e_t(x) = (x − k_t)/(k_{t+1} − k_t)`, held to at least 0 except in the first piece and to at most 1 except in the
/// last; `y_j = x_j·a_j + b_j + Σ_t e_t(x_j)·W_jt`.
///
/// Shapes: `[N, columns] → [N, plain + bent·dim]`: first the columns of fewer than two knots, as they are, then the
/// others' embeddings. Parameters: `weight` `[bent, T, dim]`, zeros at first, and `linear` and `bias` `[bent, dim]`,
/// uniform in ±1/√dim; columns of fewer pieces than others do not use the last rows of their weight. Errors: another
/// number of columns, another type than `f32`, a `dim` of 0, knots that are not finite and ascending.
///
/// ```
/// use thalweg_graph::{DType, Tensor};
/// use thalweg_nn::{Forward, PiecewiseLinear};
/// let layer = PiecewiseLinear::new(vec![vec![-1.0, 0.0, 2.0], vec![]], 8);
/// assert_eq!(layer.forward(&Tensor::zeros(DType::F32, [5, 2])).shape().dims(), [5, 1 + 8]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct PiecewiseLinear {
    #[module(flatten)]
    layer: Arc<Layer>,
    weight: Param,
    linear: Param,
    bias: Param,
    #[module(skip)]
    knots: Vec<Vec<f32>>,
    #[module(skip)]
    relu: bool,
}

impl PiecewiseLinear {
    /// Columns that bend at these knots, as `dim` numbers each.
    #[track_caller]
    pub fn new(knots: Vec<Vec<f32>>, dim: usize) -> PiecewiseLinear {
        let bent = knots.iter().filter(|knots| bends(knots));
        let (columns, most) = (bent.clone().count(), bent.map(Vec::len).max().unwrap_or(1));
        let start = Init::layer_bias(dim);
        PiecewiseLinear {
            layer: Layer::new(format!("PiecewiseLinear {} × {dim}", knots.len())),
            weight: Param::new("weight", [columns, most - 1, dim], Init::Zeros),
            linear: Param::new("linear", [columns, dim], start.clone()),
            bias: Param::new("bias", [columns, dim], start),
            knots,
            relu: false,
        }
    }

    /// With a ReLU behind the embeddings.
    #[must_use]
    pub fn relu(mut self) -> PiecewiseLinear {
        self.relu = true;
        self
    }

    fn check(&self, x: &Tensor) -> Result<(), OpError> {
        if self.linear.shape()[1] == 0 {
            return Err(needs_one("dim"));
        }
        if self.linear.shape()[0] == 0 {
            return Err(OpError::argument("no column has two knots")
                .hint("leave the layer out: all columns would enter as they are"));
        }
        let wrong = |knots: &[f32]| {
            knots.iter().any(|knot| !knot.is_finite()) || knots.windows(2).any(|k| k[0] >= k[1])
        };
        if let Some(column) = self.knots.iter().position(|knots| wrong(knots)) {
            let what = format!("the knots of column {column} are not finite and ascending");
            return Err(OpError::argument(what).hint("leave equal ones out"));
        }
        check_dtype(x, &self.weight)?;
        check_columns(x, self.knots.len())
    }

    /// The pieces of the bent columns: `[N, bent, T]`.
    fn pieces(&self, x: &Tensor) -> Tensor {
        let [columns, pieces, _] = self.weight.shape().dims() else { return x.clone() };
        // A piece that a column does not have is 0 everywhere.
        let mut scale = vec![0.0f32; columns * pieces];
        let [mut shift, mut least, mut most] = [scale.clone(), scale.clone(), scale.clone()];
        for (column, knots) in self.knots.iter().filter(|knots| bends(knots)).enumerate() {
            for (piece, k) in knots.windows(2).enumerate() {
                let at = column * pieces + piece;
                scale[at] = 1.0 / (k[1] - k[0]);
                shift[at] = -k[0] * scale[at];
                least[at] = if piece == 0 { f32::MIN } else { 0.0 };
                most[at] = if piece + 2 == knots.len() { f32::MAX } else { 1.0 };
            }
        }
        let table = |data: Vec<f32>| constant(&data, [*columns, *pieces]);
        let e = x.unsqueeze(-1) * table(scale) + table(shift);
        e.maximum(&table(least)).minimum(&table(most))
    }

    fn embed(&self, x: &Tensor) -> Tensor {
        let which = |bent| {
            let columns = self.knots.iter().enumerate().filter(move |(_, k)| bends(k) == bent);
            columns.map(|(column, _)| column).collect::<Vec<_>>()
        };
        let (plain, bent) = (which(false), which(true));
        let mut parts = vec![];
        if !plain.is_empty() {
            parts.push(pick(x, &plain));
        }
        if !bent.is_empty() {
            let x = pick(x, &bent);
            let linear = x.unsqueeze(-1) * self.linear.tensor() + self.bias.tensor();
            let y = linear + of_each_column(&self.pieces(&x), &self.weight.tensor());
            let y = if self.relu { y.relu() } else { y };
            parts.push(y.flatten(1, 2));
        }
        Tensor::concat(&parts, 1)
    }
}

impl Forward for PiecewiseLinear {
    fn forward(&self, x: &Tensor) -> Tensor {
        forward_in(&self.layer, x, || self.check(x), || self.embed(x))
    }
}

/// Number columns, each as `dim` numbers made of waves in it: with frequencies `c_jk` that are learned,
///
/// `y_j = relu([sin(2π c_j x_j), cos(2π c_j x_j)]·W_j + b_j)`
///
/// ([Gorishniy, Rubachev and Babenko 2022](https://arxiv.org/abs/2203.05556)). For columns whose effect goes up and
/// down often.
///
/// Shapes: `[N, columns] → [N, columns·dim]`. Parameters: `frequencies` `[columns, frequencies]`, N(0, sigma²) at
/// first; `weight` `[columns, 2·frequencies, dim]` and `bias` `[columns, dim]`, uniform in ±1/√(2·frequencies). Errors:
/// another number of columns, another type than `f32`, a size of 0.
///
/// ```
/// use thalweg_graph::{DType, Tensor};
/// use thalweg_nn::{Forward, Periodic};
/// let layer = Periodic::new(3, 16, 0.1, 8);
/// assert_eq!(layer.forward(&Tensor::zeros(DType::F32, [5, 3])).shape().dims(), [5, 24]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct Periodic {
    #[module(flatten)]
    layer: Arc<Layer>,
    frequencies: Param,
    weight: Param,
    bias: Param,
}

impl Periodic {
    /// `columns` columns as `dim` numbers each, of so many frequencies that begin with the standard deviation `sigma`.
    #[track_caller]
    pub fn new(columns: usize, frequencies: usize, sigma: f64, dim: usize) -> Periodic {
        let waves = frequencies.saturating_mul(2);
        let start = Init::layer_bias(waves);
        let drawn = Init::Normal { mean: 0.0, std: sigma };
        Periodic {
            layer: Layer::new(format!("Periodic {columns} × {dim}")),
            frequencies: Param::new("frequencies", [columns, frequencies], drawn),
            weight: Param::new("weight", [columns, waves, dim], start.clone()),
            bias: Param::new("bias", [columns, dim], start),
        }
    }

    fn check(&self, x: &Tensor) -> Result<(), OpError> {
        let [columns, waves, dim] = [0, 1, 2].map(|axis| self.weight.shape()[axis]);
        let sizes = [(columns, "columns"), (waves, "frequencies"), (dim, "dim")];
        if let Some((_, name)) = sizes.into_iter().find(|(size, _)| *size == 0) {
            return Err(needs_one(name));
        }
        check_dtype(x, &self.weight)?;
        check_columns(x, columns)
    }

    fn embed(&self, x: &Tensor) -> Tensor {
        let turns = x.unsqueeze(-1) * self.frequencies.tensor() * std::f64::consts::TAU;
        let waves = Tensor::concat(&[turns.sin(), turns.cos()], 2);
        (of_each_column(&waves, &self.weight.tensor()) + self.bias.tensor()).relu().flatten(1, 2)
    }
}

impl Forward for Periodic {
    fn forward(&self, x: &Tensor) -> Tensor {
        forward_in(&self.layer, x, || self.check(x), || self.embed(x))
    }
}

fn bends(knots: &[f32]) -> bool {
    knots.len() >= 2
}

fn check_columns(x: &Tensor, columns: usize) -> Result<(), OpError> {
    match x.rank() == 2 && x.dim(1) == columns && columns > 0 {
        true => Ok(()),
        false => {
            let what = format!("expects [N, {columns}], got {}{}", x.shape(), origin(x));
            Err(OpError::shape(what).hint("one number for each column, and at least one column"))
        }
    }
}

/// Some columns of `x`; neighbours are one piece.
fn pick(x: &Tensor, columns: &[usize]) -> Tensor {
    let runs = columns.chunk_by(|a, b| a + 1 == *b);
    let parts: Vec<Tensor> = runs.map(|run| x.narrow(1, run[0], run.len())).collect();
    Tensor::concat(&parts, 1)
}

/// A linear map of each column's own: `[N, columns, in]` and `[columns, in, out]` to `[N, columns, out]`.
fn of_each_column(x: &Tensor, weight: &Tensor) -> Tensor {
    x.transpose(0, 1).matmul(weight).transpose(0, 1)
}

fn constant(data: &[f32], shape: [usize; 2]) -> Tensor {
    Tensor::constant(Value::from_slice(data)).reshape(shape)
}
