//! Tables of text: what is read, what is learned, and how texts become ids.

use thalweg_data::{
    Encoding, Kind, Level, SourceOptions, Targets, Transform, open, open_as, open_features,
    open_with,
};

use crate::files::*;

const NAMES: &[u8] = b"name,kind,language\nAnna,first,Czech\nBo,first,Danish\nAnton,last,Czech\n";

#[test]
fn characters_of_names() {
    let (_folder, path) = one("names.csv", NAMES);
    let loaded = open(text(&path)).unwrap();
    let Encoding::Text(encoding) = kept(&loaded) else { panic!("text was expected") };
    assert_eq!(
        (encoding.column.as_str(), encoding.target.as_str(), encoding.level, encoding.length),
        ("name", "language", Level::Char, 5)
    );
    // A and n and o occur twice.
    assert_eq!(encoding.vocabulary.tokens(), ["<pad>", "<unknown>", "A", "n", "o"]);
    assert_eq!(
        ids(&loaded.train.features),
        [[2, 3, 3, 1, 0], [1, 4, 0, 0, 0], [2, 3, 1, 4, 3]].concat()
    );
    assert_eq!(classes(&loaded.train.targets), (&[0, 1, 0][..], vec!["Czech", "Danish"]));
    assert_eq!(loaded.train.name, "names");

    let options =
        SourceOptions { length: Some(2), column: Some("kind".into()), ..Default::default() };
    let short = open_with(text(&path), &options).unwrap();
    assert_eq!(short.train.features.shape(), [2]);
}

#[test]
fn signs_of_numbers() {
    let rows =
        "1\t2.5\tGood film\r\n2\t-0.5\tbad film\r\n3\t0\tfilm\r\n4\t0.0\t!\r\n5\t-3\tbad Bad\r\n";
    let (_folder, path) = one("reviews.txt", rows.as_bytes());
    let options = SourceOptions {
        target: Some("2".into()),
        transform: Some(Transform::Sign),
        ..Default::default()
    };
    let loaded = open_with(text(&path), &options).unwrap();
    assert_eq!(classes(&loaded.train.targets), (&[1, 0, 0][..], vec!["negative", "positive"]));
    assert_eq!(loaded.notes, ["2 of 5 rows are left out: 0 in column '2'"]);
    let Encoding::Text(encoding) = kept(&loaded) else { panic!("text was expected") };
    assert_eq!((encoding.level, encoding.transform), (Level::Word, Some(Transform::Sign)));
    assert_eq!(encoding.vocabulary.tokens(), ["<pad>", "<unknown>", "bad", "film"]);
    assert_eq!(ids(&loaded.train.features), [1, 3, 2, 3, 2, 2]);

    // Without the sign they are numbers.
    let options =
        SourceOptions { target: Some("2".into()), kind: Some(Kind::Text), ..Default::default() };
    let numbers = open_with(text(&path), &options).unwrap();
    let wanted = Targets::Values { values: vec![2.5, -0.5, 0.0, 0.0, -3.0], dims: 1 };
    assert_eq!(numbers.train.targets, wanted);
    assert_eq!(ids(&numbers.train.features)[6..8], [1, 0], "a sign alone is one unknown token");

    let (_folder, path) = one("t.txt", b"1\tgood\tfilm\n2\tbad\tfilm\n");
    let options = SourceOptions {
        transform: Some(Transform::Sign),
        target: Some("2".into()),
        ..Default::default()
    };
    assert_says(
        open_with(text(&path), &options),
        &["line 1, column '2'", "a number is needed, there is 'good'"],
    );
}

#[test]
fn empty_cells() {
    let (_folder, path) = one("t.csv", b"text,class\nab,x\n,y\ncd,\nef,x\n");
    let loaded = open(text(&path)).unwrap();
    assert_eq!(loaded.notes, ["1 of 4 rows are left out: nothing in column 'class'"]);
    assert_eq!(ids(&loaded.train.features), [1, 1, 1, 0, 1, 1], "no text is one unknown token");
    let (_folder, path) = one("t.csv", b"text,class\nab,\ncd,\n");
    assert_says(open(text(&path)), &["no row has anything to learn in column 'class'"]);
    let (_folder, path) = one("t.csv", b"text,class\nab,x\ncd,x\n");
    assert_says(open(text(&path)), &["all 2 samples are of one class, 'x'"]);
    let (_folder, path) = one("t.csv", b"text,class\n1,x\n2,y\n");
    let options = SourceOptions { kind: Some(Kind::Text), ..Default::default() };
    assert_says(open_with(text(&path), &options), &["no column of text beside the target 'class'"]);
}

#[test]
fn a_network_brings_its_own_words() {
    let (_folder, path) = one("names.csv", NAMES);
    let encoding = kept(&open(text(&path)).unwrap());
    let names = ["Czech", "Danish"].map(String::from);
    let options = SourceOptions::default();
    // Other columns, in another order.
    let (_folder, other) = one("new.csv", b"language,name\nDanish,Annabel\n");
    let judged = open_as(text(&other), &encoding, &names, &options).unwrap();
    assert_eq!(ids(&judged.train.features), [2, 3, 3, 1, 1]);
    assert_eq!(classes(&judged.train.targets).0, [1]);
    let (_folder, bare) = one("new.csv", b"name\nAnn\n");
    assert_eq!(ids(&open_features(text(&bare), &encoding, &options).unwrap()), [2, 3, 3, 0, 0]);
    let (_folder, wrong) = one("new.csv", b"nome,language\nAnn,Czech\n");
    assert_says(open_features(text(&wrong), &encoding, &options), &["no column 'name'", "'nome'"]);
    let (_folder, wrong) = one("new.csv", b"name,language\nAnn,Swedish\n");
    assert_says(
        open_as(text(&wrong), &encoding, &names, &options),
        &["line 2, column 'language'", "class 'Swedish'", "Czech, Danish"],
    );
}
