//! A list of nodes as presets write it.

use crate::dag::{INPUT, NodeSpec};
use crate::spec::LayerSpec;

/// Nodes in the making.
pub(super) struct Nodes(Vec<NodeSpec>);

impl Nodes {
    /// None yet.
    pub fn new() -> Nodes {
        Nodes(Vec::new())
    }

    /// Adds a node without a name, behind the last one.
    pub fn add(&mut self, layer: LayerSpec) -> &mut Nodes {
        self.0.push(NodeSpec::from(layer));
        self
    }

    /// Adds a node under a name, behind the last one.
    pub fn named(&mut self, name: impl Into<String>, layer: LayerSpec) -> &mut Nodes {
        self.0.push(NodeSpec::from(layer).named(name));
        self
    }

    /// Gives the last node other inputs than its predecessor.
    pub fn of(&mut self, inputs: &[&str]) -> &mut Nodes {
        if let Some(node) = self.0.last_mut() {
            node.inputs = inputs.iter().map(|&name| name.to_owned()).collect();
        }
        self
    }

    /// What the last node is called, or the network's input where there is none.
    pub fn last(&self) -> String {
        let place = self.0.len().checked_sub(1);
        let name = |place: usize| self.0[place].name.clone().unwrap_or_else(|| place.to_string());
        place.map_or_else(|| INPUT.to_owned(), name)
    }

    /// The nodes.
    pub fn list(self) -> Vec<NodeSpec> {
        self.0
    }
}
