//! Every optimizer in its variants: the parameters of a small network after each of five steps.

use serde::Deserialize;
use thalweg_graph::{DType, Executor, States, Tensor, grad};
use thalweg_nn::losses::mse;
use thalweg_nn::{EntryKind, Init, Module, Param, Store, Updater, Visitor};

use super::{DOUBLE, Packed, Precision, SINGLE, executors, read};

#[derive(Deserialize)]
struct Golden {
    x: Packed,
    y: Packed,
    w: Packed,
    b: Packed,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    updater: Updater,
    lr: f64,
    steps: Vec<After>,
}

#[derive(Deserialize)]
struct After {
    norm: f64,
    w: Vec<f64>,
    b: Vec<f64>,
}

struct Net {
    weight: Param,
    bias: Param,
}

impl Module for Net {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.param("layer.weight", &self.weight);
        visitor.param("layer.bias", &self.bias);
    }
}

impl Golden {
    fn check(&self, executor: &dyn Executor, case: &Case, precision: Precision) {
        let dtype = precision.dtype;
        let param = |packed: &Packed| Param::buffer("", dtype, &packed.shape, Init::Zeros);
        let net = Net { weight: param(&self.w), bias: param(&self.b) };
        let mut store = Store::new(0);
        store.bind(&net).unwrap();
        *store.value_mut("layer.weight").unwrap() = self.w.value(dtype);
        *store.value_mut("layer.bias").unwrap() = self.b.value(dtype);

        let (w, b) = (net.weight.tensor(), net.bias.tensor());
        let output = (self.x.constant(dtype).matmul(&w.t()) + &b).tanh();
        let loss = mse(&output, &self.y.constant(dtype));
        let grads = grad(&loss, &[w, b]).unwrap();
        let params = [
            ("layer.weight".to_owned(), net.weight.clone()),
            ("layer.bias".to_owned(), net.bias.clone()),
        ];
        let lr = Tensor::scalar(case.lr, DType::F64);
        let step = case.updater.build(&mut store, &params, &grads, &loss, &lr).unwrap();
        let read = |store: &Store, param: &Param| store.get(param.id()).unwrap().to_f64();
        for (n, after) in case.steps.iter().enumerate() {
            let outputs = [step.grad_norm.clone(), step.applied.clone()];
            let seen = executor.run(&outputs, &step.writes, &[], &mut store).unwrap();
            let what = format!("step {} of {:?}", n + 1, case.updater);
            precision.compare(&format!("norm in {what}"), &seen[0].to_f64(), &[after.norm]);
            assert_eq!(seen[1].to_f64(), [1.0]);
            precision.compare(&format!("w in {what}"), &read(&store, &net.weight), &after.w);
            precision.compare(&format!("b in {what}"), &read(&store, &net.bias), &after.b);
        }
        assert_eq!(store.value("optim.step").unwrap().to_i64(), [case.steps.len() as i64]);
        let of = |kind| store.entries().filter(|entry| entry.kind() == kind).count();
        let trained = if case.updater.is_frozen("layer.bias") { 1 } else { 2 };
        assert_eq!(of(EntryKind::Optimizer), trained * case.updater.optimizer.slots().len());
    }
}

#[test]
fn optimizers_are_those_of_pytorch() {
    let golden: Golden = read(include_str!("../../golden/optimizers.json"));
    assert_eq!(golden.cases.len(), 23);
    for case in &golden.cases {
        for executor in executors() {
            golden.check(&*executor, case, DOUBLE);
            // Adam and RMSprop divide by the gradient's size, which magnifies the rounding of small gradients.
            golden.check(&*executor, case, Precision { tolerance: 1e-5, ..SINGLE });
        }
    }
}
