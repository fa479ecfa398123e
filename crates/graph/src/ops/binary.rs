//! Elementwise functions of two inputs, and the operators `+ − * /`.

use crate::dtype::DType;
use crate::error::OpError;
use crate::op::{Class, Map, Op};
use crate::reference::{Data, RefValue};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// An elementwise function of two inputs of one shape and type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each variant is documented at the method of Tensor that makes it")]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Maximum,
    Minimum,
    And,
    Or,
    Xor,
}

impl Binary {
    /// Every function, in a fixed order.
    pub const ALL: [Binary; 10] = [
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Div,
        Binary::Pow,
        Binary::Maximum,
        Binary::Minimum,
        Binary::And,
        Binary::Or,
        Binary::Xor,
    ];

    /// The value at `(a, b)`, as the reference executor computes it. NaN wins over any number in maximum
    /// and minimum.
    pub fn float(self, a: f64, b: f64) -> f64 {
        match self {
            Binary::Add => a + b,
            Binary::Sub => a - b,
            Binary::Mul => a * b,
            Binary::Div => a / b,
            Binary::Pow => libm::pow(a, b),
            Binary::Maximum => {
                if a > b || a.is_nan() {
                    a
                } else {
                    b
                }
            }
            Binary::Minimum => {
                if a < b || a.is_nan() {
                    a
                } else {
                    b
                }
            }
            Binary::And => (a != 0.0 && b != 0.0) as u8 as f64,
            Binary::Or => (a != 0.0 || b != 0.0) as u8 as f64,
            Binary::Xor => ((a != 0.0) != (b != 0.0)) as u8 as f64,
        }
    }

    /// The value at `(a, b)` for integers and truth values; wraps around.
    pub fn int(self, a: i64, b: i64) -> i64 {
        match self {
            Binary::Add => a.wrapping_add(b),
            Binary::Sub => a.wrapping_sub(b),
            Binary::Mul => a.wrapping_mul(b),
            Binary::Maximum => a.max(b),
            Binary::Minimum => a.min(b),
            Binary::And => a & b,
            Binary::Or => a | b,
            Binary::Xor => a ^ b,
            // Refused by the shape rule for integers.
            Binary::Div | Binary::Pow => 0,
        }
    }

    fn takes(self, dtype: DType) -> bool {
        match self {
            Binary::Div | Binary::Pow => dtype.is_float(),
            Binary::And | Binary::Or | Binary::Xor => !dtype.is_float(),
            _ => dtype != DType::Bool,
        }
    }
}

pub(super) fn same_shape_and_type(inputs: &[Tensor]) -> Result<Shape, OpError> {
    let (a, b) = (&inputs[0], &inputs[1]);
    if a.shape() != b.shape() {
        return Err(OpError::shape(format!("shapes {} and {} differ", a.shape(), b.shape())));
    }
    if a.dtype() != b.dtype() {
        return Err(OpError::dtype(format!(
            "expects two tensors of one type, got {}{} and {}{}",
            a.dtype(),
            a.shape(),
            b.dtype(),
            b.shape()
        ))
        .hint("there is no implicit promotion: convert one of them with cast(…)"));
    }
    Ok(a.shape().clone())
}

impl Op for Binary {
    fn name(&self) -> &'static str {
        match self {
            Binary::Add => "add",
            Binary::Sub => "sub",
            Binary::Mul => "mul",
            Binary::Div => "div",
            Binary::Pow => "pow",
            Binary::Maximum => "maximum",
            Binary::Minimum => "minimum",
            Binary::And => "logical_and",
            Binary::Or => "logical_or",
            Binary::Xor => "logical_xor",
        }
    }

    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let shape = same_shape_and_type(inputs)?;
        let dtype = inputs[0].dtype();
        if !self.takes(dtype) {
            return Err(OpError::dtype(format!("does not take {dtype}{shape}"))
                .hint("convert with cast(…) first"));
        }
        Ok((shape, dtype))
    }

    fn grad(
        &self,
        inputs: &[Tensor],
        y: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        let (a, b) = (&inputs[0], &inputs[1]);
        // Ties split evenly: 1 where a wins, ½ where they are equal.
        let share = |wins: Tensor| {
            let (one, half) = (Tensor::full_like(g, 1.0), Tensor::full_like(g, 0.5));
            let tie = Tensor::select(&a.equal(b), &half, &g.zeros_like());
            g * Tensor::select(&wins, &one, &tie)
        };
        let (da, db) = match self {
            Binary::Add => (g.clone(), g.clone()),
            Binary::Sub => (g.clone(), -g),
            Binary::Mul => (g * b, g * a),
            Binary::Div => (g / b, -(g * (y / b))),
            Binary::Maximum => (share(a.gt(b)), share(b.gt(a))),
            Binary::Minimum => (share(a.lt(b)), share(b.lt(a))),
            Binary::Pow => {
                let zero = g.zeros_like();
                let slope = b * a.pow(&(b - 1.0));
                let da = Tensor::select(&b.equal(&b.zeros_like()), &zero, &(g * slope));
                // 0^b is constant in b for b ≥ 0, where log a would give 0·∞.
                let flat = a.equal(&a.zeros_like()).logical_and(&b.ge(&b.zeros_like()));
                let safe = Tensor::select(&flat, &Tensor::full_like(a, 1.0), a);
                let db = Tensor::select(&flat, &zero, &(g * y * safe.log()));
                (da, db)
            }
            Binary::And | Binary::Or | Binary::Xor => return Ok(vec![None, None]),
        };
        Ok(vec![Some(da), Some(db)])
    }

    fn reference(&self, inputs: &[RefValue], _: &Shape, _: DType) -> Result<Data, OpError> {
        Ok(match (&inputs[0].data, &inputs[1].data) {
            (Data::Float(a), Data::Float(b)) => {
                Data::Float(a.iter().zip(b).map(|(&a, &b)| self.float(a, b)).collect())
            }
            _ => {
                let (a, b) = (inputs[0].ints(), inputs[1].ints());
                Data::Int(a.iter().zip(b).map(|(&a, b)| self.int(a, b)).collect())
            }
        })
    }

    fn class(&self) -> Class<'_> {
        Class::Map(Map::Binary(*self))
    }
}

