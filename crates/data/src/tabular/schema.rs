//! How the rows of a table become samples: its columns, and what each of them was taken for. `model.json` holds it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::cell::Cell;
use super::encoder::{Encoder, Section};
use super::source::Rows;
use super::target::Target;
use crate::error::DataError;
use crate::place::Place;
use crate::suggest;

/// How the rows of a table become samples: one row of numbers each, its parts behind each other as [`Layout`] says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Whether the first line of a file names the columns.
    pub header: bool,
    /// The columns but the target, in the order of the table.
    pub columns: Vec<Column>,
    /// What is learned.
    pub target: Target,
    /// What a row is made of.
    pub layout: Layout,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Why it was taken for what it was.
    pub reason: String,
    /// How its cells become numbers.
    #[serde(flatten)]
    pub encoder: Encoder,
}

/// The parts of a row: numbers, ids of categories, ids of the tokens of texts, pixels, spectrograms.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Layout {
    /// For each number the quantiles of the training rows, ascending and different, as scaled; none where it takes a
    /// few values only.
    pub numbers: Vec<Vec<f32>>,
    /// For each category how many ids there are.
    pub categories: Vec<usize>,
    /// For each text the tokens in a sample and the ids there are.
    pub texts: Vec<[usize; 2]>,
    /// For each image channels, height and width.
    pub images: Vec<[usize; 3]>,
    /// For each recording mel bands and frames.
    pub sounds: Vec<[usize; 2]>,
    /// Training rows.
    pub rows: usize,
}

/// What there is to know about a column, for people.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnReport {
    /// Its name.
    pub name: String,
    /// What it was taken for: `number`, `category`, …
    pub kind: String,
    /// Why.
    pub reason: String,
    /// Cells with nothing in them.
    pub missing: u64,
    /// What is in it, in a few words.
    pub content: String,
}

impl Layout {
    /// Numbers in a row.
    #[must_use]
    pub fn width(&self) -> usize {
        let tokens: usize = self.texts.iter().map(|[length, _]| length).sum();
        let pixels: usize = self.images.iter().map(|sides| sides.iter().product::<usize>()).sum();
        let places: usize = self.sounds.iter().map(|[mels, frames]| mels * frames).sum();
        self.numbers.len() + self.categories.len() + tokens + pixels + places
    }
}

/// Rows that do not fit: their places in a chunk, and what is wrong.
type Refused = Vec<(usize, DataError)>;

impl Table {
    /// Where the numbers of each column begin in a row, with the column; those that are left out are not among them.
    #[must_use]
    pub fn places(&self) -> Vec<(usize, usize)> {
        let mut places = Vec::new();
        let mut start = 0;
        for section in Section::ALL {
            for (i, column) in self.columns.iter().enumerate() {
                if column.encoder.section() == Some(section) {
                    places.push((i, start));
                    start += column.encoder.width();
                }
            }
        }
        places
    }

    /// The place of each column among others by name; `None` for those that are left out.
    ///
    /// # Errors
    /// [`DataError::MissingColumn`] for one that is needed and not there.
    pub(crate) fn matched(
        &self,
        names: &[String],
        file: &Place,
    ) -> Result<Vec<Option<usize>>, DataError> {
        let needed = |column: &Column| match column.encoder.section() {
            Some(_) => match names.iter().position(|name| *name == column.name) {
                Some(at) => Ok(Some(at)),
                None => Err(self.lacking(names, &column.name, file)),
            },
            None => Ok(None),
        };
        self.columns.iter().map(needed).collect()
    }

    /// Says which of these columns the table did not have.
    pub(crate) fn unknown(&self, names: &[String]) -> Option<String> {
        let known = |name: &&String| {
            **name == self.target.column || self.columns.iter().any(|column| column.name == **name)
        };
        let names: Vec<&str> = names.iter().filter(|name| !known(name)).map(|n| &**n).collect();
        let what = if names.len() == 1 { "column" } else { "columns" };
        (!names.is_empty()).then(|| {
            format!("passed over, since nothing was learned of it: {what} {}", names.join(", "))
        })
    }

