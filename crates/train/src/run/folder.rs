//! The run folder. Its name is claimed when the run begins; what is written goes into a hidden folder inside it, and
//! moves to its place when the run is finished. A run that fails takes its traces with it.

use std::fs::{self, File, OpenOptions};
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
/// The results; its presence says that the run is whole.
pub const SUMMARY: &str = "summary.json";

/// The files of a run in the order in which they move to their places.
const FILES: [&str; 7] = [CONFIG, MODEL, WEIGHTS, METRICS, TIMINGS, REPORT, SUMMARY];
/// Where a run's files lie until it is finished.
const STAGE: &str = ".unfinished";

const WRITABLE: &str =
    "check the permissions and the space on the disk, or choose another place with --out";

/// A run folder that is being filled. Dropped without [`RunFolder::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    stage: PathBuf,
    /// The folders that did not exist before, outermost first.
    made: Vec<PathBuf>,
    finished: bool,
}

impl RunFolder {
    /// Takes the folder `out`, or else the first free one of `runs/NAME-1`, `runs/NAME-2`, …, which no other process
    /// then gets.
    ///
    /// # Errors
    /// [`RunError::Exists`] where `out` holds a run and `overwrite` is false, [`RunError::Busy`] where another
    /// training writes into it, [`RunError::Io`].
    pub fn claim(name: &str, out: Option<&Path>, overwrite: bool) -> Result<RunFolder, RunError> {
        match out {
            Some(out) => {
                let path = absolute(out)?;
                if !overwrite && FILES.iter().any(|file| path.join(file).exists()) {
                    return Err(RunError::Exists { path });
                }
                let made = create_all(&path)?;
                RunFolder::stage_in(path, made)
            }
            None => {
                let runs = absolute(Path::new("runs"))?;
                let mut made = create_all(&runs)?;
                let path = claim_number(&runs, &file_name(name))?;
                made.push(path.clone());
                RunFolder::stage_in(path, made)
            }
        }
    }

    fn stage_in(path: PathBuf, made: Vec<PathBuf>) -> Result<RunFolder, RunError> {
        let stage = path.join(STAGE);
        // The struct first: should the stage fail, dropping it removes what was made.
        let mut folder = RunFolder { path, stage, made, finished: false };
        match fs::create_dir(&folder.stage) {
            Ok(()) => Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // The stage is the other one's, and stays.
                folder.finished = true;
                Err(RunError::Busy { path: folder.path.clone(), stage: folder.stage.clone() })
            }
            Err(source) => Err(failed("create", &folder.stage, source)),
        }
    }

    /// The folder, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file of the run.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), RunError> {
        let path = self.stage.join(name);
        let write = || {
            let mut file = File::create(&path)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().map_err(|source| failed("write", &self.path.join(name), source))
    }

    /// Writes a file of the run as indented JSON.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn write_json(&self, name: &str, content: &impl Serialize) -> Result<(), RunError> {
        let text = serde_json::to_string_pretty(content)
            .map_err(|error| failed("write", &self.path.join(name), error.into()))?;
        self.write(name, (text + "\n").as_bytes())
    }

    /// Adds a line of JSON to a file of the run.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn line(&self, name: &str, content: &impl Serialize) -> Result<(), RunError> {
        let path = self.stage.join(name);
        let write = || {
            let line = serde_json::to_string(content)? + "\n";
            let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
            file.write_all(line.as_bytes())
        };
        write().map_err(|source| failed("write", &self.path.join(name), source))
    }

    /// Moves everything to its place, the summary last, and gives the folder's path.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn finish(mut self) -> Result<PathBuf, RunError> {
        let io = |source| failed("write", &self.path, source);
        for name in FILES {
            match File::open(self.stage.join(name)) {
                Ok(file) => file.sync_all().map_err(io)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(io(error)),
            }
        }
        // From here until the new summary is there, an overwritten run counts as unfinished.
        remove_if_there(&self.path.join(SUMMARY)).map_err(io)?;
        for name in FILES {
            match fs::rename(self.stage.join(name), self.path.join(name)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    remove_if_there(&self.path.join(name)).map_err(io)?;
                }
                other => other.map_err(io)?,
            }
        }
        fs::remove_dir_all(&self.stage).map_err(io)?;
        sync_folder(&self.path);
        self.finished = true;
        Ok(self.path.clone())
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        // Nothing can be done about a failure here, and the error that led here is the one to report.
        let _ = fs::remove_dir_all(&self.stage);
        for folder in self.made.iter().rev() {
            // Only where it is empty: another run may have come into `runs` meanwhile.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Writes a file that exists in full or not at all.
///
/// # Errors
/// [`RunError::Io`].
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    let full = absolute(path)?;
    let name = full.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let temporary = full.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
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
