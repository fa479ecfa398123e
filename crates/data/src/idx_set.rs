//! Image sets in IDX files: finding the files of a folder, pairing images with labels, and checking that what they
//! say makes sense together.

use std::path::{Path, PathBuf};

use crate::dataset::Dataset;
use crate::detect::{Form, Found};
use crate::encoding::Encoding;
use crate::error::DataError;
use crate::features::{Features, Raw};
use crate::idx::{Elements, Idx};
use crate::idx_problem::IdxProblem;
use crate::place::Place;
use crate::source::Loaded;
use crate::targets::Targets;

/// The largest label that is believed; beyond it the file is taken for something else than labels.
const MAX_LABEL: i64 = 65_535;
/// The value that stands for 1 in an image of bytes.
const FULL_BYTE: f32 = 255.0;

/// The part of a set that a file name stands for, as `train` in `train-images-idx3-ubyte.gz`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileName {
    part: String,
    role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Images,
    Labels,
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Role::Images => "images",
            Role::Labels => "labels",
        }
    }

    fn axes(self) -> u8 {
        match self {
            Role::Images => 3,
            Role::Labels => 1,
        }
    }
}

impl FileName {
    /// Takes apart `PART-images-idx3-ubyte`, `PART-labels.idx1-ubyte` and their like, with or without `.gz`.
    pub(crate) fn parse(path: &Path) -> Option<FileName> {
        let name = path.file_name()?.to_str()?;
        let name = name.strip_suffix(".gz").unwrap_or(name);
        [Role::Images, Role::Labels].into_iter().find_map(|role| {
            let (part, rest) = name.split_once(&format!("-{}", role.word()))?;
            let axes = rest.strip_prefix(['-', '.'])?.strip_prefix("idx")?;
            let known = !part.is_empty() && axes.starts_with(|c: char| c.is_ascii_digit());
            known.then(|| FileName { part: part.into(), role })
        })
    }
}

/// The first file (by name, so plain before `.gz`) that is the given role of the given part.
fn find(folder: &Path, part: &str, role: Role) -> Result<Option<PathBuf>, DataError> {
    let failed = |source| DataError::Io { path: folder.into(), source };
    let wanted = FileName { part: part.into(), role };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if FileName::parse(&path).as_ref() == Some(&wanted) && path.is_file() {
            found.push(path);
        }
    }
    Ok(found.into_iter().min())
}

fn need(folder: &Path, part: &str, role: Role, hint: &str) -> Result<PathBuf, DataError> {
    find(folder, part, role)?.ok_or_else(|| DataError::MissingFile {
        folder: folder.into(),
        wanted: format!("{part}-{}-idx{}-ubyte[.gz]", role.word(), role.axes()),
        hint: hint.into(),
    })
}

/// Whether the folder holds a file of the training part.
pub(crate) fn is_set(folder: &Path) -> Result<bool, DataError> {
    Ok(find(folder, "train", Role::Images)?.is_some()
        || find(folder, "train", Role::Labels)?.is_some())
}

/// Reads a folder, or the pair that a file belongs to. `known`: the class names, where a trained network has already
/// said them.
pub(crate) fn read(
    found: &Found,
    name: &str,
    known: Option<&[String]>,
) -> Result<Loaded, DataError> {
    let path = &found.path;
    let (train, test) = match (found.form, FileName::parse(path)) {
        (Form::Folder, _) => read_folder(path, name, known)?,
        (_, Some(named)) => (read_pair_of(path, &named, name, known)?, None),
        (_, None) => return Err(unnamed(path)),
    };
    Ok(Loaded::of(train, test, Encoding::Values))
}

/// Reads images to predict on: those of a folder, or any IDX file of images.
pub(crate) fn read_features(found: &Found) -> Result<Features, DataError> {
    let path = match found.form {
        Form::Folder => images_of(&found.path)?,
        _ => found.path.clone(),
    };
    features(Idx::read(&path)?, &path)
}

fn unnamed(path: &Path) -> DataError {
    DataError::content(
        Place::file(path),
        "its name does not say which part of an IDX set it is",
        "call the files train-images-idx3-ubyte and train-labels-idx1-ubyte, plain or .gz",
    )
}

