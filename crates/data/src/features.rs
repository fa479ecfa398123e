//! What a network sees: samples of one shape, raw in memory, in a temporary file or in files that are decoded when they
//! are needed, and scaled into the buffer of a batch.

use crate::dataset::{check_buffer, check_rows};
use crate::error::{DataError, shape};
use crate::scaling::Scaling;
use crate::spill::{Spilled, Writer};
use crate::streamed::{Read, Streamed};

/// Megabytes of samples that are kept in memory where nobody says.
const MEMORY: usize = 256;

/// Bytes of samples that memory may hold: so many megabytes, or [`MEMORY`].
pub(crate) fn memory(megabytes: Option<usize>) -> usize {
    megabytes.unwrap_or(MEMORY).saturating_mul(1_000_000)
}

/// Raw values, sample after sample.
#[derive(Debug, Clone, PartialEq)]
pub enum Raw {
    /// Bytes, as images come.
    U8(Vec<u8>),
    /// Finite numbers.
    F32(Vec<f32>),
    /// Ids: of words, letters or categories, from 0.
    I64(Vec<i64>),
    /// Finite numbers that are too many for memory: see [`Features::visit`].
    Spilled(Spilled),
    /// Bytes that are too many for memory, as of images: see [`Features::visit`].
    StreamedU8(Streamed<u8>),
    /// Numbers that are too many for memory, as of recordings.
    StreamedF32(Streamed<f32>),
}

impl From<Read<u8>> for Raw {
    fn from(read: Read<u8>) -> Raw {
        match read {
            Read::Whole(values) => Raw::U8(values),
            Read::Part(samples) => Raw::StreamedU8(samples),
        }
    }
}

impl From<Read<f32>> for Raw {
    fn from(read: Read<f32>) -> Raw {
        match read {
            Read::Whole(values) => Raw::F32(values),
            Read::Part(samples) => Raw::StreamedF32(samples),
        }
    }
}

impl Raw {
    fn len(&self) -> usize {
        match self {
            Raw::U8(values) => values.len(),
            Raw::F32(values) => values.len(),
            Raw::I64(values) => values.len(),
            Raw::Spilled(values) => values.len(),
            Raw::StreamedU8(samples) => samples.len(),
            Raw::StreamedF32(samples) => samples.len(),
        }
    }

    fn element(&self) -> &'static str {
        match self {
            Raw::U8(_) | Raw::StreamedU8(_) => "u8",
            Raw::F32(_) | Raw::Spilled(_) | Raw::StreamedF32(_) => "f32",
            Raw::I64(_) => "i64",
        }
    }
}

/// The inputs of a data set: samples of one shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    raw: Raw,
    shape: Vec<usize>,
    width: usize,
    full_scale: f32,
}

impl Features {
    /// Samples of the given shape, such as `[28, 28]`, last axis fastest, whose raw values are taken as they are
    /// (full scale 1).
    ///
    /// # Errors
    /// [`DataError::Inconsistent`] where the shape is empty or holds a 0, the values are no whole number of
    /// samples, there are none, a value is not finite, or an id is negative.
    pub fn new(raw: Raw, shape: Vec<usize>) -> Result<Features, DataError> {
        let fail = |problem| Err(DataError::Inconsistent { name: "features".into(), problem });
        let width = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        let width = width.filter(|&width| width > 0 && !shape.is_empty());
        let Some(width) = width else {
            return fail(format!("{shape:?} is no shape of a sample"));
        };
        let len = raw.len();
        if len == 0 || !len.is_multiple_of(width) {
            return fail(format!("{len} values are no samples of {width}"));
        }
        if let Raw::F32(values) = &raw
            && let Some(i) = values.iter().position(|value| !value.is_finite())
        {
            return fail(format!("row {} holds {}, not a finite number", i / width, values[i]));
        }
        if let Raw::I64(ids) = &raw
            && let Some(i) = ids.iter().position(|&id| id < 0)
        {
            return fail(format!("row {} holds the id {}; ids start at 0", i / width, ids[i]));
        }
        Ok(Features { raw, shape, width, full_scale: 1.0 })
    }

