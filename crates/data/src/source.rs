//! From what the user typed to data in memory: the name of an embedded set, a folder, or a file. A new kind of
//! source is recognised here and read in a module of its own.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::dataset::Dataset;
use crate::encoding::Encoding;
use crate::error::{DataError, IdxProblem};
use crate::features::Features;
use crate::idx::Idx;
use crate::idx_set::{self, FileName};
use crate::options::{Kind, SourceOptions};
use crate::split::Split;
use crate::targets::Targets;
use crate::{digits, suggest};

/// A source, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What to learn from; validation rows are split off it.
    pub train: Dataset,
    /// The test part that the set brings itself; its samples have the shape and the classes of `train`.
    pub test: Option<Dataset>,
    /// How the files became features.
    pub encoding: Encoding,
    /// The split of `train` that the kind of data dictates, where it does: the end of a text for validation, the end
    /// of a series for the test. Where `test` is there, the test rows of this split are none.
    pub parts: Option<Split>,
    /// Further fields of each row of `train`, by name: those of the label pattern, such as `speaker` and `take`.
    pub fields: BTreeMap<String, Vec<String>>,
    /// What was done to the rows that one should know of, such as how many were left out and why; one line each.
    pub notes: Vec<String>,
    /// Who is to be named where the data is shown.
    pub attribution: Option<&'static str>,
}

impl Loaded {
    /// A set that needs nothing but its values.
    fn plain(train: Dataset, test: Option<Dataset>) -> Loaded {
        Loaded {
            train,
            test,
            encoding: Encoding::Values,
            parts: None,
            fields: BTreeMap::new(),
            notes: Vec::new(),
            attribution: None,
        }
    }
}

/// A data set inside the program.
#[derive(Debug, Clone, Copy)]
pub struct Embedded {
    /// What to call it by.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// Who made it and under which licence it is passed on.
    pub attribution: &'static str,
    load: fn() -> Result<Dataset, DataError>,
}

/// All embedded sets.
pub const EMBEDDED: &[Embedded] = &[Embedded {
    name: "digits",
    about: "1,797 handwritten digits, 8×8 grey pixels, 10 classes",
    attribution: digits::ATTRIBUTION,
    load: digits::load,
}];

/// What a specification turned out to be.
enum Found {
    Embedded(&'static Embedded),
    Folder(PathBuf),
    File(PathBuf),
}

/// Reads a labelled source: the name of an embedded set (it wins over a path of that name; write `./digits` for the
/// path), a folder with an IDX set, or the images file (or labels file) of an IDX pair.
///
/// # Errors
/// [`DataError::UnknownSource`], [`DataError::UnknownKind`], or what is wrong with the files.
pub fn open(spec: &str) -> Result<Loaded, DataError> {
    open_with(spec, &SourceOptions::default())
}

/// Reads a labelled source as [`open`] does, with what is known about it.
///
/// # Errors
/// As [`open`]; [`DataError::Option`] for an option that means nothing for this kind of data.
pub fn open_with(spec: &str, options: &SourceOptions) -> Result<Loaded, DataError> {
    read(spec, options, None)
}

/// Reads a labelled source for a network that already knows its `encoding` and its `classes` (none for regression).
/// Labels must be of these classes, but not all classes need occur, not even in a training part. Of `options` those
/// are used that say where things are (columns, header, label pattern, test rows), not those that the encoding has
/// decided.
///
/// # Errors
/// As [`open_with`]; [`DataError::Inconsistent`] where an embedded set has other classes.
pub fn open_as(
    spec: &str,
    encoding: &Encoding,
    classes: &[String],
    options: &SourceOptions,
) -> Result<Loaded, DataError> {
    read(spec, options, Some((encoding, classes)))
}

fn read(
    spec: &str,
    options: &SourceOptions,
    known: Option<(&Encoding, &[String])>,
) -> Result<Loaded, DataError> {
    let classes = known.map(|(_, classes)| classes);
    options.check(Kind::Idx)?;
    let (train, test) = match find(spec)? {
        Found::Embedded(set) => {
            let train = (set.load)()?;
            check_classes(&train, classes)?;
            return Ok(Loaded { attribution: Some(set.attribution), ..Loaded::plain(train, None) });
        }
        Found::Folder(folder) => {
            check_folder(&folder)?;
            idx_set::read_folder(&folder, &name_of(&folder), classes)?
        }
        Found::File(file) => {
            let named = FileName::parse(&file).ok_or_else(|| unknown_file(&file))?;
            let name = name_of(file.parent().unwrap_or(Path::new("")));
            (idx_set::read_pair_of(&file, &named, &name, classes)?, None)
        }
    };
    Ok(Loaded::plain(train, test))
}

fn check_classes(data: &Dataset, known: Option<&[String]>) -> Result<(), DataError> {
    match (&data.targets, known) {
        (Targets::Classes { names, .. }, Some(known)) if names != known => {
            let (ours, theirs) = (names.join(", "), known.join(", "));
            let problem = format!("its classes are {ours}; the network's are {theirs}");
            Err(DataError::Inconsistent { name: data.name.clone(), problem })
        }
        _ => Ok(()),
    }
}

/// Reads the samples of a source without their labels, which need not exist: for prediction. Of a folder the test
/// part is taken where it has one, else the training part; a file is any IDX file of images.
///
/// # Errors
/// As [`open`].
pub fn open_features(
    spec: &str,
    encoding: &Encoding,
    options: &SourceOptions,
) -> Result<Features, DataError> {
    options.check(encoding.kind())?;
    let path = match find(spec)? {
        Found::Embedded(set) => return Ok((set.load)()?.features),
        Found::Folder(folder) => idx_set::images_of(&folder)?,
        Found::File(file) => file,
    };
    let idx = Idx::read(&path).map_err(|error| match error {
        DataError::Idx { problem: IdxProblem::WrongMagic { .. }, path } => unknown_file(&path),
        other => other,
    })?;
    idx_set::features(idx, &path)
}

fn find(spec: &str) -> Result<Found, DataError> {
    if let Some(set) = EMBEDDED.iter().find(|set| set.name == spec) {
        return Ok(Found::Embedded(set));
    }
    let path = PathBuf::from(spec);
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => Ok(Found::Folder(path)),
        Ok(metadata) if metadata.is_file() => Ok(Found::File(path)),
        Ok(_) => Err(DataError::NotAFile { path }),
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(DataError::Io { path, source })
        }
        Err(_) => {
            Err(DataError::UnknownSource { spec: spec.into(), hint: alternatives(&path, spec) })
        }
    }
}

