//! The trainer: a network, its values, and the compiled programs that train it, measure it and use it.

use std::fmt;
use std::thread::available_parallelism;

use thalweg_cpu::Cpu;
use thalweg_data::{DataError, Features, Scaling, Targets};
use thalweg_graph::{DType, Value};
use thalweg_nn::{Loss, Network, Store, Updater};

use crate::error::TrainError;
use crate::goal::{Goal, Kind};
use crate::metrics::{ClassCounts, Metrics, RegressionSums};
use crate::part::Part;
use crate::programs::{Compiled, Programs, Purpose, number};
use crate::step::{self, Inputs};

/// Rows in a batch of a prediction, and of the validation while training.
pub(crate) const EVALUATED_AT_ONCE: usize = 256;

/// A network with all that its training needs: loss, optimizer, executor, and the store of its values.
///
/// ```
/// use thalweg_data::{Fractions, Scaling, Split, Standardise, open};
/// use thalweg_nn::losses::CrossEntropy;
/// use thalweg_nn::optim::{Adam, Updater};
/// use thalweg_nn::Sequential;
/// use thalweg_train::{FitOptions, Part, Trainer};
///
/// let data = open("digits")?.train;
/// let split = Split::of(&data, &Fractions { valid: 0.1, test: 0.1 }, 0)?;
/// let scaling = Scaling::fit(&data.features, &split.train, Standardise::Global)?;
/// let part = |rows| Part { data: &data, rows, scaling: &scaling };
///
/// let network = Sequential::new().flatten().linear(32).relu().linear(10);
/// let mut trainer =
///     Trainer::new(network, CrossEntropy::default(), Updater::new(Adam::default())).threads(2);
/// let options = FitOptions { epochs: 5, lr: 0.01, patience: Some(3), ..FitOptions::default() };
/// let history = trainer.fit(&part(&split.train), Some(&part(&split.valid)), &options, &mut ())?;
/// assert_eq!(history.epochs.len(), 5);
///
/// let test = trainer.evaluate(&part(&split.test), 256)?;
/// assert!(test.accuracy() > Some(0.9));
/// let logits = trainer.predict(&data.features, &split.test[..3], &scaling)?;
/// assert_eq!(logits.shape().dims(), [3, 10]);
/// # Ok::<(), thalweg_train::TrainError>(())
/// ```
pub struct Trainer<N: Network> {
    pub(crate) network: N,
    pub(crate) loss: Loss,
    pub(crate) updater: Updater,
    pub(crate) cpu: Cpu,
    pub(crate) store: Store,
    pub(crate) programs: Programs,
    /// The shape of the samples that the network is built for, and the number of its outputs.
    built: Option<(Vec<usize>, usize)>,
}

impl<N: Network> Trainer<N> {
    /// A trainer on as many threads as the machine runs at once. The network gets its sizes and initial weights from
    /// [`Trainer::bind`], or from the first [`Trainer::fit`].
    pub fn new(network: N, loss: impl Into<Loss>, updater: Updater) -> Trainer<N> {
        Trainer {
            network,
            loss: loss.into(),
            updater,
            cpu: Cpu::new(available_parallelism().map_or(1, |n| n.get())),
            store: Store::new(0),
            programs: Programs::default(),
            built: None,
        }
    }

    /// The same trainer on `threads` threads (0 counts as 1). Their number changes no bit of any result.
    #[must_use]
    pub fn threads(self, threads: usize) -> Trainer<N> {
        self.on(Cpu::new(threads))
    }

    /// The same trainer on an executor of the caller's.
    #[must_use]
    pub fn on(mut self, cpu: Cpu) -> Trainer<N> {
        self.programs.forget();
        self.cpu = cpu;
        self
    }

    /// The same trainer with the values of a store that the network was bound to before: one that was saved and
    /// loaded, or one to train on from.
    #[must_use]
    pub fn with_store(mut self, store: Store) -> Trainer<N> {
        self.store = store;
        self
    }

    /// Builds the network for samples of the shape `sample` and gives it its initial weights, by `seed`. Weights that
    /// are there stay, so binding again changes nothing.
    ///
    /// # Errors
    /// [`TrainError::Graph`] where a layer refuses such samples; [`TrainError::Misfit`] where the output is not
    /// `[rows, outputs]` or the network is built for other samples; [`TrainError::Store`].
    pub fn bind(&mut self, sample: &[usize], seed: u64) -> Result<(), TrainError> {
        match &self.built {
            Some((known, _)) if known == sample => return Ok(()),
            Some((known, _)) => {
                let (known, got) = (axes(known), axes(sample));
                let problem = format!("the network is built for samples of {known}, got {got}");
                return Err(TrainError::misfit(problem, "a network has one input size"));
            }
            None => {}
        }
        /// Any number of rows tells the sizes; a network that mixes rows up is found out by an odd one.
        const ROWS: usize = 7;
        let output = step::output_of(&self.network, sample, ROWS)?;
        if output.rank() != 2 || output.dim(0) != ROWS || output.dtype() != DType::F32 {
            let problem = format!(
                "the network makes {}{} of {ROWS} samples of {}",
                output.dtype(),
                output.shape(),
                axes(sample)
            );
            return Err(TrainError::misfit(problem, "it must end with one row of f32 per sample"));
        }
        if self.store.entries().len() == 0 {
            self.store = Store::new(seed);
        }
        self.store.bind(&self.network)?;
        self.built = Some((sample.to_vec(), output.dim(1)));
        Ok(())
    }

