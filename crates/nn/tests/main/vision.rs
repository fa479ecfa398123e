//! Layers over space: what they say of wrong input, NaN, the specifications that no golden number covers.

use thalweg_graph::{DType, Executor, Reference, Shape, Tensor, Value, grad};
use thalweg_nn::spec::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use thalweg_nn::{
    AdaptiveAvgPool2d, AvgPool2d, BatchNorm2d, Conv, Conv1d, Conv2d, Conv3d, ConvTranspose2d,
    Forward, GlobalAvgPool, GlobalMaxPool, GroupNorm, InstanceNorm1d, LayerSpec, MaxPool2d, Mode,
    Network, Padding, Reshape, Sequential, Unsqueeze, Upsample,
    context::{fixed_key, trace},
    parameters,
};

use crate::help::{bound, message, set, stateless, value};

fn float(shape: &[usize]) -> Tensor {
    Tensor::zeros(DType::F32, shape)
}

#[test]
fn wrong_input_names_layer_axis_expected_and_got() {
    let images = float(&[2, 3, 8, 8]);
    let cases: Vec<(Tensor, &[&str])> = vec![
        (
            Conv2d::new(3, 4, 11).padding(1).forward(&images),
            &[
                "Conv2d 3 → 4, 11×11",
                "axis 2",
                "covers 11",
                "got 10 (8 with padding 1 + 1)",
                "hint: ",
            ],
        ),
        (Conv2d::new(3, 4, 5).dilation(3).forward(&images), &["axis 2", "covers 13", "got 8"]),
        (
            Conv2d::new(3, 4, 3).groups(2).forward(&images),
            &["groups must divide the 3 input channels, got 2"],
        ),
        (
            Conv2d::new(4, 3, 3).groups(2).forward(&float(&[1, 4, 8, 8])),
            &["divide the 3 output channels, got 2"],
        ),
        (Conv2d::new(3, 4, 3).groups(0).forward(&images), &["groups must be at least 1"]),
        (
            Conv2d::new(1, 4, 3).forward(&images),
            &["axis 1 must be 1 channels, got 3 in [2, 3, 8, 8]"],
        ),
        (
            Conv2d::new(1, 4, 3).forward(&float(&[2, 28, 28])),
            &["expects [N, C, H, W], got [2, 28, 28]", "unsqueeze { axis = 1 }"],
        ),
        (
            Conv1d::new(1, 4, 3).forward(&float(&[2, 1, 8, 8])),
            &["expects [N, C, L], got [2, 1, 8, 8]"],
        ),
        (Conv3d::new(1, 4, 3).forward(&images), &["expects [N, C, D, H, W]", "unsqueeze"]),
        (
            Conv2d::new(3, 4, [3, 3, 3]).forward(&images),
            &["kernel must be one number or 2, got [3, 3, 3]"],
        ),
        (
            Conv2d::new(3, 4, 3).stride([1]).forward(&images),
            &["stride must be one number or 2, got [1]"],
        ),
        (Conv2d::new(3, 4, 3).padding([1]).forward(&images), &["padding must be one number or 2"]),
        (Conv2d::new(3, 4, 0).forward(&images), &["kernel", "at least 1, got 0"]),
        (Conv2d::new(3, 4, 3).stride(0).forward(&images), &["stride", "at least 1, got 0"]),
        (
            Conv2d::new(0, 4, 3).forward(&float(&[1, 0, 8, 8])),
            &["input channels must be at least 1"],
        ),
        (Conv2d::new(3, 0, 3).forward(&images), &["output channels must be at least 1"]),
        (
            Conv2d::new(3, 4, 3).padding(Padding::Same).stride(2).forward(&images),
            &["padding \"same\" needs stride 1, got 2", "hint: "],
        ),
        (
            Conv2d::new(3, 4, 3).forward(&Tensor::zeros(DType::F64, [2, 3, 8, 8])),
            &["expects f32, got f64"],
        ),
        (
            Conv2d::new(3, 4, 3).forward(&Tensor::zeros(DType::I64, [2, 3, 8, 8])),
            &["expects a float input"],
        ),
        (
            ConvTranspose2d::new(3, 4, 3).stride(2).output_padding(2).forward(&images),
            &["ConvTranspose2d 3 → 4, 3×3", "output padding", "less than the stride, 2, got 2"],
        ),
        (
            ConvTranspose2d::new(3, 4, 3).groups(2).forward(&images),
            &["groups must divide the 3 input channels"],
        ),
        (
            ConvTranspose2d::new(3, 4, 2).padding(9).forward(&images),
            &["axis 2", "gives no element"],
        ),
        (MaxPool2d::new(9).forward(&images), &["MaxPool2d 9×9", "axis 2", "covers 9", "got 8"]),
        (MaxPool2d::new(2).padding(2).forward(&images), &["MaxPool2d", "padding"]),
        (AvgPool2d::new(2).forward(&float(&[2, 8, 8])), &["expects [N, C, H, W]", "unsqueeze"]),
        (AdaptiveAvgPool2d::new(0).forward(&images), &["AdaptiveAvgPool2d 0×0"]),
        (GlobalAvgPool::new().forward(&float(&[2, 3])), &["GlobalAvgPool", "got [2, 3]"]),
        (Upsample::nearest([2, 2, 2]).forward(&images), &["scale must be one number or 2"]),
        (Upsample::nearest(2).align_corners().forward(&images), &["align_corners is for linear"]),
        (
            BatchNorm2d::new(3).forward(&float(&[2, 3])),
            &["BatchNorm2d 3", "expects [N, C, H, W], got [2, 3]"],
        ),
        (BatchNorm2d::new(4).forward(&images), &["axis 1 must be 4 channels, got 3"]),
        (GroupNorm::new(2, 3).forward(&images), &["groups must divide the 3 channels, got 2"]),
        (GroupNorm::new(1, 4).forward(&images), &["expects [N, 4, …], got [2, 3, 8, 8]"]),
        (InstanceNorm1d::new(3).forward(&float(&[2, 3, 1])), &["more than one value in a channel"]),
        (Reshape::new([3, 5]).forward(&images), &["samples of 192 elements cannot be [3, 5]"]),
        (Reshape::new([-1, -1]).forward(&images), &["one -1"]),
        (Unsqueeze::new(0).forward(&images), &["must be in 1..=4, got 0"]),
    ];
    for (tensor, parts) in cases {
        let message = message(&tensor);
        for part in parts {
            assert!(message.contains(part), "{part}\nis not in\n{message}");
        }
    }
    // One value per channel has no variance while training.
    let single =
        trace(Mode::Train, &fixed_key(0, 0), || BatchNorm2d::new(3).forward(&float(&[1, 3, 1, 1])));
    assert!(message(&single.result).contains("more than one value per channel"));
}

