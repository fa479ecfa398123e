//! 3. A network and its training step, by hand. `cargo run --release --example 03-perceptron`
//!
//! Input layer, hidden layer, output layer; forward, error, gradients backwards, update, again. All of a step is one
//! graph, compiled once and run a few hundred times. The task is XOR, which no network without a hidden layer learns.

use thalweg::nn::{losses, optim::Sgd, parameters};
use thalweg::prelude::*;

#[derive(Module)]
struct Net {
    hidden: Linear,
    output: Linear,
}

impl Forward for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.output.forward(&self.hidden.forward(x).tanh())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let net = Net { hidden: Linear::new(2, 8), output: Linear::new(8, 1) };
    // The store holds the values; binding names them (`hidden.weight`) and draws the first ones from the seed.
    let mut store = Store::new(1);
    store.bind(&net)?;

    // The step: placeholders, forward pass, loss, gradients, update rule.
    let x = Tensor::input("x", DType::F32, [4, 2]);
    let y = Tensor::input("y", DType::F32, [4, 1]);
    let lr = Tensor::input("lr", DType::F64, []);
    let output = net.forward(&x);
    let loss = losses::binary_cross_entropy_with_logits(&output, &y);
    let params = parameters(&net);
    let wrt: Vec<Tensor> = params.iter().map(|(_, param)| param.tensor()).collect();
    let grads = grad(&loss, &wrt)?;
    let sgd = Sgd { momentum: 0.9, ..Sgd::default() };
    let step = Updater::new(sgd).build(&mut store, &params, &grads, &loss, &lr)?;

    let cpu = Cpu::new(1);
    let outputs = [loss, output.sigmoid()];
    let mut program = cpu.compile(&[x, y, lr], &outputs, &step.writes)?;
    println!("the step needs {} bytes of memory, known before it runs", program.memory_bytes());

    let inputs = Value::new(&[0.0f32, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0], [4, 2]);
    let truth = Value::new(&[0.0f32, 1.0, 1.0, 0.0], [4, 1]);
    let (inputs, truth) = (inputs.ok_or("4 × 2")?, truth.ok_or("4 × 1")?);
    let lr = Value::scalar(0.3f64);
    let mut said = vec![];
    for epoch in 0..=400 {
        // Forward, backward and update: the store's values are new afterwards.
        let values = program.run(cpu.pool(), &[&inputs, &truth, &lr], &mut store)?;
        said = values[1].to_f64();
        if epoch % 100 == 0 {
            println!("epoch {epoch:3}  loss {:.5}", values[0].item().unwrap_or_default());
        }
    }
    println!("0 xor 0, 0 xor 1, 1 xor 0, 1 xor 1: {said:.3?}");
    assert!(said[0] < 0.1 && said[1] > 0.9 && said[2] > 0.9 && said[3] < 0.1);
    Ok(())
}
