//! Real sets, where the checkout has them beside it.

use std::path::PathBuf;

use thalweg_data::{
    Kind, Raw, Scaling, SourceOptions, Standardise, Targets, Transform, open, open_with,
    seasonal_naive,
};

use crate::files::{classes, ids, text};

/// The path of a shared file, or `None` with a line that says what is skipped.
pub fn shared(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    if !path.exists() {
        eprintln!("SKIPPED: {} is not there", path.display());
        return None;
    }
    Some(path)
}

fn check(name: &str, train_rows: usize, mean: f32, std: f32) {
    let Some(folder) = shared(name) else { return };
    let loaded = open(text(&folder)).unwrap();
    let (train, test) = (loaded.train, loaded.test.unwrap());
    assert_eq!(train.name, name);
    assert_eq!((train.rows(), test.rows()), (train_rows, 10_000));
    assert_eq!((train.features.shape(), test.features.shape()), (&[28, 28][..], &[28, 28][..]));
    assert_eq!((train.targets.width(), test.targets.width()), (10, 10));
    let rows: Vec<usize> = (0..train.rows()).collect();
    let scaling = Scaling::fit(&train.features, &rows, Standardise::Global).unwrap();
    let near = |a: f32, b: f32| (a - b).abs() < 0.01;
    assert!(near(scaling.mean[0], mean) && near(scaling.std[0], std), "{scaling:?}");
}

/// The figures everybody uses for MNIST (of all 60,000 images; ours is a part): 0.1307 and 0.3081.
#[test]
fn mnist() {
    check("mnist", 10_000, 0.1307, 0.3081);
}

/// The figures everybody uses for Fashion-MNIST: 0.2860 and 0.3530.
#[test]
fn fashion_mnist() {
    check("fashion-mnist", 60_000, 0.2860, 0.3530);
}

#[test]
fn embedded_digits_are_the_table() {
    let Some(path) = shared("tables/digits.csv") else { return };
    let table = std::fs::read_to_string(path).unwrap();
    let cells: Vec<Vec<u8>> = table
        .lines()
        .map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect())
        .collect();
    let pixels: Vec<u8> = cells.iter().flat_map(|row| row[..64].iter().copied()).collect();
    let digits: Vec<i64> = cells.iter().map(|row| row[64].into()).collect();
    let data = open("digits").unwrap().train;
    assert_eq!(data.features.raw(), &Raw::U8(pixels));
    let Targets::Classes { labels, .. } = data.targets else { panic!("classes were expected") };
    assert_eq!(labels, digits);
}

#[test]
fn spoken_digits() {
    let Some(zip) = shared("audio/fsdd_1800.zip") else { return };
    let with = |test: &str| SourceOptions {
        label_pattern: Some("{label}_{speaker}_{take}.wav".into()),
        test: Some(test.parse().unwrap()),
        ..Default::default()
    };
    let loaded = open_with(text(&zip), &with("take=0,1,2,3,4")).unwrap();
    let test = loaded.test.unwrap();
    assert_eq!((loaded.train.rows(), test.rows()), (1500, 300));
    assert_eq!(loaded.train.features.shape()[..2], [1, 40]);
    let (labels, names) = classes(&test.targets);
    assert_eq!(names.concat(), "0123456789");
    assert!((0..10).all(|digit| labels.iter().filter(|&&label| label == digit).count() == 30));
    let speakers: std::collections::BTreeSet<&String> = loaded.fields["speaker"].iter().collect();
    assert_eq!(speakers.len(), 6);
    let unheard = open_with(text(&zip), &with("speaker=theo")).unwrap();
    assert_eq!(unheard.test.unwrap().rows(), 300);
    assert!(!unheard.fields["speaker"].contains(&"theo".into()));
}

#[test]
fn scripts() {
    let Some(zip) = shared("images/scripts5.zip") else { return };
    let loaded = open(text(&zip)).unwrap();
    let test = loaded.test.unwrap();
    assert_eq!((loaded.train.rows(), test.rows()), (2176, 544));
    assert_eq!(test.features.shape(), [1, 64, 64]);
    let (labels, names) = classes(&test.targets);
    assert_eq!(names, ["Balinese", "Early_Aramaic", "Greek", "Korean", "Latin"]);
    let counts = (0..5).map(|class| labels.iter().filter(|&&label| label == class).count());
    assert_eq!(counts.collect::<Vec<_>>(), [96, 88, 96, 160, 104]);
    let Raw::U8(pixels) = test.features.raw() else { panic!("bytes were expected") };
    // Black ink on white.
    let white = pixels.iter().filter(|&&pixel| pixel > 200).count() as f64 / pixels.len() as f64;
    assert!((0.8..0.98).contains(&white), "{white}");
}