#[test]
fn nan_is_seen_through_every_window() {
    let mut data = vec![1.0f32; 16];
    data[5] = f32::NAN;
    let x = Tensor::new(&data, [1, 1, 4, 4]);
    let conv = Conv2d::new(1, 1, 3).padding(1);
    let store = bound(&conv);
    let nans = |y: &Tensor, store| value(y, store).iter().filter(|y| y.is_nan()).count();
    assert_eq!(nans(&conv.forward(&x), &store), 9);
    assert_eq!(nans(&MaxPool2d::new(2).forward(&x), &store), 1);
    assert_eq!(nans(&AvgPool2d::new(2).forward(&x), &store), 1);
    assert_eq!(nans(&AdaptiveAvgPool2d::new(2).forward(&x), &store), 1);
    assert_eq!(nans(&GlobalMaxPool::new().forward(&x), &store), 1);
    assert_eq!(nans(&GlobalAvgPool::new().forward(&x), &store), 1);
    assert_eq!(nans(&Upsample::nearest(2).forward(&x), &store), 4);
    assert_eq!(nans(&GroupNorm::new(1, 1).without_affine().forward(&x), &store), 16);
}

#[test]
fn weights_have_the_shapes_and_spreads_of_pytorch() {
    let shapes = |layer: &dyn Network| -> Vec<String> {
        parameters(layer).iter().map(|(name, param)| format!("{name}{}", param.shape())).collect()
    };
    assert_eq!(shapes(&Conv2d::new(8, 6, [3, 5]).groups(2)), ["weight[6, 4, 3, 5]", "bias[6]"]);
    assert_eq!(shapes(&Conv::<1>::new(8, 6, 3).without_bias().groups(1)), ["weight[6, 8, 3]"]);
    let transposed = ConvTranspose2d::new(8, 6, 3).groups(2);
    assert_eq!(shapes(&transposed), ["weight[8, 3, 3, 3]", "bias[6]"]);
    // ±1/√fan: 4·3·5 for the convolution, out/groups·K = 3·3·3 for its transpose.
    for (layer, bound_of) in [
        (&Conv2d::new(8, 6, [3, 5]).groups(2) as &dyn Network, 1.0 / 60f64.sqrt()),
        (&transposed, 1.0 / 27f64.sqrt()),
    ] {
        let store = bound(&layer);
        for entry in store.entries() {
            let greatest = entry.value().to_f64().into_iter().fold(0.0f64, |a, b| a.max(b.abs()));
            let range = 0.5 * bound_of..=bound_of * 1.000_001;
            assert!(range.contains(&greatest), "{}: {greatest}", entry.name());
        }
    }
}

