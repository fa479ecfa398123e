//! Convolution and pooling on shapes that are cut into tiles, against the reference.

use thalweg_graph::ops::{ConvSpec, PoolSpec};
use thalweg_graph::random::Draw;
use thalweg_graph::{DType, Feed, Tensor, Value, grad};

use crate::support::{States, assert_reference};

/// The result and the gradients by input and weight, on random numbers.
fn check_conv(dtype: DType, x: &[usize], w: &[usize], spec: &ConvSpec) {
    let place = format!("{dtype} {x:?} by {w:?}, {spec:?}");
    let (input, weight) = (Tensor::input("x", dtype, x), Tensor::input("w", dtype, w));
    let y = input.conv(&weight, spec).ok().unwrap_or_else(|e| panic!("{place}: {e}"));
    let g = Tensor::input("g", dtype, y.shape());
    let mut outputs = grad(&(&y * &g).sum_all(), &[input.clone(), weight.clone()]).unwrap();
    outputs.push(y);
    let feeds: Vec<Feed<Value>> = [input, weight, g].into_iter().map(|t| random(&t)).collect();
    // Sums of some thousand products.
    let tolerance = if dtype == DType::F32 { 5e-5 } else { 1e-12 };
    assert_reference(&outputs, &[], &feeds, &States::new(), tolerance, &place);
}

fn random(input: &Tensor) -> Feed<Value> {
    let draw = Draw { seed: 7, step: 0, stream: input.id() };
    let numbers: Vec<f64> =
        (0..input.numel() as u64).map(|i| 2.0 * draw.uniform_f64(i) - 1.0).collect();
    let value = Value::from_f64(input.dtype(), &numbers, input.shape()).unwrap();
    Feed { input: input.clone(), value }
}

fn spec(stride: usize, padding: usize, groups: usize) -> ConvSpec {
    ConvSpec { stride: vec![stride; 2], padding: vec![[padding; 2]; 2], groups, ..ConvSpec::new(2) }
}

/// Several tiles of places, of samples, of channels, of results; panels that are not full.
#[test]
fn convolutions_of_many_tiles() {
    for (x, w, spec) in [
        ([2, 3, 35, 40], [5, 3, 3, 3], spec(1, 1, 1)),
        ([1, 40, 9, 7], [70, 40, 3, 3], spec(1, 1, 1)),
        ([9, 36, 4, 4], [33, 36, 3, 3], spec(1, 1, 1)),
        ([5, 24, 8, 8], [17, 24, 3, 3], spec(2, 1, 1)),
        ([3, 20, 14, 14], [40, 20, 1, 1], spec(1, 0, 1)),
        ([3, 20, 13, 14], [24, 20, 1, 1], spec(2, 0, 1)),
        ([4, 1, 28, 28], [16, 1, 3, 3], spec(1, 1, 1)),
        ([3, 32, 12, 11], [32, 4, 3, 3], spec(1, 1, 8)),
        ([3, 18, 12, 13], [18, 1, 3, 3], spec(1, 1, 18)),
        ([3, 18, 12, 13], [36, 1, 3, 3], spec(2, 1, 18)),
        ([2, 6, 20, 21], [8, 6, 7, 7], spec(3, 3, 1)),
    ] {
        check_conv(DType::F32, &x, &w, &spec);
    }
    check_conv(DType::F64, &[3, 12, 14, 14], &[20, 12, 3, 3], &spec(1, 1, 1));
    let long = ConvSpec { stride: vec![2], padding: vec![[3, 1]], ..ConvSpec::new(1) };
    check_conv(DType::F32, &[1, 2, 3000], &[3, 2, 5], &long);
    let deep = ConvSpec { padding: vec![[1, 1]; 3], ..ConvSpec::new(3) };
    check_conv(DType::F32, &[2, 2, 9, 14, 15], &[3, 2, 3, 3, 3], &deep);
}

/// 3 × 3 kernels over enough channels are made in squares: odd extents, padding of every sort, last vectors of channels
/// that are not full, several tiles in a sample and several samples in a tile.
#[test]
fn convolutions_in_squares() {
    for (x, w, padding) in [
        ([3, 16, 14, 14], [32, 16, 3, 3], [[1, 1], [1, 1]]),
        ([2, 19, 9, 12], [37, 19, 3, 3], [[0, 0], [0, 0]]),
        ([5, 32, 7, 5], [16, 32, 3, 3], [[2, 2], [1, 0]]),
        ([1, 16, 24, 40], [16, 16, 3, 3], [[1, 1], [0, 2]]),
        ([1, 17, 6, 6], [18, 17, 3, 3], [[3, 0], [4, 4]]),
    ] {
        let spec = ConvSpec { padding: padding.to_vec(), ..ConvSpec::new(2) };
        check_conv(DType::F32, &x, &w, &spec);
    }
}

/// Numbers drawn one after the other.
struct Numbers {
    draw: Draw,
    next: u64,
}

impl Numbers {
    fn new(seed: u64) -> Numbers {
        Numbers { draw: Draw { seed, step: 0, stream: 1 }, next: 0 }
    }

    fn within(&mut self, lo: usize, hi: usize) -> usize {
        self.next += 1;
        lo + (self.draw.uniform_f64(self.next) * (hi - lo + 1) as f64) as usize
    }
}

