//! The format alone: what is read, and what is said of files that cannot be.

use std::path::Path;

use thalweg_data::DataError;
use thalweg_data::idx::{Elements, Idx};

use crate::files::{assert_says, gz, idx, idx_u8, images, put, text};

fn parse(bytes: &[u8]) -> Result<Idx, DataError> {
    Idx::parse(bytes, Path::new("some/file"))
}

#[test]
fn every_element_type_is_read_big_endian() {
    let be = |words: &[&[u8]]| words.concat();
    let cases = [
        (0x08, be(&[&[7], &[255]]), Elements::U8(vec![7, 255])),
        (0x09, be(&[&[7], &[255]]), Elements::I8(vec![7, -1])),
        (0x0b, be(&[&[1, 2], &[255, 254]]), Elements::I16(vec![258, -2])),
        (0x0c, be(&[&[0, 1, 0, 0], &[255, 255, 255, 253]]), Elements::I32(vec![65_536, -3])),
        (
            0x0d,
            be(&[&1.5f32.to_be_bytes(), &(-0.1f32).to_be_bytes()]),
            Elements::F32(vec![1.5, -0.1]),
        ),
        (
            0x0e,
            be(&[&1.5f64.to_be_bytes(), &(-0.1f64).to_be_bytes()]),
            Elements::F64(vec![1.5, -0.1]),
        ),
    ];
    for (code, bytes, elements) in cases {
        let file = idx(code, &[2], &bytes);
        let expected = Idx { dims: vec![2], elements };
        assert_eq!(parse(&file).unwrap(), expected);
        assert_eq!(parse(&gz(&file)).unwrap(), expected, "gzipped");
    }
}

#[test]
fn any_rank_and_more_than_one_chunk() {
    let deep = idx_u8(&[2, 1, 1, 1, 1, 1, 2], &[1, 2, 3, 4]);
    assert_eq!(parse(&deep).unwrap().dims, [2, 1, 1, 1, 1, 1, 2]);
    let widest = idx_u8(&[1; 255], &[9]);
    assert_eq!(parse(&widest).unwrap().dims, [1; 255]);

    let long: Vec<f64> = (0..20_001).map(f64::from).collect();
    let bytes: Vec<u8> = long.iter().flat_map(|v| v.to_be_bytes()).collect();
    let file = idx(0x0e, &[20_001], &bytes);
    assert_eq!(parse(&file).unwrap().elements, Elements::F64(long.clone()));
    assert_eq!(parse(&gz(&file)).unwrap().elements, Elements::F64(long));
}

#[test]
fn gzip_is_known_by_its_bytes_and_may_have_several_members() {
    let folder = tempfile::tempdir().unwrap();
    let file = images(3);
    let (plain_named_gz, gz_named_plain) =
        (put(folder.path(), "plain.gz", &file), put(folder.path(), "zipped", &gz(&file)));
    let expected = parse(&file).unwrap();
    assert_eq!(Idx::read(&plain_named_gz).unwrap(), expected);
    assert_eq!(Idx::read(&gz_named_plain).unwrap(), expected);
    // As small as deflate can make it, and still no claim too large.
    let zeros = idx_u8(&[10_000, 1_000], &vec![0; 10_000_000]);
    assert_eq!(parse(&gz(&zeros)).unwrap(), parse(&zeros).unwrap());
    let (a, b) = file.split_at(9);
    assert_eq!(parse(&[gz(a), gz(b)].concat()).unwrap(), expected);
}

#[test]
fn a_wrong_start_is_named() {
    assert_says(parse(b"PK\x03\x04 and so on"), &["some/file: byte 0", "50 4b 03 04", "IDX"]);
    assert_says(parse(b"x"), &["byte 0", "with 78\n"]);
    assert_says(parse(&[0, 0, 0x0a, 1, 0, 0, 0, 1, 0]), &["byte 2", "0x0a", "0x0d f32"]);
    assert_says(parse(&[0, 0, 0x08, 0]), &["byte 3", "0 axes"]);
    assert_says(parse(&gz(b"not idx")), &["byte 0", "6e 6f 74 20"]);
}

