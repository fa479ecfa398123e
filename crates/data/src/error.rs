//! Everything that can be wrong with data or with what is asked of it. A message says what is wrong and where
//! (file, byte, row), then on a second line what to do, so that `error: {e}` prints as the program promises.

use std::io;
use std::path::PathBuf;

use crate::idx_problem::IdxProblem;
use crate::place::Place;

/// A problem with a source, a data set or a request about one.
///
/// `Display` gives the message, a line break, and `hint: …`; [`DataError::message`] and [`DataError::hint`] give
/// the two apart.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The operating system refused to open or read a path.
    #[error("cannot read {}: {source}\nhint: check the path, its permissions and that the disk is there", path.display())]
    Io {
        /// What was to be read.
        path: PathBuf,
        /// Why it could not be.
        source: io::Error,
    },
    /// The operating system refused to write or read a temporary file.
    #[error("the temporary file in {} cannot be used: {source}\nhint: data larger than memory needs room there; set TMPDIR to a folder with more of it", folder.display())]
    Temporary {
        /// Where temporary files are.
        folder: PathBuf,
        /// Why it could not be.
        source: io::Error,
    },
    /// A path that should be a plain file is something else.
    #[error("{} is not a plain file\nhint: name the file itself, or the folder that holds the IDX files", path.display())]
    NotAFile {
        /// The folder, pipe or device.
        path: PathBuf,
    },
    /// An IDX file is damaged or is no IDX file.
    #[error("{}: {problem}", path.display())]
    Idx {
        /// The file.
        path: PathBuf,
        /// What is wrong in it, and at which byte.
        problem: IdxProblem,
    },
    /// The image and the label file of a pair do not have the same number of entries.
    #[error("{} images in {}, but {} labels in {}\nhint: take both files from the same set; one of them may be from another part or cut short", thousands(*images as u64), images_path.display(), thousands(*labels as u64), labels_path.display())]
    CountMismatch {
        /// The image file.
        images_path: PathBuf,
        /// Images in it.
        images: usize,
        /// The label file.
        labels_path: PathBuf,
        /// Labels in it.
        labels: usize,
    },
    /// Train and test samples differ in shape or element type.
    #[error("train samples are {train} in {}, but test samples are {test} in {}\nhint: a network has one input size; take both parts from the same set", train_path.display(), test_path.display())]
    PartMismatch {
        /// The training file.
        train_path: PathBuf,
        /// Its samples, such as `28 × 28 u8`.
        train: String,
        /// The test file.
        test_path: PathBuf,
        /// Its samples.
        test: String,
    },
    /// Some classes between 0 and the largest label never occur in the training labels.
    #[error("{}: no training sample has label {missing}; the labels go up to {max}\nhint: classes are numbered 0, 1, 2, … without gaps; renumber the labels, or add samples of what is missing", path.display())]
    LabelGap {
        /// The training labels.
        path: PathBuf,
        /// The missing labels, the first few of them where there are many.
        missing: String,
        /// The largest label.
        max: i64,
    },
    /// A file of a set is missing from its folder.
    #[error("{} has no file {wanted}\nhint: {hint}", folder.display())]
    MissingFile {
        /// The folder that was searched.
        folder: PathBuf,
        /// The names that would have been taken.
        wanted: String,
        /// What to do.
        hint: String,
    },
    /// A source is neither an embedded set nor an existing path.
    #[error("no data set and no path named '{spec}'\nhint: {hint}")]
    UnknownSource {
        /// What was asked for.
        spec: String,
        /// What exists, nearest name first.
        hint: String,
    },
    /// A path exists but holds nothing that is read today.
    #[error("{} is not a kind of data that is read today: {found}\nhint: read today are class folders (or a .zip of them) of images (PNG, JPEG, GIF, BMP, WebP) and of recordings (WAV), texts (.txt), tables (.csv, .tsv, .jsonl, .parquet, .arrow, .npy), tagged sentences (.conll), IDX image sets, and the embedded sets: {embedded}", path.display())]
    UnknownKind {
        /// The file or folder.
        path: PathBuf,
        /// What was looked at.
        found: String,
        /// Names of the embedded sets.
        embedded: String,
    },
    /// The parts of a data set do not fit together.
    #[error(
        "data set '{name}': {problem}\nhint: features, targets and class names must describe the same rows"
    )]
    Inconsistent {
        /// The data set, or the part of it that was being made.
        name: String,
        /// What does not fit.
        problem: String,
    },
    /// A row number beyond the end.
    #[error(
        "row {row} was asked for, but there are {rows} rows\nhint: rows are numbered from 0; use the rows of a split of this same data set"
    )]
    RowOutOfRange {
        /// The row asked for.
        row: usize,
        /// Rows there are.
        rows: usize,
    },
    /// A buffer to fill has the wrong length.
    #[error(
        "the buffer for {what} holds {got} values, but {rows} rows need {expected}\nhint: pass a slice of exactly that length; the last batch of an epoch may be shorter"
    )]
    BufferSize {
        /// `features`, `labels` or `values`.
        what: &'static str,
        /// Rows to be written.
        rows: usize,
        /// Length needed.
        expected: usize,
        /// Length given.
        got: usize,
    },
    /// Labels were asked of number targets, or numbers of class targets.
    #[error(
        "{wanted} were asked for, but the targets are {found}\nhint: use fill_classes for classification and fill_values for regression"
    )]
    TargetKind {
        /// What was asked for.
        wanted: &'static str,
        /// What there is.
        found: &'static str,
    },
    /// Numbers were asked of id features, or ids of number features.
    #[error(
        "{wanted} were asked for, but the features are {found}\nhint: use fill_ids where Features::is_ids says so, else fill"
    )]
    FeatureKind {
        /// What was asked for.
        wanted: &'static str,
        /// What there is.
        found: &'static str,
    },
    /// A file holds something that cannot be used, or nothing that can.
    #[error("{place}: {problem}\nhint: {hint}")]
    Content {
        /// Where.
        place: Box<Place>,
        /// What was expected, and what is there.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// A table has no column of a name.
    #[error("{place}: there is no column '{wanted}'; the columns are {columns}\nhint: {hint}")]
    MissingColumn {
        /// The table.
        place: Box<Place>,
        /// The column that was asked for.
        wanted: String,
        /// The columns there are.
        columns: String,
        /// The nearest name, where there is one.
        hint: String,
    },
    /// An option about a source that cannot be followed.
    #[error("data option {name}: {problem}\nhint: {hint}")]
    Option {
        /// The option, as in [`crate::SourceOptions`].
        name: &'static str,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// A scaling does not fit the features, or holds a number that cannot be used.
    #[error(
        "scaling: {problem}\nhint: use the scaling that was fitted for this network's data; model.json holds it"
    )]
    Scaling {
        /// What is wrong.
        problem: String,
    },
    /// A batch size of 0, or larger than the set.
    #[error(
        "batch size {batch} does not fit a set of {rows} rows\nhint: choose a batch size from 1 to {rows}; {rows} makes every step use the full batch"
    )]
    BatchSize {
        /// The batch size asked for.
        batch: usize,
        /// Rows in the set.
        rows: usize,
    },
    /// Nothing to draw batches or statistics from.
    #[error(
        "there are no rows to {what}\nhint: {what} needs at least one row; check the split fractions and the source"
    )]
    NoRows {
        /// What they were needed for.
        what: &'static str,
    },
    /// A split fraction outside of 0 to 1, or fractions that leave nothing for training.
    #[error(
        "split: {problem}\nhint: fractions are shares of the rows: each from 0 (no such part) to below 1, and together below 1"
    )]
    Fraction {
        /// What is wrong.
        problem: String,
    },
    /// A part of a split would be empty.
    #[error(
        "split: nothing is left for {part}: {reason}\nhint: change the fractions, set this one to 0, or bring more rows"
    )]
    EmptyPart {
        /// `train`, `valid` or `test`.
        part: &'static str,
        /// The arithmetic.
        reason: String,
    },
}

