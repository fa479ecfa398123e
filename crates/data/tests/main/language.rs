//! Running text: windows, what follows them, and the parts.

use thalweg_data::{
    Encoding, IGNORED, Level, SourceOptions, Targets, open, open_as, open_features, open_with,
};

use crate::files::*;

fn with(window: usize, min_count: usize) -> SourceOptions {
    SourceOptions { window: Some(window), min_count: Some(min_count), ..Default::default() }
}

#[test]
fn windows_and_what_follows_them() {
    // 18 tokens to learn from and 2 for validation.
    let (_folder, path) = one("tale.txt", b"abcabcabcabcabcabcXY");
    let loaded = open_with(text(&path), &with(8, 1)).unwrap();
    let Encoding::Language(language) = kept(&loaded) else { panic!("language was expected") };
    assert_eq!(language.vocabulary.tokens(), ["<unknown>", "a", "b", "c"]);
    assert_eq!((loaded.train.name.as_str(), loaded.train.features.shape()), ("tale", &[8][..]));
    let Targets::Sequence { labels, length: 8, names } = &loaded.train.targets else {
        panic!("sequences of 8 were expected")
    };
    assert_eq!(names, language.vocabulary.tokens());
    let [i, p] = [IGNORED, 0];
    assert_eq!(
        ids(&loaded.train.features),
        [[1, 2, 3, 1, 2, 3, 1, 2], [3, 1, 2, 3, 1, 2, 3, 1], [2, p, p, p, p, p, p, p], [0; 8]]
            .concat()
    );
    assert_eq!(
        labels,
        &[
            [2, 3, 1, 2, 3, 1, 2, 3],
            [1, 2, 3, 1, 2, 3, 1, 2],
            [3, i, i, i, i, i, i, i],
            // X and Y are not in the training part.
            [0, i, i, i, i, i, i, i]
        ]
        .concat()
    );
    let parts = loaded.parts.as_ref().unwrap();
    assert_eq!((&parts.train[..], &parts.valid[..]), (&[0, 1, 2][..], &[3][..]));
    assert!(parts.test.is_empty() && loaded.test.is_none());
}

#[test]
fn windows_do_not_cross_texts() {
    let folder = tree(&[("b.txt", "bbbbbbbbbb"), ("a.txt", "aaaaaaaaaaaa"), ("deep/c.txt", "cc")]);
    for spec in [folder.path().to_path_buf(), folder.path().join("*.txt")] {
        let loaded = open_with(text(&spec), &with(4, 1)).unwrap();
        let rows: Vec<&[i64]> = ids(&loaded.train.features).chunks(4).collect();
        // 11 and 9 tokens to learn from, of which the last one is only a target; 1 and 1 for validation have none.
        let wanted: [&[i64]; 5] = [&[1; 4], &[1; 4], &[1, 1, 0, 0], &[2; 4], &[2; 4]];
        assert_eq!(rows, wanted);
        assert_eq!(loaded.parts, None, "a part of one token has nothing to say");
    }
    let (_folder, zip) = one("texts.zip", &zipped(&[("a.txt", "aaaaaaaaaaaa"), ("b.txt", "bb")]));
    assert_eq!(open_with(text(&zip), &with(4, 1)).unwrap().train.rows(), 4);
}

#[test]
fn words_and_rare_tokens() {
    let (_folder, path) = one("t.txt", "The cat. the dog? The cat!".repeat(3).as_bytes());
    let options = SourceOptions { level: Some(Level::Word), min_count: Some(5), ..with(4, 5) };
    let loaded = open_with(text(&path), &options).unwrap();
    let Encoding::Language(language) = kept(&loaded) else { panic!("language was expected") };
    assert_eq!(language.vocabulary.tokens(), ["<unknown>", "cat", "the"]);
    assert_eq!(ids(&loaded.train.features)[..6], [2, 1, 0, 2, 0, 0]);
}

#[test]
fn a_network_brings_its_own_vocabulary() {
    let (_folder, path) = one("tale.txt", b"abcabcabcabcabcabcabc");
    let encoding = kept(&open_with(text(&path), &with(4, 1)).unwrap());
    let (_folder, other) = one("other.txt", "cab\u{e9}cab".as_bytes());
    let options = SourceOptions::default();
    let judged = open_as(text(&other), &encoding, &[], &options).unwrap();
    assert_eq!(ids(&judged.train.features), [3, 1, 2, 0, 3, 1, 0, 0]);
    assert_eq!(classes(&judged.train.targets).0, [1, 2, 0, 3, 1, 2, IGNORED, IGNORED]);
    assert_eq!(judged.parts, None);
    assert_eq!(open_features(text(&other), &encoding, &options).unwrap(), judged.train.features);
}

#[test]
fn what_is_no_text() {
    for (bytes, said) in [
        (&b""[..], "no text has two tokens; the longest has 0"),
        (b"x", "the longest has 1"),
        (b"one\ntwo\xff", "line 2: byte 7 (0xff) is no UTF-8 text"),
        (b"\xff\xfea\0b\0", "UTF-16"),
    ] {
        let (_folder, path) = one("t.txt", bytes);
        assert_says(open(text(&path)), &[text(&path), said]);
    }
    let (_folder, path) = one("t.txt", "\u{feff}aaaaaaaaaaaaaaa".as_bytes());
    let loaded = open(text(&path)).unwrap();
    assert_eq!(classes(&loaded.train.targets).1, ["<unknown>", "a"], "no byte order mark");
}
