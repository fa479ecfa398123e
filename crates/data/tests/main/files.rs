//! Files for the tests: IDX bytes as a writer makes them, and folders that hold them.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;
use thalweg_data::DataError;

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
