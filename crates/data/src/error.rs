//! Everything that can be wrong with data or with what is asked of it. A message says what is wrong and where
//! (file, byte, row), then on a second line what to do, so that `error: {e}` prints as the program promises.

use std::io;
use std::path::PathBuf;

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
    #[error("{} is not a kind of data that is read today: {found}\nhint: read today are IDX image sets (a folder with train-images-idx3-ubyte and train-labels-idx1-ubyte, plain or .gz, or one such images file beside its labels) and the embedded sets: {embedded}", path.display())]
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

/// What is wrong with an IDX file; positions are byte offsets into the (decompressed) file.
#[derive(Debug, thiserror::Error)]
pub enum IdxProblem {
    /// The first two bytes are not zero.
    #[error(
        "byte 0: an IDX file begins with two zero bytes, this one with {found}\nhint: is this an IDX file? a .zip or .tar must be unpacked first; .gz is read as it is"
    )]
    WrongMagic {
        /// The first bytes, in hexadecimal.
        found: String,
    },
    /// The third byte is none of the known element types.
    #[error(
        "byte 2: element type 0x{code:02x} is unknown; IDX knows 0x08 u8, 0x09 i8, 0x0b i16, 0x0c i32, 0x0d f32, 0x0e f64\nhint: the file is damaged or no IDX file; fetch it again"
    )]
    UnknownType {
        /// The byte found.
        code: u8,
    },
    /// The fourth byte, the number of axes, is 0.
    #[error(
        "byte 3: the header names 0 axes, at least 1 is needed\nhint: the file is damaged or no IDX file; fetch it again"
    )]
    NoAxes,
    /// The file ends inside its header.
    #[error(
        "byte {held}: the file ends inside its header, which needs {needed} bytes\nhint: the file is cut short; fetch it again"
    )]
    HeaderCut {
        /// Bytes the header needs, as far as is known.
        needed: usize,
        /// Bytes there are.
        held: usize,
    },
    /// An axis has length 0, so there is nothing in the file.
    #[error(
        "byte {at}: axis {axis} of {} has length 0, the set is empty\nhint: an empty set teaches nothing; check how the file was written",
        shape(dims)
    )]
    Empty {
        /// The axis.
        axis: usize,
        /// Where its length stands.
        at: usize,
        /// All axes.
        dims: Vec<usize>,
    },
    /// The header's axes multiply to more bytes than can be counted.
    #[error(
        "byte 4: the header claims {} elements, more than can be counted\nhint: the header is damaged; fetch the file again",
        shape(dims)
    )]
    Overflow {
        /// The axes.
        dims: Vec<usize>,
    },
    /// The header claims more than the file holds.
    #[error("the header claims {} elements of {element}, {} bytes after byte {header}, but the file holds {}{}\nhint: the file is cut short or its header is damaged; fetch it again", shape(dims), thousands(*claimed), if *at_most { "at most " } else { "" }, thousands(*held))]
    Truncated {
        /// The axes.
        dims: Vec<usize>,
        /// The element type.
        element: &'static str,
        /// Length of the header.
        header: usize,
        /// Bytes of elements claimed.
        claimed: u64,
        /// Bytes of elements there are.
        held: u64,
        /// `held` is what a compressed file of this size could hold at best.
        at_most: bool,
    },
    /// Bytes follow the last element.
    #[error("byte {at}: {} beyond the {} elements of {element} that the header claims\nhint: the header is damaged, or two files were joined; fetch it again", match extra { Some(n) => format!("the file goes on for {} bytes", thousands(*n)), None => "the file goes on".to_string() }, shape(dims))]
    TrailingBytes {
        /// The axes.
        dims: Vec<usize>,
        /// The element type.
        element: &'static str,
        /// Where the elements end.
        at: u64,
        /// How many bytes follow, where known.
        extra: Option<u64>,
    },
    /// The compressed stream is damaged or cut short.
    #[error(
        "the gzip stream breaks after byte {at} of its content: {source}\nhint: the file is damaged or cut short; fetch it again"
    )]
    Gzip {
        /// Bytes decompressed before it broke.
        at: u64,
        /// What the decompressor says.
        source: io::Error,
    },
    /// The elements do not fit in memory.
    #[error("{} bytes of elements do not fit in memory\nhint: use a machine with more memory or a part of the set", thousands(*bytes))]
    OutOfMemory {
        /// Bytes needed.
        bytes: u64,
    },
    /// The file has another number of axes than its role asks for.
    #[error(
        "{role} need {expected}, this file is {} of {element}\nhint: are the image and the label file swapped?",
        shape(dims)
    )]
    WrongAxes {
        /// `images` or `labels`.
        role: &'static str,
        /// What the role needs.
        expected: &'static str,
        /// The axes found.
        dims: Vec<usize>,
        /// The element type found.
        element: &'static str,
    },
    /// A label is negative or absurdly large, or unknown to the training part.
    #[error("byte {at}: sample {row} has label {label}; labels go from 0 to {max}\nhint: {hint}")]
    LabelRange {
        /// The sample, counted from 0.
        row: usize,
        /// Where its label stands.
        at: u64,
        /// The label.
        label: i64,
        /// The largest that is allowed.
        max: i64,
        /// What to do.
        hint: &'static str,
    },
    /// A value that is not a finite 32-bit float.
    #[error(
        "byte {at}: sample {row} holds {value}, which is not a finite 32-bit number\nhint: a network learns nothing from it; clean the data or leave the sample out"
    )]
    NonFinite {
        /// The sample, counted from 0.
        row: usize,
        /// Where the value stands.
        at: u64,
        /// The value.
        value: f64,
    },
}

impl DataError {
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
pub(crate) fn thousands(n: u64) -> String {
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

/// The message and the hint of an error that prints as `MESSAGE\nhint: HINT`, as those of this crate and of the ones
/// built on it do; the hint is empty where there is none.
#[must_use]
pub fn split_hint(text: &str) -> (String, String) {
    let (message, hint) = text.rsplit_once("\nhint: ").unwrap_or((text, ""));
    (message.to_owned(), hint.to_owned())
}
