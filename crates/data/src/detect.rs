//! What kind of data a path holds, where nobody says it: by the names of files, and for tables by their columns.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::error::DataError;
use crate::files::Files;
use crate::idx_set::{self, FileName};
use crate::options::{Kind, SourceOptions};
use crate::place::Place;
use crate::source::embedded_names;
use crate::tabular::TableTask;
use crate::tabular::chunk::{Cells, Chunk};
use crate::tabular::schema::find;
use crate::tabular::source::{TableSource, is_table_name};

const ZIP: &[&str] = &["zip"];
/// What columns of users and of items are called, where a table is to be known by them.
pub(crate) const USERS: &[&str] = &["user", "userid", "user_id"];
pub(crate) const ITEMS: &[&str] = &["item", "itemid", "item_id", "movie", "movieid", "movie_id"];

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Folder,
    File,
    /// A path with stars in its last part, which is none itself.
    Pattern,
}

/// A path that leads to data.
pub(crate) struct Found {
    pub path: PathBuf,
    pub form: Form,
}

/// The endings of the files of a kind; none of kinds that are tables.
fn endings(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Audio => &["wav"],
        Kind::Images => &["png", "jpg", "jpeg", "gif", "bmp", "webp"],
        Kind::Language => &["txt"],
        Kind::Labelled => &["conll", "iob", "iob2", "bio"],
        _ => &[],
    }
}

fn has(name: &str, endings: &[&str]) -> bool {
    let name = name.to_lowercase();
    endings.iter().any(|ending| name.strip_suffix(ending).is_some_and(|rest| rest.ends_with('.')))
}

impl Found {
    /// What to call the data: a folder's own name, also where it was given as `.` or `..`; a file's name up to its
    /// first dot; the name of the folder for several files.
    pub(crate) fn name(&self) -> String {
        let folder = |path: &Path| {
            let here = if path == Path::new("") { Path::new(".") } else { path };
            let full = here.canonicalize().unwrap_or_else(|_| here.to_path_buf());
            full.file_name().map(|name| name.to_string_lossy().into_owned())
        };
        let parent = || folder(self.path.parent().unwrap_or(Path::new("")));
        let name = match self.form {
            Form::Folder => folder(&self.path),
            Form::Pattern => parent(),
            Form::File if FileName::parse(&self.path).is_some() => parent(),
            Form::File => {
                let name = self.path.file_name().map(|name| name.to_string_lossy().into_owned());
                name.map(|name| name.split('.').next().unwrap_or("").to_string())
            }
        };
        name.filter(|name| !name.is_empty()).unwrap_or_else(|| "data".into())
    }

    /// What kind of data it looks like, `options` considered.
    pub(crate) fn kind(&self, options: &SourceOptions) -> Result<Kind, DataError> {
        if let Some(kind) = options.kind {
            return Ok(kind);
        }
        let is_idx = match self.form {
            Form::Folder => idx_set::is_set(&self.path)?,
            Form::File => FileName::parse(&self.path).is_some(),
            Form::Pattern => false,
        };
        if is_idx {
            return Ok(Kind::Idx);
        }
        let name = self.path.to_string_lossy();
        if self.form == Form::File && !has(&name, ZIP) {
            if is_table_name(&name) {
                return table_kind(&self.source(options)?, options);
            }
            let files = Files::single(&self.path);
            return match kind_of(&name) {
                Some(Kind::Language) if is_table(&self.path)? => {
                    table_kind(&self.source(options)?, options)
                }
                Some(kind) => Ok(kind),
                None => Err(self.unknown(&files)),
            };
        }
        let files = self.all()?;
        let of = |kind| files.names().filter(|name| has(name, endings(kind))).count();
        let counts = [Kind::Audio, Kind::Images, Kind::Language].map(|kind| (of(kind), kind));
        let tables = files.names().filter(|name| is_table_name(name)).count();
        match counts.into_iter().max_by_key(|(count, _)| *count) {
            Some((count, _)) if tables > count => table_kind(&self.source(options)?, options),
            Some((count, kind)) if count > 0 => Ok(kind),
            _ => Err(self.unknown(&files)),
        }
    }

    fn source(&self, options: &SourceOptions) -> Result<TableSource, DataError> {
        TableSource::at(self, options.header, options)
    }

