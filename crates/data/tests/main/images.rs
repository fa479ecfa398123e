//! Images from class folders: sizes, colours, sequences, and what is said of damaged ones.

use std::io::Cursor;

use image::codecs::gif::GifEncoder;
use image::{Delay, Frame, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use thalweg_data::{
    Encoding, Features, Kind, Raw, Size, SourceOptions, open, open_as, open_features, open_with,
};

use crate::files::*;

fn bytes(features: &Features) -> &[u8] {
    match features.raw() {
        Raw::U8(bytes) => bytes,
        _ => panic!("bytes were expected"),
    }
}

fn written(image: &image::DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// An animation of `n` grey frames of 4×4, frame `i` of brightness 40·i.
fn gif(n: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    for i in 0..n {
        let image = RgbaImage::from_pixel(4, 4, Rgba([40 * i, 40 * i, 40 * i, 255]));
        let frame = Frame::from_parts(image, 0, 0, Delay::from_numer_denom_ms(100, 1));
        encoder.encode_frame(frame).unwrap();
    }
    drop(encoder);
    bytes
}

#[test]
fn grey_images_stay_as_they_are() {
    let image = |start: u8| png(2, 3, move |row, column| start + (row * 3 + column) as u8);
    let files = [
        ("a/1.png", image(10)),
        ("a/2.png", image(20)),
        ("b/1.png", image(30)),
        ("notes.txt", vec![]),
    ];
    let folder = tree(&files);
    let loaded = open(text(folder.path())).unwrap();
    let data = &loaded.train;
    assert_eq!((data.features.shape(), data.features.full_scale()), (&[1, 2, 3][..], 255.0));
    let wanted: Vec<u8> = (10..16).chain(20..26).chain(30..36).collect();
    assert_eq!(bytes(&data.features), wanted);
    assert_eq!(classes(&data.targets), (&[0, 0, 1][..], vec!["a", "b"]));
    let alone = folder.path().join("a/2.png");
    let features = open_features(text(&alone), &kept(&loaded), &SourceOptions::default()).unwrap();
    assert_eq!(bytes(&features), (20..26).collect::<Vec<u8>>());
}

#[test]
fn sizes_and_colours() {
    let mut red = RgbImage::from_pixel(100, 50, Rgb([200, 0, 0]));
    red.put_pixel(0, 0, Rgb([200, 0, 1]));
    let red = written(&red.into(), ImageFormat::Png);
    let clear = RgbaImage::from_pixel(100, 50, Rgba([0, 0, 0, 0]));
    let files = [
        ("a/1.png", red.clone()),
        ("a/2.png", written(&clear.into(), ImageFormat::Png)),
        (
            "b/1.jpg",
            written(&RgbImage::from_pixel(9, 7, Rgb([90, 90, 90])).into(), ImageFormat::Jpeg),
        ),
        ("b/2.GIF", gif(1)),
    ];
    let folder = tree(&files);
    let spec = text(folder.path());
    let loaded = open(spec).unwrap();
    // The most frequent size is 50 × 100; its longer side becomes 64.
    assert_eq!(loaded.train.features.shape(), [3, 32, 64]);
    let area = 32 * 64;
    let all = bytes(&loaded.train.features);
    let plane = |row: usize, channel: usize| &all[(row * 3 + channel) * area..][..area];
    assert!(plane(0, 0).iter().all(|&x| x == 200) && plane(0, 1).iter().all(|&x| x == 0));
    assert!((0..3).all(|channel| plane(1, channel).iter().all(|&x| x == 255)), "laid over white");
    assert!((0..3).all(|channel| plane(2, channel).iter().all(|&x| x.abs_diff(90) < 3)));
    assert!((0..3).all(|channel| plane(3, channel).iter().all(|&x| x == 0)));

    let options = SourceOptions {
        size: Some(Size::Rectangle([5, 4])),
        channels: Some(1),
        ..Default::default()
    };
    let small = open_with(spec, &options).unwrap();
    assert_eq!(small.train.features.shape(), [1, 5, 4]);
    // 0.2126 · 200
    assert!(bytes(&small.train.features)[..20].iter().all(|&x| x == 43));
    let options = SourceOptions { size: Some(Size::Square(6)), ..Default::default() };
    assert_eq!(open_with(spec, &options).unwrap().train.features.shape(), [3, 6, 6]);
    let options = SourceOptions { channels: Some(2), ..Default::default() };
    assert_says(open_with(spec, &options), &["channels", "2 is no number of channels"]);
}

/// Shrinking averages: a fine chequerboard becomes even grey.
#[test]
fn shrinking_averages() {
    let board = || png(128, 128, |row, column| 255 * ((row + column) % 2) as u8);
    let folder = tree(&[("a/1.png", board()), ("b/1.png", board())]);
    let loaded = open(text(folder.path())).unwrap();
    assert_eq!(loaded.train.features.shape(), [1, 64, 64]);
    let all = bytes(&loaded.train.features);
    assert!(all.iter().all(|&x| (120..=135).contains(&x)), "{:?}", &all[..8]);
}

#[test]
fn animations_and_folders_of_frames_are_sequences() {
    let folder = tree(&[("a/1.gif", gif(4)), ("a/2.gif", gif(4)), ("b/1.gif", gif(2))]);
    let loaded = open(text(folder.path())).unwrap();
    assert_eq!(loaded.train.features.shape(), [1, 4, 4, 4]);
    let frames = |features: &Features, row: usize, frames: usize| -> Vec<u8> {
        let sample = &bytes(features)[row * features.width()..(row + 1) * features.width()];
        sample.iter().step_by(features.width() / frames).copied().collect()
    };
    assert_eq!(frames(&loaded.train.features, 0, 4), [0, 40, 80, 120]);
    assert_eq!(frames(&loaded.train.features, 2, 4), [0, 0, 40, 40], "evenly spaced");

    let frame = |i: u8| png(4, 4, move |_, _| i);
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for (sample, start) in [("up/first", 0), ("up/second", 20), ("down/first", 100)] {
        for i in 0..11 {
            files.push((format!("{sample}/frame{i}.png"), frame(start + i)));
        }
    }
    let folder = tree(&files);
    let options = SourceOptions { frames: Some(11), ..Default::default() };
    let loaded = open_with(text(folder.path()), &options).unwrap();
    assert_eq!(loaded.train.features.shape(), [1, 11, 4, 4]);
    assert_eq!(classes(&loaded.train.targets), (&[0, 1, 1][..], vec!["down", "up"]));
    // By number: frame10 comes after frame9.
    assert_eq!(frames(&loaded.train.features, 1, 11), (0..11).collect::<Vec<u8>>());
    let options = SourceOptions { frames: Some(2), ..Default::default() };
    let two = open_with(text(folder.path()), &options).unwrap();
    assert_eq!(frames(&two.train.features, 0, 2), [100, 105]);
    let again = open_features(text(folder.path()), &kept(&two), &SourceOptions::default());
    assert_eq!(again.unwrap(), two.train.features);
}

#[test]
fn a_network_brings_its_own_size() {
    let folder = tree(&[("a/1.png", png(4, 4, |_, _| 9)), ("b/1.png", png(4, 4, |_, _| 8))]);
    let loaded = open(text(folder.path())).unwrap();
    let red = written(&RgbImage::from_pixel(8, 8, Rgb([255, 0, 0])).into(), ImageFormat::Png);
    let other = tree(&[("b/x.png", red)]);
    let names = ["a", "b"].map(String::from);
    let judged =
        open_as(text(other.path()), &kept(&loaded), &names, &SourceOptions::default()).unwrap();
    assert_eq!(
        (bytes(&judged.train.features), classes(&judged.train.targets).0),
        (&[54; 16][..], &[1][..])
    );

    let edited = r#"{"type": "images", "channels": 2, "height": 1, "width": 1}"#;
    let edited: Encoding = serde_json::from_str(edited).unwrap();
    let refused = open_features(text(other.path()), &edited, &SourceOptions::default());
    assert_says(refused, &["describes no image"]);
}

#[test]
fn damaged_images_are_named() {
    let good = png(20, 20, |row, column| (row * column) as u8);
    let files = |bad: &[u8]| [("a/1.png", good.clone()), ("b/bad.png", bad.to_vec())];
    let mut turned = good.clone();
    turned[60] ^= 0x55;
    for bad in [&good[..40], &good[..8], &turned, b"", b"GIF89a", b"not an image"] {
        let folder = tree(&files(bad));
        assert_says(open(text(folder.path())), &["bad.png", "the image cannot be read"]);
        let (_folder, zip) = one("set.zip", &zipped(&files(bad)));
        assert_says(open(text(&zip)), &[&format!("{}: b/bad.png: ", zip.display())]);
    }
}

#[test]
fn formats_depths_and_transparency() {
    use image::DynamicImage;
    let red = RgbImage::from_pixel(3, 2, Rgb([255, 0, 0]));
    let clear = RgbaImage::from_pixel(3, 2, Rgba([0, 0, 0, 0]));
    let deep = image::ImageBuffer::from_pixel(3, 2, image::Luma([0x8080u16]));
    let files = [
        ("a/1.bmp", written(&DynamicImage::ImageRgb8(red.clone()), ImageFormat::Bmp)),
        ("a/2.webp", written(&DynamicImage::ImageRgb8(red), ImageFormat::WebP)),
        ("b/1.png", written(&DynamicImage::ImageRgba8(clear), ImageFormat::Png)),
        ("b/2.png", written(&DynamicImage::ImageLuma16(deep), ImageFormat::Png)),
    ];
    let loaded = open(text(tree(&files).path())).unwrap();
    assert_eq!(loaded.train.features.shape(), [3, 2, 3]);
    let sample = |pixel: [u8; 3]| pixel.into_iter().flat_map(|byte| [byte; 6]).collect::<Vec<_>>();
    let wanted = [[255, 0, 0], [255, 0, 0], [255; 3], [128; 3]].map(sample).concat();
    assert_eq!(bytes(&loaded.train.features), wanted);
}

/// A camera held on its side says so.
#[test]
fn photographs_stand_upright() {
    let half =
        RgbImage::from_fn(16, 8, |x, _| if x < 8 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) });
    let plain = written(&half.into(), ImageFormat::Jpeg);
    // An EXIF block whose only entry is the orientation, behind the start of the file.
    let turned = |orientation: u8| {
        let exif = b"\xff\xe1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0";
        [&plain[..2], exif, &[orientation, 0, 0, 0, 0, 0, 0, 0], &plain[2..]].concat()
    };
    let files = [("a/1.jpg", turned(6)), ("a/2.jpg", turned(8)), ("b/1.jpg", plain.clone())];
    let folder = tree(&files);
    let features = open(text(folder.path())).unwrap().train.features;
    assert_eq!(features.shape(), [3, 16, 8]);
    let red = |row: usize, line: usize| bytes(&features)[row * features.width() + line * 8];
    // Turned to the right, what was left is above; to the left, below.
    assert!(red(0, 0) > 200 && red(0, 15) < 50 && red(1, 0) < 50 && red(1, 15) > 200);
}

