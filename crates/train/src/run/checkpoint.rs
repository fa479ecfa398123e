//! The watcher of a training that writes everything down: every epoch before it is shown, and checkpoints often
//! enough that little is lost, but rarely enough that nobody waits for them. It also ends the training in time for what
//! comes after it.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use thalweg_data::thousands;

use super::data::PartName;
use super::error::RunError;
use super::folder::{METRICS, RunFolder, TIMINGS};
use super::insights::Finding;
use super::session::epoch_line;
use crate::{BatchReport, Control, EpochReport, Observer, Standing};

/// After so much time a checkpoint is due in the middle of an epoch.
const OFTEN: Duration = Duration::from_secs(60);
/// So many times as long as the last checkpoint took must pass before the next: 2 % of the time at most.
const SELDOM: u32 = 50;

/// Writes down what another observer then sees.
pub(super) struct Recorder<'a> {
    folder: &'a mut RunFolder,
    observer: &'a mut dyn Observer,
    pub(super) failed: Option<RunError>,
    /// Of the run as it was planned.
    pub(super) total_steps: u64,
    /// When the last checkpoint was written.
    saved: Instant,
    /// How long that took.
    pub(super) saving: Duration,
    budget: &'a mut Budget,
    /// When the last batch ended, and how long the longest took.
    batch_ended: Instant,
    longest: Duration,
    is_first: bool,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(
        folder: &'a mut RunFolder,
        observer: &'a mut dyn Observer,
        budget: &'a mut Budget,
    ) -> Recorder<'a> {
        let now = Instant::now();
        Recorder {
            folder,
            observer,
            failed: None,
            total_steps: 0,
            saved: now,
            saving: Duration::ZERO,
            budget,
            batch_ended: now,
            longest: Duration::ZERO,
            is_first: true,
        }
    }

    /// Whether another batch and all that comes after it would end too late.
    fn is_late(&self) -> bool {
        let after = self.budget.after_training() + self.saving * 3;
        self.budget.left().is_some_and(|left| left <= self.longest + after)
    }

    /// What was written, or the end of the training.
    fn check(&mut self, written: Result<(), RunError>) -> Control {
        match written {
            Ok(()) => Control::Go,
            Err(error) => {
                self.failed.get_or_insert(error);
                Control::Stop
            }
        }
    }
}

impl Observer for Recorder<'_> {
    fn batch(&mut self, report: &BatchReport) -> Control {
        self.total_steps = report.total_steps;
        let took = self.batch_ended.elapsed();
        self.batch_ended = Instant::now();
        let is_first = std::mem::replace(&mut self.is_first, false);
        // The first one waits for what is compiled.
        if !is_first {
            self.longest = self.longest.max(took);
        }
        if !is_first && !self.budget.is_measured {
            // To measure a row takes less than to learn from it.
            self.budget.seconds_per_row = took.as_secs_f64() / report.rows.max(1) as f64;
        }
        match self.observer.batch(report) {
            Control::Go if self.is_late() => Control::Enough,
            said => said,
        }
    }

    fn epoch(&mut self, report: &EpochReport) -> Control {
        let timing = json!({
            "epoch": report.epoch,
            "train_seconds": report.timing.train_seconds,
            "valid_seconds": report.timing.valid_seconds,
            "samples_per_second": report.timing.samples_per_second,
        });
        if let Some(valid) = &report.valid {
            self.budget.measured(valid.rows(), report.timing.valid_seconds);
        }
        let line: Value = epoch_line(report);
        let written = self.folder.line(METRICS, &line);
        self.batch_ended = Instant::now();
        match self.check(written.and_then(|()| self.folder.line(TIMINGS, &timing))) {
            Control::Stop => Control::Stop,
            _ => match self.observer.epoch(report) {
                Control::Go if self.is_late() => Control::Enough,
                said => said,
            },
        }
    }

    fn finding(&mut self, finding: &Finding) {
        self.observer.finding(finding);
    }

    fn standing(&mut self, standing: &Standing<'_>) -> Control {
        let since = self.saved.elapsed();
        let is_time = standing.is_between_epochs() || since >= OFTEN;
        let is_due = is_time && since >= self.saving * SELDOM;
        if !is_due && !standing.is_last() {
            return Control::Go;
        }
        let began = Instant::now();
        let written = standing.to_bytes().map_err(RunError::from);
        let written = written.and_then(|bytes| self.folder.checkpoint(&bytes));
        (self.saved, self.saving) = (Instant::now(), began.elapsed());
        // What is written is no part of a batch.
        self.batch_ended = Instant::now();
        self.check(written)
    }
}

