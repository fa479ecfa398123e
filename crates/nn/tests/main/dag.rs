//! Networks of named nodes.

use thalweg_graph::{DType, Reference, Tensor};
use thalweg_nn::{Dag, Forward, LayerSpec, NodeSpec, Store, parameters};

fn node(layer: LayerSpec) -> NodeSpec {
    NodeSpec::from(layer)
}

fn linear(out: usize) -> NodeSpec {
    node(LayerSpec::Linear { out, bias: false })
}

fn message(nodes: Vec<NodeSpec>) -> String {
    Dag::new(nodes).forward(&Tensor::zeros(DType::F32, [2, 3])).error().unwrap().to_string()
}

#[test]
fn a_plain_list_is_a_sequence() {
    let net = Dag::new(vec![linear(4), node(LayerSpec::Relu {}), linear(2)]);
    assert_eq!(net.build([5, 3], DType::F32).unwrap().dims(), [5, 2]);
    let names: Vec<String> = parameters(&net).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["0.weight", "2.weight"]);
}

#[test]
fn branches_meet_and_outputs_are_named() {
    let net = Dag::new(vec![
        linear(3).named("left").of(&["a"]),
        linear(3).named("right").of(&["b"]),
        node(LayerSpec::Concat { axis: -1 }).named("both").of(&["left", "right"]),
    ])
    .with_inputs(&["a", "b"])
    .with_outputs(&["both", "left"]);
    let inputs = [Tensor::zeros(DType::F32, [2, 5]), Tensor::zeros(DType::F32, [2, 7])];
    let outputs = net.forward_all(&inputs);
    let shapes: Vec<&[usize]> = outputs.iter().map(|y| y.shape().dims()).collect();
    assert_eq!(shapes, [&[2, 6][..], &[2, 3]]);
}

#[test]
fn shared_nodes_are_one_layer() {
    let mut again = linear(3);
    again.same_as = Some("first".into());
    let net = Dag::new(vec![linear(3).named("first"), again]);
    net.build([2, 3], DType::F32).unwrap();
    assert_eq!(parameters(&net).len(), 1);
    let mut store = Store::new(0);
    store.bind(&net).unwrap();
    let x = Tensor::new(&[1.0f32, -2.0, 0.5], [1, 3]);
    let w = Tensor::constant(store.value("first.weight").unwrap().clone()).t();
    let want = x.matmul(&w).matmul(&w);
    let values = Reference::new().evaluate(&[net.forward(&x), want], &[], &store).unwrap();
    assert_eq!(values[0].floats(), values[1].floats());
}

#[test]
fn mistakes_name_the_node() {
    let found = message(vec![linear(3).of(&["y"])]);
    assert!(found.contains("node '0': there is no earlier node or input 'y'"), "{found}");
    assert!(found.contains("known here are x"), "{found}");
    let found = message(vec![linear(3).named("x")]);
    assert!(found.contains("node 'x': the name is taken"), "{found}");
    let found = message(vec![linear(3), linear(3).of(&["0", "x"])]);
    assert!(found.contains("takes one input, got 2"), "{found}");
    let mut other = linear(4);
    other.same_as = Some("0".into());
    let found = message(vec![linear(3), other]);
    assert!(found.contains("another layer than '0'"), "{found}");
}

#[test]
fn nodes_are_written_and_read_back() {
    let nodes = vec![linear(3).named("a"), node(LayerSpec::Add {}).of(&["a", "x"])];
    let text = serde_json::to_string(&nodes).unwrap();
    assert_eq!(serde_json::from_str::<Vec<NodeSpec>>(&text).unwrap(), nodes, "{text}");
    let wrong = serde_json::from_str::<NodeSpec>(r#"{"type": "linear", "aut": 3}"#);
    assert!(wrong.is_err());
}