#[test]
fn novels() {
    let Some(folder) = shared("text") else { return };
    let loaded = open(text(&folder.join("*.txt"))).unwrap();
    let parts = loaded.parts.unwrap();
    // Characters of the three novels, which are ASCII: 466,854 + 684,768 + 673,688.
    let (labels, names) = classes(&loaded.train.targets);
    let judged = |rows: &[usize]| {
        let rows = rows.iter().flat_map(|row| &labels[row * 128..(row + 1) * 128]);
        rows.filter(|&&label| label >= 0).count()
    };
    let valid = 46_685 + 68_476 + 67_368;
    // Each token is judged once but the first one of each part of each novel.
    assert_eq!(judged(&parts.valid), valid - 3);
    assert_eq!(judged(&parts.train), 466_854 + 684_768 + 673_688 - valid - 3);
    assert_eq!((names[0], names.len()), ("<unknown>", 80));
}

#[test]
fn names_and_sentences() {
    let Some(folder) = shared("text") else { return };
    // The counts are those of Python's zlib.crc32(line) % 5 == 0.
    let crc32 = SourceOptions { test: Some("crc32".parse().unwrap()), ..Default::default() };
    let names = open_with(text(&folder.join("names_by_language.csv")), &crc32).unwrap();
    let test = names.test.unwrap();
    assert_eq!((names.train.rows(), test.rows(), test.targets.width()), (18_165, 4_446, 21));
    let options =
        SourceOptions { target: Some("2".into()), transform: Some(Transform::Sign), ..crc32 };
    for (name, train, test, positive) in SENTIMENT {
        let file = folder.join(format!("sentiment/{name}_GroundTruth.txt"));
        let loaded = open_with(text(&file), &options).unwrap();
        let held_out = loaded.test.unwrap();
        assert_eq!((loaded.train.rows(), held_out.rows()), (*train, *test), "{name}");
        let count = |targets| classes(targets).0.iter().filter(|&&label| label == 1).count();
        assert_eq!(count(&loaded.train.targets) + count(&held_out.targets), *positive, "{name}");
        let padded = ids(&loaded.train.features).iter().filter(|&&id| id == 0).count();
        assert!(padded < ids(&loaded.train.features).len() * 3 / 4, "{padded}");
    }
}

/// Name, training rows, test rows, positive rows.
const SENTIMENT: &[(&str, usize, usize, usize)] = &[
    ("movieReviewSnippets", 8_470, 2_098, 5_242),
    ("amazonReviewSnippets", 2_893, 717, 2_128),
    ("tweets", 3_301, 895, 2_897),
];

#[test]
fn lecturers() {
    let Some(table) = shared("ratings/insteval.csv") else { return };
    let options = SourceOptions {
        kind: Some(Kind::Ratings),
        user: Some("student".into()),
        item: Some("lecturer".into()),
        ..Default::default()
    };
    let loaded = open_with(text(&table), &options).unwrap();
    assert_eq!(
        (loaded.train.rows(), loaded.encoding.ids()),
        (73_421, vec![2_973, 1_129, 5, 7, 3, 15])
    );
    let Targets::Values { values, dims: 1 } = &loaded.train.targets else { panic!("ratings") };
    assert!(values.iter().all(|value| (1.0..=5.0).contains(value)));
}

/// The seasonal-naive forecast of the test part, walking forward, against the same in Python.
#[test]
fn series_of_months_and_years() {
    for (name, season, rows, wanted) in
        [("airline_passengers", 12, 17, 50.797_561), ("sunspots", 11, 50, 38.854_322)]
    {
        let Some(table) = shared(&format!("timeseries/{name}.csv")) else { return };
        let loaded = open(text(&table)).unwrap();
        let (parts, data) = (loaded.parts.unwrap(), loaded.train);
        assert_eq!(parts.test.len(), rows);
        let Raw::F32(windows) = data.features.raw() else { panic!("numbers were expected") };
        let Targets::Values { values, dims: 12 } = &data.targets else { panic!("12 numbers") };
        let mut squares = 0.0;
        for row in &parts.test {
            let naive = seasonal_naive(&windows[row * 24..(row + 1) * 24], season, 12).unwrap();
            let truth = &values[row * 12..(row + 1) * 12];
            squares += naive.iter().zip(truth).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
        }
        let rmse = (squares / (12 * rows) as f64).sqrt();
        assert!((rmse - wanted).abs() < 1e-3, "{name}: {rmse}, not {wanted}");
    }
}