    /// How well the network does on `part`, in use (no dropout, running statistics), `batch` rows at a time, of which
    /// the result does not depend. The loss is that of all rows at once, without penalties.
    ///
    /// # Errors
    /// A batch of 0 rows, an empty part, rows or a scaling that do not fit; as [`Trainer::bind`].
    pub fn evaluate(&mut self, part: &Part, batch: usize) -> Result<Metrics, TrainError> {
        if batch == 0 {
            let hint = "256 rows at a time are plenty";
            return Err(TrainError::option("batch", "must be at least 1, got 0", hint));
        }
        part.check("measure on")?;
        let goal = Goal::new(&self.loss, part.data)?;
        let outputs = self.bound(part.data.features.shape())?;
        let mut counts = Counts::new(goal.kind, part);
        let mut sum = 0.0;
        for rows in part.rows.chunks(batch) {
            let Trainer { network, cpu, store, programs, .. } = self;
            let compiled = programs.get(Purpose::Evaluation(goal.kind), rows.len(), || {
                let inputs = Inputs::new(&goal, part.data.features.shape(), rows.len());
                Compiled::new(cpu, &step::evaluation(network, &goal, inputs)?)
            })?;
            part.data.features.fill(rows, part.scaling, compiled.features())?;
            goal.kind.fill(part, rows, &mut compiled.y)?;
            compiled.run(cpu, store)?;
            let [loss, scores] = compiled.outputs() else { continue };
            sum += number(loss);
            counts.add(scores, &compiled.y);
        }
        Ok(counts.finish(sum / goal.denominator(part, outputs)))
    }

    /// What the network puts out for some rows, `f32` `[rows, outputs]`: for a loss from logits these are logits.
    ///
    /// # Errors
    /// No rows; rows or a scaling that do not fit; as [`Trainer::bind`].
    pub fn predict(
        &mut self,
        features: &Features,
        rows: &[usize],
        scaling: &Scaling,
    ) -> Result<Value, TrainError> {
        if rows.is_empty() {
            return Err(DataError::NoRows { what: "predict for" }.into());
        }
        let outputs = self.bound(features.shape())?;
        let mut all = Value::zeros(DType::F32, [rows.len(), outputs]);
        let places = all.bytes_mut().chunks_mut(EVALUATED_AT_ONCE * outputs * DType::F32.size());
        for (rows, place) in rows.chunks(EVALUATED_AT_ONCE).zip(places) {
            let Trainer { network, cpu, store, programs, .. } = self;
            let compiled = programs.get(Purpose::Prediction, rows.len(), || {
                let inputs = Inputs::of_features(features.shape(), rows.len());
                Compiled::new(cpu, &step::prediction(network, inputs)?)
            })?;
            features.fill(rows, scaling, compiled.features())?;
            place.copy_from_slice(compiled.run(cpu, store)?[0].bytes());
        }
        Ok(all)
    }

    /// Binds the network if it is not, and tells the number of its outputs.
    fn bound(&mut self, sample: &[usize]) -> Result<usize, TrainError> {
        self.bind(sample, self.store.seed())?;
        Ok(self.built.as_ref().map_or(0, |(_, outputs)| *outputs))
    }

    /// Bytes of the store's values and of all programs compiled so far, with their buffers. After
    /// [`Trainer::prepare`] that is what training will use, but for the copy of the best weights.
    pub fn planned_memory(&self) -> usize {
        let values = self.store.entries().map(|entry| entry.value().bytes().len());
        self.programs.bytes() + values.sum::<usize>()
    }

    /// The values of the network and of its training.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The values, to be overwritten.
    pub fn store_mut(&mut self) -> &mut Store {
        &mut self.store
    }

    /// The network.
    pub fn network(&self) -> &N {
        &self.network
    }

    /// The loss.
    pub fn loss(&self) -> &Loss {
        &self.loss
    }

    /// The optimizer with its groups and clipping.
    pub fn updater(&self) -> &Updater {
        &self.updater
    }

    /// The executor.
    pub fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    /// The network and its values.
    pub fn into_parts(self) -> (N, Store) {
        (self.network, self.store)
    }
}

impl<N: Network> fmt::Debug for Trainer<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Trainer { loss, updater, built, .. } = self;
        write!(f, "Trainer {{ {loss:?}, {updater:?}, built for {built:?} }}")
    }
}

/// The shape of a sample as people write it: `8 × 8`.
fn axes(sample: &[usize]) -> String {
    sample.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ")
}

/// What is counted while evaluating.
enum Counts {
    Classes(ClassCounts),
    Values(RegressionSums),
}

impl Counts {
    fn new(kind: Kind, part: &Part) -> Counts {
        match (&part.data.targets, kind) {
            (Targets::Values { values, dims }, _) => {
                let mean = |i| {
                    let column = part.rows.iter().map(|row| f64::from(values[row * dims + i]));
                    column.sum::<f64>() / part.rows.len() as f64
                };
                let means: Vec<f64> = (0..*dims).map(mean).collect();
                Counts::Values(RegressionSums::new(&means))
            }
            (Targets::Classes { names, .. } | Targets::Sequence { names, .. }, _) => {
                Counts::Classes(ClassCounts::new(names.len()))
            }
        }
    }

    fn add(&mut self, scores: &Value, truth: &Value) {
        let scores = scores.as_slice().unwrap_or_default();
        match self {
            Counts::Classes(counts) => counts.add(scores, truth.as_slice().unwrap_or_default()),
            Counts::Values(sums) => sums.add(scores, truth.as_slice().unwrap_or_default()),
        }
    }

    fn finish(&self, loss: f64) -> Metrics {
        match self {
            Counts::Classes(counts) => Metrics::Classification(counts.finish(loss)),
            Counts::Values(sums) => Metrics::Regression(sums.finish(loss)),
        }
    }
}
