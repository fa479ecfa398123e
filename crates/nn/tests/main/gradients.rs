//! Gradients of whole layers, by their inputs and their parameters, first and second order.

use std::collections::HashMap;

use thalweg_graph::gradcheck::{Options, gradcheck};
use thalweg_graph::ops::State;
use thalweg_graph::random::normal_f64;
use thalweg_graph::{DType, StateId, Tensor, Value, reachable};
use thalweg_nn::{
    AdaptiveAvgPool2d, AdaptiveMaxPool1d, AvgPool2d, AvgPool3d, BatchNorm1d, BatchNorm2d,
    BatchNorm3d, Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d,
    Dropout, Dropout2d, Elu, Embedding, Forward, GaussianNoise, Gelu, GlobalAvgPool, GlobalMaxPool,
    GroupNorm, InstanceNorm2d, LayerNorm, LeakyRelu, Linear, LogSoftmax, MaxPool1d, MaxPool2d,
    Mode, Network, Padding, Prelu, Relu, Reparameterize, Sequential, Sigmoid, Silu, Softmax,
    Softplus, StochasticDepth, Tanh, Upsample,
    context::{fixed_key, trace},
    states,
};

/// The graph of `y` with its reads of states replaced.
fn replace(y: &Tensor, with: &HashMap<StateId, Tensor>) -> Tensor {
    let mut made: HashMap<u64, Tensor> = HashMap::new();
    for node in reachable(std::slice::from_ref(y)) {
        let state = node.op().downcast::<State>().and_then(|state| with.get(&state.id));
        let new = state.cloned().unwrap_or_else(|| {
            let inputs: Vec<Tensor> = node.inputs().iter().map(|t| made[&t.id()].clone()).collect();
            if inputs.is_empty() { node.clone() } else { node.with_inputs(&inputs) }
        });
        made.insert(node.id(), new);
    }
    made[&y.id()].clone()
}

/// Numbers at least 0.1 from 0, where the kinks are, and within ±2.
pub fn numbers(shape: &[usize], stream: u64) -> Value {
    let n = shape.iter().product();
    let away = |x: f64| x.signum() * (0.1 + x.abs().min(1.9));
    let data: Vec<f64> = normal_f64(3, 0, stream, n).into_iter().map(away).collect();
    Value::from_f64(DType::F32, &data, shape).unwrap()
}

/// Checks the gradient of `layer` by its input and all it holds. A buffer of variances must be positive.
pub fn check(name: &str, layer: &dyn Network, mode: Mode, x: Value) {
    let held = states(layer);
    let mut inputs = vec![x];
    for (stream, (path, param)) in held.iter().enumerate() {
        inputs.push(match (param.dtype(), path.ends_with("running_var")) {
            (DType::F32, false) => numbers(param.shape(), 100 + stream as u64),
            (dtype, _) => {
                Value::from_f64(dtype, &vec![2.0; param.shape().numel()], param.shape()).unwrap()
            }
        });
    }
    let forward = |leaves: &[Tensor]| {
        let y = trace(mode, &fixed_key(5, 1), || layer.forward(&leaves[0])).result;
        let ids = held.iter().map(|(_, param)| param.id());
        replace(&y.ok().unwrap(), &ids.zip(leaves[1..].iter().cloned()).collect())
    };
    if let Err(error) = gradcheck(forward, &inputs, &Options::default()) {
        panic!("{name}, {mode:?}: {error}");
    }
}

#[test]
fn layers_of_any_mode() {
    let cases: [(&str, &dyn Network, &[usize]); 16] = [
        ("linear", &Linear::new(3, 4), &[2, 3]),
        ("linear without bias", &Linear::without_bias(3, 2), &[2, 2, 3]),
        ("layer norm", &LayerNorm::new([3]), &[2, 3]),
        ("layer norm of two axes", &LayerNorm::new([2, 3]), &[2, 2, 3]),
        ("dropout", &Dropout::new(0.5), &[3, 4]),
        ("relu", &Relu::new(), &[6]),
        ("leaky relu", &LeakyRelu::new(0.1), &[6]),
        ("elu", &Elu::new(1.5), &[6]),
        ("sigmoid", &Sigmoid::new(), &[6]),
        ("tanh", &Tanh::new(), &[6]),
        ("softmax", &Softmax::new(0), &[3, 2]),
        ("log softmax", &LogSoftmax::new(-1), &[2, 3]),
        ("gelu", &Gelu::new(), &[6]),
        ("gelu by tanh", &Gelu::tanh(), &[6]),
        ("silu", &Silu::new(), &[6]),
        ("softplus", &Softplus::new(), &[6]),
    ];
    for (name, layer, shape) in cases {
        for mode in [Mode::Train, Mode::Eval] {
            check(name, layer, mode, numbers(shape, 1));
        }
    }
    check("prelu", &Prelu::new(1), Mode::Train, numbers(&[2, 3], 1));
    check("prelu per channel", &Prelu::new(3), Mode::Train, numbers(&[2, 3], 1));
}

