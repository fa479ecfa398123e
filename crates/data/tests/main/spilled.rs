//! Rows in a temporary file are the rows that memory would hold.

use thalweg_data::{Kind, Loaded, Raw, Scaling, SourceOptions, Standardise, open_with};

use crate::files::{one, text};

/// A table of so many rows, of which no more than so many megabytes may lie in memory.
fn table(rows: usize, memory: Option<usize>) -> Loaded {
    let row = |i: usize| format!("{},{},{}\n", i % 97, (i * i) % 13, ["x", "y"][i % 2]);
    let all: String = (0..rows).map(row).collect();
    let (_folder, path) = one("t.csv", format!("a,b,c\n{all}").as_bytes());
    let options = SourceOptions { kind: Some(Kind::Table), memory, ..SourceOptions::default() };
    open_with(text(&path), &options).unwrap()
}

#[test]
fn a_temporary_file_changes_no_number() {
    let (memory, file) = (table(3000, None), table(3000, Some(0)));
    assert!(matches!(memory.train.features.raw(), Raw::F32(_)));
    assert!(matches!(file.train.features.raw(), Raw::Spilled(_)));
    assert_eq!(memory.train.targets, file.train.targets);
    assert_eq!((memory.encoding, memory.parts), (file.encoding, file.parts));
    let (memory, file) = (memory.train.features, file.train.features);
    assert_eq!((memory.rows(), memory.shape()), (file.rows(), file.shape()));

    let rows: Vec<usize> = (0..3000).map(|i| (i * 1709) % 3000).collect();
    let scalings = [Standardise::Off, Standardise::Global, Standardise::PerFeature].map(|how| {
        let scaling = Scaling::fit(&memory, &rows, how).unwrap();
        assert_eq!(scaling, Scaling::fit(&file, &rows, how).unwrap());
        scaling
    });
    for scaling in scalings {
        let filled = [&memory, &file].map(|features| {
            let mut x = vec![0.0; rows.len() * features.width()];
            features.fill(&rows, &scaling, &mut x).unwrap();
            x
        });
        assert_eq!(filled[0], filled[1]);
    }
    assert_eq!(memory.select(&rows[..70]).unwrap(), file.select(&rows[..70]).unwrap());
    let clone = file.clone();
    drop(file);
    assert_eq!(clone.select(&[2999]).unwrap(), memory.select(&[2999]).unwrap());
}
