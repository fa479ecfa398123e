//! What is said of a finished network beyond its figures: what it has to beat, and how its answers are read.

use thalweg_train::judge::threshold::Tuned;
use thalweg_train::run::Calibration;
use thalweg_train::run::insights::{Insights, LabelStory, LabelsStory, Rival};
use thalweg_train::run::session::Outcome;

use crate::output::{number, percent};

/// Headings with their lines.
pub fn verdict(outcome: &Outcome) -> Vec<(&'static str, Vec<String>)> {
    let Outcome { insights, calibration, tuned, .. } = outcome;
    let parts = [
        ("baseline", insights.baselines.iter().map(against).collect()),
        ("", unbeaten(&insights.baselines, judged_rows(outcome)).into_iter().collect()),
        ("answers", answers(insights, calibration, tuned.as_ref())),
        ("columns", columns(insights).into_iter().collect()),
    ];
    parts.into_iter().filter(|(_, lines): &(_, Vec<String>)| !lines.is_empty()).collect()
}

/// A baseline and its figure.
fn against(rival: &Rival) -> String {
    let rows = rival.figures["trained_rows"].as_u64().map_or(String::new(), |rows| {
        format!(", learned from {} rows", crate::output::count(rows))
    });
    format!("{}: {}{rows}", rival.name, figure(rival, rival.value))
}

fn figure(rival: &Rival, value: f64) -> String {
    match rival.metric.as_str() {
        "accuracy" | "f1_macro" => percent(value),
        "bits_per_token" => format!("{} bits a token", number(value)),
        metric => format!("{metric} {}", number(value)),
    }
}

/// Plain words where the network is not better than something simpler.
fn unbeaten(rivals: &[Rival], rows: f64) -> Option<String> {
    // The last ones are the harder ones.
    let rival = rivals.iter().rev().find(|rival| !rival.beaten)?;
    let advice = match rival.name.as_str() {
        "a logistic regression" | "a linear (ridge) regression" => {
            "what there is to learn here may be that simple; more rows, columns that say more, or a smaller network may \
             help, and the simpler model is a good choice too"
        }
        _ => {
            "it has learned nothing that helps; look at the columns and the target, train for longer, or with another \
             learning rate (--lr)"
        }
    };
    // One standard error of a share of so many rows.
    let chance = (rival.value * (1.0 - rival.value) / rows).max(0.0).sqrt();
    let close = rival.metric == "accuracy" && rival.value - rival.network <= chance;
    let close = if close { ", a difference that chance gives with so few rows" } else { "" };
    let (network, value) = (figure(rival, rival.network), figure(rival, rival.value));
    Some(format!(
        "The network does not beat {} ({network} against {value}{close}): {advice}.",
        rival.name
    ))
}

/// How many rows the figures are of that are compared.
fn judged_rows(outcome: &Outcome) -> f64 {
    let parts = [&outcome.summary.test, &outcome.summary.valid];
    parts.iter().find_map(|part| part["rows"].as_f64()).unwrap_or(1.0)
}

/// How its answers are read.
fn answers(insights: &Insights, calibration: &Calibration, tuned: Option<&Tuned>) -> Vec<String> {
    let mut lines = Vec::new();
    let judged = &insights.judged;
    let story = insights.classification.as_ref();
    let labels = insights.labels.as_ref();
    let found = story.and_then(|story| story.calibration.as_ref());
    let found = found.or(labels.and_then(|labels| labels.calibration.as_ref()));
    if let Some(found) = found.filter(|_| !calibration.is_none()) {
        lines.push(if found.temperature == 1.0 {
            format!(
                "probabilities are as the network puts them out, no temperature is better on the validation rows: \
                 calibration error on the {judged} rows {}",
                percent(found.error_after),
            )
        } else { format!(
            "probabilities are of logits over {:.2} (temperature): calibration error on the {judged} rows {} → {}",
            found.temperature,
            percent(found.error_before),
            percent(found.error_after),
        )});
    }
    match (tuned, story.and_then(|story| story.threshold.as_ref())) {
        (Some(tuned), Some(threshold)) => {
            let metric = threshold.metric.replace('_', " ");
            lines.push(match tuned.is_worth_it() {
                true => format!(
                    "the second class is said from {:.3} on, which the validation rows chose for {metric}: on the \
                     {judged} rows {}, at 0.5 {}",
                    threshold.value,
                    percent(threshold.at_value),
                    percent(threshold.at_half),
                ),
                false => format!(
                    "the threshold stays at 0.5: {:.3} gains {:.2} points of {metric} on the validation rows, no more \
                     than chance does",
                    tuned.value,
                    tuned.gain.max(0.0) * 100.0,
                ),
            });
        }
        _ if calibration.is_none() && (story.is_some() || labels.is_some()) => lines.push(
            "too few validation rows to calibrate probabilities: they are as they come out".into(),
        ),
        _ => {}
    }
    lines
        .extend(labels.filter(|_| !calibration.is_none()).map(|labels| thresholds(labels, judged)));
    let at_90 = insights.intervals.iter().flat_map(|found| &found.levels);
    if let Some([level, held, size]) = at_90.into_iter().find(|level| level[0] == 0.9) {
        let (what, truth) = match (story, labels) {
            (_, Some(_)) => {
                (format!("sets of {size:.2} labels on average"), "each true label with")
            }
            (Some(_), _) => (format!("sets of {size:.2} classes on average"), "the truth of"),
            _ => (format!("intervals {} wide", number(*size)), "the truth of"),
        };
        lines.push(format!(
            "{what} are to hold {truth} {}: on the {judged} rows {} (predict --interval {level}; the validation rows \
             that they come from chose the epoch too)",
            percent(*level),
            percent(*held),
        ));
    }
    lines
}

/// From when on labels are said.
fn thresholds(story: &LabelsStory, judged: &str) -> String {
    let metric = story.metric.replace('_', " ");
    let own = story.tuned();
    let n = own.len();
    if n == 0 {
        return format!(
            "every label is said from 0.5 on: no other threshold gains more {metric} on the validation rows than chance \
             does"
        );
    }
    let mean = |value: fn(&LabelStory) -> f64| {
        percent(own.iter().map(|&label| value(label)).sum::<f64>() / n as f64)
    };
    let mut named: Vec<String> = (own.iter().take(6))
        .map(|label| format!("{} {:.3}", label.name, label.scores.threshold))
        .collect();
    named.extend((n > named.len()).then(|| format!("{} more", n - named.len())));
    format!(
        "{n} of {} labels have a threshold of their own, which the validation rows chose for {metric} ({}): their mean on \
         the {judged} rows {}, at 0.5 {}",
        story.labels.len(),
        named.join(", "),
        mean(|label| label.at_value),
        mean(|label| label.at_half),
    )
}

/// The columns that matter most.
fn columns(insights: &Insights) -> Option<String> {
    let shown: Vec<String> = (insights.importance.iter())
        .take(5)
        .filter(|column| column.drop > 0.0)
        .map(|column| match column.metric.as_str() {
            "accuracy" => format!("{} ({:.1} points)", column.column, column.drop * 100.0),
            _ => format!("{} ({})", column.column, number(column.drop)),
        })
        .collect();
    let metric = insights.importance.first().map(|column| column.metric.as_str())?;
    let text = shown.join(", ");
    (!shown.is_empty()).then(|| format!("{metric} lost where a column is shuffled: {text}"))
}
