//! Entries of the reductions, running sums, orders and the matrix product.

use super::{Case, Domain, OpEntry, Sample, apart, case, error, plain, sample, viewed, zeros};
use crate::dtype::DType::{self, Bool, F32, F64, I32, I64, U8};
use crate::op::Op;
use crate::ops::{Reduce, ReduceKind};
use crate::shape::Shape;
use crate::tensor::Tensor;

pub(super) fn entries() -> Vec<OpEntry> {
    let mut entries: Vec<OpEntry> = ReduceKind::ALL.into_iter().map(reduce).collect();
    entries.extend([mean(), var(), cumsum(), argsort(), sort(), topk(), matmul()]);
    entries
}

#[rustfmt::skip]
fn reduce(kind: ReduceKind) -> OpEntry {
    const NUMBERS: &[DType] = &[F32, F64, I64, I32, U8];
    type Over = fn(&Tensor, &[isize]) -> Tensor;
    fn argmax(x: &Tensor, axes: &[isize]) -> Tensor { x.argmax(axes[0]) }
    fn argmin(x: &Tensor, axes: &[isize]) -> Tensor { x.argmin(axes[0]) }
    let (formula, torch, onnx, dtypes, over): (_, _, _, &[DType], Over) = match kind {
        ReduceKind::Sum => ("Σ x", "sum", "ReduceSum", NUMBERS, Tensor::sum),
        ReduceKind::Prod => ("Π x", "prod", "ReduceProd", NUMBERS, Tensor::prod),
        ReduceKind::Max => ("max x, NaN wins", "amax", "ReduceMax", NUMBERS, Tensor::max),
        ReduceKind::Min => ("min x, NaN wins", "amin", "ReduceMin", NUMBERS, Tensor::min),
        ReduceKind::Any => ("∨ x", "any", "", &[Bool], Tensor::any),
        ReduceKind::All => ("∧ x", "all", "", &[Bool], Tensor::all),
        ReduceKind::ArgMax => ("the place of the first greatest x", "argmax", "ArgMax", NUMBERS, argmax),
        ReduceKind::ArgMin => ("the place of the first least x", "argmin", "ArgMin", NUMBERS, argmin),
    };
    let of = move |dtype: DType, shape: Shape| match kind {
        ReduceKind::Sum | ReduceKind::Prod => plain(dtype, shape),
        _ => apart(dtype, shape, 0.0),
    };
    let on = |name: &str, input: Sample, axes: &'static [isize]| case(name, vec![input], move |x| over(&x[0], axes));
    let mut cases: Vec<Case> = vec![];
    for &dtype in dtypes {
        cases.push(on(dtype.name(), of(dtype, [3, 4].into()), &[1]));
    }
    cases.extend(viewed(&cases[0]));
    let main = dtypes[0];
    cases.push(on("columns", of(main, [5, 3].into()), &[0]));
    cases.push(on("a middle axis", of(main, [2, 3, 4].into()), &[-2]));
    cases.push(on("one element", of(main, [1, 1].into()), &[1]));
    cases.push(on("no row", of(main, [0, 3].into()), &[1]));
    cases.push(on("long", of(main, [2, 97].into()), &[1]));
    cases.push(on("long columns", of(main, [97, 2].into()), &[0]));
    if !kind.is_arg() {
        cases.push(on("outer and inner", of(main, [2, 3, 4].into()), &[0, 2]));
        cases.push(on("all axes", of(main, [3, 5].into()), &[0, 1]));
        cases.push(on("no axis", of(main, [3, 5].into()), &[]));
        cases.push(on("a scalar", of(main, Shape::scalar()), &[]));
    }
    if matches!(kind, ReduceKind::Sum | ReduceKind::Prod | ReduceKind::Any | ReduceKind::All) {
        cases.push(on("over nothing", of(main, [3, 0].into()), &[1]));
    }
    if main != Bool {
        let tied = [1.0, 3.0, 3.0, 0.0, 0.0, -0.0, 2.0, 0.0];
        cases.push(on("ties and zeros", sample(F64, [2, 4], Domain::Exact(tied.to_vec())), &[1]).rough());
        let inf = f64::INFINITY;
        let special = [1.0, f64::NAN, 3.0, f64::NAN, inf, 2.0, -inf, 1.0, -inf];
        cases.push(on("special values", sample(F32, [3, 3], Domain::Exact(special.to_vec())), &[1]).rough());
    }
    if kind == ReduceKind::Prod {
        // Products are smooth at zero, and the gradient there is what naive rules get wrong.
        let zeros = [0.0, 2.0, 3.0, 0.0, 0.0, 5.0, 1.0, -2.0, 4.0];
        cases.push(on("zeros among the factors", sample(F64, [3, 3], Domain::Exact(zeros.to_vec())), &[1]));
    }
    let wrong = if main == Bool { F32 } else { Bool };
    let mut errors = vec![
        error("axis 2 is out of range for a tensor of rank 2", move || over(&zeros(main, [2, 3]), &[2])),
        error("axis -3 is out of range for a tensor of rank 2", move || over(&zeros(main, [2, 3]), &[-3])),
        error(if main == Bool { "expects bool" } else { "expects a number type" }, move || over(&zeros(wrong, [2]), &[0])),
    ];
    if !kind.is_arg() {
        errors.push(error("axis -1 is named twice", move || over(&zeros(main, [2, 3]), &[1, -1])));
    }
    if !matches!(kind, ReduceKind::Sum | ReduceKind::Prod | ReduceKind::Any | ReduceKind::All) {
        errors.push(error("has no element to choose", move || over(&zeros(F32, [2, 0]), &[1])));
    }
    OpEntry {
        name: Reduce { kind, axes: vec![] }.name(), formula, torch, onnx,
        differentiable: main != Bool && !kind.is_arg(),
        cases, errors,
    }
}

