//! From what the user typed to data in memory: the name of an embedded set, a file, a folder, a zip, or a pattern of
//! file names.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::checks::Check;
use crate::dataset::Dataset;
use crate::detect::{Form, Found};
use crate::encoding::Encoding;
use crate::error::DataError;
use crate::features::Features;
use crate::options::{Kind, SourceOptions};
use crate::split::{Fractions, Split};
use crate::tabular::{ColumnReport, Deal, Sample};
use crate::{digits, readers, suggest};

/// A source, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What to learn from; validation rows are split off it.
    pub train: Dataset,
    /// The test part that the set brings itself or that [`SourceOptions::test`] names; its samples have the shape and
    /// the classes of `train`, and nothing of them is in `encoding`.
    pub test: Option<Dataset>,
    /// How the files became features.
    pub encoding: Encoding,
    /// The split of `train` that the kind of data dictates, where it does: the end of a text for validation, the end
    /// of a series for the test. Where `test` is there, the test rows of this split are none.
    pub parts: Option<Split>,
    /// The shares by which a table was split into `parts`.
    pub fractions: Option<Fractions>,
    /// What the columns of a table were taken for, and why.
    pub columns: Vec<ColumnReport>,
    /// Some training rows of a table as they are in the file.
    pub sample: Option<Sample>,
    /// What was looked for in a table, and found; of other kinds [`crate::checks::samples`] finds it.
    pub checks: Vec<Check>,
    /// Further fields of each row of `train`, by name: those of the label pattern, such as `speaker` and `take`.
    pub fields: BTreeMap<String, Vec<String>>,
    /// What was done to the rows that one should know of, such as how many were left out and why; one line each.
    pub notes: Vec<String>,
    /// Who is to be named where the data is shown.
    pub attribution: Option<&'static str>,
}