impl Tensor {
    #[track_caller]
    pub(super) fn broadcast_op(&self, op: impl Op, other: &Tensor) -> Tensor {
        match Tensor::broadcast_all(op.name(), &[self, other]) {
            Ok(inputs) => Tensor::from_op(op, &inputs),
            Err(poisoned) => poisoned,
        }
    }

    /// A number as the other operand of `op`: it takes this tensor's type, which must be able to hold it.
    #[track_caller]
    fn operand(&self, op: &str, number: f64) -> Tensor {
        let dtype = self.dtype();
        match self.error() {
            None if !dtype.is_float() && dtype.round_float(number) != number => {
                let error = OpError::dtype(format!("{number} is not a number of type {dtype}"));
                Tensor::poison(op, error.hint("convert the tensor with cast(DType::F32) first"))
            }
            _ => Tensor::full_like(self, number),
        }
    }
}

/// Methods of [`Tensor`] that apply an op of two inputs, broadcasting them.
macro_rules! broadcasting {
    ($($(#[$doc:meta])* $name:ident = $op:expr;)*) => {
        impl Tensor {
            $($(#[$doc])*
            #[track_caller]
            pub fn $name(&self, other: &Tensor) -> Tensor {
                self.broadcast_op($op, other)
            })*
        }
    };
}

pub(super) use broadcasting;

broadcasting! {
    /// `a + b`, broadcasting. Integers wrap around.
    add = Binary::Add;
    /// `a − b`, broadcasting. Integers wrap around.
    sub = Binary::Sub;
    /// `a · b`, broadcasting. Integers wrap around.
    mul = Binary::Mul;
    /// `a / b` of floats, broadcasting.
    div = Binary::Div;
    /// `aᵇ` of floats, broadcasting. Derivatives b·aᵇ⁻¹ and aᵇ·ln a (0 where a = 0 and b ≥ 0).
    pow = Binary::Pow;
    /// The greater one, broadcasting; NaN where either is. Ties split the gradient evenly.
    maximum = Binary::Maximum;
    /// The lesser one, broadcasting; NaN where either is. Ties split the gradient evenly.
    minimum = Binary::Minimum;
    /// Truth values: both. Integers: bitwise and.
    logical_and = Binary::And;
    /// Truth values: at least one. Integers: bitwise or.
    logical_or = Binary::Or;
    /// Truth values: exactly one. Integers: bitwise exclusive or.
    logical_xor = Binary::Xor;
}

macro_rules! operators {
    ($($trait:ident $method:ident;)*) => {$(
        impl std::ops::$trait<&Tensor> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor { Tensor::$method(self, other) }
        }
        impl std::ops::$trait<Tensor> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor { Tensor::$method(self, &other) }
        }
        impl std::ops::$trait<&Tensor> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor { Tensor::$method(&self, other) }
        }
        impl std::ops::$trait<Tensor> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor { Tensor::$method(&self, &other) }
        }
        impl std::ops::$trait<f64> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: f64) -> Tensor { Tensor::$method(self, &self.operand(stringify!($method), other)) }
        }
        impl std::ops::$trait<f64> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: f64) -> Tensor { Tensor::$method(&self, &self.operand(stringify!($method), other)) }
        }
        impl std::ops::$trait<&Tensor> for f64 {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor { Tensor::$method(&other.operand(stringify!($method), self), other) }
        }
        impl std::ops::$trait<Tensor> for f64 {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor { Tensor::$method(&other.operand(stringify!($method), self), &other) }
        }
    )*};
}

operators! {
    Add add;
    Sub sub;
    Mul mul;
    Div div;
}

impl std::ops::Neg for &Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        Tensor::neg(self)
    }
}

impl std::ops::Neg for Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        Tensor::neg(&self)
    }
}
