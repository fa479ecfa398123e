//! The run folder. A run is there from its first step: `config.toml` and `model.json` say what it is, `checkpoints/`
//! where it stands, and `summary.json` that it is finished. A run that fails before its first checkpoint takes its traces
//! with it; a later one can be resumed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::RunError;

/// The resolved configuration.
pub const CONFIG: &str = "config.toml";
/// Architecture, preprocessing, names: all that prediction needs beside the weights.
pub const MODEL: &str = "model.json";
/// The weights.
pub const WEIGHTS: &str = "model.safetensors";
/// One line an epoch, without clock times.
pub const METRICS: &str = "metrics.jsonl";
/// The clock times of the epochs.
pub const TIMINGS: &str = "timings.jsonl";
/// What was found out beyond figures.
pub const REPORT: &str = "report.json";
/// The page about the run.
pub const PAGE: &str = "report.html";
/// The results; its presence says that the run is finished.
pub const SUMMARY: &str = "summary.json";
/// Where the run stands, to go on from.
pub const CHECKPOINTS: &str = "checkpoints";
/// The last checkpoint.
pub const LAST: &str = "checkpoints/last.safetensors";
/// What the data was like.
pub const DATA: &str = "checkpoints/data.json";

/// What a run folder holds.
const FILES: [&str; 10] =
    [CONFIG, MODEL, WEIGHTS, METRICS, TIMINGS, REPORT, PAGE, SUMMARY, LAST, DATA];
/// Held by the process that trains.
const LOCK: &str = "checkpoints/in-use";
/// What the names of files end with while they are written.
const TEMPORARY: &str = ".tmp";
/// Where a run that is being replaced waits for the new one to be finished.
const REPLACED: &str = ".replaced";

const WRITABLE: &str =
    "check the permissions and the space on the disk, or choose another place with --out";

/// A run folder that is being filled. Dropped before its first checkpoint, it leaves nothing behind.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// The folders that did not exist before, outermost first.
    made: Vec<PathBuf>,
    lock: Option<File>,
    /// Whether what is there is worth keeping.
    keep: bool,
}

impl RunFolder {
    /// Takes the folder `out`, or else the first free one of `runs/NAME-1`, `runs/NAME-2`, …, which no other process
    /// then gets.
    ///
    /// # Errors
    /// Where `out` holds a run and `overwrite` is false, [`RunError::Exists`] or, if that can be resumed,
    /// [`RunError::Unfinished`]; [`RunError::Busy`] where another training writes into it; [`RunError::Io`].
    pub fn claim(name: &str, out: Option<&Path>, overwrite: bool) -> Result<RunFolder, RunError> {
        let Some(out) = out else {
            let runs = absolute(Path::new("runs"))?;
            let mut made = create_all(&runs)?;
            let path = claim_number(&runs, &file_name(name))?;
            made.push(path.clone());
            return RunFolder::locked(path, made);
        };
        let path = absolute(out)?;
        let holds =
            [&[CHECKPOINTS], &FILES[..]].concat().iter().any(|file| path.join(file).exists());
        if holds && !overwrite && in_use(&path) {
            return Err(RunError::Busy { path });
        }
        match holds && !overwrite {
            true if path.join(SUMMARY).exists() => return Err(RunError::Exists { path }),
            true => return Err(RunError::Unfinished { path }),
            false => {}
        }
        let made = create_all(&path)?;
        let mut folder = RunFolder::locked(path, made)?;
        if holds {
            folder.set_aside()?;
        }
        Ok(folder)
    }

    /// Takes a folder that holds a run, to go on with it. The run then counts as unfinished.
    ///
    /// # Errors
    /// [`RunError::Busy`], [`RunError::Io`].
    pub fn reopen(run: &Path) -> Result<RunFolder, RunError> {
        let mut folder = RunFolder::locked(absolute(run)?, vec![])?;
        folder.keep = true;
        folder.sweep();
        Ok(folder)
    }

