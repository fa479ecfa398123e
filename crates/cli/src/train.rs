//! `thalweg train`: data in, a run folder out.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;
use thalweg_train::Stopped;
use thalweg_train::run::config::parse_duration;
use thalweg_train::run::session::Outcome;
use thalweg_train::run::{Draft, RunFolder, Session, presets};

use crate::data_args::{DataArgs, source};
use crate::failure::Failure;
use crate::output;
use crate::progress::{Progress, Show, catch_interrupts};
use crate::summary;

/// The exit code after Ctrl-C.
const INTERRUPTED: u8 = 130;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    data: DataArgs,
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
    /// Learning rate, or "find" for one that a range test finds
    #[arg(long, value_name = "X|find", allow_negative_numbers = true)]
    lr: Option<String>,
    /// Stop after this time, saving included: 90s, 10m, 1h30m
    #[arg(long, value_name = "TIME")]
    max_time: Option<String>,
    /// Threads to use [default: all cores]; no result depends on it
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    #[arg(long, value_name = "NAME", help = preset_names())]
    preset: Option<String>,
    /// Count the rows of every class the same together, however many there are (class weights)
    #[arg(long)]
    balance: bool,
    /// What the threshold of two classes is chosen for: accuracy, f1, balanced_accuracy or auc [default: accuracy]
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,
    /// Try the training out on one batch, say what it will cost, and stop there: nothing is written
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object a line instead of tables; the last one is the summary
    #[arg(long)]
    json: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

/// What `--preset` takes.
fn preset_names() -> String {
    let names: Vec<&str> = presets().iter().map(|preset| preset.name).collect();
    format!("A network by name [default: one for the kind of data]: {}", names.join(", "))
}

/// Trains; the exit code says whether it was interrupted.
pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    let threads = output::threads(args.threads)?;
    let draft = draft(args)?;
    let source = source(&draft);
    let mut session = Session::prepare(&draft, &source, threads)?;
    if args.dry_run {
        return dry_run(&mut session, args.json, threads);
    }
    let folder = RunFolder::claim(&session.data.learn.name, args.out.as_deref(), args.overwrite)?;
    let view = View { json: args.json, quiet: args.quiet, threads };
    carry_out(session, folder, &[], &view, started)
}

/// The longest that trying out may take.
const TRIAL: Duration = Duration::from_millis(600);

fn dry_run(session: &mut Session, json: bool, threads: usize) -> Result<ExitCode, Failure> {
    let found = session.preflight(TRIAL)?;
    match (json, &found) {
        (true, Some(found)) => output::json(&json!({
            "preflight": found.checks,
            "planned_memory_bytes": found.memory,
            "steps": found.steps,
            "step_seconds": found.step.as_secs_f64(),
            "lr": session.config.train.lr,
        }))?,
        _ => {
            if let Some(columns) = summary::table_columns(&session.data) {
                output::line(format!("{columns}\n"))?;
            }
            output::say(summary::overview(session, threads))?;
            let lr = session.lr_reason.as_ref().map(|why| format!("rate     {why}"));
            lr.into_iter().try_for_each(output::say)?;
            found.iter().flat_map(summary::preflight).try_for_each(output::say)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// How a training is shown.
pub struct View {
    pub json: bool,
    pub quiet: bool,
    pub threads: usize,
}

/// Trains what is prepared, shows it and says what to do next. `notes` are printed first; `started` is when the
/// program's work began.
pub fn carry_out(
    mut session: Session,
    folder: RunFolder,
    notes: &[String],
    view: &View,
    started: Instant,
) -> Result<ExitCode, Failure> {
    let path = folder.path().to_path_buf();
    session.insights.command = output::command(std::env::args());
    catch_interrupts();
    match view.json {
        true => output::json(&json!({ "run": path.display().to_string() }))?,
        false => output::line(path.display().to_string())?,
    }
    if !view.json && !view.quiet {
        if let Some(columns) = summary::table_columns(&session.data) {
            output::remark(columns);
        }
        output::remark(summary::overview(&session, view.threads));
        notes.iter().for_each(output::remark);
        if let Some(why) = &session.lr_reason {
            output::remark(format!("rate     {why}"));
        }
    }
    let max_time = session.config.train.max_time.as_deref().and_then(parse_duration);
    let limit = max_time.map_or(TRIAL, |limit| TRIAL.min(limit / 10));
    let found = session.preflight(limit)?;
    // A run that goes on stands behind its first step; the trial of that is for its report alone.
    if !view.json && !view.quiet && !session.is_resumed() {
        found.iter().flat_map(summary::preflight).for_each(output::remark);
    }
    let show = match (view.quiet, view.json) {
        (true, _) => Show::Nothing,
        (false, true) => Show::Json,
        (false, false) => Show::People,
    };
    let left = max_time.map(|limit| limit.saturating_sub(started.elapsed()));
    let mut progress = Progress::new(show, session.config.train.epochs);
    let outcome = session.train(folder, left, &mut progress)?;
    drop(progress);
    let interrupted = outcome.history.stopped == Stopped::Interrupted;
    // The run is whole without its page.
    if !interrupted && let Err(error) = thalweg_report::write(&path) {
        output::remark(format!("warning: the report was not written: {}", error.message()));
    }

    match (view.json, interrupted) {
        (true, _) => print_json(&path, &outcome)?,
        (false, true) => summary::interrupted(&path, &outcome)?,
        (false, false) => summary::print(&path, &outcome)?,
    }
    Ok(match interrupted {
        true => ExitCode::from(INTERRUPTED),
        false => ExitCode::SUCCESS,
    })
}

/// The layers of settings: what was said about the data and everything, then the flags of the training.
fn draft(args: &Args) -> Result<Draft, Failure> {
    let mut draft = args.data.draft()?;
    if let Some(preset) = &args.preset {
        draft.put(format!("--preset {preset}"), "network.preset", preset.as_str());
    }
    if let Some(epochs) = args.epochs {
        draft.put(format!("--epochs {epochs}"), "train.epochs", epochs);
    }
    if args.balance {
        draft.put("--balance", "train.balance", true);
    }
    if let Some(metric) = &args.metric {
        draft.put(format!("--metric {metric}"), "train.metric", metric.as_str());
    }
    if let Some(size) = &args.batch_size {
        let origin = format!("--batch-size {size}");
        match size.parse::<i64>() {
            Ok(rows) => draft.put(origin, "train.batch_size", rows),
            Err(_) => draft.put(origin, "train.batch_size", size.as_str()),
        }
    }
    if let Some(lr) = &args.lr {
        let origin = format!("--lr {lr}");
        match lr.parse::<f64>() {
            Ok(lr) => draft.put(origin, "train.lr", lr),
            Err(_) => draft.put(origin, "train.lr", lr.as_str()),
        }
    }
    if let Some(time) = &args.max_time {
        draft.put(format!("--max-time {time}"), "train.max_time", time.as_str());
    }
    Ok(draft)
}

fn print_json(path: &Path, outcome: &Outcome) -> Result<(), Failure> {
    let mut last = serde_json::to_value(&outcome.summary).map_err(std::io::Error::from)?;
    last["run"] = json!(path.display().to_string());
    output::json(&last)
}
