//! `thalweg check`: what can be wrong with data, before anything is learned.

use std::process::ExitCode;

use thalweg_data::DataError;
use thalweg_train::run::insights::{Check, Status};
use thalweg_train::run::{RunData, RunError};

use crate::data_args::{DataArgs, source};
use crate::failure::Failure;
use crate::output;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    data: DataArgs,
    /// Print one JSON object a line, a check each
    #[arg(long)]
    json: bool,
}

/// Looks at the data and says what was seen; the exit code is 1 where a check has failed.
pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let draft = args.data.draft()?;
    let checks = match RunData::learn(&draft, &source(&draft)) {
        Ok((_, data)) => data.checks(),
        // What cannot be read is a finding too.
        Err(error @ RunError::Data(DataError::Content { .. })) => vec![Check {
            name: "reading".into(),
            status: Status::Fail,
            saw: error.message(),
            action: error.hint(),
        }],
        Err(error) => return Err(error.into()),
    };
    for check in &checks {
        match args.json {
            true => output::json(check)?,
            false => output::say(shown(check))?,
        }
    }
    if !args.json {
        output::say(format!("\n{}", counts(&checks)))?;
    }
    let failed = checks.iter().any(|check| check.status == Status::Fail);
    Ok(ExitCode::from(u8::from(failed)))
}

/// The checks before a training: a line where all pass, else those that do not.
pub fn compact(checks: &[Check]) -> String {
    let bad = checks.iter().filter(|check| check.status != Status::Pass);
    let lines: String =
        bad.map(|check| format!("\n  {}", shown(check).replace('\n', "\n  "))).collect();
    format!("checks   {}{lines}", counts(checks))
}

/// A check in a line, and in a second one what to do.
fn shown(check: &Check) -> String {
    let status = match check.status {
        Status::Pass => "PASS",
        Status::Warn => "WARN",
        Status::Fail => "FAIL",
    };
    let action = match check.action.as_str() {
        "" => String::new(),
        action => format!("\n{:20}→ {action}", ""),
    };
    format!("{status}  {:<12}  {}{action}", check.name, check.saw)
}

/// How many there are of each status.
fn counts(checks: &[Check]) -> String {
    let of = |status| checks.iter().filter(|check| check.status == status).count();
    match (of(Status::Pass), of(Status::Warn), of(Status::Fail)) {
        (passed, 0, 0) => format!("all {passed} passed"),
        (passed, warned, 0) => format!("{passed} passed, {warned} to look at"),
        (passed, warned, failed) => {
            format!("{passed} passed, {warned} to look at, {failed} failed")
        }
    }
}
