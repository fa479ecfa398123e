//! `thalweg train`: data in, a run folder out.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thalweg_train::Stopped;
use thalweg_train::run::config::parse_duration;
use thalweg_train::run::data::PartName;
use thalweg_train::run::session::Outcome;
use thalweg_train::run::{Draft, RunFolder, Session};

use crate::failure::Failure;
use crate::output::{self, bytes, count, number, percent, seconds, table};
use crate::progress::{Progress, Show, catch_interrupts};

/// What is learned where nobody says.
const DEFAULT_DATA: &str = "digits";
/// The exit code after Ctrl-C.
const INTERRUPTED: u8 = 130;

#[derive(clap::Args)]
pub struct Args {
    /// An embedded data set (see `thalweg datasets`), a folder with an IDX image set, or one of its files
    /// [default: digits]
    data: Option<String>,
    /// Read settings from a TOML file; flags and --set go over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set any key of the configuration, such as train.optimizer=sgd or network.hidden=[64]
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Where to save the run [default: runs/NAME-N]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace the run that --out holds
    #[arg(long, requires = "out")]
    overwrite: bool,
    /// Passes over the training rows
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    epochs: Option<i64>,
    /// Rows in a step, or "full"
    #[arg(long, value_name = "N|full", allow_negative_numbers = true)]
    batch_size: Option<String>,
    /// Learning rate
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    lr: Option<f64>,
    /// Stop after this time, saving included: 90s, 10m, 1h30m
    #[arg(long, value_name = "TIME")]
    max_time: Option<String>,
    /// Decides the split, the first weights, the order of rows and dropout: same seed, same bits
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<i64>,
    /// Threads to use [default: all cores]; no result depends on it
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// A network: linear, mlp or mlp-large
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Print one JSON object a line instead of tables; the last one is the summary
    #[arg(long)]
    json: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

/// Trains; the exit code says whether it was interrupted.
pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    let threads = output::threads(args.threads)?;
    let draft = draft(args)?;
    let source = draft.data_path().unwrap_or_else(|| DEFAULT_DATA.to_string());
    let session = Session::prepare(&draft, &source, threads)?;
    let folder = RunFolder::claim(&session.data.learn.name, args.out.as_deref(), args.overwrite)?;
    let path = folder.path().to_path_buf();
    catch_interrupts();

    match args.json {
        true => output::json(&json!({ "run": path.display().to_string() }))?,
        false => output::line(path.display().to_string())?,
    }
    if !args.json && !args.quiet {
        output::remark(overview(&session, threads));
    }
    let show = match (args.quiet, args.json) {
        (true, _) => Show::Nothing,
        (false, true) => Show::Json,
        (false, false) => Show::People,
    };
    let max_time = session.config.train.max_time.as_deref().and_then(parse_duration);
    let left = max_time.map(|limit| time_to_fit(limit, started.elapsed()));
    let mut progress = Progress::new(show, session.config.train.epochs);
    let outcome = session.train(folder, left, &mut progress)?;
    drop(progress);

    match args.json {
        true => print_json(&path, &outcome)?,
        false => print(&path, &outcome)?,
    }
    Ok(match outcome.history.stopped {
        Stopped::Interrupted => ExitCode::from(INTERRUPTED),
        _ => ExitCode::SUCCESS,
    })
}

/// The layers of settings: the file, then `--set`, then flags.
fn draft(args: &Args) -> Result<Draft, Failure> {
    let mut draft = Draft::new();
    if let Some(file) = &args.config {
        draft.file(file)?;
    }
    for setting in &args.set {
        draft.set(setting)?;
    }
    if let Some(data) = &args.data {
        draft.put(data, "data.path", data.as_str());
    }
    if let Some(preset) = &args.preset {
        draft.put(format!("--preset {preset}"), "network.preset", preset.as_str());
    }
    for (flag, key, value) in
        [("--epochs", "train.epochs", args.epochs), ("--seed", "train.seed", args.seed)]
    {
        if let Some(value) = value {
            draft.put(format!("{flag} {value}"), key, value);
        }
    }
    if let Some(size) = &args.batch_size {
        let origin = format!("--batch-size {size}");
        match size.parse::<i64>() {
            Ok(rows) => draft.put(origin, "train.batch_size", rows),
            Err(_) => draft.put(origin, "train.batch_size", size.as_str()),
        }
    }
    if let Some(lr) = args.lr {
        draft.put(format!("--lr {lr}"), "train.lr", lr);
    }
    if let Some(time) = &args.max_time {
        draft.put(format!("--max-time {time}"), "train.max_time", time.as_str());
    }
    Ok(draft)
}

