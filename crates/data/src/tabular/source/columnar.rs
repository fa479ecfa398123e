//! Parquet and Arrow files, batch by batch. Numbers come as numbers; texts, booleans and times as texts, times as ISO 8601
//! writes them; a list as `a;b;c`. Columns of other types are left out with a note.

use std::fmt::{Display, Write};
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Decimal128Type, DurationMicrosecondType,
    DurationMillisecondType, DurationNanosecondType, DurationSecondType, Float16Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType,
    Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, DataType, SchemaRef, TimeUnit};
use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::Rows;
use super::input::Location;
use super::pipeline::Take;
use crate::error::DataError;
use crate::place::Place;
use crate::tabular::chunk::{Cells, Texts};

/// Cells of a chunk, about.
const CHUNK: usize = 1 << 17;
/// Beyond this not every whole number is an `f64`.
const EXACT: u64 = 1 << 53;

/// A file of columns that know their types.
pub(super) struct Columnar {
    schema: SchemaRef,
    batches: Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>,
    place: Place,
    what: &'static str,
    /// Columns that are left out, and what they are.
    left_out: Vec<String>,
}

/// Opens a Parquet file.
pub(super) fn parquet(file: &Location) -> Result<Columnar, DataError> {
    const WHAT: &str = "Parquet";
    let place = file.place();
    let failed = |error: &dyn Display| damaged(WHAT, &place, error);
    let builder = ParquetRecordBatchReaderBuilder::try_new(file.file()?);
    let builder = builder.map_err(|error| failed(&error))?;
    let (kept, left_out) = readable(builder.schema());
    let mask = ProjectionMask::roots(builder.parquet_schema(), kept.iter().copied());
    let schema = builder.schema().project(&kept).map_err(|error| failed(&error))?;
    let rows = chunk_rows(kept.len());
    let reader = builder.with_projection(mask).with_batch_size(rows).build();
    let batches = Box::new(reader.map_err(|error| failed(&error))?);
    Ok(Columnar { schema: Arc::new(schema), batches, place, what: WHAT, left_out })
}

/// Opens an Arrow file or a stream in a file.
pub(super) fn arrow(file: &Location) -> Result<Columnar, DataError> {
    const WHAT: &str = "Arrow";
    let place = file.place();
    let failed = |error: ArrowError| damaged(WHAT, &place, &error);
    let mut bytes = file.file()?;
    let mut magic = Vec::new();
    let looked = bytes.by_ref().take(6).read_to_end(&mut magic).and_then(|_| bytes.rewind());
    looked.map_err(|source| DataError::Io { path: place.path.clone(), source })?;
    let is_file = magic == b"ARROW1";
    // A reader that takes only some of the columns is another one.
    let open = |bytes: File, kept: Option<Vec<usize>>| -> Result<Opened, ArrowError> {
        let bytes = BufReader::new(bytes);
        Ok(match is_file {
            true => {
                let reader = FileReader::try_new(bytes, kept)?;
                (reader.schema(), Box::new(reader))
            }
            false => {
                let reader = StreamReader::try_new(bytes, kept)?;
                (reader.schema(), Box::new(reader))
            }
        })
    };
    let (schema, batches) = open(bytes, None).map_err(failed)?;
    let (kept, left_out) = readable(&schema);
    let (schema, batches) = match left_out.is_empty() {
        true => (schema, batches),
        false => open(file.file()?, Some(kept)).map_err(failed)?,
    };
    Ok(Columnar { schema, batches, place, what: WHAT, left_out })
}

type Opened = (SchemaRef, Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>);

fn chunk_rows(columns: usize) -> usize {
    (CHUNK / columns.max(1)).clamp(1, 1 << 14)
}

fn damaged(what: &str, place: &Place, error: &dyn Display) -> DataError {
    DataError::content(
        place.clone(),
        format!("the {what} file cannot be read: {error}"),
        "the file is cut short, damaged or of another kind; write or fetch it again",
    )
}

/// The columns that are read, and the names and types of the others.
fn readable(schema: &SchemaRef) -> (Vec<usize>, Vec<String>) {
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    for (i, field) in schema.fields().iter().enumerate() {
        match is_readable(field.data_type()) {
            true => kept.push(i),
            false => left_out.push(format!("'{}' ({})", field.name(), field.data_type())),
        }
    }
    (kept, left_out)
}

fn is_readable(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, value) => is_readable(value),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            !matches!(item.data_type(), DataType::List(_)) && is_readable(item.data_type())
        }
        DataType::Decimal128(..)
        | DataType::Duration(_)
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Timestamp(..) => true,
        _ => {
            kind.is_integer()
                || kind.is_floating()
                || kind.is_string()
                || matches!(
                    kind,
                    DataType::Null | DataType::Boolean | DataType::Date32 | DataType::Date64
                )
        }
    }
}

