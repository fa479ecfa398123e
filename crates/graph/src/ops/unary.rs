//! Elementwise functions of one input.

use crate::dtype::DType;
use crate::error::OpError;
use crate::op::{Class, Map, Op};
use crate::reference::{Data, RefValue};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// An elementwise function of one input. NaN in gives NaN out, for every float function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each variant is documented at the method of Tensor that makes it")]
pub enum Unary {
    Neg,
    Abs,
    Sign,
    Exp,
    Expm1,
    Log,
    Log1p,
    Sqrt,
    Sin,
    Cos,
    Tanh,
    Sigmoid,
    Softplus,
    Erf,
    Relu,
    Floor,
    Ceil,
    Round,
    Not,
    IsNan,
    IsFinite,
}

impl Unary {
    /// Every function, in a fixed order.
    pub const ALL: [Unary; 21] = [
        Unary::Neg,
        Unary::Abs,
        Unary::Sign,
        Unary::Exp,
        Unary::Expm1,
        Unary::Log,
        Unary::Log1p,
        Unary::Sqrt,
        Unary::Sin,
        Unary::Cos,
        Unary::Tanh,
        Unary::Sigmoid,
        Unary::Softplus,
        Unary::Erf,
        Unary::Relu,
        Unary::Floor,
        Unary::Ceil,
        Unary::Round,
        Unary::Not,
        Unary::IsNan,
        Unary::IsFinite,
    ];

    /// The value at `x`, as the reference executor computes it.
    pub fn float(self, x: f64) -> f64 {
        match self {
            Unary::Neg => -x,
            Unary::Abs => x.abs(),
            Unary::Sign if x == 0.0 || x.is_nan() => x,
            Unary::Sign => x.signum(),
            Unary::Exp => libm::exp(x),
            Unary::Expm1 => libm::expm1(x),
            Unary::Log => libm::log(x),
            Unary::Log1p => libm::log1p(x),
            Unary::Sqrt => x.sqrt(),
            Unary::Sin => libm::sin(x),
            Unary::Cos => libm::cos(x),
            Unary::Tanh => libm::tanh(x),
            // Both branches keep the exponent negative, so nothing overflows.
            Unary::Sigmoid if x >= 0.0 => 1.0 / (1.0 + libm::exp(-x)),
            Unary::Sigmoid => libm::exp(x) / (1.0 + libm::exp(x)),
            Unary::Softplus if x > 0.0 => x + libm::log1p(libm::exp(-x)),
            Unary::Softplus => libm::log1p(libm::exp(x)),
            Unary::Erf => libm::erf(x),
            Unary::Relu if x <= 0.0 => 0.0,
            Unary::Relu => x,
            Unary::Floor => x.floor(),
            Unary::Ceil => x.ceil(),
            Unary::Round => x.round_ties_even(),
            Unary::Not => (x == 0.0) as u8 as f64,
            Unary::IsNan => x.is_nan() as u8 as f64,
            Unary::IsFinite => x.is_finite() as u8 as f64,
        }
    }

    /// The value at `x` for the functions that take integers.
    pub fn int(self, x: i64) -> i64 {
        match self {
            Unary::Neg => x.wrapping_neg(),
            Unary::Abs => x.wrapping_abs(),
            Unary::Sign => x.signum(),
            Unary::Relu => x.max(0),
            Unary::Not => (x == 0) as i64,
            _ => x,
        }
    }

    fn takes(self, dtype: DType) -> bool {
        match self {
            Unary::Neg | Unary::Abs | Unary::Sign | Unary::Relu => dtype != DType::Bool,
            Unary::Not => dtype == DType::Bool,
            _ => dtype.is_float(),
        }
    }
}

