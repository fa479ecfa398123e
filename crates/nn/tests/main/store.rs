//! Binding, sharing, files.

use thalweg_graph::{DType, States, Tensor, Value, grad};
use thalweg_nn::{
    Embedding, EntryKind, Forward, Init, Linear, Module, Param, Sequential, Store, StoreError,
    Visitor, parameters,
};

use crate::help::{bound, set, value};

#[derive(Module)]
struct Tied {
    first: Linear,
    second: Linear,
}

impl Tied {
    fn new() -> Tied {
        let first = Linear::without_bias(2, 2);
        let second = Linear::from_params(first.weight().clone(), None);
        Tied { first, second }
    }
}

impl Forward for Tied {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.second.forward(&self.first.forward(x))
    }
}

#[test]
fn a_shared_parameter_is_one_entry_with_an_alias() {
    let net = Tied::new();
    let store = bound(&net);
    let names: Vec<&str> = store.entries().map(|entry| entry.name()).collect();
    assert_eq!(names, ["first.weight"]);
    let alias = ("second.weight".to_owned(), "first.weight".to_owned());
    assert_eq!(store.aliases(), [alias]);
    assert_eq!(store.id_of("second.weight"), store.id_of("first.weight"));
    assert_eq!(store.numel(), 4);
    assert_eq!(parameters(&net).len(), 1);
}

#[test]
fn a_shared_parameter_gets_the_sum_of_its_gradients() {
    // loss = Σ W·(W·x); with w = W as a list, dL/dW = 1·(W·x)ᵀ + (Wᵀ·1)·xᵀ.
    let net = Tied::new();
    let mut store = bound(&net);
    set(&mut store, "first.weight", &[1.0, 2.0, 3.0, 4.0]);
    let x = Tensor::new(&[5.0f32, 6.0], [1, 2]);
    let loss = net.forward(&x).sum_all();
    let gradient = &grad(&loss, &[net.first.weight().tensor()]).unwrap()[0];
    let (wx, wt1) = ([17.0, 39.0], [4.0, 6.0]);
    let want =
        [wx[0] + wt1[0] * 5.0, wx[1] + wt1[0] * 6.0, wx[0] + wt1[1] * 5.0, wx[1] + wt1[1] * 6.0];
    assert_eq!(value(gradient, &store), want);
}

#[test]
fn embedding_and_output_share_a_table() {
    let table = Embedding::new(7, 3);
    let output = Linear::from_params(table.weight().clone(), None);
    let net = (table, output);
    let store = bound(&net);
    assert_eq!(store.entries().len(), 1);
    let ids = Tensor::new(&[2i64, 6], [2]);
    assert_eq!(net.1.forward(&net.0.forward(&ids)).shape().dims(), [2, 7]);
}