impl Columnar {
    pub(super) fn columns(&self) -> Vec<String> {
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    /// Makes jobs of the batches.
    pub(super) fn read(self, take: Take<'_, Rows>) -> Result<bool, DataError> {
        let Columnar { schema, batches, place, what, left_out } = self;
        let step = chunk_rows(schema.fields().len());
        let mut first = 0;
        for batch in batches {
            let batch = batch.map_err(|error| damaged(what, &place, &error))?;
            for start in (0..batch.num_rows()).step_by(step) {
                let part = batch.slice(start, step.min(batch.num_rows() - start));
                let (mut rows, begin) = (Rows::of(place.clone()), first + start as u64);
                let job = move || {
                    rows.columns = part.columns().iter().map(cells).collect();
                    rows.at.extend(begin + 1..=begin + part.num_rows() as u64);
                    Ok(rows)
                };
                if !take(Box::new(job)) {
                    return Ok(false);
                }
            }
            first += batch.num_rows() as u64;
        }
        if left_out.is_empty() {
            return Ok(true);
        }
        let mut rows = Rows::of(place);
        let names = left_out.join(", ");
        rows.notes.push(format!("{}: left out, as neither numbers nor text: {names}", rows.place));
        Ok(take(Box::new(|| Ok(rows))))
    }
}

/// The cells of a column of a readable type.
fn cells(column: &ArrayRef) -> Cells {
    use DataType as Is;
    match column.data_type() {
        Is::Int8 => numbers::<Int8Type>(column, f64::from),
        Is::Int16 => numbers::<Int16Type>(column, f64::from),
        Is::Int32 => numbers::<Int32Type>(column, f64::from),
        Is::Int64 => whole::<Int64Type>(column, i64::unsigned_abs, |x| x as f64),
        Is::UInt8 => numbers::<UInt8Type>(column, f64::from),
        Is::UInt16 => numbers::<UInt16Type>(column, f64::from),
        Is::UInt32 => numbers::<UInt32Type>(column, f64::from),
        Is::UInt64 => whole::<UInt64Type>(column, |x| x, |x| x as f64),
        Is::Float16 => numbers::<Float16Type>(column, f64::from),
        Is::Float32 => numbers::<Float32Type>(column, f64::from),
        Is::Float64 => numbers::<Float64Type>(column, |x| x),
        Is::Decimal128(_, scale) => {
            let unit = libm::pow(10.0, f64::from(*scale));
            numbers::<Decimal128Type>(column, |x| x as f64 / unit)
        }
        Is::Boolean => {
            let column = column.as_boolean();
            texts(column, |row, text| put(text, column.value(row)))
        }
        Is::Utf8 => {
            let column = column.as_string::<i32>();
            texts(column, |row, text| text.push_str(column.value(row).trim()))
        }
        Is::LargeUtf8 => {
            let column = column.as_string::<i64>();
            texts(column, |row, text| text.push_str(column.value(row).trim()))
        }
        Is::Utf8View => {
            let column = column.as_string_view();
            texts(column, |row, text| text.push_str(column.value(row).trim()))
        }
        Is::Date32 => times::<Date32Type>(column, |days| date(i64::from(days))),
        Is::Date64 => times::<Date64Type>(column, |ms| date(ms.div_euclid(86_400_000))),
        Is::Timestamp(TimeUnit::Second, zone) => moments::<TimestampSecondType>(column, zone, 1),
        Is::Timestamp(TimeUnit::Millisecond, zone) => {
            moments::<TimestampMillisecondType>(column, zone, 1_000)
        }
        Is::Timestamp(TimeUnit::Microsecond, zone) => {
            moments::<TimestampMicrosecondType>(column, zone, 1_000_000)
        }
        Is::Timestamp(TimeUnit::Nanosecond, zone) => {
            moments::<TimestampNanosecondType>(column, zone, 1_000_000_000)
        }
        Is::Time32(TimeUnit::Second) => times::<Time32SecondType>(column, |x| clock(x.into(), 1)),
        Is::Time32(_) => times::<Time32MillisecondType>(column, |x| clock(x.into(), 1_000)),
        Is::Time64(TimeUnit::Microsecond) => {
            times::<Time64MicrosecondType>(column, |x| clock(x, 1_000_000))
        }
        Is::Time64(_) => times::<Time64NanosecondType>(column, |x| clock(x, 1_000_000_000)),
        Is::Duration(TimeUnit::Second) => numbers::<DurationSecondType>(column, |x| x as f64),
        Is::Duration(TimeUnit::Millisecond) => {
            numbers::<DurationMillisecondType>(column, |x| x as f64 / 1e3)
        }
        Is::Duration(TimeUnit::Microsecond) => {
            numbers::<DurationMicrosecondType>(column, |x| x as f64 / 1e6)
        }
        Is::Duration(TimeUnit::Nanosecond) => {
            numbers::<DurationNanosecondType>(column, |x| x as f64 / 1e9)
        }
        Is::Dictionary(..) => dictionary(column),
        Is::List(_) => {
            let column = column.as_list::<i32>();
            lists(column, |row| column.value(row))
        }
        Is::LargeList(_) => {
            let column = column.as_list::<i64>();
            lists(column, |row| column.value(row))
        }
        Is::FixedSizeList(..) => {
            let column = column.as_fixed_size_list();
            lists(column, |row| column.value(row))
        }
        // Nothing but nulls; other types are not readable.
        _ => Cells::Numbers(vec![f64::NAN; column.len()]),
    }
}

/// Numbers; NaN for nulls.
fn numbers<T: ArrowPrimitiveType>(column: &ArrayRef, to: impl Fn(T::Native) -> f64) -> Cells {
    let column = column.as_primitive::<T>();
    Cells::Numbers(match column.null_count() {
        0 => column.values().iter().map(|&x| to(x)).collect(),
        _ => column.iter().map(|x| x.map_or(f64::NAN, &to)).collect(),
    })
}

/// Whole numbers; as texts where one of them is no `f64`, as ids may be.
fn whole<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    size: impl Fn(T::Native) -> u64,
    to: impl Fn(T::Native) -> f64,
) -> Cells
where
    T::Native: Display,
{
    let values = column.as_primitive::<T>();
    match values.iter().flatten().all(|x| size(x) <= EXACT) {
        true => numbers::<T>(column, to),
        false => texts(values, |row, text| put(text, values.value(row))),
    }
}

