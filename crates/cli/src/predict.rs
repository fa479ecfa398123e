//! `thalweg predict`: one prediction a row, as CSV.

use std::fmt::Write;
use std::path::PathBuf;

use thalweg_data::{Encoding, SourceOptions, open_features};
use thalweg_train::run::Model;
use thalweg_train::run::folder::write_atomic;
use thalweg_train::run::model::{ModelFile, Task};

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
    if args.proba && model.file.task == Task::Regression {
        let hint = "leave --proba out: a regression predicts numbers";
        return Err(Failure::usage("there are no classes to give probabilities of", hint));
    }
    let features = open_features(&args.data, &Encoding::Values, &SourceOptions::default())?;
    let rows: Vec<usize> = (0..features.rows()).collect();
    let outputs = model.predict(&features, &args.data, &rows)?;
    let text = csv(&model.file, &outputs, args.proba);
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

/// The table of predictions: the target, then with `proba` its classes.
fn csv(model: &ModelFile, outputs: &[f32], proba: bool) -> String {
    let width = match model.task {
        Task::Classification => model.classes.len(),
        Task::Regression => outputs.len().max(1),
    };
    let mut text = field(&model.target);
    if proba {
        for class in &model.classes {
            text += ",";
            text += &field(&format!("{}={class}", model.target));
        }
    }
    text += "\n";
    for row in outputs.chunks(width.max(1)) {
        match model.task {
            Task::Classification => text += &field(&model.classes[largest(row)]),
            Task::Regression => {
                let numbers: Vec<String> = row.iter().map(f32::to_string).collect();
                text += &numbers.join("\n");
            }
        }
        for probability in row.iter().filter(|_| proba) {
            // Writing to a string does not fail.
            let _ = write!(text, ",{probability}");
        }
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
