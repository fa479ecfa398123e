//! Convolution: the result, and the gradients by input and weight. Read `geometry.rs` first.

mod correlate;
mod direct;
mod geometry;
mod region;
mod weight;
mod winograd;

use thalweg_graph::ops::{Conv, ConvInputGrad, ConvSpec, ConvWeightGrad};
use thalweg_graph::{DType, Tensor};

use super::{Kernel, Memory, deal};
use crate::gemm::Element;
use crate::isa::Isa;
use correlate::Correlate;
use geometry::Pass;
use weight::WeightGradient;
use winograd::{WinogradCorrelate, WinogradWeightGradient};

/// Enough tasks to balance a few threads.
const TASKS: usize = 16;
/// Elements of partial sums of a weight gradient above which channels are cut among tasks rather than tiles.
const PARTIAL: usize = 1 << 20;

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
        _ => winograd(&which, isa, &shape).unwrap_or_else(|| choose::<f32>(which, isa, &shape)),
    })
}

/// The kernel with fewer multiplications, where the shapes suit it.
fn winograd(which: &Which, isa: Isa, shape: &Shape) -> Option<Box<dyn Kernel>> {
    let Shape { spec, x, w, y } = shape;
    let (channels, outputs) = (shape.channels(), shape.outputs());
    let mut passes = match which {
        Which::InputGradient => Pass::input_gradient(spec, &x[2..], &w[2..], &y[2..]),
        _ => vec![Pass::forward(spec, &x[2..], &w[2..], &y[2..])],
    };
    let pass = passes.pop().filter(|pass| passes.is_empty() && winograd::suits(pass))?;
    if spec.groups > 1 || channels.min(outputs) < winograd::CHANNELS {
        return None;
    }
    let (row, n) = (channels * 9, x[0]);
    Some(match which {
        Which::Result => {
            Box::new(WinogradCorrelate::new(isa, n, pass, outputs, channels, [row, 9]))
        }
        Which::InputGradient => {
            Box::new(WinogradCorrelate::new(isa, n, pass, channels, outputs, [9, row]))
        }
        Which::WeightGradient => {
            Box::new(WinogradWeightGradient::new(isa, n, pass, channels, outputs))
        }
    })
}

fn choose<T: Element>(which: Which, isa: Isa, shape: &Shape) -> Box<dyn Kernel> {
    match which {
        Which::Result => Box::new(Correlate::<T>::forward(isa, shape)),
        Which::InputGradient => Box::new(Correlate::<T>::input_gradient(isa, shape)),
        Which::WeightGradient => Box::new(WeightGradient::<T>::new(isa, shape)),
    }
}
