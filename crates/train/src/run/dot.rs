//! A network drawn as a graph, in the language of Graphviz.

use thalweg_graph::{Error, Shape};
use thalweg_nn::{Dag, Mode, context};

use crate::Sample;

/// The nodes of `network`, each with its kind and the shape of its output for a sample, and an edge for each input:
/// `dot -Tsvg` makes a drawing of it.
///
/// # Errors
/// What a layer has against such samples.
pub fn dot(network: &Dag, sample: &Sample) -> Result<String, Error> {
    // Any number of rows will do; the axis that counts them is left out.
    let x = sample.placeholder(2);
    let values = context::trace(Mode::Eval, &context::key_input(), || network.values(&[x])).result;
    let mut text = String::from(
        "digraph network {\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n",
    );
    let kinds = network.nodes().iter().map(|node| node.layer.name());
    for ((name, value), kind) in values.iter().zip(std::iter::once("input").chain(kinds)) {
        let shape = value.clone().ok()?.shape().clone();
        let label = match name.parse::<usize>().is_ok() {
            true => kind.to_owned(),
            false => format!("{name}\\n{kind}"),
        };
        text +=
            &format!("  {} [label={}];\n", quoted(name), quoted(&(label + "\\n" + &axes(&shape))));
    }
    for place in 0..network.nodes().len() {
        for source in network.sources(place) {
            text += &format!("  {} -> {};\n", quoted(&source), quoted(&network.name(place)));
        }
    }
    Ok(text + "}\n")
}

/// A shape without its first axis.
fn axes(shape: &Shape) -> String {
    let axes: Vec<String> = shape.iter().skip(1).map(usize::to_string).collect();
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