impl Op for Unary {
    fn name(&self) -> &'static str {
        match self {
            Unary::Neg => "neg",
            Unary::Abs => "abs",
            Unary::Sign => "sign",
            Unary::Exp => "exp",
            Unary::Expm1 => "expm1",
            Unary::Log => "log",
            Unary::Log1p => "log1p",
            Unary::Sqrt => "sqrt",
            Unary::Sin => "sin",
            Unary::Cos => "cos",
            Unary::Tanh => "tanh",
            Unary::Sigmoid => "sigmoid",
            Unary::Softplus => "softplus",
            Unary::Erf => "erf",
            Unary::Relu => "relu",
            Unary::Floor => "floor",
            Unary::Ceil => "ceil",
            Unary::Round => "round",
            Unary::Not => "logical_not",
            Unary::IsNan => "isnan",
            Unary::IsFinite => "isfinite",
        }
    }

    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let x = &inputs[0];
        if !self.takes(x.dtype()) {
            let want =
                if *self == Unary::Not { "bool" } else { "a number (most functions: a float)" };
            return Err(OpError::dtype(format!("expects {want}, got {}{}", x.dtype(), x.shape()))
                .hint("convert with cast(…) first"));
        }
        let dtype = match self {
            Unary::Not | Unary::IsNan | Unary::IsFinite => DType::Bool,
            _ => x.dtype(),
        };
        Ok((x.shape().clone(), dtype))
    }

    fn grad(
        &self,
        inputs: &[Tensor],
        y: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        let x = &inputs[0];
        let dx = match self {
            Unary::Neg => -g,
            Unary::Abs => g * x.sign(),
            Unary::Exp => g * y,
            Unary::Expm1 => g * x.exp(),
            Unary::Log => g / x,
            Unary::Log1p => g / (x + 1.0),
            Unary::Sqrt => g / (y * 2.0),
            Unary::Sin => g * x.cos(),
            Unary::Cos => -(g * x.sin()),
            Unary::Tanh => g * (1.0 - y * y),
            Unary::Sigmoid => g * (y * (1.0 - y)),
            Unary::Softplus => g * x.sigmoid(),
            Unary::Erf => g * (-(x * x)).exp() * std::f64::consts::FRAC_2_SQRT_PI,
            Unary::Relu => Tensor::select(&y.gt(&y.zeros_like()), g, &g.zeros_like()),
            // Piecewise constant: the derivative is zero wherever it exists.
            _ => return Ok(vec![None]),
        };
        Ok(vec![Some(dx)])
    }

    fn reference(&self, inputs: &[RefValue], _: &Shape, dtype: DType) -> Result<Data, OpError> {
        Ok(match (&inputs[0].data, dtype.is_float()) {
            (Data::Float(x), true) => Data::Float(x.iter().map(|&x| self.float(x)).collect()),
            (Data::Float(x), false) => Data::Int(x.iter().map(|&x| self.float(x) as i64).collect()),
            (Data::Int(x), _) => Data::Int(x.iter().map(|&x| self.int(x)).collect()),
        })
    }

    fn class(&self) -> Class<'_> {
        Class::Map(Map::Unary(*self))
    }
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident = $variant:ident;)*) => {
        impl Tensor {
            $($(#[$doc])*
            #[track_caller]
            pub fn $name(&self) -> Tensor {
                Tensor::from_op(Unary::$variant, std::slice::from_ref(self))
            })*
        }
    };
}

methods! {
    /// `−x`. Derivative −1.
    neg = Neg;
    /// `|x|`. Derivative sign(x) (0 at 0).
    abs = Abs;
    /// −1, 0 or 1; keeps ±0 and NaN. Derivative 0.
    sign = Sign;
    /// `eˣ`. Derivative eˣ.
    exp = Exp;
    /// `eˣ − 1`, accurate near 0. Derivative eˣ.
    expm1 = Expm1;
    /// Natural logarithm: −∞ at 0, NaN below. Derivative 1/x.
    log = Log;
    /// `ln(1 + x)`, accurate near 0. Derivative 1/(1+x).
    log1p = Log1p;
    /// Square root: NaN below 0. Derivative 1/(2√x).
    sqrt = Sqrt;
    /// Sine of an angle in radians. Derivative cos x.
    sin = Sin;
    /// Cosine of an angle in radians. Derivative −sin x.
    cos = Cos;
    /// `(eˣ−e⁻ˣ)/(eˣ+e⁻ˣ)`, no overflow. Derivative 1 − tanh²x.
    tanh = Tanh;
    /// `1/(1+e⁻ˣ)`, ½ at 0, no overflow. Derivative s(1−s).
    sigmoid = Sigmoid;
    /// `ln(1 + eˣ)`, no overflow. Derivative sigmoid(x).
    softplus = Softplus;
    /// The error function, 2/√π ∫₀ˣ e^(−t²) dt. Derivative 2/√π e^(−x²).
    erf = Erf;
    /// `max(0, x)`; NaN stays NaN. Derivative 1 where x > 0, else 0.
    relu = Relu;
    /// The greatest integer ≤ x. Derivative 0.
    floor = Floor;
    /// The least integer ≥ x. Derivative 0.
    ceil = Ceil;
    /// The nearest integer, ties to even. Derivative 0.
    round = Round;
    /// The opposite truth value.
    logical_not = Not;
    /// True where x is NaN.
    is_nan = IsNan;
    /// True where x is neither NaN nor infinite.
    is_finite = IsFinite;
}
