//! Keeping count: of the batches of an epoch, and of the epochs: which was the best, and is it time to stop.

use serde::{Deserialize, Serialize};
use thalweg_graph::{StateId, States, Value};
use thalweg_nn::{EntryKind, Store};

use crate::goal::Goal;
use crate::history::{EpochReport, Stopped, TrainScores};
use crate::options::FitOptions;
use crate::programs::number;
use crate::step::output;

/// The sums over the batches of an epoch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Tally {
    classes: bool,
    is_sum: bool,
    pub(crate) rows: usize,
    /// What was judged: the rows, or the places in them.
    places: usize,
    /// Places in batches with a finite loss.
    finite_places: usize,
    loss: f64,
    objective: f64,
    correct: f64,
    grad_norm: f64,
    applied: u64,
    pub(crate) skipped: u64,
    /// The learning rate of the last step.
    pub(crate) lr: f64,
}

/// What a batch adds to a [`Tally`].
pub(crate) struct BatchScores {
    pub(crate) loss: f64,
    objective: f64,
    correct: f64,
    /// The norm of the gradient and whether the step was applied, where the batch ended one.
    pub(crate) step: Option<(f64, bool)>,
}

impl BatchScores {
    /// From the outputs of a training program.
    pub(crate) fn of(outputs: &[Value]) -> BatchScores {
        let at = |place: usize| outputs.get(place).map(number);
        let required = |place| at(place).unwrap_or(f64::NAN);
        BatchScores {
            loss: required(output::LOSS),
            objective: required(output::OBJECTIVE),
            correct: required(output::CORRECT),
            step: at(output::GRAD_NORM).zip(at(output::APPLIED).map(|applied| applied != 0.0)),
        }
    }
}

impl Tally {
    pub(crate) fn new(goal: &Goal) -> Tally {
        Tally {
            classes: goal.has_classes(),
            is_sum: goal.is_sum(),
            rows: 0,
            places: 0,
            finite_places: 0,
            loss: 0.0,
            objective: 0.0,
            correct: 0.0,
            grad_norm: 0.0,
            applied: 0,
            skipped: 0,
            lr: 0.0,
        }
    }

    pub(crate) fn add(&mut self, rows: usize, places: usize, lr: f64, scores: &BatchScores) {
        self.rows += rows;
        self.places += places;
        self.lr = lr;
        if scores.objective.is_finite() {
            let weight = if self.is_sum { 1.0 } else { places as f64 };
            self.finite_places += places;
            self.loss += scores.loss * weight;
            self.objective += scores.objective * weight;
        }
        self.correct += scores.correct;
        match scores.step {
            Some((norm, true)) => {
                self.grad_norm += norm;
                self.applied += 1;
            }
            Some((_, false)) => self.skipped += 1,
            None => {}
        }
    }

    fn over_places(&self, sum: f64) -> f64 {
        match (self.finite_places, self.is_sum) {
            (0, _) => f64::NAN,
            (_, true) => sum,
            (places, false) => sum / places as f64,
        }
    }

    pub(crate) fn scores(&self) -> TrainScores {
        let accuracy = self.classes.then(|| self.correct / self.places as f64);
        TrainScores { loss: self.over_places(self.loss), accuracy }
    }

    /// The loss with penalties.
    pub(crate) fn objective(&self) -> f64 {
        self.over_places(self.objective)
    }

    /// The mean over the steps that were applied.
    pub(crate) fn grad_norm(&self) -> f64 {
        self.grad_norm / self.applied as f64
    }
}

/// Watches the loss from epoch to epoch, and keeps the weights of the best one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Monitor {
    #[serde(skip)]
    rules: Rules,
    pub(crate) best_epoch: usize,
    best: f64,
    /// The weights of the best epoch.
    #[serde(skip)]
    kept: Vec<(StateId, Value)>,
    /// Epochs in a row without a better loss.
    waited: usize,
    lowest_objective: f64,
    /// Epochs in a row in which the objective did not fall by `tol`.
    stalled: usize,
}

