//! Networks by name: what samples they take, what they are made of, that all of them learn.

use thalweg_cpu::Cpu;
use thalweg_graph::{DType, Executor, Tensor, grad, reachable};
use thalweg_nn::optim::{Sgd, Updater};
use thalweg_nn::presets::{Shapes, preset};
use thalweg_nn::{
    Dag, Mode, NodeSpec, Store,
    context::{fixed_key, trace},
    losses::{cross_entropy, mse},
    parameters,
};

use crate::help::message;

fn nodes(name: &str, sample: &[usize], outputs: usize) -> Vec<NodeSpec> {
    let shapes = Shapes { sample, vocabulary: None, outputs, places: None, table: None };
    (preset(name).unwrap().nodes)(&shapes).unwrap()
}

fn built(name: &str, sample: &[usize], outputs: usize) -> Dag {
    let net = Dag::new(nodes(name, sample, outputs));
    let input = [&[2], sample].concat();
    assert_eq!(net.build(input, DType::F32).unwrap().dims(), [2, outputs], "{name} {sample:?}");
    net
}

fn weights(net: &Dag) -> usize {
    parameters(net).iter().map(|(_, param)| param.shape().numel()).sum()
}

#[test]
fn images_come_with_and_without_channels() {
    for name in ["lenet", "cnn", "resnet18", "mobilenet", "audio-cnn"] {
        for sample in [&[28, 28][..], &[1, 28, 28], &[3, 32, 48], &[8, 8], &[1, 13, 40]] {
            built(name, sample, 7);
        }
    }
    for sample in [&[4, 16, 16][..], &[1, 1, 9, 9], &[3, 10, 32, 24]] {
        built("cnn3d", sample, 5);
    }
    for name in ["autoencoder", "vae"] {
        for sample in [&[13][..], &[28, 28], &[1, 8, 8], &[3, 15, 30], &[2, 3, 4, 5], &[1]] {
            built(name, sample, sample.iter().product());
        }
    }
}

#[test]
fn sizes_are_those_of_the_literature() {
    // As torchvision counts them for 1,000 classes of ImageNet.
    let resnet = built("resnet18", &[3, 224, 224], 1000);
    assert_eq!(weights(&resnet), 11_689_512);
    assert_eq!(weights(&built("resnet34", &[3, 224, 224], 1000)), 21_797_672);
    let names: Vec<String> = parameters(&resnet).into_iter().map(|(name, _)| name).collect();
    for name in ["conv1.weight", "layer1.0.bn2.bias", "layer2.0.downsample.0.weight", "fc.bias"] {
        assert!(names.iter().any(|known| known == name), "{name}");
    }
    // The stem for small images has 3·3·3 weights a channel instead of 7·7·3.
    assert_eq!(weights(&built("resnet18", &[3, 32, 32], 10)), 11_173_962);
    let mobile = weights(&built("mobilenet", &[3, 32, 32], 10));
    assert!((100_000..300_000).contains(&mobile), "{mobile}");
}

#[test]
fn other_samples_are_refused_by_name() {
    let refused = |name: &str, sample: &[usize], vocabulary, outputs| {
        let shapes = Shapes { sample, vocabulary, outputs, places: None, table: None };
        (preset(name).unwrap().nodes)(&shapes).unwrap_err().what
    };
    let cases = [
        (
            refused("lenet", &[13], None, 3),
            "lenet takes images, [height, width] or [channels, height, width], and the samples are [13]",
        ),
        (refused("resnet34", &[28, 28], Some(9), 3), "resnet34 takes images"),
        (refused("cnn3d", &[28, 28], None, 3), "cnn3d takes films, [frames, height, width] or"),
        (refused("audio-cnn", &[5], None, 3), "[mels, frames]"),
        (refused("vae", &[4, 4], None, 3), "vae gives back the 16 numbers of a sample, got 3"),
        (refused("autoencoder", &[4], Some(9), 4), "autoencoder takes numbers"),
    ];
    for (message, part) in cases {
        assert!(message.contains(part), "{part}\nis not in\n{message}");
    }
    // What is too small for it is the layers' to say.
    let tiny = Dag::new(nodes("lenet", &[1, 3, 3], 2));
    let message = message(&tiny.forward_all(&[Tensor::zeros(DType::F32, [2, 1, 3, 3])])[0]);
    assert!(message.contains("MaxPool2d 2×2") && message.contains("axis 2"), "{message}");
}

#[test]
fn nodes_survive_text() {
    for (name, sample) in
        [("resnet18", &[3, 224, 224][..]), ("vae", &[28, 28]), ("cnn3d", &[2, 8, 8])]
    {
        let made = nodes(name, sample, sample.iter().product());
        let text = serde_json::to_string(&made).unwrap();
        assert_eq!(serde_json::from_str::<Vec<NodeSpec>>(&text).unwrap(), made, "{name}");
    }
}

/// Two steps on one batch make the loss smaller, and every parameter gets a gradient.
#[test]
fn presets_learn() {
    // Batch norm of few samples through many layers is steep: small steps for deep networks.
    let cases: [(&str, &[usize], f64); 7] = [
        ("lenet", &[4, 4], 1e-2),
        ("cnn", &[1, 4, 4], 1e-4),
        ("mobilenet", &[1, 5, 5], 1e-6),
        ("audio-cnn", &[4, 6], 1e-4),
        ("cnn3d", &[2, 4, 4], 1e-4),
        ("autoencoder", &[6, 5], 1e-2),
        ("vae", &[12], 1e-2),
    ];
    let cpu = Cpu::new(2);
    for (name, sample, lr) in cases {
        let gives_back = matches!(name, "autoencoder" | "vae");
        let outputs = if gives_back { sample.iter().product() } else { 3 };
        let net = built(name, sample, outputs);
        let mut store = Store::new(1);
        store.bind(&net).unwrap();
        let key = fixed_key(3, 0);
        let x = Tensor::random_normal(&key, 9, [&[4], sample].concat());
        let step = trace(Mode::Train, &key, || net.forward_all(std::slice::from_ref(&x)).remove(0));
        let y = step.result.ok().unwrap();
        let loss = match gives_back {
            true => mse(&y, &x.reshape([4, outputs])),
            false => cross_entropy(&y, &Tensor::new(&[0i64, 1, 2, 0], [4])),
        };
        assert_eq!(step.penalties.len(), usize::from(name == "vae"));
        let loss = step.penalties.into_iter().fold(loss, |loss, term| loss + term);
        let params = parameters(&net);
        let tensors: Vec<Tensor> = params.iter().map(|(_, param)| param.tensor()).collect();
        let grads = grad(&loss, &tensors).unwrap();
        let used: Vec<u64> =
            reachable(std::slice::from_ref(&loss)).iter().map(Tensor::id).collect();
        assert!(tensors.iter().all(|tensor| used.contains(&tensor.id())), "{name}");
        let lr = Tensor::scalar(lr, DType::F64);
        let update =
            Updater::new(Sgd::default()).build(&mut store, &params, &grads, &loss, &lr).unwrap();
        let mut losses = vec![];
        for _ in 0..3 {
            let seen = cpu.run(std::slice::from_ref(&loss), &update.writes, &[], &mut store);
            losses.push(seen.unwrap()[0].to_f64()[0]);
        }
        assert!(losses[2] < losses[0], "{name}: {losses:?}");
    }
}
