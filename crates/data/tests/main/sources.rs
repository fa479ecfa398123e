//! What the user may type, and what is said where it leads nowhere.

use thalweg_data::{
    DataError, Dataset, EMBEDDED, Encoding, Features, IGNORED, Kind, Loaded, Raw, SourceOptions,
    Targets, open, open_as, open_features, open_with,
};

use crate::files::*;

fn features_of(spec: &str) -> Result<Features, DataError> {
    open_features(spec, &Encoding::Values, &SourceOptions::default())
}

fn known(spec: &str, classes: &[String]) -> Result<Loaded, DataError> {
    open_as(spec, &Encoding::Values, classes, &SourceOptions::default())
}

#[test]
fn the_embedded_digits() {
    let loaded = open("digits").unwrap();
    let data = &loaded.train;
    assert_eq!(loaded.test, None);
    assert!(loaded.attribution.unwrap().contains("CC BY 4.0"));
    assert_eq!(
        (data.rows(), data.features.shape(), data.features.full_scale()),
        (1797, &[8, 8][..], 16.0)
    );
    let Raw::U8(pixels) = data.features.raw() else { panic!("bytes were expected") };
    assert_eq!(pixels.iter().map(|&p| u32::from(p)).sum::<u32>(), 561_718);
    assert_eq!(pixels.iter().max(), Some(&16));
    assert_eq!(pixels[..8], [0, 0, 5, 13, 9, 1, 0, 0]);
    let Targets::Classes { labels, names } = &data.targets else { panic!("classes were expected") };
    let counts: Vec<usize> = (0..10).map(|d| labels.iter().filter(|&&l| l == d).count()).collect();
    assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    assert_eq!(names.join(""), "0123456789");
    assert_eq!(features_of("digits").unwrap(), data.features);
}

#[test]
fn every_embedded_set_opens_and_says_whose_it_is() {
    for set in EMBEDDED {
        let loaded = open(set.name).unwrap();
        assert_eq!(loaded.train.name, set.name);
        assert_eq!(loaded.attribution, Some(set.attribution));
        assert!(!set.about.is_empty() && !set.attribution.is_empty());
    }
}

