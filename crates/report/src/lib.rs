//! What people see of a run: [`page()`] makes one HTML page of a run folder, that needs nothing beside it: no script, no
//! font, no picture from elsewhere.
//!
//! [`run`] reads the folder; [`sections`] choose what to say, as blocks of a [`page::Page`];
//! [`chart`] and [`drawing`] make SVG; the template `page.html` makes HTML of it all, and escapes every text.

pub mod chart;
pub mod drawing;
pub mod numbers;
pub mod page;
pub mod run;
pub mod sections;

use std::path::{Path, PathBuf};

use thalweg_train::run::RunError;
use thalweg_train::run::folder::write_atomic;

/// The page of a run, in its folder.
pub const REPORT: &str = "report.html";

/// The page of the run in the folder `run`. Equal folders give equal bytes.
///
/// # Errors
/// [`RunError::NotARun`], [`RunError::Damaged`], [`RunError::Newer`], [`RunError::Io`].
pub fn page(run: &Path) -> Result<String, RunError> {
    sections::page(&run::Run::read(run)?)?.html()
}

/// Writes the page of a run into its folder, whole or not at all, and says where it is.
///
/// # Errors
/// As [`page()`].
pub fn write(run: &Path) -> Result<PathBuf, RunError> {
    let path = run.join(REPORT);
    write_atomic(&path, page(run)?.as_bytes())?;
    Ok(path)
}
