//! A file that several threads read at once, each from a place of its own.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

/// A reader of a file with its own place and buffer; clones read the same file.
pub(crate) struct Handle(BufReader<Cursor>);

struct Cursor {
    file: Arc<Mutex<File>>,
    at: u64,
}

impl Handle {
    pub(crate) fn new(file: File) -> Handle {
        Handle(BufReader::new(Cursor { file: Arc::new(Mutex::new(file)), at: 0 }))
    }
}

/// From the start of the file.
impl Clone for Handle {
    fn clone(&self) -> Handle {
        let file = Arc::clone(&self.0.get_ref().file);
        Handle(BufReader::new(Cursor { file, at: 0 }))
    }
}

impl Read for Handle {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

impl Seek for Handle {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

impl Read for Cursor {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.at))?;
        let count = file.read(bytes)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Cursor {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let to = match to {
            SeekFrom::Current(by) => {
                let at = self.at.checked_add_signed(by);
                SeekFrom::Start(at.ok_or(io::ErrorKind::InvalidInput)?)
            }
            to => to,
        };
        self.at = file.seek(to)?;
        Ok(self.at)
    }
}
