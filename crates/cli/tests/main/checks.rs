//! `thalweg check`, and what `train` makes of it.

use std::fs;

use serde_json::Value;

use crate::support::Place;

/// A table of which `code` tells the target, and `size` only mostly.
fn leaking(place: &Place, rows: usize) {
    let row = |i: usize| {
        let yes = i * 7 % 5 < 2;
        let size = i * 37 % 101 + if yes { 60 } else { 0 };
        format!("{size},{},{}\n", if yes { "A" } else { "B" }, if yes { "yes" } else { "no" })
    };
    let table: String = (0..rows).map(row).collect();
    fs::write(place.path("t.csv"), format!("size,code,answer\n{table}")).unwrap();
}

#[test]
fn a_leak_is_shown_and_does_not_stop() {
    let place = Place::new();
    leaking(&place, 300);
    let done = place.ok(&["check", "t.csv", "--target", "answer"]);
    let leak = done.out.lines().find(|line| line.starts_with("WARN  leakage")).unwrap();
    assert!(leak.contains("'code' alone tells 'answer'"), "{}", done.out);
    assert!(done.out.contains("→ where it is not known") && done.out.contains("--drop code"));
    assert!(done.out.contains("PASS  classes"), "{}", done.out);
    let done = place.ok(&["check", "t.csv", "--drop", "code"]);
    assert!(!done.out.contains("WARN  leakage"), "{}", done.out);

    let done = place.ok(&["check", "t.csv", "--json"]);
    let checks: Vec<Value> =
        done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let leak = checks.iter().find(|check| check["name"] == "leakage").unwrap();
    assert_eq!(leak["status"], "warn");
    assert!(leak["action"].as_str().unwrap().contains("--drop code"));

    let done = place.ok(&["train", "t.csv", "--epochs", "1"]);
    assert!(done.err.contains("WARN  leakage") && !done.err.contains("PASS"), "{}", done.err);
    let done = place.ok(&["train", "--epochs", "1"]);
    assert!(done.err.contains("checks   all"), "{}", done.err);
}

#[test]
fn what_fails_stops_unless_it_is_ignored() {
    let place = Place::new();
    // With the latest rows for the test, one class is all that there is to learn from.
    let row = |i: usize| {
        let label = if i < 80 { "calm" } else { ["calm", "storm"][i % 2] };
        format!("{},{},{label}\n", 1900 + i, i * 37 % 101)
    };
    let table: String = (0..100).map(row).collect();
    fs::write(place.path("t.csv"), format!("year,height,weather\n{table}")).unwrap();
    let by_time = ["t.csv", "--time-col", "year", "--type", "year=number"];
    let done = place.thalweg(&[&["check"], &by_time[..]].concat());
    assert_eq!(done.code, Some(1), "{}{}", done.out, done.err);
    assert!(done.out.contains("FAIL  classes"), "{}", done.out);
    let train = [&["train", "--epochs", "1"], &by_time[..]].concat();
    let done = place.thalweg(&train);
    assert_eq!(done.code, Some(1), "{}", done.err);
    assert!(done.err.contains("of one class, 'calm'"), "{}", done.err);
    assert!(done.err.contains("hint: ") && done.err.contains("--ignore-checks"), "{}", done.err);
    assert_eq!(place.list("runs"), [""; 0]);
    place.ok(&[&train, &["--ignore-checks", "--out", "r"][..]].concat());
    let config = String::from_utf8(place.read("r/config.toml")).unwrap();
    assert!(config.contains("ignore_checks = true"), "{config}");
}

#[test]
fn what_cannot_be_read_is_a_finding_and_wrong_usage_is_not() {
    let place = Place::new();
    fs::write(place.path("t.csv"), "a,b\n1,x\n2,x\n3,x\n").unwrap();
    let done = place.thalweg(&["check", "t.csv", "--kind", "table"]);
    assert_eq!(done.code, Some(1), "{}{}", done.out, done.err);
    assert!(done.out.contains("FAIL  reading") && done.out.contains("'x'"), "{}", done.out);
    let done = place.thalweg(&["check", "nothing.csv"]);
    assert_eq!((done.code, done.out.as_str()), (Some(2), ""), "{}", done.err);
    leaking(&place, 300);
    let done = place.thalweg(&["check", "t.csv", "--target", "answr"]);
    assert_eq!(done.code, Some(2), "{}", done.err);
    assert!(done.err.contains("did you mean 'answer'?"), "{}", done.err);
}
