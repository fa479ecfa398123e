//! Generated text: place by place is the same as at once, and equal arguments give equal texts.

use thalweg_cpu::Cpu;
use thalweg_graph::{DType, Executor, Feed, Tensor, Value, grad};
use thalweg_nn::losses::CrossEntropy;
use thalweg_nn::optim::Adam;
use thalweg_nn::presets::{Shapes, preset};
use thalweg_nn::spec::EmbeddingOptions;
use thalweg_nn::{
    Dag, Forward, LayerSpec, Loss, Mode, NodeSpec, Store, Updater, context, parameters,
};
use thalweg_train::{Generator, Sampling, TrainError};

const VOCABULARY: usize = 20;
const GREEDY: Sampling =
    Sampling { temperature: 0.0, top_k: None, top_p: 1.0, seed: 0, never: None };

/// The network of a preset for windows of `window` ids.
fn network(name: &str, window: usize) -> (Dag, Store) {
    let shapes = Shapes {
        sample: &[window],
        vocabulary: Some(VOCABULARY),
        outputs: VOCABULARY,
        places: Some(window),
    };
    let net = Dag::new((preset(name).unwrap().nodes)(&shapes).unwrap());
    net.build([1, window], DType::I64).unwrap();
    let mut store = Store::new(11);
    store.bind(&net).unwrap();
    (net, store)
}

/// The logits behind the last of these ids, by a pass over all of them.
fn whole(net: &Dag, store: &mut Store, ids: &[i64]) -> Vec<f64> {
    let y = net.forward(&Tensor::new(ids, [1, ids.len()]));
    let y = Cpu::new(1).run(&[y], &[], &[], store).unwrap()[0].to_f64();
    y[y.len() - VOCABULARY..].to_vec()
}

fn ids(count: i64) -> Vec<i64> {
    (0..count).map(|i| i * i * 7 % VOCABULARY as i64).collect()
}

fn assert_near(got: &[f32], want: &[f64], at: usize) {
    let near = got.iter().zip(want).all(|(&a, b)| (f64::from(a) - b).abs() <= 1e-4);
    assert!(got.len() == want.len() && near, "at {at}: {got:?} against {want:?}");
}

#[test]
fn steps_give_the_logits_of_the_whole() {
    let cpu = Cpu::new(2);
    for name in ["char-lm", "gpt"] {
        let (net, mut store) = network(name, 12);
        let mut generator = Generator::new(&net, &cpu, 12).unwrap();
        let text = ids(12);
        for at in 0..text.len() {
            let want = whole(&net, &mut store, &text[..=at]);
            let got = generator.read(text[at], &cpu, &mut store).unwrap();
            assert_near(got, &want, at);
        }
    }
}

#[test]
fn a_full_window_begins_again_with_its_last_half() {
    let cpu = Cpu::new(1);
    let (net, mut store) = network("gpt", 8);
    let mut generator = Generator::new(&net, &cpu, 8).unwrap();
    let text = ids(15);
    for at in 0..text.len() {
        let got = generator.read(text[at], &cpu, &mut store).unwrap().to_vec();
        // The window is full at 8 and, having begun again at 4, at 12.
        let begin = match at {
            0..8 => 0,
            8..12 => 4,
            _ => 8,
        };
        assert_near(&got, &whole(&net, &mut store, &text[begin..=at]), at);
    }
}

#[test]
fn a_state_goes_on_for_ever() {
    let cpu = Cpu::new(1);
    let (net, mut store) = network("char-lm", 4);
    let mut generator = Generator::new(&net, &cpu, 4).unwrap();
    let text = ids(11);
    let mut last = vec![];
    for &id in &text {
        last = generator.read(id, &cpu, &mut store).unwrap().to_vec();
    }
    assert_near(&last, &whole(&net, &mut store, &text), 10);
}

#[test]
fn equal_arguments_give_equal_texts() {
    for name in ["char-lm", "gpt"] {
        let (net, mut store) = network(name, 8);
        let mut write = |threads: usize, sampling: &Sampling| {
            let cpu = Cpu::new(threads);
            let mut generator = Generator::new(&net, &cpu, 8).unwrap();
            let mut told = vec![];
            let text = generator
                .generate(&[3, 1, 4], 20, sampling, &cpu, &mut store, |id| told.push(id))
                .unwrap();
            assert_eq!(told, text);
            let again = generator.generate(&[3, 1, 4], 20, sampling, &cpu, &mut store, |_| ());
            assert_eq!(again.unwrap(), text, "a second text begins afresh");
            text
        };
        assert_eq!(write(1, &GREEDY), write(2, &GREEDY));
        let drawn = Sampling { temperature: 1.0, ..GREEDY };
        assert_eq!(write(1, &drawn), write(2, &drawn));
        assert_ne!(write(1, &drawn), write(1, &Sampling { seed: 1, ..drawn }));
    }
}

