//! The trainer: a network, its values, and the compiled programs that train it, measure it and use it.

use std::fmt;
use std::thread::available_parallelism;

use thalweg_cpu::Cpu;
use thalweg_data::{DataError, Features, Scaling};
use thalweg_graph::{DType, Shape, Value, reachable};
use thalweg_nn::{Loss, Network, Store, Updater};

use crate::aim::Aim;
use crate::counts::Counts;
use crate::error::TrainError;
use crate::goal::Goal;
use crate::metrics::Metrics;
use crate::part::Part;
use crate::programs::{Compiled, Programs, Purpose, number};
use crate::sample::Sample;
use crate::step::{self, Inputs, Terms};

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
    pub(crate) aim: Aim,
    pub(crate) updater: Updater,
    pub(crate) cpu: Cpu,
    pub(crate) store: Store,
    pub(crate) programs: Programs,
    /// Parameters on which the loss of the last training does not depend.
    pub(crate) unreached: Vec<String>,
    /// For which terms the programs of training have been compiled but not used yet, and the entries of the store then.
    pub(crate) fresh: Option<(Terms, usize)>,
    built: Option<Built>,
}

/// What a network is built for.
#[derive(Clone, Debug)]
struct Built {
    sample: Sample,
    /// The shape of its output for one sample.
    output: Shape,
    /// As [`Trainer::evaluation_batch`].
    batch: usize,
}

impl<N: Network> Trainer<N> {
    /// A trainer on as many threads as the machine runs at once. The network gets its sizes and initial weights from
    /// [`Trainer::bind`], or from the first [`Trainer::fit`].
    pub fn new(network: N, loss: impl Into<Loss>, updater: Updater) -> Trainer<N> {
        Trainer {
            network,
            loss: loss.into(),
            aim: Aim::Targets,
            updater,
            cpu: Cpu::new(available_parallelism().map_or(1, |n| n.get())),
            store: Store::new(0),
            programs: Programs::default(),
            unreached: Vec::new(),
            fresh: None,
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
        self.fresh = None;
        self.cpu = cpu;
        self
    }

    /// The same trainer with the values of a store that the network was bound to before: one that was saved and
    /// loaded, or one to train on from.
    #[must_use]
    pub fn with_store(mut self, store: Store) -> Trainer<N> {
        self.store = store;
        self.programs.forget();
        self.fresh = None;
        self
    }

    /// The same trainer of an autoencoder: the network is to put out what goes in, as it is scaled for it. Targets are
    /// not looked at.
    #[must_use]
    pub fn reconstructing(mut self) -> Trainer<N> {
        self.aim = Aim::Inputs;
        self.programs.forget();
        self.fresh = None;
        self
    }

    /// The same trainer for numbers far from 0 and 1: the network learns (target − mean)/std, and what it says is put
    /// back into the targets' units before it is measured or given out. The loss is that of the scaled numbers.
    /// `scaling` has one mean and deviation, or one for each number of a row; its full scale is not used.
    #[must_use]
    pub fn scaling_targets(mut self, scaling: Scaling) -> Trainer<N> {
        self.aim = Aim::Scaled(scaling);
        self.programs.forget();
        self.fresh = None;
        self
    }

    /// Builds the network for such samples and gives it its initial weights, by `seed`. Weights that
    /// are there stay, so binding again changes nothing.
    ///
    /// # Errors
    /// [`TrainError::Graph`] where a layer refuses such samples; [`TrainError::Misfit`] where the output is not
    /// `[rows, …]` or the network is built for other samples; [`TrainError::Store`].
    pub fn bind(&mut self, sample: impl Into<Sample>, seed: u64) -> Result<(), TrainError> {
        let sample = sample.into();
        match &self.built {
            Some(Built { sample: known, .. }) if *known == sample => return Ok(()),
            Some(Built { sample: known, .. }) => {
                let problem = format!("the network is built for samples of {known}, got {sample}");
                return Err(TrainError::misfit(problem, "a network has one input size"));
            }
            None => {}
        }
        /// Any number of rows tells the sizes; a network that mixes rows up is found out by an odd one.
        const ROWS: usize = 7;
        let output = step::output_of(&self.network, &sample, ROWS)?;
        if output.rank() < 2 || output.dim(0) != ROWS || output.dtype() != DType::F32 {
            let (dtype, shape) = (output.dtype(), output.shape());
            let problem = format!("the network makes {dtype}{shape} of {ROWS} samples of {sample}");
            return Err(TrainError::misfit(problem, "it must end with one row of f32 per sample"));
        }
        if self.store.entries().len() == 0 {
            self.store = Store::new(seed);
        }
        self.store.bind(&self.network)?;
        let results = reachable(std::slice::from_ref(&output));
        let of_rows = results.iter().filter(|node| node.shape().dims().first() == Some(&ROWS));
        let widest = of_rows.map(|node| node.numel() / ROWS).max().unwrap_or(1);
        let shape = Shape::from(&output.shape()[1..]);
        self.built = Some(Built { sample, output: shape, batch: batch_of(widest) });
        Ok(())
    }

    /// How well the network does on `part`, in use (no dropout, running statistics), `batch` rows at a time, of which
    /// the result does not depend. The loss is that of all rows at once, without penalties.
    ///
    /// # Errors
    /// A batch of 0 rows, an empty part, rows or a scaling that do not fit; as [`Trainer::bind`].
    pub fn evaluate(&mut self, part: &Part, batch: usize) -> Result<Metrics, TrainError> {
        self.examine(part, batch, &mut |_| {})
    }

    /// As [`Trainer::evaluate`], and shows what the network says of the rows, some rows at a time in their order: the score
    /// (logit) of each class or label, or numbers in the units of the targets.
    ///
    /// # Errors
    /// As [`Trainer::evaluate`].
    pub fn examine(
        &mut self,
        part: &Part,
        batch: usize,
        seen: &mut dyn FnMut(&[f32]),
    ) -> Result<Metrics, TrainError> {
        if batch == 0 {
            let hint = "Trainer::evaluation_batch tells how many rows are quick";
            return Err(TrainError::option("batch", "must be at least 1, got 0", hint));
        }
        part.check("measure on")?;
        let goal = Goal::new(&self.loss, &self.aim, part.data)?;
        let sample = Sample::from(&part.data.features);
        let outputs = self.bound(&sample)?.output.numel();
        let mut counts = Counts::new(&goal, part);
        let mut sum = 0.0;
        let mut batches = part.rows.chunks(batch.min(rows_at_once(outputs))).peekable();
        while let Some(rows) = batches.next() {
            let Trainer { network, cpu, store, programs, .. } = self;
            let compiled = programs.get(Purpose::Evaluation(goal.kind), rows.len(), || {
                let inputs = Inputs::new(&goal, &sample, rows.len());
                Compiled::new(cpu, &step::evaluation(network, &goal, inputs)?)
            })?;
            compiled.fill(&part.data.features, rows, part.scaling)?;
            goal.kind.fill(part, rows, &mut compiled.y)?;
            part.data.features.prefetch(batches.peek().unwrap_or(&&[][..]));
            compiled.run(cpu, store)?;
            let [loss, scores] = compiled.outputs() else { continue };
            sum += number(loss);
            counts.add(scores, compiled);
            seen(scores.as_slice().unwrap_or_default());
        }
        Ok(counts.finish(sum / goal.denominator(part, outputs)))
    }

    /// What the network puts out for some rows, `f32` `[rows, …]`: for a loss from logits these are logits, numbers are
    /// in the units of the targets.
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
        let sample = Sample::from(features);
        let Built { output, batch, .. } = self.bound(&sample)?;
        let shape: Vec<usize> = [&[rows.len()], output.dims()].concat();
        let mut all = Value::zeros(DType::F32, shape);
        let batch = batch.min(rows_at_once(output.numel()));
        let places =
            all.bytes_mut().chunks_mut((batch * output.numel() * DType::F32.size()).max(1));
        let mut batches = rows.chunks(batch).zip(places).peekable();
        while let Some((rows, place)) = batches.next() {
            let Trainer { network, aim, cpu, store, programs, .. } = self;
            let compiled = programs.get(Purpose::Prediction, rows.len(), || {
                let inputs = Inputs::of_features(&sample, rows.len());
                Compiled::new(cpu, &step::prediction(network, aim, inputs)?)
            })?;
            compiled.fill(features, rows, scaling)?;
            features.prefetch(batches.peek().map_or(&[], |(next, _)| next));
            place.copy_from_slice(compiled.run(cpu, store)?[0].bytes());
        }
        Ok(all)
    }

