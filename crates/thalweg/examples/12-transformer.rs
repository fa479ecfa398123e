//! 12. Attention: a small Transformer that sorts. `cargo run --release --example 12-transformer`
//!
//! Eight digits in any order go in, the same digits in rising order come out: each place must look at all the others to know
//! what belongs there. A recurrent network would have to carry them all along; here every place sees every place at once.

use thalweg::data::{Dataset, Features, Raw, Scaling, Standardise, Targets};
use thalweg::graph::random;
use thalweg::nn::{
    TransformerEncoder, TransformerEncoderLayer, losses::CrossEntropy, optim::AdamW,
};
use thalweg::prelude::*;
use thalweg::train::{FitOptions, Part, Trainer};

const LENGTH: usize = 8;
const DIGITS: usize = 10;
const ROWS: usize = 6000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let draws = random::uniform_f32(5, 0, 0, ROWS * LENGTH);
    let digits: Vec<i64> = draws.iter().map(|u| (u * DIGITS as f32) as i64).collect();
    let sorted = digits.chunks(LENGTH).flat_map(|row| {
        let mut row = row.to_vec();
        row.sort_unstable();
        row
    });
    let names = (0..DIGITS).map(|digit| digit.to_string()).collect();
    let targets = Targets::Sequence { labels: sorted.collect(), length: LENGTH, names };
    let features = Features::new(Raw::I64(digits), vec![LENGTH])?;
    let data = Dataset::new("sorting", features, targets)?;
    let (train, test): (Vec<usize>, Vec<usize>) = (0..ROWS).partition(|row| row % 6 != 0);
    let scaling = Scaling::fit(&data.features, &train, Standardise::Off)?;
    let part = |rows| Part { data: &data, rows, scaling: &scaling };

    let layer = || TransformerEncoderLayer::new(64, 4).feedforward(128).dropout(0.0).norm_first();
    let net = Sequential::new()
        .embedding(DIGITS, 64)
        .learned_positions()
        .push(TransformerEncoder::new(vec![layer(), layer()]).norm())
        .push(Linear::new(64, DIGITS));
    let mut trainer = Trainer::new(net, CrossEntropy::default(), Updater::new(AdamW::default()));
    let schedule =
        Schedule::OneCycle { max: None, total: None, pct_start: 0.3, div: 25.0, final_div: 1e4 };
    let options = FitOptions { epochs: 8, lr: 0.003, schedule, ..FitOptions::default() };
    trainer.fit(&part(&train), None, &options, &mut ())?;
    let accuracy = trainer.evaluate(&part(&test), 256)?.accuracy().unwrap_or_default();
    println!("{:.2} % of the places of unseen rows hold the right digit", 100.0 * accuracy);
    assert!(accuracy > 0.9);
    Ok(())
}
