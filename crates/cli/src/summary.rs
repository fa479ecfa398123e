//! What is printed before and after a training.

use std::path::Path;

use thalweg_data::Encoding;
use thalweg_train::run::data::{PartName, RunData};
use thalweg_train::run::insights::Status;
use thalweg_train::run::session::Outcome;
use thalweg_train::run::{LayerSpec, NodeSpec, Session, Task};
use thalweg_train::{Preflight, Stopped};

use crate::check::compact;
use crate::failure::Failure;
use crate::output::{self, bytes, commands, count, left_table, number, percent, seconds, table};
use crate::verdict::verdict;

/// What the columns of a table were taken for, where it is one.
pub fn table_columns(data: &RunData) -> Option<String> {
    /// More of them do not fit on a screen.
    const SHOWN: usize = 20;
    if data.columns.is_empty() {
        return None;
    }
    let rows = data.columns.iter().take(SHOWN).map(|column| {
        let missing = if column.missing == 0 { "".into() } else { count(column.missing) };
        let cells = [&column.name, &column.kind, &column.reason, &missing, &column.content];
        cells.map(|cell| short(cell)).to_vec()
    });
    let header = ["column", "taken for", "because", "missing", "content"];
    let more = match data.columns.len().saturating_sub(SHOWN) {
        0 => String::new(),
        n => format!("\n… and {n} more"),
    };
    let target = match &data.encoding {
        Encoding::Table(table) => {
            let target = &table.target;
            format!("\n\ntarget   {}: {}", target.column, target.reason)
        }
        _ => String::new(),
    };
    Some(format!("{}{more}{target}", left_table(&header, rows)))
}

/// At most so much of a text that a table keeps its form.
fn short(text: &str) -> String {
    const SHOWN: usize = 48;
    match text.chars().count() {
        0..=SHOWN => text.into(),
        _ => text.chars().take(SHOWN - 1).chain(['…']).collect(),
    }
}

/// What will be done, in three lines.
pub fn overview(session: &Session, threads: usize) -> String {
    let (data, model) = (&session.data, &session.model);
    let part = |name, part| format!("{name} {}", count(data.rows(part).len() as u64));
    let parts = [
        part("train", PartName::Train),
        part("valid", PartName::Valid),
        part("test", PartName::Test),
    ];
    let attribution = data.attribution.map_or(String::new(), |by| format!("\n  {by}"));
    let notes: String = data.notes.iter().map(|note| format!("\n         {note}")).collect();
    let shares: String =
        [("train", PartName::Train), ("valid", PartName::Valid), ("test", PartName::Test)]
            .into_iter()
            .filter(|(_, part)| !data.columns.is_empty() && !data.rows(*part).is_empty())
            .map(|(name, part)| {
                format!("\n         {name:<5}  {}", data.distribution(part, &session.scaling))
            })
            .collect();
    let targets = match (model.task, model.classes.len()) {
        (Task::Classification, classes) => format!("{} classes", count(classes as u64)),
        (Task::Multilabel, labels) => format!("any of {} labels", count(labels as u64)),
        (task, 0) => format!("{} of '{}'", task.words(), model.target),
        (task, classes) => {
            format!("{}, {} classes at each place", task.words(), count(classes as u64))
        }
    };
    let reason = match session.insights.network_reason.as_str() {
        "" => String::new(),
        reason => format!("\n         {reason}"),
    };
    format!(
        "data     {}: samples of {}, {targets}; rows: {}{shares}{notes}{attribution}\n{}\nnetwork  {}; {} parameters{reason}\n\
         memory   {} for training, as planned; {threads} thread{}",
        data.learn.name,
        model.sample(),
        parts.join(", "),
        compact(&session.insights.checks),
        layers(&model.layers),
        count(session.parameters() as u64),
        bytes(session.planned_memory),
        if threads == 1 { "" } else { "s" },
    )
}

/// What trying out has shown: a line where all is well, else one for each thing that is not.
pub fn preflight(found: &Preflight) -> Vec<String> {
    let time = found.step.as_secs_f64() * found.steps as f64;
    let cost = format!("{} steps, about {}", count(found.steps), seconds(time));
    let said: Vec<String> =
        found.checks.iter().map(|check| format!("{}: {}", check.name, check.saw)).collect();
    let mut lines = vec![format!("trial    {}; {cost}", said.join("; "))];
    for check in found.checks.iter().filter(|check| check.status != Status::Pass) {
        lines.push(format!("warning: {}: {} → {}", check.name, check.saw, check.action));
    }
    lines
}

/// The layers in a line; of many the first and the last few.
fn layers(nodes: &[NodeSpec]) -> String {
    const SHOWN: usize = 12;
    let words: Vec<String> = nodes.iter().map(|node| layer(&node.layer)).collect();
    match words.len() {
        0..=SHOWN => words.join(" → "),
        n => {
            let (first, last) = (&words[..SHOWN / 2], &words[n - SHOWN / 4..]);
            let between = n - first.len() - last.len();
            format!("{} → … {between} more … → {}", first.join(" → "), last.join(" → "))
        }
    }
}

/// A layer in a word or two.
fn layer(spec: &LayerSpec) -> String {
    use LayerSpec::{Dropout, Linear};
    match spec {
        Linear { out, .. } => format!("linear {out}"),
        Dropout { p } => format!("dropout {p}"),
        other => other.name().to_string(),
    }
}

