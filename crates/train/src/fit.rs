//! The fit loop: epochs of batches, one compiled step after the other, and when to stop.

use std::time::Instant;

use thalweg_cpu::Cpu;
use thalweg_data::Batches;
use thalweg_graph::{DType, StateId, States};
use thalweg_nn::schedule::Plateau;
use thalweg_nn::{Network, Schedule, Store};

use crate::augment::augment;
use crate::checkpoint::{Checkpoint, Standing, State};
use crate::error::TrainError;
use crate::goal::{Goal, Kind};
use crate::health::{self, Health, Probe, Seen};
use crate::history::{BatchReport, Control, EpochReport, History, Observer, Stopped, Timing};
use crate::monitor::{BatchScores, Monitor, Tally};
use crate::options::FitOptions;
use crate::part::Part;
use crate::programs::{Compiled, Purpose};
use crate::run::insights::Finding;
use crate::sample::Sample;
use crate::step::{self, Inputs, Place, Terms};
use crate::trainer::{EVALUATED_AT_ONCE, Trainer};

/// So many steps in a row that change nothing are the end.
const SKIPPED_IN_A_ROW: u64 = 10;

impl<N: Network> Trainer<N> {
    /// Checks everything that [`Trainer::fit`] would, builds the network, compiles every program of the steps, and
    /// tells [`Trainer::planned_memory`]. Nothing is trained.
    ///
    /// # Errors
    /// As [`Trainer::fit`], but for those that only training itself can meet.
    pub fn prepare(
        &mut self,
        train: &Part,
        valid: Option<&Part>,
        options: &FitOptions,
    ) -> Result<usize, TrainError> {
        Fit::new(self, train, valid, options)?.leave();
        Ok(self.planned_memory())
    }

    /// Trains on `train`. The order of rows, the initial weights (where there are none yet) and dropout follow from
    /// `options.seed`; the same seed gives the same bits on any number of threads.
    ///
    /// After every epoch the network is measured on `valid`, where there is one; the observer sees every batch and
    /// epoch, and `&mut ()` observes nothing. Training on is a second `fit`: optimizer and weights continue, schedule and
    /// epochs begin anew.
    ///
    /// # Errors
    /// Options, data, network and loss that do not fit are found before the first step.
    /// [`TrainError::Diverged`] where ten steps in a row (or all there were) had a loss or gradient that is not
    /// finite; such steps change nothing.
    pub fn fit(
        &mut self,
        train: &Part,
        valid: Option<&Part>,
        options: &FitOptions,
        observer: &mut dyn Observer,
    ) -> Result<History, TrainError> {
        let started = Instant::now();
        Fit::new(self, train, valid, options)?.finish(started, observer)
    }

    /// Goes on with a training from where a [`Checkpoint`] was taken, as [`Trainer::fit`] would have gone on: with the
    /// same data and options the bits are those of the training that was never stopped. The history and its seconds are those
    /// of the whole training.
    ///
    /// Options that may differ: what ends a training (`epochs`, `max_steps`, `patience`, `tol`, `max_time`),
    /// and [`extended`](FitOptions::extended).
    ///
    /// # Errors
    /// As [`Trainer::fit`]; [`TrainError::Misfit`] where the checkpoint belongs to another network or optimizer.
    pub fn resume(
        &mut self,
        train: &Part,
        valid: Option<&Part>,
        options: &FitOptions,
        from: &Checkpoint,
        observer: &mut dyn Observer,
    ) -> Result<History, TrainError> {
        let started = Instant::now();
        let mut fit = Fit::new(self, train, valid, options)?;
        fit.go_on(from)?;
        fit.finish(started, observer)
    }
}