    /// The files of a table: the file itself, at its user's word, or all tables of a folder, a zip or a pattern, those in
    /// folders within it where it has none itself; texts where none of the files is called a table.
    pub(crate) fn tables(&self) -> Result<Files, DataError> {
        if self.form == Form::File && !has(&self.path.to_string_lossy(), ZIP) {
            return Ok(Files::single(&self.path));
        }
        let mut files = self.all()?;
        let any = files.names().any(is_table_name);
        match any {
            true => files.keep(is_table_name),
            false => files.keep(|name| has(name, &["txt", "txt.gz"]) && !name.contains('/')),
        }
        if files.names().any(|name| !name.contains('/')) {
            files.keep(|name| !name.contains('/'));
        }
        match files.len() {
            0 => Err(DataError::content(
                Place::file(&self.path),
                "a table is needed, and none of the files in it is one",
                "tables are .csv, .tsv, .txt, .jsonl, .parquet, .arrow and .npy files; name the \
                file itself where it is called otherwise",
            )),
            _ => Ok(files),
        }
    }

    /// The files of a kind. A file that was named itself is taken at its user's word.
    pub(crate) fn files(&self, kind: Kind) -> Result<Files, DataError> {
        if self.form == Form::File && !has(&self.path.to_string_lossy(), ZIP) {
            return Ok(Files::single(&self.path));
        }
        let mut files = self.all()?;
        let all = files.len();
        // Texts in folders within the folder are of another set.
        let flat = kind == Kind::Language && self.form == Form::Folder;
        files.keep(|name| has(name, endings(kind)) && !(flat && name.contains('/')));
        match files.len() {
            0 => Err(DataError::content(
                Place::file(&self.path),
                match all {
                    1 => format!("the one file in it is no .{} file", endings(kind).join(" or .")),
                    _ => format!(
                        "none of the {all} files in it is a .{} file",
                        endings(kind).join(" or .")
                    ),
                },
                format!("data of kind '{kind}' is read from such files"),
            )),
            _ => Ok(files),
        }
    }

    fn all(&self) -> Result<Files, DataError> {
        match self.form {
            Form::Folder => Files::folder(&self.path),
            Form::File => Files::zip(&self.path),
            Form::Pattern => Files::matching(&self.path),
        }
    }

    fn has_folders(&self) -> bool {
        let mut entries = std::fs::read_dir(&self.path).into_iter().flatten().flatten();
        entries.any(|entry| entry.path().is_dir())
    }

    /// The error of data whose kind is not known.
    fn unknown(&self, files: &Files) -> DataError {
        let found = match (self.form, self.path.extension()) {
            (Form::File, Some(extension)) if !has(&self.path.to_string_lossy(), ZIP) => {
                format!("a .{} file", extension.to_string_lossy())
            }
            (Form::File, None) => "a file without an extension".into(),
            _ => match files.names().next() {
                None if self.has_folders() => {
                    "there are folders in it, as of classes, but no file in any of them".into()
                }
                None => "there is no file in it".into(),
                Some(only) if files.len() == 1 => format!("there is one file in it, '{only}'"),
                Some(first) => format!("{} files, '{first}' first", files.len()),
            },
        };
        DataError::UnknownKind { path: self.path.clone(), found, embedded: embedded_names() }
    }
}

fn kind_of(name: &str) -> Option<Kind> {
    [Kind::Audio, Kind::Images, Kind::Language, Kind::Labelled]
        .into_iter()
        .find(|&kind| has(name, endings(kind)))
}

/// Whether a text file is a table: the first of its lines have the same number of tabs, and some.
fn is_table(path: &Path) -> Result<bool, DataError> {
    let text = Files::single(path).text(0)?;
    let tabs = |line: &str| line.matches('\t').count();
    let mut lines = text.lines().take(20);
    let first = lines.next().map_or(0, tabs);
    Ok(first > 0 && lines.all(|line| tabs(line) == first))
}

/// Rows by which it is seen what a table is for.
const HEAD: usize = 1000;

