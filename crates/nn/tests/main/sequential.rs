//! Sequential networks: inference, names, errors; and layer specifications as data.

use thalweg_graph::{DType, Tensor};
use thalweg_nn::{
    Forward, LayerSpec, Linear, Mode, Module, Sequential, Store,
    context::{fixed_key, trace},
    mlp, parameters,
};

use crate::help::{bound, message, stateless, value};

fn names(module: &dyn Module) -> Vec<String> {
    parameters(module).into_iter().map(|(name, _)| name).collect()
}

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::zeros(DType::F32, shape)
}

#[test]
fn sizes_follow_from_the_input() {
    let net = Sequential::new().flatten().linear(128).relu().dropout(0.5).linear(10);
    assert_eq!(net.build([1, 28, 28], DType::F32).unwrap().dims(), [1, 10]);
    assert_eq!(names(&net), ["1.weight", "1.bias", "4.weight", "4.bias"]);
    let shapes: Vec<String> =
        parameters(&net).iter().map(|(_, param)| param.shape().to_string()).collect();
    assert_eq!(shapes, ["[128, 784]", "[128]", "[10, 128]", "[10]"]);
    // Another batch is another input of the same network.
    assert_eq!(net.forward(&zeros(&[64, 28, 28])).shape().dims(), [64, 10]);
    assert_eq!(names(&net).len(), 4);
}

#[test]
fn every_layer_finds_its_size() {
    let net = Sequential::new()
        .embedding(50, 6)
        .layer_norm()
        .linear_without_bias(5)
        .batch_norm1d()
        .prelu()
        .layer(LayerSpec::Prelu { per_channel: true })
        .layer(LayerSpec::LayerNorm { axes: 2, eps: 1e-5, affine: true })
        .softmax(-1);
    let y = net.build([3, 4], DType::I64).unwrap();
    assert_eq!(y.dims(), [3, 4, 5]);
    let shapes: Vec<String> =
        parameters(&net).iter().map(|(name, p)| format!("{name}{}", p.shape())).collect();
    let want = [
        "0.weight[50, 6]",
        "1.weight[6]",
        "1.bias[6]",
        "2.weight[5, 6]",
        "3.weight[4]",
        "3.bias[4]",
        "4.weight[1]",
        "5.weight[4]",
        "6.weight[4, 5]",
        "6.bias[4, 5]",
    ];
    assert_eq!(shapes, want);
}

#[test]
fn the_same_seed_makes_the_same_network() {
    let made = || {
        let net = Sequential::from_specs(mlp(&[8], LayerSpec::Tanh {}, 0.0, 3));
        net.build([1, 4], DType::F32).unwrap();
        let store = bound(&net);
        value(&net.forward(&Tensor::new(&[1.0f32, 2.0, 3.0, 4.0], [1, 4])), &store)
    };
    assert_eq!(made(), made());
}

#[test]
fn another_input_is_an_error_that_names_the_layer() {
    #[derive(Module)]
    struct Net {
        body: Sequential,
    }
    let net = Net { body: Sequential::new().relu().linear(3) };
    net.body.build([1, 8], DType::F32).unwrap();
    bound(&net);
    let message = message(&net.body.forward(&zeros(&[2, 9])));
    let lead = "body.1 (Linear 8 → 3): last axis must be 8, got 9 in [2, 9]";
    assert!(message.starts_with(lead), "{message}");
}

#[test]
fn a_failed_build_leaves_nothing_built() {
    let net = Sequential::new().flatten().linear(3).batch_norm1d();
    let error = net.build([4], DType::F32).unwrap_err().to_string();
    assert!(error.contains("joins the axes from 1 on, got [4]"), "{error}");
    assert!(Store::new(0).bind(&net).is_err());
    assert_eq!(net.build([4, 5], DType::F32).unwrap().dims(), [4, 3]);

    let scalar = Sequential::new().relu().linear(3).build([], DType::F32).unwrap_err().to_string();
    let want = "layer 1: linear takes its size from axis -1, got an input of shape []";
    assert!(scalar.starts_with("Sequential (made at ") && scalar.contains(want), "{scalar}");
    let vector = Sequential::new().batch_norm1d().build([7], DType::F32).unwrap_err().to_string();
    assert!(vector.contains("layer 0: batch_norm1d takes its size from axis 1"), "{vector}");

    let zero = Sequential::new().linear(0).forward(&zeros(&[2, 3]));
    assert!(message(&zero).contains("outputs must be at least 1"));
}

