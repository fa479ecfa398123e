//! What was learned from which data, and how good that is, in a few sentences and figures.

use thalweg_train::run::Task;
use thalweg_train::run::insights::Rival;

use super::results::{figure_name, figure_value};
use crate::numbers::{count, of, percent, seconds};
use crate::page::Tile;
use crate::run::{Run, less_is_better};

/// `classification of 'label'`.
pub fn kicker(run: &Run) -> String {
    let words = run.model.task.words();
    match run.model.task {
        Task::LanguageModel | Task::Translation | Task::Reconstruction => words.to_string(),
        _ => format!("{words} of '{}'", run.model.target),
    }
}

/// What the set is called.
pub fn name(run: &Run) -> String {
    let named = &run.insights.data.name;
    if !named.is_empty() {
        return named.clone();
    }
    let path = run.config.data.path.trim_end_matches(['/', '\\']);
    path.rsplit(['/', '\\']).next().unwrap_or(path).to_string()
}

/// Whether the network is better than all that needs none.
pub fn beaten(run: &Run) -> Option<bool> {
    let rivals = run.rivals();
    (!rivals.is_empty()).then(|| rivals.iter().all(|rival| rival.beaten))
}

/// Two or three sentences.
pub fn lead(run: &Run) -> Vec<String> {
    let mut sentences = vec![learned(run)];
    sentences.extend(score(run));
    sentences.extend(comparison(run));
    sentences
}

fn learned(run: &Run) -> String {
    let rows = run.summary["train"]["rows"].as_u64().unwrap_or(0);
    let parameters = run.summary["parameters"].as_u64().unwrap_or(0);
    let who = format!("A network of {}", of(parameters as usize, "parameter", "parameters"));
    let rows = of(rows as usize, "row", "rows");
    match (run.model.task, run.model.classes.len()) {
        (Task::LanguageModel, n) => format!(
            "{who} learned to say what comes next in a text of {n} different tokens, from {rows}."
        ),
        (Task::Translation, _) => format!("{who} learned to translate, from {rows}."),
        (Task::Reconstruction, _) => {
            format!("{who} learned to put together again what it is given, from {rows}.")
        }
        (Task::SequenceLabelling, n) => format!(
            "{who} learned to tell {} apart at each place of a sequence, from {rows}.",
            of(n, "class", "classes")
        ),
        (Task::Multilabel, n) => format!(
            "{who} learned to say which of {} of '{}' hold, from {rows}.",
            of(n, "label", "labels"),
            run.model.target
        ),
        (_, 0) => format!("{who} learned to estimate '{}' from {rows}.", run.model.target),
        (_, n) => {
            let classes = of(n, "class", "classes");
            format!("{who} learned to tell {classes} of '{}' apart, from {rows}.", run.model.target)
        }
    }
}

/// What the part is called in a sentence.
fn rows_of(run: &Run) -> String {
    let part = run.judged();
    let rows = run.summary[part]["rows"].as_u64().unwrap_or(0) as usize;
    match part {
        "test" => format!("{} that it had never seen", of(rows, "test row", "test rows")),
        "valid" => of(rows, "validation row", "validation rows"),
        _ => format!("the very {} that it learned from", of(rows, "row", "rows")),
    }
}

fn score(run: &Run) -> Option<String> {
    let (figure, value) = run.main_figure()?;
    let rows = rows_of(run);
    Some(match figure {
        "accuracy" if run.model.task == Task::Multilabel => {
            let wrong = run.summary[run.judged()]["hamming"].as_f64().unwrap_or(0.0);
            format!(
                "On {rows}, all labels are right in {} of cases; of single answers, label by label, {} are.",
                percent(value),
                percent(1.0 - wrong)
            )
        }
        "rmse" if run.model.task == Task::Reconstruction => format!(
            "On {rows}, what comes out differs from what went in by {} (root of the mean square; the numbers of all samples \
             together have the deviation 1).",
            figure_value(figure, value)
        ),
        "accuracy" => format!("On {rows}, it is right in {} of cases.", percent(value)),
        "rmse" => format!(
            "On {rows}, its error is {} (root of the mean square) in the units of the target.",
            figure_value(figure, value)
        ),
        _ => format!("On {rows}: {} {}.", figure_value(figure, value), figure_name(figure)),
    })
}

