//! Files to predict on that are not quite like the one learned from: other formats, other columns, no target; and
//! forecasts of series by their times.

use std::fs;

use crate::support::Place;

/// 60 people: a number, a category, and whether they came; some of them nobody knows of.
fn people() -> String {
    let row = |i: usize| {
        let (age, city) = (20 + i * 7 % 50, ["Bern", "Wien", "Oslo"][i % 3]);
        let came = if i % 15 == 14 { "" } else { ["yes", "no"][usize::from(age > 45)] };
        format!("{age},{city},{came}\n")
    };
    format!("age,city,came\n{}", (0..60).map(row).collect::<String>())
}

fn trained() -> Place {
    let place = Place::new();
    fs::write(place.path("people.csv"), people()).expect("written");
    let done = place.ok(&["train", "people.csv", "--epochs", "1", "--out", "run"]);
    let said = done.out + &done.err;
    assert!(said.contains("4 of 60 rows are left out: nothing in column 'came'"), "{said}");
    place
}

/// The predictions without their first line.
fn rows(text: &str) -> Vec<&str> {
    text.lines().skip(1).collect()
}

#[test]
fn predictions_do_not_depend_on_format_or_order() {
    let place = trained();
    let first = place.ok(&["predict", "run", "people.csv", "--proba"]).out;
    assert_eq!(rows(&first).len(), 60, "rows without a target too");
    // With --keep the program writes the columns themselves, and the predictions in place of the target.
    for (name, end) in [("new.parquet", "parquet"), ("new.jsonl", "jsonl"), ("new.csv", "csv")] {
        place.ok(&[
            "predict",
            "run",
            "people.csv",
            "--keep",
            "city",
            "--keep",
            "age",
            "--out",
            name,
        ]);
        let other = place.ok(&["predict", "run", name, "--proba"]);
        assert_eq!(other.out, first, "{end}");
    }

    // No target, another order, a column more.
    let turn = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        format!("{},x,{}\n", cells[1], cells[0])
    };
    let turned: String = people().lines().skip(1).map(turn).collect();
    fs::write(place.path("turned.csv"), format!("city,shoe,age\n{turned}")).expect("written");
    let other = place.ok(&["predict", "run", "turned.csv", "--proba"]);
    assert_eq!(other.out, first);
    assert!(other.err.contains("passed over") && other.err.contains("shoe"), "{}", other.err);

    // Of a half-labelled file those rows are judged that have a label.
    fs::write(place.path("half.csv"), people()).expect("written");
    let judged = place.ok(&["evaluate", "run", "half.csv"]);
    let said = judged.out + &judged.err;
    assert!(said.contains("4 rows of half.csv are left out: nothing in column 'came'"), "{said}");
}

#[test]
fn what_does_not_fit_is_named() {
    let place = trained();
    for (code, content, said) in [
        (2, "age,cty\n30,Bern\n", &["no column 'city'", "did you mean 'cty'?"][..]),
        (2, "city\nBern\n", &["no column 'age'", "add the column"]),
        (
            1,
            "age,city\n30,Bern\nold,Wien\n",
            &["line 3, column 'age'", "a number is needed", "'old'"],
        ),
        (1, "age,city\n", &["names of the columns and no row"]),
        (1, "", &["the file is empty"]),
        (1, "age,city\n30\n", &["line 2, column 'city'", "1 cells"]),
    ] {
        fs::write(place.path("new.csv"), content).expect("written");
        let done = place.thalweg(&["predict", "run", "new.csv"]);
        assert_eq!(done.code, Some(code), "{content:?}: {}", done.err);
        for words in ["new.csv"].iter().chain(said) {
            assert!(done.err.contains(words), "{words:?} is not in: {}", done.err);
        }
    }
    // What was never seen shares an id; what is missing is filled.
    fs::write(place.path("new.csv"), "age,city\n30,Rome\n,\nNA,Bern\n").expect("written");
    assert_eq!(rows(&place.ok(&["predict", "run", "new.csv"]).out).len(), 3);
    // A target that is not there cannot be judged by.
    let done = place.thalweg(&["evaluate", "run", "new.csv"]);
    assert!(done.code == Some(2) && done.err.contains("no column 'came'"), "{}", done.err);
}

/// `day` 1 is the first of January.
fn date(day: usize) -> String {
    format!("2024-{:02}-{:02}", (day - 1) / 28 + 1, (day - 1) % 28 + 1)
}

#[test]
fn numbers_with_times_are_forecast() {
    let place = Place::new();
    // Hours, the last ones first; one number is missing.
    let cell = |i: usize| if i == 30 { String::new() } else { format!("{}", i % 12) };
    let row = |i: usize| format!("2024-03-{:02} {:02}:00,{}\n", i / 24 + 1, i % 24, cell(i));
    let series: String = (0..120).rev().map(row).collect();
    fs::write(place.path("series.csv"), format!("date,y\n{series}")).expect("written");
    let train = ["train", "series.csv", "--target", "y", "--time-col", "date", "--epochs", "1"];
    let done = place.ok(&[&train[..], &["--out", "run"]].concat());
    let said = done.out + &done.err;
    for words in ["not in order of 'date'", "1 of 120 rows have nothing in column 'y'", "forecast"]
    {
        assert!(said.contains(words), "{words:?} is not in: {said}");
    }
    let forecast = place.ok(&["predict", "run", "series.csv"]);
    assert!(forecast.out.starts_with("y_1,y_2,") && rows(&forecast.out).len() == 1);
    assert!(forecast.err.contains("begins after 2024-03-05 23:00"), "{}", forecast.err);
    // In order it is the same forecast, whatever the format.
    let series: String = (0..120)
        .map(|i| {
            format!(
                "{{\"y\": {}, \"date\": \"2024-03-{:02} {:02}:00\"}}\n",
                if i == 30 { "null".into() } else { cell(i) },
                i / 24 + 1,
                i % 24
            )
        })
        .collect();
    fs::write(place.path("series.jsonl"), series).expect("written");
    assert_eq!(place.ok(&["predict", "run", "series.jsonl"]).out, forecast.out);
}

#[test]
fn several_series_are_forecast_each() {
    let place = Place::new();
    let row = |i: usize| format!("{},south,{}\n{},north,{}\n", date(i), i % 7, date(i), i % 5);
    let series: String = (1..=112).map(row).collect();
    fs::write(place.path("shops.csv"), format!("date,store,y\n{series}")).expect("written");
    let train = ["train", "shops.csv", "--target", "y", "--time-col", "date", "--epochs", "1"];
    place.ok(&[&train[..], &["--group", "store", "--out", "run"]].concat());
    let forecast = place.ok(&["predict", "run", "shops.csv"]).out;
    assert!(forecast.starts_with("store,y_1,"), "{forecast}");
    let names: Vec<&str> =
        rows(&forecast).iter().map(|row| row.split(',').next().unwrap_or("")).collect();
    assert_eq!(names, ["south", "north"]);
    // Without a word on the stores each time is there twice.
    let done = place.thalweg(&[&train[..], &["--task", "forecast"]].concat());
    assert!(done.err.contains("is there twice") && done.err.contains("--group"), "{}", done.err);
}
