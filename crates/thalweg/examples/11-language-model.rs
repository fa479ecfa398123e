//! 11. A language model that writes. `cargo run --release --example 11-language-model`
//!
//! A recurrent network reads a nursery rhyme again and again and learns which character comes next; then it writes by
//! itself, each character it draws being the next one it reads.

use thalweg::data::{Dataset, Features, Raw, Scaling, Standardise, Targets};
use thalweg::nn::{losses::CrossEntropy, optim::AdamW};
use thalweg::prelude::*;
use thalweg::train::generate::{Generator, Sampling};
use thalweg::train::{FitOptions, Part, Trainer};

const TEXT: &str = "this is the house that jack built. this is the malt that lay in the house that jack \
built. this is the rat that ate the malt that lay in the house that jack built. this is the cat that killed the rat \
that ate the malt that lay in the house that jack built. ";
const WINDOW: usize = 32;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut letters: Vec<char> = TEXT.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    let id = |c: char| letters.iter().position(|&l| l == c).unwrap_or(0) as i64;
    let ids: Vec<i64> = TEXT.chars().map(id).collect();

    // A window of the text at every place; the target at each of its places is the next character.
    let starts: Vec<usize> = (0..ids.len() - WINDOW).collect();
    let windows: Vec<i64> = starts.iter().flat_map(|&s| ids[s..s + WINDOW].to_vec()).collect();
    let labels = starts.iter().flat_map(|&s| ids[s + 1..=s + WINDOW].to_vec()).collect();
    let names = letters.iter().map(char::to_string).collect();
    let features = Features::new(Raw::I64(windows), vec![WINDOW])?;
    let targets = Targets::Sequence { labels, length: WINDOW, names };
    let data = Dataset::new("rhyme", features, targets)?;
    let scaling = Scaling::fit(&data.features, &starts, Standardise::Off)?;
    let part = Part { data: &data, rows: &starts, scaling: &scaling };

    let net = Sequential::new().embedding(letters.len(), 16).lstm(64).linear(letters.len());
    let updater = Updater { clip_norm: Some(1.0), ..Updater::new(AdamW::default()) };
    let mut trainer = Trainer::new(net, CrossEntropy::default(), updater);
    let options = FitOptions { epochs: 30, lr: 0.01, ..FitOptions::default() };
    trainer.fit(&part, None, &options, &mut ())?;
    let loss = trainer.evaluate(&part, 64)?.loss();
    println!("{:.3} bits per character", loss / std::f64::consts::LN_2);

    let cpu = trainer.cpu().clone();
    let (net, mut store) = trainer.into_parts();
    let mut generator = Generator::new(&net, &cpu, 256)?;
    let sampling = Sampling { temperature: 0.5, ..Sampling::default() };
    let prompt: Vec<i64> = "this is the cat".chars().map(id).collect();
    let mut written = String::from("this is the cat");
    let write = |id: i64| written.push(letters.get(id as usize).copied().unwrap_or('?'));
    generator.generate(&prompt, 60, &sampling, &cpu, &mut store, write)?;
    println!("{written}");
    let known = |word: &&str| TEXT.contains(*word);
    let words: Vec<&str> = written.split(' ').collect();
    let share = words.iter().filter(|word| known(word)).count() as f64 / words.len() as f64;
    println!("{:.0} % of the words are of the rhyme", 100.0 * share);
    assert!(loss < 0.35 && share > 0.9);
    Ok(())
}
