//! The IDX format of MNIST and its descendants: two zero bytes, an element type, the number of axes, each axis as a
//! big-endian `u32`, then the elements, big-endian, last axis fastest (<http://yann.lecun.com/exdb/mnist/>). Gzip is
//! recognised by its first bytes, whatever the file is called. A header is believed only after it was checked
//! against the bytes that are there, so a damaged one costs an error message and never memory.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::error::DataError;
use crate::idx_problem::IdxProblem;

/// Deflate cannot shrink by more than this, so a compressed file bounds what it can hold
/// (<https://zlib.net/zlib_tech.html>, "Maximum Compression Factor"), rounded up.
const MAX_DEFLATE_RATIO: u64 = 1040;
/// Bytes decoded at a time: a multiple of every element size.
const CHUNK: usize = 64 * 1024;

/// The content of an IDX file.
#[derive(Debug, Clone, PartialEq)]
pub struct Idx {
    /// The length of each axis, none of them 0; the first one counts the samples.
    pub dims: Vec<usize>,
    /// The elements, last axis fastest; as many as the product of `dims`.
    pub elements: Elements,
}

/// The elements of an IDX file in its own type.
#[derive(Debug, Clone, PartialEq)]
pub enum Elements {
    /// Type 0x08.
    U8(Vec<u8>),
    /// Type 0x09.
    I8(Vec<i8>),
    /// Type 0x0b.
    I16(Vec<i16>),
    /// Type 0x0c.
    I32(Vec<i32>),
    /// Type 0x0d.
    F32(Vec<f32>),
    /// Type 0x0e.
    F64(Vec<f64>),
}

impl Elements {
    /// The type's name as Rust writes it.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Elements::U8(_) => "u8",
            Elements::I8(_) => "i8",
            Elements::I16(_) => "i16",
            Elements::I32(_) => "i32",
            Elements::F32(_) => "f32",
            Elements::F64(_) => "f64",
        }
    }

    /// Bytes of one element.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Elements::U8(_) | Elements::I8(_) => 1,
            Elements::I16(_) => 2,
            Elements::I32(_) | Elements::F32(_) => 4,
            Elements::F64(_) => 8,
        }
    }

    /// An empty vector of the type with this code.
    fn of_type(code: u8) -> Option<Elements> {
        Some(match code {
            0x08 => Elements::U8(Vec::new()),
            0x09 => Elements::I8(Vec::new()),
            0x0b => Elements::I16(Vec::new()),
            0x0c => Elements::I32(Vec::new()),
            0x0d => Elements::F32(Vec::new()),
            0x0e => Elements::F64(Vec::new()),
            _ => return None,
        })
    }

    /// Room for `more` further elements; `false` where memory does not suffice.
    fn reserve(&mut self, more: usize) -> bool {
        match self {
            Elements::U8(v) => v.try_reserve(more),
            Elements::I8(v) => v.try_reserve(more),
            Elements::I16(v) => v.try_reserve(more),
            Elements::I32(v) => v.try_reserve(more),
            Elements::F32(v) => v.try_reserve(more),
            Elements::F64(v) => v.try_reserve(more),
        }
        .is_ok()
    }

    /// Appends whole big-endian elements.
    fn extend(&mut self, bytes: &[u8]) {
        fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
            bytes.as_chunks().0.iter().copied()
        }
        match self {
            Elements::U8(v) => v.extend_from_slice(bytes),
            Elements::I8(v) => v.extend(words(bytes).map(i8::from_be_bytes)),
            Elements::I16(v) => v.extend(words(bytes).map(i16::from_be_bytes)),
            Elements::I32(v) => v.extend(words(bytes).map(i32::from_be_bytes)),
            Elements::F32(v) => v.extend(words(bytes).map(f32::from_be_bytes)),
            Elements::F64(v) => v.extend(words(bytes).map(f64::from_be_bytes)),
        }
    }

    fn shrink(&mut self) {
        match self {
            Elements::U8(v) => v.shrink_to_fit(),
            Elements::I8(v) => v.shrink_to_fit(),
            Elements::I16(v) => v.shrink_to_fit(),
            Elements::I32(v) => v.shrink_to_fit(),
            Elements::F32(v) => v.shrink_to_fit(),
            Elements::F64(v) => v.shrink_to_fit(),
        }
    }
}

impl Idx {
    /// Reads a plain or gzipped IDX file.
    ///
    /// # Errors
    /// [`DataError::Io`], [`DataError::NotAFile`], or [`DataError::Idx`] with what is wrong at which byte.
    pub fn read(path: &Path) -> Result<Idx, DataError> {
        let failed = |source| DataError::Io { path: path.into(), source };
        let metadata = std::fs::metadata(path).map_err(failed)?;
        if !metadata.is_file() {
            return Err(DataError::NotAFile { path: path.into() });
        }
        let file = File::open(path).map_err(failed)?;
        decode(BufReader::new(file), metadata.len()).map_err(|fault| fault.at(path))
    }

    /// Reads the bytes of a plain or gzipped IDX file; `path` is what errors call them.
    ///
    /// # Errors
    /// As [`Idx::read`].
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Idx, DataError> {
        decode(bytes, bytes.len() as u64).map_err(|fault| fault.at(path))
    }

