//! Where the bytes of a table come from: a file, one within a zip, either of them behind gzip.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::PathBuf;

use flate2::read::MultiGzDecoder;
use zip::ZipArchive;

use crate::error::DataError;
use crate::files::Files;
use crate::place::Place;
use crate::spill::{temporary, unwritable};

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A file, or one within a zip.
#[derive(Debug, Clone)]
pub(super) struct Location {
    pub path: PathBuf,
    /// The number and the name of the entry, where the file is a zip.
    pub entry: Option<(usize, String)>,
}

/// Bytes that are read once, from start to end.
pub(super) struct Input<'a> {
    reader: Box<dyn Read + 'a>,
    place: Place,
    packed: Packed,
}

/// What the bytes were in.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Packed {
    Plain,
    Gzip,
    Zip,
}

impl Location {
    /// Those of all files.
    pub(super) fn of(files: &Files) -> Vec<Location> {
        (0..files.len())
            .map(|i| {
                let (path, entry) = files.location(i);
                Location { path, entry }
            })
            .collect()
    }

    /// What to call it in a message.
    pub(super) fn place(&self) -> Place {
        Place {
            entry: self.entry.as_ref().map(|(_, name)| name.clone()),
            ..Place::file(&self.path)
        }
    }

    /// Its name without the ending that says that it is packed, in small letters.
    pub(super) fn name(&self) -> String {
        let file = || self.path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = self.entry.as_ref().map(|(_, name)| name.clone()).or_else(file);
        let name = name.unwrap_or_default().to_lowercase();
        name.strip_suffix(".gz").unwrap_or(&name).to_string()
    }

    /// Its name without folders and endings.
    pub(super) fn stem(&self) -> String {
        let name = match &self.entry {
            Some((_, name)) => name.rsplit('/').next().unwrap_or_default().to_string(),
            None => self.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        };
        name.split('.').next().unwrap_or_default().to_string()
    }

    /// Opens it for as long as `read` takes.
    pub(super) fn open<T>(
        &self,
        read: impl FnOnce(Input<'_>) -> Result<T, DataError>,
    ) -> Result<T, DataError> {
        let failed = |source| DataError::Io { path: self.path.clone(), source };
        let file = BufReader::with_capacity(1 << 16, File::open(&self.path).map_err(failed)?);
        let Some((at, _)) = self.entry else {
            return read(self.unpacked(file, Packed::Plain)?);
        };
        let damaged = |error: String| broken(Packed::Zip, &self.place(), &error);
        let mut zip = ZipArchive::new(file).map_err(|error| damaged(error.to_string()))?;
        let entry = zip.by_index(at).map_err(|error| damaged(error.to_string()))?;
        read(self.unpacked(entry, Packed::Zip)?)
    }

    /// The bytes, without gzip where their first ones say so.
    fn unpacked<'a>(
        &self,
        mut reader: impl Read + 'a,
        packed: Packed,
    ) -> Result<Input<'a>, DataError> {
        let place = self.place();
        let mut first = Vec::new();
        let looked = reader.by_ref().take(2).read_to_end(&mut first);
        looked.map_err(|error| failure(packed, &place, error))?;
        let gzip = first == GZIP;
        let whole = io::Cursor::new(first).chain(reader);
        Ok(match gzip {
            true => {
                let reader = Box::new(MultiGzDecoder::new(whole));
                Input { reader, place, packed: Packed::Gzip }
            }
            false => Input { reader: Box::new(whole), place, packed },
        })
    }

    /// A file from which any part can be read at any time: the file itself, or a temporary copy of what was packed.
    pub(super) fn file(&self) -> Result<File, DataError> {
        let failed = |source| DataError::Io { path: self.path.clone(), source };
        if self.entry.is_none() {
            let mut file = File::open(&self.path).map_err(failed)?;
            let mut first = Vec::new();
            file.by_ref().take(2).read_to_end(&mut first).map_err(failed)?;
            if first != GZIP {
                file.rewind().map_err(failed)?;
                return Ok(file);
            }
        }
        self.open(|mut input| input.copy())
    }
}

impl<'a> Input<'a> {
    #[cfg(test)]
    pub(super) fn of(bytes: &'a [u8]) -> Input<'a> {
        Input { reader: Box::new(bytes), place: Place::default(), packed: Packed::Plain }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The same bytes, read in another way.
    pub(super) fn map(
        self,
        wrap: impl FnOnce(Box<dyn Read + 'a>) -> Box<dyn Read + 'a>,
    ) -> Input<'a> {
        Input { reader: wrap(self.reader), ..self }
    }

    /// Adds up to `most` bytes to a buffer; fewer only at the end.
    pub(super) fn read(&mut self, most: usize, into: &mut Vec<u8>) -> Result<usize, DataError> {
        into.reserve(most);
        let read = self.reader.by_ref().take(most as u64).read_to_end(into);
        read.map_err(|error| failure(self.packed, &self.place, error))
    }

    /// All that is left, in a temporary file.
    fn copy(&mut self) -> Result<File, DataError> {
        let mut copy = temporary()?;
        let mut block = Vec::new();
        while self.read(1 << 20, &mut block)? > 0 {
            io::Write::write_all(&mut copy, &block).map_err(unwritable)?;
            block.clear();
        }
        copy.rewind().map_err(unwritable)?;
        Ok(copy)
    }
}

fn failure(packed: Packed, place: &Place, error: io::Error) -> DataError {
    match packed {
        Packed::Plain if error.kind() != io::ErrorKind::InvalidData => {
            DataError::Io { path: place.path.clone(), source: error }
        }
        _ => broken(packed, place, &error.to_string()),
    }
}

fn broken(packed: Packed, place: &Place, error: &str) -> DataError {
    let (problem, hint) = match packed {
        Packed::Plain => (
            format!("the text cannot be read: {error}"),
            "the file is damaged or cut short; save it as UTF-8",
        ),
        Packed::Gzip => (
            format!("the gzip stream breaks: {error}"),
            "the file is damaged or cut short; fetch it again",
        ),
        Packed::Zip => (
            format!("the entry cannot be read: {error}"),
            "the zip is damaged, encrypted or packed with another method than deflate; pack it \
            again",
        ),
    };
    DataError::content(place.clone(), problem, hint)
}