/// The nearest name among the embedded sets and what lies beside the missing path, and what there is.
fn alternatives(path: &Path, spec: &str) -> String {
    let near = suggest::nearest(spec, EMBEDDED.iter().map(|set| set.name)).map(str::to_string);
    let near = near
        .or_else(|| neighbour(path))
        .map_or(String::new(), |near| format!("did you mean '{near}'? "));
    format!(
        "{near}embedded sets: {}; or give the path of a folder with an IDX image set",
        embedded_names()
    )
}

/// The entry beside a missing path whose name is nearest to it, where its folder can be read.
fn neighbour(path: &Path) -> Option<String> {
    let folder = path.parent()?;
    let listed = if folder == Path::new("") { Path::new(".") } else { folder };
    let mut names: Vec<String> = std::fs::read_dir(listed)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    let near = suggest::nearest(path.file_name()?.to_str()?, names.iter().map(String::as_str))?;
    Some(folder.join(near).display().to_string())
}

fn check_folder(folder: &Path) -> Result<(), DataError> {
    if idx_set::is_set(folder)? {
        return Ok(());
    }
    let failed = |source| DataError::Io { path: folder.into(), source };
    let entries: Vec<_> =
        std::fs::read_dir(folder).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
    let first = entries.iter().map(|entry| entry.file_name()).min();
    let found = match first {
        None => "the folder is empty".to_string(),
        Some(first) => {
            format!("a folder of {} entries, '{}' first", entries.len(), first.to_string_lossy())
        }
    };
    Err(DataError::UnknownKind { path: folder.into(), found, embedded: embedded_names() })
}

fn unknown_file(file: &Path) -> DataError {
    let found = match file.extension() {
        Some(extension) => format!("a .{} file", extension.to_string_lossy()),
        None => "a file without an extension".to_string(),
    };
    DataError::UnknownKind { path: file.into(), found, embedded: embedded_names() }
}

fn embedded_names() -> String {
    EMBEDDED.iter().map(|set| set.name).collect::<Vec<_>>().join(", ")
}

/// A folder's own name, also where it was given as `.` or `..`.
fn name_of(folder: &Path) -> String {
    let here = if folder == Path::new("") { Path::new(".") } else { folder };
    let full = here.canonicalize().unwrap_or_else(|_| here.to_path_buf());
    full.file_name().map_or_else(|| "data".to_string(), |name| name.to_string_lossy().into_owned())
}
