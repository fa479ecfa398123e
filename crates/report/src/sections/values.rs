//! How far off a network is that says numbers.

use thalweg_train::run::RunError;

use super::{cards, figure, figures, heading};
use crate::chart::{Axis, Chart, Mark};
use crate::numbers::number;
use crate::page::Section;
use crate::run::Run;

/// Bars of a histogram.
const BARS: usize = 24;

/// Predicted against true, residuals, the worst rows.
pub fn section(run: &Run) -> Result<Section, RunError> {
    let mut blocks = Vec::new();
    if let Some(story) = &run.insights.regression {
        let finite = |point: &&[f64; 2]| point.iter().all(|x| x.is_finite());
        let points: Vec<[f64; 2]> = story.points.iter().filter(finite).copied().collect();
        blocks.extend(figures([scatter(&points)?, residuals(&points)?]));
        if !story.most_wrong.is_empty() {
            blocks.push(heading("The worst mistakes"));
            blocks.push(cards(&story.most_wrong, |example| {
                let [truth, said] = [&example.truth, &example.said].map(|text| text.parse::<f64>());
                match (truth, said) {
                    (Ok(truth), Ok(said)) => format!("off by {}", number(said - truth)),
                    _ => String::new(),
                }
            }));
        }
    }
    let about = "What the network says beside what is true; RMSE is the root of the mean squared error, MAE the mean size of an error. On the dashed line it is right. A cloud that lies flatter than the \
                 line means that it is too cautious: what is small it says too large, what is large too small.";
    Ok(Section { id: "values", title: "Said and true", about: about.into(), blocks })
}

fn scatter(points: &[[f64; 2]]) -> Result<Option<crate::page::Figure>, RunError> {
    let all = || points.iter().flatten().copied();
    let (Some(low), Some(high)) = (all().reduce(f64::min), all().reduce(f64::max)) else {
        return Ok(None);
    };
    let air = (high - low).max(1e-9) * 0.03;
    let axis = |label| Axis::of(label).within(low - air, high + air);
    let chart = Chart {
        title: "Said against true values".into(),
        x: axis("true"),
        y: axis("said"),
        marks: vec![Mark::Diagonal, Mark::Dots(points.to_vec(), 0)],
    };
    figure(&chart, &[], "Each dot is a row.")
}

fn residuals(points: &[[f64; 2]]) -> Result<Option<crate::page::Figure>, RunError> {
    let errors: Vec<f64> = points.iter().map(|[truth, said]| said - truth).collect();
    let far = errors.iter().fold(0.0f64, |far, error| far.max(error.abs()));
    if far == 0.0 {
        return Ok(None);
    }
    // Symmetric about 0, which is where a bar ends and the next begins.
    let width = 2.0 * far / BARS as f64;
    let mut counts = [0usize; BARS];
    for error in &errors {
        counts[(((error + far) / width) as usize).min(BARS - 1)] += 1;
    }
    let bar = |(i, &n): (usize, &usize)| {
        let from = -far + i as f64 * width;
        [from, from + width, n as f64]
    };
    let chart = Chart {
        title: "Histogram of the errors".into(),
        x: Axis::of("error (said − true)").within(-far, far),
        y: Axis::of("rows"),
        marks: vec![Mark::Bars(counts.iter().enumerate().map(bar).collect(), 0), Mark::At(0.0)],
    };
    let mut sorted: Vec<f64> = errors.iter().map(|error| error.abs()).collect();
    sorted.sort_by(f64::total_cmp);
    let half = number(sorted[sorted.len() / 2]);
    let caption =
        format!("How often it is how far off. Half of the errors are smaller than {half}.");
    figure(&chart, &[], caption)
}
