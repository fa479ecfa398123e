//! Which classes are taken for which, and the rows that went most wrong.

use thalweg_train::LabelScores;
use thalweg_train::run::insights::{ClassificationStory, Example, LabelStory, LabelsStory};

use super::{cards, heading, prose, sure};
use crate::numbers::{count, number, percent};
use crate::page::{Block, Heat, Section, Table};
use crate::run::Run;

/// Classes, at most, whose every pair has a cell.
const MATRIX: usize = 40;
/// Pairs of classes that are listed.
const PAIRS: usize = 12;

/// Confusion matrix, classes, and the worst mistakes.
pub fn section(run: &Run) -> Section {
    let mut blocks = Vec::new();
    if let Some(story) = &run.insights.classification {
        confusion(story, &mut blocks);
        per_class(story, &mut blocks);
        if !story.most_wrong.is_empty() {
            blocks.push(heading("The worst mistakes"));
            blocks.push(prose(
                "The rows about which the network was most sure and yet wrong. Some may bear the wrong class in the data: \
                 they are the first to look at.",
            ));
            blocks.push(cards(&story.most_wrong, sure));
        }
    }
    if let Some(story) = &run.insights.labels {
        return labels(story, run.judged());
    }
    let about = format!(
        "Each row of the table is a true class, each column what the network said, on the {} rows. What lies on the \
         diagonal is right; what lies beside it shows which classes it takes for which.",
        run.judged()
    );
    Section { id: "classes", title: "Classes and mistakes", about, blocks }
}

fn confusion(story: &ClassificationStory, blocks: &mut Vec<Block>) {
    let classes = &story.classes;
    if story.confusion.is_empty() {
        return;
    }
    if classes.len() <= MATRIX {
        let row = |(truth, counts): (usize, &Vec<usize>)| {
            let total = counts.iter().sum::<usize>().max(1) as f64;
            let cell = |(said, &n): (usize, &usize)| Heat {
                text: if n == 0 { String::new() } else { count(n as u64) },
                share: n as f64 / total,
                right: truth == said,
            };
            counts.iter().enumerate().map(cell).collect()
        };
        let rows = story.confusion.iter().enumerate().map(row).collect();
        let longest = classes.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let tall = classes.len() > 4 && longest > 3;
        blocks.push(Block::Matrix { names: classes.clone(), tall, rows });
    }
    let mut pairs: Vec<(usize, usize, usize)> = Vec::new();
    for (truth, counts) in story.confusion.iter().enumerate() {
        let wrong = counts.iter().enumerate().filter(|&(said, &n)| said != truth && n > 0);
        pairs.extend(wrong.map(|(said, &n)| (n, truth, said)));
    }
    // The most frequent first; of equals in the order of the classes.
    pairs.sort_by_key(|&(n, truth, said)| (usize::MAX - n, truth, said));
    let shown = if classes.len() <= MATRIX { 5 } else { PAIRS };
    pairs.truncate(shown);
    if pairs.is_empty() || classes.len() < 3 {
        return;
    }
    let name = |class: usize| classes.get(class).cloned().unwrap_or_default();
    let row = |&(n, truth, said): &(usize, usize, usize)| {
        let all: usize = story.confusion[truth].iter().sum();
        let share = percent(n as f64 / all.max(1) as f64);
        vec![name(truth), name(said), count(n as u64), share]
    };
    blocks.push(heading("What it confuses most often"));
    blocks.push(Block::Table(Table {
        header: ["truth", "said", "rows", "of the class"].map(String::from).to_vec(),
        numbers: vec![false, false, true, true],
        rows: pairs.iter().map(row).collect(),
    }));
}