/// The time that a run may take, and what of it is needed after the training.
pub(super) struct Budget {
    deadline: Option<(Instant, Duration)>,
    /// Rows that are measured on in the end: validation and test.
    rows: usize,
    seconds_per_row: f64,
    /// Whether that was measured, rather than guessed from the training.
    is_measured: bool,
}

impl Budget {
    pub(super) fn new(limit: Option<Duration>, rows: usize) -> Budget {
        let deadline = limit.map(|limit| (Instant::now() + limit, limit));
        Budget { deadline, rows, seconds_per_row: 0.0, is_measured: false }
    }

    /// What is left; `None` where there is no limit.
    pub(super) fn left(&self) -> Option<Duration> {
        self.deadline.map(|(end, _)| end.saturating_duration_since(Instant::now()))
    }

    /// What is kept for files and the page about the run.
    fn for_files(&self) -> Duration {
        let limit = self.deadline.map_or(Duration::ZERO, |(_, limit)| limit);
        (limit / 10).clamp(Duration::from_millis(100), Duration::from_secs(3)).min(limit / 2)
    }

    /// What is kept for all that comes after the training, at most half of the limit.
    fn after_training(&self) -> Duration {
        let limit = self.deadline.map_or(Duration::ZERO, |(_, limit)| limit);
        let measuring = self.rows as f64 * self.seconds_per_row * 1.5;
        let measuring = Duration::try_from_secs_f64(measuring).unwrap_or(limit);
        (measuring + self.for_files()).min(limit / 2)
    }

    pub(super) fn measured(&mut self, rows: u64, seconds: f64) {
        self.seconds_per_row = seconds / rows.max(1) as f64;
        self.is_measured = true;
    }

    /// How many rows can be measured on in `share` of the time that is left.
    fn rows_in(&self, share: f64) -> usize {
        let Some(left) = self.left() else { return usize::MAX };
        let seconds = left.saturating_sub(self.for_files()).as_secs_f64() * share;
        (seconds / (self.seconds_per_row * 1.2).max(1e-9)) as usize
    }

    /// Whether half of the time that is left is enough to measure on so many rows.
    pub(super) fn is_enough_for(&self, rows: usize) -> bool {
        self.rows_in(0.5) >= rows
    }

    /// Those rows of a part that can be measured on in `share` of the time that is left, spread evenly; of training rows
    /// no more than tell what is to be known.
    pub(super) fn limited<'a>(
        &self,
        part: PartName,
        rows: &'a [usize],
        share: f64,
        notes: &mut Vec<String>,
    ) -> Cow<'a, [usize]> {
        /// Training rows beyond these change nothing that is shown of them.
        const TRAINED: usize = 1 << 18;
        let (name, most) = match part {
            PartName::Train => ("train", TRAINED),
            PartName::Valid => ("valid", usize::MAX),
            PartName::Test => ("test", usize::MAX),
        };
        let (affordable, all) = (self.rows_in(share), rows.len());
        let n = affordable.min(most);
        if n >= all {
            return Cow::Borrowed(rows);
        }
        let why = if affordable < most { "for lack of time " } else { "" };
        notes.push(match n {
            0 => format!("{name}: {why}not measured"),
            n => {
                let (n, all) = (thousands(n as u64), thousands(all as u64));
                format!("{name}: {why}measured on {n} of {all} rows, spread evenly")
            }
        });
        Cow::Owned((0..n).map(|i| rows[i * all / n]).collect())
    }
}
