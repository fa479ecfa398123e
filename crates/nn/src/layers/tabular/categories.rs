//! Vectors for the values of several category columns at once.

use std::sync::Arc;

use thalweg_graph::{DType, Layer, OpError, Tensor};

use crate::init::Init;
use crate::layers::{Embedding, checked, origin};
use crate::{Forward, Module};

/// Category columns of different sizes, each as numbers, one after the other: a column with `dim` 0 as the one-hot
/// vector of its `size` ids, any other as a learned vector of `dim` numbers (entity embeddings, [Guo and Berkhahn
/// 2016](https://arxiv.org/abs/1604.06737)).
///
/// Shapes: ids `i64` `[N, columns] → [N, Σ (dim or size)]`. Parameters: `tables.I.weight` `[size, dim]` for the I-th
/// column that has vectors, N(0, 1/dim) at first, so that a vector is about as long as a one-hot one. Errors: an input
/// of another shape or type, no columns, a size of 0; at run time, an id outside its column's `0..size`.
///
/// ```
/// use thalweg_graph::Tensor;
/// use thalweg_nn::{Categories, Forward};
/// let layer = Categories::new(&[3, 1000], &[0, 16]);
/// assert_eq!(layer.forward(&Tensor::new(&[2i64, 999], [1, 2])).shape().dims(), [1, 3 + 16]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct Categories {
    #[module(flatten)]
    layer: Arc<Layer>,
    tables: Vec<Embedding>,
    #[module(skip)]
    columns: Vec<Column>,
}

/// What becomes of a column.
#[derive(Clone, Copy, Debug)]
enum Column {
    OneHot(usize),
    /// Its place in the tables.
    Vectors(usize),
}

impl Categories {
    /// For each column how many ids it has, and how long its vectors are; 0 for one-hot. A length that is missing is 0.
    #[track_caller]
    pub fn new(sizes: &[usize], dims: &[usize]) -> Categories {
        let mut tables = vec![];
        let mut columns = vec![];
        for (column, &size) in sizes.iter().enumerate() {
            columns.push(match dims.get(column).copied().unwrap_or(0) {
                0 => Column::OneHot(size),
                dim => {
                    let init = Init::Normal { mean: 0.0, std: 1.0 / (dim as f64).sqrt() };
                    tables.push(Embedding::initialised(size, dim, init));
                    Column::Vectors(tables.len() - 1)
                }
            });
        }
        let layer = Layer::new(format!("Categories {sizes:?}"));
        Categories { layer, tables, columns }
    }

    fn check(&self, ids: &Tensor) -> Result<(), OpError> {
        let (columns, dtype, shape) = (self.columns.len(), ids.dtype(), ids.shape());
        if dtype != DType::I64 {
            let what = format!("expects i64 ids, got {dtype}{shape}{}", origin(ids));
            return Err(OpError::dtype(what).hint("convert with cast(DType::I64) first"));
        }
        if columns == 0 || self.columns.iter().any(|column| matches!(column, Column::OneHot(0))) {
            return Err(OpError::argument("there must be columns, each with at least one id")
                .hint("leave the layer out where there are no categories"));
        }
        if ids.rank() != 2 || ids.dim(1) != columns {
            let what = format!("the ids must be [N, {columns}], got {shape}{}", origin(ids));
            return Err(OpError::shape(what).hint("one id for each column"));
        }
        Ok(())
    }
}

impl Forward for Categories {
    fn forward(&self, ids: &Tensor) -> Tensor {
        checked(
            &self.layer,
            ids,
            || self.check(ids),
            |()| {
                let parts = self.columns.iter().enumerate().map(|(place, column)| {
                    let ids = ids.narrow(1, place, 1).squeeze(1);
                    match *column {
                        Column::OneHot(size) => {
                            ids.check_range(0, size as i64, "id").one_hot(size, DType::F32)
                        }
                        Column::Vectors(table) => self.tables[table].forward(&ids),
                    }
                });
                Tensor::concat(&parts.collect::<Vec<_>>(), 1)
            },
        )
    }
}
