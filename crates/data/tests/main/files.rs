//! Files for the tests: bytes as writers make them, and folders and zips that hold them.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;
use thalweg_data::{DataError, Encoding, Features, Loaded, Raw, Targets};

/// A header with the given type code and axes, then the elements.
pub fn idx(code: u8, dims: &[u32], elements: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, code, dims.len() as u8];
    for dim in dims {
        bytes.extend(dim.to_be_bytes());
    }
    bytes.extend(elements);
    bytes
}

/// An IDX file of bytes.
pub fn idx_u8(dims: &[u32], elements: &[u8]) -> Vec<u8> {
    idx(0x08, dims, elements)
}

pub fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn put(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

pub const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";
pub const TRAIN_LABELS: &str = "train-labels-idx1-ubyte";
pub const TEST_IMAGES: &str = "t10k-images-idx3-ubyte";
pub const TEST_LABELS: &str = "t10k-labels-idx1-ubyte";

/// `n` images of 2×3 whose pixels count up.
pub fn images(n: u32) -> Vec<u8> {
    idx_u8(&[n, 2, 3], &(0..n * 6).map(|i| i as u8).collect::<Vec<_>>())
}

pub fn labels(labels: &[u8]) -> Vec<u8> {
    idx_u8(&[labels.len() as u32], labels)
}

/// A valid set: six training images of three classes, two test images.
pub fn set() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), TRAIN_IMAGES, &images(6));
    put(folder.path(), TRAIN_LABELS, &labels(&[0, 1, 2, 2, 1, 0]));
    put(folder.path(), TEST_IMAGES, &images(2));
    put(folder.path(), TEST_LABELS, &labels(&[2, 0]));
    folder
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A folder with these files in folders of its own.
pub fn tree<N: AsRef<str>, B: AsRef<[u8]>>(files: &[(N, B)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name.as_ref());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

/// A zip with these entries.
pub fn zipped<N: AsRef<str>, B: AsRef<[u8]>>(files: &[(N, B)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(name.as_ref(), zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes.as_ref()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A file of this name alone in a folder.
pub fn one(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = put(folder.path(), name, bytes);
    (folder, path)
}

/// 16-bit samples, the channels of each moment side by side.
pub fn wav(rate: u32, channels: u16, samples: &[i16]) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut bytes = Vec::new();
    let mut writer = hound::WavWriter::new(std::io::Cursor::new(&mut bytes), spec).unwrap();
    samples.iter().for_each(|&sample| writer.write_sample(sample).unwrap());
    writer.finalize().unwrap();
    bytes
}

/// A tone of so many samples.
pub fn tone(hertz: f64, rate: u32, samples: usize) -> Vec<i16> {
    let turn = std::f64::consts::TAU * hertz / f64::from(rate);
    (0..samples).map(|i| (16_000.0 * (turn * i as f64).sin()) as i16).collect()
}

/// A grey image whose pixels are `pixel(row, column)`.
pub fn png(height: u32, width: u32, pixel: impl Fn(u32, u32) -> u8) -> Vec<u8> {
    let image = image::GrayImage::from_fn(width, height, |x, y| image::Luma([pixel(y, x)]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// The labels and the class names.
pub fn classes(targets: &Targets) -> (&[i64], Vec<&str>) {
    match targets {
        Targets::Classes { labels, names } | Targets::Sequence { labels, names, .. } => {
            (labels, names.iter().map(String::as_str).collect())
        }
        Targets::Values { .. } | Targets::Labels { .. } => panic!("classes were expected"),
    }
}

pub fn ids(features: &Features) -> &[i64] {
    match features.raw() {
        Raw::I64(ids) => ids,
        _ => panic!("ids were expected"),
    }
}

/// The encoding after a trip through JSON, as in a saved run.
pub fn kept(loaded: &Loaded) -> Encoding {
    let json = serde_json::to_string(&loaded.encoding).unwrap();
    let encoding = serde_json::from_str(&json).unwrap();
    assert_eq!(loaded.encoding, encoding, "{json}");
    encoding
}

/// The message must hold every one of these, the error must end with a hint.
#[track_caller]
pub fn assert_says<T: std::fmt::Debug>(result: Result<T, DataError>, wanted: &[&str]) {
    let error = result.expect_err("an error was expected");
    let message = error.to_string();
    for part in wanted {
        assert!(message.contains(part), "'{part}' is not in: {message}");
    }
    assert!(!error.hint().is_empty(), "no hint in: {message}");
    assert_eq!(message, format!("{}\nhint: {}", error.message(), error.hint()));
    assert_eq!(message.lines().count(), 2, "{message}");
}
