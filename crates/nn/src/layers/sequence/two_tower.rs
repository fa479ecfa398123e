//! Recommendation: how much a user likes an item.

use std::sync::Arc;

use thalweg_graph::{DType, Layer, OpError, Tensor};

use crate::init::Init;
use crate::layers::{Embedding, forward_in, origin};
use crate::param::Param;
use crate::{Forward, Module};

/// A learned vector and a learned bias for each user, each item, and each circumstance of a rating:
/// `y = b + Σ_c b_c + Σ_{c<d} v_c·v_d` over the columns c and d of a row. With users and items alone this is matrix
/// factorisation with biases, `p_u·q_i + b_u + b_i + b`
/// ([Koren, Bell and Volinsky 2009](https://doi.org/10.1109/MC.2009.263)); with more columns a factorisation machine
/// ([Rendle 2010](https://doi.org/10.1109/ICDM.2010.127)).
///
/// Shapes: ids `i64` `[N, 2 + circumstances]` of user, item and circumstances `→ [N, 1]`. Id 0 is one that nothing is known
/// of: its vector and its bias are 0, so that the others decide. Parameters: `user_embedding.weight` `[users, dim]`,
/// `item_embedding.weight` `[items, dim]` and `context_embeddings.I.weight`, N(0, 0.1²) at first; `user_bias.weight` `[users, 1]`,
/// `item_bias.weight` `[items, 1]`, `context_biases.I.weight` and `global_bias` `[1]`, zeros. Errors: an input of another shape or type,
/// a size of 0; at run time, an id outside its table.
///
/// ```
/// use thalweg_graph::Tensor;
/// use thalweg_nn::{Forward, TwoTower};
/// let net = TwoTower::new(1000, 500, 16);
/// assert_eq!(net.forward(&Tensor::new(&[7i64, 3, 7, 4], [2, 2])).shape().dims(), [2, 1]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct TwoTower {
    #[module(flatten)]
    layer: Arc<Layer>,
    user_embedding: Embedding,
    item_embedding: Embedding,
    user_bias: Embedding,
    item_bias: Embedding,
    context_embeddings: Vec<Embedding>,
    context_biases: Vec<Embedding>,
    global_bias: Param,
}

/// A table of `num` vectors, small, so that at first the biases say it all.
#[track_caller]
fn vectors(num: usize, dim: usize) -> Embedding {
    let near_zero = Init::Normal { mean: 0.0, std: 0.1 };
    Embedding::initialised(num, dim, near_zero).padding_idx(0)
}

#[track_caller]
fn biases(num: usize) -> Embedding {
    Embedding::initialised(num, 1, Init::Zeros).padding_idx(0)
}

impl TwoTower {
    /// For ids `0..users` and `0..items`, with vectors of `dim` numbers.
    #[track_caller]
    pub fn new(users: usize, items: usize, dim: usize) -> TwoTower {
        TwoTower {
            layer: Layer::new(format!("TwoTower {users} × {items}, {dim}")),
            user_embedding: vectors(users, dim),
            item_embedding: vectors(items, dim),
            user_bias: biases(users),
            item_bias: biases(items),
            context_embeddings: vec![],
            context_biases: vec![],
            global_bias: Param::new("global_bias", [1], Init::Zeros),
        }
    }

    /// With further columns, of ids below `sizes`: under what circumstances something was rated.
    #[track_caller]
    pub fn context(mut self, sizes: &[usize]) -> TwoTower {
        let dim = self.user_embedding.weight().shape().last().copied().unwrap_or(0);
        for &size in sizes {
            self.context_embeddings.push(vectors(size, dim));
            self.context_biases.push(biases(size));
        }
        self
    }

    fn check(&self, ids: &Tensor) -> Result<(), OpError> {
        let (dtype, shape) = (ids.dtype(), ids.shape());
        if dtype != DType::I64 {
            let what = format!("expects i64 ids, got {dtype}{shape}{}", origin(ids));
            return Err(OpError::dtype(what).hint("convert with cast(DType::I64) first"));
        }
        let columns = 2 + self.context_biases.len();
        match ids.rank() == 2 && ids.dim(1) == columns {
            true => Ok(()),
            false => {
                let what = format!("the ids must be [N, {columns}], got {shape}{}", origin(ids));
                Err(OpError::shape(what).hint("a user, an item and what else counts in each row"))
            }
        }
    }
}

impl Forward for TwoTower {
    fn forward(&self, ids: &Tensor) -> Tensor {
        forward_in(
            &self.layer,
            ids,
            || self.check(ids),
            || {
                let towers = [&self.user_embedding, &self.item_embedding];
                let towers = towers.into_iter().chain(&self.context_embeddings);
                let biases = [&self.user_bias, &self.item_bias];
                let biases = biases.into_iter().chain(&self.context_biases);
                let mut y = self.global_bias.tensor();
                let mut seen: Option<Tensor> = None;
                for (column, (tower, bias)) in towers.zip(biases).enumerate() {
                    let ids = ids.narrow(1, column, 1).squeeze(1);
                    let vector = tower.forward(&ids);
                    y = y + bias.forward(&ids);
                    // v·(the sum of those before it): each pair once.
                    if let Some(before) = &seen {
                        y = y + (before * &vector).sum(&[-1]).unsqueeze(-1);
                    }
                    seen = Some(match seen {
                        Some(before) => before + vector,
                        None => vector,
                    });
                }
                y
            },
        )
    }
}
