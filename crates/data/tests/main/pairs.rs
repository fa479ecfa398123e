//! Pairs of texts.

use thalweg_data::{
    Encoding, IGNORED, Kind, Level, SourceOptions, Targets, open_as, open_features, open_with,
};

use crate::files::*;

fn options() -> SourceOptions {
    SourceOptions { kind: Some(Kind::Pairs), min_count: Some(1), ..Default::default() }
}

#[test]
fn targets_are_one_place_ahead() {
    let (_folder, path) = one("p.tsv", b"12\tab\n3\tb\n");
    let loaded = open_with(text(&path), &options()).unwrap();
    let Encoding::Pairs(pairs) = kept(&loaded) else { panic!("pairs were expected") };
    assert_eq!((pairs.level, pairs.source_length, pairs.target_length), (Level::Char, 2, 3));
    assert_eq!(pairs.source.tokens(), ["<pad>", "<unknown>", "1", "2", "3"]);
    assert_eq!(pairs.target.tokens(), ["<pad>", "<unknown>", "<start>", "<end>", "a", "b"]);
    assert_eq!(loaded.encoding.ids(), [5, 6]);
    assert_eq!(loaded.train.features.shape(), [5]);
    assert_eq!(ids(&loaded.train.features), [[2, 3, 2, 4, 5], [4, 0, 2, 5, 0]].concat());
    assert!(matches!(loaded.train.targets, Targets::Sequence { length: 3, .. }));
    assert_eq!(classes(&loaded.train.targets).0, [[4, 5, 3], [5, 3, IGNORED]].concat());

    let options = SourceOptions { length: Some(1), ..options() };
    let cut = open_with(text(&path), &options).unwrap();
    assert_eq!(ids(&cut.train.features), [[2, 2, 4], [4, 2, 5]].concat());
    assert_eq!(classes(&cut.train.targets).0, [[4, 3], [5, 3]].concat(), "a cut text ends as well");
}

#[test]
fn a_network_brings_its_own_words() {
    let (_folder, path) = one("p.tsv", b"go now\tva maintenant\ngo\tva\nno way\tnon\n");
    let loaded = open_with(text(&path), &options()).unwrap();
    let encoding = kept(&loaded);
    let Encoding::Pairs(pairs) = &encoding else { panic!("pairs were expected") };
    assert_eq!(pairs.level, Level::Word);
    let (_folder, new) = one("new.tsv", b"GO home\tva\n");
    let judged = open_as(text(&new), &encoding, &[], &SourceOptions::default()).unwrap();
    let (go, va) = (pairs.source.id("go"), pairs.target.id("va"));
    assert_eq!(ids(&judged.train.features), [go, 1, 2, va, 0]);
    assert_eq!(classes(&judged.train.targets).0, [va, 3, IGNORED]);
    let (_folder, bare) = one("bare.tsv", b"go\n");
    let features = open_features(text(&bare), &encoding, &SourceOptions::default()).unwrap();
    assert_eq!(ids(&features), [go, 0, 2, 0, 0]);
    assert_says(
        open_as(text(&bare), &encoding, &[], &SourceOptions::default()),
        &["no column of target texts"],
    );
}
