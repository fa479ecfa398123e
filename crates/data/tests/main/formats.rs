//! The same table in every format is the same data, whatever it is for.

use std::path::PathBuf;

use thalweg_data::tabular::write::{Column, Format, Values};
use thalweg_data::{
    Dataset, Kind, Loaded, SourceOptions, Transform, open_as, open_features, open_with,
};

use crate::files::*;

fn texts(name: &str, cell: impl Fn(usize) -> String, rows: usize) -> Column {
    Column { name: name.into(), values: Values::Texts((0..rows).map(cell).collect()) }
}

fn numbers(name: &str, cell: impl Fn(usize) -> f64, rows: usize) -> Column {
    Column { name: name.into(), values: Values::Double((0..rows).map(cell).collect()) }
}

/// The table as CSV, packed CSV, JSON lines and Parquet.
fn files(columns: &[Column]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let bytes = |format: Format| format.encode(columns).unwrap();
    let csv = bytes(Format::Csv);
    let paths = vec![
        put(folder.path(), "t.csv", &csv),
        put(folder.path(), "t.csv.gz", &gz(&csv)),
        put(folder.path(), "t.jsonl", &bytes(Format::JsonLines)),
        put(folder.path(), "t.parquet", &bytes(Format::Parquet)),
    ];
    (folder, paths)
}

fn hashes(data: &Dataset) -> Vec<u64> {
    let rows: Vec<usize> = (0..data.rows()).collect();
    let mut hashes = Vec::new();
    data.hashes(&rows, |hash| hashes.push(hash)).unwrap();
    hashes
}

/// Reads the table in every format, by its own kind, and compares what comes out.
fn same(columns: &[Column], kind: Kind, options: &SourceOptions) -> Loaded {
    let (_folder, paths) = files(columns);
    let loaded: Vec<Loaded> =
        paths.iter().map(|path| open_with(text(path), options).unwrap()).collect();
    let first = &loaded[0];
    assert_eq!(first.encoding.kind(), kind);
    let classes = first.train.targets.names().unwrap_or_default();
    for (path, other) in paths.iter().zip(&loaded) {
        let name = path.display();
        assert_eq!(hashes(&other.train), hashes(&first.train), "{name}");
        assert_eq!(other.test.as_ref().map(hashes), first.test.as_ref().map(hashes), "{name}");
        assert_eq!(other.encoding, first.encoding, "{name}");
        assert_eq!(other.notes, first.notes, "{name}");
        // What learned from one format takes the others.
        let judged = open_as(text(path), &first.encoding, classes, options).unwrap();
        assert_eq!(judged.train.targets.names(), first.train.targets.names(), "{name}");
        let features = |path| open_features(text(path), &first.encoding, options).unwrap();
        assert_eq!(features(path), features(&paths[0]), "{name}");
    }
    loaded.into_iter().next().unwrap()
}

fn word(i: usize) -> String {
    let letters = b"bdfgklmnprst";
    let letter = |i: usize| letters[i % letters.len()] as char;
    format!("{}a{}o{}", letter(i), letter(i / 3), letter(i / 7 + 1))
}

#[test]
fn texts_to_classify() {
    let columns = [
        texts("review", |i| format!("{} {}", word(i), word(i * 5)), 60),
        texts("verdict", |i| ["good", "bad", ""][(i % 7) / 3].into(), 60),
    ];
    let loaded = same(&columns, Kind::Text, &SourceOptions::default());
    assert_eq!(loaded.notes, ["8 of 60 rows are left out: nothing in column 'verdict'"]);
    let test = SourceOptions { test: Some("crc32".parse().unwrap()), ..Default::default() };
    let loaded = same(&columns, Kind::Text, &test);
    assert!(loaded.test.is_some_and(|test| test.rows() > 3));

    let columns = [
        texts("review", |i| format!("{} {}", word(i), word(i * 5)), 60),
        numbers("stars", |i| [-1.5, 2.0, 0.0, f64::NAN][i % 4], 60),
    ];
    let sign = SourceOptions { transform: Some(Transform::Sign), ..Default::default() };
    let loaded = same(&columns, Kind::Text, &sign);
    assert_eq!((loaded.train.rows(), loaded.notes.len()), (30, 2));
}

#[test]
fn spaces_around_cells_mean_nothing() {
    let columns = [
        texts("colour", |i| [" red", "blue ", "  green "][i % 3].into(), 60),
        numbers("size", |i| (i * i % 17) as f64 * 0.5, 60),
        texts("kind", |i| [" a", "b "][i % 5 / 3].into(), 60),
    ];
    let options = SourceOptions { target: Some("kind".into()), ..Default::default() };
    let loaded = same(&columns, Kind::Table, &options);
    assert_eq!(loaded.train.targets.names(), Some(&["a".to_string(), "b".to_string()][..]));
}

#[test]
fn ratings() {
    let columns = [
        numbers("user_id", |i| (i % 9) as f64, 80),
        texts("movie_id", |i| word(i % 13), 80),
        texts("day", |i| ["mon", "tue"][i % 2].into(), 80),
        numbers("rating", |i| [1.0, 2.5, 5.0, f64::NAN][i % 4], 80),
    ];
    let loaded = same(&columns, Kind::Ratings, &SourceOptions::default());
    assert_eq!((loaded.train.rows(), loaded.train.features.shape()), (60, &[3][..]));
    let test = SourceOptions { test: Some("user_id=3,4".parse().unwrap()), ..Default::default() };
    assert!(same(&columns, Kind::Ratings, &test).test.is_some());
}

#[test]
fn series() {
    let columns = [
        texts("month", |i| format!("{}-{:02}-01", 1990 + i / 12, i % 12 + 1), 120),
        numbers("count", |i| (i % 12) as f64 + 0.25 * i as f64, 120),
    ];
    let loaded = same(&columns, Kind::Series, &SourceOptions::default());
    assert_eq!(loaded.train.rows(), 120 - 36 + 1);
}

#[test]
fn pairs() {
    let columns = [
        texts("english", |i| format!("{} {}", word(i), word(i + 1)), 40),
        texts("other", |i| format!("{} {}", word(i + 2), word(i + 3)), 40),
    ];
    let options =
        SourceOptions { kind: Some(Kind::Pairs), header: Some(true), ..Default::default() };
    assert_eq!(same(&columns, Kind::Pairs, &options).train.rows(), 40);
    // Files that name their columns need no word about it, and say nothing of those that do not.
    let (_folder, paths) = files(&columns);
    let bare = SourceOptions { kind: Some(Kind::Pairs), ..Default::default() };
    let loaded = open_with(text(&paths[3]), &bare).unwrap();
    assert_eq!(loaded.train.rows(), 40);
    let (_folder, new) = one("new.tsv", b"bad dad\tx\nbad dad\tx\n");
    let features = open_features(text(&new), &loaded.encoding, &bare).unwrap();
    assert_eq!(features.rows(), 2);
}

#[test]
fn a_table_without_rows_is_an_error_in_every_format() {
    let columns = [texts("a", |_| String::new(), 0), texts("b", |_| String::new(), 0)];
    let (_folder, paths) = files(&columns);
    for (path, said) in paths.iter().zip(["no row", "no row", "empty", "no row"]) {
        for kind in [None, Some(Kind::Text), Some(Kind::Ratings), Some(Kind::Series)] {
            let options = SourceOptions { kind, ..Default::default() };
            assert_says(open_with(text(path), &options), &["t.", said]);
        }
    }
}
