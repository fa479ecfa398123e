//! Series: windows, horizons, and parts that do not look ahead.

use thalweg_data::{
    Encoding, Kind, Raw, SourceOptions, Targets, open, open_as, open_features, open_with,
    seasonal_naive,
};

use crate::files::*;

/// A series of 0, 1, 2, … with a month for each.
fn counting(n: usize) -> String {
    let rows: Vec<String> =
        (0..n).map(|i| format!("{}-{:02},{i}\n", 1949 + i / 12, i % 12 + 1)).collect();
    format!("month,count\n{}", rows.concat())
}

fn with(window: usize, horizon: usize) -> SourceOptions {
    SourceOptions { window: Some(window), horizon: Some(horizon), ..Default::default() }
}

#[test]
fn windows_and_horizons() {
    let (_folder, path) = one("s.csv", counting(50).as_bytes());
    let loaded = open_with(text(&path), &with(5, 3)).unwrap();
    let data = &loaded.train;
    assert_eq!((data.features.shape(), data.rows()), (&[5, 1][..], 50 - 8 + 1));
    let Raw::F32(windows) = data.features.raw() else { panic!("numbers were expected") };
    let Targets::Values { values, dims: 3 } = &data.targets else {
        panic!("3 numbers were expected")
    };
    for row in 0..data.rows() {
        let from =
            |start: usize, n: usize| (start..start + n).map(|i| i as f32).collect::<Vec<_>>();
        assert_eq!(windows[row * 5..(row + 1) * 5], from(row, 5));
        assert_eq!(values[row * 3..(row + 1) * 3], from(row + 5, 3));
    }
    // Numbers 40 to 49 are for the test, 35 to 39 for validation.
    let parts = loaded.parts.as_ref().unwrap();
    let targets = |rows: &[usize]| (rows[0] + 5, rows[rows.len() - 1] + 5 + 2);
    assert_eq!(targets(&parts.train), (5, 34));
    assert_eq!(targets(&parts.valid), (35, 39));
    assert_eq!(targets(&parts.test), (40, 49));
    assert_eq!(parts.test.len(), 8, "walking forward one number at a time");
    assert_eq!(kept(&loaded).kind(), Kind::Series);
}

#[test]
fn a_forecast_begins_after_the_end() {
    let (_folder, path) = one("s.csv", counting(50).as_bytes());
    let encoding = kept(&open_with(text(&path), &with(5, 3)).unwrap());
    let (_folder, new) =
        one("new.csv", b"month,count\n1,7\n2,8\n3,9\n4,10\n5,11\n6,12\n7,13\n8,14\n9,15\n");
    let options = SourceOptions::default();
    let features = open_features(text(&new), &encoding, &options).unwrap();
    assert_eq!(features.raw(), &Raw::F32(vec![11.0, 12.0, 13.0, 14.0, 15.0]));
    let judged = open_as(text(&new), &encoding, &[], &options).unwrap();
    assert_eq!((judged.train.rows(), judged.parts), (2, None));
    let (_folder, short) = one("new.csv", b"month,count\n1,7\n2,8\n");
    assert_says(
        open_features(text(&short), &encoding, &options),
        &["has 2 numbers", "needs the last 5"],
    );
}

#[test]
fn the_column_and_the_defaults() {
    let (_folder, path) = one("s.csv", counting(100).as_bytes());
    let Encoding::Series(series) = kept(&open(text(&path)).unwrap()) else {
        panic!("a series was expected")
    };
    assert_eq!((series.column.as_str(), series.window, series.horizon), ("count", 24, 12));
    let rows: String = (0..40).map(|i| format!("{i},{},word\n", i * i)).collect();
    let (_folder, path) = one("s.csv", format!("n,square,name\n{rows}").as_bytes());
    let Encoding::Series(series) = kept(&open_with(text(&path), &with(2, 2)).unwrap()) else {
        panic!("a series was expected")
    };
    assert_eq!(series.column, "square", "the last column of numbers");
    let options = SourceOptions { target: Some("n".into()), ..with(2, 2) };
    assert!(open_with(text(&path), &options).is_ok());
    let (_folder, path) =
        one("s.csv", (0..100).map(|i| format!("{}\n", i % 7)).collect::<String>().as_bytes());
    assert_eq!(
        open(text(&path)).unwrap().train.rows(),
        100 - 36 + 1,
        "a single column is a series"
    );
}

#[test]
fn what_is_no_series() {
    let (_folder, path) = one("s.csv", b"n,x\n1,5\n2,five\n3,6\n");
    assert_says(
        open_with(text(&path), &SourceOptions { target: Some("x".into()), ..with(1, 1) }),
        &["line 3, column 'x'", "a number is needed, there is 'five'"],
    );
    let (_folder, path) = one("s.csv", counting(10).as_bytes());
    assert_says(open_with(text(&path), &with(8, 3)), &["has 10 numbers", "need 11 at least"]);
    assert_says(open_with(text(&path), &with(4, 3)), &["parts to learn from"]);
    assert_says(open_with(text(&path), &with(usize::MAX, 3)), &["has 10 numbers"]);
    let edited =
        r#"{"type": "series", "header": true, "column": "count", "window": 0, "horizon": 1}"#;
    let edited: Encoding = serde_json::from_str(edited).unwrap();
    assert!(open_as(text(&path), &edited, &[], &SourceOptions::default()).is_err());
    assert!(open_features(text(&path), &edited, &SourceOptions::default()).is_err());
}

/// Days from the first of January on.
fn day(i: usize) -> String {
    format!("2024-{:02}-{:02}", i / 31 + 1, i % 31 + 1)
}

fn in_time() -> SourceOptions {
    SourceOptions { time_col: Some("date".into()), target: Some("y".into()), ..with(3, 2) }
}