#[test]
fn classes_within_classes_are_said() {
    let files = ["animals/cat", "animals/dog", "plants/rose", "plants/tulip"]
        .map(|class| [0, 1].map(|i| (format!("{class}/{i}.png"), png(4, 4, |_, _| i))));
    let folder = tree(&files.concat());
    assert_says(open(text(folder.path())), &["4 folders below the class folders"]);
    let options = SourceOptions { frames: Some(2), ..Default::default() };
    assert_eq!(open_with(text(folder.path()), &options).unwrap().train.rows(), 4);
}

#[test]
fn bad_files_are_left_out_where_that_is_wanted() {
    let good = png(4, 4, |row, column| (row * 4 + column) as u8);
    let files = [
        ("a/1.png", good.clone()),
        ("a/2.png", good[..good.len() - 20].to_vec()),
        ("b/1.png", b"no image at all".to_vec()),
        ("b/2.png", good),
    ];
    let folder = tree(&files);
    assert_says(open(text(folder.path())), &["b/1.png", "cannot be read", "--skip-bad"]);
    let options = SourceOptions { skip_bad: true, ..SourceOptions::default() };
    let loaded = open_with(text(folder.path()), &options).unwrap();
    assert_eq!(classes(&loaded.train.targets).0, [0, 1]);
    let note = &loaded.notes[0];
    assert!(note.contains("2 left out") && note.contains("a/2.png"), "{note}");
    assert!(note.contains("b/1.png"), "{note}");

    let sounds = [
        ("a/1.wav", wav(8_000, 1, &tone(440.0, 8_000, 800))),
        ("a/2.wav", b"RIFF".to_vec()),
        ("b/1.wav", wav(8_000, 1, &tone(880.0, 8_000, 800))),
    ];
    let folder = tree(&sounds);
    assert_says(open(text(folder.path())), &["a/2.wav", "--skip-bad"]);
    let loaded = open_with(text(folder.path()), &options).unwrap();
    assert_eq!((loaded.train.rows(), loaded.notes.len()), (2, 1));
}

