//! Tables read in chunks: what stands in them, whatever the file, and what is said where something is wrong.

use std::path::Path;

use thalweg_data::tabular::source::TableSource;
use thalweg_data::{DataError, SourceOptions};

use crate::files::{assert_says, gz, put, zipped};

/// The columns and the rows of a table, and the notes about it.
type Read = (Vec<String>, Vec<Vec<String>>, Vec<String>);

fn read_with(path: &Path, options: &SourceOptions) -> Result<Read, DataError> {
    let table = TableSource::open(&path.display().to_string(), options)?;
    let (mut rows, mut next) = (Vec::new(), 0);
    let notes = table.read(&mut |chunk| {
        assert_eq!(chunk.first, next, "chunks follow each other");
        next += chunk.rows as u64;
        for row in 0..chunk.rows {
            rows.push(chunk.columns.iter().map(|cells| cells.text(row).into_owned()).collect());
        }
        Ok(())
    })?;
    Ok((table.columns().to_vec(), rows, notes))
}

fn read(path: &Path) -> Result<Read, DataError> {
    read_with(path, &SourceOptions::default())
}

/// The rows, cells with bars between them.
fn rows(path: &Path) -> Vec<String> {
    read(path).unwrap().1.iter().map(|row| row.join("|")).collect()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Puts a file into a folder of its own and reads it.
fn with<T>(name: &str, bytes: &[u8], look: impl FnOnce(&Path) -> T) -> T {
    let folder = folder();
    put(folder.path(), name, bytes);
    look(&folder.path().join(name))
}

#[test]
fn delimiters_quotes_and_line_ends_are_found() {
    for text in ["a,b\n1,x\n2,y\n", "a;b\r\n1;x\r\n2;y", "a\tb\n1\tx\n2\ty\n", "a|b\n1|x\n\n2|y"] {
        let (columns, rows, notes) = with("t.csv", text.as_bytes(), read).unwrap();
        assert_eq!(columns, ["a", "b"]);
        assert_eq!(rows, [["1", "x"], ["2", "y"]], "{text:?}");
        assert!(notes.is_empty());
    }
    let quoted = "a,b\n1,\"x, \"\"y\"\"\nz\"\n2, w \n";
    assert_eq!(with("t.csv", quoted.as_bytes(), rows), ["1|x, \"y\"\nz", "2|w"]);
    let unnamed = with("t.csv", b"1,2\n3,4\n", read).unwrap();
    assert_eq!((unnamed.0.concat(), unnamed.1.len()), ("12".into(), 2));
}

#[test]
fn many_blocks_keep_their_order_and_records_whole() {
    let mut text = String::from("n,s\n");
    for i in 0..60_000 {
        text += &format!("{i},\"{}\n{}\"\n", "x".repeat(i % 90), i * 7);
    }
    assert!(text.len() > 3 << 20, "several blocks");
    let all = with("t.csv", text.as_bytes(), rows);
    assert_eq!(all.len(), 60_000);
    for (i, row) in all.iter().enumerate() {
        assert_eq!(*row, format!("{i}|{}\n{}", "x".repeat(i % 90), i * 7).replace("|\n", "|"));
    }
}

#[test]
fn encodings_are_recognised() {
    let text = "name,n\nZoë,1\n";
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in [
        text.as_bytes().to_vec(),
        [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        [&[0xff, 0xfe], utf16.as_slice()].concat(),
        [&[0xfe, 0xff], big.as_slice()].concat(),
    ] {
        let (columns, rows, notes) = with("t.csv", &bytes, read).unwrap();
        assert_eq!((columns.join(" "), rows[0].join(" ")), ("name n".into(), "Zoë 1".into()));
        assert!(notes.is_empty());
    }
    let windows = b"name,n\nAnn,1\nZo\xeb,2\n";
    let (_, rows, notes) = with("t.csv", windows, read).unwrap();
    assert_eq!(rows[1].join(" "), "Zoë 2");
    assert!(notes[0].contains("line 3") && notes[0].contains("Windows-1252"), "{notes:?}");

    let mixed = "name,n\nZoë,1\nZo".as_bytes();
    let mixed = [mixed, b"\xeb,2\n"].concat();
    assert_says(with("t.csv", &mixed, read), &["t.csv", "line 3, column 'name'", "0xeb", "UTF-8"]);
    let binary = b"name,n\nAnn,1\nBob,\x00\x01\n";
    assert_says(with("t.csv", binary, read), &["line 3", "0x00", "binary"]);
}

#[test]
fn packed_and_several_files_are_one_table() {
    let (one, two) = (b"a,b\n1,2\n".as_slice(), b"a,b\n3,4\n5,6\n".as_slice());
    assert_eq!(with("t.csv.gz", &gz(two), rows), ["3|4", "5|6"]);
    let zip = zipped(&[("1.csv", one.to_vec()), ("2.csv.gz", gz(two)), ("readme.md", vec![1])]);
    assert_eq!(with("t.zip", &zip, rows), ["1|2", "3|4", "5|6"]);

    let folder = folder();
    put(folder.path(), "b.csv", two);
    put(folder.path(), "a.csv", one);
    put(folder.path(), "a.txt", b"not a table");
    assert_eq!(rows(folder.path()), ["1|2", "3|4", "5|6"]);
    assert_eq!(rows(&folder.path().join("b*.csv")), ["3|4", "5|6"]);
    put(folder.path(), "c.csv", b"a,c\n1,2\n");
    assert_says(read(folder.path()), &["c.csv: line 1", "a, c", "a, b", "same columns"]);
}

#[test]
fn what_is_wrong_is_named() {
    let says = |bytes: &[u8], words: &[&str]| assert_says(with("t.csv", bytes, read), words);
    says(b"", &["t.csv", "empty"]);
    says(b"\n\n", &["t.csv", "empty"]);
    says(b"a,b\n", &["t.csv", "names of the columns and no row"]);
    says(b"a,b,a\n1,2,3\n", &["line 1", "two columns are called 'a'"]);
    says(b"a,b\n1,2\n\n3\n", &["line 4, column 'b'", "1 cells", "2 columns", "--skip-bad"]);
    says(b"a,b\n1,2\n3,4,5\n", &["line 3", "3 cells", "2 columns"]);
    says(b"a,b\n1,2\n3,\"4\n5,6\n", &["line 3", "never closed"]);
    let cut = gz(b"a,b\n1,2\n".repeat(1000).as_slice());
    assert_says(
        with("t.csv.gz", &cut[..cut.len() - 9], read),
        &["t.csv.gz", "gzip stream breaks", "cut short"],
    );
}

#[test]
fn bad_rows_are_left_out_where_that_is_wanted() {
    let options = SourceOptions { skip_bad: true, ..SourceOptions::default() };
    let bytes = b"a,b\n1,2\n3\n4,5\n6,7,8\n";
    let (_, rows, notes) = with("t.csv", bytes, |path| read_with(path, &options)).unwrap();
    assert_eq!(rows, [["1", "2"], ["4", "5"]]);
    assert!(notes[0].contains("2 left out") && notes[0].contains("line 3"), "{notes:?}");
    assert!(notes[0].contains("line 5"));
    let none = with("t.csv", b"a,b\n1\n", |path| read_with(path, &options));
    assert_says(none, &["all 1 rows are bad", "line 2"]);
}

#[test]
fn a_cell_is_found_again() {
    let folder = folder();
    put(folder.path(), "a.csv", b"a,b\n1,\"x\ny\"\n2,z\n");
    put(folder.path(), "b.csv", b"a,b\n\n3,w\n");
    let table =
        TableSource::open(&folder.path().display().to_string(), &SourceOptions::default()).unwrap();
    let place = |row, column| table.place(row, column).to_string();
    assert!(place(0, 0).ends_with("a.csv: line 2, column 'a'"), "{}", place(0, 0));
    assert!(place(1, 1).ends_with("a.csv: line 4, column 'b'"), "{}", place(1, 1));
    assert!(place(2, 1).ends_with("b.csv: line 3, column 'b'"), "{}", place(2, 1));
}
