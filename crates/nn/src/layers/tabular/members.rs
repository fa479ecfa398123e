//! A linear layer of several members.

use std::sync::Arc;

use thalweg_graph::{Layer, OpError, Tensor};

use crate::init::Init;
use crate::layers::{check_dtype, forward_in, needs_one, origin};
use crate::param::Param;
use crate::{Forward, Module};

/// A linear layer for each of several members of an ensemble, side by side in one product: what member m says is `y_m =
/// x_m·W_mᵀ + b_m`, and no member sees another. Where all share one matrix, as in BatchEnsemble ([Wen, Tran and Ba
/// 2020](https://arxiv.org/abs/2002.06715)) and TabM ([Gorishniy et al. 2024](https://arxiv.org/abs/2410.24210)), each
/// scales its inputs and its outputs: `y_m = ((x_m ∘ r_m)·Wᵀ) ∘ s_m + b_m`.
///
/// Shapes: `[N, members, in] → [N, members, out]`; `[N, in]` stands for the same input to each. Parameters: `weight`
/// `[members, out, in]`, or shared `[out, in]`, and `bias` `[members, out]`, uniform in ±1/√in at first; shared also
/// `r` `[members, in]` and `s` `[members, out]`, ones at first. The first layer of a network of members needs something
/// that tells them apart: `r` of random signs ([`MemberLinear::signs`]). Errors: another shape or type, a size of 0.
///
/// ```
/// use thalweg_graph::{DType, Tensor};
/// use thalweg_nn::{Forward, MemberLinear};
/// let x = Tensor::zeros(DType::F32, [64, 9]);
/// let hidden = MemberLinear::shared(16, 9, 32).signs().forward(&x);
/// assert_eq!(hidden.shape().dims(), [64, 16, 32]);
/// assert_eq!(MemberLinear::packed(16, 32, 3).forward(&hidden).shape().dims(), [64, 16, 3]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct MemberLinear {
    #[module(flatten)]
    layer: Arc<Layer>,
    weight: Param,
    bias: Param,
    r: Option<Param>,
    s: Option<Param>,
    #[module(skip)]
    sizes: [usize; 3],
}

impl MemberLinear {
    /// `members` layers from `inputs` to `outputs`, each with a matrix of its own.
    #[track_caller]
    pub fn packed(members: usize, inputs: usize, outputs: usize) -> MemberLinear {
        let start = Init::layer_bias(inputs);
        MemberLinear {
            layer: Layer::new(format!("MemberLinear {members} × ({inputs} → {outputs})")),
            weight: Param::new("weight", [members, outputs, inputs], start.clone()),
            bias: Param::new("bias", [members, outputs], start),
            r: None,
            s: None,
            sizes: [members, inputs, outputs],
        }
    }

    /// `members` layers from `inputs` to `outputs` that share one matrix.
    #[track_caller]
    pub fn shared(members: usize, inputs: usize, outputs: usize) -> MemberLinear {
        let start = Init::layer_bias(inputs);
        MemberLinear {
            layer: Layer::new(format!("MemberLinear {members} of {inputs} → {outputs}")),
            weight: Param::new("weight", [outputs, inputs], start.clone()),
            bias: Param::new("bias", [members, outputs], start),
            r: Some(Param::new("r", [members, inputs], Init::Ones)),
            s: Some(Param::new("s", [members, outputs], Init::Ones)),
            sizes: [members, inputs, outputs],
        }
    }

    /// Lets the inputs' scales begin as random signs; it means nothing where each member has its matrix. It makes the
    /// scales anew, so it comes before the layer is shared or bound.
    #[must_use]
    #[track_caller]
    pub fn signs(mut self) -> MemberLinear {
        if let Some(r) = &mut self.r {
            *r = Param::new("r", r.shape(), Init::Signs);
        }
        self
    }

    fn check(&self, x: &Tensor) -> Result<(), OpError> {
        let [members, inputs, outputs] = self.sizes;
        let sizes = [(members, "members"), (inputs, "inputs"), (outputs, "outputs")];
        if let Some((_, name)) = sizes.into_iter().find(|(size, _)| *size == 0) {
            return Err(needs_one(name));
        }
        check_dtype(x, &self.weight)?;
        match x.shape().dims() {
            [_, m, i] if (*m, *i) == (members, inputs) => Ok(()),
            [_, i] if *i == inputs => Ok(()),
            _ => {
                let (shape, from) = (x.shape(), origin(x));
                let what =
                    format!("expects [N, {members}, {inputs}] or [N, {inputs}], got {shape}{from}");
                Err(OpError::shape(what).hint("all layers behind the first have as many members"))
            }
        }
    }

    fn product(&self, x: &Tensor) -> Tensor {
        let [members, inputs, outputs] = self.sizes;
        let (rows, weight) = (x.dim(0), self.weight.tensor());
        if let (Some(r), Some(s)) = (&self.r, &self.s) {
            let x = if x.rank() == 2 { x.unsqueeze(1) } else { x.clone() };
            // One product of all rows of all members.
            let x = (x * r.tensor()).reshape([rows * members, inputs]);
            return x.matmul(&weight.t()).reshape([rows, members, outputs]) * s.tensor();
        }
        match x.rank() {
            2 => {
                let all = weight.reshape([members * outputs, inputs]);
                x.matmul(&all.t()).reshape([rows, members, outputs])
            }
            _ => x.transpose(0, 1).matmul(&weight.transpose(1, 2)).transpose(0, 1),
        }
    }
}

impl Forward for MemberLinear {
    fn forward(&self, x: &Tensor) -> Tensor {
        forward_in(&self.layer, x, || self.check(x), || self.product(x) + self.bias.tensor())
    }
}
