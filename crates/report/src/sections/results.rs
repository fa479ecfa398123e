//! The figures of every part, what they compare with, and which columns they hang on.

use serde_json::Value;
use thalweg_train::run::Task;
use thalweg_train::run::insights::Rival;

use super::{heading, prose};
use crate::numbers::{count, number, percent};
use crate::page::{Bar, Block, Section, Table};
use crate::run::Run;

/// Figures in the order in which they are shown, with their names; others come behind these.
const FIGURES: [(&str, &str); 31] = [
    ("accuracy", "accuracy"),
    ("balanced_accuracy", "balanced accuracy"),
    ("f1_macro", "macro F1"),
    ("precision_macro", "macro precision"),
    ("recall_macro", "macro recall"),
    ("f1_micro", "micro F1"),
    ("hamming", "share of wrong answers (Hamming)"),
    ("auc", "area under ROC"),
    ("roc_auc", "area under ROC"),
    ("average_precision", "average precision"),
    ("mcc", "Matthews correlation"),
    ("top5_accuracy", "among the first 5"),
    ("bits_per_token", "bits a token"),
    ("perplexity", "perplexity"),
    ("rmse", "RMSE"),
    ("mse", "MSE"),
    ("mae", "MAE"),
    ("r2", "R²"),
    ("mape", "MAPE"),
    ("loss", "loss"),
    ("log_loss", "log loss"),
    ("brier", "Brier score"),
    ("ece", "calibration error"),
    ("loss_calibrated", "loss, calibrated"),
    ("calibration_error", "calibration error"),
    ("threshold", "threshold"),
    ("accuracy_at_half", "accuracy at 0.5"),
    ("f1", "F1"),
    ("f1_micro_at_half", "micro F1 at 0.5"),
    ("f1_macro_at_half", "macro F1 at 0.5"),
    ("places", "places"),
];

/// What a figure is called.
pub fn figure_name(key: &str) -> &str {
    FIGURES.iter().find(|(known, _)| *known == key).map_or(key, |(_, name)| name)
}

/// A figure as its kind is written.
pub fn figure_value(key: &str, value: f64) -> String {
    let share = ["accuracy", "precision", "recall", "f1"];
    match key {
        "rows" | "places" => count(value as u64),
        _ if share.iter().any(|word| key.contains(word)) => percent(value),
        _ => number(value),
    }
}

/// The parts, their figures, and predictors without a network.
pub fn section(run: &Run) -> Section {
    let parts: Vec<(&str, &Value)> = [("train", 0), ("valid", 1), ("test", 2)]
        .map(|(name, _)| (name, &run.summary[name]))
        .into_iter()
        .filter(|(_, figures)| figures.is_object())
        .collect();
    let mut blocks = vec![Block::Table(figures(&parts, run.model.task == Task::Multilabel))];
    let rivals = run.rivals();
    if !rivals.is_empty() {
        let judged = run.judged();
        blocks.push(heading(format!("Beside what needs no network, on the {judged} rows")));
        blocks.push(Block::Table(baselines(&rivals)));
    }
    let told = &run.insights.data.parts;
    if told.iter().any(|part| !part.targets.is_empty()) {
        blocks.push(heading("How the rows were parted"));
        let row = |part: &thalweg_train::run::insights::PartStory| {
            vec![part.name.clone(), count(part.rows as u64), part.targets.clone()]
        };
        blocks.push(Block::Table(Table {
            header: ["part", "rows", "targets"].map(String::from).to_vec(),
            numbers: vec![false, true, false],
            rows: told.iter().map(row).collect(),
        }));
    }
    let about = "The network learned from the training rows alone. The validation rows chose when to stop; the test rows \
                 were looked at once, at the end: they say what to expect of rows that nobody has seen yet.";
    Section { id: "results", title: "Results", about: about.into(), blocks }
}

