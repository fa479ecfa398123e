//! The derive macro: names, nesting, attributes, generics.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use thalweg_graph::Layer;
use thalweg_nn::{Init, Linear, Module, Param, parameters, states};

fn names(module: &dyn Module) -> Vec<String> {
    states(module).into_iter().map(|(name, _)| name).collect()
}

fn linear() -> Linear {
    Linear::without_bias(2, 2)
}

#[derive(Module)]
struct Block {
    inner: Linear,
    scale: Param,
    rate: f64,
}

impl Block {
    fn new() -> Block {
        Block { inner: linear(), scale: Param::new("scale", [1], Init::Ones), rate: 0.1 }
    }
}

#[test]
fn nested_structs_name_their_parts() {
    #[derive(Module)]
    struct Net {
        stem: Linear,
        layers: Vec<Block>,
        pair: (Linear, Linear),
        extra: Option<Linear>,
        nothing: Option<Linear>,
        boxed: Box<dyn Module>,
        named: BTreeMap<String, Linear>,
        r#type: Linear,
    }
    let net = Net {
        stem: linear(),
        layers: vec![Block::new(), Block::new()],
        pair: (linear(), linear()),
        extra: Some(linear()),
        nothing: None,
        boxed: Box::new(Block::new()),
        named: BTreeMap::from([("b".to_owned(), linear()), ("a".to_owned(), linear())]),
        r#type: linear(),
    };
    let want = [
        "stem.weight",
        "layers.0.inner.weight",
        "layers.0.scale",
        "layers.1.inner.weight",
        "layers.1.scale",
        "pair.0.weight",
        "pair.1.weight",
        "extra.weight",
        "boxed.inner.weight",
        "boxed.scale",
        "named.a.weight",
        "named.b.weight",
        "type.weight",
    ];
    assert_eq!(names(&net), want);
    assert!(net.layers[0].rate > 0.0);
}

#[test]
fn attributes_skip_and_flatten() {
    struct Foreign;
    #[derive(Module)]
    struct Net {
        #[module(skip)]
        foreign: Foreign,
        #[module(skip)]
        hidden: Linear,
        #[module(flatten)]
        block: Block,
        #[module(flatten)]
        layer: Arc<Layer>,
    }
    let net =
        Net { foreign: Foreign, hidden: linear(), block: Block::new(), layer: Layer::new("Net") };
    assert_eq!(names(&net), ["inner.weight", "scale"]);
    let Foreign = net.foreign;
    assert_eq!(names(&net.hidden), ["weight"]);

    #[derive(Module)]
    struct Outer {
        net: Net,
    }
    let outer = Outer { net };
    crate::help::bound(&outer);
    assert_eq!(outer.net.layer.path(), Some("net"));
}

#[test]
fn generics_tuple_structs_and_enums() {
    #[derive(Module)]
    struct Pair<A, B: Module, const N: usize>(A, [B; N], PhantomData<u8>)
    where
        A: Clone;
    assert_eq!(names(&Pair(linear(), [linear(), linear()], PhantomData)).len(), 3);
    assert_eq!(names(&Pair(linear(), [Block::new()], PhantomData))[1], "1.0.inner.weight");

    #[derive(Module)]
    enum Choice<'a> {
        One(&'a Linear),
        Two(Linear, Linear),
        Named { left: Linear },
        Nothing,
    }
    let one = linear();
    assert_eq!(names(&Choice::One(&one)), ["weight"]);
    assert_eq!(names(&Choice::Two(linear(), linear())), ["0.weight", "1.weight"]);
    assert_eq!(names(&Choice::Named { left: linear() }), ["left.weight"]);
    assert_eq!(names(&Choice::Nothing), [""; 0]);
}

/// What a crate has that renames thalweg's.
mod renamed {
    pub use thalweg_nn as nn;

    #[derive(nn::Module)]
    #[module(crate = "crate::derive::renamed::nn")]
    pub struct Net {
        pub only: nn::Linear,
    }
}

#[test]
fn the_crate_can_be_called_otherwise() {
    let net = renamed::Net { only: linear() };
    assert_eq!(names(&net), ["only.weight"]);
}

#[test]
fn parameters_leave_buffers_out() {
    let norm = thalweg_nn::BatchNorm1d::new(2);
    let trained: Vec<String> = parameters(&norm).into_iter().map(|(name, _)| name).collect();
    assert_eq!(trained, ["weight", "bias"]);
    assert_eq!(names(&norm)[2..], ["running_mean", "running_var", "num_batches_tracked"]);
}