#[test]
fn building_leaves_the_trace_alone() {
    let run = |built_before: bool| {
        let net = Sequential::new().dropout(0.5).batch_norm1d();
        let x = Tensor::ones(DType::F32, [8, 50]);
        if built_before {
            net.build([8, 50], DType::F32).unwrap();
        }
        let step = trace(Mode::Train, &fixed_key(1, 2), || net.forward(&x));
        (value(&step.result, &bound(&net)), step.writes.len())
    };
    let (fresh, built) = (run(false), run(true));
    assert_eq!(fresh, built);
    assert_eq!(fresh.1, 3);
}

#[test]
fn ready_layers_keep_their_parameters() {
    let shared = Linear::new(4, 4);
    let net = Sequential::new().push(shared.clone()).relu().push(shared.clone()).linear(2);
    assert_eq!(net.specs(), None);
    net.build([1, 4], DType::F32).unwrap();
    assert_eq!(names(&net), ["0.weight", "0.bias", "3.weight", "3.bias"]);
    assert_eq!(parameters(&net)[0].1.id(), shared.weight().id());
    // A network may be a layer of another.
    let nested = Sequential::new().push(net).relu();
    nested.build([1, 4], DType::F32).unwrap();
    assert_eq!(names(&nested)[2], "0.3.weight");
}

#[test]
fn nothing_is_the_identity() {
    let x = Tensor::new(&[1.0f32, 2.0], [2]);
    assert_eq!(stateless(&Sequential::new().forward(&x)), [1.0, 2.0]);
    assert!(Sequential::new().is_empty() && Sequential::new().relu().len() == 1);
}

#[test]
fn specifications_go_round_through_text() {
    let specs = Sequential::new()
        .embedding(9, 4)
        .flatten()
        .linear(8)
        .linear_without_bias(8)
        .batch_norm1d()
        .layer_norm()
        .relu()
        .leaky_relu(0.2)
        .elu(1.5)
        .sigmoid()
        .tanh()
        .softmax(1)
        .log_softmax(-1)
        .gelu()
        .gelu_tanh()
        .silu()
        .softplus()
        .prelu()
        .dropout(0.25)
        .specs()
        .unwrap();
    let text = serde_json::to_string(&specs).unwrap();
    let back: Vec<LayerSpec> = serde_json::from_str(&text).unwrap();
    assert_eq!(back, specs);
    for spec in &specs {
        let text = serde_json::to_string(spec).unwrap();
        assert!(text.starts_with(&format!(r#"{{"type":"{}""#, spec.name())), "{text}");
    }
    assert_eq!(Sequential::from_specs(back).specs(), Some(specs));
}

#[test]
fn specifications_have_defaults_and_refuse_the_unknown() {
    let parse = |text: &str| serde_json::from_str::<LayerSpec>(text).map_err(|e| e.to_string());
    assert_eq!(
        parse(r#"{"type": "linear", "out": 3}"#),
        Ok(LayerSpec::Linear { out: 3, bias: true })
    );
    assert_eq!(parse(r#"{"type": "leaky_relu"}"#), Ok(LayerSpec::LeakyRelu { alpha: 0.01 }));
    assert_eq!(parse(r#"{"type": "flatten"}"#), Ok(LayerSpec::Flatten { start: 1 }));
    let unknown = parse(r#"{"type": "relu", "alpha": 1}"#).unwrap_err();
    assert!(unknown.contains("unknown field `alpha`"), "{unknown}");
    let unknown = parse(r#"{"type": "linear", "out": 3, "biased": true}"#).unwrap_err();
    assert!(unknown.contains("unknown field `biased`"), "{unknown}");
    let missing = "linear".parse::<LayerSpec>().unwrap_err().to_string();
    assert!(missing.contains("missing field `out`"), "{missing}");
    assert_eq!("dropout".parse(), Ok(LayerSpec::Dropout { p: 0.5 }));
}

#[test]
fn the_perceptron_preset() {
    let specs = mlp(&[16, 8], LayerSpec::Elu { alpha: 1.0 }, 0.2, 3);
    let got: Vec<&str> = specs.iter().map(LayerSpec::name).collect();
    let want = ["linear", "elu", "dropout", "linear", "elu", "dropout", "linear"];
    assert_eq!(got, want);
    assert_eq!(mlp(&[], LayerSpec::Relu {}, 0.5, 3), [LayerSpec::Linear { out: 3, bias: true }]);
    let broken = Sequential::from_specs(mlp(&[4], LayerSpec::Relu {}, f64::NAN, 3));
    assert!(message(&broken.forward(&zeros(&[1, 2]))).contains("0..=1, got NaN"));
}