/// Beside the best of the predictors without a network, and beside all that are better than it.
fn comparison(run: &Run) -> Option<String> {
    let rivals = run.rivals();
    let better: Vec<&Rival> = rivals.iter().filter(|rival| !rival.beaten).collect();
    let main = run.main_figure().map_or("", |(figure, _)| figure);
    let say = |rival: &Rival| {
        let [value, network] = [rival.value, rival.network].map(|x| figure_value(&rival.metric, x));
        match rival.metric == main {
            true => format!("{} ({value})", rival.name),
            false => {
                let figure = figure_name(&rival.metric).replace('_', " ");
                format!("{} ({figure} {value}, of the network {network})", rival.name)
            }
        }
    };
    if better.is_empty() {
        let best = best(&rivals, main)?;
        return Some(match rivals.len() {
            1 => format!("That is better than what needs no network: {}.", say(best)),
            _ => format!("That is better than the best of what needs no network: {}.", say(best)),
        });
    }
    let names: Vec<String> = better.into_iter().map(say).collect();
    Some(format!(
        "That is no better than {}: there is no reason to use the network instead.",
        names.join(", nor than ")
    ))
}

/// The one that is hardest to beat by the main figure; where none is compared by that, by the figure of the first.
fn best<'a>(rivals: &'a [Rival], main: &str) -> Option<&'a Rival> {
    let order = |a: &&Rival, b: &&Rival| a.value.total_cmp(&b.value);
    let first = rivals.iter().find(|rival| rival.metric == main).or(rivals.first())?;
    let alike = rivals.iter().filter(|rival| rival.metric == first.metric);
    match less_is_better(&first.metric) {
        true => alike.min_by(order),
        false => alike.max_by(order),
    }
}

/// The figures that one wants to see first.
pub fn tiles(run: &Run) -> Vec<Tile> {
    let mut tiles = Vec::new();
    let mut tile = |label: &str, value: String, note: String| {
        tiles.push(Tile { label: label.into(), value, note });
    };
    let part = run.judged();
    let (figures, rivals) = (&run.summary[part], run.rivals());
    let main = run.main_figure().map_or("", |(figure, _)| figure);
    for key in ["accuracy", "f1_macro", "bits_per_token", "perplexity", "rmse", "mae", "r2"] {
        if let Some(value) = figures[key].as_f64() {
            let note = best(&rivals, main).filter(|rival| rival.metric == key);
            let note = note.map_or(format!("{part} rows"), |rival| {
                format!("{}: {}", rival.name, figure_value(key, rival.value))
            });
            let name = match (run.model.task, key) {
                (Task::Multilabel, "accuracy") => "all labels right",
                _ => figure_name(key),
            };
            tile(name, figure_value(key, value), note);
        }
    }
    tiles.truncate(3);
    let mut tile = |label: &str, value: String, note: String| {
        tiles.push(Tile { label: label.into(), value, note });
    };
    if let Some(rows) = run.summary["train"]["rows"].as_u64() {
        let judged = figures["rows"].as_u64().unwrap_or(0);
        let note = if part == "train" {
            String::new()
        } else {
            format!("and {} {part} rows", count(judged))
        };
        tile("rows learned from", count(rows), note);
    }
    if let Some(parameters) = run.summary["parameters"].as_u64() {
        tile("parameters", count(parameters), "trained numbers".into());
    }
    if let Some(time) = run.summary["train_seconds"].as_f64() {
        let epochs = run.summary["epochs"].as_u64().unwrap_or(0) as usize;
        tile("training", seconds(time), of(epochs, "epoch", "epochs"));
    }
    tiles
}
