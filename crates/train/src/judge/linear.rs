//! Linear models, which every network has to beat: logistic regression of classes and of labels, ridge regression of
//! numbers, each with a penalty on the squares of its weights (not on the bias).

use super::lbfgs::minimise;

/// Rows of numbers, of which only those that are not 0 are kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Design {
    width: usize,
    ends: Vec<usize>,
    at: Vec<u32>,
    values: Vec<f32>,
}

impl Design {
    /// No rows yet, of `width` numbers each.
    #[must_use]
    pub fn new(width: usize) -> Design {
        Design { width, ..Design::default() }
    }

    /// Adds a row: places below the width, and the numbers there.
    pub fn push(&mut self, row: impl IntoIterator<Item = (usize, f32)>) {
        for (at, value) in row {
            if value != 0.0 && at < self.width {
                self.at.push(at as u32);
                self.values.push(value);
            }
        }
        self.ends.push(self.at.len());
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.ends.len()
    }

    fn row(&self, row: usize) -> impl Iterator<Item = (usize, f64)> {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        let span = start..self.ends[row];
        let (at, values) = (&self.at[span.clone()], &self.values[span]);
        at.iter().zip(values).map(|(&at, &value)| (at as usize, f64::from(value)))
    }
}

/// What is to be said of the rows of a [`Design`].
#[derive(Clone, Debug, PartialEq)]
pub enum Truth {
    /// One of so many classes each. Of two classes the model has one output, the logit of the second.
    Classes {
        /// The class of each row.
        labels: Vec<usize>,
        /// How many classes there are.
        classes: usize,
    },
    /// Any of so many labels each, 1 where they hold; row-major.
    Labels {
        /// `[rows, labels]`.
        flags: Vec<u8>,
        /// How many labels there are.
        labels: usize,
    },
    /// Numbers, row-major; they should be near 0 and about 1 wide.
    Values {
        /// `[rows, dims]`.
        values: Vec<f64>,
        /// Numbers in a row.
        dims: usize,
    },
}

impl Truth {
    /// Outputs of a model.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self {
            Truth::Classes { classes: 2, .. } => 1,
            Truth::Classes { classes, .. } => *classes,
            Truth::Labels { labels, .. } => *labels,
            Truth::Values { dims, .. } => *dims,
        }
    }

    /// The loss of a row's outputs, which become its gradient: −ln p of the truth, summed over labels; half the squared error,
    /// summed over numbers.
    fn loss(&self, row: usize, outputs: &mut [f64]) -> f64 {
        let binary = |z: &mut f64, holds: bool| {
            // ln(1 + e^z) − y·z without overflow.
            let (y, e) = (f64::from(u8::from(holds)), libm::exp(-z.abs()));
            let loss = z.max(0.0) + libm::log1p(e) - y * *z;
            let p = if *z >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) };
            *z = p - y;
            loss
        };
        match self {
            Truth::Classes { labels, classes: 2 } => binary(&mut outputs[0], labels[row] == 1),
            Truth::Classes { labels, .. } => {
                let top = outputs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let said = outputs[labels[row]] - top;
                outputs.iter_mut().for_each(|z| *z = libm::exp(*z - top));
                let sum: f64 = outputs.iter().sum();
                outputs.iter_mut().for_each(|p| *p /= sum);
                outputs[labels[row]] -= 1.0;
                libm::log(sum) - said
            }
            Truth::Labels { flags, labels } => {
                let flags = &flags[row * labels..(row + 1) * labels];
                outputs.iter_mut().zip(flags).map(|(z, &flag)| binary(z, flag == 1)).sum()
            }
            Truth::Values { values, dims } => {
                let truth = &values[row * dims..(row + 1) * dims];
                outputs.iter_mut().zip(truth).for_each(|(z, y)| *z -= y);
                outputs.iter().map(|error| error * error / 2.0).sum()
            }
        }
    }
}

/// A linear model: outputs = x·W + b.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    outputs: usize,
    /// Row-major `[width + 1, outputs]`, the bias last.
    weights: Vec<f64>,
}

impl Linear {
    /// All weights 0.
    #[must_use]
    pub fn zero(width: usize, outputs: usize) -> Linear {
        Linear { outputs, weights: vec![0.0; (width + 1) * outputs] }
    }

    /// The weights that make mean loss + penalty/2 · Σ W² least, found from those of this model on. With n rows,
    /// scikit-learn's `LogisticRegression(C)` has the penalty 1/(n·C), `Ridge(alpha)` alpha/n.
    #[must_use]
    pub fn fit(mut self, design: &Design, truth: &Truth, penalty: f64, steps: usize) -> Linear {
        let Linear { outputs, ref mut weights } = self;
        let (n, bias) = (design.rows().max(1) as f64, design.width * outputs);
        let mut z = vec![0.0; outputs];
        minimise(weights, steps, 1e-7, |weights, gradient| {
            gradient.fill(0.0);
            let mut loss = 0.0;
            for row in 0..design.rows() {
                say(weights, outputs, design, row, &mut z);
                loss += truth.loss(row, &mut z);
                for (at, x) in design.row(row).chain([(design.width, 1.0)]) {
                    let slopes = &mut gradient[at * outputs..(at + 1) * outputs];
                    slopes.iter_mut().zip(&z).for_each(|(slope, z)| *slope += x * z);
                }
            }
            let mut squares = 0.0;
            for (i, (slope, w)) in gradient.iter_mut().zip(weights).enumerate() {
                *slope /= n;
                if i < bias {
                    *slope += penalty * w;
                    squares += w * w;
                }
            }
            loss / n + penalty / 2.0 * squares
        });
        self
    }

    /// The outputs for every row, row-major.
    #[must_use]
    pub fn say(&self, design: &Design) -> Vec<f64> {
        let mut all = vec![0.0; design.rows() * self.outputs];
        for (row, z) in all.chunks_exact_mut(self.outputs.max(1)).enumerate() {
            say(&self.weights, self.outputs, design, row, z);
        }
        all
    }

    /// The mean loss without penalty.
    #[must_use]
    pub fn loss(&self, design: &Design, truth: &Truth) -> f64 {
        let mut all = self.say(design);
        let rows = all.chunks_exact_mut(self.outputs.max(1)).enumerate();
        rows.map(|(row, z)| truth.loss(row, z)).sum::<f64>() / design.rows().max(1) as f64
    }
}

fn say(weights: &[f64], outputs: usize, design: &Design, row: usize, z: &mut [f64]) {
    z.copy_from_slice(&weights[design.width * outputs..]);
    for (at, x) in design.row(row) {
        let weights = &weights[at * outputs..(at + 1) * outputs];
        z.iter_mut().zip(weights).for_each(|(z, w)| *z += x * w);
    }
}
