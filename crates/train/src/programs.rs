//! Compiled computations with their batch buffers, the most recently used of them kept.

use thalweg_cpu::{Cpu, Program};
use thalweg_data::{DataError, Features, Scaling};
use thalweg_graph::{DType, Value};
use thalweg_nn::Store;

use crate::error::TrainError;
use crate::goal::Kind;
use crate::step::{Graph, Place};

/// How many programs are kept.
const KEPT: usize = 16;

/// What a program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Training(Place, Kind),
    Evaluation(Kind),
    Prediction,
}

/// A program and the values that it is fed, filled anew for each run: running it allocates nothing.
pub(crate) struct Compiled {
    program: Program,
    pub(crate) x: Value,
    pub(crate) y: Value,
    lr: Value,
    key: Value,
    share: Value,
}

impl Compiled {
    pub(crate) fn new(cpu: &Cpu, graph: &Graph) -> Result<Compiled, TrainError> {
        let inputs = graph.inputs.in_order();
        let program = cpu.compile(&inputs, &graph.outputs, &graph.updates)?;
        let [x, y, lr, key, share] =
            inputs.map(|input| Value::zeros(input.dtype(), input.shape().clone()));
        Ok(Compiled { program, x, y, lr, key, share })
    }

    /// Sets the learning rate, the randomness and the share of the next run.
    pub(crate) fn set(&mut self, lr: f64, key: [i64; 2], share: f64) {
        for (value, x) in [(&mut self.lr, lr), (&mut self.share, share)] {
            value.as_mut_slice().unwrap_or_default().fill(x);
        }
        self.key.as_mut_slice().unwrap_or_default().copy_from_slice(&key);
    }

    /// Takes over what another program with the same inputs was fed.
    pub(crate) fn feed_as(&mut self, other: &Compiled) {
        (self.x, self.y) = (other.x.clone(), other.y.clone());
        (self.lr, self.key, self.share) =
            (other.lr.clone(), other.key.clone(), other.share.clone());
    }

    /// Writes the samples of the next run.
    pub(crate) fn fill(
        &mut self,
        features: &Features,
        rows: &[usize],
        scaling: &Scaling,
    ) -> Result<(), DataError> {
        match features.is_ids() {
            true => features.fill_ids(rows, self.x.as_mut_slice().unwrap_or_default()),
            false => features.fill(rows, scaling, self.x.as_mut_slice().unwrap_or_default()),
        }
    }

    pub(crate) fn run(&mut self, cpu: &Cpu, store: &mut Store) -> Result<&[Value], TrainError> {
        let feeds = [&self.x, &self.y, &self.lr, &self.key, &self.share];
        Ok(self.program.run(cpu.pool(), &feeds, store)?)
    }

    /// The outputs of the last run.
    pub(crate) fn outputs(&self) -> &[Value] {
        self.program.outputs()
    }

    /// Bytes of intermediate results, outputs and buffers.
    fn bytes(&self) -> usize {
        let buffers = [&self.x, &self.y, &self.lr, &self.key, &self.share];
        let values = buffers.into_iter().chain(self.outputs());
        self.program.memory_bytes() + values.map(|value| value.bytes().len()).sum::<usize>()
    }
}

/// The number in an `f64` scalar.
pub(crate) fn number(value: &Value) -> f64 {
    debug_assert_eq!(value.dtype(), DType::F64);
    value.as_slice().and_then(|x| x.first().copied()).unwrap_or(f64::NAN)
}

/// Programs by purpose and number of rows, the last used first.
#[derive(Default)]
pub(crate) struct Programs {
    held: Vec<((Purpose, usize), Compiled)>,
}

impl Programs {
    /// The program of that key; made where it is not held, and the one that was not used for longest given up.
    pub(crate) fn get(
        &mut self,
        purpose: Purpose,
        rows: usize,
        make: impl FnOnce() -> Result<Compiled, TrainError>,
    ) -> Result<&mut Compiled, TrainError> {
        let key = (purpose, rows);
        match self.held.iter().position(|(known, _)| *known == key) {
            Some(place) => self.held[..=place].rotate_right(1),
            None => {
                let made = make()?;
                self.held.truncate(KEPT - 1);
                self.held.insert(0, (key, made));
            }
        }
        Ok(&mut self.held[0].1)
    }

    /// Gives up the programs of training, whose options have changed.
    pub(crate) fn forget_training(&mut self) {
        self.held.retain(|((purpose, _), _)| !matches!(purpose, Purpose::Training(..)));
    }

    /// Gives up all programs.
    pub(crate) fn forget(&mut self) {
        self.held.clear();
    }

    /// Bytes of all programs.
    pub(crate) fn bytes(&self) -> usize {
        self.held.iter().map(|(_, compiled)| compiled.bytes()).sum()
    }
}
