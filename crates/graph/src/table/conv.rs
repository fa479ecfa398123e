//! Entries of convolution.

use super::{Case, OpEntry, case, error, plain, viewed, zeros};
use crate::dtype::DType::{self, F32, F64, I64};
use crate::ops::{ConvInputGrad, ConvSpec, ConvWeightGrad};
use crate::shape::Shape;
use crate::tensor::Tensor;

pub(super) fn entries() -> Vec<OpEntry> {
    vec![conv(), conv_input_grad(), conv_weight_grad(), conv_transpose()]
}

/// A convolution that is tried: its name, the shapes of input and weight, and how the kernel slides.
struct Geometry {
    name: &'static str,
    dtype: DType,
    x: Shape,
    w: Shape,
    spec: ConvSpec,
}

fn geometry(
    name: &'static str,
    x: impl Into<Shape>,
    w: impl Into<Shape>,
    change: impl Fn(&mut ConvSpec),
) -> Geometry {
    let (x, w) = (x.into(), w.into());
    let mut spec = ConvSpec::new(x.rank() - 2);
    change(&mut spec);
    Geometry { name, dtype: F32, x, w, spec }
}

fn geometries() -> Vec<Geometry> {
    let plain = geometry("f32", [2, 2, 5, 6], [3, 2, 3, 2], |_| ());
    let wide =
        Geometry { name: "f64", dtype: F64, ..geometry("", [1, 2, 4, 4], [2, 2, 3, 3], |_| ()) };
    vec![
        plain,
        wide,
        geometry("1-d", [1, 2, 4], [2, 2, 2], |_| ()),
        geometry("3-d", [1, 2, 3, 4, 3], [2, 2, 2, 2, 2], |_| ()),
        geometry("3-d, everything", [1, 2, 4, 3, 4], [2, 1, 2, 2, 1], |s| {
            s.stride = vec![2, 1, 3];
            s.padding = vec![[1, 0], [0, 1], [1, 1]];
            s.dilation = vec![1, 2, 1];
            s.groups = 2;
        }),
        geometry("padding", [1, 2, 4, 5], [2, 2, 3, 3], |s| s.padding = vec![[1, 1]; 2]),
        geometry("uneven padding", [1, 1, 4, 3], [2, 1, 3, 2], |s| {
            s.padding = vec![[2, 0], [0, 1]]
        }),
        geometry("more padding than kernel", [1, 1, 3], [1, 1, 2], |s| s.padding = vec![[3, 4]]),
        geometry("stride", [1, 2, 7, 6], [2, 2, 3, 2], |s| s.stride = vec![2, 3]),
        geometry("stride past the kernel", [1, 1, 8], [2, 1, 2], |s| s.stride = vec![3]),
        geometry("dilation", [1, 2, 7, 6], [2, 2, 3, 2], |s| s.dilation = vec![2, 3]),
        geometry("stride, padding, dilation", [2, 2, 9], [2, 2, 3], |s| {
            (s.stride, s.padding, s.dilation) = (vec![2], vec![[2, 1]], vec![2]);
        }),
        geometry("groups", [2, 4, 5], [6, 2, 2], |s| s.groups = 2),
        geometry("depth-wise", [2, 3, 4, 4], [3, 1, 3, 3], |s| {
            (s.groups, s.padding) = (3, vec![[1, 1]; 2]);
        }),
        geometry("depth-wise, two each", [1, 2, 4, 5], [4, 1, 2, 3], |s| s.groups = 2),
        geometry("1×1", [2, 3, 2, 3], [4, 3, 1, 1], |_| ()),
        geometry("1×1, stride", [1, 3, 5, 4], [2, 3, 1, 1], |s| s.stride = vec![2, 2]),
        geometry("kernel as large as the input", [2, 2, 3, 4], [3, 2, 3, 4], |_| ()),
        geometry("no sample", [0, 2, 4], [3, 2, 2], |_| ()),
        geometry("no channel", [2, 0, 4], [3, 0, 2], |_| ()),
        geometry("one element", [1, 1, 1], [1, 1, 1], |_| ()),
    ]
}

impl Geometry {
    fn result(&self) -> Shape {
        let zero = |shape: &Shape| zeros(self.dtype, shape);
        zero(&self.x).conv(&zero(&self.w), &self.spec).shape().clone()
    }
}

/// A case for each geometry, made by `of`, and the views of the one-dimensional one.
fn each_geometry(of: impl Fn(Geometry) -> Case) -> Vec<Case> {
    let mut cases: Vec<Case> = geometries().into_iter().map(of).collect();
    cases.extend(cases.iter().find(|c| c.name == "1-d").map(viewed).unwrap_or_default());
    cases
}

