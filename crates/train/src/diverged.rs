//! When a training makes no progress any more: where its last batch went wrong.

use thalweg_nn::Network;

use crate::error::TrainError;
use crate::fit::Fit;
use crate::programs::Compiled;
use crate::run::insights::Finding;
use crate::step::{self, Inputs};
use crate::trainer::Trainer;

impl<N: Network> Fit<'_, N> {
    /// The error of a training that makes no progress any more, with the place where the last batch went wrong.
    pub(crate) fn diverged(&mut self, epoch: usize) -> TrainError {
        let lr = self.lr();
        TrainError::Diverged {
            epoch,
            step: self.state.steps,
            skipped: self.state.skipped_in_a_row,
            lr,
            // Where even this cannot be computed, the error is still the divergence.
            first: self.first_non_finite().ok().flatten(),
            hint: format!(
                "lower the learning rate, to {} for a start, or set clip_norm = 1",
                lr / 10.0
            ),
        }
    }

    /// Writes down where the last batch went wrong, if that has not happened before.
    pub(crate) fn note_non_finite(&mut self, epoch: usize) {
        if self.state.health.findings.iter().any(|known| known.kind == "non_finite") {
            return;
        }
        let first = self.first_non_finite().ok().flatten();
        let first = first.map_or(String::new(), |first| format!(", first in {first}"));
        let finding = Finding {
            kind: "non_finite".into(),
            layer: String::new(),
            epoch,
            saw: format!("loss or gradient not finite{first}; such a step is skipped"),
            try_this: "try a lower learning rate or clip_norm = 1, and look for extreme values in the data"
                .into(),
        };
        self.news.extend(self.state.health.note(finding));
    }

    /// Computes the last batch again, every intermediate result of it, and names the first that is not finite.
    fn first_non_finite(&mut self) -> Result<Option<String>, TrainError> {
        let (place, rows) = self.last;
        let (goal, terms) = (self.goal.clone(), self.terms);
        let inputs = Inputs::new(&goal, &self.sample, rows);
        let Trainer { network, updater, .. } = &*self.trainer;
        let (graph, names) = step::diagnosis(network, &goal, updater, terms, inputs)?;
        let (compiled, cpu, store) = self.program(place, rows)?;
        let mut diagnosis = Compiled::new(cpu, &graph)?;
        diagnosis.feed_as(compiled);
        let finite = diagnosis.run(cpu, store)?;
        let first = finite.iter().position(|finite| finite.item() == Some(0.0));
        Ok(first.map(|first| names[first].clone()))
    }
}
