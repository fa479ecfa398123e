//! Arrays of numbers as NumPy writes them: `.npy`, and pairs of them in a `.npz`, of which the second is the target.
//!
//! The format is that of NumPy's `numpy.lib.format`: magic, version, the length of a header, and the header, a Python
//! dictionary with the type (`descr`), the order (`fortran_order`) and the shape.

use std::fs::File;
use std::sync::Arc;

use super::Rows;
use super::input::Location;
use super::pipeline::Take;
use crate::error::DataError;
use crate::files::Files;
use crate::place::Place;
use crate::spill::read_at;
use crate::tabular::chunk::Cells;

/// Numbers of a chunk, about.
const CHUNK: usize = 1 << 17;
/// The longest header that is believed.
const HEADER: usize = 1 << 16;
/// Names that pairs of arrays have, in small letters.
const PAIRS: [[&str; 2]; 3] = [["x", "y"], ["data", "target"], ["features", "labels"]];

/// An array of two axes in a file; other axes than the first are one.
struct Array {
    file: File,
    place: Place,
    /// Where the first number is.
    start: u64,
    number: Number,
    rows: u64,
    columns: usize,
    /// Whether the numbers of a column lie behind each other, not those of a row.
    by_column: bool,
}

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Number {
    /// `f`, `i`, `u` or `b`.
    kind: char,
    /// Its bytes.
    size: usize,
    big_endian: bool,
}

/// The columns of a file: their numbers from 1; the one of a second array is called `y` or as the array is.
pub(super) fn columns(file: &Location) -> Result<Vec<String>, DataError> {
    let arrays = open(file)?;
    let mut names = Vec::new();
    for (name, array) in &arrays {
        match name {
            None => names.extend((1..=array.columns).map(|i| i.to_string())),
            Some(name) if array.columns == 1 => names.push(name.clone()),
            Some(name) => names.extend((1..=array.columns).map(|i| format!("{name}{i}"))),
        }
    }
    Ok(names)
}

