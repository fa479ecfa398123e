//! Entries of the ops that choose by index.

use super::{Case, OpEntry, case, error, ids, plain, viewed, zeros};
use crate::dtype::DType::{self, Bool, F32, F64, I32, I64, U8};
use crate::tensor::Tensor;

const NUMBERS: [DType; 5] = [F32, F64, I64, I32, U8];

pub(super) fn entries() -> Vec<OpEntry> {
    vec![index_select(), index_add(), gather(), scatter_add(), check_range(), one_hot()]
}

fn at(values: &[i64]) -> Tensor {
    Tensor::new(values, [values.len()])
}

fn index_select() -> OpEntry {
    let rows = |x: &[Tensor]| x[0].index_select(0, &x[1]);
    let on = |dtype: DType| {
        case(dtype.name(), vec![plain(dtype, [4, 3]), ids([5], &[3, 0, 0, 2, 3])], rows)
    };
    let mut cases: Vec<Case> = DType::ALL.into_iter().map(on).collect();
    cases.extend(viewed(&cases[0]));
    cases.extend([
        case("embedding", vec![plain(F32, [4, 3]), ids([2, 2], &[1, 1, 3, 0])], rows),
        case("columns", vec![plain(F32, [2, 4]), ids([3], &[1, 3, 1])], |x| {
            x[0].index_select(-1, &x[1])
        }),
        case("a middle axis", vec![plain(F64, [2, 3, 2]), ids([2, 1], &[2, 0])], |x| {
            x[0].index_select(1, &x[1])
        }),
        case("a scalar id", vec![plain(F32, [4, 3]), ids([], &[2])], rows),
        case("no id", vec![plain(F32, [4, 3]), ids([0], &[])], rows),
        case("no column", vec![plain(F32, [4, 0]), ids([2], &[1, 3])], rows),
        case("one element", vec![plain(F32, [1]), ids([1], &[0])], rows),
    ]);
    OpEntry {
        name: "index_select",
        formula: "the rows that the ids name: y[i, …] = x[ids[i], …]",
        torch: "index_select, nn.functional.embedding",
        onnx: "Gather",
        differentiable: true,
        cases,
        errors: vec![
            error("index 4 at [1] is outside 0..4", || {
                zeros(F32, [4, 3]).index_select(0, &at(&[0, 4]))
            }),
            error("index -1 at [1, 0] is outside 0..4", || {
                zeros(F32, [4, 3]).index_select(0, &at(&[0, 1, -1, 9]).reshape([2, 2]))
            }),
            error("negative values do not count from the end", || {
                zeros(F32, [4]).index_select(0, &at(&[-1]))
            }),
            error("index 0 at [0] is outside 0..0", || {
                zeros(F32, [0, 3]).index_select(0, &at(&[0]))
            }),
            error("the ids must be i64, got i32", || {
                zeros(F32, [4]).index_select(0, &zeros(I32, [1]))
            }),
            error("index_select: axis 2 is out of range", || {
                zeros(F32, [4, 3]).index_select(2, &at(&[0]))
            }),
        ],
    }
}

