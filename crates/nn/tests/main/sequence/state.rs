//! What recurrent layers carry: windows of a sequence one after the other.

use thalweg_graph::{DType, Tensor, grad};
use thalweg_nn::{Carry, Forward, Gru, Lstm, Rnn, parameters};

use super::{numbers, run};
use crate::help::{assert_close, bound};

macro_rules! windows {
    ($layer:expr) => {{
        let layer = $layer;
        let mut store = bound(&layer);
        let x = numbers(&[2, 6, 3], 1);
        let (whole, end) = layer.forward_with(&x, None, None);
        let mut parts = vec![];
        let mut carry: Option<Carry> = None;
        for window in 0..3 {
            let (y, end) = layer.forward_with(&x.narrow(1, 2 * window, 2), carry.as_ref(), None);
            parts.push(y);
            carry = Some(end);
        }
        let joined = Tensor::concat(&parts, 1);
        let of = [whole, end.h, joined, carry.unwrap().h];
        let got = run(&of, &[], &mut store);
        assert_close(&got[2], &got[0], 1e-6);
        assert_close(&got[3], &got[1], 1e-6);
    }};
}

#[test]
fn windows_give_what_the_whole_gives() {
    windows!(Rnn::new(3, 4).layers(2));
    windows!(Rnn::new(3, 4).relu());
    windows!(Lstm::new(3, 4).layers(2));
    windows!(Gru::new(3, 4).layers(3));
}

#[test]
fn a_detached_state_cuts_backpropagation() {
    let lstm = Lstm::new(2, 3);
    let mut store = bound(&lstm);
    let (first, second) = (Tensor::input("a", DType::F32, [1, 4, 2]), numbers(&[1, 4, 2], 2));
    let (_, end) = lstm.forward_with(&first, None, None);
    let loss = |carry: &Carry| lstm.forward_with(&second, Some(carry), None).0.sum_all();
    let (through, cut) = (loss(&end), loss(&end.detach()));
    let slopes = |loss: &Tensor| grad(loss, std::slice::from_ref(&first)).unwrap().remove(0);
    let value = thalweg_graph::Value::new(&[0.3f32; 8], [1, 4, 2]).unwrap();
    let feed = thalweg_graph::Feed { input: first.clone(), value };
    let got = run(&[through.clone(), cut.clone()], std::slice::from_ref(&feed), &mut store);
    assert_eq!(got[0], got[1], "the values do not change");
    let got = run(&[slopes(&through), slopes(&cut)], &[feed], &mut store);
    assert!(got[0].iter().all(|&x| x != 0.0));
    assert!(got[1].iter().all(|&x| x == 0.0));
}

#[test]
fn names_are_those_of_pytorch() {
    let names: Vec<String> = parameters(&Gru::new(3, 4).layers(2).bidirectional())
        .into_iter()
        .map(|(name, param)| format!("{name} {}", param.shape()))
        .collect();
    assert_eq!(
        names[..8],
        [
            "weight_ih_l0 [12, 3]",
            "weight_hh_l0 [12, 4]",
            "bias_ih_l0 [12]",
            "bias_hh_l0 [12]",
            "weight_ih_l0_reverse [12, 3]",
            "weight_hh_l0_reverse [12, 4]",
            "bias_ih_l0_reverse [12]",
            "bias_hh_l0_reverse [12]",
        ]
    );
    assert_eq!((names.len(), names[8].as_str()), (16, "weight_ih_l1 [12, 8]"));
}

#[test]
fn weights_begin_within_one_over_the_root_of_hidden() {
    let store = bound(&Lstm::new(30, 16));
    for entry in store.entries() {
        let values = entry.value().to_f64();
        let greatest = values.iter().fold(0.0f64, |m, x| m.max(x.abs()));
        assert!((0.2..0.25).contains(&greatest), "{}: {greatest}", entry.name());
    }
}

#[test]
fn the_batch_may_come_second() {
    let lstm = Lstm::new(3, 4).layers(2);
    let mut store = bound(&lstm);
    let x = numbers(&[2, 5, 3], 1);
    let y = lstm.forward(&x);
    let other = Lstm::new(3, 4).layers(2).batch_first(false);
    let z = other.forward(&x.transpose(0, 1)).transpose(0, 1);
    let y = run(&[y], &[], &mut store);
    assert_eq!(run(&[z], &[], &mut bound(&other)), y);
}
