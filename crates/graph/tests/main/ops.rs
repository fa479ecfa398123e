//! What single ops give: numbers that follow from their definitions.

use thalweg_graph::ops::{Cell, RandomKind, Recurrence, RecurrentState, RecurrentWeights};
use thalweg_graph::{DType, NoStates, RefValue, Reference, Tensor, grad, random};

fn evaluate(tensor: &Tensor) -> RefValue {
    Reference::new().evaluate(std::slice::from_ref(tensor), &[], &NoStates).unwrap().remove(0)
}

fn ints(x: &[i64]) -> Tensor {
    Tensor::new(x, [x.len()])
}

fn bits(x: &[f64]) -> Vec<u64> {
    x.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn random_tensors_are_the_host_functions_numbers() {
    let key = ints(&[7, 3]);
    let wide = |x: Vec<f32>| x.into_iter().map(f64::from).collect::<Vec<_>>();
    let uniform = evaluate(&Tensor::random_uniform(&key, 11, [3, 5])).floats();
    assert_eq!(bits(&uniform), bits(&wide(random::uniform_f32(7, 3, 11, 15))));
    let normal = evaluate(&Tensor::random_normal(&key, 11, [3, 5])).floats();
    assert_eq!(bits(&normal), bits(&wide(random::normal_f32(7, 3, 11, 15))));
    let long = |kind| evaluate(&Tensor::random(&key, kind, 11, DType::F64, [7])).floats();
    assert_eq!(bits(&long(RandomKind::Uniform)), bits(&random::uniform_f64(7, 3, 11, 7)));
    assert_eq!(bits(&long(RandomKind::Normal)), bits(&random::normal_f64(7, 3, 11, 7)));
    let mut want = [0u8; 15];
    random::Draw { seed: 7, step: 3, stream: 11 }.fill_bernoulli(0.4, 0, &mut want);
    let bernoulli = evaluate(&Tensor::random_bernoulli(&key, 11, 0.4, [15])).ints();
    assert_eq!(bernoulli, want.map(i64::from));
    assert!(want.contains(&0) && want.contains(&1));
}

#[test]
fn selection_follows_its_definition() {
    let x = Tensor::iota(DType::F32, [12], 0).reshape([4, 3]);
    let rows = evaluate(&x.index_select(0, &ints(&[3, 0, 3])));
    assert_eq!(rows.floats(), [9.0, 10.0, 11.0, 0.0, 1.0, 2.0, 9.0, 10.0, 11.0]);
    let columns = x.index_select(1, &ints(&[2, 0]).reshape([1, 2]));
    assert_eq!(columns.shape().dims(), [4, 1, 2]);
    assert_eq!(evaluate(&columns).floats(), [2.0, 0.0, 5.0, 3.0, 8.0, 6.0, 11.0, 9.0]);
    let cells = x.gather(1, &ints(&[2, 0, 1, 1]).reshape([2, 2]));
    assert_eq!(evaluate(&cells).floats(), [2.0, 0.0, 4.0, 4.0]);
}

#[test]
fn named_twice_means_added_twice() {
    let ones = Tensor::ones(DType::F32, [3]);
    let sum = ones.scatter_add(0, &ints(&[2, 0, 2]), &Tensor::new(&[1.0f32, 10.0, 100.0], [3]));
    assert_eq!(evaluate(&sum).floats(), [11.0, 1.0, 102.0]);
    let rows = Tensor::zeros(DType::I32, [2, 2]).index_add(
        0,
        &ints(&[1, 1]),
        &Tensor::new(&[1i32, 2, 3, i32::MAX], [2, 2]),
    );
    assert_eq!(evaluate(&rows).ints(), [0, 0, 4, i32::MIN as i64 + 1]);
}

#[test]
fn one_hot_rows() {
    let rows = evaluate(&ints(&[1, -1, 3, 0]).one_hot(3, DType::F32));
    assert_eq!(rows.floats(), [0., 1., 0., 0., 0., 0., 0., 0., 0., 1., 0., 0.]);
}

#[test]
fn order_is_stable_and_nan_is_greatest() {
    let nan = f64::NAN;
    let x = Tensor::new(&[2.0, nan, 1.0, 2.0, f64::INFINITY, nan, -0.0, 0.0], [8]);
    assert_eq!(evaluate(&x.argsort(0, false)).ints(), [6, 7, 2, 0, 3, 4, 1, 5]);
    assert_eq!(evaluate(&x.argsort(0, true)).ints(), [1, 5, 4, 0, 3, 2, 6, 7]);
    let (values, places) = x.topk(3, 0, false);
    assert_eq!(bits(&evaluate(&values).floats()), bits(&[-0.0, 0.0, 1.0]));
    assert_eq!(evaluate(&places).ints(), [6, 7, 2]);
    let (values, places) = Tensor::new(&[3i64, 1, 2, 9, 7, 8], [2, 3]).sort(-1, true);
    assert_eq!(evaluate(&values).ints(), [3, 2, 1, 9, 8, 7]);
    assert_eq!(evaluate(&places).ints(), [0, 2, 1, 0, 2, 1]);
}

#[test]
fn running_sums() {
    let x = Tensor::new(&[1i64, 2, 3, 4, 5, 6], [2, 3]);
    assert_eq!(evaluate(&x.cumsum(1)).ints(), [1, 3, 6, 4, 9, 15]);
    assert_eq!(evaluate(&x.cumsum(0)).ints(), [1, 2, 3, 5, 7, 9]);
}

#[test]
fn windows_at_run_time_equal_static_ones() {
    let x = Tensor::iota(DType::F32, [20], 0).reshape([4, 5]);
    let window = evaluate(&x.slice_at(&ints(&[1, 2]), [2, 3]));
    assert_eq!(window.data, evaluate(&x.narrow(0, 1, 2).narrow(1, 2, 3)).data);
    let update = Tensor::full(-1.0, DType::F32, [2, 3]);
    let (moving, fixed) =
        (x.update_slice_at(&update, &ints(&[1, 2])), x.update_slice(&update, &[1, 2]));
    assert_eq!(evaluate(&moving).data, evaluate(&fixed).data);
    assert_eq!(evaluate(&fixed.narrow(0, 1, 1)).floats(), [5.0, 6.0, -1.0, -1.0, -1.0]);
}

#[test]
fn nothing_sums_to_positive_zero() {
    let sum = evaluate(&Tensor::zeros(DType::F32, [2, 0]).sum(&[1])).floats();
    assert_eq!(bits(&sum), bits(&[0.0, 0.0]));
    let (a, b) = (Tensor::zeros(DType::F32, [1, 0]), Tensor::zeros(DType::F32, [0, 2]));
    assert_eq!(bits(&evaluate(&a.matmul(&b)).floats()), bits(&[0.0, 0.0]));
}

#[test]
fn nan_is_not_hidden() {
    let x = Tensor::new(&[1.0f32, f32::NAN, 3.0], [3]);
    let zero = Tensor::zeros(DType::F32, [3]);
    for tensor in [x.max(&[0]), x.min(&[0]), x.sum(&[0]), x.prod(&[0])] {
        assert!(evaluate(&tensor).floats()[0].is_nan(), "{tensor:?}");
    }
    for tensor in [x.relu(), x.maximum(&zero), zero.maximum(&x), x.minimum(&zero), zero.minimum(&x)]
    {
        assert!(evaluate(&tensor).floats()[1].is_nan(), "{tensor:?}");
    }
    assert_eq!(evaluate(&x.argmax(0)).ints(), [1]);
}

/// A padded sequence gives what the unpadded one does: results and gradients, in both directions.
#[test]
fn padding_does_not_change_a_recurrence() {
    let (steps, units, lengths) = (4, 2, [2usize, 4, 1]);
    let noise = |seed: u64, shape: &[usize]| {
        let elements = random::uniform_f64(seed, 0, 0, shape.iter().product());
        Tensor::new(&elements.iter().map(|x| x * 2.0 - 1.0).collect::<Vec<f64>>(), shape)
    };
    for cell in Cell::ALL {
        for reverse in [false, true] {
            let rows = cell.gates() * units;
            let weights = RecurrentWeights {
                w_hh: noise(1, &[rows, units]),
                b_ih: noise(2, &[rows]),
                b_hh: noise(3, &[rows]),
            };
            let x = noise(4, &[steps, 3, rows]);
            let c = (cell == Cell::Lstm).then(|| noise(6, &[3, units]));
            let start = RecurrentState { h: noise(5, &[3, units]), c };
            // Output, state and the gradient of x of some sequences, each cut to `steps`.
            let walk = |first: usize, count: usize, steps: usize, lengths: Option<&Tensor>| {
                let x = x.narrow(1, first, count).narrow(0, 0, steps);
                let of = |t: &Tensor| t.narrow(0, first, count);
                let start = RecurrentState { h: of(&start.h), c: start.c.as_ref().map(of) };
                let how = Recurrence { cell, reverse };
                let out = x.recurrent(how, &weights, &start, lengths);
                let state = match &out.state.c {
                    Some(c) => &out.state.h + c,
                    None => out.state.h.clone(),
                };
                let loss = (&out.output * &out.output).sum_all() + state.exp().sum_all();
                let dx = grad(&loss, std::slice::from_ref(&x)).unwrap().remove(0);
                [out.output, dx, state.unsqueeze(0)]
            };
            let padded = walk(0, 3, steps, Some(&ints(&lengths.map(|n| n as i64))));
            for (i, &len) in lengths.iter().enumerate() {
                for (whole, alone) in padded.iter().zip(&walk(i, 1, len, None)) {
                    let row = whole.narrow(1, i, 1);
                    let shown = row.narrow(0, 0, alone.dim(0));
                    let rest = row.narrow(0, alone.dim(0), row.dim(0) - alone.dim(0));
                    let (shown, alone) = (evaluate(&shown).floats(), evaluate(alone).floats());
                    for (a, b) in shown.iter().zip(&alone) {
                        assert!((a - b).abs() < 1e-14, "{cell:?} {reverse}: {shown:?} {alone:?}");
                    }
                    assert!(evaluate(&rest).floats().iter().all(|&x| x == 0.0), "{cell:?}");
                }
            }
        }
    }
}
