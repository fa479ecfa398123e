//! How a verb fails: `error: WHAT, WHERE`, `hint: what to do`, an exit code.

use std::io::{self, Write};
use std::process::ExitCode;

use thalweg_data::DataError;
use thalweg_train::TrainError;
use thalweg_train::run::RunError;

/// The exit code of what was asked for wrongly.
const USAGE: u8 = 2;
/// The exit code of what went wrong.
const FAILED: u8 = 1;

/// The end of a verb that did not do its work.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    /// Empty where there is nothing to say.
    message: String,
    hint: String,
}

impl Failure {
    /// Wrong usage.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure { code: USAGE, message: message.into(), hint: hint.into() }
    }

    /// Says what happened, and gives the exit code.
    pub fn report(self) -> ExitCode {
        let mut text = String::new();
        if !self.message.is_empty() {
            text = format!("error: {}\n", self.message);
        }
        if !self.hint.is_empty() {
            text += &format!("hint: {}\n", self.hint);
        }
        // With stderr closed there is nobody to tell.
        let _ = io::stderr().write_all(text.as_bytes());
        ExitCode::from(self.code)
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Failure {
        let code = if error.is_usage() { USAGE } else { FAILED };
        Failure { code, message: error.message(), hint: error.hint() }
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Failure {
        RunError::from(error).into()
    }
}

impl From<TrainError> for Failure {
    fn from(error: TrainError) -> Failure {
        RunError::from(error).into()
    }
}

/// Of writing to stdout: a reader that has seen enough, such as `head`, is no error.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => {
                Failure { code: 0, message: String::new(), hint: String::new() }
            }
            _ => Failure {
                code: FAILED,
                message: format!("cannot write to stdout: {error}"),
                hint: "check where the output goes, and the space there".into(),
            },
        }
    }
}