/// Makes jobs of the rows of a file.
pub(super) fn read(file: &Location, take: Take<'_, Rows>) -> Result<bool, DataError> {
    let arrays: Arc<Vec<_>> = Arc::new(open(file)?);
    let width: usize = arrays.iter().map(|(_, array)| array.columns).sum();
    let rows = arrays.first().map_or(0, |(_, array)| array.rows);
    let step = (CHUNK / width.max(1)).max(1);
    for first in (0..rows).step_by(step) {
        let (arrays, place) = (arrays.clone(), file.place());
        let count = step.min((rows - first) as usize);
        let job = move || {
            let mut rows = Rows::of(place);
            for (_, array) in arrays.iter() {
                rows.columns.extend(array.read(first, count)?);
            }
            rows.at.extend(first + 1..=first + count as u64);
            Ok(rows)
        };
        if !take(Box::new(job)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The arrays of a file, the second one with its name.
fn open(file: &Location) -> Result<Vec<(Option<String>, Array)>, DataError> {
    if !file.name().ends_with(".npz") {
        return Ok(vec![(None, Array::open(file.file()?, file.place())?)]);
    }
    if file.entry.is_some() {
        let hint = "unpack the zip first";
        return Err(DataError::content(file.place(), "an .npz within a zip is not read", hint));
    }
    let files = Files::zip(&file.path)?;
    let arrays = Location::of(&files);
    let names: Vec<String> = arrays.iter().map(|array| array.stem()).collect();
    let find = |wanted: &str| names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
    let pair = PAIRS.iter().find_map(|[x, y]| Some((find(x)?, find(y)?)));
    let open = |i: usize| Array::open(arrays[i].file()?, arrays[i].place());
    match (pair, arrays.len()) {
        (Some((x, y)), _) => {
            let (x, target) = (open(x)?, open(y)?);
            if x.rows != target.rows {
                let problem =
                    format!("it has {} rows, the other array has {}", target.rows, x.rows);
                let hint = "both arrays describe the same rows; save them again";
                return Err(DataError::content(target.place, problem, hint));
            }
            Ok(vec![(None, x), (Some(names[y].clone()), target)])
        }
        (None, 1) => Ok(vec![(None, open(0)?)]),
        (None, _) => Err(DataError::content(
            file.place(),
            format!(
                "which of its arrays is the target is not clear; there are {}",
                names.join(", ")
            ),
            "call them x and y",
        )),
    }
}

impl Array {
    fn open(file: File, place: Place) -> Result<Array, DataError> {
        let fail = |problem: String| {
            let hint = "an array of numbers is read, as numpy.save writes it";
            DataError::content(place.clone(), problem, hint)
        };
        let short = |_| fail("the file is cut short".into());
        let mut start = [0; 12];
        read_at(&file, &mut start[..10], 0).map_err(short)?;
        if !start.starts_with(b"\x93NUMPY") {
            return Err(fail("the file is no NumPy array".into()));
        }
        let (begin, length) = match start[6] {
            1 => (10, u32::from(u16::from_le_bytes([start[8], start[9]]))),
            _ => {
                read_at(&file, &mut start, 0).map_err(short)?;
                (12, u32::from_le_bytes([start[8], start[9], start[10], start[11]]))
            }
        };
        if length as usize > HEADER {
            return Err(fail(format!("a header of {length} bytes is not believed")));
        }
        let mut header = vec![0; length as usize];
        read_at(&file, &mut header, begin).map_err(short)?;
        let header = String::from_utf8_lossy(&header);
        let descr = field(&header, "descr").trim_matches(['\'', '"']);
        let Some(number) = Number::of(descr) else {
            return Err(fail(format!("its elements are '{descr}', no numbers")));
        };
        let shape = field(&header, "shape").trim_matches(['(', ')']);
        let axes: Result<Vec<u64>, _> = shape
            .split(',')
            .map(str::trim)
            .filter(|axis| !axis.is_empty())
            .map(str::parse)
            .collect();
        let axes = axes.ok().filter(|axes| !axes.is_empty());
        let Some([rows, inner @ ..]) = axes.as_deref() else {
            return Err(fail(format!("its shape ({shape}) has no rows")));
        };
        let by_column = field(&header, "fortran_order") == "True";
        if by_column && inner.len() > 1 {
            return Err(fail(format!("its shape ({shape}) has more than two axes, columns first")));
        }
        let columns = inner.iter().try_fold(1u64, |n, &axis| n.checked_mul(axis));
        let start = begin + u64::from(length);
        let whole = columns.and_then(|n| n.checked_mul(*rows)?.checked_mul(number.size as u64));
        let held = file.metadata().map_or(0, |data| data.len());
        match (columns, whole.and_then(|bytes| bytes.checked_add(start))) {
            (Some(columns @ 1..), Some(end)) if end <= held => Ok(Array {
                file,
                place,
                start,
                number,
                rows: *rows,
                columns: columns as usize,
                by_column,
            }),
            _ => Err(fail(format!("it holds {held} bytes, too few for its shape ({shape})"))),
        }
    }

    /// `count` rows from `first` on, by column.
    fn read(&self, first: u64, count: usize) -> Result<Vec<Cells>, DataError> {
        let Array { file, number, columns, .. } = self;
        let size = number.size;
        let load = |at: u64, n: usize| {
            let mut bytes = vec![0; n * size];
            let read = read_at(file, &mut bytes, self.start + at * size as u64);
            read.map_err(|source| DataError::Io { path: self.place.path.clone(), source })?;
            Ok(bytes)
        };
        let rows = match self.by_column {
            true => Vec::new(),
            false => load(first * *columns as u64, count * columns)?,
        };
        let column = |column: usize| {
            let own = match self.by_column {
                true => Some(load(column as u64 * self.rows + first, count)?),
                false => None,
            };
            let at = |row: usize| match &own {
                Some(bytes) => &bytes[row * size..(row + 1) * size],
                None => &rows[(row * columns + column) * size..][..size],
            };
            Ok(Cells::Numbers((0..count).map(|row| number.value(at(row))).collect()))
        };
        (0..*columns).map(column).collect()
    }
}

impl Number {
    /// From a type as NumPy writes it, such as `<f8`.
    fn of(descr: &str) -> Option<Number> {
        let mut letters = descr.chars();
        let big_endian = match letters.next()? {
            '<' | '|' | '=' => false,
            '>' => true,
            _ => return None,
        };
        let kind = letters.next()?;
        let size: usize = letters.as_str().parse().ok()?;
        let known = match kind {
            'f' => [4, 8].contains(&size),
            'i' | 'u' => [1, 2, 4, 8].contains(&size),
            'b' => size == 1,
            _ => false,
        };
        known.then_some(Number { kind, size, big_endian })
    }

    /// The number in as many bytes as it has.
    fn value(self, bytes: &[u8]) -> f64 {
        let mut word = [0; 8];
        word[..self.size].copy_from_slice(bytes);
        if self.big_endian {
            word[..self.size].reverse();
        }
        let bits = u64::from_le_bytes(word);
        match (self.kind, self.size) {
            ('f', 4) => f64::from(f32::from_bits(bits as u32)),
            ('f', _) => f64::from_bits(bits),
            ('i', size) => {
                let unused = 64 - 8 * size as u32;
                ((bits << unused) as i64 >> unused) as f64
            }
            _ => bits as f64,
        }
    }
}

/// What stands behind a key of a header, up to the comma or the bracket that ends it.
fn field<'a>(header: &'a str, key: &str) -> &'a str {
    let Some((_, rest)) = header.split_once(&format!("'{key}'")) else { return "" };
    let value = rest.trim_start_matches([':', ' ']);
    let end = match value.starts_with('(') {
        true => value.find(')').map(|at| at + 1),
        false => value.find([',', '}']),
    };
    value[..end.unwrap_or(value.len())].trim()
}
