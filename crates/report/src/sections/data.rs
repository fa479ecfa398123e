//! What was learned from.

use thalweg_train::run::insights::ColumnStory;

use super::{outcomes, prose};
use crate::numbers::count;
use crate::page::{Block, Section, Table};
use crate::run::Run;

/// The columns, what was done to the rows, and who is to be named.
pub fn columns(run: &Run) -> Section {
    let story = &run.insights.data;
    let mut blocks: Vec<Block> = story.notes.iter().map(prose).collect();
    if !story.columns.is_empty() {
        let row = |column: &ColumnStory| {
            let missing = if column.missing == 0 { "–".into() } else { count(column.missing) };
            let ColumnStory { name, kind, reason, content, .. } = column.clone();
            vec![name, kind, missing, content, reason]
        };
        blocks.push(Block::Table(Table {
            header: ["column", "taken for", "missing", "content", "why"].map(String::from).to_vec(),
            numbers: vec![false, false, true, false, false],
            rows: story.columns.iter().map(row).collect(),
        }));
    }
    blocks.extend(story.attribution.as_ref().map(|by| prose(by.as_str())));
    let about = "What the columns were taken for, and why. Where that is wrong, say so with --type COLUMN=KIND.";
    let about = if story.columns.is_empty() { "" } else { about };
    Section { id: "data", title: "The data", about: about.into(), blocks }
}

/// What was looked for in the data.
pub fn checks(run: &Run) -> Section {
    let checks = &run.insights.checks;
    let blocks = if checks.is_empty() { vec![] } else { vec![outcomes(checks)] };
    let about = "What often spoils a result without anybody noticing: rows that are in two parts, columns that give the \
                 answer away, classes that hardly occur.";
    Section { id: "checks", title: "Checks of the data", about: about.into(), blocks }
}
