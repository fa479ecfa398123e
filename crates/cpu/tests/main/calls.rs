//! Ops with kernels of their own, on tensors large enough to be shared among threads.

use thalweg_graph::ops::RandomKind;
use thalweg_graph::random::{uniform_f32, uniform_f64};
use thalweg_graph::{DType, Tensor, Value};

use crate::support::{States, assert_reference};

const NUMBERS: [DType; 5] = [DType::F32, DType::F64, DType::I64, DType::I32, DType::U8];

fn numbers(seed: u64, dtype: DType, shape: &[usize]) -> Tensor {
    let scale = if dtype.is_float() { 2.0 } else { 200.0 };
    let elements = uniform_f64(seed, 0, 0, shape.iter().product());
    let elements: Vec<f64> = elements.iter().map(|x| (x - 0.5) * scale).collect();
    Tensor::constant(Value::from_f64(dtype, &elements, shape).unwrap())
}

/// Indices below `extent`; the smaller ones are more frequent.
fn ids(seed: u64, extent: usize, shape: &[usize]) -> Tensor {
    let elements = uniform_f64(seed, 0, 1, shape.iter().product());
    let elements: Vec<i64> = elements.iter().map(|x| (x * x * extent as f64) as i64).collect();
    Tensor::constant(Value::new(&elements, shape).unwrap())
}

fn check(outputs: &[Tensor], tolerance: f64, what: &str) {
    assert_reference(outputs, &[], &[], &States::new(), tolerance, what);
}

#[test]
fn index_select() {
    for dtype in DType::ALL {
        let outputs = [
            numbers(1, dtype, &[300, 97]).index_select(0, &ids(2, 300, &[20, 20])),
            numbers(3, dtype, &[5, 300, 30]).index_select(1, &ids(4, 300, &[200])),
            numbers(5, dtype, &[50_000]).index_select(0, &ids(6, 50_000, &[40_000])),
            numbers(7, dtype, &[300, 70]).index_select(1, &ids(8, 70, &[90])),
        ];
        check(&outputs, 0.0, dtype.name());
    }
}

#[test]
fn index_add() {
    for dtype in NUMBERS {
        let add = |shape: &[usize], axis: usize, count: usize| {
            let mut from = shape.to_vec();
            from[axis] = count;
            let ids = ids(1, shape[axis], &[count]);
            numbers(2, dtype, shape).index_add(axis as isize, &ids, &numbers(3, dtype, &from))
        };
        // Cut by columns, by rows of the axis, by outer places, by some of each.
        let outputs = [
            add(&[10, 640], 0, 60),
            add(&[5000], 0, 40_000),
            add(&[700, 3], 1, 50),
            add(&[3, 40, 130], 1, 100),
            add(&[3, 40, 2], 1, 5000),
        ];
        check(&outputs, 1e-5, dtype.name());
    }
}

#[test]
fn gather_and_scatter_add() {
    for dtype in NUMBERS {
        let both = |shape: &[usize], axis: usize, index: &[usize]| {
            let index = ids(1, shape[axis], index);
            let (x, axis) = (numbers(2, dtype, shape), axis as isize);
            let src = numbers(3, dtype, index.shape());
            [x.gather(axis, &index), x.scatter_add(axis, &index, &src)]
        };
        let outputs = [
            both(&[500, 50], 1, &[400, 80]),
            both(&[30, 600], 0, &[70, 500]),
            both(&[5000], 0, &[40_000]),
            both(&[20, 30, 5, 40], 1, &[15, 40, 4, 30]),
            both(&[3, 9, 20, 5], 2, &[2, 8, 700, 4]),
        ];
        // The gathers are exact.
        let gathers: Vec<Tensor> = outputs.iter().map(|o| o[0].clone()).collect();
        let sums: Vec<Tensor> = outputs.iter().map(|o| o[1].clone()).collect();
        check(&gathers, 0.0, dtype.name());
        check(&sums, 1e-5, dtype.name());
    }
}

