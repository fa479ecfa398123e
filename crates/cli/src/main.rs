//! The program `thalweg`: one file per verb, each of which reads its arguments, calls the library, and prints.
//!
//! stdout carries results, stderr progress and errors. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration,
//! 130 interrupted.

mod check;
mod data_args;
mod datasets;
mod evaluate;
mod failure;
mod generate;
mod init;
mod inspect;
mod output;
mod predict;
mod progress;
mod report;
mod resume;
mod step;
mod summary;
mod train;
mod verdict;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Train neural networks on your own data: one command in, a trained network and an honest report out.
#[derive(Parser)]
#[command(name = "thalweg", version, arg_required_else_help = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "Examples:
  thalweg train                              learn handwritten digits (inside the program)
  thalweg train mnist/ --epochs 5            learn from a folder of IDX files
  thalweg init people.csv --target income --out people.toml   every choice, explained
  thalweg resume runs/digits-1               go on with a training that was stopped
  thalweg check people.csv --target income   what may be wrong with a table, before training
  thalweg evaluate runs/digits-1             measure on the rows that were held out
  thalweg predict runs/digits-1 digits       one prediction a row, as CSV
  thalweg generate runs/book-1 --prompt \"It was\"   write text as the book that was learned
  thalweg inspect runs/digits-1 --step       follow one training step, every gradient checked";

#[derive(Subcommand)]
enum Verb {
    /// Write a configuration with every choice explained, to be edited before training
    Init(init::Args),
    /// Train a network and save the run
    Train(Box<train::Args>),
    /// Go on with a training that was stopped, or extend a finished one
    Resume(resume::Args),
    /// Look for what can be wrong with data: leaks, repeated rows, useless columns, parts that differ
    Check(Box<check::Args>),
    /// Measure a trained network on data it has not seen
    Evaluate(evaluate::Args),
    /// Predict with a trained network
    Predict(predict::Args),
    /// Write text with a trained language model
    Generate(generate::Args),
    /// Show a trained network layer by layer, or one step of its training
    Inspect(inspect::Args),
    /// Make the page report.html of a run again
    Report(report::Args),
    /// List the data sets inside the program
    Datasets(datasets::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().verb {
        Verb::Init(args) => init::run(&args).map(|()| ExitCode::SUCCESS),
        Verb::Train(args) => train::run(&args),
        Verb::Resume(args) => resume::run(&args),
        Verb::Check(args) => check::run(&args),
        Verb::Evaluate(args) => evaluate::run(&args).map(|()| ExitCode::SUCCESS),
        Verb::Predict(args) => predict::run(&args).map(|()| ExitCode::SUCCESS),
        Verb::Generate(args) => generate::run(&args).map(|()| ExitCode::SUCCESS),
        Verb::Inspect(args) => inspect::run(&args).map(|()| ExitCode::SUCCESS),
        Verb::Report(args) => report::run(&args).map(|()| ExitCode::SUCCESS),
        Verb::Datasets(args) => datasets::run(&args).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|failure| failure.report())
}
