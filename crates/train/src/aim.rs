//! What a network is to say, and in which units.

use thalweg_data::Scaling;
use thalweg_graph::{DType, Tensor, Value};

/// What a network's output is compared with.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Aim {
    /// The targets of the data.
    #[default]
    Targets,
    /// Target numbers, scaled.
    Scaled(Scaling),
    /// The inputs, as scaled for the network.
    Inputs,
}

impl Aim {
    /// Target numbers as the network is to say them.
    pub(crate) fn scaled(&self, target: &Tensor) -> Tensor {
        match self {
            Aim::Scaled(scaling) => {
                (target - row(&scaling.mean, target.dtype())) / row(&scaling.std, target.dtype())
            }
            Aim::Targets | Aim::Inputs => target.clone(),
        }
    }

    /// What a network's output says, in the units of the targets.
    pub(crate) fn said(&self, output: &Tensor) -> Tensor {
        match self {
            Aim::Scaled(scaling) => {
                output * row(&scaling.std, output.dtype()) + row(&scaling.mean, output.dtype())
            }
            Aim::Targets | Aim::Inputs => output.clone(),
        }
    }
}

fn row(numbers: &[f32], dtype: DType) -> Tensor {
    Tensor::constant(Value::from_slice(numbers)).cast(dtype)
}
