//! Recurrent layers, attention and Transformer layers: outputs, gradients by inputs and parameters, five steps of SGD.

use std::collections::BTreeMap;

use serde::Deserialize;
use thalweg_graph::{DType, Executor, Feed, RefValue, Reference, Tensor, Value, grad};
use thalweg_nn::layers::length_mask;
use thalweg_nn::optim::Sgd;
use thalweg_nn::{
    Carry, Gru, Lstm, Mode, Module, MultiheadAttention, Rnn, Store, TransformerDecoderLayer,
    TransformerEncoder, TransformerEncoderLayer, Updater, context, parameters,
};

use super::{Packed, Precision, SINGLE, evaluate, executors, read};

#[derive(Debug, Deserialize)]
struct Spec {
    r#type: String,
    #[serde(default)]
    layers: usize,
    #[serde(default)]
    bidirectional: bool,
    #[serde(default)]
    heads: usize,
    #[serde(default)]
    causal: bool,
    #[serde(default)]
    rotary: bool,
    #[serde(default)]
    norm_first: bool,
    #[serde(default)]
    gelu: bool,
}

#[derive(Deserialize)]
struct Case {
    layer: Spec,
    inputs: Vec<Packed>,
    before: BTreeMap<String, Packed>,
    lengths: Option<Packed>,
    outputs: Vec<Packed>,
    cotangents: Vec<Packed>,
    dinputs: Vec<Packed>,
    grads: BTreeMap<String, Packed>,
    after: BTreeMap<String, Packed>,
}

/// The outputs for inputs and lengths.
type Run = Box<dyn Fn(&[Tensor], Option<&Tensor>) -> Vec<Tensor>>;

/// The feed-forward size of the golden Transformer layers.
const FEEDFORWARD: usize = 6;

/// The options that an encoder and a decoder layer share.
macro_rules! transformer {
    ($layer:ident, $dim:expr, $spec:expr) => {{
        let layer = $layer::new($dim, $spec.heads).feedforward(FEEDFORWARD).dropout(0.0);
        let layer = if $spec.norm_first { layer.norm_first() } else { layer };
        if $spec.gelu { layer.gelu() } else { layer }
    }};
}

/// A recurrent layer and how it runs: inputs x, h, c; outputs y, h, c.
macro_rules! recurrent {
    ($layer:expr, $spec:expr) => {{
        let layer = $layer.layers($spec.layers);
        let layer = if $spec.bidirectional { layer.bidirectional() } else { layer };
        let run = layer.clone();
        let run: Run = Box::new(move |x, lengths| {
            let start = x.get(1).map(|h| Carry { h: h.clone(), c: x.get(2).cloned() });
            let (y, end) = run.forward_with(&x[0], start.as_ref(), lengths);
            [Some(y), Some(end.h), end.c].into_iter().flatten().collect()
        });
        (Box::new(layer), run)
    }};
}

fn keep(lengths: Option<&Tensor>, of: &Tensor) -> Option<Tensor> {
    lengths.map(|lengths| length_mask(lengths, of.dim(1)))
}

