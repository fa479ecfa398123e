//! A network drawn as a graph, in the language of Graphviz.

use thalweg_graph::Error;
use thalweg_nn::{Dag, Mode, context};

use crate::Sample;

/// A node of a network, or an input of it, as it is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    /// Its name; its place in the list where nobody named it.
    pub name: String,
    /// What it is: `input`, `linear`.
    pub kind: &'static str,
    /// The shape of its output for one sample.
    pub shape: Vec<usize>,
    /// The names of what it takes; none for an input.
    pub sources: Vec<String>,
}

/// The input and the nodes of `network` in order, for such samples.
///
/// # Errors
/// What a layer has against such samples.
pub fn nodes(network: &Dag, sample: &Sample) -> Result<Vec<Drawn>, Error> {
    // Any number of rows will do; the axis that counts them is left out.
    let x = sample.placeholder(2);
    let values = context::trace(Mode::Eval, &context::key_input(), || network.values(&[x])).result;
    let inputs = values.len() - network.nodes().len();
    let each = values.into_iter().enumerate().map(|(i, (name, value))| {
        let shape = value.ok()?.shape().iter().skip(1).copied().collect();
        let place = i.checked_sub(inputs);
        let kind = place.map_or("input", |place| network.nodes()[place].layer.name());
        let sources = place.map_or_else(Vec::new, |place| network.sources(place));
        Ok(Drawn { name, kind, shape, sources })
    });
    each.collect()
}

/// The nodes of `network`, each with its kind and the shape of its output for a sample, and an edge for each input:
/// `dot -Tsvg` makes a drawing of it.
///
/// # Errors
/// What a layer has against such samples.
pub fn dot(network: &Dag, sample: &Sample) -> Result<String, Error> {
    let mut text = String::from(
        "digraph network {\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n",
    );
    let nodes = nodes(network, sample)?;
    for Drawn { name, kind, shape, .. } in &nodes {
        let label = match name.parse::<usize>().is_ok() {
            true => (*kind).to_owned(),
            false => format!("{name}\\n{kind}"),
        };
        let label = quoted(&(label + "\\n" + &axes(shape)));
        text += &format!("  {} [label={label}];\n", quoted(name));
    }
    for node in &nodes {
        for source in &node.sources {
            text += &format!("  {} -> {};\n", quoted(source), quoted(&node.name));
        }
    }
    Ok(text + "}\n")
}

/// A shape as people write it: `8 × 8`.
#[must_use]
pub fn axes(shape: &[usize]) -> String {
    let axes: Vec<String> = shape.iter().map(usize::to_string).collect();
    axes.join(" × ")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use thalweg_nn::{LayerSpec, NodeSpec};

    #[test]
    fn skips_are_edges() {
        let linear = |out| NodeSpec::from(LayerSpec::Linear { out, bias: true });
        let network = Dag::new(vec![
            linear(8).named("a"),
            NodeSpec::from(LayerSpec::Relu {}),
            NodeSpec::from(LayerSpec::Add {}).of(&["a", "1"]).named("sum"),
        ]);
        let text = dot(&network, &Sample::from(&[3])).unwrap();
        for line in [
            "\"x\" [label=\"x\\ninput\\n3\"];",
            "\"a\" [label=\"a\\nlinear\\n8\"];",
            "\"1\" [label=\"relu\\n8\"];",
            "\"x\" -> \"a\";",
            "\"a\" -> \"1\";",
            "\"a\" -> \"sum\";",
            "\"1\" -> \"sum\";",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }
}
