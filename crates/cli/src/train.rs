//! `thalweg train`: data in, a run folder out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;
use thalweg_train::Stopped;
use thalweg_train::run::config::parse_duration;
use thalweg_train::run::session::Outcome;
use thalweg_train::run::{Draft, RunFolder, Session, presets};

use crate::failure::Failure;
use crate::output;
use crate::progress::{Progress, Show, catch_interrupts};
use crate::summary;

/// What is learned where nobody says.
const DEFAULT_DATA: &str = "digits";
/// The exit code after Ctrl-C.
const INTERRUPTED: u8 = 130;

#[derive(clap::Args)]
pub struct Args {
    /// A file or folder to learn from (a table, a text, a series, class folders of images or recordings, an IDX set), or
    /// an embedded data set (see `thalweg datasets`) [default: digits]
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
    /// The column to learn [default: the last one]
    #[arg(long, value_name = "COL", help_heading = "Data")]
    target: Option<String>,
    /// The kind of data, where it is not to be guessed: idx, images, audio, language, text, ratings, series, labelled,
    /// pairs, table
    #[arg(long, value_name = "KIND", help_heading = "Data")]
    kind: Option<String>,
    /// What a column of a table is, where it is not to be guessed: number, category, boolean, time, text, identifier,
    /// constant (the last two are left out)
    #[arg(long = "type", value_name = "COL=TYPE", help_heading = "Data")]
    types: Vec<String>,
    /// A column of a table to leave out
    #[arg(long, value_name = "COL", help_heading = "Data")]
    drop: Vec<String>,
    /// What to do with the target of a table, where it is not to be guessed: classification, regression, multilabel,
    /// forecast
    #[arg(long, value_name = "TASK", help_heading = "Data")]
    task: Option<String>,
    /// A file with validation rows [default: a share of the rows, by --set data.split.valid]
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    valid: Option<String>,
    /// A file with test rows [default: a share of the rows, by --set data.split.test]
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    test: Option<String>,
    /// Rows with the same cell in this column stay in one part
    #[arg(long, value_name = "COL", help_heading = "Data", conflicts_with = "time_col")]
    group: Option<String>,
    /// The latest rows by this column are for the test, those before them for validation
    #[arg(long, value_name = "COL", help_heading = "Data")]
    time_col: Option<String>,
    /// Leave out files that are damaged and rows that cannot be read; they are counted and listed
    #[arg(long, help_heading = "Data")]
    skip_bad: bool,
    /// Where file names hold the class, such as '{label}_{speaker}_{take}.wav'
    #[arg(long, value_name = "PATTERN", help_heading = "Data")]
    label_pattern: Option<String>,
    /// Rows to hold out for the test: those with these values in a column or field of the label pattern, or crc32 for a
    /// fifth of the rows that others can find again [default: random ones, by --set data.split.test]
    #[arg(long, value_name = "FIELD=V1,V2|crc32", help_heading = "Data")]
    test_where: Option<String>,
    /// Tokens of a text, or numbers of a series, that make up a sample
    #[arg(long, value_name = "N", help_heading = "Data", allow_negative_numbers = true)]
    window: Option<i64>,
    /// Numbers of a series to forecast
    #[arg(long, value_name = "N", help_heading = "Data", allow_negative_numbers = true)]
    horizon: Option<i64>,
    #[arg(long, value_name = "NAME", help = preset_names())]
    preset: Option<String>,
    /// Count the rows of every class the same together, however many there are (class weights)
    #[arg(long)]
    balance: bool,
    /// What the threshold of two classes is chosen for: accuracy, f1, balanced_accuracy or auc [default: accuracy]
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,
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
    let source = draft.data_path().unwrap_or_else(|| DEFAULT_DATA.to_string());
    let session = Session::prepare(&draft, &source, threads)?;
    let folder = RunFolder::claim(&session.data.learn.name, args.out.as_deref(), args.overwrite)?;
    let view = View { json: args.json, quiet: args.quiet, threads };
    carry_out(session, folder, &[], &view, started)
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
    }
    let show = match (view.quiet, view.json) {
        (true, _) => Show::Nothing,
        (false, true) => Show::Json,
        (false, false) => Show::People,
    };
    let max_time = session.config.train.max_time.as_deref().and_then(parse_duration);
    let left = max_time.map(|limit| time_to_fit(limit, started.elapsed()));
    let mut progress = Progress::new(show, session.config.train.epochs);
    session.insights.command = output::command();
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
    for (flag, key, value) in [
        ("--target", "data.target", &args.target),
        ("--kind", "data.kind", &args.kind),
        ("--label-pattern", "data.label_pattern", &args.label_pattern),
        ("--test-where", "data.test", &args.test_where),
        ("--task", "data.task", &args.task),
        ("--valid", "data.valid_file", &args.valid),
        ("--test", "data.test_file", &args.test),
        ("--group", "data.group", &args.group),
        ("--time-col", "data.time_col", &args.time_col),
    ] {
        if let Some(value) = value {
            draft.put(format!("{flag} {value}"), key, value.as_str());
        }
    }
    for said in &args.types {
        let Some((column, kind)) = said.rsplit_once('=').filter(|(column, _)| !column.is_empty())
        else {
            let what = format!("a type is said as COL=TYPE, in --type {said}");
            return Err(Failure::usage(what, "for example --type zip=category"));
        };
        let types = BTreeMap::from([(column.to_string(), kind.to_string())]);
        draft.put(format!("--type {said}"), "data.types", types);
    }
    if !args.drop.is_empty() {
        let flags: Vec<String> = args.drop.iter().map(|name| format!("--drop {name}")).collect();
        draft.put(flags.join(" "), "data.drop", args.drop.clone());
    }
    for (flag, key, value) in [
        ("--epochs", "train.epochs", args.epochs),
        ("--seed", "train.seed", args.seed),
        ("--window", "data.window", args.window),
        ("--horizon", "data.horizon", args.horizon),
    ] {
        if let Some(value) = value {
            draft.put(format!("{flag} {value}"), key, value);
        }
    }
    if args.skip_bad {
        draft.put("--skip-bad", "data.skip_bad", true);
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

fn print_json(path: &Path, outcome: &Outcome) -> Result<(), Failure> {
    let mut last = serde_json::to_value(&outcome.summary).map_err(std::io::Error::from)?;
    last["run"] = json!(path.display().to_string());
    output::json(&last)
}
