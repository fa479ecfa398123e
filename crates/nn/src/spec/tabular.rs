//! The options of the layers for tables, as configs spell them, and the layers they stand for.

use serde::{Deserialize, Serialize};
use thalweg_graph::{OpError, Shape};

use super::{LayerSpec, yes};
use crate::layers::*;
use crate::module::Network;

fn is_false(x: &bool) -> bool {
    !x
}
fn sigma() -> f64 {
    0.1
}
fn waves() -> usize {
    16
}

/// The options of [`Columns`]: `{ type = "columns", start = 9, len = 3, ids = true }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnsOptions {
    /// The first column.
    pub start: usize,
    /// How many columns.
    pub len: usize,
    /// Whether they are ids; no by default.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ids: bool,
    /// The shape of a sample; `[len]` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Vec<usize>>,
}

/// The options of [`PiecewiseLinear`]: `{ type = "piecewise_linear", knots = [[-1, 0, 2], []], dim = 8 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PiecewiseLinearOptions {
    /// For each column where it bends, ascending; fewer than two for one that enters as it is.
    pub knots: Vec<Vec<f32>>,
    /// The numbers for each column.
    pub dim: usize,
    /// Whether a ReLU follows; no by default.
    #[serde(default, skip_serializing_if = "is_false")]
    pub relu: bool,
}

/// The options of [`Periodic`]: `{ type = "periodic", frequencies = 16, sigma = 0.1, dim = 8 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeriodicOptions {
    /// How many frequencies a column has; 16 by default.
    #[serde(default = "waves")]
    pub frequencies: usize,
    /// The standard deviation of the frequencies at first; 0.1 by default.
    #[serde(default = "sigma")]
    pub sigma: f64,
    /// The numbers for each column.
    pub dim: usize,
}

/// The options of [`Categories`]: `{ type = "categories", sizes = [3, 1000], dims = [0, 16] }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CategoriesOptions {
    /// How many ids each column has.
    pub sizes: Vec<usize>,
    /// The length of each column's vectors; 0 for one-hot.
    pub dims: Vec<usize>,
}

/// The options of [`MemberLinear`]: `{ type = "member_linear", members = 16, out = 128 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberLinearOptions {
    /// How many members.
    pub members: usize,
    /// The number of outputs of each.
    pub out: usize,
    /// Whether all share one matrix; yes by default.
    #[serde(default = "yes")]
    pub shared: bool,
    /// Whether the scales of the inputs begin as random signs, as in a network's first layer of members; no by default.
    #[serde(default, skip_serializing_if = "is_false")]
    pub signs: bool,
}

/// The layer for an input of shape `input`, where it is one for tables.
#[track_caller]
pub(super) fn build(spec: &LayerSpec, input: &Shape) -> Result<Option<Box<dyn Network>>, OpError> {
    let width = || spec.extent(input, -1);
    Ok(Some(match spec {
        LayerSpec::Columns(o) => {
            let layer = Columns::new(o.start, o.len);
            let layer = match &o.shape {
                Some(shape) => layer.shape(&shape[..]),
                None => layer,
            };
            Box::new(if o.ids { layer.ids() } else { layer })
        }
        LayerSpec::PiecewiseLinear(o) => {
            let layer = PiecewiseLinear::new(o.knots.clone(), o.dim);
            Box::new(if o.relu { layer.relu() } else { layer })
        }
        LayerSpec::Periodic(o) => Box::new(Periodic::new(width()?, o.frequencies, o.sigma, o.dim)),
        LayerSpec::Categories(o) => Box::new(Categories::new(&o.sizes, &o.dims)),
        LayerSpec::MemberLinear(o) if o.shared => {
            let layer = MemberLinear::shared(o.members, width()?, o.out);
            Box::new(if o.signs { layer.signs() } else { layer })
        }
        LayerSpec::MemberLinear(o) => Box::new(MemberLinear::packed(o.members, width()?, o.out)),
        LayerSpec::MemberMean { of } => Box::new(MemberMean::new(*of)),
        _ => return Ok(None),
    }))
}
