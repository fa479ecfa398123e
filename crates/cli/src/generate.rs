//! `thalweg generate`: text, written by a trained network.

use std::io::{self, Write};
use std::path::PathBuf;

use thalweg_train::Sampling;
use thalweg_train::run::{Model, Writer};

use crate::failure::Failure;
use crate::output;

#[derive(clap::Args)]
pub struct Args {
    /// The folder of a run that learned a text, or pairs of texts
    run: PathBuf,
    /// How the text begins, or the text to translate
    #[arg(long, value_name = "TEXT", default_value = "")]
    prompt: String,
    /// Letters or words to write, whatever the run learned; a translation ends by itself
    #[arg(long, value_name = "N", default_value_t = 400)]
    tokens: usize,
    /// Below 1 more probable text, above 1 more surprising; 0 takes the most probable token each time
    #[arg(long, value_name = "T", default_value_t = 0.8)]
    temperature: f64,
    /// Choose among the K most probable tokens only
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,
    /// Choose among the fewest tokens that together have probability P
    #[arg(long, value_name = "P", default_value_t = 1.0)]
    top_p: f64,
    /// Equal seeds give equal texts
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Threads to use [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// Writes to stdout, token by token.
pub fn run(args: &Args) -> Result<(), Failure> {
    let model = Model::load(&args.run, output::cpu(args.threads)?)?;
    let mut writer = Writer::new(model)?;
    let unknown = writer.unknown(&args.prompt);
    if let Some(token) = unknown.first() {
        let others = match unknown.len() {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        output::remark(format!("the run has never seen '{token}'{others}"));
    }
    let Args { temperature, top_k, top_p, seed, .. } = *args;
    let sampling = Sampling { temperature, top_k, top_p, seed };
    let mut out = io::stdout().lock();
    let mut printed = Ok(());
    writer.write(&args.prompt, args.tokens, &sampling, |piece| {
        if printed.is_ok() {
            printed = out.write_all(piece.as_bytes()).and_then(|()| out.flush());
        }
    })?;
    printed?;
    Ok(writeln!(out)?)
}
