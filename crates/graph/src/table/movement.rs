//! Entries of the movement ops, padding and joining.

use super::{Case, OpEntry, apart, case, error, ids, plain, viewed, zeros};
use crate::dtype::DType::{self, Bool, F32, F64, I64};
use crate::shape::Shape;
use crate::tensor::Tensor;

pub(super) fn entries() -> Vec<OpEntry> {
    vec![
        reshape(),
        permute(),
        broadcast_to(),
        slice(),
        flip(),
        repeat(),
        pad(),
        concat(),
        stack(),
        slice_at(),
        update_slice_at(),
        update_slice(),
    ]
}

/// The case for every type, its views, and then `more`.
fn every_type(
    shape: impl Into<Shape>,
    build: impl Fn(&[Tensor]) -> Tensor + Copy + Send + Sync + 'static,
    more: Vec<Case>,
) -> Vec<Case> {
    let shape = shape.into();
    let on = |dtype: DType| case(dtype.name(), vec![plain(dtype, &shape)], build);
    let mut cases: Vec<Case> = DType::ALL.into_iter().map(on).collect();
    cases.extend(viewed(&cases[0]));
    cases.extend(more);
    cases
}

fn one(
    name: &str,
    shape: impl Into<Shape>,
    build: impl Fn(&Tensor) -> Tensor + Send + Sync + 'static,
) -> Case {
    case(name, vec![plain(F32, shape)], move |x| build(&x[0]))
}

fn reshape() -> OpEntry {
    let cases = every_type(
        [3, 4],
        |x| x[0].reshape([2, 6]),
        vec![
            one("empty", [0, 3], |x| x.reshape([3, 0, 2])),
            one("to a scalar", [1, 1], |x| x.reshape([])),
            one("from a scalar", [], |x| x.reshape([1, 1])),
            one("splits a transposed axis", [4, 6], |x| x.t().reshape([2, 3, 4])),
            one("joins transposed axes", [4, 6], |x| x.t().reshape([24])),
            one("flatten", [2, 3, 4], |x| x.flatten(1, -1)),
            one("unsqueeze", [2, 3], |x| x.unsqueeze(-1)),
            one("squeeze", [2, 1, 3], |x| x.squeeze(1)),
        ],
    );
    OpEntry {
        name: "reshape",
        formula: "the same elements in row-major order under another shape",
        torch: "reshape",
        onnx: "Reshape",
        differentiable: true,
        cases,
        errors: vec![
            error("[2, 3] has 6 elements, [4] does not", || zeros(F32, [2, 3]).reshape([4])),
            error("[0] does not", || zeros(F32, [2, 3]).reshape([0])),
            error("does not", || zeros(F32, [2]).reshape([usize::MAX, usize::MAX])),
            error("the first axis 1 comes after the last axis 0", || {
                zeros(F32, [2, 3]).flatten(1, 0)
            }),
            error("axis 1 of [2, 3] must have extent 1, got 3", || zeros(F32, [2, 3]).squeeze(1)),
            error("axis 4 is out of range", || zeros(F32, [2, 3]).unsqueeze(4)),
        ],
    }
}

fn permute() -> OpEntry {
    let cases = every_type(
        [2, 3, 2],
        |x| x[0].permute(&[2, 0, 1]),
        vec![
            one("empty", [0, 3], |x| x.permute(&[1, 0])),
            one("one element", [1, 1], |x| x.t()),
            one("negative axes", [2, 3], |x| x.permute(&[-1, -2])),
            one("transpose", [2, 3, 4], |x| x.transpose(0, -1)),
        ],
    );
    OpEntry {
        name: "permute",
        formula: "axis i of the result is axis order[i] of x",
        torch: "permute",
        onnx: "Transpose",
        differentiable: true,
        cases,
        errors: vec![
            error("1 axes are named for a tensor of rank 2", || zeros(F32, [2, 3]).permute(&[0])),
            error("axis -2 is named twice", || zeros(F32, [2, 3]).permute(&[0, -2])),
            error("axis 2 is out of range", || zeros(F32, [2, 3]).permute(&[0, 2])),
            error("transpose: axis -2 is out of range", || zeros(F32, [2]).t()),
        ],
    }
}

