//! Values and errors of linear, embedding, flatten and the activation layers.

use thalweg_graph::{DType, NoStates, Reference, Tensor, grad};
use thalweg_nn::{
    BatchNorm1d, Elu, Embedding, Flatten, Forward, Gelu, LayerNorm, LeakyRelu, Linear, LogSoftmax,
    Module, Prelu, Relu, Sigmoid, Silu, Softmax, Softplus, Tanh,
};

use crate::help::{assert_close, bound, message, set, stateless, value};

#[test]
fn linear_is_a_weighted_sum() {
    let layer = Linear::new(3, 2);
    let mut store = bound(&layer);
    set(&mut store, "weight", &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    set(&mut store, "bias", &[0.5, -0.5]);
    let x = Tensor::new(&[1.0f32, 0.0, 2.0, 0.0, 1.0, 0.0], [2, 3]);
    assert_eq!(value(&layer.forward(&x), &store), [7.5, 15.5, 2.5, 4.5]);
    // Leading axes are batches, and a vector is one sample.
    let deep = layer.forward(&x.reshape([2, 1, 3]));
    assert_eq!(deep.shape().dims(), [2, 1, 2]);
    assert_eq!(value(&deep, &store), [7.5, 15.5, 2.5, 4.5]);
    let one = layer.forward(&Tensor::new(&[1.0f32, 0.0, 2.0], [3]));
    assert_eq!(value(&one, &store), [7.5, 15.5]);
    let none = layer.forward(&Tensor::zeros(DType::F32, [0, 3]));
    assert_eq!(none.shape().dims(), [0, 2]);
    assert!(value(&none, &store).is_empty());
}

#[test]
fn a_wrong_input_names_the_layer_and_its_source() {
    #[derive(Module)]
    struct Head {
        fc1: Linear,
    }
    #[derive(Module)]
    struct Net {
        head: Head,
    }
    let net = Net { head: Head { fc1: Linear::new(768, 10) } };
    bound(&net);
    let x = Tensor::zeros(DType::F32, [64, 28, 28]).flatten(1, -1);
    let message = message(&net.head.fc1.forward(&x));
    let lead = "head.fc1 (Linear 768 → 10): last axis must be 768, got 784 in [64, 784], from 'reshape' at ";
    assert!(message.starts_with(lead), "{message}");
    assert!(message.contains("tests/main/layers.rs:"), "{message}");
    assert!(message.contains("hint: make the layer with 784 inputs"), "{message}");
}

#[test]
fn an_unbound_layer_is_named_by_its_line() {
    let layer = Linear::new(3, 2);
    let message = message(&layer.forward(&Tensor::zeros(DType::F32, [2, 4])));
    let lead = format!("Linear 3 → 2 (made at {}:", file!());
    assert!(message.starts_with(&lead), "{message}");
}

#[test]
fn wrong_inputs_and_sizes_are_poison() {
    let float = |shape: &[usize]| Tensor::zeros(DType::F32, shape);
    let cases: [(Tensor, &str); 17] = [
        (Linear::new(3, 2).forward(&float(&[])), "last axis must be 3, got a scalar"),
        (Linear::new(784, 2).forward(&float(&[64, 28, 28])), "put a flatten before the layer"),
        (
            Linear::new(3, 2).forward(&Tensor::zeros(DType::I64, [2, 3])),
            "expects f32, got i64[2, 3]",
        ),
        (Linear::new(3, 2).forward(&Tensor::zeros(DType::F64, [2, 3])), "cast(DType::F32)"),
        (Linear::new(0, 2).forward(&float(&[2, 0])), "inputs must be at least 1"),
        (Linear::new(3, 0).forward(&float(&[2, 3])), "outputs must be at least 1"),
        (Embedding::new(0, 2).forward(&Tensor::zeros(DType::I64, [2])), "num must be at least 1"),
        (Embedding::new(2, 0).forward(&Tensor::zeros(DType::I64, [2])), "dim must be at least 1"),
        (Embedding::new(2, 2).forward(&float(&[2])), "expects i64 ids, got f32[2]"),
        (
            Embedding::new(2, 2).padding_idx(2).forward(&Tensor::zeros(DType::I64, [2])),
            "the padding index must be below 2, got 2",
        ),
        (Flatten::from_axis(2).forward(&float(&[2, 3])), "joins the axes from 2 on, got [2, 3]"),
        (BatchNorm1d::new(0).forward(&float(&[2, 0])), "channels must be at least 1"),
        (LayerNorm::new([0]).forward(&float(&[2, 0])), "must be at least 1"),
        (LayerNorm::new([4]).forward(&float(&[2, 3])), "last axes must be [4], got [2, 3]"),
        (Prelu::new(3).forward(&float(&[2, 4])), "axis 1 must be 3, got [2, 4]"),
        (Prelu::new(0).forward(&float(&[2, 4])), "channels must be at least 1"),
        (Relu::new().forward(&Tensor::zeros(DType::I64, [2])), "expects a float input"),
    ];
    for (tensor, part) in cases {
        let message = message(&tensor);
        assert!(message.contains(part), "{part}\nis not in\n{message}");
    }
}

#[test]
fn the_first_error_passes_through_later_layers() {
    let broken = Linear::new(3, 2).forward(&Tensor::zeros(DType::F32, [2, 4]));
    let first = message(&broken);
    for layer in [&Relu::new() as &dyn Forward, &Linear::new(2, 2), &Flatten::new()] {
        assert_eq!(message(&layer.forward(&broken)), first);
    }
}

#[test]
fn parameters_of_another_shape_are_reported() {
    let (deep, table) = (Embedding::new(4, 3), Linear::new(3, 4));
    let bias = Some(Linear::new(1, 7).bias().unwrap().clone());
    let layer = Linear::from_params(table.weight().clone(), bias);
    let message_of_bias = message(&layer.forward(&Tensor::zeros(DType::F32, [1, 3])));
    assert!(message_of_bias.contains("the bias must be [4], got [7]"), "{message_of_bias}");
    let vector = table.bias().unwrap().clone();
    let layer = Linear::from_params(vector.clone(), None);
    let message_of_weight = message(&layer.forward(&Tensor::zeros(DType::F32, [1, 3])));
    assert!(message_of_weight.contains("must be [out, in], got [4]"), "{message_of_weight}");
    let layer = Embedding::from_param(vector);
    assert!(message(&layer.forward(&Tensor::zeros(DType::I64, [1]))).contains("[num, dim]"));
    assert_eq!(deep.weight().shape().dims(), [4, 3]);
}

#[test]
fn embedding_takes_rows() {
    let layer = Embedding::new(3, 2);
    let mut store = bound(&layer);
    set(&mut store, "weight", &[0.0, 1.0, 10.0, 11.0, 20.0, 21.0]);
    let ids = Tensor::new(&[2i64, 0, 1, 2], [2, 2]);
    let y = layer.forward(&ids);
    assert_eq!(y.shape().dims(), [2, 2, 2]);
    assert_eq!(value(&y, &store), [20.0, 21.0, 0.0, 1.0, 10.0, 11.0, 20.0, 21.0]);
    let gradient = &grad(&y.sum_all(), &[layer.weight().tensor()]).unwrap()[0];
    assert_eq!(value(gradient, &store), [1.0, 1.0, 1.0, 1.0, 2.0, 2.0]);
}

#[test]
fn a_wrong_id_is_named_with_layer_and_place() {
    #[derive(Module)]
    struct Net {
        words: Embedding,
    }
    let net = Net { words: Embedding::new(3, 2) };
    let store = bound(&net);
    for (id, text) in [(3, "id 3 at [0, 1] is outside 0..3"), (-1, "id -1 at [0, 1]")] {
        let y = net.words.forward(&Tensor::new(&[2i64, id], [1, 2]));
        let error = Reference::new().evaluate(&[y], &[], &store).unwrap_err().to_string();
        assert!(error.starts_with("words (Embedding 3 → 2): ") && error.contains(text), "{error}");
    }
}

#[test]
fn the_padding_row_is_zero_and_is_not_trained() {
    let layer = Embedding::new(3, 2).padding_idx(1);
    let mut store = bound(&layer);
    let weight = store.value("weight").unwrap().to_f64();
    assert_eq!(weight[2..4], [0.0, 0.0]);
    assert!(weight[..2].iter().chain(&weight[4..]).all(|&x| x != 0.0));
    let y = layer.forward(&Tensor::new(&[1i64, 2, 1], [3]));
    let gradient = &grad(&y.sum_all(), &[layer.weight().tensor()]).unwrap()[0];
    assert_eq!(value(gradient, &store), [0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
    // A loaded table may hold something there, which is then what comes out, as in PyTorch.
    set(&mut store, "weight", &[0.0, 1.0, 10.0, 11.0, 20.0, 21.0]);
    assert_eq!(value(&y, &store), [10.0, 11.0, 20.0, 21.0, 10.0, 11.0]);
}

#[test]
fn flatten_keeps_the_order() {
    let x = Tensor::new(&[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], [2, 2, 2]);
    let y = Flatten::new().forward(&x);
    assert_eq!(y.shape().dims(), [2, 4]);
    assert_eq!(stateless(&y), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    assert_eq!(Flatten::from_axis(0).forward(&x).shape().dims(), [8]);
    assert_eq!(Flatten::from_axis(2).forward(&x).shape().dims(), [2, 2, 2]);
    let one = Flatten::from_axis(0).forward(&Tensor::scalar(3.0, DType::F32));
    assert_eq!(one.shape().dims(), [1]);
}

#[test]
fn activation_layers_are_the_functions() {
    let x = Tensor::new(&[-2.0f32, -0.5, 0.0, 1.5], [2, 2]);
    let e = std::f64::consts::E;
    let cases: [(&dyn Forward, [f64; 4]); 12] = [
        (&Relu::new(), [0.0, 0.0, 0.0, 1.5]),
        (&LeakyRelu::new(0.1), [-0.2, -0.05, 0.0, 1.5]),
        (&Elu::new(2.0), [-1.729_329_433, -0.786_938_681, 0.0, 1.5]),
        (&Sigmoid::new(), [0.119_202_922, 0.377_540_669, 0.5, 0.817_574_476]),
        (&Tanh::new(), [-0.964_027_58, -0.462_117_157, 0.0, 0.905_148_254]),
        (&Softmax::new(-1), [0.182_425_524, 0.817_574_476, 0.182_425_524, 0.817_574_476]),
        (&Softmax::new(0), [0.119_202_922, 0.119_202_922, 0.880_797_078, 0.880_797_078]),
        (&LogSoftmax::new(1), [-1.701_413_278, -0.201_413_278, -1.701_413_278, -0.201_413_278]),
        (&Gelu::new(), [-0.045_500_264, -0.154_268_77, 0.0, 1.399_789_2]),
        (&Gelu::tanh(), [-0.045_402_306, -0.154_285_99, 0.0, 1.399_571_9]),
        (&Silu::new(), [-0.238_405_844, -0.188_770_334, 0.0, 1.226_361_713]),
        (&Softplus::new(), [0.126_928_011, 0.474_076_984, e.ln().ln_1p(), 1.701_413_278]),
    ];
    for (layer, want) in cases {
        assert_close(&stateless(&layer.forward(&x)), &want, 1e-6);
    }
}

#[test]
fn prelu_learns_its_slopes() {
    let x = Tensor::new(&[-2.0f32, -4.0, 1.0, -8.0], [2, 2]);
    let (one, each) = (Prelu::new(1), Prelu::new(2));
    let store = bound(&one);
    assert_eq!(value(&one.forward(&x), &store), [-0.5, -1.0, 1.0, -2.0]);
    let mut store = bound(&each);
    set(&mut store, "weight", &[0.5, 0.25]);
    assert_eq!(value(&each.forward(&x), &store), [-1.0, -1.0, 1.0, -2.0]);
}

#[test]
fn without_its_store_a_layer_says_whose_state_is_missing() {
    let y = Linear::new(2, 1).forward(&Tensor::zeros(DType::F32, [1, 2]));
    let error = Reference::new().evaluate(&[y], &[], &NoStates).unwrap_err().to_string();
    assert!(error.contains("state `weight` has no value in this store"), "{error}");
}
