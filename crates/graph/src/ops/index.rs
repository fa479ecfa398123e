//! Elements chosen by an index that is known only at run time, and their transposes.
//!
//! Two pairs, each closed under differentiation: [`IndexSelect`] and [`IndexAdd`] move whole rows,
//! [`Gather`] and [`ScatterAdd`] single elements. Indices are `i64`; one outside its axis, a negative one
//! included, is an [`ErrorKind::Value`](crate::ErrorKind::Value) error at run time.

use crate::dtype::DType;
use crate::error::OpError;
use crate::op::Op;
use crate::ops::source::bad_axis;
use crate::reference::{Data, RefValue};
use crate::shape::{Shape, resolve_axis};
use crate::tensor::Tensor;

/// `(x, ids)`: axis `axis` of `x` is replaced by the axes of `ids`, each id standing for the row it names.
#[derive(Clone, Debug)]
pub struct IndexSelect {
    /// The axis that ids count along.
    pub axis: usize,
}

/// `(x, ids, src)`: `x` with the rows of `src` added to the rows that `ids` name.
#[derive(Clone, Debug)]
pub struct IndexAdd {
    /// The axis that ids count along.
    pub axis: usize,
}

/// `(x, index)`: element `[i, j, k]` is `x[i, index[i, j, k], k]` for axis 1.
#[derive(Clone, Debug)]
pub struct Gather {
    /// The axis that the index counts along.
    pub axis: usize,
}

/// `(x, index, src)`: `x` with `src[i, j, k]` added to its element `[i, index[i, j, k], k]` for axis 1.
#[derive(Clone, Debug)]
pub struct ScatterAdd {
    /// The axis that the index counts along.
    pub axis: usize,
}

/// Integers that must lie in `lo..hi`.
#[derive(Clone, Debug)]
pub struct CheckRange {
    /// The least allowed value.
    pub lo: i64,
    /// One more than the greatest allowed value.
    pub hi: i64,
    /// What a value is, in messages: `label`.
    pub what: String,
}

/// The error of `value`, met at `place` (a row-major position in `shape`), outside `lo..hi`.
pub fn out_of_range(
    what: &str,
    value: i64,
    place: usize,
    shape: &Shape,
    lo: i64,
    hi: i64,
) -> OpError {
    let index: Vec<usize> = (shape.strides().iter().zip(shape.iter()))
        .map(|(&stride, &extent)| place / stride as usize % extent.max(1))
        .collect();
    let error = OpError::value(format!("{what} {value} at {index:?} is outside {lo}..{hi}"));
    match value < 0 && lo >= 0 {
        true => error.hint("negative values do not count from the end here"),
        false => error,
    }
}

fn check(what: &str, ids: &RefValue, lo: i64, hi: i64) -> Result<Vec<usize>, OpError> {
    let values = ids.ints();
    match values.iter().position(|value| !(lo..hi).contains(value)) {
        Some(place) => Err(out_of_range(what, values[place], place, &ids.shape, lo, hi)),
        None => Ok(values.into_iter().map(|value| value as usize).collect()),
    }
}

fn must_be_i64(what: &str, index: &Tensor) -> Result<(), OpError> {
    match index.dtype() {
        DType::I64 => Ok(()),
        other => Err(OpError::dtype(format!("the {what} must be i64, got {other}"))
            .hint("convert with cast(DType::I64) first")),
    }
}

fn must_add(x: &Tensor, src: &Tensor) -> Result<(), OpError> {
    if x.dtype() == DType::Bool || x.dtype() != src.dtype() {
        let (a, b) = (x.dtype(), src.dtype());
        return Err(OpError::dtype(format!("adds numbers of one type, got {a} and {b}"))
            .hint("convert one of them with cast(…)"));
    }
    Ok(())
}

fn selected(x: &Shape, ids: &Shape, axis: usize) -> Shape {
    [&x[..axis], ids.dims(), &x[axis + 1..]].concat().into()
}

/// The places in `x` of the elements that a selection by `ids` along `axis` shows, in row-major order.
fn rows<'a>(x: &Shape, ids: &'a [usize], axis: usize) -> impl Iterator<Item = usize> + 'a {
    let outer: usize = x[..axis].iter().product();
    let inner: usize = x[axis + 1..].iter().product();
    let extent = x[axis];
    (0..outer).flat_map(move |o| {
        ids.iter().flat_map(move |&id| (0..inner).map(move |i| (o * extent + id) * inner + i))
    })
}

/// The places in `x` of the elements that a gather by `ids` (of shape `index`) along `axis` shows.
fn cells(x: &Shape, index: &Shape, ids: &[usize], axis: usize) -> Vec<usize> {
    let strides = x.strides();
    (index.indices().zip(ids))
        .map(|(mut at, &id)| {
            at[axis] = id;
            at.iter().zip(&strides).map(|(&i, &s)| i * s as usize).sum()
        })
        .collect()
}

