//! Entries of the sources, of `detach` and of the random ops.

use super::{Case, OpEntry, case, error, ids, plain, viewed, zeros};
use crate::dtype::DType::{self, Bool, F32, F64, I32, I64, U8};
use crate::executor::StateId;
use crate::ops::RandomKind;
use crate::tensor::Tensor;
use crate::value::Value;

pub(super) fn entries() -> Vec<OpEntry> {
    let mut entries = vec![iota(), full(), constant(), input(), state(), detach()];
    entries.extend(random());
    entries
}

fn none(name: impl Into<String>, build: impl Fn() -> Tensor + Send + Sync + 'static) -> Case {
    case(name, vec![], move |_| build())
}

fn iota() -> OpEntry {
    let mut cases: Vec<Case> = [F32, F64, I64, I32, U8]
        .into_iter()
        .map(|dtype| none(dtype.name(), move || Tensor::iota(dtype, [2, 3, 4], 1)))
        .collect();
    cases.push(none("u8 wraps around", || Tensor::iota(U8, [300], 0).narrow(0, 200, 100)));
    cases.push(none("the last axis", || Tensor::iota(F32, [3, 5], -1)));
    cases.push(none("permuted", || Tensor::iota(F32, [3, 5], 0).t()));
    cases.push(none("empty", || Tensor::iota(I64, [0, 2], 1)));
    cases.push(none("one element", || Tensor::iota(I64, [1], 0)));
    OpEntry {
        name: "iota",
        formula: "the index along an axis",
        torch: "arange",
        onnx: "Range",
        differentiable: false,
        cases,
        errors: vec![
            error("axis 2 is out of range", || Tensor::iota(I64, [2, 3], 2)),
            error("counts in a number type, got bool", || Tensor::iota(Bool, [2], 0)),
            error("has too many elements", || Tensor::iota(I64, [usize::MAX, 2], 0)),
        ],
    }
}

fn full() -> OpEntry {
    let mut cases: Vec<Case> = DType::ALL
        .into_iter()
        .map(|dtype| none(dtype.name(), move || Tensor::full(1.7, dtype, [2, 3])))
        .collect();
    cases.push(none("saturated", || Tensor::full(-300.5, U8, [2])));
    cases.push(none("infinite", || Tensor::full(f64::INFINITY, F32, [2])));
    cases.push(none("empty", || Tensor::zeros(F32, [0])));
    cases.push(none("a scalar", || Tensor::scalar(3.0, F64)));
    OpEntry {
        name: "full",
        formula: "the same number everywhere",
        torch: "full",
        onnx: "ConstantOfShape",
        differentiable: false,
        cases,
        errors: vec![error("has too many elements", || zeros(F32, [usize::MAX, usize::MAX]))],
    }
}

fn constant() -> OpEntry {
    let mut cases: Vec<Case> = DType::ALL
        .into_iter()
        .map(|dtype| {
            let value = plain(dtype, [2, 3]).value(7, 0);
            none(dtype.name(), move || Tensor::constant(value.clone()))
        })
        .collect();
    cases.push(none("permuted", || Tensor::new(&[1.0f32, 2.0, 3.0, 4.0], [2, 2]).t()));
    cases.push(none("empty", || Tensor::new::<f32>(&[], [0])));
    cases.push(none("one element", || Tensor::constant(Value::scalar(2.5f64))));
    OpEntry {
        name: "constant",
        formula: "given elements",
        torch: "tensor",
        onnx: "Constant",
        differentiable: false,
        cases,
        errors: vec![
            error("3 elements do not fill the shape [2, 2]", || Tensor::new(&[1i64, 2, 3], [2, 2])),
            error("do not fill the shape", || Tensor::new(&[1i64], [usize::MAX, usize::MAX])),
        ],
    }
}

fn input() -> OpEntry {
    // A case's inputs are input nodes themselves.
    let mut cases: Vec<Case> = DType::ALL
        .into_iter()
        .map(|dtype| case(dtype.name(), vec![plain(dtype, [2, 3])], |x| x[0].clone()))
        .collect();
    cases.push(case("empty", vec![plain(F32, [0])], |x| x[0].clone()));
    cases.push(case("one element", vec![plain(F32, [])], |x| x[0].clone()));
    OpEntry {
        name: "input",
        formula: "a value given for each run",
        torch: "",
        onnx: "",
        differentiable: true,
        cases,
        errors: vec![
            error("input `x` was not fed", || Tensor::input("x", F32, [2])),
            error("has too many elements", || Tensor::input("x", F32, [usize::MAX])),
        ],
    }
}

