//! The files of a source, by name: those of a folder and the folders in it, of a zip, of a pattern such as `*.txt`,
//! or a single one. Names have slashes on every system and are sorted, so that rows have one order everywhere.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use zip::ZipArchive;

use crate::error::{DataError, thousands};
use crate::handle::Handle;
use crate::pattern::Pattern;
use crate::place::Place;

/// The largest file that is read, decompressed; what is read at once must fit in memory.
const MAX_FILE: u64 = 1 << 31;
/// Folders in folders in folders; deeper than this it is a circle of links.
const MAX_DEPTH: usize = 16;

/// Files that are there to be read. A clone is cheap, and reads them on another thread.
#[derive(Clone)]
pub(crate) struct Files {
    root: PathBuf,
    /// Names below the root, and where a zip has them.
    names: Arc<Vec<(String, usize)>>,
    zip: Option<ZipArchive<Handle>>,
}

impl Files {
    /// The files of a folder and the folders in it. Hidden ones are left out.
    pub(crate) fn folder(root: &Path) -> Result<Files, DataError> {
        let mut names = Vec::new();
        walk(root, "", MAX_DEPTH, &mut names)?;
        Ok(Files::new(root.into(), names, None))
    }

    /// The files of a zip. Hidden ones are left out, and what macOS adds.
    pub(crate) fn zip(path: &Path) -> Result<Files, DataError> {
        let file =
            File::open(path).map_err(|source| DataError::Io { path: path.into(), source })?;
        let zip = ZipArchive::new(Handle::new(file)).map_err(|error| {
            DataError::content(
                Place::file(path),
                format!("the zip cannot be opened: {error}"),
                "the file is cut short, damaged or no zip; fetch it again",
            )
        })?;
        let hidden = |part: &str| part.starts_with('.') || part == "__MACOSX";
        let shown = |name: &str| !name.ends_with('/') && !name.split('/').any(hidden);
        let mut names = Vec::new();
        for (at, name) in zip.file_names().enumerate() {
            let name = name.map_err(|error| {
                DataError::content(
                    Place::file(path),
                    format!("the name of entry {at} cannot be read: {error}"),
                    "the zip is damaged; pack it again",
                )
            })?;
            if shown(&name) {
                names.push((name.into_owned(), at));
            }
        }
        Ok(Files::new(path.into(), names, Some(zip)))
    }

    /// A single file.
    pub(crate) fn single(path: &Path) -> Files {
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
        Files::new(parent(path), vec![(name, 0)], None)
    }

    /// The files whose path is `pattern`, with stars in its last part only.
    pub(crate) fn matching(pattern: &Path) -> Result<Files, DataError> {
        let root = parent(pattern);
        let last =
            pattern.file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
        let last = Pattern::parse("path", &last)?;
        let mut names = Vec::new();
        walk(&root, "", 0, &mut names)?;
        names.retain(|(name, _)| last.matches(name).is_some());
        Ok(Files::new(root, names, None))
    }

    fn new(
        root: PathBuf,
        mut names: Vec<(String, usize)>,
        zip: Option<ZipArchive<Handle>>,
    ) -> Files {
        names.sort();
        Files { root, names: Arc::new(names), zip }
    }

