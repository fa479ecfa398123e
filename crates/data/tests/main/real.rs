//! Real sets, where the checkout has them beside it.

use std::path::PathBuf;

use thalweg_data::{Raw, Scaling, Standardise, Targets, open};

use crate::files::text;

/// The path of a shared file, or `None` with a line that says what is skipped.
fn shared(name: &str) -> Option<PathBuf> {
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