    /// The same samples with another raw value standing for 1.
    ///
    /// # Errors
    /// [`DataError::Inconsistent`] where `full_scale` is not a positive number.
    pub fn with_full_scale(self, full_scale: f32) -> Result<Features, DataError> {
        if !(full_scale.is_finite() && full_scale > 0.0) {
            let problem = format!("full scale {full_scale} is not a positive number");
            return Err(DataError::Inconsistent { name: "features".into(), problem });
        }
        Ok(Features { full_scale, ..self })
    }

    /// How many samples there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.raw.len() / self.width
    }

    /// Whether the raw values are ids, which [`Features::fill_ids`] gives, and not numbers.
    #[must_use]
    pub fn is_ids(&self) -> bool {
        matches!(self.raw, Raw::I64(_))
    }

    /// Whether the raw values are bytes, as those of images.
    #[must_use]
    pub fn is_bytes(&self) -> bool {
        matches!(self.raw, Raw::U8(_) | Raw::StreamedU8(_))
    }

    /// Bytes of raw values that are in memory.
    pub(crate) fn held(&self) -> usize {
        match &self.raw {
            Raw::U8(values) => values.len(),
            Raw::F32(values) => size_of_val(values.as_slice()),
            Raw::I64(values) => size_of_val(values.as_slice()),
            Raw::Spilled(_) => 0,
            Raw::StreamedU8(samples) => samples.held(),
            Raw::StreamedF32(samples) => samples.held(),
        }
    }

    /// Tells which rows will be asked for next, so that samples that have to be decoded first are decoded in the
    /// background meanwhile. It changes no result; where samples are in memory, it does nothing.
    pub fn prefetch(&self, rows: &[usize]) {
        if self.check_rows(rows).is_err() {
            return;
        }
        match &self.raw {
            Raw::StreamedU8(samples) => samples.prefetch(rows),
            Raw::StreamedF32(samples) => samples.prefetch(rows),
            Raw::U8(_) | Raw::F32(_) | Raw::I64(_) | Raw::Spilled(_) => {}
        }
    }

    /// The same samples as images of one channel where they have two axes (`[28, 28]` becomes `[1, 28, 28]`), as
    /// convolutions want them; unchanged where they have another number of axes.
    #[must_use]
    pub fn with_channel_axis(mut self) -> Features {
        if self.shape.len() == 2 {
            self.shape.insert(0, 1);
        }
        self
    }

    /// The samples `rows`, in that order.
    ///
    /// # Errors
    /// [`DataError::RowOutOfRange`]; [`DataError::NoRows`] where there are none.
    pub fn select(&self, rows: &[usize]) -> Result<Features, DataError> {
        fn pick<T: Copy>(values: &[T], rows: &[usize], width: usize) -> Vec<T> {
            rows.iter().flat_map(|row| &values[row * width..(row + 1) * width]).copied().collect()
        }
        self.check_rows(rows)?;
        if rows.is_empty() {
            return Err(DataError::NoRows { what: "make a set of" });
        }
        let raw = match &self.raw {
            Raw::U8(values) => Raw::U8(pick(values, rows, self.width)),
            Raw::F32(values) => Raw::F32(pick(values, rows, self.width)),
            Raw::I64(values) => Raw::I64(pick(values, rows, self.width)),
            Raw::Spilled(values) => {
                let mut picked = Vec::with_capacity(rows.len() * self.width);
                values.visit(rows, |values| picked.extend(values))?;
                Raw::F32(picked)
            }
            Raw::StreamedU8(samples) => Raw::U8(samples.pick(rows)?),
            Raw::StreamedF32(samples) => Raw::F32(samples.pick(rows)?),
        };
        Ok(Features { raw, shape: self.shape.clone(), ..*self })
    }

    /// The shape of one sample.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Values in one sample: the product of its shape.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The raw value that stands for 1.
    #[must_use]
    pub fn full_scale(&self) -> f32 {
        self.full_scale
    }

    /// All raw values.
    #[must_use]
    pub fn raw(&self) -> &Raw {
        &self.raw
    }

    /// Writes the scaled values of `rows` into `x`, row-major `[rows.len(), width]`. Of samples in memory it allocates
    /// nothing.
    ///
    /// # Errors
    /// [`DataError::FeatureKind`] for ids, [`DataError::RowOutOfRange`], [`DataError::BufferSize`],
    /// [`DataError::Scaling`]; `x` is then unchanged. What is wrong with a file that cannot be read any more.
    pub fn fill(&self, rows: &[usize], scaling: &Scaling, x: &mut [f32]) -> Result<(), DataError> {
        self.check_rows(rows)?;
        check_buffer("features", rows.len(), self.width, x.len())?;
        scaling.check(self.width)?;
        let at = |row: &usize| row * self.width..(row + 1) * self.width;
        let table = if self.is_bytes() { scaling.table() } else { None };
        let mut places = x.chunks_exact_mut(self.width);
        let mut bytes = |values: &[u8]| {
            if let Some(out) = places.next() {
                scaling.apply_bytes(table.as_ref(), values, out);
            }
        };
        match &self.raw {
            Raw::U8(values) => rows.iter().for_each(|row| bytes(&values[at(row)])),
            Raw::StreamedU8(samples) => samples.visit(rows, bytes)?,
            Raw::I64(_) => return Err(DataError::FeatureKind { wanted: "numbers", found: "ids" }),
            Raw::F32(_) | Raw::Spilled(_) | Raw::StreamedF32(_) => {
                self.visit(rows, |values| {
                    if let Some(out) = places.next() {
                        scaling.apply(values, out);
                    }
                })?;
            }
        }
        Ok(())
    }

    /// Writes the ids of `rows` into `x`, row-major `[rows.len(), width]`. Allocates nothing.
    ///
    /// # Errors
    /// [`DataError::FeatureKind`] for numbers, [`DataError::RowOutOfRange`], [`DataError::BufferSize`]; `x` is then
    /// unchanged.
    pub fn fill_ids(&self, rows: &[usize], x: &mut [i64]) -> Result<(), DataError> {
        let Raw::I64(ids) = &self.raw else {
            return Err(DataError::FeatureKind { wanted: "ids", found: "numbers" });
        };
        self.check_rows(rows)?;
        check_buffer("ids", rows.len(), self.width, x.len())?;
        for (out, row) in x.chunks_exact_mut(self.width).zip(rows) {
            out.copy_from_slice(&ids[row * self.width..(row + 1) * self.width]);
        }
        Ok(())
    }

    /// The element type and shape of a sample, for messages.
    pub(crate) fn describe(&self) -> String {
        format!("{} {}", shape(&self.shape), self.raw.element())
    }

    /// Shows the raw values of `rows` as numbers, sample after sample, wherever they are.
    ///
    /// # Errors
    /// [`DataError::RowOutOfRange`]; [`DataError::Temporary`] where a temporary file can be read no more, and what is
    /// wrong with any other.
    pub fn visit(&self, rows: &[usize], mut each: impl FnMut(&[f32])) -> Result<(), DataError> {
        fn convert<T: Copy>(
            (values, width): (&[T], usize),
            rows: &[usize],
            to: impl Fn(T) -> f32,
            mut each: impl FnMut(&[f32]),
        ) {
            let mut numbers = vec![0.0; width];
            for row in rows {
                let raw = &values[row * width..(row + 1) * width];
                numbers.iter_mut().zip(raw).for_each(|(number, &raw)| *number = to(raw));
                each(&numbers);
            }
        }
        self.check_rows(rows)?;
        let width = self.width;
        match &self.raw {
            Raw::U8(values) => convert((values, width), rows, f32::from, each),
            Raw::I64(values) => convert((values, width), rows, |id| id as f32, each),
            Raw::F32(values) => {
                rows.iter().for_each(|row| each(&values[row * width..(row + 1) * width]));
            }
            Raw::Spilled(values) => values.visit(rows, each)?,
            Raw::StreamedF32(samples) => samples.visit(rows, each)?,
            Raw::StreamedU8(samples) => {
                samples.visit(rows, |bytes| convert((bytes, width), &[0], f32::from, &mut each))?;
            }
        }
        Ok(())
    }

    /// Shows the raw values of `rows` as bytes, sample after sample.
    pub(crate) fn visit_bytes(
        &self,
        rows: &[usize],
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), DataError> {
        self.check_rows(rows)?;
        let mut bytes = Vec::new();
        match &self.raw {
            Raw::U8(values) => {
                rows.iter().for_each(|row| each(&values[row * self.width..(row + 1) * self.width]));
            }
            Raw::StreamedU8(samples) => samples.visit(rows, each)?,
            Raw::I64(values) => {
                for row in rows {
                    let ids = &values[row * self.width..(row + 1) * self.width];
                    bytes.clear();
                    bytes.extend(ids.iter().flat_map(|id| id.to_le_bytes()));
                    each(&bytes);
                }
            }
            Raw::F32(_) | Raw::Spilled(_) | Raw::StreamedF32(_) => self.visit(rows, |values| {
                bytes.clear();
                bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
                each(&bytes);
            })?,
        }
        Ok(())
    }

    pub(crate) fn check_rows(&self, rows: &[usize]) -> Result<(), DataError> {
        check_rows(rows, self.rows())
    }
}