/// What a [`Monitor`] goes by: not a part of where a training stands, but of what is asked for.
#[derive(Clone, Debug, Default)]
struct Rules {
    patience: Option<usize>,
    tol: Option<f64>,
    tol_patience: usize,
    has_valid: bool,
    /// Whether the best weights are kept.
    keeps: bool,
    /// The steps before which nothing ends the training.
    from: u64,
}

impl Rules {
    fn new(options: &FitOptions, has_valid: bool) -> Rules {
        Rules {
            patience: options.patience,
            tol: options.tol,
            tol_patience: options.tol_patience,
            has_valid,
            keeps: options.restore_best && has_valid,
            from: options.extended.last().map_or(0, |extension| extension.from),
        }
    }
}

impl Monitor {
    pub(crate) fn new(options: &FitOptions, has_valid: bool) -> Monitor {
        Monitor {
            rules: Rules::new(options, has_valid),
            best_epoch: 0,
            best: f64::INFINITY,
            kept: Vec::new(),
            waited: 0,
            lowest_objective: f64::INFINITY,
            stalled: 0,
        }
    }

    /// Goes by other rules from now on, with the same memory.
    pub(crate) fn follow(&mut self, options: &FitOptions, has_valid: bool) {
        self.rules = Rules::new(options, has_valid);
    }

    /// Forgets how long nothing has got better: where a training is extended, patience begins anew.
    pub(crate) fn be_patient(&mut self) {
        (self.waited, self.stalled) = (0, 0);
    }

    pub(crate) fn kept(&self) -> &[(StateId, Value)] {
        &self.kept
    }

    pub(crate) fn set_kept(&mut self, kept: Vec<(StateId, Value)>) {
        self.kept = kept;
    }

    /// The loss that is watched: on the validation part where there is one. `None` for an epoch that ended before it
    /// could be validated, which is not judged.
    pub(crate) fn watched(&self, report: &EpochReport) -> Option<f64> {
        match self.rules.has_valid {
            true => report.valid.as_ref().map(|valid| valid.loss()),
            false => Some(report.train.loss),
        }
    }

    /// Takes in an epoch, whose training loss with penalties was `objective`; says whether to stop. A loss that is NaN
    /// is not better than any.
    pub(crate) fn observe(
        &mut self,
        report: &EpochReport,
        objective: f64,
        store: &Store,
    ) -> Option<Stopped> {
        let watched = self.watched(report)?;
        if watched < self.best {
            (self.best, self.best_epoch, self.waited) = (watched, report.epoch, 0);
            self.keep(store);
        } else {
            self.waited += 1;
        }
        let fell = self.lowest_objective - objective;
        let Rules { patience, tol, tol_patience, from, .. } = self.rules;
        let stalls = tol.is_some_and(|tol| fell.is_nan() || fell < tol);
        self.stalled = if stalls { self.stalled + 1 } else { 0 };
        self.lowest_objective = self.lowest_objective.min(objective);
        if report.steps <= from {
            return None;
        }
        if patience.is_some_and(|patience| self.waited >= patience) {
            return Some(Stopped::EarlyStopping);
        }
        (stalls && self.stalled >= tol_patience).then_some(Stopped::Converged)
    }

    fn keep(&mut self, store: &Store) {
        if !self.rules.keeps {
            return;
        }
        if self.kept.is_empty() {
            let model = store.entries().filter(|entry| EntryKind::MODEL.contains(&entry.kind()));
            self.kept = model.map(|entry| (entry.id(), entry.value().clone())).collect();
            return;
        }
        for (id, kept) in &mut self.kept {
            if let Some(value) = store.get(*id) {
                kept.bytes_mut().copy_from_slice(value.bytes());
            }
        }
    }

    /// Puts the best weights back, where any were kept.
    pub(crate) fn restore(&self, store: &mut Store) -> bool {
        for (id, kept) in &self.kept {
            if let Some(value) = store.get_mut(*id) {
                value.bytes_mut().copy_from_slice(kept.bytes());
            }
        }
        !self.kept.is_empty()
    }
}
