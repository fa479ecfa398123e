//! Every activation: values and gradients at and around 0, far away, and along each axis.

use serde::Deserialize;
use thalweg_graph::{Executor, NoStates, Tensor, grad};
use thalweg_nn::Activations;

use super::{DOUBLE, Packed, Precision, SINGLE, evaluate, executors, read};

#[derive(Deserialize)]
struct Case {
    name: String,
    args: Vec<f64>,
    x: Packed,
    g: Packed,
    h: Packed,
    y: Packed,
    dx: Packed,
    ddx: Packed,
    weight: Option<Packed>,
    dweight: Option<Packed>,
}

impl Case {
    fn apply(&self, x: &Tensor, weight: Option<&Tensor>) -> Tensor {
        match (self.name.as_str(), &self.args[..], weight) {
            ("relu", [], None) => x.relu(),
            ("sigmoid", [], None) => x.sigmoid(),
            ("tanh", [], None) => x.tanh(),
            ("softplus", [], None) => x.softplus(),
            ("gelu", [], None) => x.gelu(),
            ("gelu_tanh", [], None) => x.gelu_tanh(),
            ("silu", [], None) => x.silu(),
            ("log_sigmoid", [], None) => x.log_sigmoid(),
            ("leaky_relu", &[alpha], None) => x.leaky_relu(alpha),
            ("elu", &[alpha], None) => x.elu(alpha),
            ("softmax", &[axis], None) => x.softmax(axis as isize),
            ("log_softmax", &[axis], None) => x.log_softmax(axis as isize),
            ("prelu", [], Some(weight)) => x.prelu(weight),
            other => panic!("no activation is called {other:?}"),
        }
    }

    /// Without the places x = 0 of elu, whose curvature jumps there: ours is the left side's, as the slope is, PyTorch's the
    /// right side's.
    fn off_the_kink(&self, all: &[f64]) -> Vec<f64> {
        let counts = |x: f64| self.name != "elu" || x != 0.0;
        self.x.data.iter().zip(all).filter(|(x, _)| counts(**x)).map(|(_, &y)| y).collect()
    }

    fn check(&self, executor: &dyn Executor, precision: Precision) {
        let x = self.x.input("x", precision.dtype);
        let mut feeds = vec![self.x.feed(&x)];
        let mut leaves = vec![x.clone()];
        let weight = self.weight.as_ref().map(|packed| {
            let weight = packed.input("weight", precision.dtype);
            feeds.push(packed.feed(&weight));
            leaves.push(weight.clone());
            weight
        });
        let y = self.apply(&x, weight.as_ref());
        let loss = (&y * self.g.constant(precision.dtype)).sum_all();
        let slopes = grad(&loss, &leaves).unwrap();
        let along = (&slopes[0] * self.h.constant(precision.dtype)).sum_all();
        let mut of = vec![y, grad(&along, &[x]).unwrap().remove(0)];
        of.extend(slopes);
        let got = evaluate(executor, &of, &feeds, &mut NoStates);
        let name = &self.name;
        precision.compare(name, &got[0], &self.y.data);
        // 1 − tanh² and the like cancel, which shows in single precision.
        let coarse = Precision { tolerance: 10.0 * precision.tolerance, ..precision };
        let (got_ddx, ddx) = (self.off_the_kink(&got[1]), self.off_the_kink(&self.ddx.data));
        coarse.compare(&format!("{name}'s curvature"), &got_ddx, &ddx);
        precision.compare(&format!("{name}'s slope"), &got[2], &self.dx.data);
        if let Some(dweight) = &self.dweight {
            precision.compare(&format!("{name}'s slope of weight"), &got[3], &dweight.data);
        }
    }
}

#[test]
fn activations_are_those_of_pytorch() {
    let cases: Vec<Case> = read(include_str!("../../golden/activations.json"));
    assert_eq!(cases.len(), 24);
    for case in cases {
        for executor in executors() {
            case.check(&*executor, DOUBLE);
            case.check(&*executor, SINGLE);
        }
    }
}