#[test]
fn a_network_says_what_it_has_learned() {
    let node = NodeSpec::from;
    let nodes = vec![
        node(LayerSpec::Embedding(EmbeddingOptions::new(4, 8))),
        serde_json::from_str(r#"{"type": "gru", "hidden": 16}"#).unwrap(),
        node(LayerSpec::Linear { out: 4, bias: true }),
    ];
    let (net, cpu) = (Dag::new(nodes), Cpu::new(1));
    let x = Tensor::input("x", DType::I64, [4, 12]);
    let y = Tensor::input("y", DType::I64, [4, 12]);
    net.build([4, 12], DType::I64).unwrap();
    let mut store = Store::new(0);
    store.bind(&net).unwrap();
    let key = context::fixed_key(0, 0);
    let logits = context::trace(Mode::Train, &key, || net.forward(&x)).result.transpose(1, 2);
    let loss = Loss::from(CrossEntropy::default()).compute(&logits, &y);
    let params = parameters(&net);
    let tensors: Vec<Tensor> = params.iter().map(|(_, param)| param.tensor()).collect();
    let grads = grad(&loss, &tensors).unwrap();
    let lr = Tensor::scalar(0.02, DType::F64);
    let updater = Updater::new(Adam::default());
    let step = updater.build(&mut store, &params, &grads, &loss, &lr).unwrap();
    // 0, 1, 2, 3, 0, … beginning anywhere.
    let round = |from: i64| {
        let ids: Vec<i64> =
            (0..4).flat_map(|row| (0..12).map(move |t| (row + t + from) % 4)).collect();
        Value::new(&ids, [4, 12]).unwrap()
    };
    let feeds = [Feed { input: x, value: round(0) }, Feed { input: y, value: round(1) }];
    for _ in 0..60 {
        cpu.run(&[], &step.writes, &feeds, &mut store).unwrap();
    }
    let mut generator = Generator::new(&net, &cpu, 12).unwrap();
    let text = generator.generate(&[1, 2], 30, &GREEDY, &cpu, &mut store, |_| ()).unwrap();
    assert_eq!(text, (0..30).map(|i| (3 + i) % 4).collect::<Vec<i64>>());
    let never = Sampling { never: Some(3), ..GREEDY };
    let text = generator.generate(&[1, 2], 30, &never, &cpu, &mut store, |_| ()).unwrap();
    assert!(!text.contains(&3));
}

#[test]
fn mistakes_are_named() {
    let cpu = Cpu::new(1);
    let (net, mut store) = network("gpt", 8);
    let mut generator = Generator::new(&net, &cpu, 8).unwrap();
    let mut fails = |prompt: &[i64], sampling: &Sampling| {
        let text = generator.generate(prompt, 3, sampling, &cpu, &mut store, |_| ());
        text.unwrap_err().to_string()
    };
    assert!(fails(&[], &GREEDY).contains("prompt: must not be empty"));
    assert!(fails(&[1], &Sampling { top_p: 2.0, ..GREEDY }).contains("top_p"));
    let outside = fails(&[1, 20], &GREEDY);
    assert!(outside.contains("0 (Embedding 20 → 128)") && outside.contains("20"), "{outside}");
    // The failure changed nothing of what the next text sees.
    assert_eq!(generator.generate(&[1], 3, &GREEDY, &cpu, &mut store, |_| ()).unwrap().len(), 3);

    let shapes = Shapes { sample: &[8], vocabulary: Some(9), outputs: 2, places: None };
    let net = Dag::new((preset("lstm").unwrap().nodes)(&shapes).unwrap());
    net.build([1, 8], DType::I64).unwrap();
    let error = Generator::new(&net, &cpu, 8).err().unwrap().to_string();
    assert!(error.contains("looks ahead"), "{error}");
    let flat = Dag::new(vec![
        NodeSpec::from(LayerSpec::Embedding(EmbeddingOptions::new(9, 4))),
        NodeSpec::from(LayerSpec::Flatten { start: 1 }),
    ]);
    flat.build([1, 8], DType::I64).unwrap();
    let error = Generator::new(&flat, &cpu, 8).err().unwrap();
    assert!(matches!(error, TrainError::Misfit { .. }), "{error}");
}
