//! Entries of the elementwise ops.

use super::{Case, Domain, OpEntry, Sample, apart, case, error, plain, sample, viewed, zeros};
use crate::dtype::DType::{self, Bool, F32, F64, I32, I64, U8};
use crate::op::Op;
use crate::ops::{Binary, Compare, Unary};
use crate::shape::Shape;
use crate::tensor::Tensor;

const INTEGERS: &[f64] = &[-4., -3., -2., -1., 0., 1., 2., 3., 4.];
const HALVES: &[f64] = &[-2.5, -1.5, -0.5, 0.5, 1.5, 2.5];
/// Where functions tend to go wrong: signed zeros, infinities, NaN, tiny and large numbers, ties of rounding.
const SPECIAL: [f64; 16] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    2.5,
    -2.5,
    1e-30,
    -1e-30,
    88.0,
    -88.0,
    100.5,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
];

pub(super) fn entries() -> Vec<OpEntry> {
    let mut entries: Vec<OpEntry> = Unary::ALL.into_iter().map(unary).collect();
    entries.extend(Binary::ALL.into_iter().map(binary));
    if let Some(add) = entries.iter_mut().find(|entry| entry.name == "add") {
        with_numbers(add);
    }
    entries.extend(Compare::ALL.into_iter().map(compare));
    entries.push(select());
    entries.push(cast());
    entries
}

type Function = fn(&Tensor) -> Tensor;

#[rustfmt::skip]
fn unary(op: Unary) -> OpEntry {
    let (formula, torch, onnx, lo, hi, kinks, apply): (_, _, _, f64, f64, &'static [f64], Function) = match op {
        Unary::Neg => ("−x", "neg", "Neg", -2.0, 2.0, &[], Tensor::neg),
        Unary::Abs => ("|x|", "abs", "Abs", -2.0, 2.0, &[0.0], Tensor::abs),
        Unary::Sign => ("−1, 0 or 1", "sign", "Sign", -2.0, 2.0, &[0.0], Tensor::sign),
        Unary::Exp => ("eˣ", "exp", "Exp", -3.0, 3.0, &[], Tensor::exp),
        Unary::Expm1 => ("eˣ − 1", "expm1", "", -3.0, 3.0, &[], Tensor::expm1),
        Unary::Log => ("ln x", "log", "Log", 0.3, 4.0, &[], Tensor::log),
        Unary::Log1p => ("ln(1 + x)", "log1p", "", -0.6, 3.0, &[], Tensor::log1p),
        Unary::Sqrt => ("√x", "sqrt", "Sqrt", 0.3, 4.0, &[], Tensor::sqrt),
        Unary::Sin => ("sin x", "sin", "Sin", -6.0, 6.0, &[], Tensor::sin),
        Unary::Cos => ("cos x", "cos", "Cos", -6.0, 6.0, &[], Tensor::cos),
        Unary::Tanh => ("(eˣ−e⁻ˣ)/(eˣ+e⁻ˣ)", "tanh", "Tanh", -3.0, 3.0, &[], Tensor::tanh),
        Unary::Sigmoid => ("1/(1+e⁻ˣ)", "sigmoid", "Sigmoid", -5.0, 5.0, &[], Tensor::sigmoid),
        Unary::Softplus => ("ln(1 + eˣ)", "softplus", "Softplus", -5.0, 5.0, &[], Tensor::softplus),
        Unary::Erf => ("2/√π ∫₀ˣ e^(−t²) dt", "erf", "Erf", -2.5, 2.5, &[], Tensor::erf),
        Unary::Relu => ("max(0, x)", "relu", "Relu", -2.0, 2.0, &[0.0], Tensor::relu),
        Unary::Floor => ("⌊x⌋", "floor", "Floor", -3.0, 3.0, INTEGERS, Tensor::floor),
        Unary::Ceil => ("⌈x⌉", "ceil", "Ceil", -3.0, 3.0, INTEGERS, Tensor::ceil),
        Unary::Round => ("the nearest integer, ties to even", "round", "Round", -3.0, 3.0, HALVES, Tensor::round),
        Unary::Not => ("¬x", "logical_not", "Not", 0.0, 2.0, &[], Tensor::logical_not),
        Unary::IsNan => ("x is NaN", "isnan", "IsNaN", -2.0, 2.0, &[], Tensor::is_nan),
        Unary::IsFinite => ("x is neither NaN nor infinite", "isfinite", "", -2.0, 2.0, &[], Tensor::is_finite),
    };
    let bools = op == Unary::Not;
    let ints = matches!(op, Unary::Neg | Unary::Abs | Unary::Sign | Unary::Relu);
    let floats = Domain::Range { lo, hi, kinks };
    let of = move |dtype: DType, shape: Shape| match dtype.is_float() {
        true => sample(dtype, shape, floats.clone()),
        false => plain(dtype, shape),
    };
    let on = |name: &str, input: Sample| case(name, vec![input], move |x| apply(&x[0]));
    let dtypes: &[DType] = match (bools, ints) {
        (true, _) => &[Bool],
        (_, true) => &[F32, F64, I64, I32, U8],
        _ => &[F32, F64],
    };
    let mut cases: Vec<Case> = vec![];
    for &dtype in dtypes {
        cases.push(on(dtype.name(), of(dtype, [3, 4].into())));
    }
    cases.extend(viewed(&cases[0]));
    let main = dtypes[0];
    for (name, shape) in
        [("scalar", Shape::scalar()), ("one element", [1, 1].into()), ("empty", [0, 3].into()), ("odd", [7, 23].into())]
    {
        cases.push(on(name, of(main, shape)));
    }
    if !bools {
        let special = |dtype| sample(dtype, [SPECIAL.len()], Domain::Exact(SPECIAL.to_vec()));
        cases.push(on("special values, f32", special(F32)).rough());
        cases.push(on("special values, f64", special(F64)).rough());
    }
    let wrong = if bools { F32 } else { Bool };
    let expect = if bools { "expects bool, got f32[2]" } else { "got bool[2]" };
    OpEntry {
        name: op.name(), formula, torch, onnx, cases,
        differentiable: !matches!(op, Unary::Not | Unary::IsNan | Unary::IsFinite),
        errors: vec![error(expect, move || apply(&zeros(wrong, [2])))],
    }
}