#[test]
fn a_header_cut_short_is_named() {
    assert_says(parse(&[]), &["byte 0", "header", "needs 4 bytes"]);
    assert_says(parse(&[0, 0, 8]), &["byte 3", "needs 4 bytes"]);
    assert_says(parse(&[0, 0, 8, 3, 0, 0, 0, 9, 0]), &["byte 9", "needs 16 bytes"]);
    assert_says(parse(&gz(&[0, 0, 8, 3, 0])), &["byte 5", "needs 16 bytes"]);
}

#[test]
fn a_file_that_holds_less_than_it_claims_is_named() {
    let file = idx_u8(&[1_000, 2, 3], &[0; 5_999]);
    let message =
        ["1,000 × 2 × 3 elements of u8", "6,000 bytes after byte 16", "holds 5,999", "cut short"];
    assert_says(parse(&file), &message);
    assert_says(parse(&gz(&file)), &message);
    // Half an element at the end.
    assert_says(parse(&idx(0x0e, &[2], &[0; 12])), &["2 elements of f64, 16 bytes", "holds 12"]);
    assert_says(
        parse(&gz(&idx(0x0e, &[2], &[0; 12]))),
        &["2 elements of f64, 16 bytes", "holds 12"],
    );
}

#[test]
fn a_claim_is_checked_before_memory_is_taken() {
    let huge = [u32::MAX, 1 << 20];
    assert_says(parse(&idx_u8(&huge, &[1, 2, 3])), &["4,294,967,295 × 1,048,576", "holds 3"]);
    assert_says(
        parse(&gz(&idx_u8(&huge, &[1, 2, 3]))),
        &["4,294,967,295 × 1,048,576", "holds at most"],
    );
    for code in [0x08, 0x0e] {
        let overflow = idx(code, &[u32::MAX, u32::MAX, u32::MAX], &[1]);
        assert_says(parse(&overflow), &["byte 4", "more than can be counted"]);
        assert_says(parse(&gz(&overflow)), &["byte 4", "more than can be counted"]);
    }
    // 2^61 elements can be counted, their bytes cannot.
    assert_says(parse(&idx(0x0e, &[1 << 31, 1 << 30], &[])), &["more than can be counted"]);
}

#[test]
fn bytes_after_the_last_element_are_named() {
    let file = idx_u8(&[2, 2], &[1, 2, 3, 4, 5, 6]);
    assert_says(parse(&file), &["byte 16", "2 bytes", "2 × 2 elements of u8"]);
    assert_says(parse(&gz(&file)), &["byte 16", "goes on", "2 × 2 elements of u8"]);
}

#[test]
fn an_empty_axis_is_named() {
    assert_says(parse(&idx_u8(&[0, 28, 28], &[])), &["byte 4", "axis 0 of 0 × 28 × 28", "empty"]);
    assert_says(parse(&idx_u8(&[5, 28, 0], &[])), &["byte 12", "axis 2 of 5 × 28 × 0"]);
}

#[test]
fn a_damaged_gzip_stream_is_named() {
    // Noise, so that the compressed file is as long as its content.
    let noise: Vec<u8> =
        (0..5_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let whole = gz(&idx_u8(&[5_000], &noise));
    assert_says(
        parse(&whole[..whole.len() / 2]),
        &["gzip stream breaks after byte", "fetch it again"],
    );
    let mut checksum = whole.clone();
    let at = whole.len() - 6;
    checksum[at] ^= 1;
    assert_says(parse(&checksum), &["gzip stream breaks after byte 5008"]);
    assert_says(parse(&[0x1f, 0x8b]), &["gzip stream breaks after byte 0"]);
}

#[test]
fn paths_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    assert_says(Idx::read(&folder.path().join("none")), &["cannot read", "none"]);
    assert_says(Idx::read(folder.path()), &[text(folder.path()), "not a plain file"]);
    let file = put(folder.path(), "file", b"");
    assert_says(Idx::read(&file.join("below")), &["cannot read", "below"]);
    assert_says(Idx::read(&file), &[text(&file), "byte 0"]);
}
