//! Layers that make one tensor of several.

use std::sync::Arc;

use thalweg_graph::{Layer, OpError, Tensor};

use crate::Module;
use crate::dag::Node;

/// How several tensors become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Add,
    Multiply,
    Concat { axis: isize },
}

/// The sum, the product, or the concatenation of its inputs. Sum and product broadcast, as elementwise ops do.
///
/// No parameters. Errors: no input, shapes that do not fit together.
///
/// ```
/// use thalweg_graph::{DType, Tensor};
/// use thalweg_nn::{Join, Node};
/// let x = Tensor::zeros(DType::F32, [2, 3]);
/// assert_eq!(Join::concat(-1).forward_all(&[x.clone(), x]).shape().dims(), [2, 6]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct Join {
    #[module(flatten)]
    layer: Arc<Layer>,
    #[module(skip)]
    rule: Rule,
}

impl Join {
    /// The sum of the inputs: a skip connection.
    #[track_caller]
    pub fn add() -> Join {
        Join { layer: Layer::new("Add"), rule: Rule::Add }
    }

    /// The product of the inputs, element by element: a gate.
    #[track_caller]
    pub fn multiply() -> Join {
        Join { layer: Layer::new("Multiply"), rule: Rule::Multiply }
    }

    /// The inputs one after the other along `axis`.
    #[track_caller]
    pub fn concat(axis: isize) -> Join {
        Join { layer: Layer::new(format!("Concat axis {axis}")), rule: Rule::Concat { axis } }
    }
}

impl Node for Join {
    fn forward_all(&self, inputs: &[Tensor]) -> Tensor {
        let _entered = self.layer.enter();
        let Some((first, rest)) = inputs.split_first() else {
            let error = OpError::argument("needs at least one input, got 0");
            return Tensor::poison("forward", error.hint("name them: inputs = [\"a\", \"b\"]"));
        };
        match self.rule {
            Rule::Add => rest.iter().fold(first.clone(), |sum, x| sum + x),
            Rule::Multiply => rest.iter().fold(first.clone(), |product, x| product * x),
            Rule::Concat { axis } => Tensor::concat(inputs, axis),
        }
    }
}