fn figures(parts: &[(&str, &Value)], labels: bool) -> Table {
    let name = |key: &str| match key {
        "accuracy" if labels => "all labels right".to_string(),
        "accuracy_at_half" if labels => "all labels right at 0.5".to_string(),
        key => figure_name(key).to_string(),
    };
    let mut keys: Vec<&str> = FIGURES.iter().map(|(key, _)| *key).collect();
    let others = parts.iter().filter_map(|(_, figures)| figures.as_object()).flatten();
    for (key, value) in others {
        if value.is_number() && key != "rows" && !keys.contains(&key.as_str()) {
            keys.push(key);
        }
    }
    keys.push("rows");
    let row = |key: &str| {
        let values: Vec<Option<f64>> = parts.iter().map(|(_, f)| f[key].as_f64()).collect();
        values.iter().any(Option::is_some).then(|| {
            let cells = values.iter().map(|v| v.map_or("–".into(), |v| figure_value(key, v)));
            std::iter::once(name(key).replace('_', " ")).chain(cells).collect()
        })
    };
    let header = std::iter::once("").chain(parts.iter().map(|(name, _)| *name));
    Table::of_numbers(
        header.map(String::from).collect(),
        keys.into_iter().filter_map(row).collect(),
    )
}

fn baselines(rivals: &[Rival]) -> Table {
    // Not all of them are compared by the same figure.
    let row = |rival: &Rival| {
        let [value, network] = [rival.value, rival.network].map(|x| figure_value(&rival.metric, x));
        let verdict = if rival.beaten { "beaten" } else { "not beaten" };
        let figure = figure_name(&rival.metric).replace('_', " ");
        vec![rival.name.clone(), figure, value, network, verdict.into()]
    };
    let header = ["predictor", "figure", "its value", "network", "outcome"];
    Table {
        header: header.map(String::from).to_vec(),
        numbers: vec![false, false, true, true, false],
        rows: rivals.iter().map(row).collect(),
    }
}

/// How much each column matters.
pub fn importance(run: &Run) -> Section {
    /// As many as a reader looks at.
    const SHOWN: usize = 25;
    let columns = &run.insights.importance;
    let shown = &columns[..columns.len().min(SHOWN)];
    let ends = || shown.iter().map(|column| column.drop + column.deviation.abs());
    let low = shown.iter().map(|c| c.drop - c.deviation.abs()).fold(0.0, f64::min);
    let wide = ends().fold(0.0, f64::max) - low;
    let part = |x: f64| if wide > 0.0 { (x - low) / wide * 100.0 } else { 0.0 };
    let between = |a: f64, b: f64| [part(a.min(b)), part(a.max(b)) - part(a.min(b))];
    let bars = shown.iter().map(|column| {
        let (drop, deviation) = (column.drop, column.deviation.abs());
        let say = |x: f64| match figure_value(&column.metric, x) {
            text if text.ends_with('%') => text.replace(" %", ""),
            text => text,
        };
        Bar {
            label: column.column.clone(),
            bar: between(0.0, drop),
            whisker: between(drop - deviation, drop + deviation),
            value: format!("{} ± {}", say(drop), say(deviation)),
        }
    });
    let mut blocks = Vec::new();
    if let Some(first) = shown.first() {
        blocks.push(Block::Bars { bars: bars.collect() });
        let unit = match figure_value(&first.metric, 0.0).ends_with('%') {
            true => ", in percentage points",
            false => "",
        };
        let rest = columns.len() - shown.len();
        let rest =
            if rest > 0 { format!(" {rest} more columns matter less.") } else { String::new() };
        let metric = figure_name(&first.metric).replace('_', " ");
        blocks.push(prose(format!(
            "How much worse the {metric} gets{unit}; the thin line is one standard deviation over the shuffles.{rest}"
        )));
    }
    let about = "Each column in turn was shuffled among the rows, so that it says nothing any more. Where the network gets \
                 much worse, it relies on that column. Columns that say the same share their importance: each can stand \
                 in for the other.";
    Section { id: "importance", title: "Importance of the columns", about: about.into(), blocks }
}
