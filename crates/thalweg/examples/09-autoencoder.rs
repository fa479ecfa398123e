//! 9. Learning without labels: an autoencoder. `cargo run --release --example 09-autoencoder`
//!
//! A digit of 64 pixels must pass through 3 numbers and come out again. Nobody says which digit it is, and yet digits of
//! one class end up near each other: of the 3 numbers the nearest neighbour tells the class of most.

use thalweg::data::{Fractions, Scaling, Split, Standardise, Targets, open};
use thalweg::nn::{losses::Mse, optim::AdamW};
use thalweg::prelude::*;
use thalweg::train::{FitOptions, Part, Trainer};

/// The encoder and the decoder; the encoder's output can be asked for alone.
#[derive(Module)]
struct Autoencoder {
    encoder: Sequential,
    decoder: Sequential,
}

impl Forward for Autoencoder {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.decoder.forward(&self.encoder.forward(x))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = open("digits")?.train;
    let split = Split::of(&data, &Fractions { valid: 0.0, test: 0.3 }, 0)?;
    let scaling = Scaling::fit(&data.features, &split.train, Standardise::Global)?;
    let part = |rows| Part { data: &data, rows, scaling: &scaling };

    let net = Autoencoder {
        encoder: Sequential::new().flatten().linear(64).elu(1.0).linear(3),
        decoder: Sequential::new().linear(64).elu(1.0).linear(64).reshape([8, 8]),
    };
    // The target is the input itself; the labels are not looked at.
    let mut trainer = Trainer::new(net, Mse::default(), Updater::new(AdamW::default()));
    trainer = trainer.reconstructing();
    let options = FitOptions { epochs: 60, lr: 0.005, ..FitOptions::default() };
    trainer.fit(&part(&split.train), None, &options, &mut ())?;
    let loss = trainer.evaluate(&part(&split.test), 256)?.loss();
    println!(
        "64 pixels by 3 numbers: squared error {loss:.3} of unseen digits, whose variance is 1"
    );

    // The three numbers of every digit.
    let rows: Vec<usize> = (0..data.rows()).collect();
    let mut pixels = vec![0.0; 64 * rows.len()];
    data.features.fill(&rows, &scaling, &mut pixels)?;
    let x = Tensor::new(&pixels, [rows.len(), 8, 8]);
    let cpu = trainer.cpu().clone();
    let (net, mut store) = trainer.into_parts();
    let codes = cpu.run(&[net.encoder.forward(&x)], &[], &[], &mut store)?.remove(0);
    let codes = codes.as_slice::<f32>().ok_or("codes are floats")?;

    let Targets::Classes { labels, .. } = &data.targets else { return Err("digits".into()) };
    let distance = |a: usize, b: usize| -> f32 {
        (0..3).map(|i| (codes[3 * a + i] - codes[3 * b + i]).powi(2)).sum()
    };
    let nearest = |row: usize| {
        let others = split.train.iter().copied();
        others.min_by(|&a, &b| distance(row, a).total_cmp(&distance(row, b))).unwrap_or(row)
    };
    let right = split.test.iter().filter(|&&row| labels[nearest(row)] == labels[row]).count();
    let share = right as f64 / split.test.len() as f64;
    println!("the nearest neighbour by these numbers has the same class: {:.1} %", 100.0 * share);
    assert!(loss < 0.6 && share > 0.6);
    Ok(())
}
