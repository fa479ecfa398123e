//! The network, what was tried before it learned, and how healthy it was meanwhile.

use thalweg_train::run::RunError;
use thalweg_train::run::dot::nodes;
use thalweg_train::run::insights::{Check, Finding, Status};

use super::{outcomes, prose};
use crate::drawing::{Node, svg};
use crate::page::{Block, Section};
use crate::run::Run;

/// The drawing.
pub fn section(run: &Run) -> Result<Section, RunError> {
    let sample = run.model.sample();
    let mut trainer = run.model.trainer(run.config.train.updater());
    trainer.bind(run.model.sample(), 0)?;
    let nodes =
        nodes(trainer.network(), &sample)?.into_iter().map(|drawn| Node { drawn, parameters: 0 });
    let mut nodes: Vec<Node> = nodes.collect();
    for entry in trainer.store().parameters() {
        // `text.embedding.weight` is of the node `text.embedding`, even where there is a node `text`.
        let own = |node: &&mut Node| {
            let rest = entry.name().strip_prefix(node.drawn.name.as_str());
            rest.is_some_and(|rest| rest.starts_with('.'))
        };
        if let Some(node) = nodes.iter_mut().filter(own).max_by_key(|n| n.drawn.name.len()) {
            node.parameters += entry.value().numel();
        }
    }
    let mut blocks = Vec::new();
    if !run.insights.network_reason.is_empty() {
        blocks.push(prose(run.insights.network_reason.as_str()));
    }
    let drawing = svg(&nodes);
    let framed = match drawing.contains("class=\"times\"") {
        true => {
            " A frame with, say, 3 × stands for layers that come three times in a row and are drawn once."
        }
        false => "",
    };
    blocks.push(Block::Drawing { svg: drawing });
    let about = "From the input above to the output below. Boxes in colour hold what is learned; beside each is how many \
                 numbers that are, and the shape of what comes out of it for one row. Arcs skip layers.";
    let about = format!("{about}{framed}");
    Ok(Section { id: "network", title: "The network", about, blocks })
}

/// What was tried before training.
pub fn preflight(run: &Run) -> Section {
    let checks = &run.insights.preflight;
    let blocks = if checks.is_empty() { vec![] } else { vec![outcomes(checks)] };
    let about = "Tried before the first step: does the loss begin where chance would put it, does every parameter get a \
                 gradient, can a single batch be learned by heart?";
    Section { id: "preflight", title: "Pre-flight", about: about.into(), blocks }
}

/// What looked unhealthy.
pub fn health(run: &Run) -> Section {
    let check = |finding: &Finding| {
        let Finding { kind, layer, epoch, saw, try_this } = finding;
        let place = if layer.is_empty() { String::new() } else { format!(" in layer {layer}") };
        Check {
            name: format!("{}{place}, epoch {epoch}", kind.replace('_', " ")),
            status: Status::Warn,
            saw: saw.clone(),
            action: try_this.clone(),
        }
    };
    let checks: Vec<Check> = run.insights.health.iter().map(check).collect();
    let blocks = if checks.is_empty() { vec![] } else { vec![outcomes(&checks)] };
    let about = "What looked unhealthy while the network learned, and what to try. A finding is a hint, not a verdict: look at \
                 the results first.";
    Section { id: "health", title: "Health", about: about.into(), blocks }
}
