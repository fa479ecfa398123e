//! Activations: gradients of both orders, extremes, what they refuse.

use thalweg_graph::gradcheck::{Options, gradcheck};
use thalweg_graph::{DType, ErrorKind, Tensor, Value, grad};
use thalweg_nn::Activations;

use crate::help::{message, stateless};

type Function = (&'static str, fn(&Tensor) -> Tensor);

const ELEMENTWISE: [Function; 12] = [
    ("relu", |x| x.relu()),
    ("sigmoid", |x| x.sigmoid()),
    ("tanh", |x| x.tanh()),
    ("softplus", |x| x.softplus()),
    ("leaky_relu", |x| x.leaky_relu(0.01)),
    ("prelu", |x| x.prelu(&Tensor::full(0.25, x.dtype(), [1]))),
    ("elu", |x| x.elu(1.0)),
    ("elu 0.5", |x| x.elu(0.5)),
    ("gelu", |x| x.gelu()),
    ("gelu_tanh", |x| x.gelu_tanh()),
    ("silu", |x| x.silu()),
    ("log_sigmoid", |x| x.log_sigmoid()),
];

const ALONG_AN_AXIS: [Function; 4] = [
    ("softmax", |x| x.softmax(-1)),
    ("softmax 0", |x| x.softmax(0)),
    ("log_softmax", |x| x.log_softmax(-1)),
    ("log_softmax 0", |x| x.log_softmax(0)),
];

#[test]
fn gradients_of_both_orders_are_finite_differences() {
    let away_from_zero = [0.3, -0.7, 1.9, -2.4, 0.05, -0.1, 4.0, -5.0];
    let x = Value::new(&away_from_zero, [2, 4]).unwrap();
    for (name, f) in ELEMENTWISE.iter().chain(&ALONG_AN_AXIS) {
        gradcheck(|x| f(&x[0]), std::slice::from_ref(&x), &Options::default())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let slopes = Value::new(&[0.25, -0.5, 2.0, 1.0], [4]).unwrap();
    gradcheck(|x| x[0].prelu(&x[1]), &[x, slopes], &Options::default()).unwrap();
}

#[test]
fn far_values_and_slopes_are_finite() {
    for dtype in [DType::F32, DType::F64] {
        let far = [1e4, -1e4, 90.0, -90.0, 0.0, 710.0, -710.0, 1e-30];
        let x = Tensor::constant(Value::from_f64(dtype, &far, [2, 4]).unwrap());
        for (name, f) in ELEMENTWISE.iter().chain(&ALONG_AN_AXIS) {
            let y = f(&x);
            let slope = &grad(&(&y * &y).sum_all(), std::slice::from_ref(&x)).unwrap()[0];
            for (what, tensor) in [("value", &y), ("slope", slope)] {
                let all = stateless(tensor);
                assert!(all.iter().all(|x| x.is_finite()), "{what} of {name}, {dtype}: {all:?}");
            }
        }
    }
}

#[test]
fn nan_goes_through() {
    let x = Tensor::new(&[1.0f32, f32::NAN, -1.0, 2.0], [2, 2]);
    for (name, f) in ELEMENTWISE {
        let y = stateless(&f(&x));
        assert!(y[1].is_nan() && [0, 2, 3].iter().all(|&i| !y[i].is_nan()), "{name}: {y:?}");
    }
    for (name, f) in [ALONG_AN_AXIS[0], ALONG_AN_AXIS[2]] {
        let y = stateless(&f(&x));
        assert!(y[0].is_nan() && y[1].is_nan() && !y[2].is_nan(), "{name}: {y:?}");
    }
}

#[test]
fn softmax_of_one_and_of_masked_scores() {
    assert_eq!(stateless(&Tensor::new(&[7.0f32, -3.0], [2, 1]).softmax(1)), [1.0, 1.0]);
    let masked = Tensor::new(&[1.0f32, f32::NEG_INFINITY, 1.0], [3]);
    assert_eq!(stateless(&masked.softmax(0)), [0.5, 0.0, 0.5]);
    assert_eq!(stateless(&Tensor::zeros(DType::F32, [0, 3]).softmax(1)), [0.0; 0]);
}

#[test]
fn wrong_arguments_are_poison() {
    let x = Tensor::zeros(DType::F32, [2, 3]);
    let bad = x.prelu(&Tensor::zeros(DType::F32, [2]));
    assert!(message(&bad).contains("one slope or 3 are expected for [2, 3], got [2]"));
    assert_eq!(x.softmax(2).error().map(|e| e.kind()), Some(ErrorKind::Argument));
    assert_eq!(x.cast(DType::I64).gelu().error().map(|e| e.kind()), Some(ErrorKind::DType));
    assert!(message(&x.softmax(7).silu()).contains("axis 7"));
}
