//! Safetensors: a store's values as bytes that PyTorch reads, and back.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use thalweg_graph::{DType, Value};

use super::names::nearest;
use super::{EntryKind, LoadReport, MisShaped, Store, StoreError};

/// The header's key that says which kinds a file holds, where they are more than the model.
const KINDS: &str = "thalweg.kinds";

impl Store {
    /// The entries of `kinds` as a safetensors file, under PyTorch's names. Equal stores give equal bytes; a
    /// shared parameter is written once, under its first name.
    pub fn to_safetensors(&self, kinds: &[EntryKind]) -> Result<Vec<u8>, StoreError> {
        let mut views = Vec::new();
        for entry in self.entries().filter(|entry| kinds.contains(&entry.kind())) {
            let value = entry.value();
            let view =
                TensorView::new(file_dtype(value.dtype()), value.shape().to_vec(), value.bytes());
            views.push((entry.name(), view.map_err(format)?));
        }
        // One key only: the format keeps metadata in a hash map, whose order would differ from run to run.
        let all = EntryKind::ALL.into_iter().filter(|kind| kinds.contains(kind));
        let names: Vec<&str> = all.map(EntryKind::name).collect();
        let metadata = match kinds.iter().all(|kind| EntryKind::MODEL.contains(kind)) {
            true => ("format".to_owned(), "pt".to_owned()),
            false => (KINDS.to_owned(), names.join(" ")),
        };
        serialize(views, Some([metadata].into_iter().collect())).map_err(format)
    }

    /// Takes the values of a safetensors file into the entries of the same names (aliases of shared parameters
    /// count as names). Another float or integer type is converted.
    ///
    /// A file must hold every parameter and buffer; a checkpoint (a file written with more kinds) every entry
    /// of its kinds. With `strict`, anything missing, unexpected or mis-shaped is an error that lists all of
    /// it, and nothing is changed; otherwise what fits is taken and the report says what did not.
    ///
    /// ```
    /// use thalweg_nn::{EntryKind, Linear, Store};
    /// let layer = Linear::new(3, 2);
    /// let (mut a, mut b) = (Store::new(1), Store::new(2));
    /// a.bind(&layer)?;
    /// b.bind(&layer)?;
    /// let report = b.load_safetensors(&a.to_safetensors(&EntryKind::MODEL)?, true)?;
    /// assert!(report.is_clean());
    /// assert_eq!(a.value("weight"), b.value("weight"));
    /// # Ok::<(), thalweg_nn::StoreError>(())
    /// ```
    pub fn load_safetensors(
        &mut self,
        bytes: &[u8],
        strict: bool,
    ) -> Result<LoadReport, StoreError> {
        let file = SafeTensors::deserialize(bytes).map_err(format)?;
        let mut names = file.names();
        names.sort_unstable();

        let mut report = LoadReport::default();
        let mut taken: HashMap<usize, Value> = HashMap::new();
        for name in names {
            let Some(place) = self.place(name) else {
                report.unexpected.push(name.to_owned());
                continue;
            };
            // A file that also holds a shared parameter under its second name says nothing new there.
            let entry = &self.entries[place];
            if entry.name != name && file.tensor(&entry.name).is_ok() {
                continue;
            }
            let view = file.tensor(name).map_err(format)?;
            match convert(&view, &entry.value) {
                Some(value) => {
                    taken.insert(place, value);
                }
                None => report.mis_shaped.push(MisShaped {
                    name: name.to_owned(),
                    expected: format!("{}{}", entry.value.dtype(), entry.value.shape()),
                    found: format!("{}{:?}", view.dtype().to_string().to_lowercase(), view.shape()),
                }),
            }
        }

        let kinds = kinds_of(bytes)?;
        let in_file = |place: &usize| {
            let name = &self.entries[*place].name;
            taken.contains_key(place)
                || report.mis_shaped.iter().any(|m| self.is_name(&m.name, name))
        };
        let absent = (0..self.entries.len())
            .filter(|place| kinds.contains(&self.entries[*place].kind) && !in_file(place));
        let missing: Vec<String> = absent.map(|place| self.entries[place].name.clone()).collect();
        for name in &missing {
            if let Some(near) = nearest(name, report.unexpected.iter().map(String::as_str)) {
                report.similar.push((name.clone(), near.to_owned()));
            }
        }
        report.missing = missing;

        if strict && !report.is_clean() {
            return Err(StoreError::Mismatch(report));
        }
        for (place, value) in taken {
            self.entries[place].value = value;
        }
        Ok(report)
    }

    fn is_name(&self, name: &str, entry: &str) -> bool {
        name == entry || self.owner_of(name) == Some(entry)
    }
}

fn format(error: safetensors::SafeTensorError) -> StoreError {
    StoreError::Format(error.to_string())
}