fn index_add() -> OpEntry {
    let add = |x: &[Tensor]| x[0].index_add(0, &x[1], &x[2]);
    let on = |dtype: DType| {
        let inputs = vec![plain(dtype, [4, 3]), ids([5], &[3, 0, 0, 2, 3]), plain(dtype, [5, 3])];
        case(dtype.name(), inputs, add)
    };
    let mut cases: Vec<Case> = NUMBERS.into_iter().map(on).collect();
    cases.extend(viewed(&cases[0]));
    cases.extend([
        case(
            "embedding",
            vec![plain(F32, [4, 3]), ids([2, 2], &[1, 1, 3, 0]), plain(F32, [2, 2, 3])],
            add,
        ),
        case("columns", vec![plain(F32, [2, 4]), ids([3], &[1, 3, 1]), plain(F32, [2, 3])], |x| {
            x[0].index_add(1, &x[1], &x[2])
        }),
        case("no id", vec![plain(F32, [4]), ids([0], &[]), plain(F32, [0])], add),
        case("one element", vec![plain(F32, [1]), ids([1], &[0]), plain(F32, [1])], add),
    ]);
    OpEntry {
        name: "index_add",
        formula: "x with src[i, …] added to x[ids[i], …]",
        torch: "index_add",
        onnx: "",
        differentiable: true,
        cases,
        errors: vec![
            error("index 4 at [0] is outside 0..4", || {
                zeros(F32, [4]).index_add(0, &at(&[4]), &zeros(F32, [1]))
            }),
            error("takes [2, 3], got [3, 2]", || {
                zeros(F32, [4, 3]).index_add(0, &at(&[0, 1]), &zeros(F32, [3, 2]))
            }),
            error("adds numbers of one type, got f32 and f64", || {
                zeros(F32, [4]).index_add(0, &at(&[0]), &zeros(F64, [1]))
            }),
            error("adds numbers of one type, got bool and bool", || {
                zeros(Bool, [4]).index_add(0, &at(&[0]), &zeros(Bool, [1]))
            }),
            error("the ids must be i64", || {
                zeros(F32, [4]).index_add(0, &zeros(F32, [1]), &zeros(F32, [1]))
            }),
            error("axis -2 is out of range", || {
                zeros(F32, [4]).index_add(-2, &at(&[0]), &zeros(F32, [1]))
            }),
        ],
    }
}

const CELLS: [i64; 6] = [3, 0, 0, 2, 0, 3];

fn gather() -> OpEntry {
    let pick = |x: &[Tensor]| x[0].gather(1, &x[1]);
    let on =
        |dtype: DType| case(dtype.name(), vec![plain(dtype, [2, 4]), ids([2, 3], &CELLS)], pick);
    let mut cases: Vec<Case> = DType::ALL.into_iter().map(on).collect();
    cases.extend(viewed(&cases[0]));
    cases.extend([
        case("columns", vec![plain(F32, [4, 3]), ids([2, 3], &CELLS)], |x| x[0].gather(0, &x[1])),
        case("smaller index", vec![plain(F32, [3, 4]), ids([2, 3], &CELLS)], pick),
        case("longer index", vec![plain(F32, [1, 4]), ids([1, 6], &CELLS)], pick),
        case("a middle axis", vec![plain(F64, [2, 4, 3]), ids([2, 1, 3], &CELLS)], pick),
        case("take_along", vec![plain(F32, [2, 4]), ids([2, 3], &CELLS)], |x| {
            x[0].take_along(-1, &x[1])
        }),
        case("empty", vec![plain(F32, [2, 4]), ids([2, 0], &[])], pick),
        case("one element", vec![plain(F32, [1, 1]), ids([1, 1], &[0])], pick),
    ]);
    OpEntry {
        name: "gather",
        formula: "y[i, j] = x[i, index[i, j]] for axis 1",
        torch: "gather",
        onnx: "GatherElements",
        differentiable: true,
        cases,
        errors: vec![
            error("index 4 at [1, 0] is outside 0..4", || {
                zeros(F32, [2, 4]).gather(1, &at(&[0, 1, 4, 5]).reshape([2, 2]))
            }),
            error("index -2 at [0] is outside 0..4", || zeros(F32, [4]).gather(0, &at(&[-2]))),
            error("an index into [2, 4] must have its rank", || {
                zeros(F32, [2, 4]).gather(1, &at(&[0]))
            }),
            error("no greater extents, got [3, 1]", || {
                zeros(F32, [2, 4]).gather(1, &zeros(I64, [3, 1]))
            }),
            error("the index must be i64, got u8", || zeros(F32, [4]).gather(0, &zeros(U8, [1]))),
            error("gather: axis 1 is out of range", || zeros(F32, [4]).gather(1, &at(&[0]))),
        ],
    }
}