fn broadcast_to() -> OpEntry {
    let cases = every_type(
        [3, 1],
        |x| x[0].broadcast_to([2, 3, 4]),
        vec![
            one("a scalar", [], |x| x.broadcast_to([2, 2])),
            one("to nothing", [1, 3], |x| x.broadcast_to([0, 3])),
            one("one element", [1], |x| x.broadcast_to([1, 1])),
            one("a row", [4], |x| x.broadcast_to([5, 4])),
        ],
    );
    OpEntry {
        name: "broadcast_to",
        formula: "axes of extent 1, and new leading axes, repeated",
        torch: "expand",
        onnx: "Expand",
        differentiable: true,
        cases,
        errors: vec![
            error("[2, 3] cannot be broadcast to [3, 3]", || {
                zeros(F32, [2, 3]).broadcast_to([3, 3])
            }),
            error("cannot be broadcast", || zeros(F32, [2, 3]).broadcast_to([3])),
            error("has too many elements", || {
                zeros(F32, [1, 1]).broadcast_to([usize::MAX / 2, usize::MAX / 2])
            }),
        ],
    }
}

fn slice() -> OpEntry {
    let cases = every_type(
        [3, 7],
        |x| x[0].slice(1, 1, 3, 2),
        vec![
            one("backwards", [2, 7], |x| x.slice(-1, 6, 3, -3)),
            one("narrow", [4, 3], |x| x.narrow(0, 1, 2)),
            one("nothing", [4, 3], |x| x.narrow(0, 4, 0)),
            one("empty", [0, 3], |x| x.narrow(1, 1, 2)),
            one("one element", [1], |x| x.narrow(0, 0, 1)),
            one("of a slice", [9], |x| x.slice(0, 8, 4, -2).slice(0, 3, 2, -2)),
        ],
    );
    OpEntry {
        name: "slice",
        formula: "the elements start + step·i along an axis",
        torch: "x[start:end:step]",
        onnx: "Slice",
        differentiable: true,
        cases,
        errors: vec![
            error("axis 0 has 3 elements; 2 from 2 by 1 reach outside", || {
                zeros(F32, [3]).narrow(0, 2, 2)
            }),
            error("reach outside", || zeros(F32, [3]).slice(0, 1, 3, -1)),
            error("reach outside", || zeros(F32, [3]).slice(0, 1, usize::MAX, isize::MAX)),
            error("the step must not be 0", || zeros(F32, [3]).slice(0, 0, 1, 0)),
            error("axis 1 is out of range", || zeros(F32, [3]).narrow(1, 0, 1)),
        ],
    }
}

fn flip() -> OpEntry {
    let cases = every_type(
        [3, 4],
        |x| x[0].flip(&[1]),
        vec![
            one("all axes", [2, 3], |x| x.flip(&[0, 1])),
            one("empty", [0, 3], |x| x.flip(&[0, 1])),
            one("one element", [1], |x| x.flip(&[0])),
        ],
    );
    OpEntry {
        name: "flip",
        formula: "axes in reverse order",
        torch: "flip",
        onnx: "",
        differentiable: true,
        cases,
        errors: vec![
            error("axis 1 is named twice", || zeros(F32, [2, 3]).flip(&[1, 1])),
            error("a scalar has no axes", || zeros(F32, []).flip(&[0])),
        ],
    }
}

fn repeat() -> OpEntry {
    let cases = every_type(
        [2, 3],
        |x| x[0].repeat(&[3, 2]),
        vec![
            one("zero times", [2, 3], |x| x.repeat(&[1, 0])),
            one("one element", [1], |x| x.repeat(&[4])),
            one("empty", [0, 2], |x| x.repeat(&[2, 2])),
        ],
    );
    OpEntry {
        name: "repeat",
        formula: "the tensor n times along each axis",
        torch: "repeat",
        onnx: "Tile",
        differentiable: true,
        cases,
        errors: vec![
            error("1 counts are given for a tensor of rank 2", || zeros(F32, [2, 3]).repeat(&[2])),
            error("overflow", || zeros(F32, [2]).repeat(&[usize::MAX])),
            error("has too many elements", || zeros(F32, [1]).repeat(&[usize::MAX / 2])),
        ],
    }
}

fn pad() -> OpEntry {
    let cases = every_type(
        [2, 3],
        |x| x[0].pad(&[1, 0], &[0, 2], 1.0),
        vec![
            one("zeros", [2, 3], |x| x.pad(&[1, 1], &[1, 1], 0.0)),
            one("infinities", [3], |x| x.pad(&[1], &[0], f64::NEG_INFINITY)).rough(),
            one("nothing", [2, 3], |x| x.pad(&[0, 0], &[0, 0], 0.0)),
            one("empty", [0, 2], |x| x.pad(&[1, 0], &[1, 0], 2.0)),
            one("one element", [1], |x| x.pad(&[2], &[3], 0.5)),
        ],
    );
    OpEntry {
        name: "pad",
        formula: "x with constant elements added at the ends of each axis",
        torch: "nn.functional.pad",
        onnx: "Pad",
        differentiable: true,
        cases,
        errors: vec![
            error("1 and 2 amounts for rank 2", || zeros(F32, [2, 3]).pad(&[1], &[0, 0], 0.0)),
            error("the padded extents overflow", || zeros(F32, [2]).pad(&[usize::MAX], &[0], 0.0)),
            error("has too many elements", || zeros(F32, [2]).pad(&[usize::MAX / 2], &[0], 0.0)),
        ],
    }
}