/// `x` with `src` added at `places`, one after the other.
fn add_at(x: &RefValue, src: &RefValue, places: impl Iterator<Item = usize>) -> Data {
    match (&x.data, &src.data) {
        (Data::Float(x), Data::Float(src)) => {
            let mut out = x.clone();
            places.zip(src).for_each(|(place, &s)| out[place] += s);
            Data::Float(out)
        }
        _ => {
            let mut out = x.ints();
            places.zip(src.ints()).for_each(|(place, s)| out[place] = out[place].wrapping_add(s));
            Data::Int(out)
        }
    }
}

impl Op for IndexSelect {
    fn name(&self) -> &'static str {
        "index_select"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        must_be_i64("ids", &inputs[1])?;
        Ok((selected(inputs[0].shape(), inputs[1].shape(), self.axis), inputs[0].dtype()))
    }
    fn grad(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        let (axis, zeros) = (self.axis as isize, inputs[0].zeros_like());
        Ok(vec![Some(zeros.index_add(axis, &inputs[1], g)), None])
    }
    fn reference(&self, inputs: &[RefValue], _: &Shape, _: DType) -> Result<Data, OpError> {
        let x = &inputs[0];
        let ids = check("index", &inputs[1], 0, x.shape[self.axis] as i64)?;
        Ok(x.data.pick(rows(&x.shape, &ids, self.axis)))
    }
}

impl Op for IndexAdd {
    fn name(&self) -> &'static str {
        "index_add"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let (x, ids, src) = (&inputs[0], &inputs[1], &inputs[2]);
        must_be_i64("ids", ids)?;
        must_add(x, src)?;
        let want = selected(x.shape(), ids.shape(), self.axis);
        if *src.shape() != want {
            let (x, ids, src) = (x.shape(), ids.shape(), src.shape());
            return Err(OpError::shape(format!(
                "adding rows at ids {ids} of axis {} of {x} takes {want}, got {src}",
                self.axis
            )));
        }
        Ok((x.shape().clone(), x.dtype()))
    }
    fn grad(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        let rows = g.index_select(self.axis as isize, &inputs[1]);
        Ok(vec![Some(g.clone()), None, Some(rows)])
    }
    fn reference(&self, inputs: &[RefValue], _: &Shape, _: DType) -> Result<Data, OpError> {
        let x = &inputs[0];
        let ids = check("index", &inputs[1], 0, x.shape[self.axis] as i64)?;
        Ok(add_at(x, &inputs[2], rows(&x.shape, &ids, self.axis)))
    }
}

fn index_fits(x: &Tensor, index: &Tensor, axis: usize) -> Result<(), OpError> {
    must_be_i64("index", index)?;
    let (shape, at) = (x.shape(), index.shape());
    let fits = shape.rank() == at.rank() && (0..at.rank()).all(|a| a == axis || at[a] <= shape[a]);
    match fits {
        true => Ok(()),
        false => Err(OpError::shape(format!(
            "an index into {shape} must have its rank and, but for axis {axis}, no greater extents, got {at}"
        ))),
    }
}

impl Op for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        index_fits(&inputs[0], &inputs[1], self.axis)?;
        Ok((inputs[1].shape().clone(), inputs[0].dtype()))
    }
    fn grad(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        let (axis, zeros) = (self.axis as isize, inputs[0].zeros_like());
        Ok(vec![Some(zeros.scatter_add(axis, &inputs[1], g)), None])
    }
    fn reference(&self, inputs: &[RefValue], shape: &Shape, _: DType) -> Result<Data, OpError> {
        let x = &inputs[0];
        let ids = check("index", &inputs[1], 0, x.shape[self.axis] as i64)?;
        Ok(x.data.pick(cells(&x.shape, shape, &ids, self.axis).into_iter()))
    }
}

impl Op for ScatterAdd {
    fn name(&self) -> &'static str {
        "scatter_add"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let (x, index, src) = (&inputs[0], &inputs[1], &inputs[2]);
        index_fits(x, index, self.axis)?;
        must_add(x, src)?;
        if index.shape() != src.shape() {
            let (index, src) = (index.shape(), src.shape());
            return Err(OpError::shape(format!("index {index} and source {src} differ")));
        }
        Ok((x.shape().clone(), x.dtype()))
    }
    fn grad(
        &self,
        inputs: &[Tensor],
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        let cells = g.gather(self.axis as isize, &inputs[1]);
        Ok(vec![Some(g.clone()), None, Some(cells)])
    }
    fn reference(&self, inputs: &[RefValue], _: &Shape, _: DType) -> Result<Data, OpError> {
        let (x, index) = (&inputs[0], &inputs[1]);
        let ids = check("index", index, 0, x.shape[self.axis] as i64)?;
        let places = cells(&x.shape, &index.shape, &ids, self.axis);
        Ok(add_at(x, &inputs[2], places.into_iter()))
    }
}

