//! `thalweg predict`: one prediction a row, as CSV.

use std::path::PathBuf;

use thalweg_data::{Features, open_features};
use thalweg_train::run::folder::write_atomic;
use thalweg_train::run::model::ModelFile;
use thalweg_train::run::{Model, Task};

use crate::failure::Failure;
use crate::output::{self, count};

#[derive(clap::Args)]
pub struct Args {
    /// The folder of a run
    run: PathBuf,
    /// Data of the kind that the run learned from; labels are not needed. Of a folder its test part is taken where it
    /// has one
    data: String,
    /// Add a column TARGET=CLASS with the probability of each class
    #[arg(long)]
    proba: bool,
    /// Write to a file instead of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Threads to use [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// Predicts and writes.
pub fn run(args: &Args) -> Result<(), Failure> {
    let mut model = Model::load(&args.run, output::cpu(args.threads)?)?;
    let task = model.file.task;
    if args.proba && !matches!(task, Task::Classification | Task::Multilabel) {
        let what =
            format!("there are no classes to give probabilities of: this is a {}", task.words());
        return Err(Failure::usage(what, "leave --proba out"));
    }
    if matches!(task, Task::LanguageModel | Task::Translation) {
        let what = format!("a {} has no predictions by row: it writes text", task.words());
        let hint = format!("thalweg generate {}", args.run.display());
        return Err(Failure::usage(what, hint));
    }
    let features = open_features(&args.data, &model.file.encoding, &model.file.source)?;
    let rows: Vec<usize> = (0..features.rows()).collect();
    let outputs = model.predict(&features, &args.data, &rows)?;
    let outputs = outputs.as_slice().unwrap_or_default();
    let text = match task {
        Task::SequenceLabelling => sequences(&model.file, &features, outputs),
        _ => csv(&model.file, outputs, args.proba),
    };
    match &args.out {
        Some(file) => {
            write_atomic(file, text.as_bytes())?;
            let (rows, file) = (count(rows.len() as u64), file.display());
            output::remark(format!("{rows} predictions in {file}"));
            Ok(())
        }
        None => output::line(text.trim_end()),
    }
}

/// The table of predictions: the target, then with `proba` its classes; several numbers of a row are TARGET_1, TARGET_2
/// and so on.
fn csv(model: &ModelFile, outputs: &[f32], proba: bool) -> String {
    let width = match model.classes.len() {
        0 => model.outputs(),
        classes => classes,
    };
    let mut header = match (model.classes.is_empty(), width) {
        (true, 2..) => (1..=width).map(|i| field(&format!("{}_{i}", model.target))).collect(),
        _ => vec![field(&model.target)],
    };
    if proba {
        let classes = model.classes.iter();
        header.extend(classes.map(|class| field(&format!("{}={class}", model.target))));
    }
    let mut text = header.join(",") + "\n";
    for row in outputs.chunks(width.max(1)) {
        let numbers = || row.iter().map(f32::to_string);
        let mut cells: Vec<String> = match model.classes.get(largest(row)) {
            Some(_) if model.task == Task::Multilabel => vec![field(&labels(model, row))],
            Some(class) => vec![field(class)],
            None => numbers().collect(),
        };
        if proba {
            cells.extend(numbers());
        }
        text += &cells.join(",");
        text += "\n";
    }
    text
}

/// The labels that hold, with `;` between them.
fn labels(model: &ModelFile, row: &[f32]) -> String {
    let holding = model.classes.iter().zip(row).filter(|(_, p)| **p > 0.5);
    holding.map(|(label, _)| label.as_str()).collect::<Vec<_>>().join(";")
}

/// The labels of each row's places, with a space between them; places of padding have none.
fn sequences(model: &ModelFile, features: &Features, outputs: &[f32]) -> String {
    let (classes, length) = (model.classes.len().max(1), features.width());
    let mut text = field(&model.target) + "\n";
    let mut ids = vec![0i64; length];
    for (row, outputs) in outputs.chunks(length * classes).enumerate() {
        let known = features.fill_ids(&[row], &mut ids).is_ok();
        let places = outputs.chunks(classes).zip(&ids).filter(|(_, id)| !known || **id != 0);
        let labels: Vec<&str> =
            places.map(|(scores, _)| model.classes[largest(scores)].as_str()).collect();
        text += &field(&labels.join(" "));
        text += "\n";
    }
    text
}

/// The place of the greatest number, the first of equals.
fn largest(row: &[f32]) -> usize {
    let mut best = 0;
    for (place, x) in row.iter().enumerate() {
        if *x > row[best] {
            best = place;
        }
    }
    best
}

/// A field as RFC 4180 wants it.
fn field(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(field("plain"), "plain");
        assert_eq!(field("a,\"b\""), "\"a,\"\"b\"\"\"");
    }

    #[test]
    fn the_first_of_equals_is_the_largest() {
        assert_eq!(largest(&[0.2, 0.4, 0.4]), 1);
        assert_eq!(largest(&[0.5]), 0);
    }
}
