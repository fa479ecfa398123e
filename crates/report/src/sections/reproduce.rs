//! How to get the same run again.

use super::prose;
use crate::page::{Block, Section};
use crate::run::Run;

/// The command, the configuration, the versions.
pub fn section(run: &Run) -> Section {
    let mut lines = Vec::new();
    if !run.insights.command.is_empty() {
        lines.push(run.insights.command.clone());
    }
    lines.push("thalweg train --config config.toml".into());
    let seed = run.summary["seed"].as_u64().unwrap_or(run.config.train.seed);
    let isa = &run.config.train.isa;
    let isa = if isa.is_empty() { String::new() } else { format!(" on the instruction set {isa}") };
    let blocks = vec![
        Block::Code { text: lines.join("\n") },
        Block::Folded { title: "config.toml".into(), text: run.config_text.trim_end().into() },
        prose(format!(
            "Trained by thalweg {} with the seed {seed}{isa}; model format {}.",
            run.model.thalweg, run.model.format
        )),
    ];
    let about = "The configuration holds every choice, also those that nobody made: with it, the same data and the same \
                 version give the same network, bit for bit, on any number of threads.";
    Section { id: "reproduce", title: "Reproduce", about: about.into(), blocks }
}
