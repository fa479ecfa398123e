//! `thalweg report`: the page of a run, made again.

use std::path::PathBuf;

use serde_json::json;

use crate::failure::Failure;
use crate::output;

#[derive(clap::Args)]
pub struct Args {
    /// The folder of a run
    run: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Writes `report.html` into the run's folder and says where it is.
pub fn run(args: &Args) -> Result<(), Failure> {
    let path = thalweg_report::write(&args.run)?.display().to_string();
    match args.json {
        true => output::json(&json!({ "report": path })),
        false => output::line(path),
    }
}
