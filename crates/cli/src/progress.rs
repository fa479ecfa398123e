//! What is shown while a network learns, and the way to stop it.

mod plot;
mod view;

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use console::Term;
use indicatif::{ProgressBar, ProgressStyle};
use thalweg_train::run::insights::Finding;
use thalweg_train::run::session::epoch_line;
use thalweg_train::{BatchReport, Control, EpochReport, Observer, TrainScores};

use self::view::{Scores, Screen, View};
use crate::output::{self, count, number, percent, seconds};

/// Set by the first Ctrl-C.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// How often the bar's text changes.
const REDRAWN: Duration = Duration::from_millis(100);

/// What of the progress is shown, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// On stderr: a bar on a terminal, else a line an epoch.
    People,
    /// On stdout, a JSON object an epoch.
    Json,
    /// Nothing.
    Nothing,
}

/// Lets the first Ctrl-C end the training after its current step, and the second one the program at once.
pub fn catch_interrupts() {
    // It fails where a handler exists already; then that one stays.
    let _ = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    });
}

/// Watches a training.
pub struct Progress {
    show: Show,
    view: View,
    /// The lines that are drawn again and again, on a terminal.
    live: Option<ProgressBar>,
    began: Instant,
    redrawn: Instant,
    rows: u64,
    /// Set where stdout is closed: nobody wants to know.
    unheard: bool,
}

impl Progress {
    /// Of a training of so many epochs.
    pub fn new(show: Show, epochs: usize) -> Progress {
        let terminal = show == Show::People && std::io::stderr().is_terminal();
        // On a terminal that cannot go back it is hidden, and lines are printed.
        let live = terminal.then(ProgressBar::no_length).filter(|live| !live.is_hidden());
        if let Some(live) = &live {
            let style = ProgressStyle::with_template("{msg}");
            live.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        }
        let (view, began) = (View::new(epochs), Instant::now());
        Progress { show, view, live, began, redrawn: began, rows: 0, unheard: false }
    }

    fn draw(&mut self) {
        if let Some(live) = &self.live {
            self.redrawn = Instant::now();
            live.set_message(self.view.draw(screen()));
        }
    }

    fn control(&self) -> Control {
        match self.unheard || INTERRUPTED.load(Ordering::SeqCst) {
            true => Control::Stop,
            false => Control::Go,
        }
    }
}

/// What the terminal at stderr can show, as it is now.
fn screen() -> Screen {
    let term = Term::stderr();
    let (height, width) = term.size_checked().unwrap_or((24, 80));
    Screen {
        width: usize::from(width),
        height: usize::from(height),
        unicode: speaks_unicode(),
        colours: console::colors_enabled_stderr(),
    }
}

/// Whether a locale says otherwise, or an old console of Windows lacks the characters.
fn speaks_unicode() -> bool {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if cfg!(windows) {
        return set("WT_SESSION").is_some() || set("TERM_PROGRAM").is_some();
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
    locale.is_none_or(|locale| {
        let locale = locale.to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

fn scores(scores: &TrainScores) -> Scores {
    Scores { loss: scores.loss, accuracy: scores.accuracy }
}

/// `loss  0.1160  acc 96.34 %`, in columns.
fn columns(scores: Scores) -> String {
    let accuracy = scores.accuracy.map(|share| format!("  acc {:>7}", percent(share)));
    format!("loss {:>7}{}", number(scores.loss), accuracy.unwrap_or_default())
}

impl Observer for Progress {
    fn batch(&mut self, report: &BatchReport) -> Control {
        self.rows += report.rows as u64;
        let view = &mut self.view;
        (view.epoch, view.step, view.steps) = (report.epoch, report.step, report.total_steps);
        (view.lr, view.train) = (report.lr, scores(&report.train));
        view.learned(report.loss);
        view.spent = self.began.elapsed().as_secs_f64();
        view.speed = self.rows as f64 / view.spent.max(1e-9);
        if self.redrawn.elapsed() >= REDRAWN {
            self.draw();
        }
        self.control()
    }

    fn finding(&mut self, finding: &Finding) {
        let said = format!("epoch {}: {finding}", finding.epoch);
        match (self.show, &self.live) {
            (Show::People, None) => output::remark(format!("health     {said}")),
            (Show::Json, _) => {
                let line = serde_json::json!({ "finding": finding });
                self.unheard |= output::json(&line).is_err();
            }
            (Show::People, Some(_)) | (Show::Nothing, _) => {}
        }
        self.view.findings.push(said);
    }

    fn epoch(&mut self, report: &EpochReport) -> Control {
        self.view.train = scores(&report.train);
        let valid = report.valid.as_ref();
        let valid = valid.map(|v| Scores { loss: v.loss(), accuracy: v.accuracy() });
        if let Some(valid) = valid {
            self.view.validated(valid);
        }
        self.view.spent = self.began.elapsed().as_secs_f64();
        if report.skipped_steps > 0 {
            let skipped = count(report.skipped_steps);
            let epoch = report.epoch;
            let said =
                format!("epoch {epoch}: {skipped} steps skipped: loss or gradient not finite");
            self.view.findings.push(said);
        }
        self.draw();
        match (self.show, &self.live) {
            (Show::People, None) => {
                let valid = valid.map_or(String::new(), |v| format!("  valid {}", columns(v)));
                let skipped = match report.skipped_steps {
                    0 => String::new(),
                    n => format!("  {} steps skipped: loss or gradient not finite", count(n)),
                };
                output::remark(format!(
                    "epoch {:>3}/{}  {}{valid}  {:>9} samples/s  {} left{skipped}",
                    report.epoch,
                    self.view.epochs,
                    columns(self.view.train),
                    count(report.timing.samples_per_second as u64),
                    seconds(self.view.left())
                ));
            }
            (Show::Json, _) => self.unheard |= output::json(&epoch_line(report)).is_err(),
            (Show::People, Some(_)) | (Show::Nothing, _) => {}
        }
        self.control()
    }
}

/// What was drawn last stays.
impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(live) = &self.live {
            live.abandon();
            // What comes next begins a line of its own.
            output::remark("");
        }
    }
}
