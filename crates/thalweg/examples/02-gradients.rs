//! 2. Backpropagation. `cargo run --release --example 02-gradients`
//!
//! `grad` walks the graph from a loss back to what it depends on; each op's rule emits ops. So a gradient is an ordinary
//! tensor that can be looked at, computed, and differentiated again.

use thalweg::gradcheck::{self, Options};
use thalweg::graph::NoStates;
use thalweg::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cpu = Cpu::new(1);

    // f(w) = Σ (σ(x·w) − y)²: one neuron, and the chain rule worked out by hand beside it.
    let x = Tensor::new(&[0.5f64, -1.0, 2.0], [1, 3]);
    let w = Tensor::new(&[0.1f64, 0.2, 0.3], [3, 1]);
    let s = x.matmul(&w).sigmoid();
    let loss = ((&s - 1.0) * (&s - 1.0)).sum_all();
    let dw = grad(&loss, std::slice::from_ref(&w))?.remove(0);
    // ∂f/∂w = 2(σ − y) · σ(1 − σ) · xᵀ
    let by_hand = x.t() * ((&s - 1.0) * 2.0 * &s * (1.0 - &s));
    let values = cpu.run(&[dw.clone(), by_hand], &[], &[], &mut NoStates)?;
    println!("gradient {:.6?}\nby hand  {:.6?}", values[0].to_f64(), values[1].to_f64());
    let pairs = values[0].to_f64().into_iter().zip(values[1].to_f64());
    assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-12));

    // The gradient of a gradient: a Hessian-vector product, without the Hessian.
    let v = Tensor::new(&[1.0f64, 0.0, -1.0], [3, 1]);
    let product = grad(&(&dw * &v).sum_all(), &[w])?.remove(0);
    println!("H·v      {:.6?}", cpu.run(&[product], &[], &[], &mut NoStates)?[0].to_f64());

    // Is a gradient right? Compare it with slopes measured by finite differences, to second order.
    let function = |t: &[Tensor]| (t[0].matmul(&t[1]).tanh() * 3.0).exp().sum_all().log();
    let inputs = [
        Value::new(&[0.3f64, -0.7, 1.1, 0.2], [2, 2]).ok_or("four numbers are 2 × 2")?,
        Value::new(&[0.9f64, -0.4, 0.5, 0.8], [2, 2]).ok_or("four numbers are 2 × 2")?,
    ];
    gradcheck::gradcheck(function, &inputs, &Options::default())?;
    println!(
        "the gradients of log Σ exp(3·tanh(A·B)) agree with finite differences, first and second order"
    );
    Ok(())
}
