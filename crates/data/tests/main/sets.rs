//! Folders of IDX files: which are found, and what is said when their parts do not fit.

use thalweg_data::{DataError, Dataset, Loaded, Raw, Targets, open};

use crate::files::*;

fn open_set(folder: &tempfile::TempDir) -> Result<Loaded, DataError> {
    open(text(folder.path()))
}

fn labels_of(data: &Dataset) -> &[i64] {
    match &data.targets {
        Targets::Classes { labels, .. } => labels,
        _ => panic!("classes were expected"),
    }
}

#[test]
fn a_set_with_a_test_part() {
    let folder = set();
    let Loaded { train, test, attribution, .. } = open_set(&folder).unwrap();
    let test = test.unwrap();
    assert_eq!(attribution, None);
    assert_eq!(train.name, folder.path().file_name().unwrap().to_str().unwrap());
    assert_eq!(test.name, format!("{}-test", train.name));
    assert_eq!((train.rows(), train.features.shape(), train.features.width()), (6, &[2, 3][..], 6));
    assert_eq!(train.features.full_scale(), 255.0);
    assert_eq!(train.features.raw(), &Raw::U8((0..36).collect()));
    assert_eq!(labels_of(&train), [0, 1, 2, 2, 1, 0]);
    assert_eq!(labels_of(&test), [2, 0]);
    assert_eq!(train.targets.width(), 3);
    let Targets::Classes { names, .. } = &test.targets else { panic!("classes were expected") };
    assert_eq!(names, &["0", "1", "2"], "the test part has the classes of the training part");
}

#[test]
fn gz_and_dotted_names_are_found_and_plain_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "train-images.idx3-ubyte", &images(2));
    put(folder.path(), "train-labels-idx1-ubyte.gz", &gz(&labels(&[1, 0])));
    // Some archives unpack to a folder of the file's own name.
    std::fs::create_dir(folder.path().join(TRAIN_IMAGES)).unwrap();
    let Loaded { train, test, .. } = open_set(&folder).unwrap();
    assert_eq!(labels_of(&train), [1, 0]);
    assert_eq!(test, None);

    put(folder.path(), TRAIN_LABELS, &labels(&[0, 1]));
    assert_eq!(labels_of(&open_set(&folder).unwrap().train), [0, 1], "plain before .gz");
}

#[test]
fn all_element_types_become_features() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), TRAIN_LABELS, &labels(&[0, 1]));
    let read = |code, bytes: &[u8]| {
        put(folder.path(), TRAIN_IMAGES, &idx(code, &[2, 1], bytes));
        open_set(&folder).unwrap().train.features
    };
    for (code, bytes, expected) in [
        (0x09, vec![7, 255], [7.0, -1.0]),
        (0x0b, vec![1, 0, 255, 255], [256.0, -1.0]),
        (0x0c, vec![0, 1, 0, 0, 255, 255, 255, 255], [65_536.0, -1.0]),
        (0x0d, [0.25f32, -3.5].map(f32::to_be_bytes).concat(), [0.25, -3.5]),
        (0x0e, [0.25f64, -3.5].map(f64::to_be_bytes).concat(), [0.25, -3.5]),
    ] {
        let features = read(code, &bytes);
        assert_eq!(features.raw(), &Raw::F32(expected.to_vec()), "type {code:#x}");
        assert_eq!(features.full_scale(), 1.0);
    }
}

#[test]
fn values_that_are_not_finite_are_named() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), TRAIN_LABELS, &labels(&[0, 1]));
    let f32s = [1.0, 2.0, 3.0, f32::NAN].map(f32::to_be_bytes).concat();
    put(folder.path(), TRAIN_IMAGES, &idx(0x0d, &[2, 2], &f32s));
    assert_says(open_set(&folder), &[TRAIN_IMAGES, "byte 24", "sample 1 holds NaN"]);
    let f64s = [1.0, f64::NEG_INFINITY, 3.0, 4.0].map(f64::to_be_bytes).concat();
    put(folder.path(), TRAIN_IMAGES, &idx(0x0e, &[2, 2], &f64s));
    assert_says(open_set(&folder), &["byte 20", "sample 0 holds -inf"]);
    let f64s = [1.0, 2.0, 1e300, 4.0].map(f64::to_be_bytes).concat();
    put(folder.path(), TRAIN_IMAGES, &idx(0x0e, &[2, 2], &f64s));
    assert_says(open_set(&folder), &["byte 28", "sample 1 holds 1000", "32-bit"]);
}

