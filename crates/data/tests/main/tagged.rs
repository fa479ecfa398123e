//! Sentences with a tag for each word.

use thalweg_data::{Encoding, IGNORED, SourceOptions, open, open_as, open_features, open_with};

use crate::files::*;

const SENTENCES: &[u8] =
    b"-DOCSTART- -X- O\n\nAnn NNP B-PER\nsleeps VB O\n\n\nBob NNP B-PER\nand CC O\nAnn NNP B-PER\n";

#[test]
fn words_and_tags() {
    let (_folder, path) = one("s.conll", SENTENCES);
    let options = SourceOptions { min_count: Some(1), ..Default::default() };
    let loaded = open_with(text(&path), &options).unwrap();
    let Encoding::Labelled(labelled) = kept(&loaded) else { panic!("tags were expected") };
    assert_eq!(labelled.vocabulary.tokens(), ["<pad>", "<unknown>", "Ann", "Bob", "and", "sleeps"]);
    assert_eq!(loaded.train.features.shape(), [3]);
    assert_eq!(ids(&loaded.train.features), [2, 5, 0, 3, 4, 2]);
    assert_eq!(classes(&loaded.train.targets), (&[0, 1, IGNORED, 0, 1, 0][..], vec!["B-PER", "O"]));

    let options = SourceOptions { length: Some(2), ..options };
    let cut = open_with(text(&path), &options).unwrap();
    assert_eq!(
        classes(&cut.train.targets).0,
        [0, 1, 0, 1],
        "the tags that were cut belong to no one else"
    );
    assert_eq!(cut.notes, ["1 of 2 sentences are cut after 2 words"]);
}

#[test]
fn a_network_brings_its_own_tags() {
    let (_folder, path) = one("s.conll", SENTENCES);
    let encoding = kept(&open(text(&path)).unwrap());
    let names = ["B-PER", "O"].map(String::from);
    let options = SourceOptions::default();
    let (_folder, new) = one("new.conll", b"Ann\tO\r\n");
    let judged = open_as(text(&new), &encoding, &names, &options).unwrap();
    assert_eq!(
        (ids(&judged.train.features), classes(&judged.train.targets).0),
        (&[2, 0, 0][..], &[1, IGNORED, IGNORED][..])
    );
    let (_folder, bare) = one("bare.conll", b"Ann\n\nEve\n");
    assert_eq!(ids(&open_features(text(&bare), &encoding, &options).unwrap()), [2, 0, 0, 1, 0, 0]);
    assert_says(
        open_as(text(&bare), &encoding, &names, &options),
        &["line 1", "there is one cell, 'Ann'"],
    );
    let (_folder, other) = one("o.conll", b"Ann O\n\nEve B-LOC\n");
    assert_says(
        open_as(text(&other), &encoding, &names, &options),
        &["line 3", "class 'B-LOC'", "B-PER, O"],
    );
}

#[test]
fn what_is_no_sentence() {
    for (bytes, said) in [
        (&b""[..], "there is no sentence in it"),
        (b"\n \n\t\n", "there is no sentence in it"),
        (b"a X\nb X\n", "all 2 samples are of one class, 'X'"),
    ] {
        let (_folder, path) = one("s.conll", bytes);
        assert_says(open(text(&path)), &[text(&path), said]);
    }
}
