//! Recommendation: how much a user likes an item.

use std::sync::Arc;

use thalweg_graph::{DType, Layer, OpError, Tensor};

use crate::init::Init;
use crate::layers::{Embedding, forward_in, origin};
use crate::param::Param;
use crate::{Forward, Module};

/// Matrix factorisation with biases: `y = p_u·q_i + b_u + b_i + b`, with a learned vector and a learned bias for each user u
/// and each item i. After [Koren, Bell and Volinsky 2009](https://doi.org/10.1109/MC.2009.263).
///
/// Shapes: ids `i64` `[N, 2]` of user and item `→ [N, 1]`. Id 0 is a user or an item that nothing is known of: its vector
/// and its bias are 0, so that the others' biases decide. Parameters: `user_embedding.weight` `[users, dim]` and
/// `item_embedding.weight` `[items, dim]`, N(0, 0.1²) at first; `user_bias.weight` `[users, 1]`, `item_bias.weight` `[items, 1]`
/// and `global_bias` `[1]`, zeros. Errors: an input of another shape or type, a size of 0; at run time, an id outside its
/// table.
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
    global_bias: Param,
}

impl TwoTower {
    /// For ids `0..users` and `0..items`, with vectors of `dim` numbers.
    #[track_caller]
    pub fn new(users: usize, items: usize, dim: usize) -> TwoTower {
        // Small, so that at first the biases say it all.
        let near_zero = Init::Normal { mean: 0.0, std: 0.1 };
        let vectors = |num| Embedding::initialised(num, dim, near_zero.clone()).padding_idx(0);
        let biases = |num| Embedding::initialised(num, 1, Init::Zeros).padding_idx(0);
        TwoTower {
            layer: Layer::new(format!("TwoTower {users} × {items}, {dim}")),
            user_embedding: vectors(users),
            item_embedding: vectors(items),
            user_bias: biases(users),
            item_bias: biases(items),
            global_bias: Param::new("global_bias", [1], Init::Zeros),
        }
    }

    fn check(&self, ids: &Tensor) -> Result<(), OpError> {
        let (dtype, shape) = (ids.dtype(), ids.shape());
        if dtype != DType::I64 {
            let what = format!("expects i64 ids, got {dtype}{shape}{}", origin(ids));
            return Err(OpError::dtype(what).hint("convert with cast(DType::I64) first"));
        }
        match ids.rank() == 2 && ids.dim(1) == 2 {
            true => Ok(()),
            false => {
                let what = format!("the ids must be [N, 2], got {shape}{}", origin(ids));
                Err(OpError::shape(what).hint("a user and an item in each row"))
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
                let [user, item] = [0, 1].map(|column| ids.narrow(1, column, 1).squeeze(1));
                let (p, q) =
                    (self.user_embedding.forward(&user), self.item_embedding.forward(&item));
                let biases = self.user_bias.forward(&user) + self.item_bias.forward(&item);
                (p * q).sum(&[-1]).unsqueeze(-1) + biases + self.global_bias.tensor()
            },
        )
    }
}
