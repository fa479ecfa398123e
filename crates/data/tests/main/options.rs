//! What may be said about a source, how it is written, and what is refused.

use thalweg_data::{
    DataError, Features, Kind, Level, Raw, Scaling, Size, SourceOptions, Standardise, Targets,
    TestRows, Transform, open_with,
};

use crate::files::*;

#[test]
fn options_are_written_as_they_are_read() {
    let options = SourceOptions {
        kind: Some(Kind::Text),
        target: Some("valence".into()),
        transform: Some(Transform::Sign),
        level: Some(Level::Word),
        test: Some("crc32".parse().unwrap()),
        size: Some(Size::Rectangle([32, 48])),
        ..Default::default()
    };
    let json = serde_json::to_string(&options).unwrap();
    let wanted = r#"{"kind":"text","target":"valence","transform":"sign","test":"crc32","level":"word","size":[32,48]}"#;
    assert_eq!(json, wanted);
    assert_eq!(serde_json::from_str::<SourceOptions>(&json).unwrap(), options);
    assert_eq!(serde_json::from_str::<SourceOptions>("{}").unwrap(), SourceOptions::default());
    let square: SourceOptions = serde_json::from_str(r#"{"size": 32}"#).unwrap();
    assert_eq!(square.size.map(Size::pixels), Some([32, 32]));
    let error = serde_json::from_str::<SourceOptions>(r#"{"test": "speaker"}"#).unwrap_err();
    assert!(error.to_string().contains("FIELD=VALUE"), "{error}");
}

#[test]
fn names_of_kinds_and_rows() {
    for kind in Kind::ALL {
        assert_eq!(kind.to_string().parse::<Kind>().unwrap(), kind);
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
    }
    assert_says("image".parse::<Kind>(), &["'image' is no kind", "did you mean 'images'?"]);
    let rows: TestRows = " take = 0, 1 ".parse().unwrap();
    assert_eq!(rows.to_string(), "take=0,1");
    for bad in ["", "crc", "=x"] {
        assert_says(bad.parse::<TestRows>(), &["names no rows", "crc32"]);
    }
}

#[test]
fn what_means_nothing_is_refused() {
    let folder = tree(&[("t.txt", "abcabcabcabcabcabc")]);
    let path = folder.path().join("t.txt");
    let refused = |options: SourceOptions, said: &[&str]| {
        assert_says::<thalweg_data::Loaded>(open_with(text(&path), &options), said);
    };
    let none = SourceOptions::default;
    refused(
        SourceOptions { horizon: Some(3), ..none() },
        &["horizon", "kind 'language'", "series"],
    );
    refused(SourceOptions { mels: Some(3), ..none() }, &["mels", "it is for audio"]);
    refused(SourceOptions { window: Some(0), ..none() }, &["window", "it is 0"]);
    let crc32 = SourceOptions { test: Some(TestRows::Crc32), ..none() };
    refused(crc32.clone(), &["option test"]);
    assert_says(open_with("digits", &crc32), &["option test", "kind 'idx'"]);
    let audio = SourceOptions { kind: Some(Kind::Audio), ..none() };
    assert_says(open_with("digits", &audio), &["option kind", "'digits' is of kind 'idx'"]);
    assert_says(open_with(text(folder.path()), &audio), &["the one file in it is no .wav file"]);
}

#[test]
fn zips_that_are_none() {
    let files = [("a/1.txt", "ab".repeat(500)), ("b/1.txt", "cd".repeat(500))];
    let zip = zipped(&files);
    for bytes in [&b""[..], b"PK\x03\x04", &zip[..zip.len() / 2]] {
        let (_folder, path) = one("set.zip", bytes);
        let options = SourceOptions { kind: Some(Kind::Language), ..Default::default() };
        assert_says(open_with(text(&path), &options), &["the zip cannot be opened"]);
    }
    let mut damaged = zip.clone();
    damaged[40..50].fill(0xff);
    let (_folder, path) = one("set.zip", &damaged);
    let options = SourceOptions { kind: Some(Kind::Language), ..Default::default() };
    assert_says(
        open_with(text(&path), &options),
        &[&format!("{}: a/1.txt: the entry cannot be read", path.display())],
    );
}

#[test]
fn ids_are_no_numbers() {
    let ids = Features::new(Raw::I64(vec![1, 2, 3, 4, 5, 6]), vec![2]).unwrap();
    assert!(ids.is_ids());
    let mut out = [0; 4];
    ids.fill_ids(&[2, 0], &mut out).unwrap();
    assert_eq!(out, [5, 6, 1, 2]);
    assert_says(ids.fill_ids(&[3], &mut out[..2]), &["row 3", "3 rows"]);
    assert_says(ids.fill_ids(&[0], &mut out), &["buffer for ids", "need 2"]);
    let scaling = Scaling::fit(&ids, &[0, 1], Standardise::Global).unwrap();
    assert_eq!((scaling.mean[0], scaling.std[0]), (0.0, 1.0));
    let refused: Result<(), DataError> = ids.fill(&[0], &scaling, &mut [0.0; 2]);
    assert_says(refused, &["numbers were asked for, but the features are ids"]);
    let numbers = Features::new(Raw::U8(vec![1, 2]), vec![2]).unwrap();
    assert_says(numbers.fill_ids(&[0], &mut out[..2]), &["ids were asked for"]);
}

#[test]
fn sequences_fill_a_label_for_each_place() {
    let names = vec!["a".into(), "b".into()];
    let targets = Targets::Sequence { labels: vec![0, 1, 1, 0, 0, 0], length: 2, names };
    assert_eq!((targets.rows(), targets.width()), (3, 2));
    let mut out = [9; 4];
    targets.fill_classes(&[1, 0], &mut out).unwrap();
    assert_eq!(out, [1, 0, 0, 1]);
    assert_says(targets.fill_classes(&[3], &mut out[..2]), &["row 3"]);
    assert_says(targets.fill_classes(&[0], &mut out), &["labels", "need 2"]);
}

#[test]
fn images_with_an_axis_for_the_channel() {
    let image = |shape: &[usize]| Features::new(Raw::U8(vec![7; 12]), shape.to_vec()).unwrap();
    assert_eq!(image(&[2, 3]).with_channel_axis().shape(), [1, 2, 3]);
    assert_eq!(image(&[2, 3]).with_channel_axis().rows(), 2);
    assert_eq!(image(&[1, 2, 3]).with_channel_axis().shape(), [1, 2, 3]);
    assert_eq!(image(&[6]).with_channel_axis().shape(), [6]);
}