/// What a table is for: what the options speak of, or else what its columns look like.
fn table_kind(table: &TableSource, options: &SourceOptions) -> Result<Kind, DataError> {
    let names = table.columns();
    let named =
        |known: &[&str]| names.iter().any(|name| known.contains(&name.to_lowercase().as_str()));
    if options.task == Some(TableTask::Forecast)
        || options.horizon.is_some()
        || options.window.is_some()
    {
        return Ok(Kind::Series);
    }
    if options.time_col.is_some() && is_series(table, options)? {
        return Ok(Kind::Series);
    }
    if options.speak_of_tables() || options.group.is_some() || options.time_col.is_some() {
        return Ok(Kind::Table);
    }
    if options.user.is_some() || options.item.is_some() || (named(USERS) && named(ITEMS)) {
        return Ok(Kind::Ratings);
    }
    if options.column.is_some() || options.transform.is_some() {
        return Ok(Kind::Text);
    }
    let head = table.head(HEAD)?;
    let last = names.len() - 1;
    if head.columns.iter().any(|cells| names_files(cells, &table.folder())) {
        return Ok(Kind::Table);
    }
    let is_numeric = |column: usize| is_numeric(&head, column);
    if options.target.is_none()
        && last <= 1
        && is_numeric(last)
        && (last == 0 || ascends(&head.columns[0]))
    {
        return Ok(Kind::Series);
    }
    let target = match &options.target {
        Some(target) => find(names, target, table.has_header(), &table.file())?,
        None => last,
    };
    let others: Vec<usize> = (0..names.len()).filter(|&column| column != target).collect();
    let [only] = others[..] else {
        // Of names and what goes with them the names are read; a row that they name would say nothing.
        let mut rich = others.iter().filter(|&&column| is_rich(&head.columns[column]));
        let names = rich.next().is_some_and(|&first| are_words(&head.columns[first]));
        let texts = others.iter().all(|&column| !is_numeric(column));
        return Ok(if texts && names && rich.next().is_none() { Kind::Text } else { Kind::Table });
    };
    Ok(if is_numeric(only) { Kind::Table } else { Kind::Text })
}

/// Whether numbers go with times and nothing else, but perhaps with the names of several series.
fn is_series(table: &TableSource, options: &SourceOptions) -> Result<bool, DataError> {
    let names = table.columns();
    let said = |name: &Option<String>, column: &String| name.as_ref() == Some(column);
    let mut others = names
        .iter()
        .filter(|column| !said(&options.time_col, column) && !said(&options.group, column));
    let (Some(target), None) = (others.next(), others.next()) else { return Ok(false) };
    if options.target.as_ref().is_some_and(|wanted| wanted != target) || options.task.is_some() {
        return Ok(false);
    }
    let head = table.head(HEAD)?;
    let column = names.iter().position(|name| name == target).unwrap_or(0);
    Ok(is_numeric(&head, column))
}

/// Whether the cells of a column are numbers, and some are there.
fn is_numeric(head: &Chunk, column: usize) -> bool {
    let cells = &head.columns[column];
    let mut filled = (0..head.rows).filter(|&row| !cells.is_missing(row)).peekable();
    filled.peek().is_some() && filled.all(|row| cells.number(row).is_some())
}

/// Whether the cells of a column are paths of images or of recordings, and some of the first ones are there.
fn names_files(cells: &Cells, folder: &Path) -> bool {
    const LOOKED_AT: usize = 20;
    let known = [endings(Kind::Images), endings(Kind::Audio)].concat();
    let filled = || (0..cells.len()).filter(|&row| !cells.is_missing(row));
    filled().all(|row| has(&cells.text(row), &known))
        && filled().take(LOOKED_AT).any(|row| folder.join(&*cells.text(row)).is_file())
}

/// Whether three of four cells are different.
fn is_rich(cells: &Cells) -> bool {
    let different: BTreeSet<_> = (0..cells.len()).map(|row| cells.text(row)).collect();
    different.len() * 4 >= cells.len() * 3
}

/// Whether most cells are a single word of letters, as names are.
fn are_words(cells: &Cells) -> bool {
    let word = |row: &usize| {
        let cell = cells.text(*row);
        !cell.contains(|c: char| c.is_ascii_digit() || c.is_whitespace())
    };
    (0..cells.len()).filter(word).count() * 2 > cells.len()
}

/// Whether a column counts up, as times do.
fn ascends(cells: &Cells) -> bool {
    let rows = 1..cells.len();
    rows.into_iter().all(|row| match (cells.number(row - 1), cells.number(row)) {
        (Some(a), Some(b)) => a < b,
        _ => cells.text(row - 1) < cells.text(row),
    })
}