fn mean() -> OpEntry {
    let on =
        |name: &str, input, axes: &'static [isize]| case(name, vec![input], |x| x[0].mean(axes));
    let mut cases = vec![
        on("f32", plain(F32, [3, 4]), &[0]),
        on("f64", plain(F64, [3, 4]), &[0, 1]),
        on("no row", plain(F32, [0, 4]), &[1]),
        on("over nothing", plain(F32, [4, 0]), &[1]).rough(),
        on("one element", plain(F32, [1]), &[0]),
    ];
    cases.extend(viewed(&cases[0]));
    OpEntry {
        name: "mean",
        formula: "(1/n) Σ x",
        torch: "mean",
        onnx: "ReduceMean",
        differentiable: true,
        cases,
        errors: vec![
            error("axis 1 is out of range", || zeros(F32, [2]).mean(&[1])),
            error("does not take i64", || zeros(I64, [2]).mean(&[0])),
        ],
    }
}

fn var() -> OpEntry {
    let on =
        |name: &str, input, axes: &'static [isize]| case(name, vec![input], |x| x[0].var(axes));
    let mut cases = vec![
        on("f32", plain(F32, [3, 4]), &[0]),
        on("f64", plain(F64, [3, 4]), &[0, 1]),
        on("one element", plain(F32, [1]), &[0]),
        on("no row", plain(F32, [0, 4]), &[1]),
    ];
    cases.extend(viewed(&cases[0]));
    OpEntry {
        name: "var",
        formula: "(1/n) Σ (x − mean)²",
        torch: "var(unbiased=False)",
        onnx: "",
        differentiable: true,
        cases,
        errors: vec![error("axis 0 is named twice", || zeros(F32, [2]).var(&[0, 0]))],
    }
}

fn cumsum() -> OpEntry {
    let on = |name: &str, input, axis| case(name, vec![input], move |x| x[0].cumsum(axis));
    let mut cases: Vec<Case> = [F32, F64, I64, I32, U8]
        .into_iter()
        .map(|dtype| on(dtype.name(), plain(dtype, [3, 4]), 1))
        .collect();
    cases.extend(viewed(&cases[0]));
    cases.push(on("columns", plain(F32, [5, 3]), 0));
    cases.push(on("a middle axis", plain(F64, [2, 3, 4]), -2));
    cases.push(on("empty", plain(F32, [2, 0]), 1));
    cases.push(on("one element", plain(F32, [1]), 0));
    OpEntry {
        name: "cumsum",
        formula: "yᵢ = Σ_{j ≤ i} xⱼ",
        torch: "cumsum",
        onnx: "CumSum",
        differentiable: true,
        cases,
        errors: vec![
            error("axis 2 is out of range", || zeros(F32, [2, 3]).cumsum(2)),
            error("expects numbers, got bool", || zeros(Bool, [2]).cumsum(0)),
        ],
    }
}

/// Cases of an op on rows to be ordered.
fn ordered(
    make: impl Fn(&Tensor, isize, bool) -> Tensor + Copy + Send + Sync + 'static,
) -> Vec<Case> {
    let on = |name: &str, input, axis, descending| {
        case(name, vec![input], move |x| make(&x[0], axis, descending))
    };
    let mut cases: Vec<Case> = [F32, F64, I64, I32, U8, Bool]
        .into_iter()
        .map(|dtype| on(dtype.name(), apart(dtype, [3, 4], 0.0), 1, false))
        .collect();
    cases.extend(viewed(&cases[0]));
    cases.push(on("descending", apart(F32, [3, 4], 0.0), -1, true));
    cases.push(on("columns", apart(F64, [5, 3], 0.0), 0, true));
    cases.push(on("a middle axis", apart(F32, [2, 4, 3], 0.0), 1, false));
    cases.push(on("no row", apart(F32, [0, 3], 0.0), 1, false));
    cases.push(on("one element", apart(F32, [1], 0.0), 0, false));
    let nan = f64::NAN;
    let special =
        [2.0, nan, 1.0, 2.0, f64::INFINITY, nan, -1.0, 2.0, f64::NEG_INFINITY, 0.0, -0.0, 0.0];
    for (name, descending) in [("special values", false), ("special values, descending", true)] {
        let special = sample(F32, [2, 6], Domain::Exact(special.to_vec()));
        cases.push(on(name, special, 1, descending).rough());
    }
    cases
}

