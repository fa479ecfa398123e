//! How the rows of a table are dealt out to parts, and files that columns name.

use std::collections::BTreeSet;
use std::path::Path;

use thalweg_data::tabular::Deal;
use thalweg_data::{Encoding, Loaded, SourceOptions, Split, Targets, open_dealt, open_with};

use crate::files::*;

/// Rows of three classes with 100, 50 and 7 rows, mixed; a group of three rows each; a day each.
fn mixed() -> (tempfile::TempDir, std::path::PathBuf) {
    let class = |i: usize| match i {
        i if i % 22 == 5 => "rare",
        i if i % 3 == 0 => "some",
        _ => "many",
    };
    let rows: String = (0..157)
        .map(|i| {
            let day = (i * 37) % 157;
            let (month, day) = (day / 28 + 1, day % 28 + 1);
            format!("{},g{},2024-{month:02}-{day:02},{}\n", i * 7 % 13, i / 3, class(i))
        })
        .collect();
    one("mixed.csv", format!("x,g,day,y\n{rows}").as_bytes())
}

fn dealt(path: &Path, options: SourceOptions, seed: u64) -> Loaded {
    open_dealt(text(path), &options, &Deal { seed, ..Deal::default() }).unwrap()
}

fn parts(loaded: &Loaded) -> &Split {
    loaded.parts.as_ref().unwrap()
}

#[test]
fn classes_have_their_shares_and_the_seed_decides() {
    let (_folder, path) = mixed();
    let loaded = dealt(&path, SourceOptions::default(), 1);
    let Targets::Classes { labels, names } = &loaded.train.targets else { panic!() };
    assert_eq!(names, &["many", "rare", "some"]);
    let counts = |rows: &[usize]| {
        [0, 1, 2].map(|class| rows.iter().filter(|&&row| labels[row] == class).count())
    };
    let split = parts(&loaded);
    let all = [counts(&split.train), counts(&split.valid), counts(&split.test)];
    for class in 0..3 {
        let n: usize = all.iter().map(|part| part[class]).sum();
        for (part, share) in [(0, 0.7), (1, 0.1), (2, 0.2)] {
            let off = all[part][class] as f64 - n as f64 * share;
            // A deck that is not full may lack two cards or hold two too many.
            assert!(off.abs() <= 2.1, "{all:?}");
        }
        assert!(all[0][class] > 0);
    }
    let mut rows = [&split.train[..], &split.valid, &split.test].concat();
    rows.sort_unstable();
    assert_eq!(rows, (0..157).collect::<Vec<_>>());
    assert_eq!(&dealt(&path, SourceOptions::default(), 1), &loaded);
    assert_ne!(parts(&dealt(&path, SourceOptions::default(), 2)), split);
}

#[test]
fn whole_decks_give_exact_shares() {
    let rows: String = (0..400).map(|i| format!("{},{}\n", i % 17, ["a", "b"][i % 2])).collect();
    let (_folder, path) = one("even.csv", format!("x,y\n{rows}").as_bytes());
    let deal = Deal { valid: Some(0.25), test: Some(0.25), seed: 3 };
    let loaded = open_dealt(text(&path), &SourceOptions::default(), &deal).unwrap();
    let Targets::Classes { labels, .. } = &loaded.train.targets else { panic!() };
    for (part, rows) in
        [(&parts(&loaded).valid, 50), (&parts(&loaded).test, 50), (&parts(&loaded).train, 100)]
    {
        for class in 0..2 {
            assert_eq!(part.iter().filter(|&&row| labels[row] == class).count(), rows);
        }
    }
}

#[test]
fn groups_stay_together() {
    let (_folder, path) = mixed();
    for seed in 0..5 {
        let options = SourceOptions { group: Some("g".into()), ..Default::default() };
        let loaded = dealt(&path, options, seed);
        let split = parts(&loaded);
        let groups = |rows: &[usize]| rows.iter().map(|row| row / 3).collect::<BTreeSet<_>>();
        let [train, valid, test] =
            [&split.train, &split.valid, &split.test].map(|rows| groups(rows));
        assert!(train.is_disjoint(&valid) && train.is_disjoint(&test) && valid.is_disjoint(&test));
        assert_eq!(train.len() + valid.len() + test.len(), 53);
        let column = loaded.columns.iter().find(|column| column.name == "g").unwrap();
        assert_eq!(
            (column.kind.as_str(), column.reason.as_str()),
            ("dropped", "rows are grouped by it")
        );
    }
}

