//! Entries of resizing.

use super::{Case, OpEntry, apart, case, error, zeros};
use crate::dtype::DType::{F32, I64};
use crate::tensor::Tensor;

pub(super) fn entries() -> Vec<OpEntry> {
    vec![adaptive_max_pool(), adaptive_avg_pool(), upsample_nearest(), upsample_linear()]
}

/// A case that resizes by `apply`.
fn resized(
    name: &str,
    x: &[usize],
    sizes: &[usize],
    apply: fn(&Tensor, &[usize]) -> Tensor,
) -> Case {
    let sizes = sizes.to_vec();
    case(name, vec![apart(F32, x, 0.0)], move |t| apply(&t[0], &sizes))
}

fn resize_cases(apply: fn(&Tensor, &[usize]) -> Tensor) -> Vec<Case> {
    vec![
        resized("divides", &[2, 2, 4, 6], &[2, 3], apply),
        resized("fewer", &[1, 2, 5, 7], &[3, 4], apply),
        resized("one axis divides", &[1, 2, 5, 6], &[3, 2], apply),
        resized("more", &[1, 2, 3, 2], &[5, 4], apply),
        resized("1-d", &[2, 2, 5], &[3], apply),
        resized("3-d", &[1, 1, 3, 4, 2], &[2, 3, 4], apply),
        resized("the same", &[1, 2, 3, 3], &[3, 3], apply),
        resized("to one", &[2, 3, 3, 4], &[1, 1], apply),
        resized("empty", &[0, 2, 5], &[3], apply),
        resized("one element", &[1, 1, 1], &[1], apply),
    ]
}

fn resize_errors(apply: fn(&Tensor, &[usize]) -> Tensor) -> Vec<super::ErrorCase> {
    vec![
        error(
            "axis 3 of [1, 1, 4, 4] must go from at least 1 element to at least 1, got 4 to 0",
            move || apply(&zeros(F32, [1, 1, 4, 4]), &[2, 0]),
        ),
        error("got 0 to 2", move || apply(&zeros(F32, [1, 1, 0]), &[2])),
        error("the input must have rank 3, [N, C, L] for 1 spatial axes, got [1, 4]", move || {
            apply(&zeros(F32, [1, 4]), &[2])
        }),
    ]
}

fn resizing(
    name: &'static str,
    formula: &'static str,
    torch: &'static str,
    apply: fn(&Tensor, &[usize]) -> Tensor,
) -> OpEntry {
    let onnx = if name.starts_with("upsample") { "Resize" } else { "" };
    let (cases, errors) = (resize_cases(apply), resize_errors(apply));
    OpEntry { name, formula, torch, onnx, differentiable: true, cases, errors }
}

fn adaptive_max_pool() -> OpEntry {
    resizing(
        "adaptive_max_pool",
        "the greatest element of the window from ⌊i·D/size⌋ to ⌈(i+1)·D/size⌉",
        "nn.functional.adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d",
        |x, sizes| x.adaptive_max_pool(sizes),
    )
}

fn adaptive_avg_pool() -> OpEntry {
    resizing(
        "adaptive_avg_pool",
        "the mean of the window from ⌊i·D/size⌋ to ⌈(i+1)·D/size⌉",
        "nn.functional.adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d",
        |x, sizes| x.adaptive_avg_pool(sizes),
    )
}

fn upsample_nearest() -> OpEntry {
    resizing(
        "upsample_nearest",
        "the element ⌊i·D/size⌋ for place i",
        "nn.functional.interpolate(mode='nearest')",
        |x, sizes| x.upsample_nearest(sizes),
    )
}

fn upsample_linear() -> OpEntry {
    let mut entry = resizing(
        "upsample_linear",
        "linear interpolation along each axis, at (i + ½)·D/size − ½ or, corners aligned, i·(D−1)/(size−1)",
        "nn.functional.interpolate(mode='bilinear')",
        |x, sizes| x.upsample_linear(sizes, false),
    );
    entry.cases.extend(
        resize_cases(|x, sizes| x.upsample_linear(sizes, true))
            .into_iter()
            .map(|case| Case { name: format!("{}, corners aligned", case.name), ..case }),
    );
    entry.errors.push(error("expects float tensors of one type, got i64", || {
        zeros(I64, [1, 1, 4]).upsample_linear(&[2], false)
    }));
    entry
}