#[test]
fn empty_class_folders_are_said() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("cats")).unwrap();
    assert_says(open(text(folder.path())), &["folders in it", "no file in any of them"]);
}

#[test]
fn bad_cells_of_pictures_and_recordings_are_named_or_left_out() {
    let picture = |i: usize| png(4, 4, move |row, column| (row * 4 + column + i as u32) as u8);
    let sound = |i: usize| wav(8_000, 1, &tone(300.0 + 20.0 * i as f64, 8_000, 800));
    for (end, bad) in [("png", b"no image".to_vec()), ("wav", b"RIFF".to_vec())] {
        let content = |i: usize| if end == "png" { picture(i) } else { sound(i) };
        let mut files: Vec<(String, Vec<u8>)> =
            (0..30).map(|i| (format!("{i}.{end}"), content(i))).collect();
        let rows: String =
            (0..30).map(|i| format!("{i}.{end},{},{}\n", i * 3 % 7, i % 2)).collect();
        files.push(("t.csv".into(), format!("file,size,class\n{rows}").into_bytes()));
        // One that is not there, one that is damaged.
        files.remove(4);
        files[20].1 = bad;
        let files: Vec<(&str, Vec<u8>)> =
            files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        let folder = tree(&files);
        let path = folder.path().join("t.csv");
        let missing = format!("4.{end}");
        let says = ["t.csv: line 6, column 'file'", &missing, "--skip-bad"];
        assert_says(open(text(&path)), &says);

        let options = SourceOptions { skip_bad: true, ..SourceOptions::default() };
        let loaded = open_with(text(&path), &options).unwrap();
        assert_eq!(loaded.train.rows(), 28);
        // A table of files and classes alone is one of files too, not of texts.
        let two: String = (0..30).map(|i| format!("{i}.{end},{}\n", i % 2)).collect();
        let two = put(folder.path(), "two.csv", format!("file,class\n{two}").as_bytes());
        let two = open_with(text(&two), &options).unwrap();
        assert_eq!((kept(&two).kind(), two.train.rows()), (Kind::Table, 28));
        let parts = loaded.parts.as_ref().unwrap();
        assert_eq!(parts.train.len() + parts.valid.len() + parts.test.len(), 28);
        let note = loaded.notes.iter().find(|note| note.contains("left out")).unwrap();
        assert!(note.contains("2 left out") && note.contains("line 6, column 'file'"), "{note}");
        assert!(note.contains("line 23, column 'file'") && note.contains(&format!("21.{end}")));

        let names = ["0", "1"].map(String::from);
        let judged = open_as(text(&path), &kept(&loaded), &names, &options).unwrap();
        assert_eq!(judged.train.rows(), 28);
        let (features, notes) =
            thalweg_data::open_unlabelled(text(&path), &kept(&loaded), &options).unwrap();
        assert_eq!((features.rows(), notes.len()), (28, 1));
    }
}
