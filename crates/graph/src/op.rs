//! What an op is: a name, a shape rule, a gradient rule, a reference kernel.
//!
//! An op lives in one file of `ops/`. Everything the rest of the house needs to know of it is behind this
//! trait; a planner asks [`Op::class`] and treats what it does not know as [`Class::Opaque`].

use std::any::Any;
use std::fmt;

use crate::dtype::DType;
use crate::error::OpError;
use crate::layout::Layout;
use crate::ops::{Binary, Compare, ReduceKind, Unary};
use crate::reference::{Data, RefValue};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// One operation of the graph.
pub trait Op: Any + fmt::Debug + Send + Sync {
    /// The stable name: `add`, `matmul`, `reshape`.
    fn name(&self) -> &'static str;

    /// The shape rule: the result's shape and element type, or what is wrong with the inputs.
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError>;

    /// The gradient rule: given the cotangent `g` of `output`, the cotangent of each input (`None` where
    /// nothing flows). It emits ops, so gradients have gradients. Only asked of float outputs.
    fn grad(
        &self,
        inputs: &[Tensor],
        output: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        let _ = (inputs, output, g);
        Err(OpError::gradient(format!("`{}` has no gradient rule", self.name()))
            .hint("stop the gradient with detach(), or compose it of differentiable ops"))
    }

    /// The reference kernel: naive, in `f64` and `i64`. It is the specification of every fast kernel.
    /// The executor rounds or wraps the result to `dtype`.
    fn reference(&self, inputs: &[RefValue], shape: &Shape, dtype: DType) -> Result<Data, OpError>;

    /// What a planner may know of this op.
    fn class(&self) -> Class<'_> {
        Class::Opaque
    }

    /// For [`Class::View`] ops: where the elements of the result lie in the memory of an input laid out as
    /// `input`; `None` where that cannot be said with strides.
    fn view(&self, input: &Layout, shape: &Shape) -> Option<Layout> {
        let _ = (input, shape);
        None
    }

    /// Whether its kernels read input `input` where its elements lie as `layout` says; where not, they get a contiguous
    /// copy.
    fn reads(&self, input: usize, layout: &Layout) -> bool {
        let _ = input;
        layout.is_contiguous()
    }

    /// Multiplications, each with its addition, that a run takes: products of matrices, convolutions and what is made
    /// of them count, elementwise work does not. For people who ask what a layer costs.
    fn multiply_adds(&self, inputs: &[Tensor], output: &Tensor) -> u64 {
        let _ = (inputs, output);
        0
    }

    /// Two ops with equal keys and equal inputs have equal results; `None` where that cannot be promised.
    fn key(&self) -> Option<String> {
        Some(format!("{self:?}"))
    }
}

impl dyn Op {
    /// This op as a `T`, where it is one.
    pub fn downcast<T: Op>(&self) -> Option<&T> {
        (self as &dyn Any).downcast_ref()
    }
}

/// How a planner may treat an op.
#[derive(Clone, Debug, PartialEq)]
pub enum Class<'a> {
    /// A leaf: a constant, an input, a state.
    Source,
    /// Element `i` of the result depends on element `i` of each input alone.
    Map(Map),
    /// A reduction over `axes` (sorted, unique).
    Reduce {
        /// What is accumulated.
        kind: ReduceKind,
        /// The reduced axes.
        axes: &'a [usize],
    },
    /// The result's elements are elements of the only input, at other places: see [`Op::view`].
    View,
    /// (Batched) matrix product of the two inputs.
    MatMul,
    /// Anything else: run by its own kernel or by the reference kernel.
    Opaque,
}

/// The elementwise operations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Map {
    /// One input.
    Unary(Unary),
    /// Two inputs of one type.
    Binary(Binary),
    /// Two inputs of one type, a `bool` result.
    Compare(Compare),
    /// `cond ? a : b`.
    Select,
    /// Conversion to another element type.
    Cast(DType),
    /// The index along an axis: no input.
    Iota {
        /// The axis that is counted.
        axis: usize,
    },
}
