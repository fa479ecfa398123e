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
    let (_folder, path) = one("s.csv", b"n,x\n1,5\n2,\n3,6\n");
    assert_says(
        open_with(text(&path), &with(1, 1)),
        &["line 3, column 'x'", "a number is needed, there is nothing"],
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

#[test]
fn the_naive_forecast() {
    let history = [1.0, 2.0, 3.0, 4.0, 5.0];
    assert_eq!(seasonal_naive(&history, 3, 7).unwrap(), [3.0, 4.0, 5.0, 3.0, 4.0, 5.0, 3.0]);
    assert_eq!(seasonal_naive(&history, 1, 2).unwrap(), [5.0, 5.0]);
    assert_eq!(seasonal_naive(&history, 5, 1).unwrap(), [1.0]);
    assert_eq!((seasonal_naive(&history, 6, 1), seasonal_naive(&history, 0, 1)), (None, None));
}