/// The kinds of entries that a file must hold.
fn kinds_of(bytes: &[u8]) -> Result<Vec<EntryKind>, StoreError> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(format)?;
    let named = header.metadata().as_ref().and_then(|metadata| metadata.get(KINDS));
    Ok(match named {
        Some(names) => {
            let names: Vec<&str> = names.split_whitespace().collect();
            EntryKind::ALL.into_iter().filter(|kind| names.contains(&kind.name())).collect()
        }
        None => EntryKind::MODEL.to_vec(),
    })
}

/// What a type of elements is called in safetensors files.
#[must_use]
pub fn file_dtype(dtype: DType) -> Dtype {
    match dtype {
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
        DType::I64 => Dtype::I64,
        DType::I32 => Dtype::I32,
        DType::U8 => Dtype::U8,
        DType::Bool => Dtype::BOOL,
    }
}

/// The tensor of a file as a value like `like`; `None` where shape or sort of type differ, or where an integer
/// does not fit.
fn convert(view: &TensorView<'_>, like: &Value) -> Option<Value> {
    if view.shape() != like.shape().dims() {
        return None;
    }
    let (data, dtype) = (view.data(), like.dtype());
    if view.dtype() == file_dtype(dtype) && dtype != DType::Bool {
        let mut value = Value::zeros(dtype, like.shape());
        value.bytes_mut().copy_from_slice(data);
        return Some(value);
    }
    match dtype {
        DType::F32 | DType::F64 => {
            Value::from_f64(dtype, &floats(view.dtype(), data)?, like.shape())
        }
        DType::Bool if view.dtype() == Dtype::BOOL => {
            Value::from_bools(&data.iter().map(|&b| b != 0).collect::<Vec<_>>(), like.shape())
        }
        DType::Bool => None,
        _ => {
            let wide = integers(view.dtype(), data)?;
            let fits = wide.iter().all(|&x| dtype.wrap_int(x) == x);
            fits.then(|| Value::from_i64(dtype, &wide, like.shape())).flatten()
        }
    }
}

fn floats(dtype: Dtype, data: &[u8]) -> Option<Vec<f64>> {
    Some(match dtype {
        Dtype::F64 => each(data, f64::from_le_bytes),
        Dtype::F32 => each(data, |b| f32::from_le_bytes(b) as f64),
        // A bf16 is the upper half of an f32.
        Dtype::BF16 => each(data, |[lo, hi]| f32::from_le_bytes([0, 0, lo, hi]) as f64),
        Dtype::F16 => each(data, |b| half(u16::from_le_bytes(b))),
        _ => return None,
    })
}

fn integers(dtype: Dtype, data: &[u8]) -> Option<Vec<i64>> {
    Some(match dtype {
        Dtype::I64 => each(data, i64::from_le_bytes),
        Dtype::I32 => each(data, |b| i32::from_le_bytes(b) as i64),
        Dtype::I16 => each(data, |b| i16::from_le_bytes(b) as i64),
        Dtype::U8 => each(data, |[b]| b as i64),
        _ => return None,
    })
}

fn each<const N: usize, T>(data: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    data.as_chunks::<N>().0.iter().map(|&bytes| read(bytes)).collect()
}

/// IEEE binary16: sign, 5 bits of exponent (bias 15), 10 of fraction.
fn half(bits: u16) -> f64 {
    let fraction = (bits & 0x3ff) as f64;
    let size = match (bits >> 10) & 0x1f {
        0 => fraction * libm::exp2(-24.0),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (1024.0 + fraction) * libm::exp2(exponent as f64 - 25.0),
    };
    if bits >> 15 == 1 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_read_exactly() {
        let cases = [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 1365.0 / 4096.0),
            (0x7bff, 65504.0),
            (0x0001, libm::exp2(-24.0)),
            (0xfc00, f64::NEG_INFINITY),
        ];
        for (bits, want) in cases {
            assert_eq!(half(bits), want, "{bits:#06x}");
        }
        assert!(half(0x7e00).is_nan());
        assert!(half(0x8000).is_sign_negative());
    }

    #[test]
    fn other_float_types_convert_and_integers_that_do_not_fit_are_refused() {
        let shape = vec![2];
        let like = Value::zeros(DType::F32, [2]);
        let bytes: Vec<u8> = [1.5f64, -2.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::F64, shape.clone(), &bytes).unwrap();
        assert_eq!(convert(&view, &like).unwrap().to_f64(), [1.5, -2.0]);
        let view = TensorView::new(Dtype::BF16, shape.clone(), &[0xc0, 0x3f, 0, 0xc0]).unwrap();
        assert_eq!(convert(&view, &like).unwrap().to_f64(), [1.5, -2.0]);
        let bytes: Vec<u8> = [7i64, 1 << 40].iter().flat_map(|x| x.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::I64, shape, &bytes).unwrap();
        assert_eq!(convert(&view, &Value::zeros(DType::I32, [2])), None);
        assert_eq!(convert(&view, &Value::zeros(DType::I64, [2])).unwrap().to_i64(), [7, 1 << 40]);
        assert_eq!(convert(&view, &like), None);
    }
}
