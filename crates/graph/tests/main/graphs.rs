//! Graphs: poison, long chains, printing, the verifier, the reference executor's promises.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use thalweg_graph::op::Op;
use thalweg_graph::{
    DType, Data, ErrorKind, Executor, Feed, Layer, NoStates, OpError, RefValue, Reference, Shape,
    StateId, Tensor, Value, grad, print, verify,
};

fn floats(tensor: &Tensor) -> Vec<f64> {
    let found = Reference::new().evaluate(std::slice::from_ref(tensor), &[], &NoStates);
    found.unwrap()[0].floats()
}

fn message(tensor: &Tensor) -> String {
    tensor.error().expect("must be poisoned").to_string()
}

#[test]
fn the_first_error_wins() {
    let x = Tensor::zeros(DType::F32, [2, 3]);
    let first = x.reshape([7]);
    let second = (x.sum(&[9]) + &first).relu();
    assert!(message(&second).contains("axis 9"), "{second:?}");
    let later = [
        &first + &x,
        &x * &first,
        1.0 - &first,
        first.sum(&[5]),
        first.matmul(&x),
        x.matmul(&first),
        first.reshape([99]),
        first.permute(&[3]),
        first.flatten(3, 1),
        first.squeeze(0),
        first.unsqueeze(8),
        first.transpose(4, 5),
        first.slice(8, 0, 1, 0),
        first.flip(&[4]),
        first.repeat(&[1, 2]),
        first.pad(&[1], &[2], 0.0),
        first.var(&[3]),
        first.one_hot(3, DType::F32),
        first.gather(2, &x),
        x.gather(7, &first),
        x.index_select(7, &first),
        first.cumsum(4),
        first.sort(4, true).0,
        first.topk(9, 9, true).1,
        x.update_slice(&first, &[9]),
        first.update_slice_at(&x, &x),
        first.cast(DType::I64),
        first.zeros_like(),
        Tensor::select(&x, &first, &x),
        Tensor::concat(&[x.clone(), first.clone()], 9),
        Tensor::stack(&[x.clone(), first.clone()], 0),
        Tensor::random_uniform(&first, 0, [2]),
    ];
    for (i, tensor) in later.iter().enumerate() {
        assert_eq!(message(tensor), message(&first), "{i}");
    }
}

#[test]
fn poison_has_no_extent_and_does_not_run() {
    let poison = Tensor::zeros(DType::F32, [2, 3]).sum(&[7]);
    assert_eq!((poison.dim(0), poison.dim(-1), poison.rank(), poison.numel()), (0, 0, 0, 1));
    assert_eq!(Tensor::zeros(DType::F32, [2]).dim(5), 0);
    let error =
        Reference::new().evaluate(std::slice::from_ref(&poison), &[], &NoStates).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Argument);
    assert!(poison.ok().is_err());
    // Even where only an update is poisoned.
    let id = StateId::fresh();
    let mut states = BTreeMap::from([(id, Value::scalar(1.0f32))]);
    let bad = Tensor::zeros(DType::F32, [2]).squeeze(0);
    assert!(Reference::new().run(&[], &[(id, bad)], &[], &mut states).is_err());
}

#[test]
fn messages_name_layer_line_and_remedy() {
    let layer = Layer::new("Linear 768 → 10");
    let x = Tensor::zeros(DType::F32, [64, 784]);
    let w = Tensor::zeros(DType::F32, [768, 10]);
    let y = layer.scope(|| x.matmul(&w));
    let unnamed = message(&y);
    assert!(unnamed.contains("Linear 768 → 10 (made at") && unnamed.contains("graphs.rs"));
    layer.set_path("head.fc1");
    let named = message(&y);
    assert!(named.starts_with("head.fc1 (Linear 768 → 10): "), "{named}");
    assert!(named.contains("[64, 784]") && named.contains("got 784 and 768"), "{named}");
    assert!(named.contains("in matmul") && named.contains("graphs.rs:"), "{named}");
    assert!(named.contains("hint: "), "{named}");
}

#[test]
fn axes_may_count_from_the_end_but_must_exist_once() {
    let x = Tensor::iota(DType::F64, [2, 3], 1);
    assert_eq!(floats(&x.sum(&[-1])), [3.0, 3.0]);
    assert_eq!(floats(&x.sum(&[1, -2])), [6.0]);
    assert!(message(&x.sum(&[1, -1])).contains("named twice in [1, -1]"));
    assert!(message(&x.sum(&[-3])).contains("axes go from 0 to 1 or from -2 to -1"));
    assert!(message(&x.sum(&[isize::MIN])).contains("out of range"));
    assert!(message(&Tensor::scalar(1.0, DType::F32).sum(&[0])).contains("a scalar has no axes"));
}

#[test]
fn too_many_elements_is_an_error() {
    let big = usize::MAX / 2;
    let x = Tensor::zeros(DType::F32, [1]);
    for tensor in [
        Tensor::zeros(DType::F32, [big, 3]),
        Tensor::zeros(DType::F32, [big, 0]),
        Tensor::input("x", DType::U8, [1 << 40, 1 << 40]),
        x.broadcast_to([big]),
        x.repeat(&[big]),
        x.pad(&[big], &[big], 0.0),
        Tensor::iota(DType::I64, [big], 0),
    ] {
        let message = message(&tensor);
        assert!(message.contains("too many elements") || message.contains("overflow"), "{message}");
    }
}

