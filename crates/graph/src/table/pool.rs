//! Entries of pooling.

use super::{Case, OpEntry, apart, case, error, plain, sample, viewed, zeros};
use crate::dtype::DType::{self, F32, F64, I64};
use crate::ops::{AvgPool, AvgPoolGrad, MaxPoolGrad, MaxPoolPick, PoolSpec};
use crate::shape::Shape;
use crate::table::Domain;
use crate::tensor::Tensor;

pub(super) fn entries() -> Vec<OpEntry> {
    vec![max_pool(), max_pool_grad(), max_pool_pick(), avg_pool(), avg_pool_grad()]
}

/// A pooling that is tried: its name, the input's shape, and how the window slides.
type Pooling = (&'static str, DType, Shape, PoolSpec);

fn pooling(
    name: &'static str,
    x: impl Into<Shape>,
    kernel: &[usize],
    change: impl Fn(&mut PoolSpec),
) -> Pooling {
    let mut spec = PoolSpec::new(kernel);
    change(&mut spec);
    (name, F32, x.into(), spec)
}

fn poolings() -> Vec<Pooling> {
    let (_, _, shape, spec) = pooling("", [1, 2, 4, 6], &[2, 3], |_| ());
    vec![
        pooling("f32", [2, 2, 4, 6], &[2, 2], |_| ()),
        ("f64", F64, shape, spec),
        pooling("1-d", [1, 2, 5], &[2], |_| ()),
        pooling("3-d", [1, 2, 3, 4, 4], &[2, 2, 3], |s| s.stride = vec![1, 2, 1]),
        pooling("overlapping", [1, 2, 6, 7], &[3, 3], |s| s.stride = vec![2, 1]),
        pooling("stride past the kernel", [1, 2, 8], &[2], |s| s.stride = vec![3]),
        pooling("padding", [1, 2, 5, 4], &[3, 2], |s| {
            (s.stride, s.padding) = (vec![2, 1], vec![1, 1]);
        }),
        pooling("ceil", [1, 1, 6, 5], &[2, 2], |s| s.ceil = true),
        pooling("ceil, padding", [1, 1, 6, 4], &[3, 3], |s| {
            (s.stride, s.padding, s.ceil) = (vec![2, 2], vec![1, 1], true);
        }),
        pooling("ceil would start in the padding", [1, 1, 3], &[2], |s| {
            (s.stride, s.padding, s.ceil) = (vec![3], vec![1], true);
        }),
        pooling("ceil, larger than the input", [1, 1, 2], &[3], |s| {
            (s.stride, s.ceil) = (vec![2], true);
        }),
        pooling("dilation", [1, 2, 7], &[3], |s| {
            (s.stride, s.padding, s.dilation) = (vec![1], vec![1], vec![2]);
        }),
        pooling("whole input", [2, 2, 3, 3], &[3, 3], |_| ()),
        pooling("empty", [0, 2, 4], &[2], |_| ()),
        pooling("one element", [1, 1, 1], &[1], |_| ()),
    ]
}

fn each_pooling(of: impl Fn(Pooling) -> Case) -> Vec<Case> {
    let mut cases: Vec<Case> = poolings().into_iter().map(of).collect();
    cases.extend(cases.iter().find(|c| c.name == "1-d").map(viewed).unwrap_or_default());
    cases
}

/// A window whose taps all miss the input.
fn all_miss() -> (Shape, PoolSpec) {
    let mut spec = PoolSpec::new(&[2]);
    (spec.stride, spec.padding, spec.dilation) = (vec![1], vec![1], vec![2]);
    ([1, 1, 1].into(), spec)
}

fn pool_errors(apply: fn(&Tensor, &PoolSpec) -> Tensor) -> Vec<super::ErrorCase> {
    let fails = move |expect, x: &[usize], kernel: &[usize], change: fn(&mut PoolSpec)| {
        let (x, mut spec) = (zeros(F32, x), PoolSpec::new(kernel));
        change(&mut spec);
        error(expect, move || apply(&x, &spec))
    };
    vec![
        fails("the input must have rank 4, [N, C, H, W]", &[1, 1, 4], &[2, 2], |_| ()),
        fails(
            "axis 2 of [1, 1, 3]: a kernel of 4 with dilation 1 covers 4 elements, \
             got 3 (3 with padding 0 + 0)",
            &[1, 1, 3],
            &[4],
            |_| (),
        ),
        fails("the kernel of axis 2 must be at least 1, got 0", &[1, 1, 4], &[0], |_| ()),
        fails("the stride of axis 2 must be at least 1, got 0", &[1, 1, 4], &[2], |s| {
            s.stride[0] = 0
        }),
        fails("the dilation of axis 2 must be at least 1, got 0", &[1, 1, 4], &[2], |s| {
            s.dilation[0] = 0
        }),
        fails(
            "the padding of axis 2 must be at most half the kernel, 1 of 3, got 2",
            &[1, 1, 4],
            &[3],
            |s| s.padding[0] = 2,
        ),
        fails("the stride needs one number for each of 1 spatial axes", &[1, 1, 4], &[2], |s| {
            s.stride = vec![]
        }),
    ]
}

fn max_pool() -> OpEntry {
    let mut cases = each_pooling(|(name, dtype, x, spec)| {
        case(name, vec![apart(dtype, x, 0.0)], move |t| t[0].max_pool(&spec))
    });
    let exact = |shape: [usize; 3], x: &[f64]| sample(F32, shape, Domain::Exact(x.to_vec()));
    let threes = |t: &[Tensor]| t[0].max_pool(&PoolSpec::new(&[3]));
    let (x, miss) = all_miss();
    cases.extend([
        case("ties", vec![exact([1, 1, 6], &[1.0, 2.0, 2.0, -0.0, 0.0, -1.0])], threes).rough(),
        case("NaN", vec![exact([1, 1, 6], &[1.0, f64::NAN, 2.0, f64::NAN, 0.0, f64::NAN])], threes)
            .rough(),
        case("infinities", vec![exact([1, 2, 3], &[f64::NEG_INFINITY; 6])], threes).rough(),
        case("taps that miss", vec![plain(F32, x)], move |t| t[0].max_pool(&miss)).rough(),
    ]);
    let mut errors = pool_errors(|x, spec| x.max_pool(spec));
    errors.push(error("expects float tensors of one type, got i64", || {
        zeros(I64, [1, 1, 4]).max_pool(&PoolSpec::new(&[2]))
    }));
    OpEntry {
        name: "max_pool",
        formula: "the greatest element of each window; padding is −∞, NaN wins",
        torch: "nn.functional.max_pool1d, max_pool2d, max_pool3d",
        onnx: "MaxPool",
        differentiable: true,
        cases,
        errors,
    }
}

fn max_pool_grad() -> OpEntry {
    let mut cases = each_pooling(|(name, dtype, x, spec)| {
        let g = zeros(dtype, &x).max_pool(&spec).shape().clone();
        let op = MaxPoolGrad { spec };
        let inputs = vec![apart(dtype, x, 0.0), plain(dtype, g)];
        case(name, inputs, move |t| Tensor::from_op(op.clone(), t))
    });
    let ties = sample(F32, [1, 1, 6], Domain::Exact(vec![1.0, 2.0, 2.0, f64::NAN, 0.0, f64::NAN]));
    let op = MaxPoolGrad { spec: PoolSpec::new(&[3]) };
    let first = move |t: &[Tensor]| Tensor::from_op(op.clone(), t);
    cases.push(case("ties and NaN", vec![ties, plain(F32, [1, 1, 2])], first).rough());
    let wrong = || MaxPoolGrad { spec: PoolSpec::new(&[2]) };
    OpEntry {
        name: "max_pool_grad",
        formula: "zeros with each g added at the place of its window's first greatest element",
        torch: "nn.functional.max_unpool2d",
        onnx: "",
        differentiable: true,
        cases,
        errors: vec![
            error("the result has shape [1, 1, 2], its cotangent [1, 1, 3]", move || {
                Tensor::from_op(wrong(), &[zeros(F32, [1, 1, 4]), zeros(F32, [1, 1, 3])])
            }),
            error("expects float tensors of one type, got f32 and f64", move || {
                Tensor::from_op(wrong(), &[zeros(F32, [1, 1, 4]), zeros(F64, [1, 1, 2])])
            }),
        ],
    }
}

fn max_pool_pick() -> OpEntry {
    let mut cases = each_pooling(|(name, dtype, x, spec)| {
        let op = MaxPoolPick { spec };
        let inputs = vec![apart(dtype, &x, 0.0), plain(dtype, x)];
        case(name, inputs, move |t| Tensor::from_op(op.clone(), t))
    });
    let ties = sample(F32, [1, 1, 6], Domain::Exact(vec![1.0, 2.0, 2.0, f64::NAN, 0.0, f64::NAN]));
    let op = MaxPoolPick { spec: PoolSpec::new(&[3]) };
    let first = move |t: &[Tensor]| Tensor::from_op(op.clone(), t);
    cases.push(case("ties and NaN", vec![ties, plain(F32, [1, 1, 6])], first).rough());
    let (x, spec) = all_miss();
    let op = MaxPoolPick { spec };
    let miss = move |t: &[Tensor]| Tensor::from_op(op.clone(), t);
    cases.push(case("taps that miss", vec![plain(F32, &x), plain(F32, x)], miss).rough());
    let wrong = || MaxPoolPick { spec: PoolSpec::new(&[2]) };
    OpEntry {
        name: "max_pool_pick",
        formula: "for each window of x, the element of h at the place of its first greatest one",
        torch: "",
        onnx: "",
        differentiable: true,
        cases,
        errors: vec![
            error("both must have one shape, got [1, 1, 4] and [1, 1, 3]", move || {
                Tensor::from_op(wrong(), &[zeros(F32, [1, 1, 4]), zeros(F32, [1, 1, 3])])
            }),
            error("expects float tensors of one type, got f32 and f64", move || {
                Tensor::from_op(wrong(), &[zeros(F32, [1, 1, 4]), zeros(F64, [1, 1, 4])])
            }),
        ],
    }
}

fn avg_pool() -> OpEntry {
    let mut cases = each_pooling(|(name, dtype, x, spec)| {
        case(name, vec![plain(dtype, x)], move |t| t[0].avg_pool(&spec, true))
    });
    cases.extend(poolings().into_iter().filter(|p| p.0.contains("padding")).map(
        |(name, dtype, x, spec)| {
            let name = format!("{name}, not counted");
            case(name, vec![plain(dtype, x)], move |t| t[0].avg_pool(&spec, false))
        },
    ));
    let (x, miss) = all_miss();
    cases.push(case("taps that miss", vec![plain(F32, x)], move |t| t[0].avg_pool(&miss, false)));
    OpEntry {
        name: "avg_pool",
        formula: "the sum of each window divided by the number of its elements",
        torch: "nn.functional.avg_pool1d, avg_pool2d, avg_pool3d",
        onnx: "AveragePool",
        differentiable: true,
        cases,
        errors: pool_errors(|x, spec| x.avg_pool(spec, true)),
    }
}

fn avg_pool_grad() -> OpEntry {
    let of = |count_include_pad: bool| {
        move |(name, dtype, x, spec): Pooling| {
            let g = zeros(dtype, &x).avg_pool(&spec, true).shape().clone();
            let pool = AvgPool { spec, count_include_pad };
            let op = AvgPoolGrad { pool, extents: x[2..].to_vec() };
            let name = if count_include_pad { name.into() } else { format!("{name}, not counted") };
            case(name, vec![plain(dtype, g)], move |t| Tensor::from_op(op.clone(), t))
        }
    };
    let mut cases = each_pooling(of(true));
    cases.extend(poolings().into_iter().filter(|p| p.0.contains("padding")).map(of(false)));
    OpEntry {
        name: "avg_pool_grad",
        formula: "each g divided among the elements of its window",
        torch: "",
        onnx: "",
        differentiable: true,
        cases,
        errors: vec![error("the result has shape [1, 1, 2], its cotangent [1, 1, 3]", || {
            let pool = AvgPool { spec: PoolSpec::new(&[2]), count_include_pad: true };
            let op = AvgPoolGrad { pool, extents: vec![4] };
            Tensor::from_op(op, &[zeros(F32, [1, 1, 3])])
        })],
    }
}