    /// Rows in a batch where nothing is learned, such as [`Trainer::evaluate`] takes: for a small network enough that its
    /// threads have something to do between waiting for each other, for a large one no more than the processor keeps at
    /// hand. It depends on the network and on the samples alone.
    ///
    /// # Errors
    /// As [`Trainer::bind`].
    pub fn evaluation_batch(&mut self, features: &Features) -> Result<usize, TrainError> {
        Ok(self.bound(&Sample::from(features))?.batch)
    }

    /// Binds the network if it is not, and tells what it is built for.
    fn bound(&mut self, sample: &Sample) -> Result<Built, TrainError> {
        self.bind(sample.clone(), self.store.seed())?;
        let unbuilt = || Built { sample: sample.clone(), output: Shape::scalar(), batch: 1 };
        Ok(self.built.clone().unwrap_or_else(unbuilt))
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

/// Rows in a batch of which the widest result has so many numbers a row: a power of two.
fn batch_of(widest: usize) -> usize {
    /// Numbers of that result: some megabytes.
    const NUMBERS: usize = 1 << 22;
    let rows = (NUMBERS / widest.max(1)).clamp(256, 2048);
    1 << rows.ilog2()
}

/// Rows in a batch of an evaluation of a network with so many outputs a row, at the most, so that the outputs, in `f64` and with
/// what the loss makes of them, fit into memory: those of a language model are many.
fn rows_at_once(outputs: usize) -> usize {
    /// 64 MB of `f64`.
    const NUMBERS: usize = 1 << 23;
    (NUMBERS / outputs.max(1)).max(1)
}
