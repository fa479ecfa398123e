//! Attention in many shapes, with few heads (cut into blocks) and with many (a task each).

use thalweg_cpu::Cpu;
use thalweg_graph::ops::Attention;
use thalweg_graph::random::uniform_f64;
use thalweg_graph::{DType, Tensor, Value, grad_or_none};

use crate::support::{States, assert_reference};

fn numbers(seed: u64, dtype: DType, shape: [usize; 4]) -> Tensor {
    let elements = uniform_f64(seed, 0, 0, shape.iter().product());
    let elements: Vec<f64> = elements.iter().map(|x| (x - 0.5) * 4.0).collect();
    Tensor::constant(Value::from_f64(dtype, &elements, shape).unwrap())
}

/// The result and the gradients of q, k and v.
fn all(
    [q, k, v]: &[Tensor; 3],
    mask: Option<&Tensor>,
    options: &Attention,
    dtype: DType,
) -> Vec<Tensor> {
    let y = q.attention(k, v, mask, options);
    let shape = [0, 1, 2, 3].map(|axis| y.dim(axis));
    let g = numbers(9, dtype, shape);
    let wrt = [q.clone(), k.clone(), v.clone()];
    let gradients = grad_or_none(&y, Some(&g), &wrt).unwrap();
    gradients.into_iter().flatten().chain([y]).collect()
}

fn check(dtype: DType, [b, h, tq, tk, d, dv]: [usize; 6], causal: bool, mask: Option<&Tensor>) {
    let shapes = [[b, h, tq, d], [b, h, tk, d], [b, h, tk, dv]];
    let [q, k, v] = [0, 1, 2].map(|i| numbers(i as u64, dtype, shapes[i]));
    let options = Attention { scale: 1.0 / (d as f64).sqrt(), causal };
    let outputs = all(&[q, k, v], mask, &options, dtype);
    let tolerance = if dtype == DType::F64 { 1e-12 } else { 2e-5 };
    let what = format!("{dtype} {:?} causal {causal}", [b, h, tq, tk, d, dv]);
    assert_reference(&outputs, &[], &[], &States::new(), tolerance, &what);
}

#[test]
fn shapes_beside_the_tiles() {
    for causal in [false, true] {
        for shape in [
            [1, 2, 65, 65, 17, 17],
            [2, 1, 130, 70, 16, 33],
            [1, 1, 70, 150, 3, 5],
            [1, 1, 1, 200, 32, 32],
            [1, 1, 129, 1, 9, 31],
            [2, 9, 20, 33, 40, 8],
            [1, 16, 66, 67, 12, 20],
        ] {
            check(DType::F32, shape, causal, None);
        }
        check(DType::F64, [1, 2, 67, 70, 7, 6], causal, None);
    }
}

#[test]
fn masks() {
    let holds = |shape: [usize; 4], rule: fn(usize) -> bool| -> Tensor {
        let elements: Vec<i64> =
            (0..shape.iter().product()).map(|i| i64::from(rule(i * 7919))).collect();
        Tensor::constant(Value::from_i64(DType::Bool, &elements, shape).unwrap())
    };
    for causal in [false, true] {
        let (b, h, tq, tk) = (2, 3, 70, 75);
        for shape in [[b, 1, 1, tk], [1, 1, tq, tk], [b, h, tq, tk], [1, h, tq, 1]] {
            let mask = holds(shape, |i| i % 5 != 0);
            check(DType::F32, [b, h, tq, tk, 8, 10], causal, Some(&mask));
        }
        // Whole blocks that nobody may attend to, and in the last case nothing else.
        for late in [holds([1, 1, 1, tk], |i| i / 7919 >= 66), holds([1, 1, 1, 1], |_| false)] {
            check(DType::F32, [b, h, tq, tk, 8, 10], causal, Some(&late));
        }
        // A mask that is read through strides.
        let mask = holds([tk, tq, 1, 1], |i| i % 3 != 0).permute(&[3, 2, 1, 0]).flip(&[2]);
        check(DType::F32, [b, h, tq, tk, 8, 10], causal, Some(&mask));
    }
}

#[test]
fn heads_of_one_projection() {
    for (batch, heads) in [(2, 2), (4, 4)] {
        let (length, width) = (70, 24);
        let x = numbers(1, DType::F32, [batch, length, 3, heads * width]);
        let parts = x.reshape([batch, length, 3, heads, width]);
        let part = |i| parts.narrow(2, i, 1).squeeze(2).transpose(1, 2);
        let options = Attention { scale: 0.2, causal: true };
        let outputs = all(&[part(0), part(1), part(2)], None, &options, DType::F32);
        assert_reference(&outputs, &[], &[], &States::new(), 2e-5, "one projection");
    }
}

#[test]
fn memory_is_linear_in_the_length() {
    let bytes = |length: usize| {
        let [q, k, v] =
            ["q", "k", "v"].map(|name| Tensor::input(name, DType::F32, [1, 2, length, 8]));
        let outputs = all(
            &[q.clone(), k.clone(), v.clone()],
            None,
            &Attention { scale: 0.3, causal: true },
            DType::F32,
        );
        let program = Cpu::new(2).compile(&[q, k, v], &outputs, &[]).unwrap();
        program.memory_bytes()
    };
    let (short, long) = (bytes(1024), bytes(4096));
    assert!(long < 5 * short, "{short} bytes for 1024, {long} for 4096");
}
