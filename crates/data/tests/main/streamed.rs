//! Images and recordings that are decoded when they are needed are those that memory would hold.

use thalweg_data::{
    Features, Loaded, Raw, Scaling, SourceOptions, Standardise, open_features, open_with,
};

use crate::files::*;

/// The samples at a path, of which no more than so many megabytes may lie in memory.
fn read(spec: &str, memory: Option<usize>) -> Loaded {
    open_with(spec, &SourceOptions { memory, ..SourceOptions::default() }).unwrap()
}

/// Images of 64 × 64, of which a megabyte holds 244.
fn pictures(n: u32) -> Vec<(String, Vec<u8>)> {
    let picture = |i: u32| png(64, 64, move |row, column| (row * i + column * 3 + i) as u8);
    (0..n).map(|i| (format!("{}/{i}.png", ["a", "b"][i as usize % 2]), picture(i))).collect()
}

fn same(memory: &Features, streamed: &Features) {
    assert_eq!((memory.rows(), memory.shape()), (streamed.rows(), streamed.shape()));
    assert_eq!(memory.is_bytes(), streamed.is_bytes());
    let n = memory.rows();
    let rows: Vec<usize> = (0..n).map(|i| (i * 1709) % n).collect();
    for how in [Standardise::Off, Standardise::Global, Standardise::PerFeature] {
        let scaling = Scaling::fit(memory, &rows, how).unwrap();
        assert_eq!(scaling, Scaling::fit(streamed, &rows, how).unwrap());
        let filled = |features: &Features, announced: &[usize]| {
            let mut x = vec![0.0; rows.len() * features.width()];
            features.prefetch(announced);
            features.fill(&rows, &scaling, &mut x).unwrap();
            x
        };
        let wanted = filled(memory, &rows);
        // Those that were announced, others, and none.
        for announced in [&rows[..], &rows[..1], &[]] {
            assert!(filled(streamed, announced) == wanted);
        }
    }
    assert_eq!(memory.select(&rows[..2]).unwrap(), streamed.select(&rows[..2]).unwrap());
    assert!(
        streamed
            .fill(&[n], &Scaling::fit(memory, &rows, Standardise::Off).unwrap(), &mut [])
            .is_err()
    );
}

#[test]
fn images_of_folders_and_zips_are_the_same() {
    let files = pictures(300);
    let (folder, (_keep, zip)) = (tree(&files), one("set.zip", &zipped(&files)));
    let memory = read(text(folder.path()), None);
    assert!(matches!(memory.train.features.raw(), Raw::U8(_)));
    for (spec, megabytes) in [(text(folder.path()), 0), (text(folder.path()), 1), (text(&zip), 1)] {
        let streamed = read(spec, Some(megabytes));
        assert!(matches!(streamed.train.features.raw(), Raw::StreamedU8(_)));
        same(&memory.train.features, &streamed.train.features);
        assert_eq!(memory.train.targets, streamed.train.targets);
        let hashes = |loaded: &Loaded| {
            let mut hashes = Vec::new();
            loaded.train.hashes(&[299, 0, 7], |hash| hashes.push(hash)).unwrap();
            hashes
        };
        assert_eq!(hashes(&memory), hashes(&streamed));
        let picture = |loaded: &Loaded| thalweg_data::picture::png(&loaded.train.features, 299);
        assert_eq!(picture(&memory), picture(&streamed));
    }
}

#[test]
fn recordings_are_the_same() {
    let sound = |i: usize| wav(8_000, 1, &tone(300.0 + 10.0 * i as f64, 8_000, 700 + i));
    let files: Vec<_> = (0..40).map(|i| (format!("{}/{i}.wav", i % 2), sound(i))).collect();
    let folder = tree(&files);
    let (memory, streamed) = (read(text(folder.path()), None), read(text(folder.path()), Some(0)));
    assert!(matches!(streamed.train.features.raw(), Raw::StreamedF32(_)));
    same(&memory.train.features, &streamed.train.features);
    let options = SourceOptions { memory: Some(0), ..SourceOptions::default() };
    let unlabelled = open_features(text(folder.path()), &kept(&memory), &options).unwrap();
    same(&memory.train.features, &unlabelled);
}

/// The test part shares the memory.
#[test]
fn parts_share_the_memory() {
    let of = |part: &str, files: Vec<(String, Vec<u8>)>| {
        files.into_iter().map(move |(name, bytes)| (format!("{part}/{name}"), bytes)).collect()
    };
    let files: [Vec<_>; 2] = [of("train", pictures(200)), of("test", pictures(100))];
    let folder = tree(&files.concat());
    let loaded = read(text(folder.path()), Some(1));
    assert!(matches!(loaded.train.features.raw(), Raw::U8(_)));
    let test = loaded.test.unwrap().features;
    assert!(matches!(test.raw(), Raw::StreamedU8(_)));
    let rows: Vec<usize> = (0..100).collect();
    let whole = read(text(folder.path()), None).test.unwrap().features;
    assert_eq!(whole.select(&rows).unwrap(), test.select(&rows).unwrap());
}

/// A file that vanishes or breaks after the first pass is named.
#[test]
fn files_that_change_are_named() {
    let folder = tree(&pictures(6));
    let streamed = read(text(folder.path()), Some(0)).train.features;
    std::fs::remove_file(folder.path().join("b/1.png")).unwrap();
    put(folder.path(), "a/2.png", b"no image");
    let scaling = Scaling { full_scale: 255.0, mean: vec![0.0], std: vec![1.0] };
    let fill = |row: usize, announced: &[usize]| {
        streamed.prefetch(announced);
        streamed.fill(&[row], &scaling, &mut vec![0.0; streamed.width()])
    };
    for announced in [&[][..], &[3], &[1]] {
        assert_says(fill(3, announced), &["b/1.png", "cannot read"]);
        assert_says(fill(1, announced), &["a/2.png", "the image cannot be read"]);
        assert!(fill(0, announced).is_ok());
    }
}
