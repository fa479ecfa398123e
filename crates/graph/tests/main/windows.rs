//! Convolution, pooling and resizing: numbers that PyTorch gives, and where the gradient of a maximum goes.

use thalweg_graph::ops::{ConvSpec, PoolSpec};
use thalweg_graph::{DType, NoStates, Reference, Tensor, grad};

fn row(x: &[f64]) -> Tensor {
    Tensor::new(x, [1, 1, x.len()])
}

fn x() -> Tensor {
    row(&[1.0, 5.0, 2.0, 8.0, 3.0, 7.0, 4.0])
}

#[track_caller]
fn gives(tensor: &Tensor, want: &[f64]) {
    let got = Reference::new().evaluate(std::slice::from_ref(tensor), &[], &NoStates).unwrap();
    let got = got[0].floats();
    let close = |(a, b): (&f64, &f64)| a == b || (a - b).abs() < 2e-6;
    assert!(got.len() == want.len() && got.iter().zip(want).all(close), "{got:?}, not {want:?}");
}

fn pool(kernel: usize, stride: usize, padding: usize, ceil: bool) -> PoolSpec {
    let (stride, padding) = (vec![stride], vec![padding]);
    PoolSpec { stride, padding, ceil, ..PoolSpec::new(&[kernel]) }
}

#[test]
fn convolution() {
    let w = row(&[1.0, -2.0, 3.0]);
    let spec = |stride, padding, dilation| ConvSpec {
        stride: vec![stride],
        padding: vec![[padding; 2]],
        dilation: vec![dilation],
        groups: 1,
    };
    gives(&x().conv(&w, &spec(2, 1, 2)), &[14.0, 10.0, -6.0]);
    let three = x().narrow(2, 0, 3);
    gives(&three.conv_transpose(&w, &spec(2, 1, 1), &[1]), &[-2.0, 8.0, -10.0, 17.0, -4.0, 6.0]);
    gives(&three.conv_transpose(&w, &spec(1, 1, 2), &[0]), &[5.0, 0.0, -10.0, -1.0, 15.0]);
}

#[test]
fn pooling() {
    gives(&x().max_pool(&pool(3, 2, 1, true)), &[5.0, 8.0, 8.0, 7.0]);
    gives(&x().max_pool(&pool(2, 2, 0, true)), &[5.0, 8.0, 7.0, 4.0]);
    let dilated = PoolSpec { dilation: vec![2], ..pool(3, 1, 1, false) };
    gives(&x().max_pool(&dilated), &[8.0, 3.0, 8.0, 4.0, 8.0]);
    gives(&x().avg_pool(&pool(3, 3, 1, true), true), &[2.0, 13.0 / 3.0, 11.0 / 3.0]);
    gives(&x().avg_pool(&pool(3, 3, 1, true), false), &[3.0, 13.0 / 3.0, 5.5]);
    gives(&x().avg_pool(&pool(4, 4, 1, true), true), &[2.0, 5.5]);
}

#[test]
fn adaptive_pooling() {
    gives(&x().adaptive_avg_pool(&[3]), &[2.666667, 4.333333, 4.666667]);
    gives(&x().adaptive_avg_pool(&[9]), &[1.0, 3.0, 3.5, 5.0, 8.0, 5.5, 5.0, 5.5, 4.0]);
    gives(&x().adaptive_max_pool(&[3]), &[5.0, 8.0, 7.0]);
    gives(&x().adaptive_max_pool(&[5]), &[5.0, 5.0, 8.0, 7.0, 7.0]);
    // An infinity stays in its own windows.
    let infinite = row(&[1.0, f64::INFINITY, 2.0, 4.0, 6.0]);
    gives(&infinite.adaptive_avg_pool(&[3]), &[f64::INFINITY, f64::INFINITY, 5.0]);
}

#[test]
fn resizing() {
    gives(&x().upsample_nearest(&[4]), &[1.0, 5.0, 8.0, 7.0]);
    gives(&x().upsample_nearest(&[10]), &[1.0, 1.0, 5.0, 2.0, 2.0, 8.0, 3.0, 3.0, 7.0, 4.0]);
    gives(&row(&[1.0, 5.0]).upsample_nearest(&[4]), &[1.0, 1.0, 5.0, 5.0]);
    gives(
        &x().upsample_linear(&[10], false),
        &[1.0, 3.2, 4.25, 2.15, 5.9, 6.25, 3.2, 6.0, 5.65, 4.0],
    );
    gives(
        &x().upsample_linear(&[10], true),
        &[1.0, 11.0 / 3.0, 4.0, 2.0, 6.0, 19.0 / 3.0, 3.0, 17.0 / 3.0, 6.0, 4.0],
    );
    gives(&x().upsample_linear(&[3], false), &[11.0 / 3.0, 8.0, 6.0]);
    let y = Tensor::iota(DType::F64, [6], 0).reshape([1, 1, 2, 3]);
    gives(
        &y.upsample_linear(&[4, 4], false),
        &[
            0.0, 0.625, 1.375, 2.0, 0.75, 1.375, 2.125, 2.75, 2.25, 2.875, 3.625, 4.25, 3.0, 3.625,
            4.375, 5.0,
        ],
    );
}

#[test]
fn the_gradient_of_a_maximum_goes_to_the_first() {
    let x = row(&[2.0, 2.0, 1.0, f64::NAN, 5.0, f64::NAN]);
    let loss = (x.max_pool(&pool(3, 3, 0, false)) * row(&[10.0, 20.0])).sum_all();
    gives(&grad(&loss, &[x]).unwrap()[0], &[10.0, 0.0, 0.0, 20.0, 0.0, 0.0]);
    // Windows that overlap add up.
    let x = row(&[1.0, 3.0, 2.0]);
    let loss = x.max_pool(&pool(2, 1, 0, false)).sum_all();
    gives(&grad(&loss, &[x]).unwrap()[0], &[0.0, 2.0, 0.0]);
}