    fn locked(path: PathBuf, made: Vec<PathBuf>) -> Result<RunFolder, RunError> {
        // The struct first: should what follows fail, dropping it removes what was made.
        let mut folder = RunFolder { path, made, lock: None, keep: false };
        folder.made.extend(create_all(&folder.path.join(CHECKPOINTS))?);
        let place = folder.path.join(LOCK);
        let lock = File::create(&place).map_err(|source| failed("create", &place, source))?;
        match lock.try_lock() {
            Ok(()) => folder.lock = Some(lock),
            Err(TryLockError::WouldBlock) => {
                // All of it is the other one's.
                folder.keep = true;
                return Err(RunError::Busy { path: folder.path.clone() });
            }
            // A file system without locks: nobody else is kept out.
            Err(TryLockError::Error(_)) => folder.lock = Some(lock),
        }
        Ok(folder)
    }

    /// Moves the run that is there out of the way; one that waits there already is the one that was finished.
    fn set_aside(&mut self) -> Result<(), RunError> {
        let aside = self.path.join(REPLACED);
        let found: Vec<&str> =
            FILES.into_iter().filter(|name| self.path.join(name).exists()).collect();
        let moved = match aside.exists() {
            true => found.iter().try_for_each(|name| remove_if_there(&self.path.join(name))),
            false => fs::create_dir_all(aside.join(CHECKPOINTS)).and_then(|()| {
                found.iter().try_for_each(|name| fs::rename(self.path.join(name), aside.join(name)))
            }),
        };
        moved.map_err(|error| {
            self.bring_back();
            self.keep = true;
            self.failed(REPLACED, error)
        })
    }

    fn bring_back(&self) {
        let aside = self.path.join(REPLACED);
        for name in FILES {
            let _ = fs::rename(aside.join(name), self.path.join(name));
        }
        let _ = fs::remove_dir(aside.join(CHECKPOINTS));
        let _ = fs::remove_dir(aside);
    }

    /// Removes what a process that was killed has half written.
    fn sweep(&self) {
        for folder in [self.path.clone(), self.path.join(CHECKPOINTS)] {
            for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
                if entry.file_name().to_string_lossy().ends_with(TEMPORARY) {
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
    }

    /// The folder, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn failed(&self, name: &str, source: io::Error) -> RunError {
        failed("write", &self.path.join(name), source)
    }

    /// Writes a file of the run, in full or not at all.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), RunError> {
        write_atomic(&self.path.join(name), bytes)
    }

    /// Writes a file of the run as indented JSON.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn write_json(&self, name: &str, content: &impl Serialize) -> Result<(), RunError> {
        let text = serde_json::to_string_pretty(content)
            .map_err(|error| self.failed(name, error.into()))?;
        self.write(name, (text + "\n").as_bytes())
    }

    /// Writes the last checkpoint. From here on the run can be resumed, and stays.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn checkpoint(&mut self, bytes: &[u8]) -> Result<(), RunError> {
        self.write(LAST, bytes)?;
        self.keep = true;
        Ok(())
    }

    /// Adds a line of JSON to a file of the run.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn line(&self, name: &str, content: &impl Serialize) -> Result<(), RunError> {
        let path = self.path.join(name);
        let write = || {
            let line = serde_json::to_string(content)? + "\n";
            let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
            file.write_all(line.as_bytes())
        };
        write().map_err(|error| self.failed(name, error))
    }

    /// Leaves the first `lines` lines of a file, where there is one.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn keep_lines(&self, name: &str, lines: usize) -> Result<(), RunError> {
        let path = self.path.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => {
                let kept: String = text.split_inclusive('\n').take(lines).collect();
                self.write(name, kept.as_bytes())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(failed("read", &path, source)),
        }
    }

    /// Says that the run is not finished (any more).
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn unfinished(&self) -> Result<(), RunError> {
        let summary = self.path.join(SUMMARY);
        remove_if_there(&summary).map_err(|source| failed("remove", &summary, source))
    }

    /// Ends the run with its summary, and gives the folder's path. What was replaced is gone then.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn finish(mut self, summary: &impl Serialize) -> Result<PathBuf, RunError> {
        for name in [METRICS, TIMINGS] {
            match File::open(self.path.join(name)) {
                Ok(file) => file.sync_all().map_err(|error| self.failed(name, error))?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(self.failed(name, error)),
            }
        }
        self.write_json(SUMMARY, summary)?;
        self.keep = true;
        // The run is whole; an old one that cannot be removed harms nobody.
        let _ = fs::remove_dir_all(self.path.join(REPLACED));
        Ok(self.path.clone())
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        // Nothing can be done about a failure here, and the error that led here is the one to report.
        if self.lock.is_some() {
            if !self.keep {
                for name in FILES {
                    let _ = remove_if_there(&self.path.join(name));
                }
                self.bring_back();
            }
            let _ = fs::remove_file(self.path.join(LOCK));
        }
        if !self.keep {
            for folder in self.made.iter().rev() {
                // Only where it is empty: another run may have come into `runs` meanwhile.
                let _ = fs::remove_dir(folder);
            }
        }
    }
}

