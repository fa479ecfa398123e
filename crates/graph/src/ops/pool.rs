//! Pooling over 1 to 3 spatial axes: the greatest element of each window, or the mean.
//!
//! Two families closed under differentiation. [`MaxPool`]; [`MaxPoolGrad`] adds a cotangent to the winner of each
//! window; [`MaxPoolPick`], its transpose, reads another tensor at the winners. [`AvgPool`] and its transpose
//! [`AvgPoolGrad`] are linear.

use crate::dtype::DType;
use crate::error::OpError;
use crate::op::Op;
use crate::ops::window::{Window, check_cotangent, check_lengths, check_rank, one_float_type};
use crate::reference::{Data, RefValue};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// How a pooling window slides, one number per spatial axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSpec {
    /// The extents of the window.
    pub kernel: Vec<usize>,
    /// The distance between two places of the window; default the kernel.
    pub stride: Vec<usize>,
    /// Elements before and after the input that no window wins and no sum sees, at most half the kernel; default 0.
    pub padding: Vec<usize>,
    /// The distance between two taps of the window; default 1.
    pub dilation: Vec<usize>,
    /// Whether a window that reaches beyond the end counts, as long as it starts in the input or in the padding before
    /// it; default false.
    pub ceil: bool,
}

impl PoolSpec {
    /// Windows of extents `kernel` side by side.
    pub fn new(kernel: &[usize]) -> Self {
        PoolSpec {
            kernel: kernel.to_vec(),
            stride: kernel.to_vec(),
            padding: vec![0; kernel.len()],
            dilation: vec![1; kernel.len()],
            ceil: false,
        }
    }

    /// The number of spatial axes.
    pub fn spatial_axes(&self) -> usize {
        self.kernel.len()
    }

    /// The window along each spatial axis.
    pub fn windows(&self) -> Vec<Window> {
        (0..self.kernel.len())
            .map(|a| Window {
                kernel: self.kernel[a],
                stride: self.stride[a],
                before: self.padding[a],
                after: self.padding[a],
                dilation: self.dilation[a],
            })
            .collect()
    }

    /// The shape of the result for an input of shape `x`.
    fn result(&self, x: &Shape) -> Result<Shape, OpError> {
        let spatial = self.spatial_axes();
        let lists = [
            ("stride", self.stride.len()),
            ("padding", self.padding.len()),
            ("dilation", self.dilation.len()),
        ];
        check_lengths(&lists, spatial)?;
        check_rank("input", x, spatial)?;
        let mut shape = x[..2].to_vec();
        for (a, window) in self.windows().iter().enumerate() {
            let axis = a + 2;
            if window.before > window.kernel / 2 && window.kernel > 0 {
                let error = OpError::argument(format!(
                    "the padding of axis {axis} must be at most half the kernel, {} of {}, got {}",
                    window.kernel / 2,
                    window.kernel,
                    window.before
                ));
                return Err(error.hint("pad the input with pad(…) first"));
            }
            shape.push(window.places_in(x, axis, self.ceil)?);
        }
        Ok(shape.into())
    }

    /// The places in an input of shape `x` of the taps of the window at `at` (an index of the result), row-major,
    /// without those in the padding.
    fn taps(&self, at: &[usize], x: &Shape) -> Vec<usize> {
        let strides = x.strides();
        let mut places = vec![at[0] * strides[0] as usize + at[1] * strides[1] as usize];
        for (a, window) in self.windows().iter().enumerate() {
            let stride = strides[a + 2] as usize;
            let elements: Vec<usize> = (0..window.kernel)
                .filter_map(|tap| window.element(at[a + 2], tap, x[a + 2]))
                .collect();
            let along = |place: usize| elements.iter().map(move |element| place + element * stride);
            places = places.iter().flat_map(|&place| along(place)).collect();
        }
        places
    }

    /// The place of the first greatest element (the first NaN where there is one) of each window of `x`; `None` where
    /// dilation makes all of its taps miss the input.
    fn winners(&self, x: &RefValue, result: &Shape) -> Vec<Option<usize>> {
        let elements = x.floats();
        let better = |a: f64, b: f64| !b.is_nan() && (a.is_nan() || a > b);
        (result.indices())
            .map(|at| {
                let taps = self.taps(&at, &x.shape);
                taps.into_iter().reduce(|best, place| {
                    if better(elements[place], elements[best]) { place } else { best }
                })
            })
            .collect()
    }
}

