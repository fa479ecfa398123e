//! Entries of scaled dot-product attention and of its gradient.

use super::{Case, Domain, OpEntry, Sample, case, error, plain, sample, viewed, zeros};
use crate::dtype::DType::{self, Bool, F32, F64, I64};
use crate::grad::grad_or_none;
use crate::ops::{Attention, AttentionGrad};
use crate::tensor::Tensor;

const FULL: Attention = Attention { scale: 0.5, causal: false };
const CAUSAL: Attention = Attention { scale: 0.7, causal: true };

pub(super) fn entries() -> Vec<OpEntry> {
    vec![attention(), attention_grad()]
}

/// Queries, keys and values of these extents.
fn qkv(dtype: DType, [b, h, tq, tk, d, dv]: [usize; 6]) -> Vec<Sample> {
    vec![plain(dtype, [b, h, tq, d]), plain(dtype, [b, h, tk, d]), plain(dtype, [b, h, tk, dv])]
}

/// A mask of given truth values.
fn mask<const N: usize>(shape: [usize; N], holds: &[u8]) -> Sample {
    sample(Bool, shape, Domain::Exact(holds.iter().map(|&b| b as f64).collect()))
}

type Apply = fn(&[Tensor], &Attention) -> Tensor;

/// Every sort of attention, `apply`ed to queries, keys, values and possibly a mask.
fn cases(apply: Apply) -> Vec<Case> {
    let on = |name: &str, options: Attention, inputs: Vec<Sample>| {
        case(name, inputs, move |x| apply(x, &options))
    };
    let masked = |extents: [usize; 6], mask: Sample| [qkv(F32, extents), vec![mask]].concat();
    let some = mask([2, 1, 1, 3], &[1, 1, 0, 1, 0, 1]);
    let mut cases = vec![
        on("f32", FULL, qkv(F32, [2, 2, 3, 3, 4, 4])),
        on("f64", FULL, qkv(F64, [2, 2, 3, 3, 4, 4])),
        on("causal", CAUSAL, qkv(F32, [1, 2, 4, 4, 3, 3])),
        on("causal, fewer queries", CAUSAL, qkv(F32, [1, 1, 2, 5, 3, 3])),
        on("causal, more queries", CAUSAL, qkv(F64, [1, 2, 5, 2, 3, 3])),
        on("padding", FULL, masked([2, 2, 3, 3, 4, 4], some.clone())),
        on("causal and padding", CAUSAL, masked([2, 1, 3, 3, 2, 2], some)),
        on("a mask for all", FULL, masked([1, 2, 2, 3, 2, 2], mask([2, 3], &[1, 0, 1, 0, 1, 1]))),
        on("a mask of one row", FULL, masked([2, 1, 2, 3, 2, 2], mask([3], &[0, 1, 1]))),
        on("queries that see nothing", CAUSAL, {
            let holds = [0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0];
            masked([2, 1, 3, 2, 2, 3], mask([2, 1, 3, 2], &holds))
        }),
        on("wider values", FULL, qkv(F32, [1, 2, 3, 4, 2, 5])),
        on("narrower values", CAUSAL, qkv(F32, [1, 1, 3, 3, 5, 1])),
        on("longer", CAUSAL, qkv(F32, [1, 1, 19, 19, 5, 3])),
        on("many keys", FULL, qkv(F32, [1, 1, 2, 40, 3, 2])),
        on("no sequence", CAUSAL, qkv(F32, [0, 2, 3, 3, 4, 4])),
        on("no query", FULL, qkv(F32, [1, 2, 0, 3, 4, 4])),
        on("no width", FULL, qkv(F32, [1, 2, 2, 3, 0, 2])),
        on("one element", FULL, qkv(F32, [1, 1, 1, 1, 1, 1])),
    ];
    let nan = |n: usize, at: usize| -> Vec<f64> {
        (0..n).map(|i| if i == at { f64::NAN } else { 0.25 * i as f64 }).collect()
    };
    for (name, input, at) in [("query", 0, 2), ("key", 1, 5), ("value", 2, 0)] {
        let mut inputs = qkv(F32, [1, 1, 3, 3, 2, 2]);
        inputs[input].domain = Domain::Exact(nan(6, at));
        cases.push(on(&format!("NaN in a {name}"), FULL, inputs).rough());
    }
    let far = vec![100.0, -100.0, 90.0, 0.0, 1.0, 60.0];
    let mut inputs = qkv(F32, [1, 1, 3, 3, 2, 2]);
    inputs[0].domain = Domain::Exact(far);
    cases.push(on("scores far apart", FULL, inputs).rough());
    cases.push(case("one projection", vec![plain(F32, [2, 3, 3, 2, 3])], move |x| {
        let part = |i| x[0].narrow(2, i, 1).squeeze(2).transpose(1, 2);
        apply(&[part(0), part(1), part(2)], &CAUSAL)
    }));
    let small = on("small", CAUSAL, qkv(F32, [1, 1, 3, 2, 1, 1]));
    cases.extend(viewed(&small));
    cases
}