/// Texts; empty ones for nulls.
fn texts(column: &dyn Array, write: impl Fn(usize, &mut String)) -> Cells {
    let (mut all, mut text) = (Texts::default(), String::new());
    for row in 0..column.len() {
        text.clear();
        if column.is_valid(row) {
            write(row, &mut text);
        }
        all.push(text.trim());
    }
    Cells::Text(all)
}

fn put(text: &mut String, value: impl Display) {
    // Writing to a string does not fail.
    let _ = write!(text, "{value}");
}

/// What can be written as a time, and nothing for what is too far away.
fn times<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    time: impl Fn(T::Native) -> Option<String>,
) -> Cells {
    let column = column.as_primitive::<T>();
    texts(column, |row, text| text.push_str(&time(column.value(row)).unwrap_or_default()))
}

fn date(days: i64) -> Option<String> {
    let moment = Timestamp::from_second(days.checked_mul(86_400)?).ok()?;
    Some(moment.to_zoned(jiff::tz::TimeZone::UTC).date().to_string())
}

/// A time of the day in `unit`s of a second.
fn clock(x: i64, unit: i64) -> Option<String> {
    let nanoseconds = x.checked_mul(1_000_000_000 / unit)?;
    let time = Time::midnight().checked_add(SignedDuration::from_nanos(nanoseconds)).ok()?;
    Some(time.to_string())
}

/// Moments in `unit`s of a second since 1970; those of a time zone end with `Z`, as they count from 1970 in UTC.
fn moments<T: ArrowPrimitiveType<Native = i64>>(
    column: &ArrayRef,
    zone: &Option<Arc<str>>,
    unit: i64,
) -> Cells {
    let end = if zone.is_some() { "Z" } else { "" };
    times::<T>(column, |x| {
        let fraction = x.rem_euclid(unit) * (1_000_000_000 / unit);
        let moment = Timestamp::new(x.div_euclid(unit), fraction as i32).ok()?;
        Some(format!("{}{end}", moment.to_zoned(jiff::tz::TimeZone::UTC).datetime()))
    })
}

/// Values that are kept once each.
fn dictionary(column: &ArrayRef) -> Cells {
    let column = column.as_any_dictionary();
    let values = cells(column.values());
    let keys = match column.values().is_empty() {
        true => vec![0; column.len()],
        false => column.normalized_keys(),
    };
    match values {
        Cells::Numbers(numbers) => {
            let number = |(row, &key): (usize, &usize)| match column.is_valid(row) {
                true => numbers.get(key).copied().unwrap_or(f64::NAN),
                false => f64::NAN,
            };
            Cells::Numbers(keys.iter().enumerate().map(number).collect())
        }
        Cells::Text(all) => texts(column, |row, text| text.push_str(all.get(keys[row]))),
    }
}

/// Lists, with semicolons between what is in them.
fn lists(column: &dyn Array, list: impl Fn(usize) -> ArrayRef) -> Cells {
    texts(column, |row, text| {
        let items = list(row);
        let within = cells(&items);
        for i in 0..items.len() {
            if i > 0 {
                text.push(';');
            }
            text.push_str(&within.text(i));
        }
    })
}
