//! Reductions over any set of axes.

use crate::dtype::DType;
use crate::error::OpError;
use crate::op::{Class, Op};
use crate::ops::binary::Binary;
use crate::ops::source::bad_axis;
use crate::reference::{Data, RefValue};
use crate::shape::{Shape, resolve_axis};
use crate::tensor::Tensor;

/// What a reduction accumulates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReduceKind {
    /// Σ x; 0 over nothing.
    Sum,
    /// Π x; 1 over nothing.
    Prod,
    /// The greatest element; NaN where there is one.
    Max,
    /// The least element; NaN where there is one.
    Min,
    /// True where one is true; false over nothing.
    Any,
    /// True where all are true; true over nothing.
    All,
    /// The place of the first greatest element along one axis (the first NaN where there is one), as `i64`.
    ArgMax,
    /// The place of the first least element along one axis (the first NaN where there is one), as `i64`.
    ArgMin,
}

/// A reduction over `axes`, which the result no longer has.
#[derive(Clone, Debug)]
pub struct Reduce {
    /// What is accumulated.
    pub kind: ReduceKind,
    /// The reduced axes, sorted and unique.
    pub axes: Vec<usize>,
}

impl ReduceKind {
    /// Every kind, in a fixed order.
    pub const ALL: [ReduceKind; 8] = [
        ReduceKind::Sum,
        ReduceKind::Prod,
        ReduceKind::Max,
        ReduceKind::Min,
        ReduceKind::Any,
        ReduceKind::All,
        ReduceKind::ArgMax,
        ReduceKind::ArgMin,
    ];

    /// True for the kinds whose result is a place along an axis.
    pub fn is_arg(self) -> bool {
        matches!(self, ReduceKind::ArgMax | ReduceKind::ArgMin)
    }

    fn floats(self, row: &[f64]) -> f64 {
        match self {
            // Not `sum()`, which gives −0 over nothing.
            ReduceKind::Sum => row.iter().fold(0.0, |a, b| a + b),
            ReduceKind::Prod => row.iter().product(),
            ReduceKind::Max => row.iter().fold(row[0], |a, &b| Binary::Maximum.float(a, b)),
            ReduceKind::Min => row.iter().fold(row[0], |a, &b| Binary::Minimum.float(a, b)),
            _ => self.place(row, |x| x.is_nan()) as f64,
        }
    }

    fn ints(self, row: &[i64]) -> i64 {
        match self {
            ReduceKind::Sum => row.iter().fold(0, |a: i64, &b| a.wrapping_add(b)),
            ReduceKind::Prod => row.iter().fold(1, |a: i64, &b| a.wrapping_mul(b)),
            ReduceKind::Max => row.iter().fold(row[0], |a, &b| a.max(b)),
            ReduceKind::Min => row.iter().fold(row[0], |a, &b| a.min(b)),
            ReduceKind::Any => row.iter().any(|&x| x != 0) as i64,
            ReduceKind::All => row.iter().all(|&x| x != 0) as i64,
            ReduceKind::ArgMax | ReduceKind::ArgMin => self.place(row, |_| false) as i64,
        }
    }

    fn place<T: PartialOrd + Copy>(self, row: &[T], is_nan: impl Fn(T) -> bool) -> usize {
        let better = |a: T, b: T| if self == ReduceKind::ArgMax { a > b } else { a < b };
        let mut best = 0;
        for (i, &x) in row.iter().enumerate() {
            if !is_nan(row[best]) && (is_nan(x) || better(x, row[best])) {
                best = i;
            }
        }
        best
    }
}

