//! How the network learned, epoch by epoch.

use serde_json::Value;
use thalweg_train::run::RunError;

use super::results::{figure_name, figure_value};
use super::{figure, figures, prose};
use crate::chart::{Axis, Chart, Format, Mark};
use crate::numbers::{count, of, seconds};
use crate::page::Section;
use crate::run::Run;

/// From which ratio on equal ratios are equal steps.
const WIDE: f64 = 30.0;

/// The curves.
pub fn section(run: &Run) -> Result<Section, RunError> {
    let series = |get: &dyn Fn(&Value) -> &Value| -> Vec<[f64; 2]> {
        let point = |line: &Value| Some([line["epoch"].as_f64()?, get(line).as_f64()?]);
        run.epochs.iter().filter_map(point).collect()
    };
    let best = run.summary["best_epoch"].as_f64().filter(|&epoch| epoch > 0.0);
    let last = run.epochs.iter().filter_map(|line| line["epoch"].as_f64()).fold(1.0, f64::max);
    let by_epoch = || match last > 1.0 {
        true => Axis { whole: true, ..Axis::of("epoch").within(1.0 - last * 0.02, last * 1.02) },
        false => Axis { whole: true, ..Axis::of("epoch") },
    };
    let chart = |title: &str, key: &'static str, y: Axis| {
        let train = series(&|line| &line["train"][key]);
        let valid = series(&|line| &line["valid"][key]);
        let mut legend = Vec::new();
        let mut marks: Vec<Mark> = best.map(Mark::At).into_iter().collect();
        for (colour, name, points) in [(0, "train", train), (1, "valid", valid)] {
            if !points.is_empty() {
                legend.push((colour, name));
                marks.push(Mark::Line(points, colour));
            }
        }
        (Chart { title: format!("{title} by epoch"), x: by_epoch(), y, marks }, legend)
    };
    let losses = || run.epochs.iter().flat_map(|line| [&line["train"], &line["valid"]]);
    let losses: Vec<f64> = losses().filter_map(|part| part["loss"].as_f64()).collect();
    let (low, high) = losses.iter().fold((f64::MAX, 0.0f64), |(a, b), &x| (a.min(x), b.max(x)));
    let log = low > 0.0 && high / low > WIDE;
    let (loss, legend) = chart("loss", "loss", Axis { log, ..Axis::of("loss") });
    let mut plots = vec![figure(&loss, &legend, loss_caption(run, log))?];
    for (key, label) in [("accuracy", "accuracy"), ("rmse", "RMSE")] {
        let format = if key == "accuracy" { Format::Percent } else { Format::Plain };
        let (chart, legend) = chart(label, key, Axis { format, ..Axis::of(label) });
        let last = run.epochs.last().and_then(|line| line["valid"][key].as_f64());
        let caption = last.map_or(String::new(), |value| {
            let name = figure_name(key);
            format!("The last epoch's {name} on the validation rows: {}.", figure_value(key, value))
        });
        plots.push(figure(&chart, &legend, caption)?);
    }
    let rates = Chart {
        title: "learning rate by epoch".into(),
        x: by_epoch(),
        y: Axis::of("learning rate"),
        marks: vec![Mark::Line(series(&|line| &line["lr"]), 0)],
    };
    let rates = Some(rates).filter(|_| run.epochs.len() > 1);
    let caption = "How far each step went, at the end of each epoch.";
    if let Some(rates) = rates {
        plots.push(figure(&rates, &[], caption)?);
    }
    let mut blocks: Vec<_> = figures(plots).into_iter().collect();
    if !blocks.is_empty() {
        blocks.push(prose(story(run)));
    }
    let about = "An epoch is one pass over the training rows. The loss is what training makes small. Where it still falls \
                 on the training rows but rises on the validation rows, the network has begun to learn by heart.";
    Ok(Section { id: "learning", title: "How it learned", about: about.into(), blocks })
}

fn loss_caption(run: &Run, log: bool) -> String {
    let mut text = String::new();
    if run.epochs.iter().any(|line| line["valid"].is_object()) {
        text += "The training loss is measured while the weights still move, and with dropout and noise on: it may lie \
                 above that of the validation rows.";
    }
    if log {
        text += " Equal steps upwards are equal ratios.";
    }
    text.trim().to_string()
}

/// How long it took, why it ended, which weights were kept.
fn story(run: &Run) -> String {
    let summary = &run.summary;
    let epochs = summary["epochs"].as_u64().unwrap_or(run.epochs.len() as u64) as usize;
    let time = summary["train_seconds"].as_f64().map(|time| format!(" in {}", seconds(time)));
    let why = match summary["stopped"].as_str().unwrap_or_default() {
        "early_stopping" => ", and stopped early: the validation loss got no better",
        "converged" => ", and stopped: the training loss fell no further",
        "max_time" => ", and was stopped by the limit of time",
        "max_steps" => ", and was stopped by the limit of steps",
        "interrupted" => ", and was interrupted",
        _ => "",
    };
    let best = match summary["best_epoch"].as_u64() {
        Some(0) | None => String::new(),
        Some(best) => {
            let kept = match run.config.train.restore_best {
                true => "its weights were kept",
                false => "the weights of the last epoch were kept",
            };
            format!(" Epoch {best} (dashed) had the lowest validation loss; {kept}.")
        }
    };
    let speeds = run.timings.iter().filter_map(|line| line["samples_per_second"].as_f64());
    let speed = speeds.fold(0.0, f64::max);
    let speed = match speed > 0.0 {
        true => format!(" At its fastest it learned from {} rows a second.", count(speed as u64)),
        false => String::new(),
    };
    format!(
        "It learned for {}{}{why}.{best}{speed}",
        of(epochs, "epoch", "epochs"),
        time.unwrap_or_default()
    )
}