impl Loaded {
    /// A set without anything special.
    pub(crate) fn of(train: Dataset, test: Option<Dataset>, encoding: Encoding) -> Loaded {
        Loaded {
            train,
            test,
            encoding,
            parts: None,
            fractions: None,
            columns: Vec::new(),
            sample: None,
            checks: Vec::new(),
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
enum Source {
    Embedded(&'static Embedded),
    Path(Found),
}

/// Reads a labelled source: the name of an embedded set (it wins over a path of that name; write `./digits` for the
/// path), a file, a folder, a zip, or a path with stars in its last part, such as `texts/*.txt`. What kind of data it
/// is, its files and columns say; see [`crate::readers`].
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
    open_dealt(spec, options, &Deal::default())
}

/// Reads a labelled source as [`open_with`] does; the rows of a table are dealt out to parts as `deal` says, since what
/// is found out about its columns comes from training rows alone.
///
/// # Errors
/// As [`open_with`].
pub fn open_dealt(spec: &str, options: &SourceOptions, deal: &Deal) -> Result<Loaded, DataError> {
    match find(spec)? {
        Source::Embedded(set) => embedded(set, options),
        Source::Path(found) => {
            let kind = found.kind(options)?;
            options.check(kind)?;
            readers::learn(kind, &found, options, deal)
        }
    }
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
    options.check(encoding.kind())?;
    match find(spec)? {
        Source::Embedded(set) => {
            check_encoding(set, encoding)?;
            let loaded = embedded(set, options)?;
            check_classes(&loaded.train, classes)?;
            Ok(loaded)
        }
        Source::Path(found) => readers::judge(encoding, classes, &found, options),
    }
}

/// Reads the samples of a source without their labels, which need not exist: for prediction. Of a folder the test
/// part is taken where it has one, else all; of a series its end.
///
/// # Errors
/// As [`open_with`].
pub fn open_features(
    spec: &str,
    encoding: &Encoding,
    options: &SourceOptions,
) -> Result<Features, DataError> {
    open_unlabelled(spec, encoding, options).map(|(features, _)| features)
}

/// Reads samples as [`open_features`] does, and says what one should know of them, such as which columns of a table are
/// passed over; one line each.
///
/// # Errors
/// As [`open_features`].
pub fn open_unlabelled(
    spec: &str,
    encoding: &Encoding,
    options: &SourceOptions,
) -> Result<(Features, Vec<String>), DataError> {
    options.check(encoding.kind())?;
    match find(spec)? {
        Source::Embedded(set) => {
            check_encoding(set, encoding)?;
            Ok((embedded(set, options)?.train.features, Vec::new()))
        }
        Source::Path(found) => readers::features(encoding, &found, options),
    }
}

fn embedded(set: &'static Embedded, options: &SourceOptions) -> Result<Loaded, DataError> {
    options.check(Kind::Idx)?;
    if options.kind.is_some_and(|kind| kind != Kind::Idx) {
        let problem = format!("the embedded set '{}' is of kind 'idx'", set.name);
        return Err(DataError::option("kind", problem, "leave it out"));
    }
    let loaded = Loaded::of((set.load)()?, None, Encoding::Values);
    Ok(Loaded { attribution: Some(set.attribution), ..loaded })
}

fn check_encoding(set: &Embedded, encoding: &Encoding) -> Result<(), DataError> {
    match encoding {
        Encoding::Values => Ok(()),
        _ => Err(DataError::Inconsistent {
            name: set.name.into(),
            problem: format!("its samples are images; the network takes {}", encoding.kind()),
        }),
    }
}

fn check_classes(data: &Dataset, known: &[String]) -> Result<(), DataError> {
    match data.targets.names() {
        Some(names) if names != known => {
            let (ours, theirs) = (names.join(", "), known.join(", "));
            let problem = format!("its classes are {ours}; the network's are {theirs}");
            Err(DataError::Inconsistent { name: data.name.clone(), problem })
        }
        _ => Ok(()),
    }
}

/// A path to further rows of a table.
pub(crate) fn path(spec: &str) -> Result<Found, DataError> {
    match find(spec)? {
        Source::Path(found) => Ok(found),
        Source::Embedded(set) => Err(DataError::Inconsistent {
            name: set.name.into(),
            problem: "it is no table; write ./digits for a path of that name".into(),
        }),
    }
}

fn find(spec: &str) -> Result<Source, DataError> {
    match EMBEDDED.iter().find(|set| set.name == spec) {
        Some(set) => Ok(Source::Embedded(set)),
        None => found(spec).map(Source::Path),
    }
}

/// What a path leads to.
pub(crate) fn found(spec: &str) -> Result<Found, DataError> {
    let path = PathBuf::from(spec);
    let found = |form| Ok(Found { path: path.clone(), form });
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => found(Form::Folder),
        Ok(metadata) if metadata.is_file() => found(Form::File),
        Ok(_) => Err(DataError::NotAFile { path }),
        Err(_) if is_pattern(&path) => found(Form::Pattern),
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(DataError::Io { path, source })
        }
        Err(_) => {
            Err(DataError::UnknownSource { spec: spec.into(), hint: alternatives(&path, spec) })
        }
    }
}

/// Whether the last part of a path has a star in it.
fn is_pattern(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains('*'))
}

/// The nearest name among the embedded sets and what lies beside the missing path, and what there is.
fn alternatives(path: &Path, spec: &str) -> String {
    if spec == "-" {
        return "data is read twice, so not from a pipe: write it to a file and name that".into();
    }
    if path.is_symlink() {
        return "it is a link to something that is not there".into();
    }
    let near = suggest::nearest(spec, EMBEDDED.iter().map(|set| set.name)).map(str::to_string);
    let near = near
        .or_else(|| neighbour(path))
        .map_or(String::new(), |near| format!("did you mean '{near}'? "));
    format!(
        "{near}embedded sets: {}; or give the path of a file or a folder with data",
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
    let name = path.file_name()?.to_str()?;
    // A link that leads nowhere is there itself.
    names.retain(|other| other != name);
    let near = suggest::nearest(name, names.iter().map(String::as_str))?;
    Some(folder.join(near).display().to_string())
}

/// The names of the embedded sets, for messages.
pub(crate) fn embedded_names() -> String {
    EMBEDDED.iter().map(|set| set.name).collect::<Vec<_>>().join(", ")
}
