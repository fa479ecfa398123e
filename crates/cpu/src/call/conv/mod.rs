//! Convolution: the result, and the gradients by input and weight. Read `geometry.rs` first.

mod correlate;
mod geometry;
mod region;
mod weight;

use thalweg_graph::ops::{Conv, ConvInputGrad, ConvSpec, ConvWeightGrad};
use thalweg_graph::{DType, Tensor};

use super::{Kernel, Memory, deal};
use crate::gemm::Element;
use crate::isa::Isa;
use correlate::Correlate;
use weight::WeightGradient;

/// Enough tasks to balance a few threads.
const TASKS: usize = 16;

/// The shapes of a convolution: input, weight, result.
struct Shape {
    spec: ConvSpec,
    x: Vec<usize>,
    w: Vec<usize>,
    y: Vec<usize>,
}

impl Shape {
    /// Channels of the input in a group.
    fn channels(&self) -> usize {
        self.w[1]
    }

    /// Channels of the result in a group.
    fn outputs(&self) -> usize {
        self.w[0] / self.spec.groups
    }
}

enum Which {
    Result,
    InputGradient,
    WeightGradient,
}

pub(super) fn kernel(tensor: &Tensor, isa: Isa) -> Option<Box<dyn Kernel>> {
    let [a, b] = tensor.inputs() else { return None };
    let shape = |spec: &ConvSpec, x: &Tensor, w: &Tensor, y: &Tensor| {
        let dims = |t: &Tensor| t.shape().to_vec();
        Shape { spec: spec.clone(), x: dims(x), w: dims(w), y: dims(y) }
    };
    let op = tensor.op();
    let (which, shape) = if let Some(Conv { spec }) = op.downcast() {
        (Which::Result, shape(spec, a, b, tensor))
    } else if let Some(ConvInputGrad { spec, .. }) = op.downcast() {
        (Which::InputGradient, shape(spec, tensor, b, a))
    } else if let Some(ConvWeightGrad { spec, .. }) = op.downcast() {
        (Which::WeightGradient, shape(spec, a, tensor, b))
    } else {
        return None;
    };
    Some(match tensor.dtype() {
        DType::F64 => choose::<f64>(which, isa, &shape),
        _ => choose::<f32>(which, isa, &shape),
    })
}

fn choose<T: Element>(which: Which, isa: Isa, shape: &Shape) -> Box<dyn Kernel> {
    match which {
        Which::Result => Box::new(Correlate::<T>::forward(isa, shape)),
        Which::InputGradient => Box::new(Correlate::<T>::input_gradient(isa, shape)),
        Which::WeightGradient => Box::new(WeightGradient::<T>::new(isa, shape)),
    }
}
