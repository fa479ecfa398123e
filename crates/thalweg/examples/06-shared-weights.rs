//! 6. A network as a graph, with shared weights. `cargo run --release --example 06-shared-weights`
//!
//! Two rows of pixels go through the *same* layer and are compared: do they show the same digit? The layer is one set of
//! weights used in two places; its gradient is the sum over both. The network is a list of named nodes, as it would stand
//! in a config file.

use thalweg::data::{Scaling, Standardise, open};
use thalweg::graph::random;
use thalweg::nn::{Dag, LayerSpec, NodeSpec, losses, optim::Adam, parameters};
use thalweg::prelude::*;

/// Pairs in a batch.
const PAIRS: usize = 64;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let linear = |out| NodeSpec::from(LayerSpec::Linear { out, bias: true });
    let node = |layer: LayerSpec| NodeSpec::from(layer);
    let again = |node: NodeSpec, same_as: &str| NodeSpec { same_as: Some(same_as.into()), ..node };
    let net = Dag::new(vec![
        linear(32).named("look").of(&["left"]),
        node(LayerSpec::Tanh {}).named("seen left"),
        again(linear(32), "look").named("look again").of(&["right"]),
        node(LayerSpec::Tanh {}).named("seen right"),
        node(LayerSpec::Multiply {}).of(&["seen left", "seen right"]),
        linear(1).named("judge"),
    ])
    .with_inputs(&["left", "right"]);

    let [left, right] = ["left", "right"].map(|side| Tensor::input(side, DType::F32, [PAIRS, 64]));
    let same = Tensor::input("same", DType::F32, [PAIRS, 1]);
    let lr = Tensor::input("lr", DType::F64, []);
    let judged = net.forward_all(&[left.clone(), right.clone()]).remove(0);
    let loss = losses::binary_cross_entropy_with_logits(&judged, &same);
    let right_ones = judged.gt(&judged.zeros_like()).equal(&same.gt(&same.zeros_like()));
    let accuracy = right_ones.cast(DType::F32).mean_all();

    let mut store = Store::new(0);
    store.bind(&net)?;
    let params = parameters(&net);
    println!("parameters: {:?}", params.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>());
    assert_eq!(params.len(), 4, "the shared layer is there once");
    let wrt: Vec<Tensor> = params.iter().map(|(_, param)| param.tensor()).collect();
    let grads = grad(&loss, &wrt)?;
    let step = Updater::new(Adam::default()).build(&mut store, &params, &grads, &loss, &lr)?;
    let cpu = Cpu::new(2);
    let inputs = [left, right, same, lr];
    let mut learn = cpu.compile(&inputs, &[loss, accuracy.clone()], &step.writes)?;
    let mut judge = cpu.compile(&inputs[..3], &[accuracy], &[])?;

    let digits = open("digits")?.train;
    let all: Vec<usize> = (0..digits.rows()).collect();
    let scaling = Scaling::fit(&digits.features, &all, Standardise::Global)?;
    let (mut pixels, mut classes) = (vec![0.0; 64 * all.len()], vec![0; all.len()]);
    digits.fill(&all, &scaling, &mut pixels, &mut classes)?;
    let rows_of = |class: i64| all.iter().copied().filter(|&row| classes[row] == class).collect();
    let of_class: Vec<Vec<usize>> = (0..10).map(rows_of).collect();

    // Half of the pairs show the same digit. The first 100 images of each are for learning, the others for judging.
    let batch = |number: u64, learning: bool| -> Option<[Value; 3]> {
        let draws = random::uniform_f32(7, number, u64::from(learning), PAIRS * 4);
        let pick = |class: usize, u: f32| {
            let images = &of_class[class];
            let images = if learning { &images[..100] } else { &images[100..] };
            let row = images[(u * images.len() as f32) as usize % images.len()];
            &pixels[64 * row..64 * (row + 1)]
        };
        let (mut a, mut b, mut same) = (Vec::<f32>::new(), Vec::<f32>::new(), vec![]);
        for (i, u) in draws.chunks(4).enumerate() {
            let class = (u[0] * 10.0) as usize % 10;
            let other = (class + 1 + (u[1] * 9.0) as usize % 9) % 10;
            a.extend(pick(class, u[2]));
            b.extend(pick(if i % 2 == 0 { class } else { other }, u[3]));
            same.push(if i % 2 == 0 { 1.0f32 } else { 0.0 });
        }
        Some([
            Value::new(&a, [PAIRS, 64])?,
            Value::new(&b, [PAIRS, 64])?,
            Value::new(&same, [PAIRS, 1])?,
        ])
    };
    let lr = Value::scalar(0.003f64);
    for number in 0..600 {
        let [a, b, same] = batch(number, true).ok_or("a batch has the size of its inputs")?;
        let values = learn.run(cpu.pool(), &[&a, &b, &same, &lr], &mut store)?;
        if number % 200 == 0 {
            let [loss, accuracy] = [0, 1].map(|i| values[i].item().unwrap_or_default());
            println!("batch {number:3}  loss {loss:.3}  right {:.0} %", 100.0 * accuracy);
        }
    }
    let mut right = 0.0;
    for number in 0..10 {
        let [a, b, same] = batch(number, false).ok_or("a batch has the size of its inputs")?;
        right += judge.run(cpu.pool(), &[&a, &b, &same], &mut store)?[0].item().unwrap_or_default();
    }
    println!("same digit or not, on images never seen: {:.1} % right", 10.0 * right);
    assert!(right / 10.0 > 0.8);
    Ok(())
}
