//! What can go wrong with a run: its configuration, its folder, the files in it. Each message says what and where,
//! then on a second line what to do.

use std::io;
use std::path::PathBuf;

use thalweg_data::DataError;

use crate::TrainError;

/// A problem with a run. `Display` gives the message, a line break, and `hint: …`.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A configuration that cannot be followed.
    #[error("{what}, in {place}\nhint: {hint}")]
    Config {
        /// What is wrong.
        what: String,
        /// The file, flag or `--set` that said so.
        place: String,
        /// What to do.
        hint: String,
    },
    /// The operating system refused something.
    #[error("cannot {doing} {}: {source}\nhint: {hint}", path.display())]
    Io {
        /// `create`, `write`, `read`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why it could not be done.
        source: io::Error,
        /// What to do.
        hint: &'static str,
    },
    /// The folder for a new run holds one already.
    #[error(
        "{} already holds a run\nhint: choose another --out, or replace it with --overwrite",
        path.display()
    )]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// The folder for a new run holds one that can be resumed.
    #[error(
        "{} holds a training that is not finished\nhint: go on with it: `thalweg resume {}`; or choose another --out, or replace it with --overwrite",
        path.display(), path.display()
    )]
    Unfinished {
        /// The folder.
        path: PathBuf,
    },
    /// Another training writes into the folder.
    #[error(
        "another training is writing into {}\nhint: wait for its end, or choose another --out",
        path.display()
    )]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// A folder that is no finished run.
    #[error("{} is not a run: {problem}\nhint: {hint}", path.display())]
    NotARun {
        /// The folder.
        path: PathBuf,
        /// What is missing.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// A file of a run that is damaged.
    #[error("{} is damaged: {problem}\nhint: bring the file back from a copy, or train again: `thalweg train --config {}`", path.display(), path.with_file_name("config.toml").display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        problem: String,
    },
    /// A file that a later version wrote.
    #[error("{} has format {found}, but this is thalweg {}, which reads format {known}\nhint: update thalweg, or train the run again with this version", path.display(), super::VERSION)]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The greatest format that is read.
        known: u64,
    },
    /// The data cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Data that does not fit the network.
    #[error("{what}\nhint: {hint}")]
    Fit {
        /// What does not fit.
        what: String,
        /// What to do.
        hint: String,
    },
}

impl RunError {
    /// True where what was asked for is wrong, rather than the doing of it.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            RunError::Config { .. }
            | RunError::Exists { .. }
            | RunError::Unfinished { .. }
            | RunError::NotARun { .. } => true,
            RunError::Train(TrainError::Option { .. }) => true,
            RunError::Data(error) | RunError::Train(TrainError::Data(error)) => matches!(
                error,
                DataError::UnknownSource { .. }
                    | DataError::UnknownKind { .. }
                    | DataError::NotAFile { .. }
                    | DataError::MissingColumn { .. }
                    | DataError::Option { .. }
                    | DataError::BatchSize { .. }
                    | DataError::Fraction { .. }
                    | DataError::EmptyPart { .. }
            ),
            _ => false,
        }
    }

    /// What is wrong and where, without the hint.
    #[must_use]
    pub fn message(&self) -> String {
        thalweg_data::split_hint(&self.to_string()).0
    }

    /// What to do about it; empty where nothing can be said.
    #[must_use]
    pub fn hint(&self) -> String {
        thalweg_data::split_hint(&self.to_string()).1
    }
}

impl From<thalweg_graph::Error> for RunError {
    fn from(error: thalweg_graph::Error) -> RunError {
        RunError::Train(error.into())
    }
}