/// The figures, what they compare with, and what to do next.
pub fn print(path: &Path, outcome: &Outcome) -> Result<(), Failure> {
    let summary = &outcome.summary;
    let rows = [("train", &summary.train), ("valid", &summary.valid), ("test", &summary.test)];
    let columns = columns(summary.task);
    let rows = rows.into_iter().filter(|(_, figures)| !figures.is_null()).map(|(name, figures)| {
        let figure =
            |(_, key, show): &Column| figures[*key].as_f64().map_or_else(|| "-".into(), show);
        std::iter::once(name.to_string()).chain(columns.iter().map(figure)).collect()
    });
    let header: Vec<&str> =
        std::iter::once("part").chain(columns.iter().map(|(name, ..)| *name)).collect();
    output::say(format!("\n{}", table(&header, rows)))?;
    outcome.notes.iter().try_for_each(|note| output::say(format!("note      {note}")))?;
    for (heading, lines) in verdict(outcome) {
        output::say(format!("\n{heading:<10}{}", lines.join("\n          ")).trim_end())?;
    }
    let why = match outcome.history.stopped {
        Stopped::Epochs => String::new(),
        Stopped::MaxSteps => ", stopped by max_steps".into(),
        Stopped::EarlyStopping => ", stopped early: the validation loss got no better".into(),
        Stopped::Converged => ", converged: the training loss fell no further".into(),
        Stopped::MaxTime => ", stopped by max_time".into(),
        Stopped::Interrupted => ", interrupted".into(),
    };
    let kept = match outcome.history.restored {
        true => format!("; kept the weights of epoch {}, the best one", outcome.history.best_epoch),
        false => String::new(),
    };
    let epochs = match summary.epochs {
        1 => "1 epoch".to_string(),
        n => format!("{n} epochs"),
    };
    output::say(format!("\ntrained   {epochs} in {}{why}{kept}", seconds(summary.train_seconds)))?;
    let page = path.join(thalweg_report::REPORT);
    let page = page.is_file().then(|| (shown(&page), "all of this as a page, for any browser"));
    let shown = shown(path);
    let use_it = match summary.task {
        Task::LanguageModel => (format!("thalweg generate {shown}"), "text as it has learned it"),
        Task::Translation => {
            (format!("thalweg generate {shown} --prompt TEXT"), "what it makes of a text")
        }
        _ => (format!("thalweg predict {shown} DATA"), "predictions as CSV"),
    };
    let next = [
        (format!("thalweg evaluate {shown}"), "how well it does on the test rows"),
        use_it,
        (format!("thalweg inspect {shown} --step"), "one training step under the microscope"),
        (format!("thalweg resume {shown} --epochs +5"), "train on"),
        (format!("thalweg train --config {shown}/config.toml"), "the same run again, bit for bit"),
    ];
    let next: Vec<_> = page.into_iter().chain(next).collect();
    output::say(format!("\nnext\n{}\n\n{}", commands(&next), path.display()))
}

/// What is left of a training that was interrupted.
pub fn interrupted(path: &Path, outcome: &Outcome) -> Result<(), Failure> {
    let kept = match outcome.history.restored {
        true => format!("the weights of epoch {}, the best one so far", outcome.history.best_epoch),
        false => "the last weights".to_string(),
    };
    let steps = count(outcome.history.steps);
    output::say(format!("\ninterrupted after {steps} steps; saved a checkpoint, and {kept}"))?;
    let shown = shown(path);
    let next = [
        (format!("thalweg resume {shown}"), "go on, as if it had never been stopped"),
        (format!("thalweg evaluate {shown}"), "how well it does as it is"),
    ];
    output::say(format!("\nnext\n{}\n\n{}", commands(&next), path.display()))
}

/// A figure of a part: its heading, its key in the summary, how it is shown.
type Column = (&'static str, &'static str, fn(f64) -> String);

fn columns(task: Task) -> Vec<Column> {
    let rows: Column = ("rows", "rows", |rows| count(rows as u64));
    let loss: Column = ("loss", "loss", number);
    let more: &[Column] = match task {
        Task::Classification => &[
            ("accuracy", "accuracy", percent),
            ("macro F1", "f1_macro", percent),
            ("AUC", "auc", |area| format!("{area:.4}")),
        ],
        Task::Multilabel => &[
            ("all labels right", "accuracy", percent),
            ("micro F1", "f1_micro", percent),
            ("macro F1", "f1_macro", percent),
            ("Hamming", "hamming", number),
            ("AUC", "auc", |area| format!("{area:.4}")),
        ],
        Task::LanguageModel | Task::Translation => &[
            ("perplexity", "perplexity", number),
            ("bits a token", "bits_per_token", number),
            ("accuracy", "accuracy", percent),
        ],
        Task::SequenceLabelling => {
            &[("places", "places", |n| count(n as u64)), ("accuracy", "accuracy", percent)]
        }
        Task::Regression | Task::Forecast | Task::Recommendation => {
            &[("rmse", "rmse", number), ("mae", "mae", number), ("r2", "r2", number)]
        }
        Task::Reconstruction => &[("rmse", "rmse", number)],
    };
    [&[rows, loss], more].concat()
}

/// A path as short as it can be typed here.
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let short = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    let text = short.unwrap_or(path).display().to_string();
    if text.contains(' ') { format!("'{text}'") } else { text }
}
