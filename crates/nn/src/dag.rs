//! A network as named nodes: skips, branches, several inputs and outputs, shared weights. It is what a config's
//! `layers` list and a saved model hold; a list without names is a plain sequence.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use thalweg_graph::{DType, Error, Layer, OpError, Shape, Tensor};

use crate::context::{Mode, fixed_key, trace};
use crate::layers::Penalised;
use crate::module::{Forward, Module, Network, Visitor};
use crate::spec::LayerSpec;

/// What a network's input is called where nobody names its inputs.
pub const INPUT: &str = "x";

/// A layer with its place in a network: `{ name = "skip", inputs = ["a", "b"], type = "add" }`.
///
/// ```
/// use thalweg_nn::{LayerSpec, NodeSpec};
/// let node: NodeSpec = serde_json::from_str(r#"{"inputs": ["a", "b"], "type": "add"}"#)?;
/// assert_eq!(node, NodeSpec::from(LayerSpec::Add {}).of(&["a", "b"]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeSpec {
    /// What it is called; its place in the list (`0`, `1`, …) where nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The names of what it takes: earlier nodes, or inputs of the network. Where nobody says it takes what the node
    /// before it gives, and the first node takes the network's first input.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,
    /// The name of an earlier node whose weights it shares: the very same layer, used again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<String>,
    /// The weight of Σ|w| over its weights in what training makes small: see [`Penalised`]; default 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub l1: f64,
    /// The weight of Σw², as `l1`; default 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub l2: f64,
    /// What it computes.
    #[serde(flatten)]
    pub layer: LayerSpec,
}

fn is_zero(x: &f64) -> bool {
    *x == 0.0
}

impl From<LayerSpec> for NodeSpec {
    fn from(layer: LayerSpec) -> NodeSpec {
        NodeSpec { name: None, inputs: vec![], same_as: None, l1: 0.0, l2: 0.0, layer }
    }
}

impl NodeSpec {
    /// The same node under a name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> NodeSpec {
        self.name = Some(name.into());
        self
    }

    /// The same node on other inputs than its predecessor.
    #[must_use]
    pub fn of<S: AsRef<str>>(mut self, inputs: &[S]) -> NodeSpec {
        self.inputs = inputs.iter().map(|name| name.as_ref().to_owned()).collect();
        self
    }

    /// The same node with a penalty λ₁ Σ|w| + λ₂ Σw² on its weights.
    #[must_use]
    pub fn penalised(self, l1: f64, l2: f64) -> NodeSpec {
        NodeSpec { l1, l2, ..self }
    }
}

/// Something that makes one tensor of several: a node of a [`Dag`].
pub trait Node: Module + Send + Sync {
    /// The output for these inputs; poisoned where they do not fit.
    #[track_caller]
    fn forward_all(&self, inputs: &[Tensor]) -> Tensor;
}

impl<N: Node + ?Sized> Node for Box<N> {
    fn forward_all(&self, inputs: &[Tensor]) -> Tensor {
        (**self).forward_all(inputs)
    }
}

/// A layer with one input as a node.
struct Single(Box<dyn Network>);

impl Module for Single {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        self.0.visit(visitor);
    }
}

impl Node for Single {
    fn forward_all(&self, inputs: &[Tensor]) -> Tensor {
        match inputs {
            [x] => self.0.forward(x),
            _ => Tensor::poison("forward", one_input(inputs.len())),
        }
    }
}

fn one_input(got: usize) -> OpError {
    OpError::argument(format!("takes one input, got {got}"))
        .hint("join several with a node of type add, multiply or concat")
}

impl LayerSpec {
    /// The layer as a node for inputs of these shapes, the batch axis first.
    ///
    /// # Errors
    /// As [`LayerSpec::build`]; a number of inputs that the layer does not take.
    #[track_caller]
    pub fn build_node(&self, inputs: &[Shape]) -> Result<Box<dyn Node>, OpError> {
        match (self.build_join(inputs), inputs) {
            (Some(join), _) => join,
            (None, [x]) => Ok(Box::new(Single(self.build(x)?))),
            (None, _) => Err(one_input(inputs.len())),
        }
    }
}

/// A network of nodes. Like [`Sequential`](crate::Sequential) it is built when its first input tells the sizes, and only
/// once. Parameters are called by their node: `encoder.weight`, `3.bias`.
///
/// Errors: a name that is taken twice, an input or a `same_as` that names no earlier node, and what the layers
/// themselves have to say.
///
/// ```
/// use thalweg_graph::{DType, Tensor};
/// use thalweg_nn::{Dag, Forward, LayerSpec, NodeSpec};
/// let linear = |out| NodeSpec::from(LayerSpec::Linear { out, bias: true });
/// let net = Dag::new(vec![
///     linear(8).named("a"),
///     NodeSpec::from(LayerSpec::Relu {}),
///     linear(8).named("b"),
///     NodeSpec::from(LayerSpec::Add {}).of(&["a", "b"]),
/// ]);
/// assert_eq!(net.forward(&Tensor::zeros(DType::F32, [5, 3])).shape().dims(), [5, 8]);
/// ```
pub struct Dag {
    layer: Arc<Layer>,
    nodes: Vec<NodeSpec>,
    inputs: Vec<String>,
    outputs: Vec<String>,
    built: OnceLock<Vec<Arc<dyn Node>>>,
}

