//! What several test modules need: data sets, parts, networks.

use thalweg_data::{Dataset, Features, Fractions, Raw, Scaling, Split, Standardise, Targets, open};
use thalweg_graph::Value;
use thalweg_nn::losses::{CrossEntropy, Mse};
use thalweg_nn::optim::{Adam, Sgd, Updater};
use thalweg_nn::{EntryKind, Loss, Network, Sequential};
use thalweg_train::{BatchSize, FitOptions, History, Metrics, Part, TrainError, Trainer};

/// A data set with its split and scaling.
pub struct Set {
    pub data: Dataset,
    pub split: Split,
    pub scaling: Scaling,
}

impl Set {
    pub fn new(data: Dataset, fractions: Fractions) -> Set {
        let split = Split::of(&data, &fractions, 0).unwrap();
        let scaling = Scaling::fit(&data.features, &split.train, Standardise::Global).unwrap();
        Set { data, split, scaling }
    }

    /// Every row is for training.
    pub fn whole(data: Dataset) -> Set {
        Set::new(data, Fractions { valid: 0.0, test: 0.0 })
    }

    pub fn part<'a>(&'a self, rows: &'a [usize]) -> Part<'a> {
        Part { data: &self.data, rows, scaling: &self.scaling }
    }

    pub fn train(&self) -> Part<'_> {
        self.part(&self.split.train)
    }

    pub fn valid(&self) -> Part<'_> {
        self.part(&self.split.valid)
    }

    pub fn test(&self) -> Part<'_> {
        self.part(&self.split.test)
    }
}

/// The embedded digits: 80 % train, 10 % validation, 10 % test.
pub fn digits() -> Set {
    Set::new(open("digits").unwrap().train, Fractions { valid: 0.1, test: 0.1 })
}

/// A number in −1..1 for each `i`, well mixed and the same everywhere.
pub fn noise(i: u64) -> f32 {
    let x = (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    ((x >> 40) as f32 / (1u64 << 23) as f32) - 1.0
}

/// `rows` samples of three numbers; two targets that are linear in them, with noise of `noisy`.
pub fn linear(rows: usize, noisy: f32) -> Dataset {
    let x: Vec<f32> = (0..rows as u64 * 3).map(noise).collect();
    let mut y = Vec::new();
    for (i, x) in x.chunks(3).enumerate() {
        let extra = |k| noisy * noise(1_000_000 + 2 * i as u64 + k);
        y.push(2.0 * x[0] - x[1] + 0.5 + extra(0));
        y.push(x[1] + 3.0 * x[2] - 1.0 + extra(1));
    }
    let features = Features::new(Raw::F32(x), vec![3]).unwrap();
    Dataset::new("linear", features, Targets::Values { values: y, dims: 2 }).unwrap()
}

/// `rows` samples of four numbers, of the class (0, 1 or 2) of the greatest among the first three.
pub fn greatest(rows: usize) -> Dataset {
    let x: Vec<f32> = (0..rows as u64 * 4).map(noise).collect();
    let label = |x: &[f32]| (0..3).fold(0, |best, i| if x[i] > x[best] { i } else { best }) as i64;
    let labels = x.chunks(4).map(label).collect();
    let names = ["a", "b", "c"].map(str::to_owned).to_vec();
    let features = Features::new(Raw::F32(x), vec![4]).unwrap();
    Dataset::new("greatest", features, Targets::Classes { labels, names }).unwrap()
}

pub fn mlp(hidden: usize, outputs: usize) -> Sequential {
    Sequential::new().flatten().linear(hidden).relu().linear(outputs)
}

pub fn adam() -> Updater {
    Updater::new(Adam::default())
}

pub fn sgd() -> Updater {
    Updater::new(Sgd::default())
}

pub fn classifier<N: Network>(network: N, updater: Updater) -> Trainer<N> {
    Trainer::new(network, CrossEntropy::default(), updater).threads(1)
}

pub fn regressor<N: Network>(network: N, updater: Updater) -> Trainer<N> {
    Trainer::new(network, Loss::Mse(Mse::default()), updater).threads(1)
}

pub fn rows(rows: usize) -> BatchSize {
    BatchSize::Rows(rows)
}

pub fn options(epochs: usize, batch: usize, lr: f64) -> FitOptions {
    FitOptions { epochs, batch_size: rows(batch), lr, ..FitOptions::default() }
}

/// Trains without validation, unobserved.
pub fn fit<N: Network>(
    trainer: &mut Trainer<N>,
    set: &Set,
    options: &FitOptions,
) -> Result<History, TrainError> {
    trainer.fit(&set.train(), None, options, &mut ())
}

/// Names and values of parameters and buffers.
pub fn weights<N: Network>(trainer: &Trainer<N>) -> Vec<(String, Value)> {
    let entries = trainer.store().entries();
    let model = entries.filter(|entry| EntryKind::MODEL.contains(&entry.kind()));
    model.map(|entry| (entry.name().to_owned(), entry.value().clone())).collect()
}

/// The greatest difference between two networks' weights.
pub fn distance<N: Network, M: Network>(a: &Trainer<N>, b: &Trainer<M>) -> f64 {
    let (a, b) = (weights(a), weights(b));
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().zip(&b).flat_map(|((name, a), (other, b))| {
        assert_eq!(name, other);
        a.to_f64().into_iter().zip(b.to_f64())
    });
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

pub fn all_finite<N: Network>(trainer: &Trainer<N>) -> bool {
    weights(trainer).iter().all(|(_, value)| value.to_f64().iter().all(|x| x.is_finite()))
}

pub fn r2(metrics: &Metrics) -> f64 {
    match metrics {
        Metrics::Regression(scores) => scores.r2,
        _ => panic!("a regression has these metrics: {metrics:?}"),
    }
}
