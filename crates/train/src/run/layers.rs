//! A network layer by layer: what each one is, gives and costs, found by walking the graph of its forward pass.

use std::sync::Arc;

use serde::Serialize;
use thalweg_graph::{Class, Error, Layer, Tensor, reachable};
use thalweg_nn::{Found, LayerSpec, Mode, Network, Store, context, walk};

use crate::Sample;

/// One layer.
#[derive(Clone, Debug, Serialize)]
pub struct LayerRow {
    /// Its path in the network: `0`, `head.fc1`.
    pub path: String,
    /// What it is: `Linear 784 → 10`.
    pub kind: String,
    /// The shape of its output for one sample.
    pub output: Vec<usize>,
    /// Trained numbers.
    pub parameters: usize,
    /// Multiplications (each with its addition) of the forward pass for one sample.
    pub multiply_adds: u64,
    /// Bytes that its output takes for one sample; 0 where it is another view of its input.
    pub activation_bytes: usize,
}

/// The forward pass of a batch as a graph, and where each layer's output is in it.
pub struct Traced {
    /// The samples.
    pub x: Tensor,
    /// The random key of the step.
    pub key: Tensor,
    /// What the network gives.
    pub output: Tensor,
    /// The layers that do something, in order, each with its result.
    pub layers: Vec<(Arc<Layer>, Tensor)>,
}

/// Traces the training forward pass of `batch` samples.
///
/// # Errors
/// What a layer has against it.
pub fn trace(network: &dyn Network, sample: &Sample, batch: usize) -> Result<Traced, Error> {
    let x = sample.placeholder(batch);
    let key = context::key_input();
    let traced = context::trace(Mode::Train, &key, || network.forward(&x));
    let output = traced.result.ok()?;
    let mut layers: Vec<(Arc<Layer>, Tensor)> = Vec::new();
    for node in reachable(std::slice::from_ref(&output)) {
        let Some(layer) = node.layer().cloned() else { continue };
        match layers.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &layer)) {
            Some((_, last)) => *last = node,
            None => layers.push((layer, node)),
        }
    }
    Ok(Traced { x, key, output, layers })
}

/// The layers of `network` for such samples. Layers that do nothing, such as dropout with p = 0, are
/// listed with the shape that passes through them.
///
/// # Errors
/// What a layer has against such samples.
pub fn describe(
    network: &dyn Network,
    store: &Store,
    sample: &Sample,
) -> Result<Vec<LayerRow>, Error> {
    // Two samples, since some layers refuse to train on one; the counts are halved.
    const BATCH: usize = 2;
    let traced = trace(network, sample, BATCH)?;
    let nodes = reachable(std::slice::from_ref(&traced.output));
    let mut rows = Vec::new();
    let mut shape = sample.shape().to_vec();
    let mut places: Vec<(String, String)> = Vec::new();
    walk(network, |path, found| {
        if let Found::Layer(layer) = found {
            places.push((path.to_string(), layer.kind().to_string()));
        }
    });
    for (path, kind) in places {
        let here = |layer: Option<&Arc<Layer>>| layer.and_then(|l| l.path()) == Some(path.as_str());
        let made = traced.layers.iter().find(|(layer, _)| here(Some(layer)));
        // A container is no layer of its own.
        if path.is_empty() && made.is_none() {
            continue;
        }
        if let Some((_, output)) = made {
            shape = output.shape().iter().skip(1).copied().collect();
        }
        let held = made.filter(|(layer, output)| makes(layer, output));
        let bytes = held.map_or(0, |(_, output)| output.numel() * output.dtype().size() / BATCH);
        let work = nodes.iter().filter(|node| here(node.layer()));
        let work = work.map(|node| node.op().multiply_adds(node.inputs(), node));
        let own = |name: &str| name.rsplit_once('.').map_or("", |(owner, _)| owner) == path;
        let parameters = store.parameters().filter(|entry| own(entry.name()));
        rows.push(LayerRow {
            kind,
            output: shape.clone(),
            parameters: parameters.map(|entry| entry.value().numel()).sum(),
            activation_bytes: bytes,
            multiply_adds: work.sum::<u64>() / BATCH as u64,
            path,
        });
    }
    Ok(rows)
}

/// Whether the elements of a layer's output are of its own making, and not its input's at other places.
fn makes(layer: &Arc<Layer>, output: &Tensor) -> bool {
    let mut node = output;
    while let (Class::View, Some(source)) = (node.op().class(), node.inputs().first()) {
        if source.layer().is_none_or(|made| !Arc::ptr_eq(made, layer)) {
            return false;
        }
        node = source;
    }
    true
}

