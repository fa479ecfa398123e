//! How far what the network says can be believed: ranking, probabilities, thresholds, intervals.

use thalweg_train::run::RunError;
use thalweg_train::run::Task;
use thalweg_train::run::insights::{CalibrationStory, Curve, LabelStory, LabelsStory};

use super::results::{figure_name, figure_value};
use super::{figure, figures, prose};
use crate::chart::{Axis, Chart, Mark, SERIES};
use crate::numbers::{number, percent};
use crate::page::{Block, Section, Table};
use crate::run::Run;

/// ROC and precision–recall.
pub fn curves(run: &Run) -> Result<Section, RunError> {
    let mut blocks = Vec::new();
    let of_classes = run.insights.classification.as_ref();
    let of_labels = run.insights.labels.as_ref();
    let found = of_classes.map(|story| (&story.roc, &story.precision_recall));
    let found = found.or(of_labels.map(|story| (&story.roc, &story.precision_recall)));
    if let Some((roc, precision)) = found {
        let roc = curve_figure("ROC", ["false positives", "true positives"], roc, true)?;
        let labels = ["recall", "precision"];
        let precision = curve_figure("Precision and recall", labels, precision, false)?;
        blocks.extend(figures([roc, precision]));
    }
    let about = "Whoever wants to find every row of a class or label must accept false alarms. These curves show every possible \
                 exchange, from the strictest to the laxest threshold. ROC: the closer to the upper left corner the better, the \
                 dashed line is guessing. Precision and recall: the closer to the upper right corner the better.";
    Ok(Section { id: "ranking", title: "ROC and precision–recall", about: about.into(), blocks })
}

