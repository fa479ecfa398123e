//! Gradient accumulation: one step of the optimizer for several batches.

use std::panic::Location;

use thalweg_graph::{Error, Layer, OpError, StateId, Tensor};

use super::updater::slot;
use super::{Step, Updater};
use crate::{EntryKind, Param, Store};

/// Sums of gradients that wait for their step, in the store's entries `accum.PATH`.
///
/// For a step of k batches, k − 1 of them run [`Accumulator::add`] and the last runs [`Accumulator::build`], each
/// with the scale 1/k: with losses that are means, the result is that of one batch as large as all together.
/// The sums are in the store, so a checkpoint may fall between the batches.
#[derive(Clone, Debug)]
pub struct Accumulator {
    /// The entry of each parameter and its read; `None` for frozen ones.
    sums: Vec<Option<(StateId, Tensor)>>,
}

impl Accumulator {
    /// Makes the entries, zeros, for those `params` that `updater` does not freeze; entries that are there keep
    /// their sums. Fails where the store has an entry of that name and another shape.
    #[track_caller]
    pub fn new(
        store: &mut Store,
        params: &[(String, Param)],
        updater: &Updater,
    ) -> Result<Accumulator, Error> {
        let site = Location::caller();
        let mut sums = Vec::new();
        for (path, param) in params {
            let sum = (!updater.is_frozen(path)).then(|| {
                let name = format!("accum.{path}");
                slot(store, &name, EntryKind::Optimizer, param.dtype(), param.shape())
            });
            let sum = sum.transpose();
            sums.push(sum.map_err(|e| Error::new(e, "accumulator", Some(site), Layer::current()))?);
        }
        Ok(Accumulator { sums })
    }

    /// The writes that add `grads`, each times the `f64` scalar `scale`, to the sums.
    #[track_caller]
    pub fn add(&self, grads: &[Tensor], scale: &Tensor) -> Result<Vec<(StateId, Tensor)>, Error> {
        let sums = self.with(grads, scale)?;
        Ok((self.sums.iter().zip(sums))
            .filter_map(|(sum, new)| sum.as_ref().map(|(id, _)| (*id, new)))
            .collect())
    }

    /// The step of `updater` on the sums with `grads`, each times `scale`, added to them; the sums become
    /// zero again, also where the guard holds the step back.
    #[track_caller]
    #[expect(clippy::too_many_arguments, reason = "those of Updater::build, and the two of add")]
    pub fn build(
        &self,
        updater: &Updater,
        store: &mut Store,
        params: &[(String, Param)],
        grads: &[Tensor],
        scale: &Tensor,
        loss: &Tensor,
        lr: &Tensor,
    ) -> Result<Step, Error> {
        let mut step = updater.build(store, params, &self.with(grads, scale)?, loss, lr)?;
        let sums = self.sums.iter().flatten();
        step.writes.extend(sums.map(|(id, sum)| (*id, sum.zeros_like())));
        Ok(step)
    }

    /// The sums with this batch's gradients; a frozen parameter's gradient as it is.
    #[track_caller]
    fn with(&self, grads: &[Tensor], scale: &Tensor) -> Result<Vec<Tensor>, Error> {
        if grads.len() != self.sums.len() {
            let (n, m) = (self.sums.len(), grads.len());
            let what = format!("{n} parameters come with {m} gradients");
            let (site, layer) = (Location::caller(), Layer::current());
            return Err(Error::new(OpError::argument(what), "accumulator", Some(site), layer));
        }
        let sums = self.sums.iter().zip(grads).map(|(sum, grad)| match sum {
            Some((_, sum)) => (sum + grad * scale.cast(grad.dtype())).ok(),
            None => grad.clone().ok(),
        });
        sums.collect()
    }
}