#[test]
fn a_builder_gives_the_classic_network() {
    let net = Sequential::new()
        .conv2d(32, 3)
        .relu()
        .max_pool2d(2)
        .flatten()
        .linear(128)
        .relu()
        .dropout(0.5)
        .linear(10);
    assert_eq!(net.build([1, 1, 28, 28], DType::F32).unwrap().dims(), [1, 10]);
    let film = Sequential::new().conv3d(4, [1, 3, 3]).batch_norm3d().max_pool3d([1, 2, 2]);
    assert_eq!(film.build([2, 3, 5, 8, 8], DType::F32).unwrap().dims(), [2, 4, 5, 3, 3]);
    let more = Sequential::new()
        .reshape([1, 8, 8])
        .gaussian_noise(0.1)
        .conv2d(4, 3)
        .group_norm(2)
        .instance_norm2d()
        .dropout2d(0.1)
        .upsample(2)
        .avg_pool2d(3)
        .global_avg_pool()
        .reparameterize(1.0)
        .unsqueeze(1)
        .conv1d(2, 1)
        .max_pool1d(1)
        .global_max_pool();
    assert_eq!(more.build([3, 64], DType::F32).unwrap().dims(), [3, 2]);
}

#[test]
fn specifications_read_as_configs_spell_them() {
    let read = |text: &str| serde_json::from_str::<LayerSpec>(text);
    let conv = ConvOptions { padding: Padding::Same, ..ConvOptions::new(4, [3, 5]) };
    let cases = [
        (
            r#"{"type": "conv2d", "out": 4, "kernel": [3, 5], "padding": "same"}"#,
            LayerSpec::Conv2d(conv),
        ),
        (
            r#"{"type": "conv1d", "out": 4, "kernel": 3, "padding": 1}"#,
            LayerSpec::Conv1d(ConvOptions { padding: 1.into(), ..ConvOptions::new(4, 3) }),
        ),
        (r#"{"type": "max_pool3d", "kernel": 2}"#, LayerSpec::MaxPool3d(MaxPoolOptions::new(2))),
        (
            r#"{"type": "avg_pool1d", "kernel": 2, "stride": 1}"#,
            LayerSpec::AvgPool1d(AvgPoolOptions {
                stride: Some(1.into()),
                ..AvgPoolOptions::new(2)
            }),
        ),
        (r#"{"type": "unsqueeze", "axis": 1}"#, LayerSpec::Unsqueeze { axis: 1 }),
        (r#"{"type": "reparameterize"}"#, LayerSpec::Reparameterize { beta: 1.0 }),
    ];
    for (text, spec) in cases {
        assert_eq!(read(text).unwrap(), spec, "{text}");
        let text = serde_json::to_string(&spec).unwrap();
        assert_eq!(read(&text).unwrap(), spec, "{text}");
        assert!(text.contains(&format!(r#""type":"{}""#, spec.name())), "{text}");
    }
    for (text, part) in [
        (r#"{"type": "conv2d", "out": 4}"#, "missing field `kernel`"),
        (r#"{"type": "conv2d", "out": 4, "kernel": 3, "strides": 2}"#, "unknown field `strides`"),
        (r#"{"type": "conv2d", "out": 4, "kernel": "3"}"#, "expected a whole number, or a list"),
        (r#"{"type": "conv2d", "out": 4, "kernel": 3, "padding": "full"}"#, "\"same\", \"valid\""),
        (r#"{"type": "upsample", "scale": 2, "mode": "cubic"}"#, "unknown variant `cubic`"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(part), "{part}\nis not in\n{error}");
    }
}

/// Every specification of this family builds the layer that it is called.
#[test]
fn every_specification_builds() {
    let options = r#""out": 2, "kernel": 1, "size": 1, "groups": 1, "scale": 1, "p": 0.1, "std": 0.1, "shape": [-1], "axis": 1"#;
    let options: serde_json::Map<_, _> = serde_json::from_str(&format!("{{{options}}}")).unwrap();
    let input = [2, 2, 4, 4, 4];
    let mut names = vec![];
    for axes in 1..=3 {
        for name in [
            "conv",
            "conv_transpose",
            "max_pool",
            "avg_pool",
            "adaptive_avg_pool",
            "adaptive_max_pool",
            "batch_norm",
            "instance_norm",
            "dropout",
        ] {
            names.push((format!("{name}{axes}d"), axes));
        }
    }
    for name in [
        "group_norm",
        "global_avg_pool",
        "global_max_pool",
        "upsample",
        "stochastic_depth",
        "gaussian_noise",
        "reparameterize",
        "reshape",
        "unsqueeze",
    ] {
        names.push((name.to_owned(), 2));
    }
    for (name, axes) in names {
        let needed = |text: &str| {
            let mut spec = serde_json::Map::new();
            spec.insert("type".into(), name.clone().into());
            for key in text.split_whitespace() {
                spec.insert(key.into(), options[key].clone());
            }
            serde_json::from_value::<LayerSpec>(spec.into()).ok()
        };
        let kinds =
            ["out kernel", "kernel", "size", "groups", "scale", "p", "std", "shape", "axis", ""];
        let spec = kinds.into_iter().find_map(needed);
        let spec = spec.unwrap_or_else(|| panic!("{name} needs more"));
        assert_eq!(spec.name(), name);
        let shape = Shape::from(&input[..axes + 2]);
        let layer = spec.build(&shape).unwrap();
        assert!(layer.forward(&float(shape.dims())).error().is_none(), "{name}");
    }
}

#[test]
fn a_transpose_undoes_the_shape_of_its_convolution() {
    for extent in 5..10 {
        for stride in 1..4 {
            let x = float(&[1, 1, extent, extent]);
            let small = Conv2d::new(1, 1, 3).stride(stride).padding(1).forward(&x);
            let rest = (extent + 2 - 3) % stride;
            let up = ConvTranspose2d::new(1, 1, 3).stride(stride).padding(1).output_padding(rest);
            assert_eq!(up.forward(&small).shape(), x.shape());
        }
    }
}

#[test]
fn a_shared_kernel_gets_both_gradients() {
    let conv = Conv1d::new(1, 1, 2).without_bias();
    let mut store = bound(&conv);
    set(&mut store, "weight", &[1.0, 0.0]);
    let x = Tensor::new(&[1.0f32, 2.0, 3.0, 4.0], [1, 1, 4]);
    let twice = conv.forward(&conv.forward(&x));
    let slope = grad(&twice.sum_all(), &[conv.weight().tensor()]).unwrap();
    // y = w∗w∗x over two places: ∂/∂w₀ = 2(w₀Σx₀.. + w₁Σx₁..), with w = (1, 0).
    assert_eq!(value(&slope[0], &store), [6.0, 10.0]);
}

#[test]
fn batch_norm_of_images_tracks_per_channel() {
    let norm = BatchNorm2d::new(2).momentum(1.0);
    let mut store = bound(&norm);
    let x = Tensor::new(&[1.0f32, 3.0, 10.0, 30.0, 5.0, 7.0, 50.0, 70.0], [2, 2, 1, 2]);
    let step = trace(Mode::Train, &fixed_key(0, 0), || norm.forward(&x));
    Reference::new().run(&[], &step.writes, &[], &mut store).unwrap();
    assert_eq!(store.value("running_mean").unwrap().to_f64(), [4.0, 40.0]);
    let var = store.value("running_var").unwrap().to_f64();
    assert!((var[0] - 20.0 / 3.0).abs() < 1e-5 && (var[1] - 2000.0 / 3.0).abs() < 1e-3);
    assert_eq!(store.value("num_batches_tracked").unwrap(), &Value::scalar(1i64));
}

#[test]
fn reshaping_keeps_the_order() {
    let x = Tensor::new(&[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0], [1, 6]);
    let y = Reshape::new([2, -1]).forward(&x);
    assert_eq!((y.shape().dims(), stateless(&y)), (&[1, 2, 3][..], stateless(&x)));
    assert_eq!(Reshape::new([]).forward(&float(&[4, 1])).shape().dims(), [4]);
    assert_eq!(Reshape::new([0, 3]).forward(&float(&[4, 0])).shape().dims(), [4, 0, 3]);
    assert_eq!(Unsqueeze::new(-1).forward(&x).shape().dims(), [1, 6, 1]);
}