fn windows(data: &thalweg_data::Dataset) -> &[f32] {
    let Raw::F32(windows) = data.features.raw() else { panic!("numbers were expected") };
    windows
}

#[test]
fn rows_are_put_in_order_of_time() {
    let hours = |order: &mut dyn Iterator<Item = usize>| {
        let rows: Vec<String> =
            order.map(|i| format!("2024-05-{:02} {:02}:00,{i}\n", i / 24 + 1, i % 24)).collect();
        format!("date,y\n{}", rows.concat())
    };
    let (_folder, path) = one("s.csv", hours(&mut (0..40)).as_bytes());
    let sorted = open_with(text(&path), &in_time()).unwrap();
    assert_eq!((kept(&sorted).kind(), sorted.notes.len()), (Kind::Series, 0));
    let (_folder, path) = one("s.csv", hours(&mut (0..40).map(|i| i * 7 % 40)).as_bytes());
    let turned = open_with(text(&path), &in_time()).unwrap();
    assert_eq!(turned.train, sorted.train);
    assert!(turned.notes[0].contains("not in order of 'date'"), "{:?}", turned.notes);

    let uneven = hours(&mut (0..40).filter(|i| i % 9 != 4));
    let (_folder, path) = one("s.csv", uneven.as_bytes());
    let loaded = open_with(text(&path), &in_time()).unwrap();
    let note = &loaded.notes[0];
    assert!(note.contains("uneven, from 1 hour to 2 hours"), "{note}");
    // Months are no even steps, but for people they are.
    let months = counting(50).replace(',', "-01,").replacen("-01", "", 1);
    let (_folder, path) = one("s.csv", months.as_bytes());
    let month = SourceOptions { time_col: Some("month".into()), ..with(3, 2) };
    assert!(open_with(text(&path), &month).unwrap().notes.is_empty());

    let (_folder, path) = one("s.csv", b"date,y\n2024-01-01,1\n2024-01-02,2\n2024-01-02,3\n");
    assert_says(
        open_with(text(&path), &in_time()),
        &["line 4, column 'date'", "'2024-01-02' is there twice", "--group"],
    );
    let (_folder, path) = one("s.csv", b"date,y\n2024-01-01,1\nsoon,2\n2024-01-03,3\n");
    assert_says(
        open_with(text(&path), &in_time()),
        &["line 3, column 'date'", "a time is needed", "'soon'"],
    );
}

#[test]
fn missing_numbers_are_bridged_but_never_forecast() {
    let cell = |i: usize| match i {
        0 | 10 | 38 | 39 => String::new(),
        i => i.to_string(),
    };
    let rows: String = (0..40).map(|i| format!("{},{}\n", day(i), cell(i))).collect();
    let (_folder, path) = one("s.csv", format!("date,y\n{rows}").as_bytes());
    let options = SourceOptions { skip_bad: true, ..in_time() };
    for options in [in_time(), options] {
        let loaded = open_with(text(&path), &options).unwrap();
        // Of 37 numbers there are 33 samples; two of them would forecast the missing one.
        assert_eq!(loaded.train.rows(), 31);
        assert!(windows(&loaded.train).windows(2).any(|two| two == [9.0, 9.0]));
        let note = &loaded.notes[0];
        assert!(note.contains("4 of 40 rows have nothing in column 'y': 3 at an end"), "{note}");
        let (features, notes) =
            thalweg_data::open_unlabelled(text(&path), &kept(&loaded), &options).unwrap();
        assert_eq!(features.raw(), &Raw::F32(vec![35.0, 36.0, 37.0]));
        assert!(notes[1].contains(&format!("begins after {}", day(37))), "{notes:?}");
    }
}

#[test]
fn several_series_are_told_apart() {
    let rows: String =
        (0..30).map(|i| format!("{},south,{i}\n{},north,{}\n", day(i), day(i), 100 + i)).collect();
    let (_folder, path) = one("s.csv", format!("date,store,y\n{rows}").as_bytes());
    let options = SourceOptions { group: Some("store".into()), ..in_time() };
    let loaded = open_with(text(&path), &options).unwrap();
    assert_eq!((kept(&loaded).kind(), loaded.train.rows()), (Kind::Series, 2 * 26));
    for window in windows(&loaded.train).chunks(3) {
        assert!(window[2] - window[0] == 2.0, "no window is of two series: {window:?}");
    }
    let parts = loaded.parts.as_ref().unwrap();
    assert_eq!(parts.test.len() % 2, 0);
    let features = open_features(text(&path), &kept(&loaded), &options).unwrap();
    assert_eq!(features.raw(), &Raw::F32(vec![27.0, 28.0, 29.0, 127.0, 128.0, 129.0]));
    // Without a word the same time is there twice.
    let alone = SourceOptions { kind: Some(Kind::Series), ..in_time() };
    assert_says(open_with(text(&path), &alone), &["is there twice", "--group"]);
    // A table is split by one of them.
    let table = SourceOptions { kind: Some(Kind::Table), window: None, horizon: None, ..options };
    assert_says(open_with(text(&path), &table), &["not by both", "--task forecast"]);
}

#[test]
fn the_naive_forecast() {
    let history = [1.0, 2.0, 3.0, 4.0, 5.0];
    assert_eq!(seasonal_naive(&history, 3, 7).unwrap(), [3.0, 4.0, 5.0, 3.0, 4.0, 5.0, 3.0]);
    assert_eq!(seasonal_naive(&history, 1, 2).unwrap(), [5.0, 5.0]);
    assert_eq!(seasonal_naive(&history, 5, 1).unwrap(), [1.0]);
    assert_eq!((seasonal_naive(&history, 6, 1), seasonal_naive(&history, 0, 1)), (None, None));
}
