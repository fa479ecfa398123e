//! Every layer: output, gradients by input and parameters, running statistics afterwards.

use std::collections::BTreeMap;

use serde::Deserialize;
use thalweg_graph::{DType, Executor, Feed, RefValue, Reference, grad};
use thalweg_nn::parameters;
use thalweg_nn::{
    BatchNorm1d, Embedding, Forward, LayerNorm, Linear, Mode, Network, Store, context,
};

use super::{Packed, Precision, SINGLE, evaluate, executors, read};

#[derive(Deserialize)]
struct Case {
    name: String,
    args: Vec<usize>,
    train: bool,
    steps: usize,
    x: Packed,
    g: Packed,
    y: Packed,
    before: BTreeMap<String, Packed>,
    after: BTreeMap<String, Packed>,
    dx: Option<Packed>,
    grads: BTreeMap<String, Packed>,
}

impl Case {
    fn layer(&self) -> Box<dyn Network> {
        match (self.name.as_str(), &self.args[..]) {
            ("linear", &[i, o]) if self.before.contains_key("bias") => Box::new(Linear::new(i, o)),
            ("linear", &[i, o]) => Box::new(Linear::without_bias(i, o)),
            ("batch_norm1d", &[channels]) => Box::new(BatchNorm1d::new(channels)),
            ("layer_norm", shape) => Box::new(LayerNorm::new(shape)),
            ("embedding", &[num, dim]) => Box::new(Embedding::new(num, dim)),
            ("embedding_padded", &[num, dim, row]) => {
                Box::new(Embedding::new(num, dim).padding_idx(row))
            }
            other => panic!("no layer is called {other:?}"),
        }
    }

    /// Layers are `f32`; the wide reference executor computes them in `f64` all the same.
    fn check(&self, executor: &dyn Executor, precision: Precision) {
        let layer = self.layer();
        let mut store = Store::new(0);
        store.bind(&layer).unwrap();
        for (name, packed) in &self.before {
            *store.value_mut(name).unwrap() = packed.value(DType::F32);
        }
        assert_eq!(store.entries().len(), self.before.len(), "{}", self.name);

        let x = self.x.input("x", DType::F32);
        let mode = if self.train { Mode::Train } else { Mode::Eval };
        let step = context::trace(mode, &context::fixed_key(0, 0), || layer.forward(&x));
        let loss = (&step.result * self.g.constant(DType::F32)).sum_all();
        let params = parameters(&layer);
        let mut wrt: Vec<_> = params.iter().map(|(_, param)| param.tensor()).collect();
        wrt.extend(self.dx.is_some().then(|| x.clone()));
        let mut of = vec![step.result.clone()];
        of.extend(grad(&loss, &wrt).unwrap());
        let feeds = [self.x.feed(&x)];
        let got = match precision.tolerance < 1e-6 {
            true => {
                let wide = Reference::wide().evaluate(&of, &feeds, &store).unwrap();
                wide.iter().map(RefValue::floats).collect()
            }
            false => evaluate(executor, &of, &feeds, &mut store),
        };

        let name = format!("{}{:?}", self.name, self.args);
        precision.compare(&name, &got[0], &self.y.data);
        assert_eq!(params.len(), self.grads.len(), "{name}");
        for ((path, _), slope) in params.iter().zip(&got[1..]) {
            precision.compare(&format!("{name}'s {path}"), slope, &self.grads[path].data);
        }
        if let Some(dx) = &self.dx {
            precision.compare(&format!("{name}'s x"), &got[got.len() - 1], &dx.data);
        }

        let feed = Feed { input: x.clone(), value: self.x.value(x.dtype()) };
        for _ in 0..self.steps {
            let feeds = std::slice::from_ref(&feed);
            executor.run(&[], &step.writes, feeds, &mut store).unwrap();
        }
        for (path, packed) in &self.after {
            let value = store.value(path).unwrap();
            assert_eq!(value.dtype(), packed.dtype(DType::F32), "{name}'s {path}");
            // The store keeps f32.
            SINGLE.compare(&format!("{name}'s {path}"), &value.to_f64(), &packed.data);
        }
    }
}

#[test]
fn layers_are_those_of_pytorch() {
    let cases: Vec<Case> = read(include_str!("../../golden/layers.json"));
    assert_eq!(cases.len(), 12);
    for case in cases {
        case.check(&Reference::wide(), Precision { dtype: DType::F32, tolerance: 1e-11 });
        for executor in executors() {
            case.check(&*executor, Precision { tolerance: 1e-5, ..SINGLE });
        }
    }
}
