//! Comparisons, and the choice between two inputs.

use crate::dtype::DType;
use crate::error::OpError;
use crate::op::{Class, Map, Op};
use crate::ops::binary::{broadcasting, same_shape_and_type};
use crate::reference::{Data, RefValue};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// A comparison of two inputs of one shape and type. Every comparison with NaN is false, but `Ne` is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the comparison operators")]
pub enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// `cond ? a : b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Select;

impl Compare {
    /// Every comparison, in a fixed order.
    pub const ALL: [Compare; 6] =
        [Compare::Eq, Compare::Ne, Compare::Lt, Compare::Le, Compare::Gt, Compare::Ge];

    /// Whether it holds between `a` and `b`.
    pub fn holds<T: PartialOrd>(self, a: T, b: T) -> bool {
        match self {
            Compare::Eq => a == b,
            Compare::Ne => a != b,
            Compare::Lt => a < b,
            Compare::Le => a <= b,
            Compare::Gt => a > b,
            Compare::Ge => a >= b,
        }
    }
}

impl Op for Compare {
    fn name(&self) -> &'static str {
        match self {
            Compare::Eq => "eq",
            Compare::Ne => "ne",
            Compare::Lt => "lt",
            Compare::Le => "le",
            Compare::Gt => "gt",
            Compare::Ge => "ge",
        }
    }

    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        Ok((same_shape_and_type(inputs)?, DType::Bool))
    }

    fn reference(&self, inputs: &[RefValue], _: &Shape, _: DType) -> Result<Data, OpError> {
        Ok(Data::Int(match (&inputs[0].data, &inputs[1].data) {
            (Data::Float(a), Data::Float(b)) => {
                a.iter().zip(b).map(|(a, b)| self.holds(a, b) as i64).collect()
            }
            _ => {
                let (a, b) = (inputs[0].ints(), inputs[1].ints());
                a.iter().zip(&b).map(|(a, b)| self.holds(a, b) as i64).collect()
            }
        }))
    }

    fn class(&self) -> Class<'_> {
        Class::Map(Map::Compare(*self))
    }
}

impl Op for Select {
    fn name(&self) -> &'static str {
        "select"
    }

    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let shape = same_shape_and_type(&inputs[1..])?;
        let cond = &inputs[0];
        if cond.dtype() != DType::Bool {
            return Err(OpError::dtype(format!(
                "the condition must be bool, got {}",
                cond.dtype()
            ))
            .hint("compare it with something, as in x.gt(&zero)"));
        }
        if *cond.shape() != shape {
            let got = cond.shape();
            return Err(OpError::shape(format!("the condition must be {shape}, got {got}")));
        }
        Ok((shape, inputs[1].dtype()))
    }

    fn grad(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        let (cond, zero) = (&inputs[0], g.zeros_like());
        Ok(vec![None, Some(Tensor::select(cond, g, &zero)), Some(Tensor::select(cond, &zero, g))])
    }

    fn reference(&self, inputs: &[RefValue], _: &Shape, _: DType) -> Result<Data, OpError> {
        let cond = inputs[0].ints();
        Ok(match (&inputs[1].data, &inputs[2].data) {
            (Data::Float(a), Data::Float(b)) => Data::Float(
                (0..cond.len()).map(|i| if cond[i] != 0 { a[i] } else { b[i] }).collect(),
            ),
            _ => {
                let (a, b) = (inputs[1].ints(), inputs[2].ints());
                Data::Int((0..cond.len()).map(|i| if cond[i] != 0 { a[i] } else { b[i] }).collect())
            }
        })
    }

    fn class(&self) -> Class<'_> {
        Class::Map(Map::Select)
    }
}

impl Tensor {
    /// `cond ? a : b`, broadcasting. The gradient flows to the chosen side only.
    #[track_caller]
    pub fn select(cond: &Tensor, a: &Tensor, b: &Tensor) -> Tensor {
        match Tensor::broadcast_all("select", &[cond, a, b]) {
            Ok(inputs) => Tensor::from_op(Select, &inputs),
            Err(poisoned) => poisoned,
        }
    }
}

broadcasting! {
    /// `a = b`, broadcasting.
    equal = Compare::Eq;
    /// `a ≠ b`, broadcasting.
    not_equal = Compare::Ne;
    /// `a < b`, broadcasting.
    lt = Compare::Lt;
    /// `a ≤ b`, broadcasting.
    le = Compare::Le;
    /// `a > b`, broadcasting.
    gt = Compare::Gt;
    /// `a ≥ b`, broadcasting.
    ge = Compare::Ge;
}
