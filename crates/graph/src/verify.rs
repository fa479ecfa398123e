//! The graph verifier: run after every pass that rebuilds a graph, in debug builds and tests, so that a broken
//! invariant is found where it was broken.

use crate::error::{Error, ErrorKind, OpError};
use crate::tensor::{Tensor, reachable};

/// Checks every node that `roots` reach: none is poisoned, each has a greater id than its inputs, and its shape
/// and type are what its op's rule says of its inputs. What it finds is an [`ErrorKind::Internal`] error.
pub fn verify(roots: &[Tensor]) -> Result<(), Error> {
    reachable(roots).iter().try_for_each(|node| {
        fault(node)
            .map_or(Ok(()), |what| Err(node.error_here(OpError::new(ErrorKind::Internal, what))))
    })
}

fn fault(node: &Tensor) -> Option<String> {
    if let Some(error) = node.error() {
        return Some(format!("a poisoned tensor is part of the graph: {error}"));
    }
    if let Some(later) = node.inputs().iter().find(|input| input.id() >= node.id()) {
        return Some(format!("node {} has the later node {} as an input", node.id(), later.id()));
    }
    let (shape, dtype) = match node.op().infer(node.inputs()) {
        Ok(inferred) => inferred,
        Err(error) => return Some(format!("the op refuses its inputs: {}", error.what)),
    };
    if shape != *node.shape() || dtype != node.dtype() {
        let (have, at) = (node.dtype(), node.shape());
        return Some(format!("the node is {have}{at}, its op's rule says {dtype}{shape}"));
    }
    None
}
