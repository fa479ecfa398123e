//! What a run learns with: the table `[network]`, and the nodes that it stands for.

use serde::{Deserialize, Serialize};
use thalweg_data::suggest;
use thalweg_graph::OpError;
use thalweg_nn::presets::{self, Preset, Shapes};
use thalweg_nn::{LayerSpec, NodeSpec, mlp};
use toml::{Table, Value};

use super::draft::{Draft, Layer};
use super::error::RunError;

/// The table `[network]`: either `layers`, or a multi-layer perceptron of `hidden` sizes. In a draft also a `preset`,
/// which becomes one of the two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// The sizes of the hidden layers, from the input on; `[]` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<Vec<usize>>,
    /// What follows each hidden layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<LayerSpec>,
    /// The probability of dropout after each hidden layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,
    /// All layers, the one that gives the outputs included; each may have a name, and the names of its inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<Vec<NodeSpec>>,
}

impl NetworkConfig {
    /// The network of a preset for a task; a multi-layer perceptron is said the short way.
    ///
    /// # Errors
    /// Why the preset does not fit the task.
    pub fn preset(preset: &Preset, shapes: &Shapes<'_>) -> Result<NetworkConfig, OpError> {
        let nodes = (preset.nodes)(shapes)?;
        let short = NetworkConfig::perceptron(&nodes);
        Ok(match short.nodes(shapes) == nodes {
            true => short,
            false => NetworkConfig { layers: Some(nodes), ..NetworkConfig::default() },
        })
    }

    /// Why it is as it is, where it is the one that tables get; else nothing.
    #[must_use]
    pub fn reason(&self, shapes: &Shapes<'_>) -> String {
        let own = presets::preset("table").and_then(|preset| (preset.nodes)(shapes).ok());
        match own == Some(self.nodes(shapes)) {
            true => presets::reason(shapes).unwrap_or_default(),
            false => String::new(),
        }
    }

    /// The perceptron that these nodes may be.
    fn perceptron(nodes: &[NodeSpec]) -> NetworkConfig {
        let mut sizes: Vec<usize> = (nodes.iter())
            .filter_map(|node| match node.layer {
                LayerSpec::Linear { out, .. } => Some(out),
                _ => None,
            })
            .collect();
        sizes.pop();
        let dropout = nodes.iter().find_map(|node| match node.layer {
            LayerSpec::Dropout { p } => Some(p),
            _ => None,
        });
        let plain = |layer: &&LayerSpec| {
            use LayerSpec::{Dropout, Flatten, Linear};
            !matches!(layer, Linear { .. } | Dropout { .. } | Flatten { .. })
        };
        let activation = nodes.iter().map(|node| &node.layer).find(plain);
        NetworkConfig {
            hidden: Some(sizes),
            activation: Some(activation.cloned().unwrap_or(LayerSpec::Relu {})),
            dropout: Some(dropout.unwrap_or(0.0)),
            layers: None,
        }
    }

    /// The nodes for a task.
    #[must_use]
    pub fn nodes(&self, shapes: &Shapes<'_>) -> Vec<NodeSpec> {
        if let Some(layers) = &self.layers {
            return layers.clone();
        }
        let hidden = self.hidden.as_deref().unwrap_or_default();
        let activation = self.activation.clone().unwrap_or(LayerSpec::Relu {});
        let mut layers = mlp(hidden, activation, self.dropout.unwrap_or(0.0), shapes.outputs);
        if shapes.sample.len() > 1 {
            layers.insert(0, LayerSpec::Flatten { start: 1 });
        }
        layers.into_iter().map(NodeSpec::from).collect()
    }
}

impl Draft {
    /// The preset that was asked for, where the last word about the network is one.
    ///
    /// # Errors
    /// [`RunError::Config`] for an unknown name.
    pub(super) fn preset(&self) -> Result<Option<&'static Preset>, RunError> {
        let networks = self.layers.iter().rev().filter_map(network_of);
        for network in networks {
            if let Some(name) = network.get("preset") {
                return self.preset_named(name).map(Some);
            }
            if network.contains_key("layers") || network.contains_key("hidden") {
                break;
            }
        }
        Ok(None)
    }

    fn preset_named(&self, name: &Value) -> Result<&'static Preset, RunError> {
        let name = name.as_str().unwrap_or_default();
        presets::preset(name).ok_or_else(|| {
            let names = presets::presets().into_iter().map(|preset| preset.name);
            let near = suggest::nearest(name, names.clone());
            let near = near.map_or(String::new(), |near| format!("did you mean '{near}'? "));
            let hint = format!("{near}presets are {}", names.collect::<Vec<_>>().join(", "));
            self.problem("network.preset", format!("there is no preset '{name}'"), hint)
        })
    }

    /// A layer of settings that names a preset, or says the network in the other of its two ways, replaces what was
    /// said before. Without a task a preset is only checked for its name.
    pub(super) fn choose_network(
        &self,
        table: &mut Table,
        layer: &Layer,
        task: Option<&Shapes<'_>>,
    ) -> Result<(), RunError> {
        let (Some(network), Some(chosen)) =
            (network_of(layer), table.get_mut("network").and_then(Value::as_table_mut))
        else {
            return Ok(());
        };
        let says = |keys: &[&str]| keys.iter().any(|key| network.contains_key(*key));
        let layers = says(&["layers"]);
        if layers && says(&["hidden", "activation", "dropout", "preset"]) {
            let what = "network.layers excludes network.preset, hidden, activation and dropout";
            let hint = "layers lists all layers, the others choose or describe a network";
            return Err(self.problem("network.layers", what.into(), hint.into()));
        }
        if layers {
            chosen.clear();
        }
        if let Some(name) = network.get("preset") {
            let preset = self.preset_named(name)?;
            if let Some(shapes) = task {
                let config = NetworkConfig::preset(preset, shapes).map_err(|error| {
                    let what = format!("preset {}: {}", preset.name, error.what);
                    self.problem("network.preset", what, error.hint.unwrap_or_default())
                })?;
                let table = Table::try_from(config).map_err(|error| {
                    self.problem("network.preset", error.to_string(), String::new())
                })?;
                *chosen = table;
            }
        }
        if says(&["hidden"]) {
            chosen.remove("layers");
        } else if says(&["activation", "dropout"]) && chosen.contains_key("layers") {
            let what = "network.activation and network.dropout need network.hidden";
            let hint = "set network.hidden too, or change the layers themselves";
            return Err(self.problem("network", what.into(), hint.into()));
        }
        Ok(())
    }
}

fn network_of(layer: &Layer) -> Option<&Table> {
    layer.table.get("network")?.as_table()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perceptrons_are_said_the_short_way() {
        let shapes =
            Shapes { sample: &[28, 28], vocabulary: None, outputs: 10, places: None, table: None };
        let of = |name| presets::preset(name).map(|preset| NetworkConfig::preset(preset, &shapes));
        let mlp = of("mlp").unwrap().unwrap();
        assert_eq!((mlp.hidden.as_deref(), mlp.dropout), (Some(&[512, 256][..]), Some(0.1)));
        let nodes = mlp.nodes(&shapes);
        let names: Vec<&str> = nodes.iter().map(|node| node.layer.name()).collect();
        let want = ["flatten", "linear", "relu", "dropout", "linear", "relu", "dropout", "linear"];
        assert_eq!(names, want);
        assert_eq!(of("linear").unwrap().unwrap().hidden, Some(vec![]));
    }
}