/// Whether a training is at work there.
#[must_use]
pub fn in_use(run: &Path) -> bool {
    let lock = File::open(run.join(LOCK));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Writes a file that exists in full or not at all.
///
/// # Errors
/// [`RunError::Io`].
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    let full = absolute(path)?;
    let name = full.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let temporary = full.with_file_name(format!(".{name}.{}{TEMPORARY}", std::process::id()));
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, &full)
    };
    write().map_err(|source| {
        let _ = fs::remove_file(&temporary);
        failed("write", path, source)
    })?;
    full.parent().map(sync_folder);
    Ok(())
}

/// Makes the next free `runs/NAME-N`. Making a folder is atomic: of two processes one fails and goes on to the next.
fn claim_number(runs: &Path, name: &str) -> Result<PathBuf, RunError> {
    let number = |entry: io::Result<fs::DirEntry>| -> Option<u64> {
        let file = entry.ok()?.file_name().into_string().ok()?;
        file.strip_prefix(name)?.strip_prefix('-')?.parse().ok()
    };
    let entries = fs::read_dir(runs).map_err(|source| failed("read", runs, source))?;
    let mut next = entries.filter_map(number).max().unwrap_or(0).saturating_add(1);
    loop {
        let path = runs.join(format!("{name}-{next}"));
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => next += 1,
            // Another process that failed may just have removed the empty `runs`.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create_all(runs)?;
            }
            Err(source) => return Err(failed("create", &path, source)),
        }
    }
}

/// A data set's name as part of a file name.
fn file_name(name: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = name.chars().map(safe).collect();
    match name.trim_matches(['.', '-']) {
        "" => "run".to_string(),
        name => name.to_string(),
    }
}

fn absolute(path: &Path) -> Result<PathBuf, RunError> {
    std::path::absolute(path).map_err(|source| failed("find", path, source))
}

/// Makes a folder and those above it; gives those that did not exist, outermost first.
fn create_all(path: &Path) -> Result<Vec<PathBuf>, RunError> {
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    fs::create_dir_all(path).map_err(|source| failed("create", path, source))?;
    Ok(missing.into_iter().rev().map(Path::to_path_buf).collect())
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Makes renames durable where the system can; where it cannot, they are still atomic.
fn sync_folder(path: &Path) {
    let _ = File::open(path).and_then(|folder| folder.sync_all());
}

fn failed(doing: &'static str, path: &Path, source: io::Error) -> RunError {
    RunError::Io { doing, path: path.into(), source, hint: WRITABLE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_fit_for_files() {
        assert_eq!(file_name("digits"), "digits");
        assert_eq!(file_name("my data/set"), "my-data-set");
        assert_eq!(file_name("../.."), "run");
        assert_eq!(file_name("größe_1.5"), "größe_1.5");
    }
}
