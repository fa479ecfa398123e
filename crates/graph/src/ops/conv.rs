//! Convolution, as networks call the cross-correlation, over 1 to 3 spatial axes.
//!
//! Three ops closed under differentiation: with `y = conv(x, w)`, [`Conv`] gives y from (x, w), [`ConvInputGrad`] gives
//! the cotangent of x from (g, w), [`ConvWeightGrad`] that of w from (x, g). Each is linear in both inputs, and each
//! gradient of one is another. [`ConvInputGrad`] is also the transposed convolution.

use crate::dtype::DType;
use crate::error::OpError;
use crate::op::Op;
use crate::ops::window::{Window, check_cotangent, check_lengths, check_rank, one_float_type};
use crate::reference::{Data, RefValue};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// How a kernel slides over its input, one number per spatial axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvSpec {
    /// The distance between two places of the kernel; default 1.
    pub stride: Vec<usize>,
    /// Zeros before and after the input; default 0.
    pub padding: Vec<[usize; 2]>,
    /// The distance between two taps of the kernel; default 1.
    pub dilation: Vec<usize>,
    /// Channels are cut into so many groups that do not see each other; default 1. As many groups as channels make a
    /// depth-wise convolution.
    pub groups: usize,
}

impl ConvSpec {
    /// Stride 1, no padding, dilation 1, one group.
    pub fn new(spatial_axes: usize) -> Self {
        ConvSpec {
            stride: vec![1; spatial_axes],
            padding: vec![[0, 0]; spatial_axes],
            dilation: vec![1; spatial_axes],
            groups: 1,
        }
    }

    /// The number of spatial axes.
    pub fn spatial_axes(&self) -> usize {
        self.stride.len()
    }

    /// The window of a kernel of extents `kernel` along each spatial axis.
    pub fn windows(&self, kernel: &[usize]) -> Vec<Window> {
        (kernel.iter().enumerate())
            .map(|(a, &kernel)| {
                let ([before, after], stride) = (self.padding[a], self.stride[a]);
                Window { kernel, stride, before, after, dilation: self.dilation[a] }
            })
            .collect()
    }

    /// The shape of the result for an input and a weight of these shapes.
    fn result(&self, x: &Shape, w: &Shape) -> Result<Shape, OpError> {
        let spatial = self.spatial_axes();
        check_lengths(
            &[("padding", self.padding.len()), ("dilation", self.dilation.len())],
            spatial,
        )?;
        check_rank("input", x, spatial)?;
        let groups = self.groups;
        if groups == 0 || !x[1].is_multiple_of(groups) {
            let error = OpError::argument(format!(
                "{groups} groups must divide the input's channels, axis 1 of {x}, got {}",
                x[1]
            ));
            return Err(error.hint("choose a divisor of the number of channels"));
        }
        if w.rank() != spatial + 2 || w[1] != x[1] / groups {
            let kernel = ["K", "KH, KW", "KD, KH, KW"][spatial - 1];
            let error = OpError::shape(format!(
                "the weight must be [out channels, {}, {kernel}] ({} channels in {groups} groups), got {w}",
                x[1] / groups,
                x[1]
            ));
            return Err(error.hint("axis 1 of the weight counts the input channels of one group"));
        }
        if !w[0].is_multiple_of(groups) {
            let error = OpError::argument(format!(
                "{groups} groups must divide the output channels, axis 0 of the weight {w}, got {}",
                w[0]
            ));
            return Err(error.hint("choose a divisor of the number of channels"));
        }
        let mut shape = vec![x[0], w[0]];
        for (a, window) in self.windows(&w[2..]).iter().enumerate() {
            shape.push(window.places_in(x, a + 2, false)?);
        }
        Ok(shape.into())
    }

    /// Calls `f` with the places (in x, in w, in y) of every product of the convolution.
    fn each_product(
        &self,
        x: &Shape,
        w: &Shape,
        y: &Shape,
        mut f: impl FnMut(usize, usize, usize),
    ) {
        let windows = self.windows(&w[2..]);
        let kernel = Shape::from(&w[2..]);
        let (x_strides, channels, outputs) = (x.strides(), w[1], w[0] / self.groups);
        for (y_place, at) in y.indices().enumerate() {
            let first = at[1] / outputs * channels;
            for c in 0..channels {
                for (k_place, taps) in kernel.indices().enumerate() {
                    let mut place =
                        at[0] * x_strides[0] as usize + (first + c) * x_strides[1] as usize;
                    let inside = windows.iter().enumerate().all(|(a, window)| {
                        let element = window.element(at[a + 2], taps[a], x[a + 2]);
                        place += element.unwrap_or(0) * x_strides[a + 2] as usize;
                        element.is_some()
                    });
                    if inside {
                        f(place, (at[1] * channels + c) * kernel.numel() + k_place, y_place);
                    }
                }
            }
        }
    }
}

/// `(x, w)`: x `[N, C, D…]` convolved with w `[O, C/groups, K…]` gives `[N, O, D'…]`.
#[derive(Clone, Debug)]
pub struct Conv {
    /// How the kernel slides.
    pub spec: ConvSpec,
}

