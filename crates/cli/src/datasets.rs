//! `thalweg datasets`: what can be learned without a download.

use serde_json::json;
use thalweg_data::EMBEDDED;

use crate::failure::Failure;
use crate::output;

#[derive(clap::Args)]
pub struct Args {
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Lists them.
pub fn run(args: &Args) -> Result<(), Failure> {
    for set in EMBEDDED {
        match args.json {
            true => output::json(&json!({
                "name": set.name, "about": set.about, "attribution": set.attribution
            }))?,
            false => output::say(format!("{}  {}\n  {}", set.name, set.about, set.attribution))?,
        }
    }
    match args.json {
        true => Ok(()),
        false => output::line("\nnext\n  thalweg train digits"),
    }
}
