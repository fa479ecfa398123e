//! Graphs for people: as text, one line a node, and as a drawing for Graphviz.
//!
//! Nodes are numbered in order of appearance, so that two equal graphs print equally.

use std::collections::HashMap;
use std::fmt::Write;

use crate::tensor::{Tensor, reachable};

struct Listing {
    nodes: Vec<Tensor>,
    numbers: HashMap<u64, usize>,
}

impl Listing {
    fn new(roots: &[Tensor]) -> Listing {
        let nodes = reachable(roots);
        let numbers = nodes.iter().enumerate().map(|(i, node)| (node.id(), i + 1)).collect();
        Listing { nodes, numbers }
    }

    fn number(&self, node: &Tensor) -> usize {
        self.numbers.get(&node.id()).copied().unwrap_or(0)
    }

    fn names(&self, nodes: &[Tensor]) -> String {
        let names: Vec<String> = nodes.iter().map(|t| format!("%{}", self.number(t))).collect();
        names.join(", ")
    }
}

/// The op's settings, as its `Debug` form shows them after its name: `{ axes: [1] }`.
fn settings(node: &Tensor) -> String {
    let shown = format!("{:?}", node.op());
    match shown.find(['{', '(']) {
        Some(start) => format!(" {}", shown[start..].replace('\n', " ")),
        None => String::new(),
    }
}

/// The graph as text, inputs before users:
///
/// ```text
/// %1 = input() { name: "x", … } f32[64, 784]
/// %3 = matmul(%1, %2) f32[64, 10]  // layers.0 (Linear 784 → 10)
/// return %3
/// ```
pub fn text(roots: &[Tensor]) -> String {
    let listing = Listing::new(roots);
    let mut out = String::new();
    for node in &listing.nodes {
        let (number, inputs) = (listing.number(node), listing.names(node.inputs()));
        let (op, settings) = (node.op().name(), settings(node));
        let _ =
            write!(out, "%{number} = {op}({inputs}){settings} {}{}", node.dtype(), node.shape());
        if let Some(layer) = node.layer() {
            let _ = write!(out, "  // {layer}");
        }
        if let Some(error) = node.error() {
            let _ = write!(out, "  // error: {error}");
        }
        out.push('\n');
    }
    let _ = writeln!(out, "return {}", listing.names(roots));
    out
}

/// The graph in Graphviz's language: `dot -Tsvg`. Layers are boxes around their nodes, roots are drawn double.
pub fn dot(roots: &[Tensor]) -> String {
    let listing = Listing::new(roots);
    let mut out = String::from("digraph graph {\n  node [shape=box, fontname=\"monospace\"];\n");
    let mut layers: Vec<(String, Vec<&Tensor>)> = Vec::new();
    for node in &listing.nodes {
        let layer = node.layer().map(|layer| layer.to_string()).unwrap_or_default();
        match layers.iter_mut().find(|(name, _)| *name == layer) {
            Some((_, nodes)) => nodes.push(node),
            None => layers.push((layer, vec![node])),
        }
    }
    for (i, (layer, nodes)) in layers.iter().enumerate() {
        let boxed = !layer.is_empty();
        if boxed {
            let _ = writeln!(out, "  subgraph cluster_{i} {{\n    label={};", quoted(layer));
        }
        for node in nodes {
            let name = node.op().name();
            let label = quoted(&format!("{name}\n{}{}", node.dtype(), node.shape()));
            let root = roots.iter().any(|root| root.id() == node.id());
            let rings = if root { ", peripheries=2" } else { "" };
            let _ = writeln!(out, "    n{} [label={label}{rings}];", listing.number(node));
        }
        if boxed {
            out.push_str("  }\n");
        }
    }
    for node in &listing.nodes {
        for input in node.inputs() {
            let (from, to) = (listing.number(input), listing.number(node));
            let _ = writeln!(out, "  n{from} -> n{to};");
        }
    }
    out.push_str("}\n");
    out
}

fn quoted(text: &str) -> String {
    let inner = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{inner}\"")
}
