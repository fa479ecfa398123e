//! A trained network that writes: prompts and texts as people read them.

use thalweg_data::readers::language::Language;
use thalweg_data::readers::pairs::Pairs;
use thalweg_data::vocabulary::{END, START};
use thalweg_data::{Encoding, Level, Vocabulary};

use super::error::RunError;
use super::model::Model;
use crate::generate::{Generator, Sampling, Translator};

/// A model that goes on with a text, or translates one.
pub struct Writer {
    model: Model,
    how: How,
}

enum How {
    GoOn(Language, Generator),
    Translate(Pairs, Translator),
}

impl Writer {
    /// Makes a writer of a model.
    ///
    /// # Errors
    /// [`RunError::Fit`] where the model is for something else; [`RunError::Train`] where it cannot go token by token.
    pub fn new(model: Model) -> Result<Writer, RunError> {
        let (network, cpu) = (model.trainer.network(), model.trainer.cpu());
        let how = match &model.file.encoding {
            Encoding::Language(language) => {
                let capacity = model.file.input.first().copied().unwrap_or(0);
                let unknown = language.vocabulary.id("");
                let generator = Generator::new(network, cpu, capacity)?.never(&[unknown]);
                How::GoOn(language.clone(), generator)
            }
            Encoding::Pairs(pairs) => {
                let Pairs { source_length, target_length, target, .. } = pairs;
                let translator = Translator::new(network, cpu, *source_length, *target_length)?;
                // Padding, the unknown token, and the start.
                let never = [0, target.id(""), target.id(START)];
                How::Translate(pairs.clone(), translator.never(&never))
            }
            _ => {
                return Err(RunError::Fit {
                    what: format!("the run is for {}, not for writing", model.file.task.words()),
                    hint: "text is written by language models: thalweg train book.txt".into(),
                });
            }
        };
        Ok(Writer { model, how })
    }

    fn reads(&self) -> (Level, &Vocabulary) {
        match &self.how {
            How::GoOn(language, _) => (language.level, &language.vocabulary),
            How::Translate(pairs, _) => (pairs.level, &pairs.source),
        }
    }

    /// The tokens of `prompt` that the vocabulary does not list: the network sees them all as one.
    #[must_use]
    pub fn unknown(&self, prompt: &str) -> Vec<String> {
        let (level, vocabulary) = self.reads();
        let mut tokens = level.tokens(prompt);
        tokens.retain(|token| vocabulary.token(vocabulary.id(token)) != Some(token));
        tokens
    }

    /// A language model writes `count` tokens behind `prompt`, and tells each piece of text as it comes, the prompt first;
    /// without a prompt the text begins as if a line had ended. A translator tells what `prompt` is in its target.
    ///
    /// # Errors
    /// [`RunError::Train`]: an option outside its range.
    pub fn write(
        &mut self,
        prompt: &str,
        count: usize,
        sampling: &Sampling,
        mut piece: impl FnMut(&str),
    ) -> Result<(), RunError> {
        let (level, vocabulary) = self.reads();
        let tokens = level.tokens(prompt);
        let mut ids: Vec<i64> = tokens.iter().map(|token| vocabulary.id(token)).collect();
        let cpu = self.model.trainer.cpu().clone();
        let store = self.model.trainer.store_mut();
        match &mut self.how {
            How::GoOn(Language { vocabulary, .. }, generator) => {
                if ids.is_empty() {
                    ids.push(vocabulary.id("\n"));
                }
                piece(prompt);
                let mut first = tokens.is_empty();
                let written = |id: i64| {
                    if level == Level::Word && !first {
                        piece(" ");
                    }
                    first = false;
                    piece(vocabulary.token(id).unwrap_or_default());
                };
                generator.generate(&ids, count, sampling, &cpu, store, written)?;
            }
            How::Translate(Pairs { target, .. }, translator) => {
                let ends = [START, END].map(|token| target.id(token));
                let ids = translator.translate(&ids, ends, sampling, &cpu, store)?;
                piece(&level.join(ids.iter().filter_map(|&id| target.token(id))));
            }
        }
        Ok(())
    }
}
