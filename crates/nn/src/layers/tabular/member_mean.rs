//! What the members of an ensemble say together.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thalweg_graph::{Layer, OpError, Tensor};

use crate::activations::Activations;
use crate::context::{Mode, mode};
use crate::layers::{check_float, forward_in, needs_one, origin};
use crate::{Forward, Module};

/// What a network's outputs are, and so how those of several members are averaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Numbers.
    #[default]
    Numbers,
    /// Logits of classes of which one is right: probabilities by softmax.
    Classes,
    /// Logits of labels, each right or wrong for itself: probabilities by sigmoid.
    Labels,
}

/// The end of a network of members, who learn each for themselves and answer together: in training the identity on `[N,
/// members, outputs]`, in use their mean `[N, outputs]`. Of [numbers](Answer::Numbers) that is `Σ_m y_m / M`; of
/// classes it is the log of the mean probability, `ln Σ_m softmax(y_m)/M`, of which the softmax is that mean; of labels
/// the logit of the mean of `σ(y_m)`.
///
/// No parameters. Errors: an input that is not `[N, members, outputs]` of floats, no members.
///
/// ```
/// use thalweg_graph::{DType, Tensor};
/// use thalweg_nn::{Answer, Forward, MemberMean};
/// let y = MemberMean::new(Answer::Classes).forward(&Tensor::zeros(DType::F32, [64, 16, 3]));
/// assert_eq!(y.shape().dims(), [64, 3]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct MemberMean {
    #[module(flatten)]
    layer: Arc<Layer>,
    #[module(skip)]
    of: Answer,
}

impl MemberMean {
    /// The mean of such answers.
    #[track_caller]
    pub fn new(of: Answer) -> MemberMean {
        MemberMean { layer: Layer::new("MemberMean"), of }
    }

    fn check(&self, x: &Tensor) -> Result<(), OpError> {
        check_float(x)?;
        match x.shape().dims() {
            [_, 0, _] => Err(needs_one("members")),
            [_, _, _] => Ok(()),
            _ => {
                let what = format!("expects [N, members, outputs], got {}{}", x.shape(), origin(x));
                Err(OpError::shape(what).hint("it comes behind a layer of members"))
            }
        }
    }

    fn together(&self, x: &Tensor) -> Tensor {
        match self.of {
            Answer::Numbers => x.mean(&[1]),
            Answer::Classes => log_mean(&x.log_softmax(-1)),
            Answer::Labels => log_mean(&-(-x).softplus()) - log_mean(&-x.softplus()),
        }
    }
}

/// The log of the mean over the members of probabilities that are given as logs.
fn log_mean(log_p: &Tensor) -> Tensor {
    let most = log_p.max(&[1]).unsqueeze(1);
    (log_p - &most).exp().mean(&[1]).log() + most.squeeze(1)
}

impl Forward for MemberMean {
    fn forward(&self, x: &Tensor) -> Tensor {
        forward_in(
            &self.layer,
            x,
            || self.check(x),
            || match mode() {
                Mode::Train => x.clone(),
                Mode::Eval => self.together(x),
            },
        )
    }
}
