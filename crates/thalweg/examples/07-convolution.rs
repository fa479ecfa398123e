//! 7. Images: convolution, pooling, batch norm. `cargo run --release --example 07-convolution`
//!
//! A filter of 3 × 3 weights slides over the image: the same weights at every place, so that a stroke is known wherever it
//! is. To see what that is worth, the test digits are moved by a pixel: the perceptron, which learned each pixel by itself,
//! loses more than the convolutional network.

use thalweg::data::{Dataset, Features, Fractions, Raw, Scaling, Split, Standardise, open};
use thalweg::nn::{losses::CrossEntropy, optim::AdamW};
use thalweg::prelude::*;
use thalweg::train::{FitOptions, Part, Trainer};

/// The digits moved one pixel to the right.
fn moved(digits: &Dataset) -> Result<Dataset, Box<dyn std::error::Error>> {
    let rows: Vec<usize> = (0..digits.rows()).collect();
    let raw = match digits.features.raw() {
        Raw::U8(pixels) => {
            let row = |row: &[u8]| [&[0], &row[..7]].concat();
            Raw::U8(pixels.chunks(8).flat_map(row).collect())
        }
        Raw::F32(pixels) => {
            let row = |row: &[f32]| [&[0.0], &row[..7]].concat();
            Raw::F32(pixels.chunks(8).flat_map(row).collect())
        }
        other => other.clone(),
    };
    let features = Features::new(raw, digits.features.shape().to_vec())?
        .with_full_scale(digits.features.full_scale())?;
    assert_eq!(rows.len(), features.rows());
    Ok(Dataset::new("moved", features, digits.targets.clone())?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = open("digits")?.train;
    let split = Split::of(&data, &Fractions { valid: 0.0, test: 0.3 }, 0)?;
    let scaling = Scaling::fit(&data.features, &split.train, Standardise::Global)?;
    let part = |rows| Part { data: &data, rows, scaling: &scaling };
    let moved = moved(&data)?;
    let moved_test = Part { data: &moved, rows: &split.test, scaling: &scaling };

    let perceptron = || Sequential::new().flatten().linear(128).relu().linear(10);
    let convolutional = || {
        let net = Sequential::new().unsqueeze(1).conv2d(16, 3).batch_norm2d().relu();
        net.conv2d(32, 3).relu().max_pool2d(2).global_max_pool().linear(10)
    };
    let mut kept = vec![];
    for (name, net) in [("perceptron", perceptron()), ("convolutional", convolutional())] {
        let mut trainer =
            Trainer::new(net, CrossEntropy::default(), Updater::new(AdamW::default()));
        let options = FitOptions { epochs: 20, lr: 0.003, ..FitOptions::default() };
        trainer.fit(&part(&split.train), None, &options, &mut ())?;
        let test = trainer.evaluate(&part(&split.test), 256)?.accuracy().unwrap_or_default();
        let after = trainer.evaluate(&moved_test, 256)?.accuracy().unwrap_or_default();
        let parameters: usize = trainer.store().parameters().map(|p| p.value().numel()).sum();
        println!(
            "{name:<14}{parameters:6} parameters  test {:.1} %, moved by a pixel {:.1} %",
            100.0 * test,
            100.0 * after
        );
        kept.push(after);
    }
    assert!(kept[1] > kept[0] + 0.05);
    Ok(())
}
