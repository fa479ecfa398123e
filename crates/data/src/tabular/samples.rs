//! The second pass over a table: its rows become samples with their targets.

use std::borrow::Cow;
use std::collections::HashMap;

use super::deal::Part;
use super::schema::{Table, find};
use super::source::{Rows, TableSource};
use super::target::{TableTask, Target};
use crate::bad::Bad;
use crate::checks::{Gathered, cells_hash};
use crate::dataset::Dataset;
use crate::error::{DataError, thousands};
use crate::features::Collected;
use crate::hash::Mixing;
use crate::options::SourceOptions;
use crate::samples::class_ids;
use crate::targets::Targets;

/// Samples with their targets.
pub(crate) struct Samples<'a> {
    table: &'a Table,
    classes: &'a [String],
    pub features: Collected,
    answers: Answers,
    rows: usize,
    /// Rows without a target.
    left_out: u64,
    /// The numbers of rows that were left out for a cell that cannot be read.
    pub refused: Vec<u64>,
    /// What the checks need, where they are to be made.
    pub gathered: Option<Gathered>,
}

/// What is to be learned of each row: of the three lists one has something in it.
#[derive(Default)]
struct Answers {
    labels: Vec<i64>,
    flags: Vec<u8>,
    values: Vec<f32>,
}

/// What becomes of the rows of a chunk.
struct Encoded {
    /// The rows that have a target.
    rows: Vec<usize>,
    features: Vec<f32>,
    answers: Answers,
    /// Of each row, where checks are to be made.
    hashes: Vec<u64>,
    /// The rows that were left out for a cell, and what is wrong with them.
    refused: Vec<(usize, DataError)>,
}

impl<'a> Samples<'a> {
    pub(crate) fn of(
        table: &'a Table,
        classes: &'a [String],
        options: &SourceOptions,
    ) -> Samples<'a> {
        Samples {
            table,
            classes,
            features: Collected::new(table.layout.width(), options.memory),
            answers: Answers::default(),
            rows: 0,
            left_out: 0,
            refused: vec![],
            gathered: None,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.rows
    }

    /// Adds the rows of a table that have a target, and tells what one should know of them.
    pub(crate) fn add(
        &mut self,
        source: &TableSource,
        part: &dyn Fn(u64) -> Part,
    ) -> Result<Vec<String>, DataError> {
        let file = source.file();
        let (table, classes) = (self.table, self.classes);
        let matched = table.matched(source.columns(), &file)?;
        let name = &table.target.column;
        let at = find(source.columns(), name, source.has_header(), &file)?;
        let places: Vec<Option<usize>> = matched.iter().copied().chain([Some(at)]).collect();
        let (folder, checked) = (source.folder(), self.gathered.is_some());
        let encode = |rows: &Rows| {
            let columns = &rows.columns;
            let mut kept: Vec<usize> =
                (0..rows.len()).filter(|&row| !columns[at].is_missing(row)).collect();
            let hash = |&row: &usize| cells_hash(columns, &places, row);
            let (features, refused) =
                table.encode(rows, &matched, &mut kept, &folder, source.skips_bad())?;
            Ok(Encoded {
                features,
                refused,
                answers: Answers::of(&table.target, classes, rows, at, &kept)?,
                hashes: if checked { kept.iter().map(hash).collect() } else { vec![] },
                rows: kept,
            })
        };
        let (mut bad, before) = (Bad::default(), self.rows);
        let mut notes = source.read_with(encode, &mut |chunk, encoded| {
            let Encoded { rows, features, answers, hashes, refused } = encoded;
            self.left_out += (chunk.rows - rows.len() - refused.len()) as u64;
            self.refused.extend(refused.iter().map(|(row, _)| chunk.first + *row as u64));
            bad.add(refused.into_iter().map(|(_, error)| error));
            self.rows += rows.len();
            self.features.add(&features)?;
            self.answers.labels.extend(answers.labels);
            self.answers.flags.extend(answers.flags);
            self.answers.values.extend(answers.values);
            if let Some(gathered) = &mut self.gathered {
                for seen in rows.into_iter().zip(hashes) {
                    gathered.add(chunk, &places, seen, part(chunk.first + seen.0 as u64));
                }
            }
            Ok(())
        })?;
        if self.rows == before && bad.count() > 0 {
            return Err(source.no_rows(&bad));
        }
        notes.extend(bad.note());
        Ok(notes)
    }

    /// What was left out.
    pub(crate) fn notes(&self, source: &TableSource) -> Vec<String> {
        match self.left_out {
            0 => vec![],
            n => vec![format!(
                "{} rows of {} are left out: nothing in column '{}'",
                thousands(n),
                source.file(),
                self.table.target.column
            )],
        }
    }

    pub(crate) fn finish(self, name: &str) -> Result<Dataset, DataError> {
        let features = self.features.finish()?;
        let names = self.classes.to_vec();
        let Answers { labels, flags, values } = self.answers;
        let targets = match self.table.target.task {
            TableTask::Classification => Targets::Classes { labels, names },
            TableTask::Multilabel => Targets::Labels { flags, names },
            TableTask::Regression | TableTask::Forecast => Targets::Values { values, dims: 1 },
        };
        Dataset::new(name, features, targets)
    }
}

impl Answers {
    /// Those of some rows; the target is column `at`.
    fn of(
        target: &Target,
        classes: &[String],
        rows: &Rows,
        at: usize,
        kept: &[usize],
    ) -> Result<Answers, DataError> {
        let cells = &rows.columns[at];
        let place = |row: usize| rows.place(row, &target.column);
        let mut answers = Answers::default();
        if classes.is_empty() {
            answers.values.reserve(kept.len());
            for &row in kept {
                let value = cells.number(row).ok_or_else(|| {
                    DataError::content(
                        place(row),
                        format!("a number is needed, there is '{}'", cells.text(row)),
                        "correct the cell, or leave it empty; the row is then left out",
                    )
                })?;
                answers.values.push(value as f32);
            }
        } else if target.task == TableTask::Multilabel {
            answers.flags.resize(kept.len() * classes.len(), 0);
            for (&row, flags) in kept.iter().zip(answers.flags.chunks_exact_mut(classes.len())) {
                let names = Target::labels(&cells.text(row));
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let ids = class_ids(&names, classes, |_| place(row))?;
                ids.into_iter().for_each(|id| flags[id as usize] = 1);
            }
        } else {
            // Cells are many, different ones few.
            let mut known: HashMap<Cow<'_, str>, usize, Mixing> = HashMap::default();
            let mut first = Vec::new();
            let codes: Vec<usize> = (kept.iter())
                .map(|&row| {
                    *known.entry(cells.text(row)).or_insert_with(|| {
                        first.push(row);
                        first.len() - 1
                    })
                })
                .collect();
            let names: Vec<String> =
                first.iter().map(|&row| target.class(cells.cell(row))).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let ids = class_ids(&names, classes, |i| place(first[i]))?;
            answers.labels = codes.into_iter().map(|code| ids[code]).collect();
        }
        Ok(answers)
    }
}