fn concat() -> OpEntry {
    let join = |x: &[Tensor]| Tensor::concat(x, 1);
    let on = |dtype: DType| {
        let inputs = [2, 3, 1].map(|n| plain(dtype, [2, n])).to_vec();
        case(dtype.name(), inputs, join)
    };
    let mut cases: Vec<Case> = DType::ALL.into_iter().map(on).collect();
    cases.extend(viewed(&cases[0]));
    cases.push(case("first axis", vec![plain(F32, [2, 3]), plain(F32, [1, 3])], |x| {
        Tensor::concat(x, 0)
    }));
    cases.push(case("one is empty", vec![plain(F32, [2, 0]), plain(F32, [2, 3])], join));
    cases.push(case("all are empty", vec![plain(F32, [0, 2]), plain(F32, [0, 3])], join));
    cases.push(case("one tensor", vec![plain(F32, [1, 1])], join));
    cases.push(case("one tensor twice", vec![plain(F32, [2, 3])], |x| {
        Tensor::concat(&[x[0].clone(), x[0].clone()], -1)
    }));
    OpEntry {
        name: "concat",
        formula: "the inputs one after the other along an axis",
        torch: "cat",
        onnx: "Concat",
        differentiable: true,
        cases,
        errors: vec![
            error("needs at least one tensor", || Tensor::concat(&[], 0)),
            error("all axes but axis 0 must agree, got [2, 3] first and [2, 4] at place 1", || {
                Tensor::concat(&[zeros(F32, [2, 3]), zeros(F32, [2, 4])], 0)
            }),
            error("expects one type, got f32 first and f64 at place 1", || {
                Tensor::concat(&[zeros(F32, [2]), zeros(F64, [2])], 0)
            }),
            error("axis 1 is out of range", || Tensor::concat(&[zeros(F32, [2])], 1)),
            error("has too many elements", || {
                let third = zeros(Bool, [1]).broadcast_to([usize::MAX / 32]);
                Tensor::concat(&[third.clone(), third.clone(), third], 0)
            }),
        ],
    }
}

fn stack() -> OpEntry {
    let mut cases = vec![
        case("f32", vec![plain(F32, [2, 3]), plain(F32, [2, 3])], |x| Tensor::stack(x, 1)),
        case("f64, last", vec![plain(F64, [2]), plain(F64, [2])], |x| Tensor::stack(x, -1)),
        case("scalars", vec![plain(F32, []), plain(F32, [])], |x| Tensor::stack(x, 0)),
        case("empty", vec![plain(F32, [0]), plain(F32, [0])], |x| Tensor::stack(x, 0)),
        case("one element", vec![plain(F32, [1])], |x| Tensor::stack(x, 0)),
    ];
    cases.extend(viewed(&cases[0]));
    OpEntry {
        name: "stack",
        formula: "the inputs along a new axis",
        torch: "stack",
        onnx: "",
        differentiable: true,
        cases,
        errors: vec![
            error("needs at least one tensor", || Tensor::stack(&[], 0)),
            error("must agree", || Tensor::stack(&[zeros(F32, [2]), zeros(F32, [3])], 0)),
            error("axis 2 is out of range", || Tensor::stack(&[zeros(F32, [2])], 2)),
        ],
    }
}