type Pair = fn(&Tensor, &Tensor) -> Tensor;

/// Cases of a function of two inputs that `of(which, dtype, shape)` samples.
fn pairs(
    apply: Pair,
    dtypes: &[DType],
    of: impl Fn(usize, DType, Shape) -> Sample,
    special: Option<(&[f64], &[f64])>,
) -> Vec<Case> {
    let on = |name: &str, dtype: DType, a: Shape, b: Shape| {
        case(name, vec![of(0, dtype, a), of(1, dtype, b)], move |x| apply(&x[0], &x[1]))
    };
    let mut cases: Vec<Case> = vec![];
    for &dtype in dtypes {
        cases.push(on(dtype.name(), dtype, [3, 4].into(), [3, 4].into()));
    }
    cases.extend(viewed(&cases[0]));
    let shapes: [(&str, Shape, Shape); 7] = [
        ("broadcast row", [3, 4].into(), [4].into()),
        ("broadcast both", [3, 1].into(), [1, 4].into()),
        ("broadcast scalar", [2, 3].into(), Shape::scalar()),
        ("broadcast middle", [2, 1, 3].into(), [2, 4, 1].into()),
        ("empty", [0, 3].into(), [1, 3].into()),
        ("one element", [1].into(), [1].into()),
        ("odd", [7, 23].into(), [7, 23].into()),
    ];
    for (name, a, b) in shapes {
        cases.push(on(name, dtypes[0], a, b));
    }
    let same = |x: &[Tensor]| x[0].clone();
    cases.push(case("one tensor twice", vec![of(0, dtypes[0], [5].into())], move |x| {
        apply(&same(x), &same(x))
    }));
    // a with itself ties, where maximum and comparisons have kinks.
    if let Some(last) = cases.last_mut() {
        last.smooth = false;
    }
    if let Some((a, b)) = special {
        for dtype in [F32, F64] {
            let exact = |x: &[f64]| sample(dtype, [x.len()], Domain::Exact(x.to_vec()));
            let name = format!("special values, {dtype}");
            cases.push(case(name, vec![exact(a), exact(b)], move |x| apply(&x[0], &x[1])).rough());
        }
    }
    cases
}