#[test]
fn the_latest_rows_are_for_the_test() {
    let (_folder, path) = mixed();
    let options = SourceOptions { time_col: Some("day".into()), ..Default::default() };
    let loaded = dealt(&path, options, 0);
    let day = |row: &usize| (row * 37) % 157;
    let ends =
        |rows: &[usize]| (rows.iter().map(day).min().unwrap(), rows.iter().map(day).max().unwrap());
    let split = parts(&loaded);
    assert_eq!(
        [ends(&split.train), ends(&split.valid), ends(&split.test)],
        [(0, 109), (110, 125), (126, 156)]
    );
}

#[test]
fn parts_may_be_files_of_their_own() {
    let (_folder, path) = mixed();
    let (_test, test) = one("test.csv", b"day,y,x,g\n2030-01-01,rare,500,h\n2030-01-02,many,1,h\n");
    let options = SourceOptions { test_file: Some(text(&test).into()), ..Default::default() };
    let loaded = dealt(&path, options.clone(), 0);
    let split = parts(&loaded);
    assert_eq!((split.test.as_slice(), loaded.train.rows()), (&[157, 158][..], 159));
    assert_eq!(loaded.fractions.unwrap().test, 0.0);
    // Nothing of the test enters what was found out.
    let with = dealt(&path, options, 0);
    let Encoding::Table(table) = &with.encoding else { panic!() };
    assert!(!serde_json::to_string(table).unwrap().contains("2030"));
    let (_bad, bad) = one("test.csv", b"day,y,xx,g\n2030-01-01,rare,500,h\n");
    let options = SourceOptions { test_file: Some(text(&bad).into()), ..Default::default() };
    assert_says(open_with(text(&path), &options), &["test.csv: there is no column 'x'"]);
    let both = Deal { test: Some(0.2), ..Deal::default() };
    let options = SourceOptions { test_file: Some(text(&test).into()), ..Default::default() };
    assert_says(
        open_dealt(text(&path), &options, &both),
        &["the test rows are named, and data.split.test asks for others", "data.split.test = 0"],
    );
}

#[test]
fn named_rows_are_for_the_test() {
    let (_folder, path) = mixed();
    let options = SourceOptions {
        test: Some("x=3,5".parse().unwrap()),
        kind: Some(thalweg_data::Kind::Table),
        ..Default::default()
    };
    let loaded = dealt(&path, options, 0);
    let x = |row: usize| row * 7 % 13;
    let named: Vec<usize> = (0..157).filter(|&row| [3, 5].contains(&x(row))).collect();
    assert_eq!(parts(&loaded).test, named);
}

#[test]
fn few_rows_leave_parts_without_rows() {
    let (_folder, path) = one("few.csv", b"a,b,y\n1,2,u\n3,4,v\n");
    assert_says(open_with(text(&path), &SourceOptions::default()), &["split: nothing is left for"]);
}

#[test]
fn columns_may_name_images_and_recordings() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows = String::from("photo,sound,size,y\n");
    for i in 0..20u8 {
        put(folder.path(), &format!("{i}.png"), &png(2, 3, |_, _| i * 10));
        put(folder.path(), &format!("{i}.wav"), &wav(8000, 1, &[i16::from(i) * 100; 800]));
        let photo = if i == 4 { String::new() } else { format!("{i}.png") };
        rows += &format!("{photo},{i}.wav,{},{}\n", i % 3, ["a", "b"][usize::from(i % 2)]);
    }
    let path = put(folder.path(), "table.csv", rows.as_bytes());
    let loaded = dealt(&path, SourceOptions::default(), 0);
    let Encoding::Table(table) = &loaded.encoding else { panic!() };
    assert_eq!(table.layout.images, [[1, 2, 3]]);
    let [mels, frames] = table.layout.sounds[0];
    assert_eq!(loaded.train.features.width(), 1 + 6 + mels * frames);
    let mut row = vec![0.0; loaded.train.features.width()];
    let none = thalweg_data::Scaling { full_scale: 1.0, mean: vec![0.0], std: vec![1.0] };
    loaded.train.features.fill(&[3], &none, &mut row).unwrap();
    assert_eq!(row[1..7], [30.0 / 255.0; 6]);
    loaded.train.features.fill(&[4], &none, &mut row).unwrap();
    assert_eq!(row[1..7], [0.0; 6], "no image");
    assert!(row[7..].iter().all(|x| (-80.0..=0.0).contains(x)));
    put(folder.path(), "7.png", b"no image");
    assert_says(
        open_with(text(&path), &SourceOptions::default()),
        &["7.png", "the image cannot be read"],
    );
}
