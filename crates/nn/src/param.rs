//! Parameters: what a layer holds. A parameter is a unique handle, a shape and an initialiser; its value lives
//! in a [`Store`](crate::Store).

use std::fmt;
use std::sync::Arc;

use thalweg_graph::{DType, Shape, StateId, Tensor, Value};

use crate::init::Init;

/// Who changes a value of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Trained: an optimizer updates it.
    Parameter,
    /// Kept by its layer: running statistics, counters.
    Buffer,
}

/// A parameter or a buffer of a layer.
///
/// Cloning shares: both handles are the *same* parameter, so a network that uses them in two places has shared
/// weights, and their gradient is the sum over both.
///
/// ```
/// use thalweg_nn::{Init, Param, Role};
/// let weight = Param::new("weight", [10, 768], Init::Zeros);
/// assert_eq!(weight.shape().dims(), [10, 768]);
/// assert_eq!(weight.role(), Role::Parameter);
/// assert_eq!(weight.clone().id(), weight.id());
/// ```
#[derive(Clone)]
pub struct Param(Arc<Inner>);

struct Inner {
    id: StateId,
    role: Role,
    dtype: DType,
    shape: Shape,
    init: Init,
    zero_row: Option<usize>,
    tensor: Tensor,
}

impl Param {
    /// A trained `f32` parameter. `name` is what messages call it until it is bound to a path.
    #[track_caller]
    pub fn new(name: &str, shape: impl Into<Shape>, init: Init) -> Param {
        Param::made(name, Role::Parameter, DType::F32, shape.into(), init, None)
    }

    /// A value that the layer itself keeps up to date and no optimizer touches.
    #[track_caller]
    pub fn buffer(name: &str, dtype: DType, shape: impl Into<Shape>, init: Init) -> Param {
        Param::made(name, Role::Buffer, dtype, shape.into(), init, None)
    }

    /// A trained parameter whose row `row` (of the first axis) begins at zero, whatever `init` says: the padding
    /// row of an embedding.
    #[track_caller]
    pub fn with_zero_row(name: &str, shape: impl Into<Shape>, init: Init, row: usize) -> Param {
        Param::made(name, Role::Parameter, DType::F32, shape.into(), init, Some(row))
    }

    #[track_caller]
    fn made(
        name: &str,
        role: Role,
        dtype: DType,
        shape: Shape,
        init: Init,
        zero_row: Option<usize>,
    ) -> Param {
        let id = StateId::fresh();
        let tensor = Tensor::state(id, name, dtype, &shape);
        Param(Arc::new(Inner { id, role, dtype, shape, init, zero_row, tensor }))
    }

    /// The entry of the store that holds the value.
    pub fn id(&self) -> StateId {
        self.0.id
    }

    /// Who changes it.
    pub fn role(&self) -> Role {
        self.0.role
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.0.dtype
    }

    /// The extents.
    pub fn shape(&self) -> &Shape {
        &self.0.shape
    }

    /// The value it begins with: equal seeds and streams give equal bits.
    pub fn initial(&self, seed: u64, stream: u64) -> Value {
        let mut value = self.0.init.sample(self.shape(), self.dtype(), seed, stream);
        if let (Some(row), Some(&rows)) = (self.0.zero_row, self.shape().first()) {
            let size = value.bytes().len() / rows.max(1);
            if let Some(bytes) = value.bytes_mut().chunks_mut(size.max(1)).nth(row) {
                bytes.fill(0);
            }
        }
        value
    }

    /// The read of its value: one node, made with the parameter, so that `grad(&loss, &[p.tensor()])` finds
    /// every use. Layers that may have written it in the same trace ask [`read`](crate::context::read) instead.
    pub fn tensor(&self) -> Tensor {
        self.0.tensor.clone()
    }
}

impl fmt::Debug for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { id, role, dtype, shape, .. } = &*self.0;
        write!(f, "{role:?}({id:?}, {dtype}{shape})")
    }
}