fn argsort() -> OpEntry {
    OpEntry {
        name: "argsort",
        formula: "the places in the order of their elements; stable, NaN greatest",
        torch: "argsort(stable=True)",
        onnx: "",
        differentiable: false,
        cases: ordered(Tensor::argsort),
        errors: vec![error("axis 1 is out of range", || zeros(F32, [2]).argsort(1, false))],
    }
}

fn sort() -> OpEntry {
    OpEntry {
        name: "sort",
        formula: "the elements in order; stable, NaN greatest",
        torch: "sort(stable=True)",
        onnx: "",
        differentiable: true,
        cases: ordered(|x, axis, descending| x.sort(axis, descending).0),
        errors: vec![error("axis -2 is out of range", || zeros(F32, [2]).sort(-2, false).0)],
    }
}

fn topk() -> OpEntry {
    let mut cases = ordered(|x, axis, largest| x.topk(1.min(x.dim(axis)), axis, largest).0);
    cases.push(case("places", vec![apart(F32, [3, 5], 0.0)], |x| x[0].topk(3, 1, true).1));
    cases.push(case("all of them", vec![apart(F32, [3, 5], 0.0)], |x| x[0].topk(5, 1, true).0));
    cases.push(case("none", vec![apart(F32, [3, 5], 0.0)], |x| x[0].topk(0, 1, true).0));
    OpEntry {
        name: "topk",
        formula: "the k greatest (least) elements in order; of equal ones the first first",
        torch: "topk",
        onnx: "TopK",
        differentiable: true,
        cases,
        errors: vec![
            error("k must be at most 3", || zeros(F32, [2, 3]).topk(4, 1, true).0),
            error("topk: axis 2 is out of range", || zeros(F32, [2, 3]).topk(1, 2, true).0),
        ],
    }
}

fn matmul() -> OpEntry {
    let product = |x: &[Tensor]| x[0].matmul(&x[1]);
    let on = |name: &str, dtype, a: Shape, b: Shape| {
        case(name, vec![plain(dtype, a), plain(dtype, b)], product)
    };
    let mut cases = vec![
        on("f32", F32, [3, 4].into(), [4, 2].into()),
        on("f64", F64, [3, 4].into(), [4, 2].into()),
        on("wider", F32, [7, 13].into(), [13, 9].into()),
        on("batch", F32, [2, 2, 3].into(), [2, 3, 2].into()),
        on("broadcast batch", F32, [2, 1, 3, 4].into(), [3, 4, 2].into()),
        on("one matrix for a batch", F32, [2, 3, 4].into(), [4, 2].into()),
        on("batch on the right", F32, [3, 4].into(), [2, 4, 2].into()),
        on("vector and vector", F32, [4].into(), [4].into()),
        on("matrix and vector", F32, [3, 4].into(), [4].into()),
        on("vector and matrix", F32, [4].into(), [4, 3].into()),
        on("vector and batch", F32, [4].into(), [2, 4, 3].into()),
        on("no row", F32, [0, 4].into(), [4, 2].into()),
        on("over nothing", F32, [3, 0].into(), [0, 2].into()),
        on("one element", F32, [1, 1].into(), [1, 1].into()),
    ];
    cases.extend(viewed(&cases[0]));
    cases.extend(viewed(&cases[3]));
    cases.push(case("transposed left", vec![plain(F32, [4, 3]), plain(F32, [4, 2])], |x| {
        x[0].t().matmul(&x[1])
    }));
    cases.push(case("transposed right", vec![plain(F32, [3, 4]), plain(F32, [2, 4])], |x| {
        x[0].matmul(&x[1].t())
    }));
    cases.push(case("a square by itself", vec![plain(F32, [4, 4])], |x| x[0].matmul(&x[0])));
    let with_nan = sample(F32, [2, 2], Domain::Exact(vec![f64::NAN, 0.0, 0.0, f64::INFINITY]));
    cases.push(case("special values", vec![with_nan, plain(F32, [2, 3])], product).rough());
    OpEntry {
        name: "matmul",
        formula: "cᵢⱼ = Σₖ aᵢₖ bₖⱼ",
        torch: "matmul",
        onnx: "MatMul",
        differentiable: true,
        cases,
        errors: vec![
            error(
                "the last axis of [2, 3] must equal the last but one of [4, 5], got 3 and 4",
                || zeros(F32, [2, 3]).matmul(&zeros(F32, [4, 5])),
            ),
            error("[7, 2, 3]", || zeros(F32, [7, 2, 3]).matmul(&zeros(F32, [4, 5]))),
            error("do not broadcast", || zeros(F32, [2, 3, 4]).matmul(&zeros(F32, [3, 4, 5]))),
            error("expects at least one axis each", || zeros(F32, [2]).matmul(&zeros(F32, []))),
            error("expects two float tensors of one type", || {
                zeros(I64, [2, 2]).matmul(&zeros(I64, [2, 2]))
            }),
            error("expects two float tensors of one type", || {
                zeros(F32, [2, 2]).matmul(&zeros(F64, [2, 2]))
            }),
        ],
    }
}