/// The images to predict on in a folder: those of the test part where it has one.
fn images_of(folder: &Path) -> Result<PathBuf, DataError> {
    match find(folder, "t10k", Role::Images)? {
        Some(path) => Ok(path),
        None => need(
            folder,
            "train",
            Role::Images,
            "put the images there, or name an images file itself",
        ),
    }
}

/// Reads the training part and, where it is there, the test part (`t10k`) of a folder.
///
/// `known`: the class names, where a trained network has already said them.
fn read_folder(
    folder: &Path,
    name: &str,
    known: Option<&[String]>,
) -> Result<(Dataset, Option<Dataset>), DataError> {
    let hint = "an IDX set needs the images and the labels of its training part in one folder";
    let (images, labels) =
        (need(folder, "train", Role::Images, hint)?, need(folder, "train", Role::Labels, hint)?);
    let test_images = find(folder, "t10k", Role::Images)?;
    let test_labels = find(folder, "t10k", Role::Labels)?;
    if test_images.is_some() != test_labels.is_some() {
        let missing = if test_images.is_some() { Role::Labels } else { Role::Images };
        need(
            folder,
            "t10k",
            missing,
            "bring the missing half of the test part, or move the other half elsewhere",
        )?;
    }

    let train = read_pair(&images, &labels, name.to_string(), known)?;
    let test = match test_images.zip(test_labels) {
        None => None,
        Some((test_images, test_labels)) => {
            let known = train.targets.names();
            let test = read_pair(&test_images, &test_labels, format!("{name}-test"), known)?;
            let (ours, theirs) = (train.features.describe(), test.features.describe());
            if ours != theirs {
                let (train_path, test_path) = (images, test_images);
                return Err(DataError::PartMismatch {
                    train_path,
                    train: ours,
                    test_path,
                    test: theirs,
                });
            }
            Some(test)
        }
    };
    Ok((train, test))
}

/// Reads the pair that an images or a labels file belongs to, from the folder it is in.
fn read_pair_of(
    file: &Path,
    named: &FileName,
    name: &str,
    known: Option<&[String]>,
) -> Result<Dataset, DataError> {
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let file_of = |role| {
        if role == named.role {
            return Ok(file.to_path_buf());
        }
        need(folder, &named.part, role, "put the images and their labels beside each other")
    };
    read_pair(&file_of(Role::Images)?, &file_of(Role::Labels)?, name.to_string(), known)
}

/// `known`: the class names, where another part of the set or a network has already said them.
fn read_pair(
    images: &Path,
    labels: &Path,
    name: String,
    known: Option<&[String]>,
) -> Result<Dataset, DataError> {
    let features = features(Idx::read(images)?, images)?;
    let targets = classes(Idx::read(labels)?, labels, known)?;
    if features.rows() != targets.rows() {
        return Err(DataError::CountMismatch {
            images_path: images.into(),
            images: features.rows(),
            labels_path: labels.into(),
            labels: targets.rows(),
        });
    }
    Dataset::new(name, features, targets)
}

/// The images of an IDX file: two or more axes, the first one counting the samples. Bytes stay bytes with full
/// scale 255, all other types become `f32` with full scale 1.
pub(crate) fn features(idx: Idx, path: &Path) -> Result<Features, DataError> {
    let (header, element, size) = (idx.header_len(), idx.elements.type_name(), idx.elements.size());
    if idx.dims.len() < 2 {
        let problem = IdxProblem::WrongAxes {
            role: "images",
            expected: "two axes or more",
            dims: idx.dims,
            element,
        };
        return Err(DataError::Idx { path: path.into(), problem });
    }
    let shape = idx.dims[1..].to_vec();
    let non_finite = |i: usize, value: f64| {
        let row = i / shape.iter().product::<usize>();
        let problem = IdxProblem::NonFinite { row, at: (header + i * size) as u64, value };
        DataError::Idx { path: path.into(), problem }
    };
    let narrow = |(i, value): (usize, f64)| {
        let narrow = value as f32;
        if narrow.is_finite() { Ok(narrow) } else { Err(non_finite(i, value)) }
    };
    let raw = match idx.elements {
        Elements::U8(values) => {
            return Features::new(Raw::U8(values), shape)?.with_full_scale(FULL_BYTE);
        }
        Elements::I8(values) => values.into_iter().map(f32::from).collect(),
        Elements::I16(values) => values.into_iter().map(f32::from).collect(),
        Elements::I32(values) => values.into_iter().map(|value| value as f32).collect(),
        Elements::F32(values) => match values.iter().position(|value| !value.is_finite()) {
            Some(i) => return Err(non_finite(i, values[i].into())),
            None => values,
        },
        Elements::F64(values) => {
            values.into_iter().enumerate().map(narrow).collect::<Result<_, _>>()?
        }
    };
    Features::new(Raw::F32(raw), shape)
}