impl DataError {
    /// [`DataError::Content`].
    pub(crate) fn content(
        place: Place,
        problem: impl Into<String>,
        hint: impl Into<String>,
    ) -> DataError {
        // A cell, a name or another crate's message may have several lines; an error has two.
        let line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let (problem, hint) = (line(problem.into()), line(hint.into()));
        // Other crates end their messages with a full stop, which stands badly within a list.
        let problem = problem.trim_end_matches('.').to_string();
        DataError::Content { place: place.into(), problem, hint }
    }

    /// [`DataError::Option`].
    pub(crate) fn option(
        name: &'static str,
        problem: impl Into<String>,
        hint: impl Into<String>,
    ) -> DataError {
        DataError::Option { name, problem: problem.into(), hint: hint.into() }
    }

    /// What is wrong and where, without the hint.
    #[must_use]
    pub fn message(&self) -> String {
        split_hint(&self.to_string()).0
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        split_hint(&self.to_string()).1
    }
}

/// Axes as people write them: `60,000 × 28 × 28`.
pub(crate) fn shape(dims: &[usize]) -> String {
    let axes: Vec<String> = dims.iter().map(|&d| thousands(d as u64)).collect();
    axes.join(" × ")
}

/// An integer with its thousands set apart: `60,000`.
#[must_use]
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with the five digits that say most of it; whole numbers as they are: `1990`, `0.83333`, `1.2346e-7`.
#[must_use]
pub(crate) fn figure(x: f64) -> String {
    const DIGITS: i32 = 5;
    let size = x.abs();
    if x == x.trunc() && size < 1e15 {
        return format!("{x}");
    }
    if !(1e-4..1e15).contains(&size) {
        return format!("{x:.4e}");
    }
    let digits = (DIGITS - 1 - libm::floor(libm::log10(size)) as i32).max(0) as usize;
    let text = format!("{x:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').into(),
        false => text,
    }
}

/// The message and the hint of an error that prints as `MESSAGE\nhint: HINT`, as those of this crate and of the ones
/// built on it do; the hint is empty where there is none.
#[must_use]
pub fn split_hint(text: &str) -> (String, String) {
    let (message, hint) = text.rsplit_once("\nhint: ").unwrap_or((text, ""));
    (message.to_owned(), hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Place;

    #[test]
    fn figures_are_as_long_as_they_say_something() {
        for (x, said) in [
            (1990.0, "1990"),
            (-3.0, "-3"),
            (0.8333333333, "0.83333"),
            (1234.5678, "1234.6"),
            (35682.000001, "35682"),
            (0.5, "0.5"),
            (1.23456e-7, "1.2346e-7"),
            (1e300, "1.0000e300"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(figure(x), said);
        }
    }

    #[test]
    fn a_problem_is_one_line_without_a_full_stop() {
        let error =
            DataError::content(Place::default(), "it cannot be read:\n too short.", "fetch it");
        assert_eq!(error.to_string(), ": it cannot be read: too short\nhint: fetch it");
    }
}
