//! 1. Tensors are descriptions. `cargo run --release --example 01-tensors`
//!
//! A tensor is a node of a graph: an op, its inputs, a shape, an element type. Making one computes its shape and nothing
//! else; values appear when an executor is asked for them. A mistake does not panic: it makes a poisoned tensor that
//! carries the first error to whoever asks.

use thalweg::graph::NoStates;
use thalweg::prelude::*;

fn main() -> Result<(), Error> {
    // Elements and a shape; the element type is that of the slice.
    let x = Tensor::new(&[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3]);
    // Operators work on tensors and references; a number takes the tensor's type.
    let y = (&x * 10.0).sum(&[1]);
    println!("y is {}{}, and nothing has been computed yet", y.dtype(), y.shape());

    // An executor computes what it is asked for, all of it in one plan.
    let cpu = Cpu::new(2);
    let mean = x.mean_all();
    let values = cpu.run(&[y, mean], &[], &[], &mut NoStates)?;
    println!("row sums {:?}, mean {:?}", values[0].to_f64(), values[1].item());
    assert_eq!(values[0].to_f64(), [60.0, 150.0]);
    assert_eq!(values[1].item(), Some(3.5));

    // Shapes broadcast as in NumPy; movements of elements cost nothing.
    let column = Tensor::new(&[100.0f32, 200.0], [2, 1]);
    let table = (&x + column).t();
    let value = &cpu.run(&[table], &[], &[], &mut NoStates)?[0];
    println!("the transpose of x + column, {}: {:?}", value.shape(), value.to_f64());
    assert_eq!(value.to_f64(), [101.0, 204.0, 102.0, 205.0, 103.0, 206.0]);

    // A mistake names the op, both shapes and this file's line.
    let wrong = x.matmul(&x).relu().sum_all();
    let error = wrong.ok().expect_err("[2, 3] × [2, 3] is no product");
    println!("{error}");
    assert!(error.to_string().contains("01-tensors.rs"));
    Ok(())
}