#[test]
fn a_hundred_thousand_ops_in_a_row() {
    const N: usize = 100_000;
    let x = Tensor::scalar(0.0, DType::F64);
    let mut y = x.clone();
    for _ in 0..N {
        y = y + 1.0;
    }
    assert_eq!(floats(&y), [N as f64]);
    verify(std::slice::from_ref(&y)).unwrap();
    let slope = grad(&y, &[x]).unwrap().remove(0);
    drop(y);
    assert_eq!(floats(&slope), [1.0]);
}

#[test]
fn text_numbers_nodes_and_names_layers() {
    let layer = Layer::new("Linear 784 → 10");
    layer.set_path("layers.0");
    let (x, w) = (Tensor::input("x", DType::F32, [64, 784]), Tensor::zeros(DType::F32, [784, 10]));
    let y = layer.scope(|| x.matmul(&w)).sum(&[1]);
    let text = print::text(std::slice::from_ref(&y));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 5, "{text}");
    assert!(lines[0].starts_with("%1 = input()") && lines[0].ends_with(" f32[64, 784]"), "{text}");
    assert_eq!(lines[2], "%3 = matmul(%1, %2) f32[64, 10]  // layers.0 (Linear 784 → 10)");
    assert_eq!(lines[3], "%4 = sum(%3) { kind: Sum, axes: [1] } f32[64]");
    assert_eq!(lines[4], "return %4");
    let dot = print::dot(&[y]);
    assert!(dot.contains("n1 -> n3;") && dot.contains("n3 -> n4;"), "{dot}");
    assert!(dot.contains("label=\"layers.0 (Linear 784 → 10)\""), "{dot}");
    assert!(dot.contains("n4 [label=\"sum\\nf32[64]\", peripheries=2];"), "{dot}");
}

/// An op whose shape rule changes its mind.
#[derive(Debug)]
struct Fickle(AtomicBool);

impl Op for Fickle {
    fn name(&self) -> &'static str {
        "fickle"
    }
    fn infer(&self, _: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let extent = if self.0.fetch_xor(true, Ordering::Relaxed) { 3 } else { 2 };
        Ok(([extent].into(), DType::F32))
    }
    fn reference(&self, _: &[RefValue], _: &Shape, _: DType) -> Result<Data, OpError> {
        Ok(Data::Float(vec![0.0; 2]))
    }
}

#[test]
fn the_verifier_finds_broken_nodes() {
    let broken = Tensor::from_op(Fickle(AtomicBool::new(false)), &[]).relu();
    let error = verify(&[broken]).unwrap_err();
    assert_eq!((error.kind(), error.op()), (ErrorKind::Internal, "fickle"));
    assert!(error.to_string().contains("the node is f32[2], its op's rule says f32[3]"), "{error}");
    let poison = Tensor::zeros(DType::F32, [2]).sum(&[4]);
    let error = verify(&[poison]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.to_string().contains("axis 4 is out of range"), "{error}");
}

#[test]
fn updates_see_old_values_and_are_all_or_nothing() {
    let (a, b) = (StateId::fresh(), StateId::fresh());
    let read = |id, name| Tensor::state(id, name, DType::F32, []);
    let (ta, tb) = (read(a, "a"), read(b, "b"));
    let mut states = BTreeMap::from([(a, Value::scalar(1.0f32)), (b, Value::scalar(10.0f32))]);
    let swap = [(a, &tb + 1.0), (b, ta.clone())];
    let out = Reference::new().run(&[&ta + &tb], &swap, &[], &mut states).unwrap();
    assert_eq!(out[0].item(), Some(11.0));
    assert_eq!((states[&a].item(), states[&b].item()), (Some(11.0), Some(1.0)));

    let before = states.clone();
    let one = Tensor::scalar(1.0, DType::F32);
    let unknown = [(a, one.clone()), (StateId::fresh(), one.clone())];
    let error = Reference::new().run(&[], &unknown, &[], &mut states).unwrap_err();
    assert!(error.to_string().contains("updates an unknown state"), "{error}");
    let misshaped = [(a, one.clone()), (b, Tensor::zeros(DType::F32, [2]))];
    let error = Reference::new().run(&[], &misshaped, &[], &mut states).unwrap_err();
    assert!(error.to_string().contains("updates a state of f32[] with f32[2]"), "{error}");
    let label = Tensor::new(&[12i64], [1]).check_range(0, 10, "label");
    let failing = [(a, one), (b, label.cast(DType::F32).reshape([]))];
    let error = Reference::new().run(&[], &failing, &[], &mut states).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Value);
    assert!(error.to_string().contains("label 12 at [0] is outside 0..10"), "{error}");
    assert_eq!(states, before);
}

#[test]
fn a_feed_must_fit_its_input() {
    let x = Tensor::input("x", DType::F32, [2]);
    let feed = |value| [Feed { input: x.clone(), value }];
    let run =
        |value| Reference::new().run(std::slice::from_ref(&x), &[], &feed(value), &mut NoStates);
    assert!(run(Value::from_slice(&[1.0f32, 2.0])).is_ok());
    let error = run(Value::from_slice(&[1.0f64, 2.0])).unwrap_err();
    assert!(error.to_string().contains("expects f32[2], got f64[2]"), "{error}");
    assert!(run(Value::from_slice(&[1.0f32])).is_err());
}
