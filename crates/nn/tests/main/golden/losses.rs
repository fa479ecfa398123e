//! Every loss in its variants: values and gradients. The configs are read as a config file's are.

use serde::Deserialize;
use thalweg_graph::{NoStates, Reference, Tensor, grad};
use thalweg_nn::Loss;
use thalweg_nn::losses::{Reduction, cosine_embedding};

use super::{DOUBLE, Packed, SINGLE, evaluate, executors, read};

#[derive(Deserialize)]
struct Case {
    loss: Loss,
    prediction: Packed,
    target: Packed,
    value: f64,
    grad: Packed,
}

#[test]
fn losses_are_those_of_pytorch() {
    let cases: Vec<Case> = read(include_str!("../../golden/losses.json"));
    assert!(cases.len() > 50);
    for case in cases {
        for precision in [DOUBLE, SINGLE] {
            let prediction = case.prediction.input("prediction", precision.dtype);
            let target = case.target.input("target", precision.dtype);
            let loss = case.loss.compute(&prediction, &target);
            let slope = grad(&loss, std::slice::from_ref(&prediction)).unwrap();
            let feeds = [case.prediction.feed(&prediction), case.target.feed(&target)];
            let of = [loss, slope[0].clone()];
            for executor in executors() {
                let got = evaluate(&*executor, &of, &feeds, &mut NoStates);
                let what = format!("{:?}", case.loss);
                precision.compare(&what, &got[0], &[case.value]);
                precision.compare(&format!("slope of {what}"), &got[1], &case.grad.data);
            }
        }
    }
}

#[test]
fn cosine_embedding_of_pairs_is_that_of_pytorch() {
    #[derive(Deserialize)]
    struct Pairs {
        a: Packed,
        b: Packed,
        labels: Packed,
        margin: f64,
        value: f64,
        grad: Packed,
    }
    let pairs: Pairs = read(include_str!("../../golden/cosine.json"));
    for precision in [DOUBLE, SINGLE] {
        let [a, b, labels]: [Tensor; 3] =
            [&pairs.a, &pairs.b, &pairs.labels].map(|packed| packed.constant(precision.dtype));
        let loss = cosine_embedding(&a, &b, &labels, pairs.margin, Reduction::Mean);
        let slope = grad(&loss, &[a]).unwrap();
        let got = evaluate(&Reference::new(), &[loss, slope[0].clone()], &[], &mut NoStates);
        precision.compare("cosine_embedding", &got[0], &[pairs.value]);
        precision.compare("slope of cosine_embedding", &got[1], &pairs.grad.data);
    }
}