impl Dag {
    /// The network of these nodes, with one input, called `x`, whose output is that of the last node.
    #[track_caller]
    pub fn new(nodes: Vec<NodeSpec>) -> Dag {
        Dag {
            layer: Layer::new("Dag"),
            nodes,
            inputs: vec![INPUT.to_owned()],
            outputs: vec![],
            built: OnceLock::new(),
        }
    }

    /// The same network with several inputs of these names.
    #[must_use]
    pub fn with_inputs(mut self, names: &[&str]) -> Dag {
        self.inputs = names.iter().map(|&name| name.to_owned()).collect();
        self.built = OnceLock::new();
        self
    }

    /// The same network with the outputs of these nodes.
    #[must_use]
    pub fn with_outputs(mut self, names: &[&str]) -> Dag {
        self.outputs = names.iter().map(|&name| name.to_owned()).collect();
        self
    }

    /// The nodes as data.
    pub fn nodes(&self) -> &[NodeSpec] {
        &self.nodes
    }

    /// The name of node `place`: its own, or else the place.
    pub fn name(&self, place: usize) -> String {
        let name = self.nodes.get(place).and_then(|node| node.name.clone());
        name.unwrap_or_else(|| place.to_string())
    }

    /// The names of what node `place` takes.
    pub fn sources(&self, place: usize) -> Vec<String> {
        match self.nodes.get(place).map(|node| &node.inputs) {
            Some(inputs) if !inputs.is_empty() => inputs.clone(),
            _ => match place.checked_sub(1) {
                Some(before) => vec![self.name(before)],
                None => self.inputs.iter().take(1).cloned().collect(),
            },
        }
    }

    /// What the inputs and then the nodes give, by name. Where a node fails, it and those after it are missing.
    #[track_caller]
    pub fn values(&self, inputs: &[Tensor]) -> Vec<(String, Tensor)> {
        let mut scope = Scope { values: vec![] };
        self.run(inputs, self.built.get().map(Vec::as_slice), &mut scope);
        scope.values
    }

    /// The nodes' layers for one input of shape `input` and type `dtype`; tells the shape of the output.
    ///
    /// # Errors
    /// What a layer has against such an input.
    #[track_caller]
    pub fn build(&self, input: impl Into<Shape>, dtype: DType) -> Result<Shape, Error> {
        let x = Tensor::input(INPUT, dtype, input);
        match self.infer(&[x]).into_iter().next() {
            Some(y) => y.ok().map(|y| y.shape().clone()),
            None => Ok(Shape::scalar()),
        }
    }

    /// The outputs for these inputs, one for each name given to [`Dag::with_inputs`].
    #[track_caller]
    pub fn forward_all(&self, inputs: &[Tensor]) -> Vec<Tensor> {
        if self.built.get().is_none() {
            let stand_in = |x: &Tensor| match x.error() {
                Some(_) => x.clone(),
                None => Tensor::input(INPUT, x.dtype(), x.shape()),
            };
            let inferred = self.infer(&inputs.iter().map(stand_in).collect::<Vec<_>>());
            if inferred.iter().any(|y| y.error().is_some()) {
                return inferred;
            }
        }
        let mut scope = Scope { values: vec![] };
        self.run(inputs, self.built.get().map(Vec::as_slice), &mut scope).1
    }

    /// The outputs, having built what was not, in a trace of its own: building takes no random stream and leaves no write.
    #[track_caller]
    fn infer(&self, inputs: &[Tensor]) -> Vec<Tensor> {
        trace(Mode::Eval, &fixed_key(0, 0), || {
            let known = self.built.get().map(Vec::as_slice);
            let (layers, outputs) = self.run(inputs, known, &mut Scope { values: vec![] });
            if known.is_none() && outputs.iter().all(|y| y.error().is_none()) {
                // Another thread may have been first; then its layers are the ones.
                let _ = self.built.set(layers);
            }
            outputs
        })
        .result
    }