/// The greatest element of each window; padding counts as −∞, NaN wins.
#[derive(Clone, Debug)]
pub struct MaxPool {
    /// How the window slides.
    pub spec: PoolSpec,
}

/// `(x, g)`: zeros of x's shape, with each element of g added where the window's first greatest element is in x.
#[derive(Clone, Debug)]
pub struct MaxPoolGrad {
    /// How the window slides.
    pub spec: PoolSpec,
}

/// `(x, h)`: for each window of x, the element of h (of x's shape) at the place of its first greatest element.
#[derive(Clone, Debug)]
pub struct MaxPoolPick {
    /// How the window slides.
    pub spec: PoolSpec,
}

/// The mean of each window; padding counts as zeros, or not at all.
#[derive(Clone, Debug)]
pub struct AvgPool {
    /// How the window slides.
    pub spec: PoolSpec,
    /// Whether elements of the padding are counted in the divisor.
    pub count_include_pad: bool,
}

/// `(g)`: the cotangent of the input of an [`AvgPool`] whose result's is g.
#[derive(Clone, Debug)]
pub struct AvgPoolGrad {
    /// The op whose transpose it is.
    pub pool: AvgPool,
    /// The spatial extents of the input.
    pub extents: Vec<usize>,
}

impl AvgPool {
    /// The divisor of the window at `at`: the number of taps in the input, or in the input with its padding.
    fn divisor(&self, at: &[usize], x: &Shape) -> f64 {
        let count = |(a, window): (usize, &Window)| {
            let counts = |tap: &usize| match self.count_include_pad {
                true => window.at(at[a + 2], *tap) < x[a + 2] + window.before + window.after,
                false => window.element(at[a + 2], *tap, x[a + 2]).is_some(),
            };
            (0..window.kernel).filter(counts).count()
        };
        let taps: usize = self.spec.windows().iter().enumerate().map(count).product();
        taps.max(1) as f64
    }
}

impl Op for MaxPool {
    fn name(&self) -> &'static str {
        "max_pool"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let dtype = one_float_type(inputs)?;
        Ok((self.spec.result(inputs[0].shape())?, dtype))
    }
    fn grad(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        Ok(vec![Some(scatter(&self.spec, &inputs[0], g))])
    }
    fn reference(&self, inputs: &[RefValue], shape: &Shape, _: DType) -> Result<Data, OpError> {
        let x = inputs[0].floats();
        let winners = self.spec.winners(&inputs[0], shape).into_iter();
        Ok(Data::Float(winners.map(|place| place.map_or(f64::NEG_INFINITY, |i| x[i])).collect()))
    }
}

impl Op for MaxPoolGrad {
    fn name(&self) -> &'static str {
        "max_pool_grad"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let (x, g) = (&inputs[0], &inputs[1]);
        let dtype = one_float_type(inputs)?;
        check_cotangent(g.shape(), &self.spec.result(x.shape())?)?;
        Ok((x.shape().clone(), dtype))
    }
    fn grad(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        h: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        Ok(vec![None, Some(pick(&self.spec, &inputs[0], h))])
    }
    fn reference(&self, inputs: &[RefValue], shape: &Shape, _: DType) -> Result<Data, OpError> {
        let g = inputs[1].floats();
        let mut dx = vec![0.0; shape.numel()];
        let winners = self.spec.winners(&inputs[0], &inputs[1].shape);
        winners.iter().zip(g).for_each(|(place, g)| {
            if let Some(place) = place {
                dx[*place] += g;
            }
        });
        Ok(Data::Float(dx))
    }
}

