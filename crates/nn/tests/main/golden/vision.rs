//! The layers over space, as a config spells them: output, gradients, and the state after five steps of SGD.

use std::collections::BTreeMap;

use serde::Deserialize;
use thalweg_graph::{DType, Executor, Feed, RefValue, Reference, Shape, Tensor, grad};
use thalweg_nn::optim::Sgd;
use thalweg_nn::{
    LayerSpec, Mode, Network, Store, Trace, Updater, context, losses::mse, parameters,
};

use super::{Packed, Precision, SINGLE, evaluate, executors, read};

#[derive(Deserialize)]
struct Case {
    layer: LayerSpec,
    train: bool,
    x: Packed,
    g: Packed,
    y: Packed,
    dx: Packed,
    before: BTreeMap<String, Packed>,
    grads: BTreeMap<String, Packed>,
    #[serde(default)]
    after: BTreeMap<String, Packed>,
}

impl Case {
    fn bound(&self) -> (Box<dyn Network>, Store) {
        let layer = self.layer.build(&Shape::from(&self.x.shape)).unwrap();
        let mut store = Store::new(0);
        store.bind(&layer).unwrap();
        assert_eq!(store.entries().len(), self.before.len(), "{:?}", self.layer);
        for (name, packed) in &self.before {
            let value = store.value_mut(name).unwrap();
            assert_eq!(value.shape().dims(), packed.shape, "{:?}: {name}", self.layer);
            *value = packed.value(DType::F32);
        }
        (layer, store)
    }

    fn forward(&self, layer: &dyn Network, x: &Tensor) -> Trace<Tensor> {
        let mode = if self.train { Mode::Train } else { Mode::Eval };
        context::trace(mode, &context::fixed_key(0, 0), || layer.forward(x))
    }

    /// Layers are `f32`; the wide reference executor computes them in `f64` all the same.
    fn check_gradients(&self, executor: &dyn Executor, precision: Precision) {
        let (layer, mut store) = self.bound();
        let x = self.x.input("x", DType::F32);
        let y = self.forward(&layer, &x).result.ok().unwrap();
        let loss = (&y * self.g.constant(DType::F32)).sum_all();
        let params = parameters(&layer);
        let mut wrt: Vec<_> = params.iter().map(|(_, param)| param.tensor()).collect();
        wrt.push(x.clone());
        let mut of = vec![y];
        of.extend(grad(&loss, &wrt).unwrap());
        let feeds = [self.x.feed(&x)];
        let got: Vec<Vec<f64>> = match precision.tolerance < 1e-6 {
            true => {
                let wide = Reference::wide().evaluate(&of, &feeds, &store).unwrap();
                wide.iter().map(RefValue::floats).collect()
            }
            false => evaluate(executor, &of, &feeds, &mut store),
        };
        let name = format!("{:?}", self.layer);
        assert_eq!(of[0].shape().dims(), self.y.shape, "{name}");
        precision.compare(&name, &got[0], &self.y.data);
        assert_eq!(params.len(), self.grads.len(), "{name}");
        for ((path, _), slope) in params.iter().zip(&got[1..]) {
            precision.compare(&format!("{name}'s {path}"), slope, &self.grads[path].data);
        }
        precision.compare(&format!("{name}'s x"), &got[got.len() - 1], &self.dx.data);
    }

    fn check_steps(&self, executor: &dyn Executor, precision: Precision) {
        let (layer, mut store) = self.bound();
        let x = self.x.input("x", DType::F32);
        let Trace { result, mut writes, .. } = self.forward(&layer, &x);
        let loss = mse(&result, &self.g.constant(DType::F32));
        let params = parameters(&layer);
        if !params.is_empty() {
            let tensors: Vec<_> = params.iter().map(|(_, param)| param.tensor()).collect();
            let grads = grad(&loss, &tensors).unwrap();
            let updater = Updater::new(Sgd { momentum: 0.9, ..Sgd::default() });
            let lr = Tensor::scalar(0.1, DType::F64);
            let step = updater.build(&mut store, &params, &grads, &loss, &lr).unwrap();
            writes.extend(step.writes);
        }
        let feed = Feed { input: x.clone(), value: self.x.value(x.dtype()) };
        for _ in 0..5 {
            executor.run(&[], &writes, std::slice::from_ref(&feed), &mut store).unwrap();
        }
        for (path, packed) in &self.after {
            let name = format!("{:?}'s {path} after five steps", self.layer);
            precision.compare(&name, &store.value(path).unwrap().to_f64(), &packed.data);
        }
    }
}

#[test]
fn layers_over_space_are_those_of_pytorch() {
    let cases: Vec<Case> = read(include_str!("../../golden/vision.json"));
    assert_eq!(cases.len(), 68);
    for case in cases {
        case.check_gradients(&Reference::wide(), Precision { dtype: DType::F32, tolerance: 1e-11 });
        for executor in executors() {
            case.check_gradients(&*executor, Precision { tolerance: 1e-5, ..SINGLE });
            case.check_steps(&*executor, Precision { tolerance: 1e-5, ..SINGLE });
        }
    }
}
