//! What a network is for, which follows from the data and from what it is to say.

use serde::{Deserialize, Serialize};
use thalweg_data::{Encoding, Targets};

use super::config::Objective;

/// What a network is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// To choose a class.
    Classification,
    /// To say which labels hold, of which any number may.
    Multilabel,
    /// To estimate numbers.
    Regression,
    /// To say what comes next in a text.
    LanguageModel,
    /// To choose a class for each place of a sequence.
    SequenceLabelling,
    /// To write one text for another.
    Translation,
    /// To say the next numbers of a series.
    Forecast,
    /// To say how a user will rate an item.
    Recommendation,
    /// To put together again what it is given.
    Reconstruction,
}

impl Task {
    pub(super) fn of(encoding: &Encoding, targets: &Targets, goal: Objective) -> Task {
        match (goal, encoding, targets) {
            (Objective::Reconstruct, ..) => Task::Reconstruction,
            (_, Encoding::Language(_), _) => Task::LanguageModel,
            (_, Encoding::Pairs(_), _) => Task::Translation,
            (_, _, Targets::Sequence { .. }) => Task::SequenceLabelling,
            (_, Encoding::Series(_), _) => Task::Forecast,
            (_, Encoding::Ratings(_), _) => Task::Recommendation,
            (_, _, Targets::Classes { .. }) => Task::Classification,
            (_, _, Targets::Labels { .. }) => Task::Multilabel,
            (_, _, Targets::Values { .. }) => Task::Regression,
        }
    }

    /// Whether it chooses among classes or labels.
    #[must_use]
    pub fn has_classes(self) -> bool {
        match self {
            Task::Classification
            | Task::Multilabel
            | Task::LanguageModel
            | Task::SequenceLabelling
            | Task::Translation => true,
            Task::Regression | Task::Forecast | Task::Recommendation | Task::Reconstruction => {
                false
            }
        }
    }

    /// Its name for people: `language model`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Task::Classification => "classification",
            Task::Multilabel => "multi-label classification",
            Task::Regression => "regression",
            Task::LanguageModel => "language model",
            Task::SequenceLabelling => "sequence labelling",
            Task::Translation => "translation",
            Task::Forecast => "forecast",
            Task::Recommendation => "recommendation",
            Task::Reconstruction => "reconstruction",
        }
    }
}