#[test]
fn counts_that_differ_are_both_named() {
    let folder = set();
    put(folder.path(), TRAIN_LABELS, &labels(&[0, 1, 2, 0, 1]));
    assert_says(open_set(&folder), &["6 images", TRAIN_IMAGES, "5 labels", TRAIN_LABELS]);
    let folder = set();
    put(folder.path(), TEST_LABELS, &labels(&[0, 1, 2]));
    assert_says(open_set(&folder), &["2 images", TEST_IMAGES, "3 labels", TEST_LABELS]);
}

#[test]
fn gaps_in_the_labels_are_named() {
    let folder = set();
    put(folder.path(), TRAIN_LABELS, &labels(&[0, 1, 5, 5, 1, 0]));
    assert_says(
        open_set(&folder),
        &[TRAIN_LABELS, "no training sample has label 2, 3, 4;", "up to 5"],
    );
    put(folder.path(), TRAIN_LABELS, &labels(&[1, 1, 2, 2, 1, 1]));
    assert_says(open_set(&folder), &["no training sample has label 0;"]);
    put(folder.path(), TRAIN_LABELS, &labels(&[0, 1, 200, 2, 1, 0]));
    assert_says(
        open_set(&folder),
        &["label 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 187 more; the labels go up to 200"],
    );
}

#[test]
fn labels_out_of_range_are_named() {
    let folder = set();
    put(folder.path(), TRAIN_LABELS, &idx(0x09, &[6], &[0, 1, 2, 255, 1, 0]));
    assert_says(
        open_set(&folder),
        &[TRAIN_LABELS, "byte 11", "sample 3 has label -1", "from 0 to 65535"],
    );
    let i32s = [0i32, 1, 2, 2, 1, 70_000].map(i32::to_be_bytes).concat();
    put(folder.path(), TRAIN_LABELS, &idx(0x0c, &[6], &i32s));
    assert_says(open_set(&folder), &["byte 28", "sample 5 has label 70000"]);

    let folder = set();
    put(folder.path(), TEST_LABELS, &labels(&[2, 3]));
    assert_says(
        open_set(&folder),
        &[TEST_LABELS, "byte 9", "sample 1 has label 3", "from 0 to 2", "classes learnt"],
    );
}

#[test]
fn swapped_or_wrong_files_are_named() {
    let folder = set();
    put(folder.path(), TRAIN_IMAGES, &labels(&[0, 1, 2, 2, 1, 0]));
    assert_says(
        open_set(&folder),
        &[TRAIN_IMAGES, "images need two axes or more", "is 6 of u8", "swapped"],
    );
    let folder = set();
    put(folder.path(), TRAIN_LABELS, &images(6));
    assert_says(open_set(&folder), &[TRAIN_LABELS, "labels need one axis", "6 × 2 × 3 of u8"]);
    put(folder.path(), TRAIN_LABELS, &idx(0x0d, &[1], &[0; 4]));
    assert_says(open_set(&folder), &["whole numbers", "1 of f32"]);
}

#[test]
fn train_and_test_must_look_alike() {
    let folder = set();
    put(folder.path(), TEST_IMAGES, &idx_u8(&[2, 3, 2], &[0; 12]));
    assert_says(
        open_set(&folder),
        &["train samples are 2 × 3 u8", "test samples are 3 × 2 u8", TEST_IMAGES],
    );
    put(folder.path(), TEST_IMAGES, &idx(0x0d, &[2, 2, 3], &[0; 48]));
    assert_says(open_set(&folder), &["2 × 3 u8", "2 × 3 f32"]);
}

#[test]
fn missing_files_are_named() {
    for (gone, wanted) in [
        (TRAIN_IMAGES, "train-images-idx3-ubyte[.gz]"),
        (TRAIN_LABELS, "train-labels-idx1-ubyte[.gz]"),
        (TEST_IMAGES, "t10k-images-idx3-ubyte[.gz]"),
        (TEST_LABELS, "t10k-labels-idx1-ubyte[.gz]"),
    ] {
        let folder = set();
        std::fs::remove_file(folder.path().join(gone)).unwrap();
        assert_says(open_set(&folder), &[text(folder.path()), "has no file", wanted]);
    }
}

#[test]
fn damage_is_found_in_whichever_file_it_is() {
    for name in [TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS] {
        let folder = set();
        let bytes = std::fs::read(folder.path().join(name)).unwrap();
        let path = put(folder.path(), name, &bytes[..bytes.len() - 1]);
        assert_says(open_set(&folder), &[text(&path), "the file holds", "cut short"]);
    }
}