    /// Bytes before the first element.
    #[must_use]
    pub fn header_len(&self) -> usize {
        4 + 4 * self.dims.len()
    }
}

/// A problem before it is known which file it is in.
enum Fault {
    Io(io::Error),
    Problem(IdxProblem),
}

impl Fault {
    fn at(self, path: &Path) -> DataError {
        match self {
            Fault::Io(source) => DataError::Io { path: path.into(), source },
            Fault::Problem(problem) => DataError::Idx { path: path.into(), problem },
        }
    }
}

impl From<IdxProblem> for Fault {
    fn from(problem: IdxProblem) -> Self {
        Fault::Problem(problem)
    }
}

/// A reader that knows how far it is and whether its bytes are decompressed ones.
struct Input<R> {
    reader: R,
    at: u64,
    gzip: bool,
}

impl<R: Read> Input<R> {
    /// Fills as much of `buffer` as the input has left.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.reader.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(n) => {
                    filled += n;
                    self.at += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(source) if self.gzip => {
                    return Err(IdxProblem::Gzip { at: self.at, source }.into());
                }
                Err(source) => return Err(Fault::Io(source)),
            }
        }
        Ok(filled)
    }
}

fn decode(reader: impl Read, stored: u64) -> Result<Idx, Fault> {
    let mut input = Input { reader, at: 0, gzip: false };
    let mut start = [0; 2];
    let held = input.fill(&mut start)?;
    let whole = start[..held].chain(input.reader);
    if start == [0x1f, 0x8b] {
        let bound = stored.saturating_mul(MAX_DEFLATE_RATIO);
        decode_plain(Input { reader: MultiGzDecoder::new(whole), at: 0, gzip: true }, bound)
    } else {
        decode_plain(Input { reader: whole, at: 0, gzip: false }, stored)
    }
}

/// `available`: the bytes of the input; where it is compressed, no more than that.
fn decode_plain(mut input: Input<impl Read>, available: u64) -> Result<Idx, Fault> {
    let (dims, mut elements) = header(&mut input)?;
    let (header, element, size) = (input.at as usize, elements.type_name(), elements.size());

    let count = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    let claimed = count.and_then(|n| n.checked_mul(size)).filter(|&n| isize::try_from(n).is_ok());
    let (Some(count), Some(claimed)) = (count, claimed) else {
        return Err(IdxProblem::Overflow { dims }.into());
    };
    let claimed = claimed as u64;
    let truncated = |dims, held, at_most| IdxProblem::Truncated {
        dims,
        element,
        header,
        claimed,
        held,
        at_most,
    };
    let held = available.saturating_sub(header as u64);
    if claimed > held {
        return Err(truncated(dims, held, input.gzip).into());
    }
    if !input.gzip && claimed < held {
        let (at, extra) = (header as u64 + claimed, Some(held - claimed));
        return Err(IdxProblem::TrailingBytes { dims, element, at, extra }.into());
    }

    let out_of_memory = IdxProblem::OutOfMemory { bytes: claimed };
    if !input.gzip && !elements.reserve(count) {
        return Err(out_of_memory.into());
    }
    let mut buffer = [0; CHUNK];
    let mut left = claimed;
    while left > 0 {
        let want = left.min(CHUNK as u64) as usize;
        let got = input.fill(&mut buffer[..want])?;
        if !elements.reserve(got / size) {
            return Err(out_of_memory.into());
        }
        elements.extend(&buffer[..got]);
        left -= got as u64;
        if got < want {
            return Err(truncated(dims, claimed - left, false).into());
        }
    }
    let at = input.at;
    if input.fill(&mut buffer[..1])? > 0 {
        return Err(IdxProblem::TrailingBytes { dims, element, at, extra: None }.into());
    }
    elements.shrink();
    Ok(Idx { dims, elements })
}

/// The axes and an empty vector of the element type.
fn header(input: &mut Input<impl Read>) -> Result<(Vec<usize>, Elements), Fault> {
    let mut magic = [0; 4];
    let held = input.fill(&mut magic)?;
    if magic[..2] != [0, 0] {
        let found: Vec<String> = magic[..held].iter().map(|b| format!("{b:02x}")).collect();
        return Err(IdxProblem::WrongMagic { found: found.join(" ") }.into());
    }
    if held < 4 {
        return Err(IdxProblem::HeaderCut { needed: 4, held }.into());
    }
    let elements = Elements::of_type(magic[2]).ok_or(IdxProblem::UnknownType { code: magic[2] })?;
    let axes = usize::from(magic[3]);
    if axes == 0 {
        return Err(IdxProblem::NoAxes.into());
    }
    let mut lengths = [0; 4 * u8::MAX as usize];
    let held = input.fill(&mut lengths[..4 * axes])?;
    if held < 4 * axes {
        return Err(IdxProblem::HeaderCut { needed: 4 + 4 * axes, held: 4 + held }.into());
    }
    let lengths = lengths[..held].as_chunks().0.iter();
    let dims: Vec<usize> = lengths.map(|&length| u32::from_be_bytes(length) as usize).collect();
    if let Some(axis) = dims.iter().position(|&d| d == 0) {
        return Err(IdxProblem::Empty { axis, at: 4 + 4 * axis, dims }.into());
    }
    Ok((dims, elements))
}
