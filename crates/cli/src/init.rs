//! `thalweg init`: a configuration to begin with.

use std::path::{Path, PathBuf};

use thalweg_train::run::Draft;
use thalweg_train::run::folder::write_atomic;
use thalweg_train::run::init::commented;

use crate::failure::Failure;
use crate::output;
use crate::summary::shown;

#[derive(clap::Args)]
pub struct Args {
    /// A file or folder to learn from, or an embedded data set
    data: String,
    /// The column to learn [default: the last one]
    #[arg(long, value_name = "COL")]
    target: Option<String>,
    /// The kind of data, where it is not to be guessed
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Write to a file instead of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file that --out names
    #[arg(long, requires = "out")]
    overwrite: bool,
}

/// Looks at the data and writes down what would be done with it.
pub fn run(args: &Args) -> Result<(), Failure> {
    if let Some(file) = args.out.as_deref().filter(|file| file.exists() && !args.overwrite) {
        let what = format!("{} is there already", file.display());
        return Err(Failure::usage(what, "name another file, or add --overwrite"));
    }
    let mut draft = Draft::new();
    for (flag, key, value) in
        [("--target", "data.target", &args.target), ("--kind", "data.kind", &args.kind)]
    {
        if let Some(value) = value {
            draft.put(format!("{flag} {value}"), key, value.as_str());
        }
    }
    let loaded = draft.open(&args.data)?;
    let config = draft.resolve(&args.data, &loaded)?;
    let Some(file) = &args.out else {
        output::line(commented(&config, &loaded, None).trim_end())?;
        output::remark(
            "next: save it as FILE.toml, change what you like, and\n  thalweg train --config FILE.toml",
        );
        return Ok(());
    };
    let folder = file.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok();
    let text = commented(&config, &loaded, folder.as_deref());
    write_atomic(file, text.as_bytes())?;
    let name = shown(file);
    output::remark(format!("{name}: change what you like in it, then"));
    output::line(format!("  thalweg train --config {name}"))
}
