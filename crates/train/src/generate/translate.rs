//! Writing one sequence for another.

use thalweg_cpu::{Cpu, Program};
use thalweg_graph::{DType, Tensor, Value};
use thalweg_nn::{Forward, Store};

use super::Sampling;
use crate::TrainError;

/// A network that writes a target for a source, token by token.
///
/// The network takes ids `[N, S + T]`, the source and behind it the target as far as it is known, padded with 0, and gives
/// logits `[N, T, vocabulary]`, each of what follows its place: `seq2seq` is such. For each token the whole network runs
/// again, by one program.
pub struct Translator {
    program: Program,
    ids: Value,
    source: usize,
    places: usize,
    never: Vec<i64>,
}

impl Translator {
    /// Compiles `network` for sources of `source` ids and targets of `places`.
    ///
    /// # Errors
    /// [`TrainError::Graph`] where a layer refuses such an input; [`TrainError::Misfit`] where the network gives no logits
    /// of each place of the target.
    pub fn new(
        network: &dyn Forward,
        cpu: &Cpu,
        source: usize,
        places: usize,
    ) -> Result<Translator, TrainError> {
        let ids = Tensor::input("ids", DType::I64, [1, source + places]);
        let logits = network.forward(&ids).ok()?;
        let (dtype, shape) = (logits.dtype(), logits.shape());
        if logits.rank() != 3 || shape[..2] != [1, places] || dtype != DType::F32 {
            return Err(TrainError::misfit(
                format!("the network must give f32[1, {places}, vocabulary], got {dtype}{shape}"),
                "sequences are translated by networks such as the preset seq2seq",
            ));
        }
        let program = cpu.compile(std::slice::from_ref(&ids), &[logits], &[])?;
        let ids = Value::zeros(DType::I64, ids.shape());
        Ok(Translator { program, ids, source, places, never: vec![] })
    }

    /// Never writes these ids, such as that of padding.
    #[must_use]
    pub fn never(mut self, ids: &[i64]) -> Translator {
        self.never = ids.to_vec();
        self
    }

    /// The target for a source, of which what is too long is left out: what follows `start`, up to `end` or as long as
    /// targets may be. Equal arguments give equal tokens.
    ///
    /// # Errors
    /// [`TrainError::Option`] for a number of `sampling` outside its range; [`TrainError::Graph`] for an id outside the
    /// vocabulary.
    pub fn translate(
        &mut self,
        source: &[i64],
        [start, end]: [i64; 2],
        sampling: &Sampling,
        cpu: &Cpu,
        store: &mut Store,
    ) -> Result<Vec<i64>, TrainError> {
        sampling.check()?;
        let mut ids: Vec<i64> = source.iter().copied().take(self.source).collect();
        ids.resize(self.source, 0);
        ids.push(start);
        ids.resize(self.source + self.places, 0);
        let mut written = Vec::new();
        for place in 0..self.places {
            self.ids.as_mut_slice().unwrap_or_default().copy_from_slice(&ids);
            let outputs = self.program.run(cpu.pool(), &[&self.ids], store)?;
            let logits: &[f32] = outputs.first().and_then(Value::as_slice).unwrap_or_default();
            let width = logits.len() / self.places;
            let logits = &logits[place * width..][..width];
            let id = sampling.choose(logits, &self.never, place as u64)?;
            if id == end {
                break;
            }
            written.push(id);
            if let Some(next) = ids.get_mut(self.source + place + 1) {
                *next = id;
            }
        }
        Ok(written)
    }
}