fn slice_at() -> OpEntry {
    let window = |x: &[Tensor]| x[0].slice_at(&x[1], [2, 3]);
    let on =
        |dtype: DType| case(dtype.name(), vec![plain(dtype, [4, 5]), ids([2], &[1, 2])], window);
    let mut cases: Vec<Case> = DType::ALL.into_iter().map(on).collect();
    cases.extend(viewed(&cases[0]));
    cases.push(case("the last place", vec![plain(F32, [4, 5]), ids([2], &[2, 2])], window));
    cases.push(case("empty", vec![plain(F32, [4]), ids([1], &[4])], |x| x[0].slice_at(&x[1], [0])));
    cases.push(case("a scalar", vec![plain(F32, []), ids([0], &[])], |x| x[0].slice_at(&x[1], [])));
    cases.push(case("one element", vec![plain(F32, [3]), ids([1], &[2])], |x| {
        x[0].slice_at(&x[1], [1])
    }));
    OpEntry {
        name: "slice_at",
        formula: "the window of given extents at run-time starts",
        torch: "x[s:s+n]",
        onnx: "Slice",
        differentiable: true,
        cases,
        errors: vec![
            error("start 3 of axis 1 is outside 0..3: 3 of 5 elements are taken", || {
                zeros(F32, [4, 5]).slice_at(&Tensor::new(&[0i64, 3], [2]), [2, 3])
            }),
            error("start -1 of axis 0 is outside 0..3", || {
                zeros(F32, [4, 5]).slice_at(&Tensor::new(&[-1i64, 0], [2]), [2, 3])
            }),
            error("a window of [5, 1] does not fit into [4, 5]", || {
                zeros(F32, [4, 5]).slice_at(&Tensor::new(&[0i64, 0], [2]), [5, 1])
            }),
            error("the starts must be i64[2]", || {
                zeros(F32, [4, 5]).slice_at(&Tensor::new(&[0i64], [1]), [1, 1])
            }),
            error("the starts must be i64[1]", || zeros(F32, [4]).slice_at(&zeros(F32, [1]), [1])),
        ],
    }
}

fn update_slice_at() -> OpEntry {
    let put = |x: &[Tensor]| x[0].update_slice_at(&x[1], &x[2]);
    let on = |dtype: DType| {
        let inputs = vec![plain(dtype, [4, 5]), plain(dtype, [2, 3]), ids([2], &[1, 2])];
        case(dtype.name(), inputs, put)
    };
    let mut cases: Vec<Case> = DType::ALL.into_iter().map(on).collect();
    cases.extend(viewed(&cases[0]));
    cases.push(case("empty", vec![plain(F32, [4]), plain(F32, [0]), ids([1], &[4])], put));
    cases.push(case("one element", vec![plain(F32, [3]), plain(F32, [1]), ids([1], &[2])], put));
    cases.push(case("whole", vec![plain(F32, [3]), plain(F32, [3]), ids([1], &[0])], put));
    OpEntry {
        name: "update_slice_at",
        formula: "x with the window at run-time starts replaced",
        torch: "slice_scatter",
        onnx: "",
        differentiable: true,
        cases,
        errors: vec![
            error("start 3 of axis 0 is outside 0..3", || {
                zeros(F32, [4]).update_slice_at(&zeros(F32, [2]), &Tensor::new(&[3i64], [1]))
            }),
            error("a window of [5] does not fit into [4]", || {
                zeros(F32, [4]).update_slice_at(&zeros(F32, [5]), &Tensor::new(&[0i64], [1]))
            }),
            error("expects one type, got f32 and f64", || {
                zeros(F32, [4]).update_slice_at(&zeros(F64, [2]), &Tensor::new(&[0i64], [1]))
            }),
        ],
    }
}

fn update_slice() -> OpEntry {
    let put = |x: &[Tensor]| x[0].update_slice(&x[1], &[1, 2]);
    let on = |dtype: DType| {
        case(dtype.name(), vec![apart(dtype, [4, 5], 0.0), apart(dtype, [2, 3], 0.1)], put)
    };
    let mut cases: Vec<Case> = DType::ALL.into_iter().map(on).collect();
    cases.extend(viewed(&cases[0]));
    cases.push(case("empty", vec![plain(F32, [4]), plain(F32, [0])], |x| {
        x[0].update_slice(&x[1], &[4])
    }));
    cases.push(case("one element", vec![plain(F32, [3]), plain(F32, [1])], |x| {
        x[0].update_slice(&x[1], &[2])
    }));
    OpEntry {
        name: "update_slice",
        formula: "x with the window at given starts replaced",
        torch: "slice_scatter",
        onnx: "",
        differentiable: true,
        cases,
        errors: vec![
            error("a window of [2] at [3] does not fit into [4]", || {
                zeros(F32, [4]).update_slice(&zeros(F32, [2]), &[3])
            }),
            error("a window of [2] at [0, 0] does not fit into [4]", || {
                zeros(F32, [4]).update_slice(&zeros(F32, [2]), &[0, 0])
            }),
            error("there is no implicit promotion", || {
                zeros(F32, [4]).update_slice(&zeros(I64, [2]), &[0])
            }),
        ],
    }
}