impl Op for MaxPoolPick {
    fn name(&self) -> &'static str {
        "max_pool_pick"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let (x, h) = (&inputs[0], &inputs[1]);
        let dtype = one_float_type(inputs)?;
        if x.shape() != h.shape() {
            let (x, h) = (x.shape(), h.shape());
            return Err(OpError::shape(format!("both must have one shape, got {x} and {h}")));
        }
        Ok((self.spec.result(x.shape())?, dtype))
    }
    fn grad(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        Ok(vec![None, Some(scatter(&self.spec, &inputs[0], g))])
    }
    fn reference(&self, inputs: &[RefValue], shape: &Shape, _: DType) -> Result<Data, OpError> {
        let h = inputs[1].floats();
        let winners = self.spec.winners(&inputs[0], shape).into_iter();
        Ok(Data::Float(winners.map(|place| place.map_or(0.0, |i| h[i])).collect()))
    }
}

impl Op for AvgPool {
    fn name(&self) -> &'static str {
        "avg_pool"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let dtype = one_float_type(inputs)?;
        Ok((self.spec.result(inputs[0].shape())?, dtype))
    }
    fn grad(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        let op = AvgPoolGrad { pool: self.clone(), extents: inputs[0].shape()[2..].to_vec() };
        Ok(vec![Some(Tensor::from_op(op, std::slice::from_ref(g)))])
    }
    fn reference(&self, inputs: &[RefValue], shape: &Shape, _: DType) -> Result<Data, OpError> {
        let (x, from) = (inputs[0].floats(), &inputs[0].shape);
        let mean = |at: Vec<usize>| {
            let taps = self.spec.taps(&at, from);
            taps.iter().fold(0.0, |sum, &place| sum + x[place]) / self.divisor(&at, from)
        };
        Ok(Data::Float(shape.indices().map(mean).collect()))
    }
}

impl Op for AvgPoolGrad {
    fn name(&self) -> &'static str {
        "avg_pool_grad"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let g = &inputs[0];
        let dtype = one_float_type(inputs)?;
        check_rank("cotangent", g.shape(), self.pool.spec.spatial_axes())?;
        let x = Shape::from([&g.shape()[..2], &self.extents[..]].concat());
        check_cotangent(g.shape(), &self.pool.spec.result(&x)?)?;
        Ok((x, dtype))
    }
    fn grad(&self, _: &[Tensor], _: &Tensor, dx: &Tensor) -> Result<Vec<Option<Tensor>>, OpError> {
        Ok(vec![Some(Tensor::from_op(self.pool.clone(), std::slice::from_ref(dx)))])
    }
    fn reference(&self, inputs: &[RefValue], shape: &Shape, _: DType) -> Result<Data, OpError> {
        let mut dx = vec![0.0; shape.numel()];
        for (at, g) in inputs[0].shape.indices().zip(inputs[0].floats()) {
            let share = g / self.pool.divisor(&at, shape);
            self.pool.spec.taps(&at, shape).iter().for_each(|&place| dx[place] += share);
        }
        Ok(Data::Float(dx))
    }
}

fn scatter(spec: &PoolSpec, x: &Tensor, g: &Tensor) -> Tensor {
    Tensor::from_op(MaxPoolGrad { spec: spec.clone() }, &[x.clone(), g.clone()])
}

fn pick(spec: &PoolSpec, x: &Tensor, h: &Tensor) -> Tensor {
    Tensor::from_op(MaxPoolPick { spec: spec.clone() }, &[x.clone(), h.clone()])
}

impl Tensor {
    /// The greatest element of each window of `[N, C, D…]`, as `torch.nn.functional.max_pool2d`. Padding counts as −∞,
    /// NaN wins. The gradient goes to the first greatest element of a window.
    #[track_caller]
    pub fn max_pool(&self, spec: &PoolSpec) -> Tensor {
        Tensor::from_op(MaxPool { spec: spec.clone() }, std::slice::from_ref(self))
    }

    /// The mean of each window of `[N, C, D…]`, as `torch.nn.functional.avg_pool2d`: the sum of the window's elements
    /// divided by their number, in which those of the padding (but not those beyond it, which `ceil` may reach) are
    /// counted where `count_include_pad` says so (PyTorch's default).
    #[track_caller]
    pub fn avg_pool(&self, spec: &PoolSpec, count_include_pad: bool) -> Tensor {
        let op = AvgPool { spec: spec.clone(), count_include_pad };
        Tensor::from_op(op, std::slice::from_ref(self))
    }
}
