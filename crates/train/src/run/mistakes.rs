//! What is wrong in a draft, in words: the key, the layer that said it, and the nearest name that exists.

use thalweg_data::{split_hint, suggest};
use toml::{Table, Value};

use super::draft::{Draft, Layer, SHORT};
use super::error::RunError;

/// Where all settings can be seen.
const SETTINGS: &str =
    "`thalweg train --help` shows the flags, RUN/config.toml of any run all settings";

impl Draft {
    /// Says in our words what serde found: the key, the layer that has it, the nearest name.
    pub(super) fn explain(&self, error: &toml::de::Error) -> RunError {
        let (message, said) = split_hint(error.message());
        // Rust's names of types say nothing to others.
        let message =
            [("usize", "a whole number ≥ 0"), ("u64", "a whole number ≥ 0"), ("f64", "a number")]
                .into_iter()
                .fold(message, |text, (rust, plain)| {
                    text.replace(&format!("expected {rust}"), &format!("expected {plain}"))
                });
        // A table of settings is a struct of ours.
        let message = match message.split_once("expected struct ") {
            Some((before, _)) => format!("{before}expected a table of settings"),
            None => message,
        };
        let mut quoted = message.split('`').skip(1).step_by(2);
        if let Some(kind) =
            ["field", "variant"].into_iter().find(|k| message.starts_with(&format!("unknown {k}")))
            && let Some(word) = quoted.next()
        {
            let known: Vec<&str> = quoted.collect();
            let near = suggest::nearest(word, known.iter().copied());
            let near = near.map_or(String::new(), |near| format!("did you mean '{near}'? "));
            let hint = match known.is_empty() {
                true => "it takes no settings".to_string(),
                false => format!("{near}known are {}", known.join(", ")),
            };
            let key = self.find(word);
            let what = match (kind, &key) {
                ("field", Some((key, _))) => format!("unknown key '{key}'"),
                ("field", None) => format!("unknown key '{word}'"),
                (_, Some((key, _))) => format!("'{word}' is not a value of {key}"),
                (_, None) => format!("'{word}' is not known"),
            };
            let place = key.map_or_else(|| "the configuration".into(), |(_, origin)| origin);
            return RunError::Config { what, place, hint };
        }
        let text = error.to_string();
        let key = text.lines().find_map(|line| line.trim().strip_prefix("in `")?.strip_suffix('`'));
        let key = key.unwrap_or_default();
        let what = if key.is_empty() { message } else { format!("{key}: {message}") };
        self.problem(key, what, said)
    }

    /// The dotted key that is, or whose value is, `word`, and the origin of the topmost layer that has it.
    fn find(&self, word: &str) -> Option<(String, String)> {
        fn search(table: &Table, word: &str, path: &str) -> Option<String> {
            table.iter().find_map(|(key, value)| {
                let here = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match value {
                    _ if key == word => Some(here),
                    Value::String(text) if text == word => {
                        Some(here.strip_suffix(".type").unwrap_or(&here).to_string())
                    }
                    Value::Table(inner) => search(inner, word, &here),
                    Value::Array(items) => {
                        items.iter().find_map(|item| search(item.as_table()?, word, &here))
                    }
                    _ => None,
                }
            })
        }
        let found = |layer: &Layer| Some((search(&layer.table, word, "")?, layer.origin.clone()));
        self.layers.iter().rev().find_map(found)
    }

    /// An error about the value of `key`, placed at the topmost layer that says it, or else says it in a short form.
    pub(super) fn problem(&self, key: &str, what: String, hint: String) -> RunError {
        let short = SHORT.iter().filter(|(_, owner)| key.strip_prefix("train.") == Some(*owner));
        let mut short = short.map(|(short, _)| format!("train.{short}"));
        let layer = self.saying(key).or_else(|| short.find_map(|key| self.saying(&key)));
        let place = layer.map_or_else(|| "the defaults".into(), |layer| layer.origin.clone());
        let hint = if hint.is_empty() { SETTINGS.to_string() } else { hint };
        RunError::Config { what, place, hint }
    }

    /// The topmost layer that says something of `key`.
    pub(super) fn saying(&self, key: &str) -> Option<&Layer> {
        let says = |layer: &&Layer| {
            let mut parts = key.split('.');
            let first = parts.next().and_then(|part| layer.table.get(part));
            parts.try_fold(first?, |value, part| value.get(part)).map(|_| ())
        };
        self.layers.iter().rev().find(|layer| says(layer).is_some())
    }
}
