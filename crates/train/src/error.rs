//! Everything that can go wrong while a network learns, with what to do about it.

use thalweg_data::DataError;
use thalweg_nn::StoreError;

/// A problem with the options, the data or the network of a training, or one that it ran into.
///
/// `Display` gives the message, a line break, and `hint: …`; [`TrainError::message`] and [`TrainError::hint`] give the
/// two apart.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// An option is out of its range, or does not go with the others.
    #[error("{option}: {problem}\nhint: {hint}")]
    Option {
        /// Its name, as in a config file.
        option: &'static str,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// The data cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Network, loss and targets do not fit together.
    #[error("{problem}\nhint: {hint}")]
    Misfit {
        /// What does not fit.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// A layer, the loss or the optimizer refuses what it is given.
    #[error("{}", hint_on_its_line(.0))]
    Graph(#[from] thalweg_graph::Error),
    /// As [`TrainError::Graph`], for the last batch of an epoch, which is shorter than the others.
    #[error(
        "the last batch of each epoch has {rows} of {batch} rows: {}\nhint: choose another batch_size, or set drop_last = true",
        without_hint(error)
    )]
    LastBatch {
        /// Its rows.
        rows: usize,
        /// Rows in the other batches.
        batch: usize,
        /// What is wrong with so few.
        error: thalweg_graph::Error,
    },
    /// The network and its store do not go together.
    #[error("{}", hint_on_its_line(.0))]
    Store(#[from] StoreError),
    /// Loss or gradient were not finite in many steps in a row. Those steps changed nothing: the weights are finite.
    #[error("the loss diverged in epoch {epoch}: {skipped} steps in a row up to step {step} had a loss or gradient that is not finite (learning rate {lr}){}\nhint: {hint}", first_found(.first))]
    Diverged {
        /// The epoch, counted from 1.
        epoch: usize,
        /// The step, counted from 1.
        step: u64,
        /// How many steps changed nothing.
        skipped: u64,
        /// The learning rate of the last one.
        lr: f64,
        /// The first op, in the order of computation, whose result was not finite, and its layer.
        first: Option<String>,
        /// What to try.
        hint: String,
    },
}

impl TrainError {
    /// What is wrong and where, without the hint.
    #[must_use]
    pub fn message(&self) -> String {
        thalweg_data::split_hint(&self.to_string()).0
    }

    /// What to do about it; empty where nothing can be said.
    #[must_use]
    pub fn hint(&self) -> String {
        thalweg_data::split_hint(&self.to_string()).1
    }

    pub(crate) fn option(
        option: &'static str,
        problem: impl Into<String>,
        hint: impl Into<String>,
    ) -> TrainError {
        TrainError::Option { option, problem: problem.into(), hint: hint.into() }
    }

    pub(crate) fn misfit(problem: impl Into<String>, hint: impl Into<String>) -> TrainError {
        TrainError::Misfit { problem: problem.into(), hint: hint.into() }
    }
}

/// The crates below put the hint behind the message; here it has a line of its own.
fn hint_on_its_line(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(". hint: ") {
        Some((message, hint)) => format!("{message}\nhint: {hint}"),
        None => text,
    }
}

fn without_hint(error: &thalweg_graph::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(". hint: ").map_or(text.clone(), |(message, _)| message.to_owned())
}

fn first_found(first: &Option<String>) -> String {
    first.as_ref().map(|first| format!(", first in {first}")).unwrap_or_default()
}