/// `(g, w)`: the cotangent of the input of a [`Conv`] whose result's is g.
#[derive(Clone, Debug)]
pub struct ConvInputGrad {
    /// How the kernel slides.
    pub spec: ConvSpec,
    /// The spatial extents of the input.
    pub extents: Vec<usize>,
}

/// `(x, g)`: the cotangent of the weight of a [`Conv`] whose result's is g.
#[derive(Clone, Debug)]
pub struct ConvWeightGrad {
    /// How the kernel slides.
    pub spec: ConvSpec,
    /// The extents of the kernel.
    pub kernel: Vec<usize>,
}

impl Op for Conv {
    fn name(&self) -> &'static str {
        "conv"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let (x, w) = (&inputs[0], &inputs[1]);
        let dtype = one_float_type(inputs)?;
        Ok((self.spec.result(x.shape(), w.shape())?, dtype))
    }
    fn grad(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        let (x, w) = (&inputs[0], &inputs[1]);
        Ok(vec![
            Some(input_grad(&self.spec, &x.shape()[2..], g, w)),
            Some(weight_grad(&self.spec, &w.shape()[2..], x, g)),
        ])
    }
    fn reference(&self, inputs: &[RefValue], shape: &Shape, _: DType) -> Result<Data, OpError> {
        let (x, w) = (inputs[0].floats(), inputs[1].floats());
        let mut y = vec![0.0; shape.numel()];
        self.spec.each_product(&inputs[0].shape, &inputs[1].shape, shape, |i, k, o| {
            y[o] += x[i] * w[k];
        });
        Ok(Data::Float(y))
    }
    fn multiply_adds(&self, inputs: &[Tensor], y: &Tensor) -> u64 {
        products(&inputs[1], y)
    }
}

impl Op for ConvInputGrad {
    fn name(&self) -> &'static str {
        "conv_input_grad"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let (g, w) = (&inputs[0], &inputs[1]);
        let dtype = one_float_type(inputs)?;
        let spatial = self.spec.spatial_axes();
        check_rank("cotangent", g.shape(), spatial)?;
        check_rank("weight", w.shape(), spatial)?;
        let channels = w.shape()[1].checked_mul(self.spec.groups);
        let channels = channels.ok_or_else(|| OpError::shape("the channels overflow"))?;
        let x = Shape::from([&[g.shape()[0], channels], &self.extents[..]].concat());
        check_cotangent(g.shape(), &self.spec.result(&x, w.shape())?)?;
        Ok((x, dtype))
    }
    fn grad(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        dx: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        let (g, w) = (&inputs[0], &inputs[1]);
        Ok(vec![
            Some(dx.conv(w, &self.spec)),
            Some(weight_grad(&self.spec, &w.shape()[2..], dx, g)),
        ])
    }
    fn reference(&self, inputs: &[RefValue], shape: &Shape, _: DType) -> Result<Data, OpError> {
        let (g, w) = (inputs[0].floats(), inputs[1].floats());
        let mut dx = vec![0.0; shape.numel()];
        self.spec.each_product(shape, &inputs[1].shape, &inputs[0].shape, |i, k, o| {
            dx[i] += g[o] * w[k];
        });
        Ok(Data::Float(dx))
    }
    fn multiply_adds(&self, inputs: &[Tensor], _: &Tensor) -> u64 {
        products(&inputs[1], &inputs[0])
    }
}

impl Op for ConvWeightGrad {
    fn name(&self) -> &'static str {
        "conv_weight_grad"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let (x, g) = (&inputs[0], &inputs[1]);
        let dtype = one_float_type(inputs)?;
        let spatial = self.spec.spatial_axes();
        check_rank("input", x.shape(), spatial)?;
        check_rank("cotangent", g.shape(), spatial)?;
        let channels = x.shape()[1].checked_div(self.spec.groups).unwrap_or(0);
        let w = Shape::from([&[g.shape()[1], channels], &self.kernel[..]].concat());
        check_cotangent(g.shape(), &self.spec.result(x.shape(), &w)?)?;
        Ok((w, dtype))
    }
    fn grad(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        dw: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        let (x, g) = (&inputs[0], &inputs[1]);
        Ok(vec![Some(input_grad(&self.spec, &x.shape()[2..], g, dw)), Some(x.conv(dw, &self.spec))])
    }
    fn reference(&self, inputs: &[RefValue], shape: &Shape, _: DType) -> Result<Data, OpError> {
        let (x, g) = (inputs[0].floats(), inputs[1].floats());
        let mut dw = vec![0.0; shape.numel()];
        self.spec.each_product(&inputs[0].shape, shape, &inputs[1].shape, |i, k, o| {
            dw[k] += x[i] * g[o];
        });
        Ok(Data::Float(dw))
    }
    fn multiply_adds(&self, inputs: &[Tensor], w: &Tensor) -> u64 {
        products(w, &inputs[1])
    }
}