fn state() -> OpEntry {
    OpEntry {
        name: "state",
        formula: "a value that lives in a store",
        torch: "nn.Parameter",
        onnx: "",
        differentiable: true,
        // Cases run without a store; reads of states are tested by themselves.
        cases: vec![none("shape alone", || {
            let state = Tensor::state(StateId::fresh(), "w", F32, [2, 3]);
            Tensor::iota(I64, state.shape(), 0)
        })],
        errors: vec![error("state `w` has no value in this store", || {
            Tensor::state(StateId::fresh(), "w", F32, [2])
        })],
    }
}

fn detach() -> OpEntry {
    let mut cases: Vec<Case> = DType::ALL
        .into_iter()
        .map(|dtype| case(dtype.name(), vec![plain(dtype, [2, 3])], |x| x[0].detach()))
        .collect();
    cases.extend(viewed(&cases[0]));
    cases.push(case("empty", vec![plain(F32, [0])], |x| x[0].detach()));
    cases.push(case("one element", vec![plain(F32, [])], |x| x[0].detach()));
    OpEntry {
        name: "detach",
        formula: "x, through which no gradient flows",
        torch: "detach",
        onnx: "Identity",
        differentiable: false,
        cases,
        errors: vec![error("1 elements do not fill the shape [2]", || {
            Tensor::new(&[1.0f32], [2]).detach()
        })],
    }
}

fn random() -> [OpEntry; 3] {
    let draw = |name: &str, kind, dtype, shape: &'static [usize]| {
        case(name, vec![ids([2], &[42, 3])], move |x| Tensor::random(&x[0], kind, 9, dtype, shape))
    };
    let entry = |name, formula, torch, onnx, kind, dtypes: &[DType]| {
        let mut cases: Vec<Case> =
            dtypes.iter().map(|&dtype| draw(dtype.name(), kind, dtype, &[3, 7])).collect();
        cases.push(draw("long", kind, dtypes[0], &[199]));
        cases.push(draw("empty", kind, dtypes[0], &[0, 2]));
        cases.push(draw("one element", kind, dtypes[0], &[]));
        cases.push(case("negative seed", vec![ids([2], &[-1, 0])], move |x| {
            Tensor::random(&x[0], kind, u64::MAX, natural(kind), [5])
        }));
        let errors = vec![
            error("the key must be i64[2], seed and step, got f32[2]", move || {
                Tensor::random(&zeros(F32, [2]), kind, 0, natural(kind), [2])
            }),
            error("the key must be i64[2], seed and step, got i64[3]", move || {
                Tensor::random(&zeros(I64, [3]), kind, 0, natural(kind), [2])
            }),
            error("does not make i32", move || Tensor::random(&zeros(I64, [2]), kind, 0, I32, [2])),
        ];
        OpEntry { name, formula, torch, onnx, differentiable: false, cases, errors }
    };
    let floats = [F32, F64];
    let (uniform, normal) = (RandomKind::Uniform, RandomKind::Normal);
    let mut bernoulli = entry(
        "random_bernoulli",
        "true with probability p",
        "bernoulli",
        "Bernoulli",
        RandomKind::Bernoulli(0.3),
        &[Bool],
    );
    for (name, p) in [("never", 0.0), ("always", 1.0)] {
        bernoulli.cases.push(draw(name, RandomKind::Bernoulli(p), Bool, &[9]));
    }
    bernoulli.errors.push(error("the probability must be in 0..=1, got 1.5", || {
        Tensor::random_bernoulli(&zeros(I64, [2]), 0, 1.5, [2])
    }));
    bernoulli.errors.push(error("the probability must be in 0..=1, got NaN", || {
        Tensor::random_bernoulli(&zeros(I64, [2]), 0, f64::NAN, [2])
    }));
    [
        entry("random_uniform", "uniform in [0, 1)", "rand", "RandomUniform", uniform, &floats),
        entry(
            "random_normal",
            "normal, mean 0, variance 1",
            "randn",
            "RandomNormal",
            normal,
            &floats,
        ),
        bernoulli,
    ]
}

fn natural(kind: RandomKind) -> DType {
    match kind {
        RandomKind::Bernoulli(_) => Bool,
        _ => F32,
    }
}