fn per_class(story: &ClassificationStory, blocks: &mut Vec<Block>) {
    if story.per_class.is_empty() {
        return;
    }
    blocks.push(heading("Class by class"));
    blocks.push(prose(
        "Precision: of the rows that were said to be of the class, how many are. Recall: of the rows of the class, how \
         many were found. F1 is high only where both are.",
    ));
    let row = |(class, figures): (&String, &[f64; 4])| {
        let [precision, recall, f1, rows] = *figures;
        let [precision, recall, f1] = [precision, recall, f1].map(percent);
        vec![class.clone(), precision, recall, f1, count(rows as u64)]
    };
    blocks.push(Block::Table(Table::of_numbers(
        ["class", "precision", "recall", "F1", "rows"].map(String::from).to_vec(),
        story.classes.iter().zip(&story.per_class).map(row).collect(),
    )));
}

/// Labels and the worst mistakes.
fn labels(story: &LabelsStory, judged: &str) -> Section {
    let optional = |x: Option<f64>, say: fn(f64) -> String| x.map_or_else(|| "–".into(), say);
    let row = |label: &LabelStory| {
        let LabelScores { precision, recall, f1, .. } = label.scores;
        let [precision, recall, f1] = [precision, recall, f1].map(percent);
        vec![
            label.name.clone(),
            count(label.scores.support),
            percent(label.scores.share),
            precision,
            recall,
            f1,
            optional(label.scores.auc, number),
            optional(label.scores.average_precision, number),
            number(label.scores.threshold),
            optional(label.held, percent),
        ]
    };
    let header = [
        "label",
        "rows",
        "share",
        "precision",
        "recall",
        "F1",
        "area under ROC",
        "average precision",
        "threshold",
        "in 90 % sets",
    ];
    let mut blocks = vec![Block::Table(Table::of_numbers(
        header.map(String::from).to_vec(),
        story.labels.iter().map(row).collect(),
    ))];
    if !story.most_wrong.is_empty() {
        blocks.push(heading("The worst mistakes"));
        blocks.push(prose(
            "The rows whose labels, all together, were the least likely to the network. Some may bear wrong labels in the \
             data: they are the first to look at.",
        ));
        blocks.push(cards(&story.most_wrong, missed));
    }
    let about = format!(
        "Any number of labels may hold for a row; each is said or not on its own, on the {judged} rows. Precision: of the rows \
         that were said to have the label, how many have it. Recall: of the rows that have it, how many were found. F1 is high \
         only where both are. Area under ROC: how often a row with the label gets a higher probability than one without; 0.5 \
         is guessing. Threshold: the probability from which on the label is said."
    );
    Section { id: "labels", title: "Labels and mistakes", about, blocks }
}

/// What was wrong with the labels that were said: `missed music; wrongly food`.
fn missed(example: &Example) -> String {
    let list = |text: &str| text.split(", ").map(String::from).collect::<Vec<String>>();
    let (truth, said) = (list(&example.truth), list(&example.said));
    let without = |these: &[String], others: &[String]| {
        let rest = these.iter().filter(|label| !others.contains(label) && *label != "none");
        rest.cloned().collect::<Vec<_>>().join(", ")
    };
    let [missed, wrongly] = [without(&truth, &said), without(&said, &truth)];
    let parts = [("missed", missed), ("wrongly", wrongly)].into_iter();
    let parts = parts.filter(|(_, labels)| !labels.is_empty());
    parts.map(|(what, labels)| format!("{what} {labels}")).collect::<Vec<_>>().join("; ")
}

/// Some rows as they come.
pub fn samples(run: &Run) -> Section {
    let of_classes = run.insights.classification.as_ref().map(|story| &story.samples);
    let of_labels = run.insights.labels.as_ref().map(|story| &story.samples);
    let samples = of_classes.or(of_labels).map_or(&[][..], |samples| samples);
    let blocks = match samples.is_empty() {
        true => vec![],
        false if of_labels.is_some() => vec![cards(samples, missed)],
        false => vec![cards(samples, sure)],
    };
    let about = "Rows as they come, chosen by nobody, with what the network said of them and how sure it was.";
    Section { id: "samples", title: "Some rows", about: about.into(), blocks }
}