/// Every special value with every other.
fn special_pairs() -> (Vec<f64>, Vec<f64>) {
    const FEW: [f64; 9] =
        [0.0, -0.0, 1.0, -1.0, 2.5, -3.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    let all = || FEW.into_iter().flat_map(|a| FEW.map(|b| (a, b)));
    (all().map(|p| p.0).collect(), all().map(|p| p.1).collect())
}

#[rustfmt::skip]
fn binary(op: Binary) -> OpEntry {
    const NUMBERS: &[DType] = &[F32, F64, I64, I32, U8];
    const LOGIC: &[DType] = &[Bool, I64, I32, U8];
    let (formula, torch, onnx, dtypes, apply): (_, _, _, &[DType], Pair) = match op {
        Binary::Add => ("a + b", "add", "Add", NUMBERS, Tensor::add),
        Binary::Sub => ("a − b", "sub", "Sub", NUMBERS, Tensor::sub),
        Binary::Mul => ("a · b", "mul", "Mul", NUMBERS, Tensor::mul),
        Binary::Div => ("a / b", "div", "Div", &[F32, F64], Tensor::div),
        Binary::Pow => ("aᵇ", "pow", "Pow", &[F32, F64], Tensor::pow),
        Binary::Maximum => ("max(a, b), NaN wins", "maximum", "Max", NUMBERS, Tensor::maximum),
        Binary::Minimum => ("min(a, b), NaN wins", "minimum", "Min", NUMBERS, Tensor::minimum),
        Binary::And => ("a ∧ b", "logical_and", "And", LOGIC, Tensor::logical_and),
        Binary::Or => ("a ∨ b", "logical_or", "Or", LOGIC, Tensor::logical_or),
        Binary::Xor => ("a ⊕ b", "logical_xor", "Xor", LOGIC, Tensor::logical_xor),
    };
    let of = move |which: usize, dtype: DType, shape: Shape| match op {
        Binary::Maximum | Binary::Minimum => apart(dtype, shape, 0.1 * which as f64),
        Binary::Pow if which == 0 => sample(dtype, shape, Domain::Range { lo: 0.4, hi: 2.0, kinks: &[] }),
        Binary::Div if which == 1 => sample(dtype, shape, Domain::Range { lo: 0.5, hi: 2.0, kinks: &[] }),
        _ => plain(dtype, shape),
    };
    let logic = matches!(op, Binary::And | Binary::Or | Binary::Xor);
    let (a, b) = special_pairs();
    let special = (!logic).then_some((&a[..], &b[..]));
    let wrong = if logic { F32 } else { Bool };
    OpEntry {
        name: op.name(), formula, torch, onnx,
        differentiable: !logic,
        cases: pairs(apply, dtypes, of, special),
        errors: vec![
            error("shapes [2, 3] and [2, 4] do not broadcast", move || {
                apply(&zeros(I64, [2, 3]), &zeros(I64, [2, 4]))
            }),
            error("there is no implicit promotion", move || apply(&zeros(F32, [2]), &zeros(F64, [2]))),
            error("does not take", move || apply(&zeros(wrong, [2]), &zeros(wrong, [2]))),
        ],
    }
}

#[rustfmt::skip]
fn compare(op: Compare) -> OpEntry {
    let (formula, torch, onnx, apply): (_, _, _, Pair) = match op {
        Compare::Eq => ("a = b", "eq", "Equal", Tensor::equal),
        Compare::Ne => ("a ≠ b", "ne", "", Tensor::not_equal),
        Compare::Lt => ("a < b", "lt", "Less", Tensor::lt),
        Compare::Le => ("a ≤ b", "le", "LessOrEqual", Tensor::le),
        Compare::Gt => ("a > b", "gt", "Greater", Tensor::gt),
        Compare::Ge => ("a ≥ b", "ge", "GreaterOrEqual", Tensor::ge),
    };
    // Few different numbers, so that some are equal.
    let of = |_: usize, dtype: DType, shape: Shape| match dtype {
        Bool => plain(Bool, shape),
        _ => sample(dtype, shape, Domain::Integers { lo: 0, hi: 3 }),
    };
    let (a, b) = special_pairs();
    OpEntry {
        name: op.name(), formula, torch, onnx,
        differentiable: false,
        cases: pairs(apply, &DType::ALL, of, Some((&a, &b))),
        errors: vec![
            error("shapes [3] and [2] do not broadcast", move || apply(&zeros(F32, [3]), &zeros(F32, [2]))),
            error("there is no implicit promotion", move || apply(&zeros(I64, [2]), &zeros(I32, [2]))),
        ],
    }
}

fn with_numbers(entry: &mut OpEntry) {
    for dtype in [F32, I64] {
        let name = format!("a number on either side, {dtype}");
        entry.cases.push(case(name, vec![plain(dtype, [3])], |x| 2.0 * (&x[0] + 1.0) - &x[0]));
    }
    entry.errors.push(error("0.5 is not a number of type i64", || zeros(I64, [2]) + 0.5));
    entry.errors.push(error("-1 is not a number of type u8", || -1.0 + zeros(U8, [2])));
}

fn select() -> OpEntry {
    let choose = |x: &[Tensor]| Tensor::select(&x[0], &x[1], &x[2]);
    let of = |dtype| vec![plain(Bool, [3, 4]), plain(dtype, [3, 4]), plain(dtype, [3, 4])];
    let mut cases: Vec<Case> =
        DType::ALL.into_iter().map(|dtype| case(dtype.name(), of(dtype), choose)).collect();
    cases.extend(viewed(&cases[0]));
    cases.push(case(
        "broadcast",
        vec![plain(Bool, [3, 1]), plain(F32, [4]), plain(F32, Shape::scalar())],
        choose,
    ));
    cases.push(case("empty", vec![plain(Bool, [0]), plain(F32, [0]), plain(F32, [1])], choose));
    cases.push(case(
        "one element",
        vec![plain(Bool, [1]), plain(F64, [1]), plain(F64, [1])],
        choose,
    ));
    let nan = sample(F32, [2], Domain::Exact(vec![f64::NAN, 1.0]));
    let cond = sample(Bool, [2], Domain::Exact(vec![0.0, 1.0]));
    cases.push(case("the other side is NaN", vec![cond, nan, plain(F32, [2])], choose).rough());
    OpEntry {
        name: "select",
        formula: "cond ? a : b",
        torch: "where",
        onnx: "Where",
        differentiable: true,
        cases,
        errors: vec![
            error("the condition must be bool, got f32", || {
                Tensor::select(&zeros(F32, [2]), &zeros(F32, [2]), &zeros(F32, [2]))
            }),
            error("expects two tensors of one type", || {
                Tensor::select(&zeros(Bool, [2]), &zeros(F32, [2]), &zeros(I64, [2]))
            }),
            error("do not broadcast", || {
                Tensor::select(&zeros(Bool, [3]), &zeros(F32, [2]), &zeros(F32, [2]))
            }),
        ],
    }
}

fn cast() -> OpEntry {
    let mut cases = vec![];
    for from in DType::ALL {
        for to in DType::ALL.into_iter().filter(|&to| to != from) {
            let name = format!("{from} to {to}");
            // Casting to an integer and back has steps, but a float of the result is what gradients need.
            cases.push(case(name, vec![plain(from, [3, 4])], move |x| x[0].cast(to)));
        }
    }
    cases.extend(viewed(&cases[0]));
    cases.push(case("empty", vec![plain(F32, [0, 2])], |x| x[0].cast(I64)));
    cases.push(case("one element", vec![plain(I64, [1])], |x| x[0].cast(F32)));
    for to in [I64, I32, U8, Bool, F64] {
        let special = sample(F32, [SPECIAL.len()], Domain::Exact(SPECIAL.to_vec()));
        cases.push(
            case(format!("special values to {to}"), vec![special], move |x| x[0].cast(to)).rough(),
        );
    }
    let wide = [-1.0, 255.0, 256.0, 2147483648.0, -2147483649.0, 4294967296.0];
    for to in [I32, U8, Bool, F32] {
        let wide = sample(I64, [wide.len()], Domain::Exact(wide.to_vec()));
        cases.push(case(format!("wide integers to {to}"), vec![wide], move |x| x[0].cast(to)));
    }
    OpEntry {
        name: "cast",
        formula: "x as another type: truncating and saturating from floats, wrapping among integers, x ≠ 0 to bool",
        torch: "to",
        onnx: "Cast",
        differentiable: true,
        cases,
        errors: vec![error("2 elements do not fill the shape [3]", || {
            Tensor::new(&[1.0f32, 2.0], [3]).cast(F64)
        })],
    }
}
