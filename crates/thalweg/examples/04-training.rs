//! 4. Training on real data with a validation part. `cargo run --release --example 04-training`
//!
//! 1,797 handwritten digits of 8 × 8 pixels. The trainer makes batches, measures after each epoch on rows that it does not
//! learn from, stops when they get no better, and goes back to the best weights.

use thalweg::data::{Fractions, Scaling, Split, Standardise, open};
use thalweg::nn::{losses::CrossEntropy, optim::AdamW};
use thalweg::prelude::*;
use thalweg::train::{Control, EpochReport, FitOptions, Observer, Part, Trainer};

/// Prints every epoch; a return value of `Control::Stop` would end the training.
struct Print;

impl Observer for Print {
    fn epoch(&mut self, report: &EpochReport) -> Control {
        let valid = report.valid.as_ref().and_then(|metrics| metrics.accuracy());
        println!(
            "epoch {:2}  training loss {:.4}  validation accuracy {:.2} %",
            report.epoch,
            report.train.loss,
            100.0 * valid.unwrap_or_default()
        );
        Control::Go
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = open("digits")?.train;
    // Three parts: to learn from, to watch, and to be measured on once, at the end.
    let split = Split::of(&data, &Fractions { valid: 0.1, test: 0.2 }, 0)?;
    // Mean and deviation of the training rows alone: nothing of the other parts may leak into training.
    let scaling = Scaling::fit(&data.features, &split.train, Standardise::Global)?;
    let part = |rows| Part { data: &data, rows, scaling: &scaling };

    let net = Sequential::new().flatten().linear(128).relu().dropout(0.2).linear(10);
    let mut trainer = Trainer::new(net, CrossEntropy::default(), Updater::new(AdamW::default()));
    let options = FitOptions {
        epochs: 30,
        lr: 0.003,
        patience: Some(5),
        restore_best: true,
        ..FitOptions::default()
    };
    let valid = part(&split.valid);
    let history = trainer.fit(&part(&split.train), Some(&valid), &options, &mut Print)?;
    println!("the best epoch was {}", history.best_epoch);

    let test = trainer.evaluate(&part(&split.test), 256)?.accuracy().unwrap_or_default();
    println!("{:.2} % of the test digits are read right", 100.0 * test);
    assert!(test > 0.95);
    Ok(())
}
