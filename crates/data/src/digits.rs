//! The data set in the binary: 1,797 handwritten digits of 8×8 pixels, so that the first run needs no download.
//!
//! Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak (1998), UCI Machine Learning Repository,
//! <https://doi.org/10.24432/C50P49>, CC BY 4.0; the 1,797 samples that scikit-learn (BSD-3-Clause) ships.

use std::path::Path;

use crate::dataset::Dataset;
use crate::error::DataError;
use crate::idx::Idx;
use crate::idx_set;

/// Who made the set and under which licence it is passed on; to be shown wherever its samples are.
pub const ATTRIBUTION: &str = "Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak (1998), \
    UCI Machine Learning Repository, https://doi.org/10.24432/C50P49, CC BY 4.0; \
    the 1,797 samples as shipped by scikit-learn (BSD-3-Clause)";

/// The pixel value of full ink.
const FULL_INK: f32 = 16.0;

static IMAGES: &[u8] = include_bytes!("../assets/digits-images-idx3-ubyte.gz");
static LABELS: &[u8] = include_bytes!("../assets/digits-labels-idx1-ubyte.gz");

/// The set: features `[8, 8]` bytes from 0 (paper) to 16 (ink), classes `0` to `9` with 174 to 183 samples each.
///
/// # Errors
/// None with the bytes this crate is built with; they go through the same reader as any file.
pub fn load() -> Result<Dataset, DataError> {
    let (images, labels) = (Path::new("digits (images)"), Path::new("digits (labels)"));
    let features =
        idx_set::features(Idx::parse(IMAGES, images)?, images)?.with_full_scale(FULL_INK)?;
    let targets = idx_set::classes(Idx::parse(LABELS, labels)?, labels, None)?;
    Dataset::new("digits", features, targets)
}