impl Op for CheckRange {
    fn name(&self) -> &'static str {
        "check_range"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        must_be_i64(&self.what, &inputs[0])?;
        Ok((inputs[0].shape().clone(), DType::I64))
    }
    fn reference(&self, inputs: &[RefValue], _: &Shape, _: DType) -> Result<Data, OpError> {
        check(&self.what, &inputs[0], self.lo, self.hi)?;
        Ok(inputs[0].data.clone())
    }
}

impl Tensor {
    /// The axis `axis` of this tensor, or the poisoned tensor to return where there is none or where an operand is
    /// poisoned.
    #[track_caller]
    pub(crate) fn axis_or_poison(
        &self,
        name: &str,
        axis: isize,
        others: &[&Tensor],
    ) -> Result<usize, Tensor> {
        let mut operands = std::iter::once(self).chain(others.iter().copied());
        match (operands.find(|t| t.error().is_some()), resolve_axis(axis, self.rank())) {
            (Some(poisoned), _) => Err(poisoned.clone()),
            (None, Some(axis)) => Ok(axis),
            (None, None) => Err(Tensor::poison(name, bad_axis(axis, self.rank()))),
        }
    }

    /// The rows that `ids` (`i64`, any shape) name along `axis`: the result has the shape of `self` with `axis`
    /// replaced by the axes of `ids`. With axis 0 and a matrix this is an embedding look-up. An id outside
    /// `0..extent` is an error at run time. The gradient is [`Tensor::index_add`].
    #[track_caller]
    pub fn index_select(&self, axis: isize, ids: &Tensor) -> Tensor {
        match self.axis_or_poison("index_select", axis, &[ids]) {
            Ok(axis) => Tensor::from_op(IndexSelect { axis }, &[self.clone(), ids.clone()]),
            Err(poisoned) => poisoned,
        }
    }

    /// This tensor with the rows of `src` added to the rows that `ids` name along `axis`; rows named several times
    /// get the sum, added in the order of `ids`. `src` has the shape that [`Tensor::index_select`] gives.
    #[track_caller]
    pub fn index_add(&self, axis: isize, ids: &Tensor, src: &Tensor) -> Tensor {
        match self.axis_or_poison("index_add", axis, &[ids, src]) {
            Ok(axis) => {
                Tensor::from_op(IndexAdd { axis }, &[self.clone(), ids.clone(), src.clone()])
            }
            Err(poisoned) => poisoned,
        }
    }

    /// As `torch.gather`: for axis 1, element `[i, j, k]` is `self[i, index[i, j, k], k]`. `index` is `i64`, of the
    /// same rank and, but for `axis`, of no greater extents. The gradient is [`Tensor::scatter_add`].
    #[track_caller]
    pub fn gather(&self, axis: isize, index: &Tensor) -> Tensor {
        match self.axis_or_poison("gather", axis, &[index]) {
            Ok(axis) => Tensor::from_op(Gather { axis }, &[self.clone(), index.clone()]),
            Err(poisoned) => poisoned,
        }
    }

    /// [`Tensor::gather`] under NumPy's name, `take_along_axis`.
    #[track_caller]
    pub fn take_along(&self, axis: isize, index: &Tensor) -> Tensor {
        self.gather(axis, index)
    }

    /// As `torch.scatter_add`: for axis 1, this tensor with `src[i, j, k]` added to element
    /// `[i, index[i, j, k], k]`; elements named several times get the sum, added in row-major order of the index.
    #[track_caller]
    pub fn scatter_add(&self, axis: isize, index: &Tensor, src: &Tensor) -> Tensor {
        match self.axis_or_poison("scatter_add", axis, &[index, src]) {
            Ok(axis) => {
                Tensor::from_op(ScatterAdd { axis }, &[self.clone(), index.clone(), src.clone()])
            }
            Err(poisoned) => poisoned,
        }
    }

    /// A new last axis of `classes` elements, 1 at the label and 0 elsewhere. A label outside `0..classes` gives
    /// all zeros; put [`Tensor::check_range`] before it where that is a mistake.
    #[track_caller]
    pub fn one_hot(&self, classes: usize, dtype: DType) -> Tensor {
        if self.error().is_some() {
            return self.clone();
        }
        if !self.dtype().is_int() {
            let error = OpError::dtype(format!("labels must be integers, got {}", self.dtype()));
            return Tensor::poison("one_hot", error.hint("convert with cast(DType::I64) first"));
        }
        let mut shape = self.shape().to_vec();
        shape.push(classes);
        let class = Tensor::iota(DType::I64, shape, -1);
        class.equal(&self.cast(DType::I64).unsqueeze(-1)).cast(dtype)
    }

    /// The same integers (`i64`), where each lies in `lo..hi`; else an error at run time that names the first one
    /// that does not as `what`, with its place.
    #[track_caller]
    pub fn check_range(&self, lo: i64, hi: i64, what: &str) -> Tensor {
        let op = CheckRange { lo, hi, what: what.to_owned() };
        Tensor::from_op(op, std::slice::from_ref(self))
    }
}
