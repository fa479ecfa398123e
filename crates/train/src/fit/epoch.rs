//! An epoch: one batch after the other, each run, counted and told of; now and then a look at the network's health.

use std::time::Instant;

use thalweg_graph::{DType, StateId, States};
use thalweg_nn::Network;

use super::{Fit, SKIPPED_IN_A_ROW, feed};
use crate::error::TrainError;
use crate::health::{self, Probe, Seen};
use crate::history::{BatchReport, Control, EpochReport, Observer, Stopped, Timing};
use crate::monitor::BatchScores;
use crate::step::Place;
use crate::trainer::Trainer;

impl<N: Network> Fit<'_, N> {
    /// The rest of the epoch in progress with its validation, its training loss with penalties, and why it ended
    /// early, if it did.
    pub(super) fn epoch(
        &mut self,
        started: Instant,
        observer: &mut dyn Observer,
    ) -> Result<(EpochReport, f64, Option<Stopped>), TrainError> {
        let began = Instant::now();
        let epoch = self.state.epoch;
        let mut ended = None;
        let seen_before = self.state.tally.rows;
        let batch = self.batches.batch_size();
        let batches = self.batches.clone();
        let mut steps = batches.several(epoch as u64 - 1, self.options.accumulate).peekable();
        let mut step = Vec::new();
        for i in 0..batches.count() {
            let within = i % self.options.accumulate * batch;
            if within == 0 {
                step = steps.next().unwrap_or_default();
            }
            if i < self.state.batch {
                continue;
            }
            let (rows, rest) = step[within..].split_at(batch.min(step.len() - within));
            let next = if rest.is_empty() { steps.peek().map_or(&[][..], |s| s) } else { rest };
            let next = &next[..batch.min(next.len())];
            if self.options.extended.iter().any(|extension| extension.from == self.state.steps) {
                self.state.monitor.be_patient();
            }
            let of_step = self.goal.places(self.train, &step);
            let report = self.batch(epoch, i, [rows, next], of_step)?;
            self.tell(observer);
            if self.state.skipped_in_a_row >= SKIPPED_IN_A_ROW {
                return Err(self.diverged(epoch));
            }
            let is_step = self.place(i) == Place::Last;
            ended = match observer.batch(&report) {
                Control::Stop => Some(Stopped::Interrupted),
                Control::Go | Control::Enough if !is_step => None,
                Control::Enough => Some(Stopped::MaxTime),
                Control::Go if Some(self.state.steps) == self.options.max_steps => {
                    Some(Stopped::MaxSteps)
                }
                Control::Go => self.out_of_time(started).then_some(Stopped::MaxTime),
            };
            // After the last batch the epoch is not whole before its validation.
            if i + 1 == self.batches.count() {
                break;
            }
            let said = self.show_standing(started, observer, ended.is_some());
            if said == Control::Stop && ended.is_none() {
                ended = Some(Stopped::Interrupted);
                self.show_standing(started, observer, true);
            }
            if ended.is_some() {
                break;
            }
        }
        let train_seconds = began.elapsed().as_secs_f64();
        let rows = self.state.tally.rows;
        // Who is in a hurry does not wait for a validation in the middle of an epoch.
        let hurried = matches!(ended, Some(Stopped::Interrupted | Stopped::MaxTime));
        let valid = match self.valid {
            Some(valid) if !hurried || rows == self.used() => {
                let batch = self.trainer.evaluation_batch(&valid.data.features)?;
                Some(self.trainer.evaluate(valid, batch)?)
            }
            _ => None,
        };
        let tally = &self.state.tally;
        let report = EpochReport {
            epoch,
            steps: self.state.steps,
            rows,
            lr: tally.lr,
            train: tally.scores(),
            valid,
            grad_norm: tally.grad_norm(),
            skipped_steps: tally.skipped,
            timing: Timing {
                train_seconds,
                valid_seconds: began.elapsed().as_secs_f64() - train_seconds,
                samples_per_second: (rows - seen_before) as f64
                    / train_seconds.max(f64::MIN_POSITIVE),
            },
        };
        Ok((report, tally.objective(), ended))
    }

    pub(super) fn tell(&mut self, observer: &mut dyn Observer) {
        for finding in self.news.drain(..) {
            observer.finding(&finding);
        }
    }

    /// Looks at the network before a batch, on a few of its rows. A doctor who cannot look ends no training.
    pub(crate) fn look(&mut self, rows: &[usize]) -> Option<Seen> {
        let few = &rows[..rows.len().min(health::ROWS)];
        let mut probe = match self.probe.take() {
            Some(probe) if probe.rows == few.len() => probe,
            _ => {
                let Trainer { network, updater, cpu, .. } = &*self.trainer;
                let (goal, sample, n) = (&self.goal, &self.sample, few.len());
                Probe::new(network, goal, updater, self.terms, cpu, sample, n).ok()?
            }
        };
        let key = [self.options.seed as i64, self.state.batches_done as i64];
        let (kind, epoch) = (self.goal.kind, self.state.epoch);
        feed(&mut probe.compiled, self.train, self.options, kind, epoch, few).ok()?;
        probe.compiled.set(0.0, key, 1.0);
        let seen = probe.look(&self.trainer.cpu, &mut self.trainer.store).ok();
        self.probe = Some(probe);
        seen
    }

    /// The weights that are trained, those of moderate size.
    fn weights(&self) -> Vec<(StateId, Vec<u8>)> {
        const MODERATE: usize = 1 << 20;
        let Trainer { store, updater, .. } = &*self.trainer;
        let weights = store.parameters().filter(|entry| {
            let value = entry.value();
            value.shape().rank() >= 2
                && value.numel() <= MODERATE
                && value.dtype() == DType::F32
                && !updater.is_frozen(entry.name())
        });
        weights.map(|entry| (entry.id(), entry.value().bytes().to_vec())).collect()
    }

    /// ‖new − old‖/‖old‖ of each of these weights.
    fn changes(&self, before: Vec<(StateId, Vec<u8>)>) -> Vec<(String, f64)> {
        let store = &self.trainer.store;
        let ratio = |(id, old): (StateId, Vec<u8>)| {
            let new = store.get(id)?.as_slice::<f32>()?;
            let (mut change, mut size) = (0.0, 0.0);
            for (new, old) in new.iter().zip(old.chunks_exact(4)) {
                let old = f32::from_ne_bytes([old[0], old[1], old[2], old[3]]);
                change += f64::from(new - old).powi(2);
                size += f64::from(old).powi(2);
            }
            (size > 0.0).then(|| Some((store.name_of(id)?.to_owned(), (change / size).sqrt())))?
        };
        before.into_iter().filter_map(ratio).collect()
    }

    /// Batch `i` of an epoch and the one that follows; `of_step` answers are judged in its step.
    fn batch(
        &mut self,
        epoch: usize,
        i: usize,
        [rows, next]: [&[usize]; 2],
        of_step: usize,
    ) -> Result<BatchReport, TrainError> {
        let (place, lr) = (self.place(i), self.lr());
        let places = self.goal.places(self.train, rows);
        let share = places as f64 / of_step.max(1) as f64;
        let due = health::is_due(self.state.batches_done, self.batches.count());
        let seen = if self.options.health && due { self.look(rows) } else { None };
        let before = (seen.is_some() && place == Place::Last).then(|| self.weights());
        let (seed, done) = (self.options.seed, self.state.batches_done);
        let Fit { train, options, goal, .. } = &*self;
        let (train, options, kind) = (*train, *options, goal.kind);
        let (compiled, cpu, store) = self.program(place, rows.len())?;
        feed(compiled, train, options, kind, epoch, rows)?;
        train.data.features.prefetch(next);
        compiled.set(lr, [seed as i64, done as i64], share);
        let scores = BatchScores::of(compiled.run(cpu, store)?);

        if let Some(seen) = seen {
            let changes = before.map_or(vec![], |before| self.changes(before));
            self.state.health.add(seen, changes);
        }
        self.last = (place, rows.len());
        let state = &mut self.state;
        state.tally.add(rows.len(), places, lr, &scores);
        state.batches_done += 1;
        state.batch = i + 1;
        if let Some((_, applied)) = scores.step {
            state.steps += 1;
            state.skipped_in_a_row = if applied { 0 } else { state.skipped_in_a_row + 1 };
            if !applied && self.options.health && self.state.tally.skipped == 1 {
                self.note_non_finite(epoch);
            }
        }
        let state = &self.state;
        Ok(BatchReport {
            epoch,
            batch: i + 1,
            batches: self.batches.count(),
            step: state.steps,
            total_steps: state.total_steps,
            rows: rows.len(),
            rows_seen: state.tally.rows,
            lr,
            loss: scores.loss,
            train: state.tally.scores(),
            grad_norm: scores.step.map(|(norm, _)| norm),
            skipped: scores.step.is_some_and(|(_, applied)| !applied),
        })
    }
}