fn conv() -> OpEntry {
    let cases = each_geometry(|Geometry { name, dtype, x, w, spec }| {
        let inputs = vec![plain(dtype, x), plain(dtype, w)];
        case(name, inputs, move |t| t[0].conv(&t[1], &spec))
    });
    let bad = |x: &[usize], w: &[usize], change: fn(&mut ConvSpec)| {
        let (x, w, mut spec) = (zeros(F32, x), zeros(F32, w), ConvSpec::new(2));
        change(&mut spec);
        (x, w, spec)
    };
    let fails = move |expect, x: &[usize], w: &[usize], change: fn(&mut ConvSpec)| {
        let (x, w, spec) = bad(x, w, change);
        error(expect, move || x.conv(&w, &spec))
    };
    OpEntry {
        name: "conv",
        formula: "y[n, o, i] = Σ_c Σ_k w[o, c, k] · x[n, c, stride·i + dilation·k − padding]",
        torch: "nn.functional.conv1d, conv2d, conv3d",
        onnx: "Conv",
        differentiable: true,
        cases,
        errors: vec![
            fails("the input must have rank 4, [N, C, H, W]", &[2, 3, 4], &[1, 3, 1, 1], |_| ()),
            fails("expects 1 to 3 spatial axes, got 4", &[1; 6], &[1; 6], |s| {
                *s = ConvSpec::new(4)
            }),
            fails("expects 1 to 3 spatial axes, got 0", &[1, 1], &[1, 1], |s| {
                *s = ConvSpec::new(0)
            }),
            fails(
                "the padding needs one number for each of 2 spatial axes, got 1",
                &[1, 1, 3, 3],
                &[1, 1, 1, 1],
                |s| s.padding = vec![[1, 1]],
            ),
            fails(
                "the weight must be [out channels, 3, KH, KW] (3 channels in 1 groups), got [8, 2, 3, 3]",
                &[1, 3, 8, 8],
                &[8, 2, 3, 3],
                |_| (),
            ),
            fails("the weight must be [out channels, 3", &[1, 3, 8, 8], &[8, 3, 3], |_| ()),
            fails(
                "3 groups must divide the input's channels, axis 1 of [1, 4, 8, 8], got 4",
                &[1, 4, 8, 8],
                &[3, 1, 3, 3],
                |s| s.groups = 3,
            ),
            fails("0 groups must divide", &[1, 4, 8, 8], &[4, 4, 3, 3], |s| s.groups = 0),
            fails(
                "2 groups must divide the output channels, axis 0 of the weight [3, 2, 3, 3], got 3",
                &[1, 4, 8, 8],
                &[3, 2, 3, 3],
                |s| s.groups = 2,
            ),
            fails(
                "axis 3 of [1, 1, 5, 3]: a kernel of 3 with dilation 2 covers 5 elements, \
                 got 4 (3 with padding 1 + 0)",
                &[1, 1, 5, 3],
                &[1, 1, 3, 3],
                |s| (s.dilation, s.padding) = (vec![2, 2], vec![[0, 0], [1, 0]]),
            ),
            fails("covers 1 elements, got 0", &[1, 1, 5, 0], &[1, 1, 1, 1], |_| ()),
            fails("the kernel of axis 2 must be at least 1", &[1, 1, 5, 3], &[1, 1, 0, 1], |_| ()),
            fails("the stride of axis 3 must be at least 1, got 0", &[1, 1, 5, 5], &[1; 4], |s| {
                s.stride[1] = 0
            }),
            fails(
                "the dilation of axis 2 must be at least 1, got 0",
                &[1, 1, 5, 5],
                &[1; 4],
                |s| s.dilation[0] = 0,
            ),
            fails("covers too many elements", &[1, 1, 5, 5], &[1, 1, 5, 5], |s| {
                s.dilation[0] = usize::MAX
            }),
            fails("has too many elements", &[1, 1, 5, 5], &[1, 1, 5, 5], |s| {
                s.padding[0] = [usize::MAX / 4; 2]
            }),
            error("expects float tensors of one type, got f32 and f64", || {
                zeros(F32, [1, 1, 3]).conv(&zeros(F64, [1, 1, 1]), &ConvSpec::new(1))
            }),
            error("expects float tensors of one type, got i64 and i64", || {
                zeros(I64, [1, 1, 3]).conv(&zeros(I64, [1, 1, 1]), &ConvSpec::new(1))
            }),
        ],
    }
}

