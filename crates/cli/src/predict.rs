//! `thalweg predict`: one prediction a row, as CSV, JSON lines or Parquet.

use std::path::PathBuf;

use thalweg_data::tabular::write::{Column, Format, Values, columns_of};
use thalweg_data::{Encoding, Features, open_unlabelled};
use thalweg_train::judge::conformal;
use thalweg_train::run::folder::write_atomic;
use thalweg_train::run::model::ModelFile;
use thalweg_train::run::{Model, Task};

use crate::failure::Failure;
use crate::output::{self, count};
use crate::summary::shown;

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
    /// Add sets of classes (TARGET_set) or intervals of numbers (TARGET_low, TARGET_high) that hold the truth with this
    /// probability, such as 0.9, as far as new rows are like those the run was validated on; of labels a set that holds
    /// each label that is true with this probability
    #[arg(long, value_name = "LEVEL", allow_negative_numbers = true)]
    interval: Option<f64>,
    /// Columns of DATA to copy in front of the predictions; may be given several times
    #[arg(long, value_name = "COL,…")]
    keep: Vec<String>,
    /// Write to a file instead of stdout: .csv, .jsonl or .parquet
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Threads to use [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// Predicts and writes.
pub fn run(args: &Args) -> Result<(), Failure> {
    let mut model = Model::load(&args.run, output::cpu(args.threads)?)?;
    check(args, &model.file)?;
    let (features, notes) = open_unlabelled(&args.data, &model.file.encoding, &model.file.source)?;
    notes.iter().for_each(output::remark);
    let rows: Vec<usize> = (0..features.rows()).collect();
    let mut columns = kept(args, &model.file, rows.len())?;
    let outputs = model.predict(&features, &args.data, &rows)?;
    let outputs = outputs.as_slice().unwrap_or_default();
    columns.extend(match model.file.task {
        Task::SequenceLabelling => vec![sequences(&model.file, &features, outputs)],
        _ => said(&model.file, outputs),
    });
    if args.proba {
        columns.extend(model.file.classes.iter().enumerate().map(|(i, class)| Column {
            name: format!("{}={class}", model.file.target),
            values: Values::Single(every(outputs, model.file.classes.len(), i)),
        }));
    }
    if let Some(level) = args.interval {
        columns.extend(held(&model.file, outputs, level)?);
    }
    match &args.out {
        Some(file) => {
            write_atomic(file, &Format::of(file).encode(&columns)?)?;
            let (rows, file) = (count(rows.len() as u64), file.display());
            output::remark(format!("{rows} predictions in {file}"));
            output::remark(format!(
                "next: where the truth becomes known, thalweg evaluate {} DATA",
                shown(&args.run)
            ));
            Ok(())
        }
        None => {
            let text = Format::Csv.encode(&columns)?;
            output::line(String::from_utf8_lossy(&text).trim_end_matches('\n'))?;
            output::remark("next: --out FILE writes them to a .csv, .jsonl or .parquet file");
            Ok(())
        }
    }
}

/// Refuses what means nothing for the run.
fn check(args: &Args, model: &ModelFile) -> Result<(), Failure> {
    let task = model.task;
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
    let Some(level) = args.interval else { return Ok(()) };
    if !(level > 0.0 && level < 1.0) {
        let what = format!("a probability between 0 and 1 is needed, in --interval {level}");
        return Err(Failure::usage(what, "for example --interval 0.9"));
    }
    let strangeness = &model.calibration.strangeness;
    if strangeness.is_empty() {
        let what = "this run has no sets or intervals to give, in --interval";
        let hint = "they are there for classes and numbers, where a run had 20 validation rows or more: train again, with \
                    more rows or a greater share: --set data.split.valid=0.2";
        return Err(Failure::usage(what, hint));
    }
    let endless = |i: &usize| !strangeness[*i].bound(level).is_finite();
    let endless: Vec<usize> = (0..strangeness.len()).filter(endless).collect();
    match (task, endless.len()) {
        (_, 0) => Ok(()),
        (Task::Multilabel, n) if n < strangeness.len() => {
            let names: Vec<&str> = endless.iter().map(|&i| model.classes[i].as_str()).collect();
            output::remark(format!(
                "note: too few validation rows have {}: always in the set",
                names.join(", ")
            ));
            Ok(())
        }
        _ => {
            let rows = model.calibration.rows;
            let most = rows as f64 / (rows as f64 + 1.0);
            let what = format!("{rows} validation rows cannot promise --interval {level}");
            Err(Failure::usage(what, format!("the most that they can is {most:.4}")))
        }
    }
}

/// The columns that are copied, and the names of several series.
fn kept(args: &Args, model: &ModelFile, rows: usize) -> Result<Vec<Column>, Failure> {
    let mut keep = args.keep.clone();
    if let (Encoding::Series(_), Some(group)) = (&model.encoding, &model.source.group) {
        // One forecast a series: without its name nobody could tell whose it is.
        keep.insert(0, group.clone());
        keep.dedup();
    }
    if keep.is_empty() {
        return Ok(vec![]);
    }
    let columns = columns_of(&args.data, &model.encoding, &model.source, &keep)?;
    if let Some(Column { name, .. }) = columns.iter().find(|column| column.name == model.target) {
        let what =
            format!("two columns would be called '{name}', in --keep {}", args.keep.join(" "));
        return Err(Failure::usage(what, "predictions are called as the target is; keep others"));
    }
    let there = columns.first().map_or(0, |column| match &column.values {
        Values::Texts(texts) => texts.len(),
        Values::Single(numbers) => numbers.len(),
        Values::Double(numbers) => numbers.len(),
    });
    match there == rows {
        true => Ok(columns),
        false => {
            let (there, rows) = (count(there as u64), count(rows as u64));
            let what = format!("{there} rows of columns to keep, but {rows} predictions");
            Err(Failure::usage(what, "leave --keep out: predictions of such data are not by row"))
        }
    }
}

/// Every number `i` of rows of `width`.
fn every(outputs: &[f32], width: usize, i: usize) -> Vec<f32> {
    outputs.iter().skip(i).step_by(width.max(1)).copied().collect()
}

/// The predictions: the classes that are said, the labels that hold, or numbers; several of a row are TARGET_1, TARGET_2 and
/// so on.
fn said(model: &ModelFile, outputs: &[f32]) -> Vec<Column> {
    let classes = model.classes.len();
    if classes > 0 {
        let class = |row: &[f32]| match model.task {
            Task::Multilabel => listed(model, model.calibration.holding(&as_f64(row))),
            _ => model.classes[model.calibration.said(&as_f64(row))].clone(),
        };
        let texts = outputs.chunks(classes).map(class).collect();
        return vec![Column { name: model.target.clone(), values: Values::Texts(texts) }];
    }
    let names = numbers(model).into_iter().enumerate();
    let width = model.outputs();
    names
        .map(|(i, name)| Column { name, values: Values::Single(every(outputs, width, i)) })
        .collect()
}

/// What the numbers of a prediction are called.
fn numbers(model: &ModelFile) -> Vec<String> {
    match model.outputs() {
        0 | 1 => vec![model.target.clone()],
        width => (1..=width).map(|i| format!("{}_{i}", model.target)).collect(),
    }
}

/// Sets of classes, with `;` between them, or both ends of intervals.
fn held(model: &ModelFile, outputs: &[f32], level: f64) -> Result<Vec<Column>, Failure> {
    let bounds = model.calibration.strangeness.iter().map(|scores| scores.bound(level));
    if model.classes.is_empty() {
        let (width, names) = (model.outputs(), numbers(model));
        let ends = names.into_iter().zip(bounds).enumerate().flat_map(|(i, (name, bound))| {
            let end = |what: &str, by: f64| Column {
                name: format!("{name}_{what}"),
                values: Values::Single(
                    every(outputs, width, i).iter().map(|x| (f64::from(*x) + by) as f32).collect(),
                ),
            };
            [end("low", -bound), end("high", bound)]
        });
        return Ok(ends.collect());
    }
    let bound = bounds.into_iter().next().unwrap_or(f64::INFINITY);
    let set = |row: &[f32]| {
        let p = as_f64(row);
        listed(
            model,
            match model.task {
                Task::Multilabel => model.calibration.holding_set(&p, level),
                _ => conformal::set(&p, bound),
            },
        )
    };
    let texts = outputs.chunks(model.classes.len()).map(set).collect();
    Ok(vec![Column { name: format!("{}_set", model.target), values: Values::Texts(texts) }])
}

fn as_f64(row: &[f32]) -> Vec<f64> {
    row.iter().map(|&p| f64::from(p)).collect()
}

/// The names of classes or labels, with `;` between them.
fn listed(model: &ModelFile, classes: Vec<usize>) -> String {
    let names = classes.into_iter().map(|class| model.classes[class].as_str());
    names.collect::<Vec<_>>().join(";")
}

/// The labels of each row's places, with a space between them; places of padding have none.
fn sequences(model: &ModelFile, features: &Features, outputs: &[f32]) -> Column {
    let (classes, length) = (model.classes.len().max(1), features.width());
    let mut ids = vec![0i64; length];
    let mut texts = Vec::new();
    for (row, outputs) in outputs.chunks(length * classes).enumerate() {
        let known = features.fill_ids(&[row], &mut ids).is_ok();
        let places = outputs.chunks(classes).zip(&ids).filter(|(_, id)| !known || **id != 0);
        let labels: Vec<&str> =
            places.map(|(scores, _)| model.classes[largest(scores)].as_str()).collect();
        texts.push(labels.join(" "));
    }
    Column { name: model.target.clone(), values: Values::Texts(texts) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_is_the_largest() {
        assert_eq!(largest(&[0.2, 0.4, 0.4]), 1);
        assert_eq!(largest(&[0.5]), 0);
    }
}
