//! `thalweg evaluate`: how good a trained network is on data it has not seen.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use thalweg_data::{Dataset, open_as};
use thalweg_train::run::data::{PartName, RunData};
use thalweg_train::run::judging::examine;
use thalweg_train::run::model::read_config;
use thalweg_train::run::session::figures;
use thalweg_train::run::{Draft, Model, Task};
use thalweg_train::{
    ClassScores, Classification, LabelScores, Labels, Metrics, Part, Probabilities,
};

use crate::failure::Failure;
use crate::output::{self, commands, count, number, percent, table};
use crate::summary::shown;

#[derive(clap::Args)]
pub struct Args {
    /// The folder of a run
    run: PathBuf,
    /// Data with labels [default: the test rows that the run held out, or else its validation rows]
    data: Option<String>,
    /// Print one JSON object: {"rows": N, "metrics": {"accuracy": …, "loss": …, "f1_macro": …, …}}
    #[arg(long)]
    json: bool,
    /// Threads to use [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// Measures and prints.
pub fn run(args: &Args) -> Result<(), Failure> {
    let mut model = Model::load(&args.run, output::cpu(args.threads)?)?;
    let (data, rows, what) = judged(args, &model)?;
    model.check(&data.features, &what)?;
    let Model { file, trainer } = &mut model;
    let part = Part { data: &data, rows: &rows, scaling: &file.scaling };
    let metrics = examine(trainer, file.task, &part, &file.calibration)?.metrics;
    if args.json {
        let mut figures = serde_json::to_value(&metrics).map_err(std::io::Error::from)?;
        if let Value::Object(fields) = &mut figures {
            fields.remove("rows");
        }
        return output::json(&json!({ "rows": metrics.rows(), "metrics": figures }));
    }
    output::line(format!("{what}: {} rows", count(metrics.rows())))?;
    match &metrics {
        Metrics::Classification(scores) => print_classes(scores, &model.file.classes)?,
        Metrics::Labels(scores) => print_labels(scores, &model.file.classes)?,
        _ => {
            let figures = figures(Some(&metrics));
            let named = figures.as_object().into_iter().flatten();
            let rows = named.filter(|(name, _)| *name != "rows").map(|(name, value)| {
                vec![name.replace('_', " "), number(value.as_f64().unwrap_or(f64::NAN))]
            });
            output::line(format!("\n{}", table(&["", ""], rows)))?;
        }
    }
    next(&args.run, model.file.task)
}

/// What can be done with the network.
fn next(run: &Path, task: Task) -> Result<(), Failure> {
    let page = run.join(thalweg_report::REPORT);
    let page = page.is_file().then(|| (shown(&page), "all of this as a page, for any browser"));
    let run = shown(run);
    let verb = match task {
        Task::LanguageModel | Task::Translation => "generate",
        _ => "predict",
    };
    let data = if verb == "predict" { " DATA" } else { "" };
    let use_it = (format!("thalweg {verb} {run}{data}"), "use it");
    let next: Vec<_> = [use_it].into_iter().chain(page).collect();
    output::say(format!("\nnext\n{}", commands(&next)))
}

/// The data to measure on, its rows, and what to call it. Of the data that the run learned from only the rows are
/// taken that it has not seen.
fn judged(args: &Args, model: &Model) -> Result<(Dataset, Vec<usize>, String), Failure> {
    let config = read_config(&args.run);
    let own = match (&args.data, config) {
        (None, config) => Some(config?),
        (Some(data), Ok(config)) if Draft::absolute(data) == config.data.path => Some(config),
        (Some(_), _) => None,
    };
    if let Some(config) = own {
        let data = RunData::open(&config)?;
        let path = &config.data.path;
        let test = data.rows(PartName::Test).to_vec();
        if !test.is_empty() {
            return Ok((
                data.own_test.unwrap_or(data.learn),
                test,
                format!("the test rows of {path}"),
            ));
        }
        let valid = data.rows(PartName::Valid).to_vec();
        if !valid.is_empty() {
            output::remark(
                "this run held no test rows out: these are the validation rows, by which it chose among its epochs",
            );
            return Ok((data.learn, valid, format!("the validation rows of {path}")));
        }
        let hint = "name data that it has not seen: thalweg evaluate RUN DATA";
        return Err(Failure::usage("this run held no rows out", hint));
    }
    let source = args.data.as_deref().unwrap_or_default();
    let file = &model.file;
    let loaded = open_as(source, &file.encoding, &file.classes, &file.source)?;
    loaded.notes.iter().for_each(output::remark);
    let (data, what) = match loaded.test {
        Some(test) => (test, format!("the test part of {source}")),
        None => (loaded.train, source.to_string()),
    };
    let rows = (0..data.rows()).collect();
    Ok((data, rows, what))
}

fn print_classes(scores: &Classification, names: &[String]) -> Result<(), Failure> {
    let top5 = scores.top5_accuracy.map(|share| vec!["top-5 accuracy".to_string(), percent(share)]);
    let figures = [
        vec!["accuracy".to_string(), percent(scores.accuracy)],
        vec!["loss".to_string(), number(scores.loss)],
        vec!["macro F1".to_string(), percent(scores.f1_macro)],
    ];
    let figures = figures.into_iter().chain(top5).chain(scores.probabilities.iter().flat_map(of));
    output::line(format!("\n{}", table(&["", ""], figures).trim_start()))?;

    print_each(&scores.classes, names)?;
    /// Wider ones do not fit on a terminal.
    const SHOWN: usize = 20;
    if names.len() > SHOWN {
        return output::line("\n(the confusion matrix of so many classes is in --json)");
    }
    let header: Vec<&str> =
        std::iter::once("truth \\ predicted").chain(names.iter().map(String::as_str)).collect();
    let rows = names.iter().zip(&scores.confusion).map(|(name, row)| {
        let cell = |&n: &u64| if n == 0 { "·".to_string() } else { count(n) };
        std::iter::once(name.clone()).chain(row.iter().map(cell)).collect()
    });
    output::line(format!("\n{}", table(&header, rows)))
}

/// The lines about probabilities.
fn of(found: &Probabilities) -> Vec<Vec<String>> {
    let area = |area: f64| format!("{area:.4}");
    let some = |name: &str, value: Option<String>| value.map(|value| vec![name.to_string(), value]);
    let lines = [
        some("AUC", found.auc.map(area)),
        some("average precision", found.average_precision.map(area)),
        some("loss, calibrated", Some(number(found.loss_calibrated))),
        some("Brier score", Some(number(found.brier))),
        some("calibration error", Some(percent(found.calibration_error))),
        some("threshold", found.threshold.map(|threshold| format!("{threshold:.3}"))),
        some("accuracy at 0.5", found.accuracy_at_half.map(percent)),
        some("micro F1 at 0.5", found.f1_micro_at_half.map(percent)),
        some("macro F1 at 0.5", found.f1_macro_at_half.map(percent)),
    ];
    lines.into_iter().flatten().collect()
}

/// The figures of all labels together, and a line for each.
fn print_labels(scores: &Labels, names: &[String]) -> Result<(), Failure> {
    let figures = [
        vec!["all labels right".to_string(), percent(scores.accuracy)],
        vec!["micro F1".to_string(), percent(scores.f1_micro)],
        vec!["macro F1".to_string(), percent(scores.f1_macro)],
        vec!["Hamming".to_string(), number(scores.hamming)],
        vec!["loss".to_string(), number(scores.loss)],
    ];
    let figures = figures.into_iter().chain(scores.probabilities.iter().flat_map(of));
    output::line(format!("\n{}", table(&["", ""], figures).trim_start()))?;

    let area = |area: Option<f64>| area.map_or_else(|| "-".into(), |area| format!("{area:.4}"));
    let lines = names.iter().zip(&scores.classes).map(|(name, label)| {
        let LabelScores { support, precision, recall, f1, auc, average_precision, .. } = *label;
        let shares = [label.share, precision, recall, f1].map(percent);
        let rest = [area(auc), area(average_precision), format!("{:.3}", label.threshold)];
        [&[name.clone(), count(support)], &shares[..], &rest].concat()
    });
    let header =
        ["label", "rows", "share", "precision", "recall", "F1", "AUC", "avg. prec.", "threshold"];
    output::line(format!("\n{}", table(&header, lines)))
}

/// A line for each class.
fn print_each(scores: &[ClassScores], names: &[String]) -> Result<(), Failure> {
    let lines = names.iter().zip(scores).map(|(name, class)| {
        vec![
            name.clone(),
            count(class.support),
            percent(class.precision),
            percent(class.recall),
            percent(class.f1),
        ]
    });
    output::line(format!("\n{}", table(&["class", "rows", "precision", "recall", "F1"], lines)))
}