#[test]
fn binding_again_changes_nothing() {
    let net = Tied::new();
    let mut store = bound(&net);
    set(&mut store, "first.weight", &[1.0, 2.0, 3.0, 4.0]);
    store.bind(&net).unwrap();
    assert_eq!(store.entries().len(), 1);
    assert_eq!(store.aliases().len(), 1);
    assert_eq!(store.value("first.weight").unwrap().to_f64(), [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn initial_values_depend_on_seed_and_path_alone() {
    let start = |seed: u64, net: &dyn Module, name: &str| {
        let mut store = Store::new(seed);
        store.bind(net).unwrap();
        store.value(name).unwrap().clone()
    };
    #[derive(Module)]
    struct Before {
        extra: Linear,
        head: Linear,
    }
    #[derive(Module)]
    struct Alone {
        head: Linear,
    }
    let before = Before { extra: Linear::new(9, 9), head: Linear::new(4, 4) };
    let alone = Alone { head: Linear::new(4, 4) };
    assert_eq!(start(1, &before, "head.weight"), start(1, &alone, "head.weight"));
    assert_ne!(start(1, &alone, "head.weight"), start(2, &alone, "head.weight"));
    let twins = [Linear::new(4, 4), Linear::new(4, 4)];
    assert_ne!(start(1, &twins, "0.weight"), start(1, &twins, "1.weight"));
}

#[test]
fn linear_begins_as_in_pytorch() {
    let store = bound(&Linear::new(16, 64));
    let (weight, bias) = (store.value("weight").unwrap(), store.value("bias").unwrap());
    assert_eq!((weight.shape().dims(), bias.shape().dims()), (&[64, 16][..], &[64][..]));
    for values in [weight.to_f64(), bias.to_f64()] {
        assert!(values.iter().all(|x| x.abs() <= 0.25));
        assert!(values.iter().any(|x| x.abs() > 0.2), "±1/√16 should be nearly reached");
    }
}

#[test]
fn two_parameters_of_one_name_are_refused_and_nothing_is_added() {
    struct Clash(Param, Param);
    impl Module for Clash {
        fn visit(&self, visitor: &mut Visitor<'_>) {
            visitor.param("weight", &self.0);
            visitor.param("weight", &self.1);
        }
    }
    let param = || Param::new("weight", [2], Init::Zeros);
    let mut store = Store::new(0);
    let error = store.bind(&Clash(param(), param())).unwrap_err();
    assert!(matches!(&error, StoreError::NameTaken { name } if name == "weight"), "{error}");
    assert_eq!(store.entries().len(), 0);

    store.bind(&Linear::new(2, 2)).unwrap();
    let error = store.bind(&Linear::new(2, 2)).unwrap_err();
    assert!(error.to_string().contains("`weight` is taken by another parameter"), "{error}");
}

#[test]
fn impossible_and_unbuilt_modules_are_refused() {
    let huge = Linear::new(usize::MAX / 2, 8);
    let error = Store::new(0).bind(&huge).unwrap_err().to_string();
    assert!(error.contains("`weight` cannot exist") && error.contains("too many"), "{error}");

    #[derive(Module)]
    struct Net {
        head: Sequential,
    }
    let net = Net { head: Sequential::new().linear(3) };
    let error = Store::new(0).bind(&net).unwrap_err().to_string();
    assert!(error.starts_with("head (Sequential) does not know its sizes yet"), "{error}");
}

#[test]
fn inserted_entries_keep_their_id() {
    let mut store = Store::new(0);
    let id = store.insert("adam.step", EntryKind::Counter, Value::scalar(3i64));
    assert_eq!(store.insert("adam.step", EntryKind::Counter, Value::scalar(4i64)), id);
    assert_eq!(store.name_of(id), Some("adam.step"));
    assert_eq!(store.value("adam.step").unwrap().item(), Some(4.0));
    assert_eq!(store.numel(), 0);
}

#[test]
fn a_deep_clone_has_the_same_ids_and_its_own_values() {
    let net = Linear::new(2, 1);
    let mut store = bound(&net);
    let copy = store.deep_clone();
    set(&mut store, "bias", &[9.0]);
    assert_ne!(copy.value("bias"), store.value("bias"));
    assert_eq!(copy.id_of("bias"), store.id_of("bias"));
    assert!(copy.get(net.weight().id()).is_some());
}

#[test]
fn files_go_round() {
    let net = Sequential::new().linear(5).batch_norm1d().linear(2);
    net.build([1, 3], DType::F32).unwrap();
    let (mut a, mut b) = (Store::new(1), Store::new(2));
    for store in [&mut a, &mut b] {
        store.bind(&net).unwrap();
        store.insert("sgd.0.weight", EntryKind::Optimizer, Value::zeros(DType::F32, [5, 3]));
    }
    let step = a.insert("step", EntryKind::Counter, Value::scalar(7i64));
    b.insert("step", EntryKind::Counter, Value::scalar(0i64));

    let model = a.to_safetensors(&EntryKind::MODEL).unwrap();
    assert_eq!(model, a.to_safetensors(&EntryKind::MODEL).unwrap());
    assert!(b.load_safetensors(&model, true).unwrap().is_clean());
    for name in ["0.weight", "1.running_var", "1.num_batches_tracked", "2.bias"] {
        assert_eq!(a.value(name), b.value(name), "{name}");
    }
    assert_eq!(b.value("step").unwrap().item(), Some(0.0));

    let checkpoint = a.to_safetensors(&EntryKind::ALL).unwrap();
    assert!(b.load_safetensors(&checkpoint, true).unwrap().is_clean());
    assert_eq!(b.value("step"), a.get(step));
}

#[test]
fn a_checkpoint_must_hold_what_it_says() {
    let mut a = bound(&Linear::new(2, 1));
    let checkpoint = a.to_safetensors(&EntryKind::ALL).unwrap();
    a.insert("adam.m.weight", EntryKind::Optimizer, Value::zeros(DType::F32, [1, 2]));
    let error = a.load_safetensors(&checkpoint, true).unwrap_err().to_string();
    assert!(error.contains("missing `adam.m.weight`"), "{error}");
}

#[test]
fn a_file_with_both_names_of_a_shared_parameter_loads() {
    let net = Tied::new();
    let mut store = bound(&net);
    let mut file = Store::new(0);
    let tensor = |x: f32| Value::new(&[x; 4], [2, 2]).unwrap();
    file.insert("second.weight", EntryKind::Parameter, tensor(2.0));
    let bytes = file.to_safetensors(&EntryKind::MODEL).unwrap();
    assert!(store.load_safetensors(&bytes, true).unwrap().is_clean());
    assert_eq!(store.value("first.weight"), Some(&tensor(2.0)));

    file.insert("first.weight", EntryKind::Parameter, tensor(1.0));
    let bytes = file.to_safetensors(&EntryKind::MODEL).unwrap();
    assert!(store.load_safetensors(&bytes, true).unwrap().is_clean());
    assert_eq!(store.value("first.weight"), Some(&tensor(1.0)));
}

/// A store with one right name, one misspelt, one misshaped, one prefixed and one strange, and what it should
/// be loaded into.
fn misfit() -> (Vec<u8>, Store) {
    let mut file = Store::new(0);
    let mut add = |name: &str, shape: &[usize]| {
        file.insert(name, EntryKind::Parameter, Value::zeros(DType::F32, shape));
    };
    add("hidden.weight", &[4, 3]);
    add("hidden.bais", &[4]);
    add("module.output.weight", &[2, 4]);
    add("output.bias", &[3]);
    add("running_statistics_of_something", &[1]);
    #[derive(Module)]
    struct Net {
        hidden: Linear,
        output: Linear,
    }
    let net = Net { hidden: Linear::new(3, 4), output: Linear::new(4, 2) };
    (file.to_safetensors(&EntryKind::MODEL).unwrap(), bound(&net))
}

#[test]
fn a_strict_misfit_lists_everything_and_changes_nothing() {
    let (bytes, mut store) = misfit();
    let before = store.deep_clone();
    let error = store.load_safetensors(&bytes, true).unwrap_err().to_string();
    for part in [
        "missing `hidden.bias`, `output.weight`",
        "unexpected `hidden.bais`, `module.output.weight`, `running_statistics_of_something`",
        "`output.bias` must be f32[2], got f32[3]",
        "hint: `hidden.bias` may be the file's `hidden.bais`, \
         `output.weight` may be the file's `module.output.weight`",
    ] {
        assert!(error.contains(part), "{part}\nis not in\n{error}");
    }
    for entry in before.entries() {
        assert_eq!(store.value(entry.name()), Some(entry.value()), "{}", entry.name());
    }
}

#[test]
fn one_thing_wrong_is_enough_for_strict() {
    let net = Linear::without_bias(2, 1);
    let mut file = bound(&net);
    file.insert("extra", EntryKind::Buffer, Value::scalar(0.0f32));
    let bytes = file.to_safetensors(&EntryKind::MODEL).unwrap();
    let error = bound(&net).load_safetensors(&bytes, true).unwrap_err().to_string();
    assert!(error.ends_with("unexpected `extra`"), "{error}");

    let bytes = bound(&Linear::without_bias(1, 2)).to_safetensors(&EntryKind::MODEL).unwrap();
    let error = bound(&net).load_safetensors(&bytes, true).unwrap_err().to_string();
    assert!(error.ends_with("`weight` must be f32[1, 2], got f32[2, 1]"), "{error}");
}

#[test]
fn a_lenient_misfit_takes_what_fits() {
    let (bytes, mut store) = misfit();
    let before = store.deep_clone();
    let report = store.load_safetensors(&bytes, false).unwrap();
    assert_eq!(report.missing, ["hidden.bias", "output.weight"]);
    assert_eq!(report.unexpected.len(), 3);
    assert_eq!(report.mis_shaped[0].name, "output.bias");
    assert_eq!(store.value("hidden.weight").unwrap().to_f64(), [0.0; 12]);
    assert_eq!(store.value("output.bias"), before.value("output.bias"));
}

#[test]
fn damaged_files_are_errors() {
    let store = bound(&Linear::new(3, 2));
    let good = store.to_safetensors(&EntryKind::MODEL).unwrap();
    let mut huge_header = good.clone();
    huge_header[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let mut other_text = good.clone();
    other_text[8] = b'!';
    let mut longer = good.clone();
    longer.push(0);
    let damaged =
        [vec![], b"no".to_vec(), good[..good.len() - 1].to_vec(), huge_header, other_text, longer];
    for bytes in damaged {
        let mut loaded = store.deep_clone();
        let error = loaded.load_safetensors(&bytes, false).unwrap_err();
        assert!(matches!(error, StoreError::Format(_)), "{error}");
        assert_eq!(loaded.value("weight"), store.value("weight"));
    }
    for len in 0..good.len() {
        assert!(store.deep_clone().load_safetensors(&good[..len], false).is_err(), "{len} bytes");
    }
}