/// The classes of an IDX label file: one axis of whole numbers from 0. Where their names are not known from another
/// part of the set, they are the numbers themselves, and none up to the largest may be missing.
pub(crate) fn classes(
    idx: Idx,
    path: &Path,
    known: Option<&[String]>,
) -> Result<Targets, DataError> {
    match known {
        Some(names) => {
            let hint = "the classes learnt end there; take data from the same set";
            let labels = label_numbers(idx, path, names.len() as i64 - 1, hint)?;
            Ok(Targets::Classes { labels, names: names.to_vec() })
        }
        None => {
            let hint = "a label is the number of a class, counted from 0; is this the label file?";
            let labels = label_numbers(idx, path, MAX_LABEL, hint)?;
            let names = names_without_gaps(&labels, path)?;
            Ok(Targets::Classes { labels, names })
        }
    }
}

/// `0`, `1`, … up to the largest label, each of which must occur; no label is negative.
fn names_without_gaps(labels: &[i64], path: &Path) -> Result<Vec<String>, DataError> {
    let max = labels.iter().copied().max().unwrap_or(0);
    let mut seen = vec![false; max as usize + 1];
    for &label in labels {
        seen[label as usize] = true;
    }
    let missing = seen.iter().enumerate().filter(|(_, seen)| !**seen);
    let missing: Vec<String> = missing.map(|(label, _)| label.to_string()).collect();
    if missing.is_empty() {
        return Ok((0..=max).map(|label| label.to_string()).collect());
    }
    let shown = missing.len().min(10);
    let more = if shown < missing.len() {
        format!(" and {} more", missing.len() - shown)
    } else {
        String::new()
    };
    Err(DataError::LabelGap {
        path: path.into(),
        missing: missing[..shown].join(", ") + &more,
        max,
    })
}

/// The labels of an IDX file, all of them from 0 to `limit`.
fn label_numbers(
    idx: Idx,
    path: &Path,
    limit: i64,
    hint: &'static str,
) -> Result<Vec<i64>, DataError> {
    let (header, element, size) = (idx.header_len(), idx.elements.type_name(), idx.elements.size());
    let fail = |problem| Err(DataError::Idx { path: path.into(), problem });
    let swapped = |dims| IdxProblem::WrongAxes {
        role: "labels",
        expected: "one axis of whole numbers",
        dims,
        element,
    };
    if idx.dims.len() != 1 {
        return fail(swapped(idx.dims));
    }
    let labels: Vec<i64> = match idx.elements {
        Elements::U8(values) => values.into_iter().map(i64::from).collect(),
        Elements::I8(values) => values.into_iter().map(i64::from).collect(),
        Elements::I16(values) => values.into_iter().map(i64::from).collect(),
        Elements::I32(values) => values.into_iter().map(i64::from).collect(),
        Elements::F32(_) | Elements::F64(_) => return fail(swapped(idx.dims)),
    };
    if let Some(row) = labels.iter().position(|label| !(0..=limit).contains(label)) {
        let at = (header + row * size) as u64;
        return fail(IdxProblem::LabelRange { row, at, label: labels[row], max: limit, hint });
    }
    Ok(labels)
}
