//! Data checks of tables from files: small ones that are made here, and real ones where the checkout has them beside it.

use std::path::PathBuf;

use thalweg_data::checks::{Check, Status, samples};
use thalweg_data::{Dataset, Features, Raw, SourceOptions, Targets, open_with};

use crate::files::text;

fn shared(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    if !path.exists() {
        eprintln!("SKIPPED: {} is not there", path.display());
        return None;
    }
    Some(path)
}

/// The checks of a table in the shared folder that do not pass, as `name: saw`.
fn findings(file: &str, target: &str, drop: &[&str]) -> Option<Vec<Check>> {
    let path = shared(&format!("tables/{file}"))?;
    let options = SourceOptions {
        target: Some(target.into()),
        drop: Some(drop.iter().map(|name| (*name).to_string()).collect()),
        ..Default::default()
    };
    let checks = open_with(text(&path), &options).unwrap().checks;
    assert!(checks.iter().any(|check| check.name == "leakage"), "{checks:#?}");
    assert!(checks.iter().all(|check| check.status != Status::Fail), "{checks:#?}");
    Some(checks.into_iter().filter(|check| check.status == Status::Warn).collect())
}

/// Each finding has one of these names and words, and each of these is found.
fn only(findings: &[Check], wanted: &[(&str, &str)]) {
    let is = |check: &Check, (name, words): &(&str, &str)| {
        check.name == *name && check.saw.contains(words)
    };
    for check in findings {
        assert!(wanted.iter().any(|wanted| is(check, wanted)), "not wanted: {check:#?}");
        assert!(!check.action.is_empty(), "{check:#?}");
    }
    for wanted in wanted {
        assert!(findings.iter().any(|check| is(check, wanted)), "{wanted:?}: {findings:#?}");
    }
}

#[test]
fn titanic_has_columns_that_tell_the_end() {
    let Some(found) = findings("titanic.csv", "survived", &[]) else { return };
    only(
        &found,
        &[
            ("leakage", "where 'boat' is filled, 'survived' is '1'"),
            ("leakage", "where 'body' is filled, 'survived' is '0' in 100 %"),
            ("missing", "'cabin' 77"),
            ("identifiers", "'name'"),
            ("many values", "'ticket'"),
            ("many values", "'cabin'"),
            ("many values", "'home.dest'"),
        ],
    );
    let dropped = ["boat", "body", "name", "ticket", "cabin", "home.dest"];
    let Some(found) = findings("titanic.csv", "survived", &dropped) else { return };
    only(&found, &[]);
}

#[test]
fn clean_tables_raise_no_alarm() {
    for (file, target) in
        [("iris.csv", "species"), ("wine.csv", "cultivar"), ("breast_cancer.csv", "diagnosis")]
    {
        let Some(found) = findings(file, target, &[]) else { return };
        only(&found, &[]);
    }
}

#[test]
fn what_is_true_of_larger_tables_is_said() {
    let Some(found) = findings("california_housing.csv", "median_house_value", &[]) else { return };
    only(&found, &[("target", "'median_house_value' is 500001 in 4.")]);
    let Some(found) = findings("adult_train.csv.gz", "income", &[]) else { return };
    only(&found, &[("redundant", "'education' and 'education-num' say the same")]);
    let Some(found) = findings("auto-mpg.csv", "mpg", &[]) else { return };
    only(&found, &[]);
}

/// Grey images of two by two pixels.
fn images(pixels: &[[u8; 4]], labels: &[i64], names: &[&str]) -> Dataset {
    let features = Features::new(Raw::U8(pixels.concat()), vec![2, 2]).unwrap();
    let names = names.iter().map(|name| (*name).to_string()).collect();
    Dataset::new("dots", features, Targets::Classes { labels: labels.to_vec(), names }).unwrap()
}

#[test]
fn images_have_checks_of_their_own() {
    let pixels: Vec<[u8; 4]> = (0..120).map(|i| [i, 255 - i, i % 7, 3]).collect();
    let labels: Vec<i64> = (0..120).map(|i| i % 2).collect();
    let rows: Vec<usize> = (0..120).collect();
    let (train, valid, test) = (&rows[..80], &rows[80..100], &rows[100..]);
    let data = images(&pixels, &labels, &["cat", "dog"]);
    let all = |data: &Dataset, test: (&Dataset, &[usize])| {
        let checks = samples([(data, train), (data, valid), test]);
        checks.into_iter().filter(|check| check.status > Status::Pass).collect::<Vec<_>>()
    };
    assert_eq!(all(&data, (&data, test)), []);

    // A test set of its own, five of whose images are those of the training part.
    let mut other: Vec<[u8; 4]> = (0..20).map(|i| [9, i, 1, 1]).collect();
    other[..5].copy_from_slice(&pixels[..5]);
    let other = images(&other, &labels[..20], &["cat", "dog"]);
    let found = all(&data, (&other, &rows[..20]));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].saw.contains("5 of the 40 validation and test rows"), "{found:#?}");

    let few = images(
        &pixels,
        &(0..120).map(|i| i64::from(i % 30 == 1)).collect::<Vec<_>>(),
        &["cat", "dog"],
    );
    let names: Vec<String> = all(&few, (&few, test)).into_iter().map(|check| check.name).collect();
    assert_eq!(names, ["classes", "imbalance"]);
    let one = images(&pixels, &[0; 120], &["cat"]);
    let found = all(&one, (&one, test));
    assert_eq!((found[0].status, found[0].name.as_str()), (Status::Fail, "classes"));
}