    /// Leaves out the files that are none of these.
    pub(crate) fn keep(&mut self, wanted: impl Fn(&str) -> bool) {
        Arc::make_mut(&mut self.names).retain(|(name, _)| wanted(name));
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// The folder or zip that they are in.
    pub(crate) fn root(&self) -> &Path {
        if self.root.as_os_str().is_empty() { Path::new(".") } else { &self.root }
    }

    pub(crate) fn name(&self, i: usize) -> &str {
        &self.names[i].0
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, _)| name.as_str())
    }

    /// What to call file `i` in a message.
    pub(crate) fn place(&self, i: usize) -> Place {
        match self.zip {
            Some(_) => Place { entry: Some(self.name(i).into()), ..Place::file(&self.root) },
            None => Place::file(&self.path(i)),
        }
    }

    /// Where file `i` is: its path, or that of the zip with its number and name in there.
    pub(crate) fn location(&self, i: usize) -> (PathBuf, Option<(usize, String)>) {
        let (name, at) = &self.names[i];
        match self.zip {
            Some(_) => (self.root.clone(), Some((*at, name.clone()))),
            None => (self.path(i), None),
        }
    }

    fn path(&self, i: usize) -> PathBuf {
        match self.root.as_os_str().is_empty() {
            true => self.name(i).into(),
            false => self.root.join(self.name(i)),
        }
    }

    /// The bytes of file `i`.
    pub(crate) fn read(&mut self, i: usize) -> Result<Vec<u8>, DataError> {
        let place = self.place(i);
        let at = self.names[i].1;
        let Some(zip) = &mut self.zip else {
            return read_file(&place.path);
        };
        let damaged = |problem: String| {
            DataError::content(
                place.clone(),
                format!("the entry cannot be read: {problem}"),
                "the zip is damaged, encrypted or packed with another method than deflate; \
                pack it again",
            )
        };
        let entry = zip.by_index(at).map_err(|error| damaged(error.to_string()))?;
        limited(entry, &place, |error| damaged(error.to_string()))
    }

    /// The text of file `i`.
    pub(crate) fn text(&mut self, i: usize) -> Result<String, DataError> {
        let bytes = self.read(i)?;
        text(bytes, &self.place(i))
    }
}

/// The folder that a path is in; empty where it is this one.
fn parent(path: &Path) -> PathBuf {
    path.parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// Adds the files of a folder, and those of the folders in it down to a depth.
fn walk(
    folder: &Path,
    prefix: &str,
    depth: usize,
    names: &mut Vec<(String, usize)>,
) -> Result<(), DataError> {
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| DataError::Io { path, source }
    };
    for entry in std::fs::read_dir(listed).map_err(failed(listed))? {
        let path = entry.map_err(failed(listed))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(DataError::content(
                Place::file(&path),
                "the name is no Unicode text",
                "rename the file",
            ));
        };
        if name.starts_with('.') {
            continue;
        }
        let name = format!("{prefix}{name}");
        // A link that leads nowhere is no file.
        match std::fs::metadata(&path) {
            Ok(data) if data.is_dir() && depth > 0 => {
                walk(&path, &format!("{name}/"), depth - 1, names)?;
            }
            Ok(data) if data.is_file() => names.push((name, 0)),
            _ => {}
        }
    }
    Ok(())
}

/// The bytes of a file; gzip is recognised by its first bytes.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, DataError> {
    let failed = |source| DataError::Io { path: path.into(), source };
    let place = Place::file(path);
    let bytes = limited(File::open(path).map_err(failed)?, &place, failed)?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    limited(MultiGzDecoder::new(bytes.as_slice()), &place, |error| {
        DataError::content(
            place.clone(),
            format!("the gzip stream breaks: {error}"),
            "the file is damaged or cut short; fetch it again",
        )
    })
}

/// All bytes of a reader, unless they are too many. A length in a header is not believed.
fn limited(
    reader: impl Read,
    place: &Place,
    failed: impl FnOnce(io::Error) -> DataError,
) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    reader.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(DataError::content(
            place.clone(),
            format!("the file has more than {} bytes", thousands(MAX_FILE)),
            "it is read at once and must fit in memory; use a part of it",
        ));
    }
    Ok(bytes)
}

/// Bytes as the text they must be: UTF-8, with or without a byte order mark, which is left out.
pub(crate) fn text(bytes: Vec<u8>, place: &Place) -> Result<String, DataError> {
    let fail = |problem: String, place: Place| {
        DataError::content(place, problem, "save the file as UTF-8 text")
    };
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(fail("the text is UTF-16; UTF-8 is read".into(), place.clone()));
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let line = bytes[..at].iter().filter(|&&byte| byte == b'\n').count() as u64 + 1;
        let problem = format!("byte {at} (0x{:02x}) is no UTF-8 text", bytes[at]);
        fail(problem, place.clone().line(line))
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}