fn conv_input_grad() -> OpEntry {
    let cases = each_geometry(|geometry| {
        let g = geometry.result();
        let Geometry { name, dtype, x, w, spec } = geometry;
        let op = ConvInputGrad { spec, extents: x[2..].to_vec() };
        let inputs = vec![plain(dtype, g), plain(dtype, w)];
        case(name, inputs, move |t| Tensor::from_op(op.clone(), t))
    });
    let op = || ConvInputGrad { spec: ConvSpec::new(1), extents: vec![5] };
    OpEntry {
        name: "conv_input_grad",
        formula: "the cotangent of a convolution's input from that of its result and the weight",
        torch: "nn.grad.conv2d_input",
        onnx: "",
        differentiable: true,
        cases,
        errors: vec![
            error("the result has shape [1, 2, 3], its cotangent [1, 2, 4]", move || {
                Tensor::from_op(op(), &[zeros(F32, [1, 2, 4]), zeros(F32, [2, 3, 3])])
            }),
            error("the cotangent must have rank 3", move || {
                Tensor::from_op(op(), &[zeros(F32, [2, 4]), zeros(F32, [2, 3, 3])])
            }),
            error("the weight must have rank 3", move || {
                Tensor::from_op(op(), &[zeros(F32, [1, 2, 4]), zeros(F32, [2, 3])])
            }),
            error("expects float tensors of one type", move || {
                Tensor::from_op(op(), &[zeros(F32, [1, 2, 3]), zeros(F64, [2, 3, 3])])
            }),
        ],
    }
}

fn conv_weight_grad() -> OpEntry {
    let cases = each_geometry(|geometry| {
        let g = geometry.result();
        let Geometry { name, dtype, x, w, spec } = geometry;
        let op = ConvWeightGrad { spec, kernel: w[2..].to_vec() };
        let inputs = vec![plain(dtype, x), plain(dtype, g)];
        case(name, inputs, move |t| Tensor::from_op(op.clone(), t))
    });
    let op = || ConvWeightGrad { spec: ConvSpec::new(1), kernel: vec![3] };
    OpEntry {
        name: "conv_weight_grad",
        formula: "the cotangent of a convolution's weight from its input and that of its result",
        torch: "nn.grad.conv2d_weight",
        onnx: "",
        differentiable: true,
        cases,
        errors: vec![
            error("the result has shape [1, 2, 3], its cotangent [1, 2, 4]", move || {
                Tensor::from_op(op(), &[zeros(F32, [1, 3, 5]), zeros(F32, [1, 2, 4])])
            }),
            error("the input must have rank 3", move || {
                Tensor::from_op(op(), &[zeros(F32, [3, 5]), zeros(F32, [1, 2, 3])])
            }),
            error("expects float tensors of one type", move || {
                Tensor::from_op(op(), &[zeros(F32, [1, 3, 5]), zeros(F64, [1, 2, 3])])
            }),
        ],
    }
}

fn conv_transpose() -> OpEntry {
    let case_of = |name: &str, x: &[usize], w: &[usize], spec: ConvSpec, extra: &[usize]| {
        let extra = extra.to_vec();
        case(name, vec![plain(F32, x), plain(F32, w)], move |t| {
            t[0].conv_transpose(&t[1], &spec, &extra)
        })
    };
    let spec = |stride: usize, padding: usize, axes: usize| ConvSpec {
        stride: vec![stride; axes],
        padding: vec![[padding; 2]; axes],
        ..ConvSpec::new(axes)
    };
    let grouped = ConvSpec { groups: 2, dilation: vec![2], ..spec(3, 1, 1) };
    let fails = |expect, w: [usize; 3], spec: ConvSpec, extra: Vec<usize>| {
        error(expect, move || zeros(F32, [1, 2, 3]).conv_transpose(&zeros(F32, w), &spec, &extra))
    };
    OpEntry {
        name: "conv_transpose",
        formula: "y[n, o, stride·i + dilation·k − padding] += w[c, o, k] · x[n, c, i]",
        torch: "nn.functional.conv_transpose1d, conv_transpose2d, conv_transpose3d",
        onnx: "ConvTranspose",
        differentiable: true,
        cases: vec![
            case_of("f32", &[2, 2, 3, 3], &[2, 3, 3, 2], spec(1, 0, 2), &[0, 0]),
            case_of("stride", &[1, 2, 3, 2], &[2, 2, 2, 2], spec(2, 0, 2), &[0, 0]),
            case_of("output padding", &[1, 2, 3, 2], &[2, 1, 3, 3], spec(2, 1, 2), &[1, 0]),
            case_of("groups, dilation", &[1, 4, 3], &[4, 2, 2], grouped, &[2]),
            case_of("empty", &[0, 2, 3], &[2, 3, 2], spec(1, 0, 1), &[0]),
            case_of("one element", &[1, 1, 1], &[1, 1, 1], spec(1, 0, 1), &[0]),
        ],
        errors: vec![
            fails(
                "axis 0 of the weight [3, 2, 2] must be the input's channels, 2, got 3",
                [3, 2, 2],
                spec(1, 0, 1),
                vec![0],
            ),
            fails(
                "the output padding of axis 2 must be less than the stride, 2, got 2",
                [2, 2, 2],
                spec(2, 0, 1),
                vec![2],
            ),
            fails("the output padding needs one number", [2, 2, 2], spec(1, 0, 1), vec![]),
            fails("axis 2 of [1, 2, 3] gives no element", [2, 2, 2], spec(1, 2, 1), vec![0]),
            fails("the stride of axis 2 must be at least 1", [2, 2, 2], spec(0, 0, 1), vec![0]),
        ],
    }
}
