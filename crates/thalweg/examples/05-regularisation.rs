//! 5. Overfitting and what helps. `cargo run --release --example 05-regularisation`
//!
//! Two hundred digits and a network that learns them by heart: its training loss goes to nothing, and its confidence on
//! digits it has not seen is misplaced. Dropout, weight decay and early stopping each lower the loss on unseen digits.

use thalweg::data::{Fractions, Scaling, Split, Standardise, open};
use thalweg::nn::{losses::CrossEntropy, optim::AdamW};
use thalweg::prelude::*;
use thalweg::train::{FitOptions, Part, Trainer};

/// A way to train.
struct Recipe {
    name: &'static str,
    dropout: f64,
    weight_decay: f64,
    patience: Option<usize>,
}

const RECIPES: [Recipe; 5] = [
    Recipe { name: "nothing", dropout: 0.0, weight_decay: 0.0, patience: None },
    Recipe { name: "dropout", dropout: 0.5, weight_decay: 0.0, patience: None },
    Recipe { name: "weight decay", dropout: 0.0, weight_decay: 1.0, patience: None },
    Recipe { name: "early stopping", dropout: 0.0, weight_decay: 0.0, patience: Some(10) },
    Recipe { name: "all of it", dropout: 0.5, weight_decay: 1.0, patience: Some(10) },
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = open("digits")?.train;
    let split = Split::of(&data, &Fractions { valid: 0.1, test: 0.5 }, 0)?;
    let few = &split.train[..200];
    let scaling = Scaling::fit(&data.features, few, Standardise::Global)?;
    let part = |rows| Part { data: &data, rows, scaling: &scaling };

    let mut losses = vec![];
    println!("{:<14}{:>14}{:>14}{:>12}", "", "train loss", "test loss", "test wrong");
    for Recipe { name, dropout, weight_decay, patience } in RECIPES {
        let net = Sequential::new().flatten().linear(256).relu().dropout(dropout).linear(10);
        let optimizer = AdamW { weight_decay, ..AdamW::default() };
        let mut trainer = Trainer::new(net, CrossEntropy::default(), Updater::new(optimizer));
        let restore_best = patience.is_some();
        let options =
            FitOptions { epochs: 100, lr: 0.003, patience, restore_best, ..FitOptions::default() };
        trainer.fit(&part(few), Some(&part(&split.valid)), &options, &mut ())?;
        let (train, test) =
            (trainer.evaluate(&part(few), 256)?, trainer.evaluate(&part(&split.test), 256)?);
        let wrong = 1.0 - test.accuracy().unwrap_or_default();
        println!("{name:<14}{:>14.4}{:>14.4}{:>10.2} %", train.loss(), test.loss(), 100.0 * wrong);
        losses.push(test.loss());
    }
    let (without, with) = (losses[0], losses[4]);
    println!("the loss on unseen digits falls by {:.0} %", 100.0 * (1.0 - with / without));
    assert!(with < 0.95 * without);
    Ok(())
}
