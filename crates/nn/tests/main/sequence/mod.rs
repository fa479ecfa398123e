//! Layers over sequences.

mod errors;
mod gradients;
mod padding;
mod presets;
mod state;
mod step;

use thalweg_graph::random::normal_f32;
use thalweg_graph::{Executor, Feed, Tensor, Value};
use thalweg_nn::Store;

use thalweg_cpu::Cpu;

/// Gaussian numbers.
fn numbers(shape: &[usize], stream: u64) -> Tensor {
    let n = shape.iter().product();
    Tensor::new(&normal_f32(5, 0, stream, n), shape)
}

/// What the CPU executor computes.
fn run(of: &[Tensor], feeds: &[Feed<Value>], store: &mut Store) -> Vec<Vec<f64>> {
    Cpu::new(2).run(of, &[], feeds, store).unwrap().iter().map(Value::to_f64).collect()
}