fn curve_figure(
    title: &str,
    [x, y]: [&'static str; 2],
    curves: &[Curve],
    diagonal: bool,
) -> Result<Option<crate::page::Figure>, RunError> {
    // As many as can be told apart: those with the least areas, which are those to look at.
    let mut shown: Vec<&Curve> = curves.iter().collect();
    shown.sort_by(|a, b| a.area.total_cmp(&b.area));
    shown.truncate(SERIES.len());
    let mut marks: Vec<Mark> = diagonal.then_some(Mark::Diagonal).into_iter().collect();
    let lines = shown.iter().enumerate();
    marks.extend(lines.map(|(i, curve)| Mark::Curve(curve.points.clone(), i)));
    let chart = Chart { title: title.into(), x: Axis::share(x), y: Axis::share(y), marks };
    let names: Vec<String> =
        shown.iter().map(|curve| format!("{} {}", curve.class, number(curve.area))).collect();
    let legend: Vec<(usize, &str)> = names.iter().map(String::as_str).enumerate().collect();
    let hidden = curves.len() - shown.len();
    let hidden = match hidden {
        0 => String::new(),
        n => format!(" Shown are the {} with the least areas; {n} more are better.", shown.len()),
    };
    figure(&chart, &legend, format!("{title}, with the area under each curve.{hidden}"))
}

/// Reliability before and after, and the threshold.
pub fn calibration(run: &Run) -> Result<Section, RunError> {
    let mut blocks = Vec::new();
    let story = run.insights.classification.as_ref();
    let labels = run.insights.labels.as_ref();
    let found = story.and_then(|story| story.calibration.as_ref());
    if let Some(calibration) = found.or(labels.and_then(|labels| labels.calibration.as_ref())) {
        blocks.extend(reliability(calibration)?);
        let CalibrationStory { temperature, error_before, error_after, .. } = calibration;
        blocks.push(prose(match (temperature - 1.0).abs() < 5e-4 {
            true => format!(
                "What the network says is taken as it is: on the validation rows no temperature made it more believable. \
                 It is off by {} on average (expected calibration error).",
                percent(*error_after)
            ),
            false => format!(
                "What the network puts out is divided by the temperature {}, which the validation rows chose. Its \
                 probabilities are then off by {} on average (expected calibration error), and without that by {}.",
                number(*temperature),
                percent(*error_after),
                percent(*error_before)
            ),
        }));
    }
    if let Some(threshold) = story.and_then(|story| story.threshold.as_ref()) {
        let second = story.and_then(|story| story.classes.get(1)).map_or("", String::as_str);
        let [half, value] =
            [threshold.at_half, threshold.at_value].map(|x| figure_value(&threshold.metric, x));
        let metric = figure_name(&threshold.metric).replace('_', " ");
        blocks.push(prose(match threshold.value == 0.5 {
            true => format!(
                "'{second}' is said from a probability of 50 % on: on the validation rows no other threshold gave a better \
                 {metric}. On the {} rows it gives {half}.",
                run.judged()
            ),
            false => format!(
                "'{second}' is said from a probability of {} on, which gave the best {metric} on the validation rows: on the \
                 {} rows it gives {value}, the usual 50 % gives {half}.",
                percent(threshold.value),
                run.judged()
            ),
        }));
    }
    if let Some(labels) = labels.filter(|_| !run.model.calibration.is_none()) {
        blocks.push(thresholds(labels, run));
    }
    let about = "Of all rows of which the network says 80 %, about 80 % should be what it says. Dots on the dashed line keep \
                 that promise; dots below it are too sure.";
    Ok(Section { id: "calibration", title: "Calibration", about: about.into(), blocks })
}

/// From when on labels are said, in words; the table of labels has each.
fn thresholds(story: &LabelsStory, run: &Run) -> Block {
    let metric = figure_name(&story.metric).replace('_', " ");
    let own = story.tuned();
    if own.is_empty() {
        return prose(format!(
            "Every label is said from a probability of 50 % on: on the validation rows no other threshold gave a {metric} \
             that is better by more than chance."
        ));
    }
    let mean = |value: fn(&LabelStory) -> f64| {
        let sum: f64 = own.iter().map(|&label| value(label)).sum();
        percent(sum / own.len() as f64)
    };
    prose(format!(
        "{} of {} labels are said from a probability of their own on, which gave the best {metric} of the label on the \
         validation rows; the others from 50 %. On the {} rows the mean {metric} of those labels is {}; with 50 % it would \
         be {}.",
        own.len(),
        story.labels.len(),
        run.judged(),
        mean(|label| label.at_value),
        mean(|label| label.at_half)
    ))
}

/// Rows of a bin below which chance alone moves its dot too far.
const FEW: f64 = 5.0;

fn reliability(story: &CalibrationStory) -> Result<Option<Block>, RunError> {
    let points = |bins: &[[f64; 3]]| -> Vec<[f64; 2]> {
        bins.iter().filter(|bin| bin[2] >= FEW).map(|&[stated, seen, _]| [stated, seen]).collect()
    };
    let marks = vec![
        Mark::Diagonal,
        Mark::Line(points(&story.before), 1),
        Mark::Line(points(&story.after), 0),
    ];
    let reliability = Chart {
        title: "Stated against observed probability".into(),
        x: Axis::share("stated probability"),
        y: Axis::share("share that was right"),
        marks,
    };
    let width = 1.0 / story.after.len().max(1) as f64;
    let bins = story.after.iter().enumerate();
    let bars = bins.map(|(i, bin)| [i as f64 * width, (i + 1) as f64 * width, bin[2]]).collect();
    let rows = Chart {
        title: "Rows by stated probability".into(),
        x: Axis::share("stated probability"),
        y: Axis::of("rows"),
        marks: vec![Mark::Bars(bars, 0)],
    };
    let legend = [(1, "before"), (0, "after")];
    Ok(figures([
        figure(
            &reliability,
            &legend,
            "Before and after what it puts out was divided by the temperature; dots of fewer than five rows are left out.",
        )?,
        figure(
            &rows,
            &[],
            "How many rows stand behind each dot, after: where there are few, chance moves it.",
        )?,
    ]))
}

/// How often what was promised was kept.
pub fn intervals(run: &Run) -> Section {
    let classes = run.model.task.has_classes();
    let several = run.model.task == Task::Multilabel;
    let size = match (several, classes) {
        (true, _) => "labels",
        (_, true) => "classes",
        _ => "width",
    };
    let row = |&[asked, held, size]: &[f64; 3]| vec![percent(asked), percent(held), number(size)];
    let levels = run.insights.intervals.iter().flat_map(|intervals| &intervals.levels);
    let rows: Vec<Vec<String>> = levels.map(row).collect();
    let header = ["asked".into(), format!("held ({})", run.judged()), format!("mean {size}")];
    let table = Table { header: header.to_vec(), numbers: vec![true; 3], rows };
    let blocks = if table.rows.is_empty() { vec![] } else { vec![Block::Table(table)] };
    let about = match classes {
        _ if several => {
            "Beside the labels that it says, the network can name a set of labels in which each label that is true is as \
             often as asked for (split conformal prediction, label by label): of the rows that have a label, at least that \
             share has it in their set, for every label, as far as new rows are like the validation rows. It promises nothing \
             about labels in the set that are not true. A label that too few validation rows have is always in the set."
        }
        true => {
            "Instead of one class the network can name a set that holds the truth as often as asked for. The surer it \
                 is, the fewer classes it needs."
        }
        false => {
            "Instead of one number the network can name an interval that holds the truth as often as asked for. The \
                  surer it is, the narrower it can be."
        }
    };
    Section {
        id: "intervals",
        title: if classes { "Prediction sets" } else { "Prediction intervals" },
        about: about.into(),
        blocks,
    }
}