/// A training in progress.
pub(crate) struct Fit<'a, N: Network> {
    pub(crate) trainer: &'a mut Trainer<N>,
    pub(crate) train: &'a Part<'a>,
    valid: Option<&'a Part<'a>>,
    pub(crate) options: &'a FitOptions,
    pub(crate) sample: Sample,
    pub(crate) goal: Goal,
    pub(crate) terms: Terms,
    batches: Batches<'a>,
    pub(crate) state: State,
    /// Looks into the network; made for the first look.
    probe: Option<Probe>,
    /// What was found since the observer was told.
    pub(crate) news: Vec<Finding>,
    /// The kind and rows of the last batch.
    pub(crate) last: (Place, usize),
}

impl<'a, N: Network> Fit<'a, N> {
    pub(crate) fn new(
        trainer: &'a mut Trainer<N>,
        train: &'a Part<'a>,
        valid: Option<&'a Part<'a>>,
        options: &'a FitOptions,
    ) -> Result<Fit<'a, N>, TrainError> {
        options.check()?;
        if options.patience.is_some() && valid.is_none() {
            let problem = "early stopping needs a validation part, and there is none";
            let hint = "set a validation share, or use tol, which watches the training loss";
            return Err(TrainError::option("patience", problem, hint));
        }
        train.check("learn from")?;
        let goal = Goal::new(&trainer.loss, &trainer.aim, train.data)?;
        if let Some(valid) = valid {
            valid.check("validate on")?;
            goal.same_as(&Goal::new(&trainer.loss, &trainer.aim, valid.data)?)?;
        }
        let sample = Sample::from(&train.data.features);
        goal.takes(options, &sample)?;
        let batch = options.batch_rows(train.rows.len());
        let batches = Batches::new(train.rows, batch, options.seed)?;
        let batches = batches.drop_last(options.drop_last);
        trainer.bind(sample.clone(), options.seed)?;
        let FitOptions { l1, l2, mixup, noise, accumulate, .. } = *options;
        let terms = Terms { l1, l2, mixup, noise, accumulate: accumulate > 1 };
        if trainer.fresh.take() != Some((terms, trainer.store.entries().len())) {
            trainer.programs.forget_training();
            trainer.unreached.clear();
        }
        let steps = batches.count().div_ceil(accumulate) as u64;
        let total_steps = steps.saturating_mul(options.epochs as u64);
        let plateau = match &options.schedule {
            Schedule::ReduceOnPlateau(plateau) => Some(Plateau::new(plateau.clone(), options.lr)),
            _ => None,
        };
        let state = State {
            epoch: 1,
            batch: 0,
            steps: 0,
            total_steps: total_steps.min(options.max_steps.unwrap_or(u64::MAX)),
            skipped_in_a_row: 0,
            batches_done: 0,
            seconds: 0.0,
            tally: Tally::new(&goal),
            monitor: Monitor::new(options, valid.is_some()),
            plateau,
            health: Health::default(),
            epochs: Vec::new(),
        };
        let mut fit = Fit {
            trainer,
            train,
            valid,
            options,
            sample,
            goal,
            terms,
            batches,
            state,
            probe: None,
            news: Vec::new(),
            last: (Place::Last, 0),
        };
        fit.compile()?;
        Ok(fit)
    }

    /// Ends before the first step; a training that follows may use the programs.
    pub(crate) fn leave(self) {
        self.trainer.fresh = Some((self.terms, self.trainer.store.entries().len()));
    }

    /// Takes the place of a training that stood there.
    fn go_on(&mut self, from: &Checkpoint) -> Result<(), TrainError> {
        let total_steps = self.state.total_steps;
        self.state = State { total_steps, ..from.restore(&mut self.trainer.store)? };
        self.state.monitor.follow(self.options, self.valid.is_some());
        match self.state.batch < self.batches.count() {
            true => Ok(()),
            false => Err(TrainError::misfit(
                format!(
                    "the checkpoint is {} batches into an epoch, which has no more",
                    self.state.batch
                ),
                "go on with the data and the batch size of its run",
            )),
        }
    }

    /// Runs to the end, whatever ends it, and puts the best weights back.
    fn finish(
        mut self,
        started: Instant,
        observer: &mut dyn Observer,
    ) -> Result<History, TrainError> {
        let outcome = self.run(started, observer);
        let restored = self.state.monitor.restore(&mut self.trainer.store);
        Ok(History {
            stopped: outcome?,
            best_epoch: self.state.monitor.best_epoch,
            epochs: self.state.epochs,
            restored,
            steps: self.state.steps,
            unreached: self.trainer.unreached.clone(),
            health: self.state.health.findings,
            train_seconds: self.state.seconds + started.elapsed().as_secs_f64(),
        })
    }

    /// Compiles every program of the steps before the first of them, and empties the sums of earlier trainings.
    fn compile(&mut self) -> Result<(), TrainError> {
        let batch = self.batches.batch_size();
        let mut compiled = Vec::new();
        for i in 0..self.batches.count() {
            let (place, rows) = (self.place(i), batch.min(self.used() - i * batch));
            if compiled.contains(&(place, rows)) {
                continue;
            }
            compiled.push((place, rows));
            match self.program(place, rows) {
                Err(TrainError::Graph(error)) if rows < batch => {
                    return Err(TrainError::LastBatch { rows, batch, error });
                }
                Err(error) => return Err(error),
                Ok(_) => {}
            }
        }
        self.forget_sums();
        Ok(())
    }

    /// An earlier training may have been interrupted between the batches of a step.
    fn forget_sums(&mut self) {
        let store = &mut self.trainer.store;
        let names: Vec<String> = store.entries().map(|entry| entry.name().to_owned()).collect();
        for name in names.iter().filter(|name| name.starts_with("accum.")) {
            if let Some(sum) = store.value_mut(name) {
                sum.bytes_mut().fill(0);
            }
        }
    }

    /// The program of a batch.
    pub(crate) fn program(
        &mut self,
        place: Place,
        rows: usize,
    ) -> Result<(&mut Compiled, &Cpu, &mut Store), TrainError> {
        let (goal, terms, sample) = (&self.goal, self.terms, &self.sample);
        let Trainer { network, updater, cpu, store, programs, unreached, .. } = &mut *self.trainer;
        let compiled = programs.get(Purpose::Training(place, goal.kind), rows, || {
            let inputs = Inputs::new(goal, sample, rows);
            let graph = step::training(network, goal, updater, terms, place, store, inputs)?;
            unreached.clone_from(&graph.unreached);
            Compiled::new(cpu, &graph)
        })?;
        Ok((compiled, cpu, store))
    }

    /// Rows of an epoch.
    fn used(&self) -> usize {
        match self.options.drop_last {
            true => self.batches.count() * self.batches.batch_size(),
            false => self.train.rows.len(),
        }
    }

    /// Whether batch `i` of an epoch ends a step.
    fn place(&self, i: usize) -> Place {
        match (i + 1).is_multiple_of(self.options.accumulate) || i + 1 == self.batches.count() {
            true => Place::Last,
            false => Place::Within,
        }
    }

    pub(crate) fn lr(&self) -> f64 {
        let State { steps, total_steps, .. } = self.state;
        let extended = self.options.extended.iter().find_map(|extension| extension.lr(steps));
        extended.unwrap_or_else(|| match &self.state.plateau {
            Some(plateau) => plateau.lr(),
            None => self.options.schedule.lr(self.options.lr, steps, total_steps),
        })
    }

    fn out_of_time(&self, started: Instant) -> bool {
        self.options.max_time.is_some_and(|most| started.elapsed() >= most)
    }

    fn run(
        &mut self,
        started: Instant,
        observer: &mut dyn Observer,
    ) -> Result<Stopped, TrainError> {
        while self.state.epoch <= self.options.epochs {
            let epoch = self.state.epoch;
            let (report, objective, ended) = self.epoch(started, observer)?;
            let State { monitor, plateau, epochs, .. } = &mut self.state;
            let verdict = monitor.observe(&report, objective, &self.trainer.store);
            if let (Some(plateau), Some(loss)) = (plateau, monitor.watched(&report)) {
                plateau.observe(loss);
            }
            let said = match observer.epoch(&report) {
                Control::Stop => Some(Stopped::Interrupted),
                Control::Enough => Some(Stopped::MaxTime),
                Control::Go => None,
            };
            epochs.push(report);
            if self.options.health {
                self.news.extend(self.state.health.judge(&self.state.epochs));
                self.tell(observer);
            }
            let is_whole = self.state.batch == self.batches.count();
            let ended = ended
                .or(said.filter(|said| *said == Stopped::Interrupted))
                .or(verdict)
                .or((epoch == self.options.epochs).then_some(Stopped::Epochs))
                .or(said)
                .or(self.out_of_time(started).then_some(Stopped::MaxTime));
            if is_whole {
                (self.state.epoch, self.state.batch) = (epoch + 1, 0);
                self.state.tally = Tally::new(&self.goal);
            }
            match ended {
                Some(_)
                    if self.state.steps > 0 && self.state.skipped_in_a_row == self.state.steps =>
                {
                    return Err(self.diverged(epoch));
                }
                Some(stopped) => {
                    if is_whole {
                        self.show_standing(started, observer, true);
                    }
                    return Ok(stopped);
                }
                None if self.show_standing(started, observer, false) == Control::Stop => {
                    self.show_standing(started, observer, true);
                    return Ok(Stopped::Interrupted);
                }
                None => {}
            }
        }
        Ok(Stopped::Epochs)
    }

    fn show_standing(&self, started: Instant, observer: &mut dyn Observer, last: bool) -> Control {
        let seconds = self.state.seconds + started.elapsed().as_secs_f64();
        let (state, store) = (&self.state, &self.trainer.store);
        observer.standing(&Standing { state, store, seconds, last })
    }

    /// The rest of the epoch in progress with its validation, its training loss with penalties, and why it ended
    /// early, if it did.
    fn epoch(
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
        let mut steps = batches.several(epoch as u64 - 1, self.options.accumulate);
        let mut step = Vec::new();
        for i in 0..batches.count() {
            let within = i % self.options.accumulate * batch;
            if within == 0 {
                step = steps.next().unwrap_or_default();
            }
            if i < self.state.batch {
                continue;
            }
            let rows = &step[within..(within + batch).min(step.len())];
            if self.options.extended.iter().any(|extension| extension.from == self.state.steps) {
                self.state.monitor.be_patient();
            }
            let of_step = self.goal.places(self.train, &step);
            let report = self.batch(epoch, i, rows, of_step)?;
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
                Some(self.trainer.evaluate(valid, EVALUATED_AT_ONCE)?)
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

    /// The batches of an epoch.
    pub(crate) fn batches_of(&self, epoch: u64) -> Vec<Vec<usize>> {
        let rows: Vec<usize> = self.batches.epoch(epoch).flatten().collect();
        rows.chunks(self.batches.batch_size()).map(<[usize]>::to_vec).collect()
    }

    fn tell(&mut self, observer: &mut dyn Observer) {
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

    /// Batch `i` of an epoch; `of_step` answers are judged in its step.
    fn batch(
        &mut self,
        epoch: usize,
        i: usize,
        rows: &[usize],
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

/// Writes samples and targets of a batch.
pub(crate) fn feed(
    compiled: &mut Compiled,
    train: &Part,
    options: &FitOptions,
    kind: Kind,
    epoch: usize,
    rows: &[usize],
) -> Result<(), TrainError> {
    compiled.fill(&train.data.features, rows, train.scaling)?;
    if !options.augment.is_empty() {
        let x = compiled.x.as_mut_slice().unwrap_or_default();
        let shape = train.data.features.shape();
        augment(&options.augment, options.seed, epoch as u64, rows, shape, x);
    }
    Ok(kind.fill(train, rows, &mut compiled.y)?)
}
