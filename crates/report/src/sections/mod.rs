//! What the page says, section by section, in the order in which readers ask. A section that a run has nothing for is
//! left out.

mod belief;
mod classes;
mod data;
mod head;
mod learning;
mod network;
mod reproduce;
mod results;
mod values;
mod works;

use thalweg_train::run::insights::{Check, Example, Status};
use thalweg_train::run::{RunError, VERSION};

use crate::chart::Chart;
use crate::numbers::{count, percent};
use crate::page::{Block, Card, Figure, Outcome, Page};
use crate::run::Run;

/// The page of a run.
///
/// # Errors
/// [`RunError::Fit`] where a plot cannot be drawn; a layer that does not take the samples.
pub fn page(run: &Run) -> Result<Page, RunError> {
    let sections = [
        results::section(run),
        learning::section(run)?,
        classes::section(run),
        belief::curves(run)?,
        belief::calibration(run)?,
        values::section(run)?,
        works::forecast(run)?,
        works::reconstructions(run),
        works::text(run),
        belief::intervals(run),
        results::importance(run),
        classes::samples(run),
        data::columns(run),
        data::checks(run),
        network::section(run)?,
        network::preflight(run),
        network::health(run),
        reproduce::section(run),
    ];
    Ok(Page {
        title: head::name(run),
        kicker: head::kicker(run),
        lead: head::lead(run),
        beaten: head::beaten(run),
        tiles: head::tiles(run),
        sections: sections.into_iter().filter(|section| !section.blocks.is_empty()).collect(),
        version: VERSION,
    })
}

fn heading(text: impl Into<String>) -> Block {
    Block::Heading { text: text.into() }
}

fn prose(text: impl Into<String>) -> Block {
    Block::Prose { text: text.into() }
}

/// A plot with its words, unless there is nothing to draw.
fn figure(
    chart: &Chart,
    legend: &[(usize, &str)],
    caption: impl Into<String>,
) -> Result<Option<Figure>, RunError> {
    let legend = legend.iter().map(|&(colour, name)| (colour, name.to_string())).collect();
    let (axis, caption) = (chart.y.label.to_string(), caption.into());
    Ok(chart.svg()?.map(|svg| Figure { svg, axis, legend, caption }))
}

/// Plots side by side; nothing where there are none.
fn figures(figures: impl IntoIterator<Item = Option<Figure>>) -> Option<Block> {
    let figures: Vec<Figure> = figures.into_iter().flatten().collect();
    (!figures.is_empty()).then_some(Block::Figures { figures })
}

fn outcomes(checks: &[Check]) -> Block {
    let outcome = |check: &Check| Outcome {
        status: match check.status {
            Status::Pass => "pass",
            Status::Warn => "warn",
            Status::Fail => "fail",
        },
        name: check.name.clone(),
        saw: check.saw.clone(),
        action: check.action.clone(),
    };
    Block::Checks { checks: checks.iter().map(outcome).collect() }
}

fn cards(examples: &[Example], say: impl Fn(&Example) -> String) -> Block {
    /// Tall cards, at most.
    const TALL: usize = 6;
    let most = if examples.iter().any(|e| !e.cells.is_empty()) { TALL } else { examples.len() };
    let card = |example: &Example| Card {
        row: count(example.row as u64),
        image: example.image.clone(),
        truth: example.truth.clone(),
        said: example.said.clone(),
        sure: say(example),
        right: example.truth == example.said,
        cells: example.cells.clone(),
    };
    Block::Cards { cards: examples.iter().take(most).map(card).collect() }
}

/// How sure the network was, where that is known: `97.25 % sure`.
fn sure(example: &Example) -> String {
    match example.probability {
        p if p > 0.0 && p.is_finite() => format!("{} sure", percent(p)),
        _ => String::new(),
    }
}
