//! A learned vector for each of a number of things.

use std::sync::Arc;

use thalweg_graph::{DType, Layer, OpError, Tensor};

use crate::init::Init;
use crate::layers::{forward_in, needs_one, origin};
use crate::param::Param;
use crate::{Forward, Module};

/// The row of a table that each id names.
///
/// Shapes: ids `i64` of any shape `[…] → […, dim]`. Parameter, as PyTorch's: `weight` `[num, dim]`, N(0, 1) at first.
/// With a padding index, that row begins at zero and gets no gradient. Errors: a size of 0, a padding
/// index or an input that does not fit; at run time, an id outside `0..num`, named with its place.
///
/// ```
/// use thalweg_graph::{Reference, Tensor};
/// use thalweg_nn::{Embedding, Forward, Store};
/// let words = Embedding::new(1000, 16).padding_idx(0);
/// let mut store = Store::new(0);
/// store.bind(&words)?;
/// let y = words.forward(&Tensor::new(&[5i64, 0, 5], [1, 3]));
/// let y = &Reference::new().evaluate(&[y], &[], &store)?[0];
/// assert_eq!(y.shape.dims(), [1, 3, 16]);
/// assert_eq!(y.floats()[16..32], [0.0; 16]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Module)]
pub struct Embedding {
    #[module(flatten)]
    layer: Arc<Layer>,
    weight: Param,
    #[module(skip)]
    init: Init,
    #[module(skip)]
    padding: Option<usize>,
}

impl Embedding {
    /// A table of `num` rows of `dim` numbers.
    #[track_caller]
    pub fn new(num: usize, dim: usize) -> Embedding {
        Embedding::initialised(num, dim, Init::Normal { mean: 0.0, std: 1.0 })
    }

    /// A table that begins as told.
    #[track_caller]
    pub fn initialised(num: usize, dim: usize, init: Init) -> Embedding {
        let table = Embedding::from_param(Param::new("weight", [num, dim], init.clone()));
        Embedding { init, ..table }
    }

    /// A table that is shared with whoever else holds it, such as an output layer: `weight` is `[num, dim]`.
    #[track_caller]
    pub fn from_param(weight: Param) -> Embedding {
        let kind = match weight.shape().dims() {
            [num, dim] => format!("Embedding {num} → {dim}"),
            _ => format!("Embedding with weight {}", weight.shape()),
        };
        let init = Init::Normal { mean: 0.0, std: 1.0 };
        Embedding { layer: Layer::new(kind), weight, init, padding: None }
    }

    /// Lets row `index` stand for nothing: it begins at zero and is not trained. It makes the table anew, so it
    /// comes before the table is shared or bound.
    #[track_caller]
    pub fn padding_idx(mut self, index: usize) -> Embedding {
        let init = self.init.clone();
        self.weight = Param::with_zero_row("weight", self.weight.shape(), init, index);
        self.padding = Some(index);
        self
    }

    /// `[num, dim]`.
    pub fn weight(&self) -> &Param {
        &self.weight
    }

    fn check(&self, ids: &Tensor) -> Result<(), OpError> {
        let &[num, dim] = self.weight.shape().dims() else {
            let shape = self.weight.shape();
            return Err(OpError::shape(format!("the weight must be [num, dim], got {shape}")));
        };
        if num == 0 || dim == 0 {
            return Err(needs_one(if num == 0 { "num" } else { "dim" }));
        }
        if let Some(index) = self.padding.filter(|&index| index >= num) {
            let what = format!("the padding index must be below {num}, got {index}");
            return Err(OpError::argument(what).hint("it names one of the table's rows"));
        }
        if ids.dtype() != DType::I64 {
            let what =
                format!("expects i64 ids, got {}{}{}", ids.dtype(), ids.shape(), origin(ids));
            return Err(OpError::dtype(what).hint("convert with cast(DType::I64) first"));
        }
        Ok(())
    }

    fn look_up(&self, ids: &Tensor) -> Tensor {
        let num = self.weight.shape()[0] as i64;
        let ids = ids.check_range(0, num, "id");
        let rows = self.weight.tensor().index_select(0, &ids);
        match self.padding {
            Some(index) => {
                let pads = ids.equal(&Tensor::full_like(&ids, index as f64)).unsqueeze(-1);
                Tensor::select(&pads, &rows.detach(), &rows)
            }
            None => rows,
        }
    }
}

impl Forward for Embedding {
    fn forward(&self, ids: &Tensor) -> Tensor {
        forward_in(&self.layer, ids, || self.check(ids), || self.look_up(ids))
    }
}