/// What of the time limit is left for the fit, after what went before and what measuring and saving may take.
fn time_to_fit(limit: Duration, spent: Duration) -> Duration {
    let reserve = (limit / 10).clamp(Duration::from_millis(200), Duration::from_secs(10));
    // Never nothing: one step is always made.
    limit.saturating_sub(spent + reserve).max(Duration::from_millis(1))
}

/// What will be done, in three lines.
fn overview(session: &Session, threads: usize) -> String {
    let (data, model) = (&session.data, &session.model);
    let part = |name, part| format!("{name} {}", count(data.rows(part).len() as u64));
    let parts = [
        part("train", PartName::Train),
        part("valid", PartName::Valid),
        part("test", PartName::Test),
    ];
    let layers: Vec<String> = model.layers.iter().map(|node| layer(&node.layer)).collect();
    let attribution = data.attribution.map_or(String::new(), |by| format!("\n  {by}"));
    let axes: Vec<String> = model.input.iter().map(usize::to_string).collect();
    format!(
        "data     {}: samples of {}, {} classes; rows: {}{attribution}\nnetwork  {}; {} parameters\n\
         memory   {} for training, as planned; {threads} thread{}",
        data.learn.name,
        axes.join(" × "),
        model.classes.len(),
        parts.join(", "),
        layers.join(" → "),
        count(session.parameters() as u64),
        bytes(session.planned_memory),
        if threads == 1 { "" } else { "s" },
    )
}

/// A layer in a word or two.
fn layer(spec: &thalweg_train::run::LayerSpec) -> String {
    use thalweg_train::run::LayerSpec::{Dropout, Linear};
    match spec {
        Linear { out, .. } => format!("linear {out}"),
        Dropout { p } => format!("dropout {p}"),
        other => other.name().to_string(),
    }
}

fn print_json(path: &Path, outcome: &Outcome) -> Result<(), Failure> {
    let mut last = serde_json::to_value(&outcome.summary).map_err(std::io::Error::from)?;
    last["run"] = json!(path.display().to_string());
    output::json(&last)
}

fn print(path: &Path, outcome: &Outcome) -> Result<(), Failure> {
    let summary = &outcome.summary;
    let rows = [("train", &summary.train), ("valid", &summary.valid), ("test", &summary.test)];
    let rows = rows.into_iter().filter(|(_, figures)| !figures.is_null()).map(|(name, figures)| {
        let figure = |key: &str| figures[key].as_f64();
        let share = |key| figure(key).map_or_else(|| "-".into(), percent);
        vec![
            name.to_string(),
            figure("rows").map_or_else(|| "-".into(), |rows| count(rows as u64)),
            figure("loss").map_or_else(|| "-".into(), number),
            share("accuracy"),
            share("f1_macro"),
        ]
    });
    output::line(format!("\n{}", table(&["part", "rows", "loss", "accuracy", "macro F1"], rows)))?;
    if let Value::Object(majority) = &summary.baselines["majority_class"] {
        let class = majority.get("class").and_then(Value::as_str).unwrap_or("?");
        let accuracy = majority.get("accuracy").and_then(Value::as_f64).unwrap_or(0.0);
        let said =
            format!("always saying '{class}', the most frequent class: {}", percent(accuracy));
        output::line(format!("\nbaseline  {said}"))?;
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
    output::line(format!("trained   {epochs} in {}{why}{kept}", seconds(summary.train_seconds)))?;
    output::line("\nnext")?;
    let shown = shown(path);
    for (command, what) in [
        (format!("thalweg evaluate {shown}"), "the test rows class by class"),
        (format!("thalweg predict {shown} DATA"), "predictions as CSV"),
        (format!("thalweg inspect {shown} --step"), "one training step under the microscope"),
        (format!("thalweg train --config {shown}/config.toml"), "the same run again, bit for bit"),
    ] {
        output::line(format!("  {command:<56} {what}"))?;
    }
    output::line(format!("\n{}", path.display()))
}

/// A path as short as it can be typed here.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let short = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    let text = short.unwrap_or(path).display().to_string();
    if text.contains(' ') { format!("'{text}'") } else { text }
}
