//! What is shown while a network learns, and the way to stop it.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use thalweg_train::run::session::epoch_line;
use thalweg_train::{BatchReport, Control, EpochReport, Observer, TrainScores};

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
    epochs: usize,
    bar: Option<ProgressBar>,
    began: Instant,
    redrawn: Instant,
    /// Share of the training that is done.
    done: f64,
    rows: u64,
    /// Set where stdout is closed: nobody wants to know.
    unheard: bool,
}

impl Progress {
    /// Of a training of so many epochs.
    pub fn new(show: Show, epochs: usize) -> Progress {
        let terminal = show == Show::People && std::io::stderr().is_terminal();
        let bar = terminal.then(|| {
            let bar = ProgressBar::new(0);
            let style = ProgressStyle::with_template("{bar:24} {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        let began = Instant::now();
        Progress { show, epochs, bar, began, redrawn: began, done: 0.0, rows: 0, unheard: false }
    }

    fn scores(scores: &TrainScores) -> String {
        let accuracy = scores.accuracy.map(|share| format!("  acc {:>7}", percent(share)));
        format!("loss {:>7}{}", number(scores.loss), accuracy.unwrap_or_default())
    }

    fn time_left(&self) -> String {
        let spent = self.began.elapsed().as_secs_f64();
        seconds(spent * (1.0 - self.done) / self.done.max(1e-9))
    }

    fn control(&self) -> Control {
        match self.unheard || INTERRUPTED.load(Ordering::SeqCst) {
            true => Control::Stop,
            false => Control::Go,
        }
    }
}

impl Observer for Progress {
    fn batch(&mut self, report: &BatchReport) -> Control {
        self.done = report.step as f64 / report.total_steps.max(1) as f64;
        self.rows += report.rows as u64;
        if let Some(bar) = &self.bar
            && self.redrawn.elapsed() >= REDRAWN
        {
            self.redrawn = Instant::now();
            let speed = self.rows as f64 / self.began.elapsed().as_secs_f64().max(1e-9);
            bar.set_length(report.total_steps);
            bar.set_position(report.step);
            bar.set_message(format!(
                "epoch {}/{}  {}  {} samples/s  {} left",
                report.epoch,
                self.epochs,
                Progress::scores(&report.train),
                count(speed as u64),
                self.time_left()
            ));
        }
        self.control()
    }

    fn epoch(&mut self, report: &EpochReport) -> Control {
        let valid = report.valid.as_ref().map_or(String::new(), |valid| {
            let accuracy = valid.accuracy().map(|share| format!("  acc {:>7}", percent(share)));
            format!("  valid loss {:>7}{}", number(valid.loss()), accuracy.unwrap_or_default())
        });
        let skipped = match report.skipped_steps {
            0 => String::new(),
            n => format!("  {} steps skipped: loss or gradient not finite", count(n)),
        };
        let text = format!(
            "epoch {:>3}/{}  {}{valid}  {:>9} samples/s  {} left{skipped}",
            report.epoch,
            self.epochs,
            Progress::scores(&report.train),
            count(report.timing.samples_per_second as u64),
            self.time_left()
        );
        match (self.show, &self.bar) {
            (Show::People, Some(bar)) if report.epoch == self.epochs => bar.finish_and_clear(),
            // Beside a moving bar only what is unusual needs a line.
            (Show::People, Some(bar)) if report.skipped_steps > 0 => {
                bar.suspend(|| output::remark(&text))
            }
            (Show::People, Some(_)) | (Show::Nothing, _) => {}
            (Show::People, None) => output::remark(text),
            (Show::Json, _) => self.unheard = output::json(&epoch_line(report)).is_err(),
        }
        self.control()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