/// The products of a convolution with weight `w` and result `y`, those with padding included.
fn products(w: &Tensor, y: &Tensor) -> u64 {
    y.numel() as u64 * w.shape()[1..].iter().map(|&extent| extent as u64).product::<u64>()
}

fn input_grad(spec: &ConvSpec, extents: &[usize], g: &Tensor, w: &Tensor) -> Tensor {
    let op = ConvInputGrad { spec: spec.clone(), extents: extents.to_vec() };
    Tensor::from_op(op, &[g.clone(), w.clone()])
}

fn weight_grad(spec: &ConvSpec, kernel: &[usize], x: &Tensor, g: &Tensor) -> Tensor {
    let op = ConvWeightGrad { spec: spec.clone(), kernel: kernel.to_vec() };
    Tensor::from_op(op, &[x.clone(), g.clone()])
}

impl Tensor {
    /// The convolution (cross-correlation, as `torch.nn.functional.conv2d`) of `[N, C, D…]` with `weight`
    /// `[O, C/groups, K…]`, which gives `[N, O, D'…]`, D' = ⌊(D + padding − dilation·(K − 1) − 1) / stride⌋ + 1:
    ///
    /// y\[n, o, i\] = Σ_c Σ_k w\[o, c, k\] · x\[n, c, stride·i + dilation·k − padding\]
    ///
    /// where c runs over the channels of o's group and x is zero outside. The spatial axes are 1 to 3.
    ///
    /// ```
    /// use thalweg_graph::{DType, Tensor, ops::ConvSpec};
    /// let image = Tensor::zeros(DType::F32, [1, 3, 32, 32]);
    /// let weight = Tensor::zeros(DType::F32, [16, 3, 3, 3]);
    /// let same = ConvSpec { padding: vec![[1, 1]; 2], ..ConvSpec::new(2) };
    /// assert_eq!(image.conv(&weight, &same).shape().dims(), [1, 16, 32, 32]);
    /// ```
    #[track_caller]
    pub fn conv(&self, weight: &Tensor, spec: &ConvSpec) -> Tensor {
        Tensor::from_op(Conv { spec: spec.clone() }, &[self.clone(), weight.clone()])
    }

    /// The transposed convolution (as `torch.nn.functional.conv_transpose2d`) of `[N, C, D…]` with `weight`
    /// `[C, O/groups, K…]`: the input gradient of a convolution with the same numbers. It gives `[N, O, D'…]`,
    /// D' = (D − 1)·stride − padding + dilation·(K − 1) + output_padding + 1. The output padding, which chooses among
    /// the extents that the convolution would map to D, must be less than the stride.
    #[track_caller]
    pub fn conv_transpose(
        &self,
        weight: &Tensor,
        spec: &ConvSpec,
        output_padding: &[usize],
    ) -> Tensor {
        if let Some(poisoned) = [self, weight].into_iter().find(|t| t.error().is_some()) {
            return poisoned.clone();
        }
        match transposed_extents(self.shape(), weight.shape(), spec, output_padding) {
            Ok(extents) => {
                let op = ConvInputGrad { spec: spec.clone(), extents };
                Tensor::from_op(op, &[self.clone(), weight.clone()])
            }
            Err(error) => Tensor::poison("conv_transpose", error),
        }
    }
}

fn transposed_extents(
    x: &Shape,
    w: &Shape,
    spec: &ConvSpec,
    output_padding: &[usize],
) -> Result<Vec<usize>, OpError> {
    let spatial = spec.spatial_axes();
    let lists = [
        ("padding", spec.padding.len()),
        ("dilation", spec.dilation.len()),
        ("output padding", output_padding.len()),
    ];
    check_lengths(&lists, spatial)?;
    check_rank("input", x, spatial)?;
    check_rank("weight", w, spatial)?;
    if w[0] != x[1] {
        return Err(OpError::shape(format!(
            "axis 0 of the weight {w} must be the input's channels, {}, got {}",
            x[1], w[0]
        ))
        .hint(
            "the weight of a transposed convolution is [in channels, out channels / groups, K…]",
        ));
    }
    let extent = |(a, window): (usize, Window)| {
        let axis = a + 2;
        window.check(axis)?;
        if output_padding[a] >= window.stride {
            return Err(OpError::argument(format!(
                "the output padding of axis {axis} must be less than the stride, {}, got {}",
                window.stride, output_padding[a]
            )));
        }
        let full = (x[axis].checked_sub(1))
            .and_then(|n| n.checked_mul(window.stride)?.checked_add(window.span()?))
            .and_then(|n| n.checked_add(output_padding[a]));
        let cut = window.before.checked_add(window.after);
        let extent = full.zip(cut).and_then(|(full, cut)| full.checked_sub(cut));
        extent.filter(|&n| n > 0).ok_or_else(|| {
            OpError::shape(format!(
                "axis {axis} of {x} gives no element: {} places of a kernel of {} less padding {} + {}",
                x[axis], window.kernel, window.before, window.after
            ))
            .hint("use less padding or a larger kernel")
        })
    };
    spec.windows(&w[2..]).into_iter().enumerate().map(extent).collect()
}
