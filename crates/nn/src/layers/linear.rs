//! The fully connected layer.

use std::sync::Arc;

use thalweg_graph::{Layer, OpError, Tensor};

use crate::init::Init;
use crate::layers::{check_dtype, forward_in, needs_one, origin};
use crate::param::Param;
use crate::{Forward, Module};

/// `y = x·Wᵀ + b`: every output a weighted sum of all inputs.
///
/// Shapes: `[…, in] → […, out]`. Parameters, as PyTorch's: `weight` `[out, in]` and `bias` `[out]`, both
/// uniform in ±1/√in at first. Errors: a last axis that is not `in`, a size of 0, an input that is not `f32`.
///
/// ```
/// use thalweg_graph::{Reference, Tensor, Value};
/// use thalweg_nn::{Forward, Linear, Store};
/// let layer = Linear::new(2, 1);
/// let mut store = Store::new(0);
/// store.bind(&layer)?;
/// *store.value_mut("weight").unwrap() = Value::new(&[3.0f32, 4.0], [1, 2]).unwrap();
/// *store.value_mut("bias").unwrap() = Value::new(&[0.5f32], [1]).unwrap();
/// let y = layer.forward(&Tensor::new(&[1.0f32, 2.0], [1, 2]));
/// let y = &Reference::new().evaluate(&[y], &[], &store)?[0];
/// assert_eq!(y.floats(), [11.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Module)]
pub struct Linear {
    #[module(flatten)]
    layer: Arc<Layer>,
    weight: Param,
    bias: Option<Param>,
}

impl Linear {
    /// A layer of `inputs` inputs and `outputs` outputs, with a bias.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize) -> Linear {
        Linear::initialised(inputs, outputs, Init::layer_weight(), Some(Init::layer_bias(inputs)))
    }

    /// A layer that only multiplies.
    #[track_caller]
    pub fn without_bias(inputs: usize, outputs: usize) -> Linear {
        Linear::initialised(inputs, outputs, Init::layer_weight(), None)
    }

    /// A layer whose weight, and bias where there is to be one, begin as told.
    #[track_caller]
    pub fn initialised(inputs: usize, outputs: usize, weight: Init, bias: Option<Init>) -> Linear {
        let weight = Param::new("weight", [outputs, inputs], weight);
        Linear::from_params(weight, bias.map(|init| Param::new("bias", [outputs], init)))
    }

    /// A layer that shares its parameters with whoever else holds them: `weight` is `[out, in]`, `bias` `[out]`.
    #[track_caller]
    pub fn from_params(weight: Param, bias: Option<Param>) -> Linear {
        let kind = match weight.shape().dims() {
            [outputs, inputs] => format!("Linear {inputs} → {outputs}"),
            _ => format!("Linear with weight {}", weight.shape()),
        };
        Linear { layer: Layer::new(kind), weight, bias }
    }

    /// `[out, in]`.
    pub fn weight(&self) -> &Param {
        &self.weight
    }

    /// `[out]`, where there is one.
    pub fn bias(&self) -> Option<&Param> {
        self.bias.as_ref()
    }

    fn check(&self, x: &Tensor) -> Result<(), OpError> {
        let &[outputs, inputs] = self.weight.shape().dims() else {
            let shape = self.weight.shape();
            return Err(OpError::shape(format!("the weight must be [out, in], got {shape}")));
        };
        if inputs == 0 || outputs == 0 {
            return Err(needs_one(if inputs == 0 { "inputs" } else { "outputs" }));
        }
        if let Some(bias) = self.bias.as_ref().filter(|bias| bias.shape().dims() != [outputs]) {
            let shape = bias.shape();
            return Err(OpError::shape(format!("the bias must be [{outputs}], got {shape}")));
        }
        check_dtype(x, &self.weight)?;
        if x.rank() == 0 || x.dim(-1) != inputs {
            let (got, shape) = (x.dim(-1), x.shape());
            let what = match x.rank() {
                0 => format!("last axis must be {inputs}, got a scalar{}", origin(x)),
                _ => format!("last axis must be {inputs}, got {got} in {shape}{}", origin(x)),
            };
            return Err(OpError::shape(what).hint(match x.numel() / x.dim(0).max(1) == inputs {
                true => "put a flatten before the layer".to_owned(),
                false => format!("make the layer with {got} inputs, or check what feeds it"),
            }));
        }
        Ok(())
    }
}

impl Forward for Linear {
    fn forward(&self, x: &Tensor) -> Tensor {
        forward_in(
            &self.layer,
            x,
            || self.check(x),
            || {
                let y = x.matmul(&self.weight.tensor().t());
                match &self.bias {
                    Some(bias) => y + bias.tensor(),
                    None => y,
                }
            },
        )
    }
}
