//! Gradients as a graph transformation: backpropagation emits ops.
//!
//! Walking the graph from the loss towards the parameters, every op is asked for the cotangents of its
//! inputs ([`Op::grad`](crate::op::Op::grad)); what arrives at one tensor from several users is summed. Since the result is an
//! ordinary graph, it can be differentiated again.

use std::collections::{HashMap, HashSet};
use std::panic::Location;

use crate::error::{Error, OpError};
use crate::layer::Layer;
use crate::tensor::{Tensor, reachable};

/// The gradients of the scalar `loss` with respect to each tensor of `wrt`: tensors of the same shapes.
/// A tensor that the loss does not depend on gets zeros; [`grad_or_none`] says which those are.
///
/// Fails where the loss is not a float scalar, or where an op on the way has no gradient rule.
///
/// ```
/// use thalweg_graph::{DType, NoStates, Reference, Tensor, grad};
/// let x = Tensor::new(&[1.0f64, 2.0, 3.0], [3]);
/// let loss = (&x * &x).sum_all();
/// let dx = &grad(&loss, &[x])?[0];
/// let value = &Reference::new().evaluate(&[dx.clone()], &[], &NoStates)?[0];
/// assert_eq!(value.floats(), [2.0, 4.0, 6.0]);
/// # Ok::<(), thalweg_graph::Error>(())
/// ```
#[track_caller]
pub fn grad(loss: &Tensor, wrt: &[Tensor]) -> Result<Vec<Tensor>, Error> {
    let found = grad_or_none(loss, None, wrt)?;
    Ok(found.into_iter().zip(wrt).map(|(g, x)| g.unwrap_or_else(|| x.zeros_like())).collect())
}

/// The gradients of ⟨`output`, `cotangent`⟩ with respect to each tensor of `wrt`; `None` where nothing
/// arrives. Without a cotangent, `output` must be a scalar.
#[track_caller]
pub fn grad_or_none(
    output: &Tensor,
    cotangent: Option<&Tensor>,
    wrt: &[Tensor],
) -> Result<Vec<Option<Tensor>>, Error> {
    let site = Location::caller();
    let fail = |error: OpError| Error::new(error, "grad", Some(site), Layer::current());
    for tensor in std::iter::once(output).chain(cotangent).chain(wrt) {
        if let Some(error) = tensor.error() {
            return Err(error.clone());
        }
    }
    if !output.dtype().is_float() {
        return Err(fail(OpError::gradient(format!(
            "the loss must be a float, got {}",
            output.dtype()
        ))));
    }
    let seed = match cotangent {
        Some(g) if g.shape() == output.shape() && g.dtype() == output.dtype() => g.clone(),
        Some(g) => {
            let (want, got) = (output.shape(), g.shape());
            let what =
                format!("the cotangent must be {}{want}, got {}{got}", output.dtype(), g.dtype());
            return Err(fail(OpError::gradient(what)));
        }
        None if output.shape().rank() == 0 => Tensor::full_like(output, 1.0),
        None => {
            let what = format!("the loss must be a scalar, got shape {}", output.shape());
            let hint = "reduce it with sum_all() or mean_all(), or give a cotangent";
            return Err(fail(OpError::gradient(what).hint(hint)));
        }
    };

    // Only nodes between the loss and a wanted tensor take part.
    let targets: HashSet<u64> = wrt.iter().map(Tensor::id).collect();
    let nodes = reachable(std::slice::from_ref(output));
    let mut on_path: HashSet<u64> = HashSet::new();
    for node in &nodes {
        let leads = node.inputs().iter().any(|t| on_path.contains(&t.id()));
        if node.dtype().is_float() && (targets.contains(&node.id()) || leads) {
            on_path.insert(node.id());
        }
    }

    let mut cotangents: HashMap<u64, Tensor> = HashMap::new();
    cotangents.insert(output.id(), seed);
    for node in nodes.iter().rev() {
        let wants_inputs = node.inputs().iter().any(|t| on_path.contains(&t.id()));
        if !on_path.contains(&node.id()) || !wants_inputs {
            continue;
        }
        let Some(g) = cotangents.get(&node.id()).cloned() else { continue };
        let rule = || node.op().grad(node.inputs(), node, &g);
        // Ops emitted by a rule belong to the layer whose op it is.
        let parts = match node.layer() {
            Some(layer) => layer.scope(rule),
            None => rule(),
        };
        let parts = parts.map_err(|e| node.error_here(e))?;
        for (input, part) in node.inputs().iter().zip(parts) {
            let Some(part) = part.filter(|_| on_path.contains(&input.id())) else { continue };
            if let Some(error) = part.error() {
                return Err(error.clone());
            }
            let sum = match cotangents.remove(&input.id()) {
                Some(before) => before + part,
                None => part,
            };
            cotangents.insert(input.id(), sum);
        }
    }
    Ok(wrt
        .iter()
        .map(|x| cotangents.get(&x.id()).filter(|_| on_path.contains(&x.id())).cloned())
        .collect())
}