/// Rows of numbers that come one after the other, kept in memory or, where they are too many, in a temporary file.
pub(crate) struct Collected {
    width: usize,
    /// Numbers that memory may hold.
    most: usize,
    place: Store,
}

enum Store {
    Memory(Vec<f32>),
    File(Writer),
}

impl Collected {
    /// None yet of `width` numbers each, of which so many megabytes may be in memory; else 256.
    pub(crate) fn new(width: usize, megabytes: Option<usize>) -> Collected {
        let most = memory(megabytes) / size_of::<f32>();
        Collected { width, most, place: Store::Memory(Vec::new()) }
    }

    /// Makes room for so many rows.
    pub(crate) fn expect(&mut self, rows: u64) -> Result<(), DataError> {
        let numbers = usize::try_from(rows).unwrap_or(usize::MAX).saturating_mul(self.width);
        match &mut self.place {
            Store::Memory(values) if numbers <= self.most => values.reserve(numbers),
            Store::Memory(_) => self.spill()?,
            Store::File(_) => {}
        }
        Ok(())
    }

    /// Adds whole rows.
    pub(crate) fn add(&mut self, rows: &[f32]) -> Result<(), DataError> {
        if !rows.len().is_multiple_of(self.width) || !rows.iter().all(|value| value.is_finite()) {
            let problem = format!("rows of {} numbers are not finite or not whole", self.width);
            return Err(DataError::Inconsistent { name: "features".into(), problem });
        }
        match &mut self.place {
            Store::Memory(values) if values.len() + rows.len() > self.most => {
                self.spill()?;
                self.add(rows)
            }
            Store::Memory(values) => {
                values.extend(rows);
                Ok(())
            }
            Store::File(writer) => writer.push(rows),
        }
    }

    /// Goes on in a file.
    fn spill(&mut self) -> Result<(), DataError> {
        if let Store::Memory(values) = &mut self.place {
            let mut writer = Writer::new()?;
            writer.push(values)?;
            self.place = Store::File(writer);
        }
        Ok(())
    }

    /// The samples, of shape `[width]`.
    pub(crate) fn finish(self) -> Result<Features, DataError> {
        let raw = match self.place {
            Store::Memory(values) => Raw::F32(values),
            Store::File(writer) => Raw::Spilled(writer.finish(self.width)?),
        };
        Features::new(raw, vec![self.width])
    }
}