impl Op for Reduce {
    fn name(&self) -> &'static str {
        match self.kind {
            ReduceKind::Sum => "sum",
            ReduceKind::Prod => "prod",
            ReduceKind::Max => "max",
            ReduceKind::Min => "min",
            ReduceKind::Any => "any",
            ReduceKind::All => "all",
            ReduceKind::ArgMax => "argmax",
            ReduceKind::ArgMin => "argmin",
        }
    }

    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        let x = &inputs[0];
        let wants_bool = matches!(self.kind, ReduceKind::Any | ReduceKind::All);
        if wants_bool != (x.dtype() == DType::Bool) {
            let want = if wants_bool { "bool" } else { "a number type" };
            return Err(OpError::dtype(format!("expects {want}, got {}{}", x.dtype(), x.shape()))
                .hint("convert with cast(…) first"));
        }
        let needs_one = !wants_bool && !matches!(self.kind, ReduceKind::Sum | ReduceKind::Prod);
        let empty = self.axes.iter().find(|&&axis| x.shape()[axis] == 0);
        if let (true, Some(axis)) = (needs_one, empty) {
            let shape = x.shape();
            return Err(OpError::shape(format!("axis {axis} of {shape} has no element to choose")));
        }
        let dtype = if self.kind.is_arg() { DType::I64 } else { x.dtype() };
        Ok((x.shape().reduced(&self.axes, false), dtype))
    }

    fn grad(
        &self,
        inputs: &[Tensor],
        y: &Tensor,
        g: &Tensor,
    ) -> Result<Vec<Option<Tensor>>, OpError> {
        let x = &inputs[0];
        let kept = x.shape().reduced(&self.axes, true);
        let spread = |t: &Tensor| t.reshape(&kept).broadcast_to(x.shape());
        Ok(vec![match self.kind {
            ReduceKind::Sum => Some(spread(g)),
            ReduceKind::Max | ReduceKind::Min => {
                // Ties share the cotangent evenly.
                let wins = x.equal(&spread(y)).cast(g.dtype());
                let count = Tensor::from_op(
                    Reduce { kind: ReduceKind::Sum, axes: self.axes.clone() },
                    std::slice::from_ref(&wins),
                );
                Some(spread(&(g / count)) * wins)
            }
            ReduceKind::Prod => Some(spread(g) * products_of_others(x, &self.axes)),
            _ => None,
        }])
    }

    fn reference(&self, inputs: &[RefValue], shape: &Shape, _: DType) -> Result<Data, OpError> {
        let x = &inputs[0];
        let strides = x.shape.strides();
        let kept: Vec<usize> = (0..x.shape.rank()).filter(|a| !self.axes.contains(a)).collect();
        let inner = Shape::from(self.axes.iter().map(|&a| x.shape[a]).collect::<Vec<_>>());
        let at = |axes: &[usize], index: &[usize]| -> usize {
            axes.iter().zip(index).map(|(&a, &i)| i * strides[a] as usize).sum()
        };
        let rows = shape.indices().map(|outer| -> Vec<usize> {
            inner.indices().map(|i| at(&kept, &outer) + at(&self.axes, &i)).collect()
        });
        Ok(match &x.data {
            Data::Float(x) => {
                let reduced = rows
                    .map(|row| self.kind.floats(&row.iter().map(|&i| x[i]).collect::<Vec<_>>()));
                match self.kind.is_arg() {
                    true => Data::Int(reduced.map(|i| i as i64).collect()),
                    false => Data::Float(reduced.collect()),
                }
            }
            Data::Int(x) => Data::Int(
                rows.map(|row| self.kind.ints(&row.iter().map(|&i| x[i]).collect::<Vec<_>>()))
                    .collect(),
            ),
        })
    }

    fn class(&self) -> Class<'_> {
        Class::Reduce { kind: self.kind, axes: &self.axes }
    }
}

/// For each element the product of all *others* along `axes`: right with zeros among them, at any order of
/// differentiation, at the price of n² elements for a reduction of n.
fn products_of_others(x: &Tensor, axes: &[usize]) -> Tensor {
    let rank = x.rank();
    let kept: Vec<usize> = (0..rank).filter(|a| !axes.contains(a)).collect();
    let order: Vec<isize> = kept.iter().chain(axes).map(|&a| a as isize).collect();
    let count: usize = axes.iter().map(|&a| x.shape()[a]).product();
    let mut rows: Vec<usize> = kept.iter().map(|&a| x.shape()[a]).collect();
    let moved = x.permute(&order);
    rows.extend([1, count]);
    let row = moved.reshape(rows.clone());
    let mut square = rows;
    square[kept.len()] = count;
    let (i, j) = (Tensor::iota(DType::I64, &square, -2), Tensor::iota(DType::I64, &square, -1));
    let row = row.broadcast_to(&square);
    let others = Tensor::select(&i.equal(&j), &Tensor::full_like(&row, 1.0), &row).prod(&[-1]);
    let mut back = vec![0isize; rank];
    for (place, &axis) in order.iter().enumerate() {
        back[axis as usize] = place as isize;
    }
    others.reshape(moved.shape()).permute(&back)
}