#[test]
fn batch_norm_through_its_statistics() {
    for mode in [Mode::Train, Mode::Eval] {
        check("batch norm", &BatchNorm1d::new(3), mode, numbers(&[4, 3], 1));
        check("batch norm of sequences", &BatchNorm1d::new(2), mode, numbers(&[2, 2, 3], 1));
    }
}

#[test]
fn embedding_rows() {
    let ids = Value::new(&[2i64, 0, 2, 1], [2, 2]).unwrap();
    check("embedding", &Embedding::new(4, 3), Mode::Eval, ids);
}

#[test]
fn a_whole_network() {
    let net = Sequential::new().linear(4).batch_norm1d().silu().linear(2).log_softmax(-1);
    net.build([1, 3], DType::F32).unwrap();
    check("network", &net, Mode::Train, numbers(&[5, 3], 1));
}

#[test]
fn layers_over_space() {
    let cases: [(&str, &dyn Network, &[usize]); 24] = [
        ("conv1d", &Conv1d::new(2, 3, 3).stride(2).padding(1), &[2, 2, 5]),
        ("conv2d", &Conv2d::new(2, 2, [2, 3]).padding(Padding::Same), &[1, 2, 3, 4]),
        ("dilated", &Conv2d::new(1, 2, 2).dilation(2).without_bias(), &[2, 1, 3, 4]),
        ("depth-wise", &Conv2d::new(2, 4, 2).groups(2), &[1, 2, 3, 3]),
        ("conv3d", &Conv3d::new(1, 2, 2), &[1, 1, 2, 3, 2]),
        ("transposed 1d", &ConvTranspose1d::new(2, 2, 3).stride(2).output_padding(1), &[1, 2, 3]),
        ("transposed 2d", &ConvTranspose2d::new(2, 2, 2).groups(2).padding(1), &[1, 2, 3, 2]),
        ("transposed 3d", &ConvTranspose3d::new(1, 1, 2).stride(2), &[1, 1, 2, 1, 2]),
        ("max pool", &MaxPool2d::new(2).stride(1).padding(1), &[1, 2, 3, 3]),
        ("max pool, ceil", &MaxPool1d::new(2).stride(2).ceil(), &[2, 1, 5]),
        (
            "mean pool",
            &AvgPool2d::new(2).stride(1).padding(1).without_padding_in_mean(),
            &[1, 1, 3, 3],
        ),
        ("mean pool 3d", &AvgPool3d::new([1, 2, 2]), &[1, 1, 2, 4, 2]),
        ("adaptive mean", &AdaptiveAvgPool2d::new([2, 3]), &[1, 1, 3, 4]),
        ("adaptive max", &AdaptiveMaxPool1d::new(2), &[1, 2, 5]),
        ("global mean", &GlobalAvgPool::new(), &[2, 2, 2, 3]),
        ("global max", &GlobalMaxPool::new(), &[2, 2, 5]),
        ("nearest", &Upsample::nearest([2, 1]), &[1, 2, 2, 3]),
        ("bilinear", &Upsample::linear(2), &[1, 1, 2, 3]),
        ("aligned", &Upsample::linear(2).align_corners(), &[1, 1, 3]),
        ("group norm", &GroupNorm::new(2, 4), &[2, 4, 3]),
        ("instance norm", &InstanceNorm2d::new(2), &[2, 2, 2, 3]),
        ("channel dropout", &Dropout2d::new(0.5), &[3, 4, 2, 2]),
        ("stochastic depth", &StochasticDepth::new(0.5), &[6, 3]),
        ("noise", &GaussianNoise::new(0.3), &[2, 3]),
    ];
    for (name, layer, shape) in cases {
        check(name, layer, Mode::Train, numbers(shape, 1));
    }
    for mode in [Mode::Train, Mode::Eval] {
        check("batch norm of images", &BatchNorm2d::new(2), mode, numbers(&[2, 2, 2, 3], 1));
        check("batch norm of films", &BatchNorm3d::new(2), mode, numbers(&[2, 2, 2, 2, 1], 1));
        check("reparameterize", &Reparameterize::new(0.5), mode, numbers(&[3, 4], 1));
    }
}

#[test]
fn a_convolutional_network() {
    let net = Sequential::new()
        .conv2d(3, 3)
        .batch_norm2d()
        .silu()
        .max_pool2d(2)
        .flatten()
        .linear(2)
        .log_softmax(-1);
    net.build([1, 1, 6, 6], DType::F32).unwrap();
    check("network", &net, Mode::Train, numbers(&[2, 1, 6, 6], 1));
}

#[test]
fn the_divergence_of_a_code() {
    let layer = Reparameterize::new(0.7);
    let divergence = |leaves: &[Tensor]| {
        let step = trace(Mode::Train, &fixed_key(5, 1), || layer.forward(&leaves[0]));
        step.penalties[0].clone()
    };
    gradcheck(divergence, &[numbers(&[3, 4], 1)], &Options::default()).unwrap();
}
