//! What is learned from, or measured on: some rows of a data set, scaled.

use thalweg_data::{DataError, Dataset, Scaling};

/// Some rows of a data set and the scaling that makes network inputs of their features.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The samples and their targets.
    pub data: &'a Dataset,
    /// The numbers of the rows that belong to the part.
    pub rows: &'a [usize],
    /// Fitted on the training rows, whatever part this is.
    pub scaling: &'a Scaling,
}

impl Part<'_> {
    /// The part has rows, all of them exist, and the scaling fits: found before the first step, not in its middle.
    pub(crate) fn check(&self, what: &'static str) -> Result<(), DataError> {
        let Some(first) = self.rows.first() else {
            return Err(DataError::NoRows { what });
        };
        let rows = self.data.rows();
        if let Some(&row) = self.rows.iter().find(|&&row| row >= rows) {
            return Err(DataError::RowOutOfRange { row, rows });
        }
        let features = &self.data.features;
        if features.is_ids() {
            return Ok(());
        }
        let mut sample = vec![0.0; features.width()];
        features.fill(&[*first], self.scaling, &mut sample)
    }
}
