//! `thalweg resume`: a run goes on.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use thalweg_train::run::Session;
use thalweg_train::run::config::parse_duration;
use thalweg_train::run::resume::{Epochs, Resumed, Wish};

use crate::failure::Failure;
use crate::output;
use crate::train::{View, carry_out};

#[derive(clap::Args)]
pub struct Args {
    /// The folder of a run. One that was interrupted or killed goes on to the same bits that it would have had
    run: PathBuf,
    /// More epochs (+5), or so many altogether (25): they go on at the last rate, which then falls to 0
    #[arg(long, value_name = "+N|N", allow_hyphen_values = true)]
    epochs: Option<String>,
    /// Epochs without a better validation loss after which to stop
    #[arg(long, value_name = "N")]
    patience: Option<usize>,
    /// Stop after this time, saving included: 90s, 10m, 1h30m
    #[arg(long, value_name = "TIME")]
    max_time: Option<String>,
    /// Threads to use [default: all cores]; no result depends on it
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Print one JSON object a line instead of tables; the last one is the summary
    #[arg(long)]
    json: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

/// Goes on; the exit code says whether it was interrupted.
pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    let threads = output::threads(args.threads)?;
    let epochs = args.epochs.as_deref().map(epochs).transpose()?;
    if args.patience == Some(0) {
        return Err(Failure::usage(
            "patience must be at least 1, got 0, in --patience 0",
            "leave it out to keep that of the run",
        ));
    }
    let wish = Wish { epochs, patience: args.patience };
    if let Some(time) = &args.max_time
        && parse_duration(time).is_none()
    {
        return Err(Failure::usage(
            format!("'{time}' is no length of time, in --max-time {time}"),
            "write 90s, 10m or 1h30m",
        ));
    }
    let Resumed { mut session, folder, notes } = Session::resume(&args.run, &wish, threads)?;
    session.config.train.max_time = args.max_time.clone();
    let view = View { json: args.json, quiet: args.quiet, threads };
    carry_out(session, folder, &notes, &view, started)
}

fn epochs(text: &str) -> Result<Epochs, Failure> {
    let number = match text.strip_prefix('+') {
        Some(more) => more.parse().map(Epochs::More),
        None => text.parse().map(Epochs::Total),
    };
    number.map_err(|_| {
        Failure::usage(
            format!("'{text}' is no number of epochs, in --epochs {text}"),
            "write +5 for five more, or 25 for 25 altogether",
        )
    })
}
