//! What can be wrong with an IDX file, with the place of it.

use std::io;

use crate::error::{shape, thousands};

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