    /// The rows of a chunk that are to be kept, as samples. `matched`: where the columns are in it; `folder`: where paths in
    /// cells begin. With `skip_bad` rows with a cell that does not fit are kept no more, and what is wrong with each is
    /// returned with its place in the chunk.
    pub(crate) fn encode(
        &self,
        rows: &Rows,
        matched: &[Option<usize>],
        keep: &mut Vec<usize>,
        folder: &Path,
        skip_bad: bool,
    ) -> Result<(Vec<f32>, Refused), DataError> {
        let width = self.layout.width();
        let mut out = vec![0.0; keep.len() * width];
        let mut refused = BTreeMap::new();
        for (i, at) in self.places() {
            let Column { name, encoder, .. } = &self.columns[i];
            let Some(from) = matched[i] else { continue };
            let (writer, place) = (encoder.writer(folder)?, at..at + encoder.width());
            let cells = &rows.columns[from];
            for (&row, out) in keep.iter().zip(out.chunks_exact_mut(width)) {
                let Err(wrong) = writer.write(cells.cell(row), &mut out[place.clone()]) else {
                    continue;
                };
                let place = rows.place(row, name);
                let error = DataError::content(place, wrong.problem, wrong.hint);
                if !skip_bad {
                    return Err(error);
                }
                refused.entry(row).or_insert(error);
            }
        }
        if !refused.is_empty() {
            let mut end = 0;
            for (i, row) in keep.iter().enumerate() {
                if !refused.contains_key(row) {
                    out.copy_within(i * width..(i + 1) * width, end);
                    end += width;
                }
            }
            out.truncate(end);
            keep.retain(|row| !refused.contains_key(row));
        }
        Ok((out, refused.into_iter().collect()))
    }

    /// Encodes rows that are in memory: for each the names of its columns and their cells. Other columns than those
    /// learned from are passed over.
    ///
    /// # Errors
    /// [`DataError::MissingColumn`] where a row lacks a column; [`DataError::Content`] for a cell that does not fit.
    pub fn encode_rows<'a, R>(
        &self,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<crate::Features, DataError>
    where
        R: IntoIterator<Item = (&'a str, Cell<'a>)>,
    {
        let width = self.layout.width();
        let mut places = Vec::new();
        for (i, at) in self.places() {
            places.push((i, at, self.columns[i].encoder.writer(Path::new(""))?));
        }
        let mut out = Vec::new();
        for (number, row) in rows.into_iter().enumerate() {
            let cells: Vec<(&str, Cell<'_>)> = row.into_iter().collect();
            let place = || Place { line: Some(number as u64 + 1), ..Place::file("rows".as_ref()) };
            let start = out.len();
            out.resize(start + width, 0.0);
            for (i, at, writer) in &places {
                let Column { name, encoder, .. } = &self.columns[*i];
                // The cells are mostly in the order of the columns.
                let given = (cells.get(*i).filter(|(given, _)| given == name))
                    .or_else(|| cells.iter().find(|(given, _)| given == name));
                let Some((_, cell)) = given else {
                    let names: Vec<String> =
                        cells.iter().map(|(given, _)| (*given).to_string()).collect();
                    return Err(self.lacking(&names, name, &place()));
                };
                let out = &mut out[start + at..start + at + encoder.width()];
                writer.write(*cell, out).map_err(|wrong| {
                    DataError::content(place().column(name), wrong.problem, wrong.hint)
                })?;
            }
        }
        crate::Features::new(crate::Raw::F32(out), vec![width])
    }

    /// What to say of a table without a column that is needed. Columns that are learned from are no slip of its name.
    fn lacking(&self, names: &[String], wanted: &str, file: &Place) -> DataError {
        let other = |name: &&str| {
            *name != self.target.column && self.columns.iter().all(|column| column.name != *name)
        };
        let near = suggest::nearest(wanted, names.iter().map(String::as_str).filter(other));
        let hint = match near {
            Some(near) => format!(
                "did you mean '{near}'? then rename it: the network learned from '{wanted}'"
            ),
            None => {
                "the network learned from it: add the column; where nothing is known its cells \
                     may be empty"
                    .into()
            }
        };
        DataError::MissingColumn {
            place: file.clone().into(),
            wanted: wanted.into(),
            columns: names.join(", "),
            hint,
        }
    }
}

/// Names of columns as they were said: one that no column has is several with commas between them.
pub(crate) fn apart(said: &[String], columns: &[String]) -> Vec<String> {
    let names = |said: &String| match columns.contains(said) {
        true => vec![said.clone()],
        false => said.split(',').map(|name| name.trim().to_string()).collect(),
    };
    said.iter().flat_map(names).collect()
}

/// The place of a column by name.
pub(crate) fn find(
    names: &[String],
    wanted: &str,
    header: bool,
    file: &Place,
) -> Result<usize, DataError> {
    let at = names.iter().position(|name| name == wanted);
    at.ok_or_else(|| missing(names, wanted, header, file))
}

fn missing(names: &[String], wanted: &str, header: bool, file: &Place) -> DataError {
    let near = suggest::nearest(wanted, names.iter().map(String::as_str));
    let hint = match (near, header) {
        (Some(near), true) => format!("did you mean '{near}'?"),
        (_, true) => "use the name of one of these columns".into(),
        (_, false) => "the table does not name its columns: give a number from 1, or say \
                       --header true where its first line names them"
            .into(),
    };
    DataError::MissingColumn {
        place: file.clone().into(),
        wanted: wanted.into(),
        columns: names.join(", "),
        hint,
    }
}