#[test]
fn convolutions_of_generated_shapes() {
    let mut numbers = Numbers::new(3);
    for case in 0..60 {
        let axes = numbers.within(1, 3);
        let mut of = |lo, hi| (0..axes).map(|_| numbers.within(lo, hi)).collect::<Vec<_>>();
        let (kernel, stride, dilation) = (of(1, 3), of(1, 3), of(1, 2));
        let padding: Vec<[usize; 2]> = of(0, 2).into_iter().zip(of(0, 2)).map(Into::into).collect();
        let room = of(0, [40, 14, 6][axes - 1]);
        let extents = (0..axes).map(|a| {
            let span = dilation[a] * (kernel[a] - 1) + 1;
            (span + room[a]).saturating_sub(padding[a][0] + padding[a][1]).max(1)
        });
        let extents: Vec<usize> = extents.collect();
        let fits =
            |a: usize| extents[a] + padding[a][0] + padding[a][1] > dilation[a] * (kernel[a] - 1);
        if !(0..axes).all(fits) {
            continue;
        }
        let groups = numbers.within(1, 3);
        let (channels, outputs) = (numbers.within(1, 6), numbers.within(1, 20));
        let x = [&[numbers.within(1, 5), groups * channels], &extents[..]].concat();
        let w = [&[groups * outputs, channels], &kernel[..]].concat();
        let spec = ConvSpec { stride, padding, dilation, groups };
        let dtype = if case % 4 == 0 { DType::F64 } else { DType::F32 };
        check_conv(dtype, &x, &w, &spec);
    }
}

#[test]
fn pooling_of_generated_shapes() {
    let mut numbers = Numbers::new(5);
    for case in 0..60 {
        let axes = numbers.within(1, 3);
        let mut of = |lo, hi| (0..axes).map(|_| numbers.within(lo, hi)).collect::<Vec<_>>();
        let (kernel, stride, dilation) = (of(1, 3), of(1, 3), of(1, 2));
        let padding =
            of(0, 2).iter().zip(&kernel).map(|(p, k)| p.min(&(k / 2)).to_owned()).collect();
        let extents: Vec<usize> = of(5, [150, 20, 8][axes - 1]);
        let ceil = numbers.within(0, 1) == 1;
        let spec = PoolSpec { kernel, stride, padding, dilation, ceil };
        let dtype = if case % 4 == 0 { DType::F64 } else { DType::F32 };
        let shape = [&[numbers.within(1, 4), numbers.within(1, 5)], &extents[..]].concat();
        check_pool(dtype, &shape, &spec);
    }
}

#[test]
fn pooling_by_squares() {
    for shape in [[3, 2, 4, 6], [2, 3, 7, 5], [1, 2, 28, 28], [1, 1, 3, 71], [2, 2, 14, 14]] {
        check_pool(DType::F32, &shape, &PoolSpec::new(&[2, 2]));
    }
}

/// The first of equal elements wins, and of NaN, in every square.
#[test]
fn ties_and_nan_in_squares() {
    const KINDS: [f64; 4] = [1.0, 2.0, f64::NAN, f64::NEG_INFINITY];
    // Every square of these four numbers, side by side.
    let square = |i: usize, place: usize| KINDS[i >> (2 * place) & 3];
    let row = |y: usize| (0..512).map(move |x| square(x / 2, 2 * y + x % 2));
    let numbers: Vec<f64> = row(0).chain(row(1)).collect();
    let value = Value::from_f64(DType::F32, &numbers, [1, 1, 2, 512]).unwrap();
    let x = Tensor::input("x", DType::F32, value.shape());
    let y = x.max_pool(&PoolSpec::new(&[2, 2]));
    let dx = grad(&y.sum_all(), std::slice::from_ref(&x)).unwrap().remove(0);
    let feeds = [Feed { input: x, value }];
    assert_reference(&[y, dx], &[], &feeds, &States::new(), 0.0, "squares");
}

/// Maximum and means, their gradients, and the maximum's gradient's gradient.
fn check_pool(dtype: DType, shape: &[usize], spec: &PoolSpec) {
    let place = format!("{dtype} {shape:?} {spec:?}");
    let x = Tensor::input("x", dtype, shape);
    let max = x.max_pool(spec).ok().unwrap_or_else(|e| panic!("{place}: {e}"));
    let g = Tensor::input("g", dtype, max.shape());
    let h = Tensor::input("h", dtype, shape);
    let pools = [max, x.avg_pool(spec, true), x.avg_pool(spec, false)];
    let mut outputs = vec![];
    for pool in &pools {
        let dx = grad(&(pool * &g).sum_all(), std::slice::from_ref(&x)).unwrap().remove(0);
        outputs.push(grad(&(&dx * &h).sum_all(), std::slice::from_ref(&g)).unwrap().remove(0));
        outputs.push(dx);
    }
    outputs.extend(pools);
    let feeds: Vec<Feed<Value>> = [x, g, h].into_iter().map(|t| random(&t)).collect();
    let tolerance = if dtype == DType::F32 { 1e-6 } else { 1e-14 };
    assert_reference(&outputs, &[], &feeds, &States::new(), tolerance, &place);
}
