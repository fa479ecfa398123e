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

#[test]
fn json_lines_are_rows() {
    let text = r#"{"a": 1, "b": "x", "c": [1, "two"]}
{"b": "y, z", "d": true}

{"a": -2.5, "c": null, "d": false}
"#;
    let (columns, rows, _) = with("t.jsonl", text.as_bytes(), read).unwrap();
    assert_eq!(columns, ["a", "b", "c", "d"], "in the order of appearance");
    let rows: Vec<String> = rows.iter().map(|row| row.join("|")).collect();
    assert_eq!(rows, ["1|x|1;two|", "|y, z||true", "-2.5|||false"]);

    let late = "{\"size\": 1}\n".repeat(1500) + "{\"sise\": 2}\n";
    assert_says(
        with("t.ndjson", late.as_bytes(), read),
        &["line 1501", "'sise' is in none of the first rows", "is it 'size'?", "--skip-bad"],
    );
    let options = SourceOptions { skip_bad: true, ..SourceOptions::default() };
    let (_, rows, notes) =
        with("t.ndjson", late.as_bytes(), |path| read_with(path, &options)).unwrap();
    assert_eq!((rows.len(), notes.len()), (1500, 1));
    let says = |text: &str, words: &[&str]| {
        assert_says(with("t.jsonl", text.as_bytes(), read), words);
    };
    says("{\"a\": 1}\n[1, 2]\n", &["line 2", "is no row", "an object"]);
    says("{\"a\": 1}\n{\"a\": \n", &["line 2", "is no row"]);
    says("{\"a\": {\"b\": 1}}\n", &["line 1", "is no row"]);
    says("", &["empty"]);
}

/// An array as NumPy writes it.
fn npy(descr: &str, fortran: bool, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", length.as_slice(), header.as_bytes(), bytes].concat()
}

#[test]
fn numpy_arrays_are_numbered_columns() {
    let doubles: Vec<u8> = (0..6).flat_map(|x| (f64::from(x) / 2.0).to_le_bytes()).collect();
    let (columns, found, _) = with("t.npy", &npy("<f8", false, "(3, 2)", &doubles), read).unwrap();
    assert_eq!(columns, ["1", "2"]);
    assert_eq!(found, [["0", "0.5"], ["1", "1.5"], ["2", "2.5"]]);
    assert_eq!(with("t.npy", &npy("<f8", true, "(3, 2)", &doubles), rows)[1], "0.5|2");
    assert_eq!(with("t.npy", &npy("|i1", false, "(2,)", &[255, 3]), rows), ["-1", "3"]);
    assert_eq!(with("t.npy", &npy(">u2", false, "(1, 2)", &[1, 0, 0, 7]), rows), ["256|7"]);
    assert_eq!(
        with("t.npy", &npy("<f8", false, "(1, 2, 3)", &doubles), rows),
        ["0|0.5|1|1.5|2|2.5"]
    );
    let packed = gz(&npy("<f8", false, "(3, 2)", &doubles));
    assert_eq!(with("t.npy.gz", &packed, rows).len(), 3);

    let x = npy("<f8", false, "(3, 2)", &doubles);
    let pair = [("X.npy", x.clone()), ("y.npy", npy("|b1", false, "(3,)", &[1, 0, 1]))];
    let (columns, found, _) = with("t.npz", &zipped(&pair), read).unwrap();
    assert_eq!((columns.join(" "), found[2].join("|")), ("1 2 y".into(), "2|2.5|1".into()));

    let says =
        |name: &str, bytes: &[u8], words: &[&str]| assert_says(with(name, bytes, read), words);
    says("t.npy", &x[..x.len() - 1], &["too few for its shape", "3, 2"]);
    says("t.npy", b"\x93NUMPY", &["cut short"]);
    says("t.npy", &npy("<U4", false, "(3,)", &[0; 48]), &["'<U4'", "no numbers"]);
    says("t.npz", &zipped(&[("p.npy", x.clone()), ("q.npy", x.clone())]), &["p, q", "x and y"]);
    let short = [("x.npy", x), ("y.npy", npy("|b1", false, "(2,)", &[1, 0]))];
    says("t.npz", &zipped(&short), &["2 rows", "3"]);
}

#[cfg(feature = "columnar")]
mod columnar {
    use std::io::Cursor;
    use std::sync::Arc;

