//! Whose fault it is: what the trainer finds before the first step is said where it was configured. The network comes
//! from the configuration, so a line of Rust would say nothing to whoever wrote it.

use thalweg_data::DataError;
use thalweg_graph::Layer;
use thalweg_nn::Dag;

use super::draft::Draft;
use super::error::RunError;
use crate::{Sample, TrainError};

/// Why a network could not be built, with the name of the node that fails: before it is bound, its layers have none.
pub(super) fn unbuilt(
    draft: &Draft,
    error: TrainError,
    network: &Dag,
    sample: &Sample,
) -> RunError {
    let TrainError::Graph(error) = error else { return configured(draft, error, "network") };
    let reached = network.values(&[sample.placeholder(1)]).len();
    // The input comes before the nodes.
    let node = reached.checked_sub(1).filter(|place| *place < network.nodes().len());
    let kind = error.layer().map(Layer::kind).filter(|kind| *kind != "Dag");
    let what = without_lines(error.what());
    let what = match (node, kind) {
        (Some(place), Some(kind)) => format!("layer {}, {kind}: {what}", network.name(place)),
        _ => what,
    };
    draft.problem("network", what, error.hint().unwrap_or_default().to_owned())
}

/// What the trainer found before the first step is for whoever configured it: said where that was said. `key` is to
/// blame where nothing else is.
pub(super) fn configured(draft: &Draft, error: TrainError, key: &str) -> RunError {
    let (message, hint) = (error.message(), error.hint());
    match error {
        TrainError::Option { option, problem, .. } => {
            let key = format!("train.{option}");
            draft.problem(&key, format!("{key}: {problem}"), hint)
        }
        TrainError::Data(DataError::BatchSize { .. }) | TrainError::LastBatch { .. } => {
            draft.problem("train.batch_size", message, hint)
        }
        TrainError::Graph(error) => {
            let what = without_lines(error.what());
            match error.layer() {
                Some(layer) => {
                    let place =
                        layer.path().map_or(String::new(), |path| format!("layer {path}, "));
                    draft.problem("network", format!("{place}{}: {what}", layer.kind()), hint)
                }
                None if error.op() == "optimizer" => {
                    draft.problem("train.optimizer", format!("train.optimizer: {what}"), hint)
                }
                None => draft.problem(key, format!("{key}: {what}"), hint),
            }
        }
        TrainError::Misfit { .. } => draft.problem("network", message, hint),
        other => other.into(),
    }
}

/// A message without the lines of Rust in it: `from 'relu' at src/net.rs:31` becomes `from 'relu'`.
fn without_lines(text: &str) -> String {
    let mut parts = text.split(" at ");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find([' ', ',', ';']).unwrap_or(part.len());
        match part[..end].contains(".rs:") {
            true => kept += &part[end..],
            false => kept = kept + " at " + part,
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_rust_are_left_out() {
        let said = "got 3 in [7, 3], from 'relu' at crates/a/b.rs:55, 8 at each of 2 places";
        assert_eq!(without_lines(said), "got 3 in [7, 3], from 'relu', 8 at each of 2 places");
        assert_eq!(without_lines("from 'x' at a.rs:1"), "from 'x'");
    }
}