/// What a layer computes, and what backpropagation makes of it: `g` is the gradient of the loss by the output y.
#[must_use]
pub fn formula(spec: &LayerSpec) -> [&'static str; 2] {
    match spec {
        LayerSpec::Linear { bias: true, .. } => {
            ["y = x·Wᵀ + b", "∂L/∂W = gᵀ·x   ∂L/∂b = Σ g over the rows   ∂L/∂x = g·W"]
        }
        LayerSpec::Linear { bias: false, .. } => ["y = x·Wᵀ", "∂L/∂W = gᵀ·x   ∂L/∂x = g·W"],
        LayerSpec::Embedding(_) => ["y = W[x]", "∂L/∂W[i] = Σ g over the places where x = i"],
        LayerSpec::Flatten { .. } => ["y = x in one row per sample", "∂L/∂x = g in the shape of x"],
        LayerSpec::Dropout { .. } => {
            ["y = x·m/(1−p), m = 0 with probability p, else 1", "∂L/∂x = g·m/(1−p)"]
        }
        LayerSpec::BatchNorm1d { .. } => [
            "y = γ·x̂ + β, x̂ = (x − μ)/√(σ² + ε), μ and σ² over the batch",
            "∂L/∂γ = Σ g·x̂   ∂L/∂β = Σ g   ∂L/∂x = γ/√(σ² + ε)·(g − mean(g) − x̂·mean(g·x̂))",
        ],
        LayerSpec::LayerNorm { .. } => [
            "y = γ·x̂ + β, x̂ = (x − μ)/√(σ² + ε), μ and σ² over each sample",
            "∂L/∂γ = Σ g·x̂   ∂L/∂β = Σ g   ∂L/∂x = (γg − mean(γg) − x̂·mean(γg·x̂))/√(σ² + ε)",
        ],
        LayerSpec::Relu {} => ["y = max(0, x)", "∂L/∂x = g where x > 0, else 0"],
        LayerSpec::LeakyRelu { .. } => {
            ["y = x where x > 0, else αx", "∂L/∂x = g where x > 0, else αg"]
        }
        LayerSpec::Elu { .. } => {
            ["y = x where x > 0, else α(eˣ − 1)", "∂L/∂x = g where x > 0, else g·αeˣ"]
        }
        LayerSpec::Sigmoid {} => ["y = 1/(1 + e⁻ˣ)", "∂L/∂x = g·y(1 − y)"],
        LayerSpec::Tanh {} => ["y = tanh x", "∂L/∂x = g·(1 − y²)"],
        LayerSpec::Softmax { .. } => ["yᵢ = e^xᵢ/Σⱼ e^xⱼ", "∂L/∂xᵢ = yᵢ(gᵢ − Σⱼ gⱼyⱼ)"],
        LayerSpec::LogSoftmax { .. } => ["yᵢ = xᵢ − ln Σⱼ e^xⱼ", "∂L/∂xᵢ = gᵢ − e^yᵢ·Σⱼ gⱼ"],
        LayerSpec::Gelu { tanh: false } => {
            ["y = x·Φ(x), Φ(x) = ½(1 + erf(x/√2))", "∂L/∂x = g·(Φ(x) + x·e^(−x²/2)/√(2π))"]
        }
        LayerSpec::Gelu { tanh: true } => [
            "y = ½x(1 + tanh u), u = √(2/π)(x + 0.044715x³)",
            "∂L/∂x = g·(½(1 + tanh u) + ½x(1 − tanh² u)·u′)",
        ],
        LayerSpec::Silu {} => ["y = x·s, s = 1/(1 + e⁻ˣ)", "∂L/∂x = g·(s + x·s(1 − s))"],
        LayerSpec::Softplus {} => ["y = ln(1 + eˣ)", "∂L/∂x = g/(1 + e⁻ˣ)"],
        LayerSpec::Prelu { .. } => [
            "y = x where x > 0, else a·x",
            "∂L/∂x = g where x > 0, else a·g   ∂L/∂a = Σ g·x where x ≤ 0",
        ],
        LayerSpec::Columns(_) => ["y = some columns of x", "∂L/∂x = g at those columns, else 0"],
        LayerSpec::PiecewiseLinear(_) => [
            "yⱼ = xⱼ·aⱼ + bⱼ + Σₜ eₜ(xⱼ)·Wⱼₜ, eₜ the share of piece t below xⱼ",
            "∂L/∂Wⱼₜ = Σ eₜ·g   ∂L/∂aⱼ = Σ xⱼ·g   ∂L/∂bⱼ = Σ g   ∂L/∂xⱼ = g·(aⱼ + W of its piece)",
        ],
        LayerSpec::Periodic(_) => [
            "yⱼ = relu(W·[sin 2πcx, cos 2πcx] + b)",
            "∂L/∂c = Σ 2πx·(g_sin·cos 2πcx − g_cos·sin 2πcx)",
        ],
        LayerSpec::Categories(_) => {
            ["y = the vectors of the ids, in one row", "∂L/∂W[i] = Σ g over the rows where x = i"]
        }
        LayerSpec::MemberLinear(o) if o.shared => [
            "yₘ = ((xₘ∘rₘ)·Wᵀ)∘sₘ + bₘ for each member m",
            "∂L/∂W = Σₘ (g∘sₘ)ᵀ·(xₘ∘rₘ)   ∂L/∂xₘ = ((g∘sₘ)·W)∘rₘ",
        ],
        LayerSpec::MemberLinear(_) => {
            ["yₘ = xₘ·Wₘᵀ + bₘ for each member m", "∂L/∂Wₘ = gₘᵀ·xₘ   ∂L/∂xₘ = gₘ·Wₘ"]
        }
        LayerSpec::MemberMean { .. } => {
            ["y = x in training, the mean of the members in use", "∂L/∂x = g"]
        }
        // New layers say what they are until somebody writes their formula down here.
        _ => ["y = f(x)", "∂L/∂x = g·f′(x)"],
    }
}
