//! What the network makes that people can look at: forecasts, pictures, a text.

use thalweg_train::run::RunError;

use super::{figure, figures, prose};
use crate::chart::{Axis, Chart, Mark};
use crate::numbers::count;
use crate::page::{Block, Pair, Section};
use crate::run::Run;

/// A series as it went on, and what was said before.
pub fn forecast(run: &Run) -> Result<Section, RunError> {
    let mut blocks = Vec::new();
    if let Some(story) = &run.insights.forecast {
        let ahead = |n: usize| match n {
            1 => "said one step before".to_string(),
            n => format!("said {n} steps before"),
        };
        let (near, far) = (ahead(1), ahead(story.horizon));
        let mut marks = vec![Mark::Curve(story.truth.clone(), 0)];
        marks.push(Mark::Curve(story.near.clone(), 1));
        let mut legend = vec![(0, "came"), (1, near.as_str())];
        if story.horizon > 1 {
            marks.push(Mark::Curve(story.far.clone(), 2));
            legend.push((2, far.as_str()));
        }
        let chart = Chart {
            title: "Forecasts beside what came".into(),
            x: Axis { whole: true, ..Axis::of("step") },
            y: Axis::of("value"),
            marks,
        };
        let steps = count(story.truth.len() as u64);
        let target = &run.model.target;
        let caption = format!("{target}, {steps} steps of the {} part.", run.judged());
        blocks.extend(figures([figure(&chart, &legend, caption)?]));
    }
    let about = "At each step the network got the numbers up to there, and said how they go on. A line that comes late by one \
                 step only repeats what it saw; one that bends where the series bends knows more.";
    Ok(Section { id: "forecast", title: "Forecasts and what came", about: about.into(), blocks })
}

/// Pictures, and what the network makes of them.
pub fn reconstructions(run: &Run) -> Section {
    let pair = |story: &thalweg_train::run::insights::ReconstructionStory| Pair {
        row: count(story.row as u64),
        given: story.given.clone(),
        made: story.made.clone(),
    };
    let pairs: Vec<Pair> = run.insights.reconstructions.iter().map(pair).collect();
    let blocks = if pairs.is_empty() { vec![] } else { vec![Block::Pairs { pairs }] };
    let about = format!(
        "Rows of the {} part as they come, chosen by nobody; below each is what the network makes of it. What is lost is what it \
         has no room for.",
        run.judged()
    );
    Section { id: "reconstructions", title: "Put together again", about, blocks }
}

/// A text that the network wrote.
pub fn text(run: &Run) -> Section {
    let mut blocks = Vec::new();
    if let Some(story) = &run.insights.text {
        blocks.push(Block::Text { text: story.text.clone() });
        blocks.push(prose(format!(
            "Drawn with seed {} at temperature {}: below 1 the probable becomes more so. The command thalweg generate with the folder of \
             this run writes more.",
            story.seed,
            story.temperature
        )));
    }
    let about = "The network wrote this by itself, each letter or word from those before it. It was given nothing but the end \
                 of a line.";
    Section { id: "text", title: "What it writes", about: about.into(), blocks }
}
