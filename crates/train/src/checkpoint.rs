//! Where a training stands between two batches, and that as a file: enough to go on with the same bits.
//!
//! A checkpoint is a safetensors file. It holds every value of the store under its name (parameters, running
//! statistics, moments, counters), the best weights so far under `best:NAME`, and in its header, as TOML, all that the
//! loop counts.

use safetensors::tensor::{SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};
use thalweg_graph::{StateId, Value};
use thalweg_nn::schedule::Plateau;
use thalweg_nn::store::file_dtype;
use thalweg_nn::{Store, StoreError};

use crate::error::TrainError;
use crate::health::Health;
use crate::history::EpochReport;
use crate::monitor::{Monitor, Tally};

/// The header's key for what the loop counts.
const STATE: &str = "thalweg.state";
/// What the names of the best weights begin with.
const BEST: &str = "best:";

/// What the loop counts. Everything else that a training needs follows from its options and its store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct State {
    /// The epoch in progress, counted from 1; after the last one that was asked for, one more.
    pub(crate) epoch: usize,
    /// Its batches that are done.
    pub(crate) batch: usize,
    /// Of the optimizer, those that were skipped included.
    pub(crate) steps: u64,
    /// Of the whole training, as it was planned.
    pub(crate) total_steps: u64,
    pub(crate) skipped_in_a_row: u64,
    /// Batches so far: the position in the stream of randomness.
    pub(crate) batches_done: u64,
    /// Seconds of training before this, in earlier sittings.
    pub(crate) seconds: f64,
    pub(crate) tally: Tally,
    pub(crate) monitor: Monitor,
    pub(crate) plateau: Option<Plateau>,
    #[serde(default)]
    pub(crate) health: Health,
    /// The epochs that are done.
    pub(crate) epochs: Vec<EpochReport>,
}

/// A training between two batches, from which a [`Checkpoint`] can be written.
pub struct Standing<'a> {
    pub(crate) state: &'a State,
    pub(crate) store: &'a Store,
    pub(crate) seconds: f64,
    pub(crate) last: bool,
}

impl Standing<'_> {
    /// Whether an epoch has just ended.
    #[must_use]
    pub fn is_between_epochs(&self) -> bool {
        self.state.batch == 0
    }

    /// Whether this is where training ends, for whatever reason.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.last
    }

    /// The checkpoint as a file. Equal trainings give equal bytes but for the seconds that they took.
    ///
    /// # Errors
    /// [`TrainError::Store`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, TrainError> {
        let mut state = self.state.clone();
        state.seconds = self.seconds;
        for report in &mut state.epochs {
            report.valid = report.valid.as_ref().map(|valid| valid.figures());
        }
        let state = toml::to_string(&state).map_err(|error| format(&error))?;
        let entries = self.store.entries().map(|entry| (entry.name().to_owned(), entry.value()));
        let best = self.state.monitor.kept().iter().filter_map(|(id, value)| {
            self.store.name_of(*id).map(|name| (format!("{BEST}{name}"), value))
        });
        let mut views = Vec::new();
        for (name, value) in entries.chain(best) {
            let shape = value.shape().to_vec();
            let view = TensorView::new(file_dtype(value.dtype()), shape, value.bytes());
            views.push((name, view.map_err(|error| format(&error))?));
        }
        let metadata = [(STATE.to_owned(), state)].into_iter().collect();
        serialize(views, Some(metadata)).map_err(|error| format(&error))
    }
}