fn scatter_add() -> OpEntry {
    let add = |x: &[Tensor]| x[0].scatter_add(1, &x[1], &x[2]);
    let on = |dtype: DType| {
        let inputs = vec![plain(dtype, [2, 4]), ids([2, 3], &CELLS), plain(dtype, [2, 3])];
        case(dtype.name(), inputs, add)
    };
    let mut cases: Vec<Case> = NUMBERS.into_iter().map(on).collect();
    cases.extend(viewed(&cases[0]));
    cases.extend([
        case("columns", vec![plain(F32, [4, 3]), ids([2, 3], &CELLS), plain(F32, [2, 3])], |x| {
            x[0].scatter_add(0, &x[1], &x[2])
        }),
        case(
            "smaller index",
            vec![plain(F32, [3, 4]), ids([2, 3], &CELLS), plain(F32, [2, 3])],
            add,
        ),
        case("empty", vec![plain(F32, [2, 4]), ids([2, 0], &[]), plain(F32, [2, 0])], add),
        case("one element", vec![plain(F32, [1, 1]), ids([1, 1], &[0]), plain(F32, [1, 1])], add),
    ]);
    OpEntry {
        name: "scatter_add",
        formula: "x with src[i, j] added to x[i, index[i, j]] for axis 1",
        torch: "scatter_add",
        onnx: "ScatterElements(reduction=add)",
        differentiable: true,
        cases,
        errors: vec![
            error("index 9 at [0] is outside 0..4", || {
                zeros(F32, [4]).scatter_add(0, &at(&[9]), &zeros(F32, [1]))
            }),
            error("index [2] and source [1] differ", || {
                zeros(F32, [4]).scatter_add(0, &at(&[0, 1]), &zeros(F32, [1]))
            }),
            error("adds numbers of one type", || {
                zeros(F32, [4]).scatter_add(0, &at(&[0]), &zeros(I64, [1]))
            }),
            error("an index into [4] must have its rank", || {
                zeros(F32, [4]).scatter_add(0, &zeros(I64, [1, 1]), &zeros(F32, [1, 1]))
            }),
            error("axis 1 is out of range", || {
                zeros(F32, [4]).scatter_add(1, &at(&[0]), &zeros(F32, [1]))
            }),
        ],
    }
}

fn check_range() -> OpEntry {
    let check = |x: &[Tensor]| x[0].check_range(-5, 5, "label");
    let mut cases = vec![
        case("i64", vec![plain(I64, [3, 4])], check),
        case("the ends", vec![ids([2], &[-5, 4])], check),
        case("empty", vec![plain(I64, [0])], check),
        case("one element", vec![plain(I64, [1])], check),
    ];
    cases.extend(viewed(&cases[0]));
    OpEntry {
        name: "check_range",
        formula: "x, where lo ≤ x < hi everywhere",
        torch: "",
        onnx: "",
        differentiable: false,
        cases,
        errors: vec![
            error("label 10 at [1] is outside 0..10", || at(&[9, 10]).check_range(0, 10, "label")),
            error("label -1 at [0] is outside 0..10", || at(&[-1]).check_range(0, 10, "label")),
            error("the token must be i64, got f32", || zeros(F32, [1]).check_range(0, 10, "token")),
        ],
    }
}

fn one_hot() -> OpEntry {
    let mut cases: Vec<Case> = [F32, F64, I64, Bool]
        .into_iter()
        .map(|dtype| {
            let name = format!("to {dtype}");
            case(name, vec![ids([2, 3], &CELLS)], move |x| x[0].one_hot(4, dtype))
        })
        .collect();
    cases.extend([
        case("labels outside", vec![ids([3], &[-1, 4, 2])], |x| x[0].one_hot(4, F32)),
        case("u8", vec![plain(U8, [5])], |x| x[0].one_hot(300, F32).narrow(-1, 0, 20)),
        case("i32", vec![plain(I32, [5])], |x| x[0].one_hot(4, F32)),
        case("empty", vec![ids([0], &[])], |x| x[0].one_hot(4, F32)),
        case("a scalar", vec![ids([], &[2])], |x| x[0].one_hot(4, F32)),
        case("one element", vec![ids([1], &[0])], |x| x[0].one_hot(1, F32)),
    ]);
    OpEntry {
        name: "one_hot",
        formula: "1 where the new last axis's index is the label, else 0",
        torch: "nn.functional.one_hot",
        onnx: "OneHot",
        differentiable: false,
        cases,
        errors: vec![
            error("labels must be integers, got f32", || zeros(F32, [2]).one_hot(3, F32)),
            error("has too many elements", || zeros(I64, [2]).one_hot(usize::MAX, F32)),
        ],
    }
}