    /// Runs the nodes in order, on `known` layers or on new ones; gives the new ones and the outputs. The empty `scope`
    /// gets what each node gives.
    #[track_caller]
    fn run(
        &self,
        inputs: &[Tensor],
        known: Option<&[Arc<dyn Node>]>,
        scope: &mut Scope,
    ) -> (Vec<Arc<dyn Node>>, Vec<Tensor>) {
        let mut layers: Vec<Arc<dyn Node>> = vec![];
        let fail = |error: OpError| {
            let _entered = self.layer.enter();
            (vec![], vec![Tensor::poison("build", error); self.outputs.len().max(1)])
        };
        if inputs.len() != self.inputs.len() {
            let (want, got) = (self.inputs.len(), inputs.len());
            return fail(OpError::argument(format!("the network takes {want} inputs, got {got}")));
        }
        for (name, x) in self.inputs.iter().zip(inputs) {
            scope.values.push((name.clone(), x.clone()));
        }
        let mut last = inputs.first().cloned();
        for (place, node) in self.nodes.iter().enumerate() {
            let name = self.name(place);
            let wrong = |error: OpError| OpError {
                what: format!("node '{name}': {}", error.what),
                ..error
            };
            let taken = match node.inputs.is_empty() {
                true => Ok(last.iter().cloned().collect::<Vec<_>>()),
                false => node.inputs.iter().map(|input| scope.get(input)).collect(),
            };
            let taken = match taken {
                Ok(taken) => taken,
                Err(error) => return fail(wrong(error)),
            };
            let layer = match known {
                Some(known) => known[place].clone(),
                None => match self.make(place, &taken, &layers) {
                    Ok(layer) => layer,
                    Err(error) => return fail(wrong(error)),
                },
            };
            let y = layer.forward_all(&taken);
            if y.error().is_some() {
                return (vec![], vec![y; self.outputs.len().max(1)]);
            }
            if known.is_none() {
                layers.push(layer);
            }
            if scope.values.iter().any(|(known, _)| *known == name) {
                let what = "the name is taken by an earlier node or an input";
                return fail(wrong(OpError::argument(what).hint("give each node another name")));
            }
            scope.values.push((name, y.clone()));
            last = Some(y);
        }
        let outputs: Result<Vec<Tensor>, OpError> = match self.outputs.is_empty() {
            true => Ok(last.into_iter().collect()),
            false => self.outputs.iter().map(|name| scope.get(name)).collect(),
        };
        match outputs {
            Ok(outputs) => (layers, outputs),
            Err(error) => fail(error),
        }
    }

    /// The layer of node `place`: new, or that of the earlier node whose weights it shares.
    #[track_caller]
    fn make(
        &self,
        place: usize,
        inputs: &[Tensor],
        earlier: &[Arc<dyn Node>],
    ) -> Result<Arc<dyn Node>, OpError> {
        let Some(shared) = &self.nodes[place].same_as else {
            let NodeSpec { layer, l1, l2, .. } = &self.nodes[place];
            let shapes: Vec<Shape> = inputs.iter().map(|x| x.shape().clone()).collect();
            let node = layer.build_node(&shapes)?;
            return Ok(match (*l1, *l2) {
                (0.0, 0.0) => Arc::from(node),
                (l1, l2) => Arc::new(Penalised::new(node).l1(l1).l2(l2)),
            });
        };
        match (0..earlier.len()).find(|&i| self.name(i) == *shared) {
            Some(i) if self.nodes[i].layer == self.nodes[place].layer => Ok(earlier[i].clone()),
            Some(_) => Err(OpError::argument(format!("is another layer than '{shared}'"))
                .hint("nodes that share weights are described alike")),
            None => {
                Err(unknown(shared, &(0..earlier.len()).map(|i| self.name(i)).collect::<Vec<_>>()))
            }
        }
    }
}

/// What the names stand for so far.
struct Scope {
    values: Vec<(String, Tensor)>,
}

impl Scope {
    fn get(&self, name: &str) -> Result<Tensor, OpError> {
        let found = self.values.iter().find(|(known, _)| known == name);
        let names = || self.values.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        found.map(|(_, value)| value.clone()).ok_or_else(|| unknown(name, &names()))
    }
}

fn unknown(name: &str, known: &[String]) -> OpError {
    OpError::argument(format!("there is no earlier node or input '{name}'"))
        .hint(format!("known here are {}", known.join(", ")))
}

impl Forward for Dag {
    fn forward(&self, x: &Tensor) -> Tensor {
        let outputs = self.forward_all(std::slice::from_ref(x));
        // A network without nodes is the identity.
        outputs.into_iter().next().unwrap_or_else(|| x.clone())
    }
}

impl Module for Dag {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        let Some(nodes) = self.built.get() else { return visitor.unbuilt(&self.layer) };
        visitor.layer(&self.layer);
        for (place, node) in nodes.iter().enumerate() {
            visitor.module(&self.name(place), &**node);
        }
    }
}

impl fmt::Debug for Dag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.nodes).finish()
    }
}