/// Where a training stood. [`Trainer::resume`](crate::Trainer::resume) goes on from it with the bits that it would
/// have had without a break.
///
/// ```
/// use thalweg_data::{Scaling, Standardise, open};
/// use thalweg_nn::{Sequential, Updater, losses::CrossEntropy, optim::Adam};
/// use thalweg_train::{Checkpoint, Control, FitOptions, Observer, Part, Standing, Trainer};
///
/// /// Ends the training after 50 batches, and keeps the checkpoint.
/// struct Break(usize, Vec<u8>);
/// impl Observer for Break {
///     fn standing(&mut self, standing: &Standing<'_>) -> Control {
///         self.0 += 1;
///         if standing.is_last() {
///             self.1 = standing.to_bytes().unwrap_or_default();
///         }
///         if self.0 == 50 { Control::Stop } else { Control::Go }
///     }
/// }
///
/// let data = open("digits")?.train;
/// let rows: Vec<usize> = (0..data.rows()).collect();
/// let scaling = Scaling::fit(&data.features, &rows, Standardise::Global)?;
/// let train = Part { data: &data, rows: &rows, scaling: &scaling };
/// let options = FitOptions { epochs: 2, ..FitOptions::default() };
/// let trainer = || {
///     let network = Sequential::new().flatten().linear(16).relu().linear(10);
///     Trainer::new(network, CrossEntropy::default(), Updater::new(Adam::default()))
/// };
///
/// let mut whole = trainer();
/// whole.fit(&train, None, &options, &mut ())?;
///
/// let mut broken = Break(0, vec![]);
/// trainer().fit(&train, None, &options, &mut broken)?;
/// let mut resumed = trainer();
/// resumed.resume(&train, None, &options, &Checkpoint::from_bytes(broken.1)?, &mut ())?;
/// assert_eq!(resumed.store().value("1.weight"), whole.store().value("1.weight"));
/// # Ok::<(), thalweg_train::TrainError>(())
/// ```
pub struct Checkpoint {
    bytes: Vec<u8>,
    state: State,
}

impl Checkpoint {
    /// From what [`Standing::to_bytes`] gave.
    ///
    /// # Errors
    /// [`TrainError::Store`] where the bytes are no checkpoint.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Checkpoint, TrainError> {
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| format(&error))?;
        SafeTensors::deserialize(&bytes).map_err(|error| format(&error))?;
        let state = header.metadata().as_ref().and_then(|metadata| metadata.get(STATE));
        let state = state.ok_or_else(|| format(&"it does not say where the training stands"))?;
        let state = toml::from_str(state).map_err(|error| format(&error.message()))?;
        Ok(Checkpoint { bytes, state })
    }

    /// Epochs that are done.
    #[must_use]
    pub fn epochs(&self) -> usize {
        self.state.epochs.len()
    }

    /// Whether some batches of the next epoch are done too.
    #[must_use]
    pub fn is_within_an_epoch(&self) -> bool {
        self.state.batch > 0
    }

    /// Steps of the optimizer that are done.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.state.steps
    }

    /// Steps of the whole training, as it was planned.
    #[must_use]
    pub fn total_steps(&self) -> u64 {
        self.state.total_steps
    }

    /// The rate that a `reduce_on_plateau` schedule has come to.
    #[must_use]
    pub fn plateau_lr(&self) -> Option<f64> {
        self.state.plateau.as_ref().map(Plateau::lr)
    }

    /// Puts every value into the store, and gives what the loop counts.
    pub(crate) fn restore(&self, store: &mut Store) -> Result<State, TrainError> {
        let file = SafeTensors::deserialize(&self.bytes).map_err(|error| format(&error))?;
        let entries: Vec<(String, StateId)> =
            store.entries().map(|entry| (entry.name().to_owned(), entry.id())).collect();
        let mut kept = Vec::new();
        for (name, id) in entries {
            let Some(value) = store.value_mut(&name) else { continue };
            let best = file.tensor(&format!("{BEST}{name}"));
            if let Ok(view) = &best
                && let Some(best) = take(view, value)
            {
                kept.push((id, best));
            }
            let found = file.tensor(&name).ok();
            *value = found.and_then(|view| take(&view, value)).ok_or_else(|| {
                TrainError::misfit(
                    format!("the checkpoint has no '{name}' of shape {}", value.shape()),
                    "it belongs to another network or optimizer; go on with the settings of its run",
                )
            })?;
        }
        let mut state = self.state.clone();
        state.monitor.set_kept(kept);
        Ok(state)
    }
}

/// The tensor of a file as a value like `like`.
fn take(view: &TensorView<'_>, like: &Value) -> Option<Value> {
    if view.shape() != like.shape().dims() || view.dtype() != file_dtype(like.dtype()) {
        return None;
    }
    let mut value = Value::zeros(like.dtype(), like.shape());
    value.bytes_mut().copy_from_slice(view.data());
    Some(value)
}

fn format(problem: &dyn std::fmt::Display) -> TrainError {
    StoreError::Format(problem.to_string()).into()
}