#[test]
fn an_unknown_name_gets_the_nearest_one() {
    assert_says(
        open("digit"),
        &["named 'digit'", "did you mean 'digits'?", "embedded sets: digits"],
    );
    assert_says(open("Digits"), &["did you mean 'digits'?"]);
    assert_says(open(""), &["named ''", "embedded sets: digits"]);
    let error = open("/no/such/place/titanic").unwrap_err().to_string();
    assert!(!error.contains("did you mean"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("mnist")).unwrap();
    let near = folder.path().join("mnist");
    assert_says(
        open(text(&folder.path().join("minst"))),
        &[&format!("did you mean '{}'?", near.display())],
    );
    assert_says(features_of("digist"), &["did you mean 'digits'?"]);
}

#[test]
fn kinds_that_are_not_read_today_are_named() {
    let folder = tempfile::tempdir().unwrap();
    assert_says(
        open(text(folder.path())),
        &[text(folder.path()), "there is no file in it", "IDX", "digits"],
    );
    let odd = put(folder.path(), "table.xls", b"a,b\n1,2\n");
    let wanted =
        [text(&odd), "not a kind of data that is read today", "a .xls file", "WAV", "digits"];
    assert_says(open(text(&odd)), &wanted);
    assert_says(features_of(text(&odd)), &[text(&odd), "two zero bytes", "61 2c 62 0a"]);
    put(folder.path(), "zebra.mp3", b"");
    assert_says(open(text(folder.path())), &["2 files", "'table.xls' first"]);
    assert_says(features_of(text(folder.path())), &["has no file train-images-idx3-ubyte[.gz]"]);
    let unnamed = put(folder.path(), "noname", b"");
    assert_says(open(text(&unnamed)), &["without an extension"]);
    assert_says(open(text(&odd.join("below"))), &["cannot read", "below"]);
    let stars = folder.path().join("*.wav");
    assert_says(open(text(&stars)), &["there is no file in it"]);
    let options = SourceOptions { kind: Some(Kind::Idx), ..Default::default() };
    assert_says(open_with(text(&odd), &options), &["which part of an IDX set"]);
    #[cfg(unix)]
    assert_says(open("/dev/null"), &["/dev/null is not a plain file"]);
}

#[test]
fn a_single_file_stands_for_its_pair() {
    let folder = set();
    let name = folder.path().file_name().unwrap().to_str().unwrap();
    for file in [TEST_IMAGES, TEST_LABELS] {
        // The classes of a pair alone are its own: rewrite the labels so that they have no gap.
        put(folder.path(), TEST_LABELS, &labels(&[1, 0]));
        let loaded = open(text(&folder.path().join(file))).unwrap();
        assert_eq!((loaded.train.rows(), loaded.train.name.as_str(), loaded.test), (2, name, None));
    }
    std::fs::remove_file(folder.path().join(TEST_LABELS)).unwrap();
    let alone = folder.path().join(TEST_IMAGES);
    assert_says(open(text(&alone)), &["has no file t10k-labels-idx1-ubyte[.gz]"]);
    assert_eq!(features_of(text(&alone)).unwrap().rows(), 2);
}

#[test]
fn features_need_no_labels() {
    let folder = set();
    for file in [TRAIN_LABELS, TEST_LABELS] {
        std::fs::remove_file(folder.path().join(file)).unwrap();
    }
    assert_eq!(features_of(text(folder.path())).unwrap().rows(), 2, "the test part");
    std::fs::remove_file(folder.path().join(TEST_IMAGES)).unwrap();
    assert_eq!(features_of(text(folder.path())).unwrap().rows(), 6, "the training part");
    let odd_name = put(folder.path(), "mine.bin", &images(4));
    assert_eq!(features_of(text(&odd_name)).unwrap().rows(), 4);
}

#[test]
fn parts_that_do_not_fit_make_no_set() {
    let features = || Features::new(Raw::F32(vec![1.0; 6]), vec![3]).unwrap();
    let classes = |labels: &[i64]| Targets::Classes {
        labels: labels.into(),
        names: vec!["a".into(), "b".into()],
    };
    assert!(Dataset::new("x", features(), classes(&[0, 1])).is_ok());
    assert_says(
        Dataset::new("x", features(), classes(&[0])),
        &["'x'", "2 rows of features and 1 of targets"],
    );
    assert_says(
        Dataset::new("x", features(), classes(&[0, 2])),
        &["row 1 has label 2", "2 classes"],
    );
    assert_says(Dataset::new("x", features(), classes(&[-1, 0])), &["row 0 has label -1"]);
    let values = |values: &[f32], dims| Targets::Values { values: values.into(), dims };
    assert!(Dataset::new("x", features(), values(&[0.0; 4], 2)).is_ok());
    assert_says(
        Dataset::new("x", features(), values(&[0.0; 5], 2)),
        &["5 target values", "rows of 2"],
    );
    assert_says(Dataset::new("x", features(), values(&[], 0)), &["rows of 0"]);
    assert_says(
        Dataset::new("x", features(), values(&[0.0, f32::NAN], 1)),
        &["target of row 1 is NaN"],
    );
    let sequence = |labels: &[i64], length| Targets::Sequence {
        labels: labels.into(),
        length,
        names: vec!["a".into(), "b".into()],
    };
    assert!(Dataset::new("x", features(), sequence(&[0, 1, IGNORED, 1], 2)).is_ok());
    assert_says(
        Dataset::new("x", features(), sequence(&[0, 1, 2, 0], 2)),
        &["row 1 has label 2", "2 classes"],
    );
    assert_says(Dataset::new("x", features(), sequence(&[0; 5], 2)), &["5 labels", "rows of 2"]);
    assert_says(Dataset::new("x", features(), sequence(&[], 0)), &["rows of 0"]);

    assert_says(Features::new(Raw::U8(vec![1; 7]), vec![3]), &["7 values", "samples of 3"]);
    assert_says(Features::new(Raw::U8(vec![]), vec![3]), &["0 values"]);
    assert_says(Features::new(Raw::U8(vec![1]), vec![]), &["[] is no shape"]);
    assert_says(Features::new(Raw::U8(vec![1]), vec![2, 0]), &["[2, 0] is no shape"]);
    assert_says(Features::new(Raw::U8(vec![1]), vec![usize::MAX, 2]), &["is no shape"]);
    assert_says(Features::new(Raw::F32(vec![0.0, f32::INFINITY]), vec![1]), &["row 1 holds inf"]);
    assert_says(
        Features::new(Raw::I64(vec![0, 1, -1]), vec![1]),
        &["row 2 holds the id -1", "ids start at 0"],
    );
    assert_says(features().with_full_scale(0.0), &["full scale 0"]);
    assert_says(features().with_full_scale(f32::NAN), &["full scale NaN"]);
}

#[test]
fn a_network_brings_its_own_classes() {
    let names = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>();
    let folder = set();
    put(folder.path(), TEST_LABELS, &labels(&[2, 2]));
    let pair = folder.path().join(TEST_IMAGES);
    assert_says(open(text(&pair)), &["no training sample has label 0, 1;"]);
    let loaded = known(text(&pair), &names(5)).unwrap();
    assert_eq!(loaded.train.targets, Targets::Classes { labels: vec![2, 2], names: names(5) });
    assert_says(known(text(&pair), &names(2)), &["sample 0 has label 2", "from 0 to 1"]);
    let whole = known(text(folder.path()), &names(4)).unwrap();
    assert_eq!((whole.train.targets.width(), whole.test.unwrap().targets.width()), (4, 4));

    assert!(known("digits", &names(10)).is_ok());
    let refused = known("digits", &names(3));
    assert_says(refused, &["'digits'", "classes are 0, 1, 2, 3, 4", "the network's are 0, 1, 2\n"]);
}
