//! What one sample looks like to a network: its shape, and whether it is made of numbers or of ids.

use std::fmt;

use thalweg_data::Features;
use thalweg_graph::{DType, Shape, Tensor};

/// The shape of a sample and the type of what it is made of.
///
/// ```
/// use thalweg_train::Sample;
/// assert_eq!(Sample::from(&[28, 28]).to_string(), "28 × 28");
/// assert_eq!(Sample::ids(&[128]).to_string(), "128 ids");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    shape: Vec<usize>,
    ids: bool,
}

impl Sample {
    /// Samples of so many ids: words, letters, users and items. A network sees them as `i64`.
    #[must_use]
    pub fn ids(shape: &[usize]) -> Sample {
        Sample { shape: shape.to_vec(), ids: true }
    }

    /// The shape, without the axis that counts rows.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// `i64` for ids, `f32` for numbers.
    #[must_use]
    pub fn dtype(&self) -> DType {
        if self.ids { DType::I64 } else { DType::F32 }
    }

    /// The placeholder of `rows` samples.
    pub(crate) fn placeholder(&self, rows: usize) -> Tensor {
        let shape: Vec<usize> = std::iter::once(rows).chain(self.shape.iter().copied()).collect();
        Tensor::input("features", self.dtype(), Shape::from(shape))
    }
}

/// Samples of numbers.
impl From<&[usize]> for Sample {
    fn from(shape: &[usize]) -> Sample {
        Sample { shape: shape.to_vec(), ids: false }
    }
}

impl<const N: usize> From<&[usize; N]> for Sample {
    fn from(shape: &[usize; N]) -> Sample {
        Sample::from(&shape[..])
    }
}

impl From<&Features> for Sample {
    fn from(features: &Features) -> Sample {
        Sample { shape: features.shape().to_vec(), ids: features.is_ids() }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let axes: Vec<String> = self.shape.iter().map(usize::to_string).collect();
        f.write_str(&axes.join(" × "))?;
        if self.ids { f.write_str(" ids") } else { Ok(()) }
    }
}
