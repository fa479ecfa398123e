//! What tables have in common: delimiters, headers, lines, and splits by checksum.

use thalweg_data::{Encoding, Kind, SourceOptions, open, open_with};

use crate::files::*;

fn texts() -> SourceOptions {
    SourceOptions { kind: Some(Kind::Text), ..Default::default() }
}

#[test]
fn delimiters_quotes_and_line_ends() {
    for (name, bytes) in [
        ("t.csv", &b"text,class\nsome words,x\n\"other, words\",y\n"[..]),
        ("t.csv", b"\xef\xbb\xbftext,class\r\nsome words,x\r\n\r\n\"other, words\",y"),
        ("t.csv", b"text;class\nsome words;x\nother, words;y\n"),
        ("t.tsv", b"text\tclass\nsome words\tx\nother, words\ty\n"),
        ("t.txt", b"text\tclass\nsome words\tx\nother, words\ty\n"),
        ("t.csv", b"text|class\nsome words|x\nother, words|y\n"),
    ] {
        let (_folder, path) = one(name, bytes);
        let options = SourceOptions { min_count: Some(1), ..Default::default() };
        let loaded = open_with(text(&path), &options).unwrap();
        assert_eq!(ids(&loaded.train.features), [4, 5, 0, 3, 2, 5], "{name}");
        assert_eq!(classes(&loaded.train.targets), (&[0, 1][..], vec!["x", "y"]));
    }
    let (_folder, path) = one("t.csv.gz", &gz(b"text,class\na b,x\nb c,y\n"));
    assert_eq!(open(text(&path)).unwrap().train.rows(), 2);
    // In a table with tabs a quote is a quote.
    let (_folder, path) = one("t.tsv", b"text\tclass\n\"a b\tx\nb c\"\ty\n");
    assert_eq!(open(text(&path)).unwrap().train.rows(), 2);
}

#[test]
fn headers_are_found_or_said() {
    let (_folder, path) = one("t.csv", b"1,a b\n2,b c\n1,c d\n");
    let options = SourceOptions { target: Some("1".into()), ..texts() };
    let loaded = open_with(text(&path), &options).unwrap();
    let Encoding::Text(encoding) = kept(&loaded) else { panic!("text was expected") };
    assert_eq!((encoding.header, encoding.column.as_str()), (false, "2"));
    assert_eq!(classes(&loaded.train.targets), (&[0, 1, 0][..], vec!["1", "2"]));

    let (_folder, path) = one("t.csv", b"a b,x\nb c,y\nc d,z\n");
    assert_eq!(open_with(text(&path), &texts()).unwrap().train.rows(), 2);
    let said = SourceOptions { header: Some(false), ..texts() };
    assert_eq!(open_with(text(&path), &said).unwrap().train.rows(), 3);
}

#[test]
fn broken_tables_are_named_by_line() {
    for (bytes, said) in [
        (&b""[..], &["the file is empty"][..]),
        (b"text,class\n", &["names of the columns and no row"]),
        (
            b"text,class\na b,x\nb c\n",
            &["line 3, column 'class'", "1 cells, the table has 2 columns"],
        ),
        (b"text,class\n\"a\nb\",x\nb,c,y\n", &["line 4", "the row has 3 cells"]),
        (b"text,text\na,b\n", &["line 1", "two columns are called 'text'"]),
        (b"text,class\na \xc3\xa9b\xe9,x\n", &["line 2, column 'text'", "0xe9 is no UTF-8"]),
    ] {
        let (_folder, path) = one("t.csv", bytes);
        assert_says(open_with(text(&path), &texts()), &[&[text(&path)], said].concat());
    }
    let (_folder, path) = one("t.csv", b"text,class\na b,x\n");
    let options = SourceOptions { target: Some("clas".into()), ..texts() };
    assert_says(
        open_with(text(&path), &options),
        &["there is no column 'clas'", "the columns are text, class", "did you mean 'class'?"],
    );
    let (_folder, path) = one("t.csv", b"1,a b\n2,b c\n");
    let options = SourceOptions { target: Some("class".into()), ..texts() };
    assert_says(open_with(text(&path), &options), &["no column 'class'", "--header true"]);
    let (_folder, path) = one("t.csv.gz", &gz(b"text,class\na b,x\nb c,y\n")[..30]);
    assert_says(open_with(text(&path), &texts()), &["the gzip stream breaks"]);
    let folder = tree(&[("a.dat", "text,class\na b,x\n")]);
    assert_says(open_with(text(folder.path()), &texts()), &["a table is needed"]);
}

#[test]
fn the_tables_of_a_folder_are_one() {
    let folder = tree(&[("a.csv", "text,class\na b,x\nb c,y\n"), ("b.csv", "text,class\nb c,y\n")]);
    let loaded = open_with(text(folder.path()), &texts()).unwrap();
    assert_eq!(loaded.train.rows(), 3);
    let folder = tree(&[("a.csv", "text,class\na b,x\n"), ("b.csv", "text,kind\nb c,y\n")]);
    let said = ["b.csv: line 1", "the columns are text, kind", "a.csv are text, class"];
    assert_says(open_with(text(folder.path()), &texts()), &said);
}

/// The rows whose CRC-32 is a multiple of 5, found with Python's `zlib.crc32(line) % 5 == 0`.
#[test]
fn test_rows_by_checksum() {
    let lines: Vec<String> =
        (0..20).map(|i| format!("word{i} here,{}", ["x", "y"][i % 2])).collect();
    for end in ["\n", "\r\n"] {
        let table = format!("text,class{end}{}{end}", lines.join(end));
        let (_folder, path) = one("t.csv", table.as_bytes());
        let options =
            SourceOptions { test: Some("crc32".parse().unwrap()), min_count: Some(1), ..texts() };
        let loaded = open_with(text(&path), &options).unwrap();
        let Encoding::Text(encoding) = kept(&loaded) else { panic!("text was expected") };
        let learned = encoding.vocabulary.tokens();
        let test: Vec<usize> = (0..20).filter(|i| !learned.contains(&format!("word{i}"))).collect();
        assert_eq!(test, CRC_TEST, "a test row's words are not learned");
        let test = loaded.test.unwrap();
        assert_eq!((loaded.train.rows(), test.rows()), (20 - CRC_TEST.len(), CRC_TEST.len()));
        assert_eq!(test.features.shape(), loaded.train.features.shape());
    }
}

const CRC_TEST: &[usize] = &[0, 7, 12, 16];

#[test]
fn test_rows_by_column() {
    let (_folder, path) =
        one("t.csv", b"text,who,class\na b,ann,x\nb c,bob,y\nc d,ann,y\nd e,eve,x\n");
    let options = SourceOptions { test: Some("who=ann, eve".parse().unwrap()), ..texts() };
    let loaded = open_with(text(&path), &SourceOptions { column: Some("text".into()), ..options });
    assert_says(loaded, &["all 1 samples are of one class, 'y'"]);
    let test = |rows: &str| SourceOptions {
        test: Some(rows.parse().unwrap()),
        column: Some("text".into()),
        ..texts()
    };
    let loaded = open_with(text(&path), &test("who=bob")).unwrap();
    assert_eq!(classes(&loaded.test.unwrap().targets).0, [1]);
    assert_says(open_with(text(&path), &test("whom=bob")), &["no column 'whom'", "'who'"]);
    assert_says(open_with(text(&path), &test("who=bo")), &["'who=bo' is no row"]);
}