fn attend(x: &[Tensor], options: &Attention) -> Tensor {
    x[0].attention(&x[1], &x[2], x.get(3), options)
}

/// The gradients of q, k and v, as one row, for a cotangent that differs from element to element.
fn gradients(x: &[Tensor], options: &Attention) -> Tensor {
    let y = attend(x, options);
    let place = |axis| Tensor::iota(y.dtype(), y.shape(), axis);
    let g = (place(2) * 0.5 - place(3) * 0.25 + place(0)).sin();
    let parts = match grad_or_none(&y, Some(&g), &x[..3]) {
        Ok(parts) => parts.into_iter().flatten(),
        Err(error) => return Tensor::poison("grad", crate::OpError::gradient(error.to_string())),
    };
    let rows: Vec<Tensor> = parts.map(|t| t.flatten(0, -1)).collect();
    Tensor::concat(&rows, 0)
}

fn attention() -> OpEntry {
    let z = |shape: [usize; 4]| zeros(F32, shape);
    OpEntry {
        name: "attention",
        formula: "softmax(q·kᵀ·scale)·v over the keys that a query may attend to",
        torch: "nn.functional.scaled_dot_product_attention",
        onnx: "Attention",
        differentiable: true,
        cases: cases(attend),
        errors: vec![
            error("axis 3 of the mask must be 1 or 6, got 5 in [1, 1, 1, 5]", move || {
                let mask = zeros(Bool, [1, 1, 1, 5]);
                z([2, 2, 4, 8]).attention(&z([2, 2, 6, 8]), &z([2, 2, 6, 8]), Some(&mask), &FULL)
            }),
            error("axis 0 of the mask must be 1 or 2, got 3 in [3, 1, 4, 4]", move || {
                let (x, mask) = (z([2, 2, 4, 8]), zeros(Bool, [3, 1, 4, 4]));
                x.attention(&x, &x, Some(&mask), &CAUSAL)
            }),
            error("the mask must broadcast to [2, 2, 4, 4], got [1, 2, 2, 4, 4]", move || {
                let (x, mask) = (z([2, 2, 4, 8]), zeros(Bool, [1, 2, 2, 4, 4]));
                x.attention(&x, &x, Some(&mask), &FULL)
            }),
            error("the mask must be bool, got f32[1, 1, 4, 4]", move || {
                let (x, mask) = (z([2, 2, 4, 8]), zeros(F32, [4, 4]));
                x.attention(&x, &x, Some(&mask), &FULL)
            }),
            error("axis 3 (D) of the keys must be 8, as of the queries, got 7", move || {
                z([2, 2, 4, 8]).attention(&z([2, 2, 6, 7]), &z([2, 2, 6, 8]), None, &FULL)
            }),
            error("axis 1 (H) of the keys must be 2, as of the queries, got 1", move || {
                z([2, 2, 4, 8]).attention(&z([2, 1, 6, 8]), &z([2, 1, 6, 8]), None, &FULL)
            }),
            error("axis 2 (T) of the values must be 6, as of the keys, got 5", move || {
                z([2, 2, 4, 8]).attention(&z([2, 2, 6, 8]), &z([2, 2, 5, 8]), None, &FULL)
            }),
            error("axis 2 (T) of the keys must be at least 1, got 0 in [2, 2, 0, 8]", move || {
                z([2, 2, 4, 8]).attention(&z([2, 2, 0, 8]), &z([2, 2, 0, 8]), None, &FULL)
            }),
            error("queries must be [B, H, T, D], got [4, 8]", || {
                let x = zeros(F32, [4, 8]);
                x.attention(&x, &x, None, &FULL)
            }),
            error("values must be floats of one type, got f64[2, 2, 4, 8]", move || {
                let x = z([2, 2, 4, 8]);
                x.attention(&x, &zeros(F64, [2, 2, 4, 8]), None, &FULL)
            }),
            error("queries must be floats of one type, got i64[1, 1, 1, 1]", || {
                let x = zeros(I64, [1, 1, 1, 1]);
                x.attention(&x, &x, None, &FULL)
            }),
        ],
    }
}

fn attention_grad() -> OpEntry {
    let apply = |packed: usize, g: [usize; 4]| {
        let x = zeros(F32, [1, 2, 3, 4]);
        let inputs = [x.clone(), x.clone(), x, zeros(F32, [packed]), zeros(F32, g)];
        Tensor::from_op(AttentionGrad(FULL), &inputs)
    };
    OpEntry {
        name: "attention_grad",
        formula: "dv = Pᵀ·g, dS = P ∘ (g·vᵀ − Σⱼ P ∘ (g·vᵀ))·scale, dq = dS·k, dk = dSᵀ·q",
        torch: "",
        onnx: "",
        differentiable: true,
        cases: cases(gradients),
        errors: vec![
            error("the packed result must be f32[30], got f32[24]", move || {
                apply(24, [1, 2, 3, 4])
            }),
            error("the cotangent must be f32[1, 2, 3, 4], got f32[1, 2, 4, 3]", move || {
                apply(30, [1, 2, 4, 3])
            }),
        ],
    }
}