impl Case {
    /// The layer, and how it runs.
    fn layer(&self) -> (Box<dyn Module>, Run) {
        let (spec, dim) = (&self.layer, self.inputs[0].shape[2]);
        let hidden = self.outputs[1 % self.outputs.len()].shape[2];
        let encoder = || {
            let layer = transformer!(TransformerEncoderLayer, dim, spec);
            if spec.causal { layer.causal() } else { layer }
        };
        match spec.r#type.as_str() {
            "rnn" => recurrent!(Rnn::new(dim, hidden), spec),
            "rnn_relu" => recurrent!(Rnn::new(dim, hidden).relu(), spec),
            "lstm" => recurrent!(Lstm::new(dim, hidden), spec),
            "gru" => recurrent!(Gru::new(dim, hidden), spec),
            "attention" => {
                let layer = MultiheadAttention::new(dim, spec.heads);
                let layer = if spec.causal { layer.causal() } else { layer };
                let layer = if spec.rotary { layer.rotary() } else { layer };
                let run = layer.clone();
                let run: Run = Box::new(move |x, lengths| {
                    let (q, k, v) = (&x[0], &x[1 % x.len()], &x[x.len() - 1]);
                    vec![run.attend(q, k, v, keep(lengths, k).as_ref())]
                });
                (Box::new(layer), run)
            }
            "encoder_layer" => {
                let layer = encoder();
                let run = layer.clone();
                let run: Run = Box::new(move |x, lengths| {
                    vec![run.forward_with(&x[0], keep(lengths, &x[0]).as_ref())]
                });
                (Box::new(layer), run)
            }
            "encoder" => {
                let stack = TransformerEncoder::new(vec![encoder(), encoder()]);
                let stack = if spec.norm_first { stack.norm() } else { stack };
                let run = stack.clone();
                let run: Run = Box::new(move |x, lengths| {
                    vec![run.forward_with(&x[0], keep(lengths, &x[0]).as_ref())]
                });
                (Box::new(stack), run)
            }
            "decoder_layer" => {
                let layer = transformer!(TransformerDecoderLayer, dim, spec);
                let run = layer.clone();
                let run: Run = Box::new(move |x, lengths| {
                    vec![run.forward_with(&x[0], &x[1], keep(lengths, &x[1]).as_ref())]
                });
                (Box::new(layer), run)
            }
            other => panic!("no layer is called {other:?}"),
        }
    }

    fn name(&self) -> String {
        format!("{:?} with {:?}", self.layer, self.lengths.as_ref().map(|packed| &packed.data))
    }

    /// Layers are `f32`; the wide reference executor computes them in `f64` all the same.
    fn check(&self, executor: &dyn Executor, precision: Precision) {
        let (name, (layer, run)) = (self.name(), self.layer());
        let mut store = Store::new(0);
        store.bind(&layer).unwrap();
        for (path, packed) in &self.before {
            let value = store.value_mut(path);
            *value.unwrap_or_else(|| panic!("{name} has no {path}")) = packed.value(DType::F32);
        }
        assert_eq!(store.entries().len(), self.before.len(), "{name}");

        let inputs: Vec<Tensor> = self.inputs.iter().map(|x| x.input("x", DType::F32)).collect();
        let lengths = self.lengths.as_ref().map(|lengths| lengths.constant(DType::F32));
        let key = context::fixed_key(0, 0);
        let outputs = context::trace(Mode::Train, &key, || run(&inputs, lengths.as_ref())).result;
        assert_eq!(outputs.len(), self.outputs.len(), "{name}");
        let terms = outputs.iter().zip(&self.cotangents);
        let loss = terms
            .map(|(y, g)| (y * g.constant(DType::F32)).sum_all())
            .reduce(|a, b| a + b)
            .unwrap();
        let params = parameters(&layer);
        let mut wrt: Vec<Tensor> = params.iter().map(|(_, param)| param.tensor()).collect();
        wrt.extend(inputs.iter().cloned());
        let grads = grad(&loss, &wrt).unwrap();
        let of = [&outputs[..], &grads].concat();
        let feeds: Vec<_> = self.inputs.iter().zip(&inputs).map(|(x, to)| x.feed(to)).collect();
        let got: Vec<Vec<f64>> = match precision.tolerance < 1e-6 {
            true => {
                let wide = Reference::wide().evaluate(&of, &feeds, &store).unwrap();
                wide.iter().map(RefValue::floats).collect()
            }
            false => evaluate(executor, &of, &feeds, &mut store),
        };
        let (ys, rest) = got.split_at(outputs.len());
        let (of_params, of_inputs) = rest.split_at(params.len());
        for (got, want) in ys.iter().zip(&self.outputs) {
            precision.compare(&name, got, &want.data);
        }
        for ((path, _), got) in params.iter().zip(of_params) {
            precision.compare(&format!("{path} of {name}"), got, &self.grads[path].data);
        }
        for (got, want) in of_inputs.iter().zip(&self.dinputs) {
            precision.compare(&format!("an input of {name}"), got, &want.data);
        }

        let updater = Updater::new(Sgd { momentum: 0.9, ..Sgd::default() });
        let lr = Tensor::scalar(0.02, DType::F64);
        let step = updater.build(&mut store, &params, &grads[..params.len()], &loss, &lr).unwrap();
        let feeds: Vec<Feed<Value>> = (self.inputs.iter().zip(&inputs))
            .map(|(x, to)| Feed { input: to.clone(), value: x.value(DType::F32) })
            .collect();
        for _ in 0..5 {
            executor.run(&[], &step.writes, &feeds, &mut store).unwrap();
        }
        for (path, packed) in &self.after {
            // The store keeps f32.
            let loose = Precision { tolerance: precision.tolerance.max(1e-5), ..SINGLE };
            let got = store.value(path).unwrap().to_f64();
            loose.compare(&format!("{path} of {name} after five steps"), &got, &packed.data);
        }
    }
}

/// In `f64`, then in `f32` on every executor.
fn check_all(cases: &[Case]) {
    for case in cases {
        case.check(&Reference::wide(), Precision { dtype: DType::F32, tolerance: 1e-11 });
        for executor in executors() {
            case.check(&*executor, Precision { tolerance: 1e-5, ..SINGLE });
        }
    }
}

#[test]
fn recurrent_layers_are_those_of_pytorch() {
    let cases: Vec<Case> = read(include_str!("../../golden/recurrent.json"));
    assert_eq!(cases.len(), 20);
    check_all(&cases);
}

#[test]
fn attention_and_transformer_layers_are_those_of_pytorch() {
    let cases: Vec<Case> = read(include_str!("../../golden/attention.json"));
    assert_eq!(cases.len(), 15);
    check_all(&cases);
}
