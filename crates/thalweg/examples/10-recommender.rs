//! 10. Recommendation: two towers. `cargo run --release --example 10-recommender`
//!
//! Each user and each item gets a vector and a bias; a rating is their product and sum. The ratings are made up so that the
//! truth is known: users and items have two hidden tastes each. The network must find them from one rating in five.

use thalweg::data::{Dataset, Features, Raw, Scaling, Split, Standardise, Targets};
use thalweg::graph::random;
use thalweg::nn::{TwoTower, losses::Mse, optim::AdamW};
use thalweg::prelude::*;
use thalweg::train::{FitOptions, Part, Trainer};

const USERS: usize = 300;
const ITEMS: usize = 200;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tastes = random::normal_f32(1, 0, 0, 2 * (USERS + ITEMS));
    let taste = |i: usize| &tastes[2 * i..2 * i + 2];
    let noise = random::normal_f32(1, 0, 1, USERS * ITEMS);
    let rated = random::uniform_f32(1, 0, 2, USERS * ITEMS);
    let (mut ids, mut ratings) = (vec![], vec![]);
    for user in 0..USERS {
        for item in 0..ITEMS {
            let pair = user * ITEMS + item;
            if rated[pair] < 0.2 {
                let (u, v) = (taste(user), taste(USERS + item));
                ratings.push(3.0 + u[0] * v[0] + u[1] * v[1] + 0.3 * noise[pair]);
                // Id 0 is for a user or an item that nothing is known of.
                ids.extend([user as i64 + 1, item as i64 + 1]);
            }
        }
    }
    let features = Features::new(Raw::I64(ids), vec![2])?;
    let targets = Targets::Values { values: ratings.clone(), dims: 1 };
    let data = Dataset::new("ratings", features, targets)?;
    let (mut train, mut test) = (vec![], vec![]);
    for row in 0..data.rows() {
        if row % 5 == 0 { test.push(row) } else { train.push(row) }
    }
    let split = Split { train, valid: vec![], test };
    let scaling = Scaling::fit(&data.features, &split.train, Standardise::Off)?;
    let part = |rows| Part { data: &data, rows, scaling: &scaling };

    let net = TwoTower::new(USERS + 1, ITEMS + 1, 4);
    let mut trainer = Trainer::new(net, Mse::default(), Updater::new(AdamW::default()));
    let options = FitOptions { epochs: 60, lr: 0.01, l2: 1e-4, ..FitOptions::default() };
    trainer.fit(&part(&split.train), None, &options, &mut ())?;
    let rmse = trainer.evaluate(&part(&split.test), 256)?.loss().sqrt();
    let of = |row: &usize| f64::from(ratings[*row]);
    let mean = split.train.iter().map(of).sum::<f64>() / split.train.len() as f64;
    let spread: f64 = split.test.iter().map(|row| (of(row) - mean).powi(2)).sum();
    let spread = (spread / split.test.len() as f64).sqrt();
    println!("always the mean: off by {spread:.3}; two towers: {rmse:.3}; noise alone: 0.300");
    assert!(rmse < 0.5 * spread);
    Ok(())
}
