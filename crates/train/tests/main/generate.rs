//! Generated text: place by place is the same as at once, and equal arguments give equal texts.

use thalweg_cpu::Cpu;
use thalweg_graph::{DType, Executor, Tensor, Value, grad};
use thalweg_nn::losses::CrossEntropy;
use thalweg_nn::optim::Adam;
use thalweg_nn::presets::{Shapes, preset};
use thalweg_nn::{Dag, Forward, Loss, Mode, Store, Updater, context, parameters};
use thalweg_train::{Generator, Sampling, TrainError, Translator};

const VOCABULARY: usize = 20;
const GREEDY: Sampling = Sampling { temperature: 0.0, top_k: None, top_p: 1.0, seed: 0 };

/// The network of a preset for windows of `window` ids.
fn network(name: &str, window: usize) -> (Dag, Store) {
    let shapes = Shapes {
        sample: &[window],
        vocabulary: Some(VOCABULARY),
        outputs: VOCABULARY,
        places: Some(window),
        table: None,
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

/// Trains `net` to say `y` `[rows, places]` at each place for `x`.
fn learn(net: &Dag, x: Value, y: Value, steps: usize) -> Store {
    let [to_x, to_y] = [&x, &y].map(|v| Tensor::input("ids", DType::I64, v.shape()));
    net.build(x.shape(), DType::I64).unwrap();
    let mut store = Store::new(0);
    store.bind(net).unwrap();
    let key = context::fixed_key(0, 0);
    let logits = context::trace(Mode::Train, &key, || net.forward(&to_x)).result;
    let loss = Loss::from(CrossEntropy::default()).compute(&logits.transpose(1, 2), &to_y);
    let params = parameters(net);
    let tensors: Vec<Tensor> = params.iter().map(|(_, param)| param.tensor()).collect();
    let grads = grad(&loss, &tensors).unwrap();
    let lr = Tensor::scalar(0.02, DType::F64);
    let step =
        Updater::new(Adam::default()).build(&mut store, &params, &grads, &loss, &lr).unwrap();
    let cpu = Cpu::new(1);
    let mut program = cpu.compile(&[to_x, to_y], &[], &step.writes).unwrap();
    for _ in 0..steps {
        program.run(cpu.pool(), &[&x, &y], &mut store).unwrap();
    }
    store
}

fn nodes(json: &str) -> Dag {
    Dag::new(serde_json::from_str(json).unwrap())
}

#[test]
fn a_network_says_what_it_has_learned() {
    let net = nodes(
        r#"[{"type": "embedding", "num": 4, "dim": 8}, {"type": "gru", "hidden": 16},
            {"type": "linear", "out": 4}]"#,
    );
    // 0, 1, 2, 3, 0, … beginning anywhere.
    let round = |from: i64| {
        let ids: Vec<i64> = (0..48).map(|i| (i / 12 + i % 12 + from) % 4).collect();
        Value::new(&ids, [4, 12]).unwrap()
    };
    let (mut store, cpu) = (learn(&net, round(0), round(1), 60), Cpu::new(1));
    let mut generator = Generator::new(&net, &cpu, 12).unwrap();
    let text = generator.generate(&[1, 2], 30, &GREEDY, &cpu, &mut store, |_| ()).unwrap();
    assert_eq!(text, (0..30).map(|i| (3 + i) % 4).collect::<Vec<i64>>());
    let mut generator = generator.never(&[3]);
    let text = generator.generate(&[1, 2], 30, &GREEDY, &cpu, &mut store, |_| ()).unwrap();
    assert!(!text.contains(&3));
}

#[test]
fn a_sequence_is_written_for_another() {
    const START: i64 = 4;
    const END: i64 = 5;
    let net = nodes(
        r#"[{"type": "seq2seq", "source_ids": 4, "target_ids": 6, "source": 3, "dim": 8, "hidden": 24}]"#,
    );
    // The target is the source from its end to its beginning; some are shorter.
    let sources: Vec<Vec<i64>> = (0..36)
        .map(|i| vec![i % 3 + 1, i / 3 % 3 + 1, i / 9])
        .map(|ids| ids.into_iter().filter(|&id| id != 0).collect())
        .collect();
    let padded = |ids: &[i64], length: usize| {
        let mut ids = ids.to_vec();
        ids.resize(length, 0);
        ids
    };
    let reversed = |ids: &[i64]| ids.iter().rev().copied().collect::<Vec<i64>>();
    let x = sources.iter().flat_map(|ids| {
        [padded(ids, 3), padded(&[&[START], &reversed(ids)[..]].concat(), 4)].concat()
    });
    let y = sources.iter().flat_map(|ids| padded(&[&reversed(ids)[..], &[END]].concat(), 4));
    let x = Value::new(&x.collect::<Vec<i64>>(), [36, 7]).unwrap();
    let y = Value::new(&y.collect::<Vec<i64>>(), [36, 4]).unwrap();
    let (mut store, cpu) = (learn(&net, x, y, 150), Cpu::new(1));
    let mut translator = Translator::new(&net, &cpu, 3, 4).unwrap().never(&[0, START]);
    for ids in &sources {
        let got = translator.translate(ids, [START, END], &GREEDY, &cpu, &mut store).unwrap();
        assert_eq!(got, reversed(ids), "of {ids:?}");
    }
    let outside = translator.translate(&[9], [START, END], &GREEDY, &cpu, &mut store);
    let outside = outside.unwrap_err().to_string();
    assert!(outside.contains("source_embedding (Embedding 4 → 8)"), "{outside}");
    assert!(Translator::new(&net, &cpu, 3, 5).is_ok(), "targets may be longer than in training");
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

    let shapes =
        Shapes { sample: &[8], vocabulary: Some(9), outputs: 2, places: None, table: None };
    let net = Dag::new((preset("lstm").unwrap().nodes)(&shapes).unwrap());
    net.build([1, 8], DType::I64).unwrap();
    let error = Generator::new(&net, &cpu, 8).err().unwrap().to_string();
    assert!(error.contains("looks ahead"), "{error}");
    let flat = nodes(r#"[{"type": "embedding", "num": 9, "dim": 4}, {"type": "flatten"}]"#);
    flat.build([1, 8], DType::I64).unwrap();
    let error = Generator::new(&flat, &cpu, 8).err().unwrap();
    assert!(matches!(error, TrainError::Misfit { .. }), "{error}");
    let error = Translator::new(&flat, &cpu, 4, 4).err().unwrap();
    assert!(matches!(error, TrainError::Misfit { .. }), "{error}");
}
