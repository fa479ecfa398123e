//! What layers over one, two or three spatial axes share: a number for each axis, padding, and the check of an input.

use serde::{Deserialize, Serialize};
use thalweg_graph::{OpError, Tensor};

use crate::context;
use crate::layers::{check_float, origin};

/// A number for each spatial axis: one for all, or one each. In a config: `3`, or `[3, 5]`.
///
/// ```
/// use thalweg_nn::PerAxis;
/// assert_eq!(PerAxis::from(3), PerAxis::All(3));
/// assert_eq!(PerAxis::from([3, 5]), PerAxis::Each(vec![3, 5]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a whole number, or a list with one for each spatial axis")]
pub enum PerAxis {
    /// The same for every axis.
    All(usize),
    /// One for each axis, in the order of the axes.
    Each(Vec<usize>),
}

impl PerAxis {
    /// The numbers for `axes` spatial axes; `what` they are is for the message.
    pub(crate) fn resolve(&self, what: &str, axes: usize) -> Result<Vec<usize>, OpError> {
        match self {
            PerAxis::All(number) => Ok(vec![*number; axes]),
            PerAxis::Each(numbers) if numbers.len() == axes => Ok(numbers.clone()),
            PerAxis::Each(numbers) => {
                let what = format!("{what} must be one number or {axes}, got {numbers:?}");
                Err(OpError::argument(what).hint("one number stands for every spatial axis"))
            }
        }
    }
}

impl From<usize> for PerAxis {
    fn from(number: usize) -> PerAxis {
        PerAxis::All(number)
    }
}

impl From<Vec<usize>> for PerAxis {
    fn from(numbers: Vec<usize>) -> PerAxis {
        PerAxis::Each(numbers)
    }
}

impl<const N: usize> From<[usize; N]> for PerAxis {
    fn from(numbers: [usize; N]) -> PerAxis {
        PerAxis::Each(numbers.to_vec())
    }
}

/// What surrounds the input of a convolution. In a config: `1`, `[0, 2]`, `"same"`, `"valid"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "snake_case",
    expecting = "expected \"same\", \"valid\", a whole number, or a list with one for each spatial axis"
)]
pub enum Padding {
    /// As many zeros as keep the extents; where they are odd in number, the one more comes after. Needs stride 1.
    Same,
    /// None.
    Valid,
    /// So many zeros on both sides of each axis.
    #[serde(untagged)]
    Zeros(PerAxis),
}

impl<T: Into<PerAxis>> From<T> for Padding {
    fn from(zeros: T) -> Padding {
        Padding::Zeros(zeros.into())
    }
}

impl Padding {
    /// The zeros before and after each axis, for a kernel that slides like this.
    pub(crate) fn resolve(
        &self,
        kernel: &[usize],
        stride: &[usize],
        dilation: &[usize],
    ) -> Result<Vec<[usize; 2]>, OpError> {
        match self {
            Padding::Same => {
                if let Some(stride) = stride.iter().find(|&&stride| stride != 1) {
                    let what = format!("padding \"same\" needs stride 1, got {stride}");
                    return Err(OpError::argument(what)
                        .hint("give the padding as a number: kernel / 2 halves the extents"));
                }
                let zeros = kernel.iter().zip(dilation).map(|(kernel, dilation)| {
                    let all = dilation.saturating_mul(kernel.saturating_sub(1));
                    [all / 2, all - all / 2]
                });
                Ok(zeros.collect())
            }
            Padding::Valid => Ok(vec![[0, 0]; kernel.len()]),
            Padding::Zeros(zeros) => {
                let zeros = zeros.resolve("padding", kernel.len())?;
                Ok(zeros.into_iter().map(|zeros| [zeros, zeros]).collect())
            }
        }
    }
}

/// `1d`, `2d`, `3d`: what PyTorch puts behind the names of such layers.
pub(super) fn kind(name: &str, axes: usize) -> String {
    format!("{name}{axes}d")
}

/// `3×5`: extents as people write them.
pub(super) fn extents(numbers: &PerAxis, axes: usize) -> String {
    let numbers = match numbers {
        PerAxis::All(number) => vec![*number; axes],
        PerAxis::Each(numbers) => numbers.clone(),
    };
    numbers.iter().map(usize::to_string).collect::<Vec<_>>().join("×")
}

/// Accepts floats of shape `[N, C, …]` with `axes` axes behind; where `channels` is given, C must be that.
pub(super) fn check_spatial(
    x: &Tensor,
    axes: usize,
    channels: Option<usize>,
) -> Result<(), OpError> {
    check_float(x)?;
    // A window reaches places that come later, or that are gone.
    context::whole_sequence("a layer over space")?;
    let shape = x.shape();
    if x.rank() != axes + 2 {
        let space = ["L", "H, W", "D, H, W"].get(axes.wrapping_sub(1)).unwrap_or(&"…");
        let what = format!("expects [N, C, {space}], got {shape}{}", origin(x));
        return Err(OpError::shape(what).hint(match x.rank() == axes + 1 {
            true => "where only the channel axis is missing, put an unsqueeze { axis = 1 } before",
            false => "samples are on axis 0 and channels on axis 1",
        }));
    }
    match channels {
        Some(want) if x.dim(1) != want => {
            let got = x.dim(1);
            let what = format!("axis 1 must be {want} channels, got {got} in {shape}{}", origin(x));
            Err(OpError::shape(what)
                .hint("make the layer with as many channels as come, and put them on axis 1"))
        }
        _ => Ok(()),
    }
}
