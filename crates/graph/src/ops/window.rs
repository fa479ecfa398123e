//! A window that slides along one axis: where its taps lie. Shared by convolution and pooling.

use crate::dtype::DType;
use crate::error::OpError;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// A window of `kernel` taps, `dilation` apart, that starts `before` elements outside and moves by `stride`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The number of taps.
    pub kernel: usize,
    /// The distance between two places of the window.
    pub stride: usize,
    /// Elements of padding before the first element.
    pub before: usize,
    /// Elements of padding after the last one.
    pub after: usize,
    /// The distance between two taps.
    pub dilation: usize,
}

impl Window {
    /// The elements from the first to the last tap, `dilation·(kernel − 1) + 1`; `None` where it overflows.
    pub fn span(&self) -> Option<usize> {
        self.kernel.checked_sub(1)?.checked_mul(self.dilation)?.checked_add(1)
    }

    /// The extent with its padding; `None` where it overflows.
    pub fn padded(&self, extent: usize) -> Option<usize> {
        extent.checked_add(self.before)?.checked_add(self.after)
    }

    /// The number of places of the window along `extent` elements: `⌊(padded − span) / stride⌋ + 1`. With `ceil` it
    /// is rounded up, unless the last window would start in the padding after the last element. `None` where the
    /// window does not fit.
    pub fn places(&self, extent: usize, ceil: bool) -> Option<usize> {
        let (padded, span) = (self.padded(extent)?, self.span()?);
        if !ceil {
            return Some(padded.checked_sub(span)?.checked_div(self.stride)? + 1);
        }
        let reach = padded.checked_add(self.stride.checked_sub(1)?)?.checked_sub(span)?;
        let places = reach.checked_div(self.stride)? + 1;
        let late = (places - 1) * self.stride >= extent + self.before;
        Some(if late { places - 1 } else { places }).filter(|&n| n > 0)
    }

    /// Where `tap` of the window at `place` lies, counted from the start of the padding.
    pub fn at(&self, place: usize, tap: usize) -> usize {
        place.saturating_mul(self.stride).saturating_add(tap * self.dilation)
    }

    /// The element under `tap` of the window at `place`; `None` in the padding.
    pub fn element(&self, place: usize, tap: usize, extent: usize) -> Option<usize> {
        let element = self.at(place, tap).checked_sub(self.before)?;
        (element < extent).then_some(element)
    }

    /// What is wrong with the window's own numbers, for the spatial axis `axis` of the input.
    pub fn check(&self, axis: usize) -> Result<(), OpError> {
        for (what, number) in
            [("kernel", self.kernel), ("stride", self.stride), ("dilation", self.dilation)]
        {
            if number == 0 {
                return Err(OpError::argument(format!(
                    "the {what} of axis {axis} must be at least 1, got 0"
                )));
            }
        }
        Ok(())
    }

    /// [`Window::places`], or what does not fit along axis `axis` of an input of `shape`.
    pub fn places_in(&self, shape: &Shape, axis: usize, ceil: bool) -> Result<usize, OpError> {
        self.check(axis)?;
        let extent = shape[axis];
        self.places(extent, ceil).ok_or_else(|| {
            let Window { kernel, dilation, before, after, .. } = self;
            let number = |n: Option<usize>| n.map_or("too many".to_owned(), |n| n.to_string());
            let (span, padded) = (number(self.span()), number(self.padded(extent)));
            OpError::shape(format!(
                "axis {axis} of {shape}: a kernel of {kernel} with dilation {dilation} covers {span} \
                 elements, got {padded} ({extent} with padding {before} + {after})"
            ))
            .hint("use a smaller kernel or dilation, or more padding")
        })
    }
}

/// Window ops take float tensors of one type.
pub(crate) fn one_float_type(inputs: &[Tensor]) -> Result<DType, OpError> {
    let first = inputs.first().map_or(DType::F32, Tensor::dtype);
    let other = inputs.iter().map(Tensor::dtype).find(|&dtype| dtype != first || !dtype.is_float());
    match other {
        None => Ok(first),
        Some(_) => {
            let types: Vec<&str> = inputs.iter().map(|x| x.dtype().name()).collect();
            Err(OpError::dtype(format!(
                "expects float tensors of one type, got {}",
                types.join(" and ")
            ))
            .hint("convert with cast(…) first"))
        }
    }
}

/// A cotangent must have the shape of the result.
pub(crate) fn check_cotangent(g: &Shape, result: &Shape) -> Result<(), OpError> {
    match result == g {
        true => Ok(()),
        false => Err(OpError::shape(format!("the result has shape {result}, its cotangent {g}"))),
    }
}

/// The input of a window op must have a batch and a channel axis before its spatial ones.
pub(crate) fn check_rank(what: &str, shape: &Shape, spatial: usize) -> Result<(), OpError> {
    if !(1..=3).contains(&spatial) {
        return Err(OpError::argument(format!("expects 1 to 3 spatial axes, got {spatial}")));
    }
    if shape.rank() == spatial + 2 {
        return Ok(());
    }
    let form = ["[N, C, L]", "[N, C, H, W]", "[N, C, D, H, W]"][spatial - 1];
    let error = OpError::shape(format!(
        "the {what} must have rank {}, {form} for {spatial} spatial axes, got {shape}",
        spatial + 2
    ));
    Err(error.hint("add missing axes with unsqueeze(…)"))
}

/// Every list of a specification must have one number per spatial axis.
pub(crate) fn check_lengths(lists: &[(&str, usize)], spatial: usize) -> Result<(), OpError> {
    match lists.iter().find(|(_, len)| *len != spatial) {
        Some((what, len)) => Err(OpError::argument(format!(
            "the {what} needs one number for each of {spatial} spatial axes, got {len}"
        ))),
        None => Ok(()),
    }
}
