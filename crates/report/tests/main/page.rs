//! The page of a real run, with all insights and with none.

use thalweg_report::{page, write};
use thalweg_train::LabelScores;
use thalweg_train::run::RunError;
use thalweg_train::run::insights::{Curve, Example, Insights, LabelStory, LabelsStory, Rival};

use crate::support::{EVIL, digits, full, with};
use crate::xml::{check, drawings};

/// The sections of a page, by what links to them are made of.
fn sections(page: &str) -> Vec<&str> {
    let starts = page.split("<section id=\"").skip(1);
    starts.filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn a_full_page_has_every_section() {
    let run = with(digits(), &full());
    let page = page(run.path()).unwrap();
    let all = [
        "results",
        "learning",
        "classes",
        "ranking",
        "calibration",
        "values",
        "forecast",
        "reconstructions",
        "text",
        "intervals",
        "importance",
        "samples",
        "data",
        "checks",
        "network",
        "preflight",
        "health",
        "reproduce",
    ];
    assert_eq!(sections(&page), all);
    for id in all {
        assert!(page.contains(&format!("href=\"#{id}\"")), "no link to {id}");
    }
    for words in [
        "A network of 17,226 parameters learned to tell 10 classes of &#x27;label&#x27; apart",
        "That is better than what needs no network",
        "61\u{a0}% of the units were never active",
        "E. Alpaydin and C. Kaynak",
        "thalweg train digits --epochs 3",
        "[train.optimizer]",
        "said 3 steps before",
        "what was made of row 3",
        "Drawn with seed 7 at temperature 0.8",
        "data:image/png;base64,iVBOR",
        "8,320 parameters",
        "PASS",
        "WARN",
        "FAIL",
    ] {
        assert!(page.contains(words), "{words} is missing");
    }
}

#[test]
fn labels_have_a_section_of_their_own() {
    let label = |name: &str, threshold: f64| LabelStory {
        name: name.into(),
        scores: LabelScores {
            support: 12,
            share: 0.25,
            auc: Some(0.875),
            threshold,
            ..LabelScores::default()
        },
        at_half: 0.5,
        at_value: 0.625,
        held: Some(0.9375),
    };
    let insights = full();
    let labels = LabelsStory {
        labels: vec![label(EVIL, 0.5), label("food", 0.3)],
        most_wrong: vec![Example {
            truth: "food, music".into(),
            said: "food, travel".into(),
            ..Example::default()
        }],
        roc: vec![Curve { class: "food".into(), points: vec![[0.0, 0.0], [1.0, 1.0]], area: 0.5 }],
        metric: "f1".into(),
        ..LabelsStory::default()
    };
    let run = with(digits(), &Insights { labels: Some(labels), classification: None, ..insights });
    let page = page(run.path()).unwrap();
    assert!(sections(&page).starts_with(&["results", "learning", "labels", "ranking"]));
    for words in ["0.8750", "93.75\u{a0}%", "missed music; wrongly travel", "&lt;script&gt;"] {
        assert!(page.contains(words), "{words} is missing");
    }
    for drawing in drawings(&page) {
        check(drawing).unwrap_or_else(|wrong| panic!("{wrong} in {drawing}"));
    }
}

#[test]
fn absent_sections_leave_no_hole() {
    let run = with(digits(), &Insights::default());
    let page = page(run.path()).unwrap();
    assert_eq!(sections(&page), ["results", "learning", "network", "reproduce"]);
    assert_eq!(page.matches("<a href=\"#").count(), 4);
    // The summary's own baselines stand in for those of the insights.
    assert!(page.contains("majority class"), "no baseline");
}

#[test]
fn what_strangers_write_never_becomes_markup() {
    let mut insights = full();
    insights.data.name = EVIL.into();
    insights.command = EVIL.into();
    let run = with(digits(), &insights);
    let page = page(run.path()).unwrap();
    assert!(!page.contains("<script"), "a script got through");
    assert!(page.matches("&lt;script&gt;").count() >= 8, "it is not shown at all");
    assert!(!page.contains("http://") || page.matches("http://").count() == drawings(&page).len());
}

#[test]
fn a_network_that_is_not_better_says_so() {
    let mut insights = full();
    insights.baselines[0].value = 0.95;
    insights.baselines[0].beaten = false;
    let run = with(digits(), &insights);
    let page = page(run.path()).unwrap();
    assert!(page.contains("Not better than what needs no network."));
    assert!(page.contains("there is no reason to use the network instead"));
}

#[test]
fn each_baseline_has_its_own_figure() {
    let mut insights = full();
    // One that is compared by another figure than the main one is not hardest to beat for that.
    insights.baselines.push(Rival {
        name: "the frequency of each token alone".into(),
        metric: "bits_per_token".into(),
        value: 4.25,
        network: 2.5,
        beaten: true,
        ..Rival::default()
    });
    let run = with(digits(), &insights);
    let page = page(run.path()).unwrap();
    let row = |words: &str| {
        let mut rows = page.lines().filter(|line| line.starts_with("<tr>"));
        rows.find(|line| line.contains(words)).unwrap().to_string()
    };
    let [bits, share] = ["the frequency of each token", "the most frequent class"].map(row);
    for words in ["bits a token", "4.25", "2.5"] {
        assert!(bits.contains(words), "{words} is missing in {bits}");
    }
    assert!(page.contains("is better than the best of what needs no network: always saying"));
    assert!(!bits.contains('%') && share.contains("accuracy") && share.contains('%'), "{share}");
}

#[test]
fn drawings_are_well_formed_and_finite() {
    let run = with(digits(), &full());
    let page = page(run.path()).unwrap();
    let drawings = drawings(&page);
    assert_eq!(drawings.len(), 11, "3 curves, 2 + 2 + 2 + 1 plots, 1 network");
    for drawing in drawings {
        check(drawing).unwrap_or_else(|wrong| panic!("{wrong} in {drawing}"));
        assert!(!drawing.contains("NaN") && !drawing.contains("inf"), "{drawing}");
        assert!(drawing.contains("<title>") && drawing.contains("viewBox"), "{drawing}");
    }
}

#[test]
fn equal_folders_give_equal_bytes() {
    let run = with(digits(), &full());
    let first = page(run.path()).unwrap();
    let path = write(run.path()).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), first);
    write(run.path()).unwrap();
    assert_eq!(std::fs::read_to_string(path).unwrap(), first);
}

#[test]
fn what_is_no_run_or_damaged_is_said() {
    let run = with(digits(), &Insights::default());
    std::fs::write(run.path().join("report.json"), "{").unwrap();
    assert!(
        matches!(page(run.path()), Err(RunError::Damaged { path, .. }) if path.ends_with("report.json"))
    );
    std::fs::remove_file(run.path().join("summary.json")).unwrap();
    assert!(matches!(page(run.path()), Err(RunError::NotARun { .. })));
}
