//! Row programs whose tiles have several rows, read in every way that rows can lie; and programs that compute again
//! what others have computed.

use thalweg_graph::random::uniform_f64;
use thalweg_graph::{DType, Tensor, Value, grad};

use crate::support::{States, assert_reference};

fn numbers(seed: u64, shape: &[usize]) -> Tensor {
    let elements = uniform_f64(seed, 0, 0, shape.iter().product());
    let elements: Vec<f64> = elements.iter().map(|x| x * 2.0 - 1.0).collect();
    Tensor::constant(Value::from_f64(DType::F32, &elements, shape).unwrap())
}

#[test]
fn rows_anywhere_in_memory() {
    for (rows, cols) in [(37, 64), (50, 100), (33, 256), (21, 500), (9, 1000)] {
        let x = numbers(1, &[rows, cols]);
        let part = numbers(2, &[rows, cols + 30]).narrow(1, 7, cols);
        let every_second = numbers(3, &[2 * rows, cols]).slice(0, 1, rows, 2);
        let upwards = numbers(4, &[rows, cols]).flip(&[0]);
        let (row, column) = (numbers(5, &[cols]), numbers(6, &[rows, 1]));
        let mean = x.mean(&[1]).keepdim(&x, &[1]);
        let positive = column.gt(&column.zeros_like());
        let outputs = [
            &x * &row + &column,
            (&x - &mean) * (&part + &row),
            (&part - part.max(&[1]).keepdim(&part, &[1])).exp(),
            Tensor::select(&positive, &every_second, &(&row + &upwards)),
            part.sum(&[1]),
            (&upwards * &column).sum(&[1]),
            every_second.sum(&[0]),
            (&x * &every_second).sum(&[0]),
            row.broadcast_to([rows, cols]).exp(),
            (&row * &row).broadcast_to([rows, cols]).sum(&[0]),
            part.gt(&row).cast(DType::F32) * &mean,
        ];
        let what = format!("{rows} × {cols}");
        for output in &outputs {
            let alone = std::slice::from_ref(output);
            assert_reference(alone, &[], &[], &States::new(), 1e-5, &what);
        }
        assert_reference(&outputs, &[], &[], &States::new(), 1e-5, &what);
    }
}

/// A block of a network that is large enough for its backward pass to compute again what the forward pass knew.
#[test]
fn what_is_computed_again_has_the_same_bits() {
    let (rows, cols) = (300, 256);
    let x = numbers(1, &[rows, cols]);
    let [w, v] = [2, 3].map(|seed| numbers(seed, &[cols, cols]) * 0.1);
    let (gain, bias) = (numbers(4, &[cols]), numbers(5, &[cols]));
    let centred = &x - x.mean(&[1]).keepdim(&x, &[1]);
    let var = (&centred * &centred).mean(&[1]).keepdim(&x, &[1]);
    let normal = centred / (var + 1e-5).sqrt() * &gain + &bias;
    let h = normal.matmul(&w) + &bias;
    let h = &h * (((&h * 0.7).erf() + 1.0) * 0.5);
    let y = &x + h.matmul(&v).tanh();
    let loss = (&y * &y).mean_all();
    let mut outputs = grad(&loss, &[x, gain, bias]).unwrap();
    outputs.push(loss);
    assert_reference(&outputs, &[], &[], &States::new(), 1e-5, "a block");
}