    use arrow_array::builder::{ListBuilder, StringBuilder};
    use arrow_array::types::Int32Type;
    use arrow_array::{
        ArrayRef, BinaryArray, BooleanArray, Date32Array, DictionaryArray, Float32Array,
        Int64Array, LargeStringArray, RecordBatch, TimestampMillisecondArray, UInt8Array,
    };
    use parquet::arrow::ArrowWriter;

    use super::{assert_says, read, rows, with, zipped};

    /// Two rows of everything, the second one without most of it.
    fn batch() -> RecordBatch {
        let mut lists = ListBuilder::new(StringBuilder::new());
        lists.append_value([Some("red"), Some("blue")]);
        lists.append_null();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("whole", Arc::new(Int64Array::from(vec![Some(-7), None]))),
            ("id", Arc::new(Int64Array::from(vec![Some(9_007_199_254_740_993), Some(1)]))),
            ("byte", Arc::new(UInt8Array::from(vec![1, 255]))),
            ("real", Arc::new(Float32Array::from(vec![Some(0.5), None]))),
            ("flag", Arc::new(BooleanArray::from(vec![Some(true), None]))),
            ("text", Arc::new(LargeStringArray::from(vec![Some(" a, b "), None]))),
            ("kind", Arc::new(DictionaryArray::<Int32Type>::from_iter([Some("x"), None]))),
            ("day", Arc::new(Date32Array::from(vec![Some(-1), None]))),
            ("raw", Arc::new(BinaryArray::from(vec![b"1".as_slice(), b"2"]))),
            ("at", Arc::new(TimestampMillisecondArray::from(vec![Some(1_500), None]))),
            ("tags", Arc::new(lists.finish())),
        ];
        RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, column)| (name, column, true)),
        )
        .unwrap()
    }

    fn parquet(batch: &RecordBatch) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
        writer.write(batch).unwrap();
        writer.close().unwrap();
        bytes
    }

    fn arrow_file(batch: &RecordBatch) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let mut writer =
            arrow_ipc::writer::FileWriter::try_new(&mut bytes, &batch.schema()).unwrap();
        writer.write(batch).unwrap();
        writer.finish().unwrap();
        drop(writer);
        bytes.into_inner()
    }

    fn arrow_stream(batch: &RecordBatch) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer =
            arrow_ipc::writer::StreamWriter::try_new(&mut bytes, &batch.schema()).unwrap();
        writer.write(batch).unwrap();
        writer.finish().unwrap();
        drop(writer);
        bytes
    }

    #[test]
    fn typed_files_say_what_texts_would() {
        let batch = batch();
        for (name, bytes) in [
            ("t.parquet", parquet(&batch)),
            ("t.arrow", arrow_file(&batch)),
            ("t.arrow", arrow_stream(&batch)),
            ("t.csv", parquet(&batch)),
        ] {
            let (columns, rows, notes) = with(name, &bytes, read).unwrap();
            assert_eq!(columns.join(" "), "whole id byte real flag text kind day at tags");
            let wanted = [
                "-7|9007199254740993|1|0.5|true|a, b|x|1969-12-31|1970-01-01T00:00:01.5|red;blue",
                "|1|255|||||||",
            ];
            assert_eq!(rows.iter().map(|row| row.join("|")).collect::<Vec<_>>(), wanted, "{name}");
            assert!(notes[0].contains("'raw' (Binary)"), "{notes:?}");
        }
    }

    #[test]
    fn many_batches_and_packed_ones() {
        let numbers: Vec<i64> = (0..300_000).collect();
        let column: ArrayRef = Arc::new(Int64Array::from(numbers));
        let batch = RecordBatch::try_from_iter([("n", column)]).unwrap();
        let all: Vec<String> = (0..300_000).map(|n| n.to_string()).collect();
        assert!(with("t.parquet", &parquet(&batch), rows) == all);
        assert!(with("t.arrow", &arrow_file(&batch), rows) == all);
        let zip = zipped(&[("a.parquet", parquet(&batch)), ("b.parquet", parquet(&batch))]);
        assert_eq!(with("t.zip", &zip, rows).len(), 600_000);
    }

    #[test]
    fn damage_is_named() {
        let batch = batch();
        for (name, bytes) in [("t.parquet", parquet(&batch)), ("t.arrow", arrow_file(&batch))] {
            for length in [0, 6, bytes.len() / 2, bytes.len() - 3] {
                let result = with(name, &bytes[..length], read);
                assert_says(result, &[name, "cannot be read", "cut short"]);
            }
        }
    }
}
