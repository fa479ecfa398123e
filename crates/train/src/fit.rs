//! The fit loop: epochs of batches, one compiled step after the other, and when to stop.

mod epoch;

use std::time::Instant;

use thalweg_cpu::Cpu;
use thalweg_data::Batches;
use thalweg_nn::schedule::Plateau;
use thalweg_nn::{Network, Schedule, Store};

use crate::augment::augment;
use crate::checkpoint::{Checkpoint, Standing, State};
use crate::error::TrainError;
use crate::goal::{Goal, Kind};
use crate::health::{Health, Probe};
use crate::history::{Control, History, Observer, Stopped};
use crate::monitor::{Monitor, Tally};
use crate::options::FitOptions;
use crate::part::Part;
use crate::programs::{Compiled, Purpose};
use crate::run::insights::Finding;
use crate::sample::Sample;
use crate::step::{self, Inputs, Place, Terms};
use crate::trainer::Trainer;

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
    pub(crate) batches: Batches<'a>,
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