#[test]
fn the_first_value_out_of_range_is_named() {
    let mut values = vec![3i64; 40_000];
    let good = Tensor::new(&values, [200, 200]);
    check(&[good.check_range(0, 10, "label")], 0.0, "good");
    for (place, bad) in [(0, 10), (123, -1), (39_999, i64::MIN)] {
        values[place] = bad;
        values[39_999] = bad;
        let ids = Tensor::new(&values, [200, 200]);
        let x = numbers(1, DType::F32, &[200, 10]);
        let index = ids.narrow(1, 0, 10);
        check(&[ids.check_range(0, 10, "label")], 0.0, "check_range");
        check(&[x.index_select(1, &ids)], 0.0, "index_select");
        check(&[x.gather(1, &index)], 0.0, "gather");
        check(&[x.scatter_add(1, &index, &x)], 1e-6, "scatter_add");
        values.fill(3);
    }
}

#[test]
fn random() {
    for key in [[0i64, 0], [7, 3], [-1, i64::MIN]] {
        let drawn = uniform_f32(key[0] as u64, key[1] as u64, 11, 2000);
        let key = Tensor::new(&key, [2]);
        let draw = |kind, dtype| Tensor::random(&key, kind, 11, dtype, [11, 3333]);
        let outputs = [
            draw(RandomKind::Uniform, DType::F32),
            draw(RandomKind::Uniform, DType::F64),
            draw(RandomKind::Normal, DType::F32),
            draw(RandomKind::Normal, DType::F64),
            draw(RandomKind::Bernoulli(0.0), DType::Bool),
            draw(RandomKind::Bernoulli(0.3), DType::Bool),
            draw(RandomKind::Bernoulli(1.0), DType::Bool),
            // A number that equals the probability is not below it.
            draw(RandomKind::Bernoulli(drawn[1000] as f64), DType::Bool),
        ];
        check(&outputs, 0.0, "random");
        for n in [1usize, 2, 3, 5, 31, 32, 33, 63, 65] {
            let outputs = [
                Tensor::random_uniform(&key, 1 << 40, [n]),
                Tensor::random_bernoulli(&key, 2, 0.5, [n]),
            ];
            check(&outputs, 0.0, "a few");
        }
    }
}

#[test]
fn arg_max_and_arg_min() {
    let every = |x: &Tensor| -> Vec<Tensor> {
        (0..x.rank() as isize).flat_map(|axis| [x.argmax(axis), x.argmin(axis)]).collect()
    };
    for dtype in NUMBERS {
        check(&every(&numbers(1, dtype, &[30, 50, 40])), 0.0, dtype.name());
        check(&every(&numbers(2, dtype, &[3, 20_000])), 0.0, dtype.name());
        check(&every(&numbers(3, dtype, &[20_000, 3])), 0.0, dtype.name());
    }
    for special in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.0] {
        for dtype in [DType::F32, DType::F64] {
            for (columns, first) in [(5usize, 0usize), (1500, 1030), (3000, 1023)] {
                // Nothing but the special value, and the special value twice among others.
                let mut elements = vec![special; 4 * columns];
                for (i, x) in elements.iter_mut().enumerate().take(3 * columns) {
                    let at = i % columns;
                    let other = if special == 0.0 { -special } else { (at % 7) as f64 };
                    let sign = if i < columns { 1.0 } else { -1.0 };
                    *x = if at == first || at + 1 == columns { special } else { sign * other };
                }
                let x = Value::from_f64(dtype, &elements, [4, columns]).unwrap();
                let what = format!("{special} {dtype} {columns}");
                check(&every(&Tensor::constant(x)), 0.0, &what);
            }
        }
    }
}

#[test]
fn windows() {
    for dtype in DType::ALL {
        let x = numbers(1, dtype, &[50, 60, 40]);
        for (starts, lens) in [
            ([3i64, 0, 20], [40usize, 60, 20]),
            ([0, 7, 0], [50, 30, 40]),
            ([49, 59, 39], [1, 1, 1]),
            ([0, 0, 0], [50, 60, 40]),
            ([5, 5, 5], [20, 0, 20]),
            ([11, 13, 30], [30, 40, 11]),
        ] {
            let starts = Tensor::new(&starts, [3]);
            let window = x.slice_at(&starts, lens);
            let update = x.update_slice_at(&numbers(2, dtype, &lens), &starts);
            check(&[window, update], 0.0, dtype.name());
        }
    }
}
