//! The tensor: a cheap handle to an immutable node of the graph.
//!
//! A tensor is a description. Making one computes its shape and nothing else; values appear when an
//! executor is asked for them. A mistake makes a *poisoned* tensor that carries the first error through
//! everything built on top of it, until somebody evaluates or compiles it.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::dtype::DType;
use crate::error::{Error, OpError};
use crate::layer::Layer;
use crate::op::Op;
use crate::ops::Poison;
use crate::shape::Shape;

/// A node of the graph: an op applied to other tensors. Cloning clones the handle.
#[derive(Clone)]
#[must_use = "a tensor is only a description: nothing runs until its value is asked for"]
pub struct Tensor(Arc<Node>);

struct Node {
    id: u64,
    op: Arc<dyn Op>,
    inputs: Vec<Tensor>,
    shape: Shape,
    dtype: DType,
    site: &'static Location<'static>,
    layer: Option<Arc<Layer>>,
    error: Option<Error>,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Tensor {
    /// Applies `op` to `inputs`. The result is poisoned where an input is, or where the op's shape rule
    /// refuses them.
    #[track_caller]
    pub fn from_op(op: impl Op, inputs: &[Tensor]) -> Tensor {
        Tensor::from_arc(Arc::new(op), inputs)
    }

    /// [`Tensor::from_op`] of an op that is already shared: how graph transformations rebuild nodes.
    #[track_caller]
    pub fn from_arc(op: Arc<dyn Op>, inputs: &[Tensor]) -> Tensor {
        Tensor::made_by(op, inputs, Location::caller(), Layer::current())
    }

    /// The same op on other inputs, keeping the source line and the layer of this node.
    pub fn with_inputs(&self, inputs: &[Tensor]) -> Tensor {
        Tensor::made_by(self.0.op.clone(), inputs, self.0.site, self.0.layer.clone())
    }

    fn made_by(
        op: Arc<dyn Op>,
        inputs: &[Tensor],
        site: &'static Location<'static>,
        layer: Option<Arc<Layer>>,
    ) -> Tensor {
        if let Some(poisoned) = inputs.iter().find(|t| t.0.error.is_some()) {
            return poisoned.clone();
        }
        let inferred = op.infer(inputs).and_then(|(shape, dtype)| match shape.checked_numel() {
            Some(_) => Ok((shape, dtype)),
            None => Err(OpError::shape(format!("a tensor of shape {shape} has too many elements"))
                .hint("the number of elements must fit into memory; check the extents")),
        });
        match inferred {
            Ok((shape, dtype)) => {
                Tensor::node(op, inputs.to_vec(), shape, dtype, site, layer, None)
            }
            Err(error) => {
                let error = Error::new(error, op.name(), Some(site), layer.clone());
                let shape = Shape::scalar();
                Tensor::node(Arc::new(Poison), vec![], shape, DType::F32, site, layer, Some(error))
            }
        }
    }

    fn node(
        op: Arc<dyn Op>,
        inputs: Vec<Tensor>,
        shape: Shape,
        dtype: DType,
        site: &'static Location<'static>,
        layer: Option<Arc<Layer>>,
        error: Option<Error>,
    ) -> Tensor {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Tensor(Arc::new(Node { id, op, inputs, shape, dtype, site, layer, error }))
    }

    /// A tensor poisoned by `error`, found by `op`: what functions return that check their arguments
    /// before they build anything.
    #[track_caller]
    pub fn poison(op: &str, error: OpError) -> Tensor {
        let (site, layer) = (Location::caller(), Layer::current());
        let error = Error::new(error, op, Some(site), layer.clone());
        Tensor::node(
            Arc::new(Poison),
            vec![],
            Shape::scalar(),
            DType::F32,
            site,
            layer,
            Some(error),
        )
    }

    /// A number that orders nodes: every node's is greater than those of its inputs.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// The op that makes it.
    pub fn op(&self) -> &dyn Op {
        &*self.0.op
    }

    /// The tensors the op is applied to.
    pub fn inputs(&self) -> &[Tensor] {
        &self.0.inputs
    }

    /// The shape; `[]` on a poisoned tensor.
    pub fn shape(&self) -> &Shape {
        &self.0.shape
    }

    /// The number of axes; 0 on a poisoned tensor.
    pub fn rank(&self) -> usize {
        self.0.shape.rank()
    }

    /// The extent of an axis, negative counting from the end; 0 where there is no such axis, or on a
    /// poisoned tensor.
    pub fn dim(&self, axis: isize) -> usize {
        crate::shape::resolve_axis(axis, self.rank()).map_or(0, |axis| self.0.shape[axis])
    }

    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.0.shape.numel()
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.0.dtype
    }

    /// The line of the user's program that made it.
    pub fn site(&self) -> &'static Location<'static> {
        self.0.site
    }

    /// The layer in whose `forward` it was made.
    pub fn layer(&self) -> Option<&Arc<Layer>> {
        self.0.layer.as_ref()
    }

    /// The first error on the way to this tensor.
    pub fn error(&self) -> Option<&Error> {
        self.0.error.as_ref()
    }

    /// The tensor itself, or the error it is poisoned with.
    pub fn ok(self) -> Result<Tensor, Error> {
        match self.error() {
            Some(error) => Err(error.clone()),
            None => Ok(self),
        }
    }

    /// An error about this node, with its place.
    pub fn error_here(&self, error: OpError) -> Error {
        Error::new(error, self.op().name(), Some(self.0.site), self.0.layer.clone())
    }
}

impl Drop for Node {
    /// Frees a chain without recursion: a hundred thousand ops in a row must not overflow the stack.
    fn drop(&mut self) {
        let mut pending = std::mem::take(&mut self.inputs);
        while let Some(Tensor(node)) = pending.pop() {
            if let Some(mut node) = Arc::into_inner(node) {
                pending.append(&mut node.inputs);
            }
        }
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.error() {
            Some(error) => write!(f, "poisoned({error})"),
            None => write!(f, "%{} = {:?} {}{}", self.id(), self.op(), self.dtype(), self.shape()),
        }
    }
}

/// Every node that `roots` reach, each once, inputs before users.
pub fn reachable(roots: &[Tensor]) -> Vec<Tensor> {
    let mut seen = std::collections::HashSet::new();
    let mut pending: Vec<Tensor> = roots.to_vec();
    let mut found = Vec::new();
    while let Some(tensor) = pending.pop() {
        if seen.insert(tensor.id()) {
            pending.extend(tensor.inputs().iter().cloned());
            found.push(tensor);
        }
    }
    found.sort_by_key(Tensor::id);
    found
}
