//! The watcher of a training that writes everything down: every epoch before it is shown, and checkpoints often
//! enough that little is lost, but rarely enough that nobody waits for them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::error::RunError;
use super::folder::{METRICS, RunFolder, TIMINGS};
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
}

impl<'a> Recorder<'a> {
    pub(super) fn new(folder: &'a mut RunFolder, observer: &'a mut dyn Observer) -> Recorder<'a> {
        let (saved, saving) = (Instant::now(), Duration::ZERO);
        Recorder { folder, observer, failed: None, total_steps: 0, saved, saving }
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
        self.observer.batch(report)
    }

    fn epoch(&mut self, report: &EpochReport) -> Control {
        let timing = json!({
            "epoch": report.epoch,
            "train_seconds": report.timing.train_seconds,
            "valid_seconds": report.timing.valid_seconds,
            "samples_per_second": report.timing.samples_per_second,
        });
        let line: Value = epoch_line(report);
        let written = self.folder.line(METRICS, &line);
        match self.check(written.and_then(|()| self.folder.line(TIMINGS, &timing))) {
            Control::Stop => Control::Stop,
            Control::Go => self.observer.epoch(report),
        }
    }

    fn standing(&mut self, standing: &Standing<'_>) -> Control {
        let since = self.saved.elapsed();
        let is_time = standing.is_between_epochs() || since >= OFTEN;
        if !standing.is_last() && !(is_time && since >= self.saving * SELDOM) {
            return Control::Go;
        }
        let began = Instant::now();
        let written = standing.to_bytes().map_err(RunError::from);
        let written = written.and_then(|bytes| self.folder.checkpoint(&bytes));
        (self.saved, self.saving) = (Instant::now(), began.elapsed());
        self.check(written)
    }
}