impl Tensor {
    /// Resolves axes (negative count from the end) into a sorted list; a repeated or missing axis is an error.
    pub(crate) fn axes(&self, axes: &[isize]) -> Result<Vec<usize>, OpError> {
        let rank = self.rank();
        let mut resolved = Vec::with_capacity(axes.len());
        for &axis in axes {
            let found = resolve_axis(axis, rank).ok_or_else(|| bad_axis(axis, rank))?;
            if resolved.contains(&found) {
                return Err(OpError::argument(format!("axis {axis} is named twice in {axes:?}"))
                    .hint("name each axis once; -1 is the same axis as the last"));
            }
            resolved.push(found);
        }
        resolved.sort_unstable();
        Ok(resolved)
    }

    #[track_caller]
    fn reduce(&self, kind: ReduceKind, axes: &[isize]) -> Tensor {
        if self.error().is_some() {
            return self.clone();
        }
        let name = Reduce { kind, axes: vec![] }.name();
        match self.axes(axes) {
            Ok(axes) => Tensor::from_op(Reduce { kind, axes }, std::slice::from_ref(self)),
            Err(error) => Tensor::poison(name, error),
        }
    }

    /// Every axis, for the reductions: `x.sum(&x.all_axes())`.
    pub fn all_axes(&self) -> Vec<isize> {
        (0..self.rank() as isize).collect()
    }

    /// Puts the axes `axes` back with extent 1 into this result of reducing `source` over them.
    #[track_caller]
    pub fn keepdim(&self, source: &Tensor, axes: &[isize]) -> Tensor {
        match source.axes(axes) {
            Ok(axes) => self.reshape(source.shape().reduced(&axes, true)),
            Err(error) => Tensor::poison("keepdim", error),
        }
    }

    /// Σ x over `axes` as one scalar.
    #[track_caller]
    pub fn sum_all(&self) -> Tensor {
        self.sum(&self.all_axes())
    }

    /// The mean of all elements.
    #[track_caller]
    pub fn mean_all(&self) -> Tensor {
        self.mean(&self.all_axes())
    }

    /// (1/n) Σ x over `axes`, n being the number of elements reduced; NaN over nothing.
    #[track_caller]
    pub fn mean(&self, axes: &[isize]) -> Tensor {
        let sum = self.sum(axes);
        if sum.error().is_some() {
            return sum;
        }
        let count: usize = axes.iter().map(|&axis| self.dim(axis)).product();
        sum / count as f64
    }

    /// The biased variance over `axes`, (1/n) Σ (x − mean)², by two passes.
    #[track_caller]
    pub fn var(&self, axes: &[isize]) -> Tensor {
        let centred = self - self.mean(axes).keepdim(self, axes);
        (&centred * &centred).mean(axes)
    }

    /// The place of the first greatest element along `axis`, as `i64`; a NaN counts as the greatest.
    #[track_caller]
    pub fn argmax(&self, axis: isize) -> Tensor {
        self.reduce(ReduceKind::ArgMax, &[axis])
    }

    /// The place of the first least element along `axis`, as `i64`; a NaN counts as the least.
    #[track_caller]
    pub fn argmin(&self, axis: isize) -> Tensor {
        self.reduce(ReduceKind::ArgMin, &[axis])
    }
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident = $kind:ident;)*) => {
        impl Tensor {
            $($(#[$doc])*
            #[track_caller]
            pub fn $name(&self, axes: &[isize]) -> Tensor {
                self.reduce(ReduceKind::$kind, axes)
            })*
        }
    };
}

methods! {
    /// Σ x over `axes`, which the result no longer has; 0 over nothing.
    sum = Sum;
    /// Π x over `axes`; 1 over nothing. The gradient is right with zeros among the elements.
    prod = Prod;
    /// The greatest element over `axes`; NaN where there is one. Ties split the gradient evenly.
    max = Max;
    /// The least element over `axes`; NaN where there is one. Ties split the gradient evenly.
    min = Min;
    /// True where an element over `axes` is true.
    any = Any;
    /// True where all elements over `axes` are true.
    all = All;
}
