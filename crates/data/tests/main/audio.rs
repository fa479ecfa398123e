//! Recordings: what is in a WAV file, which class it has, and what it looks like.

use hound::{SampleFormat, WavSpec, WavWriter};
use thalweg_data::{
    Encoding, Features, Loaded, Raw, SourceOptions, open, open_as, open_features, open_with,
};

use crate::files::*;

fn values(features: &Features) -> &[f32] {
    match features.raw() {
        Raw::F32(values) => values,
        _ => panic!("numbers were expected"),
    }
}

/// Two classes of two recordings each.
fn low_and_high() -> [(String, Vec<u8>); 4] {
    [("low", 300.0, 2000), ("low", 320.0, 2400), ("high", 2000.0, 2000), ("high", 2100.0, 1600)]
        .map(|(class, hertz, n)| {
            (format!("{class}/{n}.wav"), wav(8_000, 1, &tone(hertz, 8_000, n)))
        })
}

/// Against numbers that fixtures/mel.py made by the formulas.
#[test]
fn spectrograms_are_those_of_the_formulas() {
    let json = include_str!("../fixtures/mel.json");
    let wanted: serde_json::Value = serde_json::from_str(json).unwrap();
    let wave: Vec<i16> = (0..1000)
        .map(|i| {
            let t = f64::from(i) / 8000.0;
            let tone = |hertz: f64| (std::f64::consts::TAU * hertz * t).sin();
            let x = 0.3 * tone(440.0) + 0.2 * (f64::from(i) / 999.0) * tone(1900.0);
            (32767.0 * x).round() as i16
        })
        .collect();
    let recording = wav(8_000, 1, &wave);
    let folder = tree(&[("a/1.wav", recording.clone()), ("b/1.wav", recording)]);
    let options = SourceOptions { mels: Some(12), ..Default::default() };
    let loaded = open_with(text(folder.path()), &options).unwrap();
    let features = &loaded.train.features;
    assert_eq!(features.shape(), [1, 12, 13]);
    let got = &values(features)[..12 * 13];
    for (i, (got, wanted)) in got.iter().zip(wanted["decibels"].as_array().unwrap()).enumerate() {
        let wanted = wanted.as_f64().unwrap() as f32;
        assert!((got - wanted).abs() < 2e-3, "place {i}: {got}, not {wanted}");
    }
}

#[test]
fn class_folders_of_a_folder_and_of_a_zip() {
    let folder = tree(&low_and_high());
    let loaded = open(text(folder.path())).unwrap();
    let Encoding::Audio(audio) = &loaded.encoding else { panic!("audio was expected") };
    // 26, 31, 26 and 21 frames: the 95th of 100 is the longest.
    assert_eq!((audio.rate, audio.n_fft, audio.hop, audio.mels), (8_000, 256, 80, 40));
    assert_eq!(loaded.train.features.shape(), [1, 40, 31]);
    assert_eq!(classes(&loaded.train.targets), (&[0, 0, 1, 1][..], vec!["high", "low"]));
    assert!(loaded.test.is_none() && loaded.parts.is_none() && loaded.fields.is_empty());

    let entries = low_and_high().map(|(name, bytes)| (format!("deep/in/{name}"), bytes));
    let (_folder, zip) = one("set.zip", &zipped(&entries));
    let zipped = open(text(&zip)).unwrap();
    assert_eq!(
        (zipped.train.name.as_str(), &zipped.train.features),
        ("set", &loaded.train.features)
    );
    assert_eq!(zipped.train.targets, loaded.train.targets);

    // The tone is where it should be: the loudest band of a low tone lies below that of a high one.
    let loudest = |row: usize| {
        let sample = &values(&loaded.train.features)[row * 40 * 31..(row + 1) * 40 * 31];
        (0..40).max_by(|&a, &b| sample[a * 31 + 15].total_cmp(&sample[b * 31 + 15])).unwrap()
    };
    assert!(loudest(0) > loudest(2) + 10, "{} {}", loudest(0), loudest(2));
    // Padding is silence on both sides alike.
    let short = &values(&loaded.train.features)[..31];
    assert!(short[..5].iter().chain(&short[26..]).all(|&x| x == -80.0), "{short:?}");
}

#[test]
fn names_hold_classes_and_fields() {
    let files: Vec<(String, Vec<u8>)> =
        ["yes_ann_0", "yes_bob_0", "no_ann_0", "no_bob_1", "no_ann_1"]
            .iter()
            .map(|name| (format!("all/{name}.wav"), wav(8_000, 1, &tone(440.0, 8_000, 800))))
            .collect();
    let folder = tree(&files);
    let spec = text(folder.path());
    let pattern = "{label}_{speaker}_{take}.wav";
    let options = SourceOptions { label_pattern: Some(pattern.into()), ..Default::default() };
    let loaded = open_with(spec, &options).unwrap();
    assert_eq!(classes(&loaded.train.targets), (&[0, 0, 0, 1, 1][..], vec!["no", "yes"]));
    assert_eq!(loaded.fields["speaker"], ["ann", "ann", "bob", "ann", "bob"]);
    assert_eq!(loaded.fields["take"], ["0", "1", "1", "0", "0"]);

    let with = |test: &str| SourceOptions { test: Some(test.parse().unwrap()), ..options.clone() };
    let held_out = open_with(spec, &with("speaker=bob")).unwrap();
    assert_eq!(classes(&held_out.train.targets).0, [0, 0, 1]);
    assert_eq!(classes(&held_out.test.as_ref().unwrap().targets).0, [0, 1]);
    assert_eq!(held_out.fields["take"], ["0", "1", "0"]);
    assert_says(open_with(spec, &with("speaker=eve")), &["'speaker=eve' is no row"]);
    assert_says(open_with(spec, &with("take=0,1")), &["'take=0,1' is every row"]);
    assert_says(open_with(spec, &with("mood=good")), &["no field 'mood'", "speaker, take"]);
    // All of one class are gone from the training rows, so the test has a class that is not known.
    assert_says(open_with(spec, &with("label=yes")), &["one class, 'no'"]);

    assert_says(open(spec), &["all 5 samples are of one class, 'all'"]);
    let bad =
        SourceOptions { label_pattern: Some("{label}_{speaker}.mp3".into()), ..Default::default() };
    assert_says(open_with(spec, &bad), &["no_ann_0.wav", "does not match the label pattern"]);
    let bad = SourceOptions { label_pattern: Some("{word}_*".into()), ..Default::default() };
    assert_says(open_with(spec, &bad), &["has no {label}"]);
}

#[test]
fn parts_in_folders_of_their_own() {
    let sound = |n: usize| wav(8_000, 1, &tone(440.0, 8_000, n));
    let files = [
        ("x/Train/a/1.wav", sound(800)),
        ("x/Train/b/1.wav", sound(1600)),
        ("x/test/a/1.wav", sound(8000)),
        ("x/val/b/1.wav", sound(400)),
    ];
    let folder = tree(&files);
    let loaded = open(text(folder.path())).unwrap();
    // The longer test recording does not count.
    assert_eq!(loaded.train.features.shape(), [1, 40, 21]);
    assert_eq!(classes(&loaded.train.targets).0, [0, 1, 1]);
    assert_eq!(classes(&loaded.test.as_ref().unwrap().targets), (&[0][..], vec!["a", "b"]));
    let parts = loaded.parts.as_ref().unwrap();
    assert_eq!(
        (&parts.train[..], &parts.valid[..], &parts.test[..]),
        (&[0, 1][..], &[2][..], &[][..])
    );
    // To predict on, the test part is taken.
    let features = open_features(text(folder.path()), &kept(&loaded), &SourceOptions::default());
    assert_eq!(features.unwrap(), loaded.test.unwrap().features);

    let folder = tree(&[&files[..3], &[("x/test/c/1.wav", sound(80))]].concat());
    assert_says(
        open(text(folder.path())),
        &["c/1.wav", "class 'c' is none of those learned from", "a, b"],
    );
}

/// The same sound in other clothes gives the same picture.
#[test]
fn widths_channels_and_rates() {
    let wave = tone(440.0, 8_000, 1600);
    let write = |bits: u16, format: SampleFormat, sample: &dyn Fn(i16) -> f64| {
        let spec = WavSpec {
            channels: 1,
            sample_rate: 8_000,
            bits_per_sample: bits,
            sample_format: format,
        };
        let mut bytes = Vec::new();
        let mut writer = WavWriter::new(std::io::Cursor::new(&mut bytes), spec).unwrap();
        for &x in &wave {
            match format {
                SampleFormat::Int => writer.write_sample(sample(x) as i32).unwrap(),
                SampleFormat::Float => writer.write_sample(sample(x) as f32).unwrap(),
            }
        }
        writer.finalize().unwrap();
        bytes
    };
    let stereo: Vec<i16> = wave.iter().flat_map(|&x| [x, x]).collect();
    let files = [
        ("a/0.wav", wav(8_000, 1, &wave), 0.0),
        ("a/1.wav", wav(8_000, 2, &stereo), 0.0),
        ("a/2.wav", write(24, SampleFormat::Int, &|x| f64::from(x) * 256.0), 0.0),
        ("a/3.wav", write(32, SampleFormat::Int, &|x| f64::from(x) * 65536.0), 0.0),
        ("a/4.wav", write(32, SampleFormat::Float, &|x| f64::from(x) / 32768.0), 0.0),
        ("a/5.wav", wav(8_000, 1, &wave.iter().map(|x| x / 2).collect::<Vec<_>>()), 0.6),
        ("b/0.wav", wav(16_000, 1, &tone(440.0, 16_000, 3200)), 0.6),
        ("b/1.wav", wav(44_100, 1, &tone(440.0, 44_100, 8820)), 0.6),
    ];
    let folder = tree(&files.clone().map(|(name, bytes, _)| (name, bytes)));
    let loaded = open(text(folder.path())).unwrap();
    let width = loaded.train.features.width();
    let of = |row: usize| &values(&loaded.train.features)[row * width..(row + 1) * width];
    for (row, (name, _, allowed)) in files.iter().enumerate() {
        // Where the tone is; elsewhere rounding to 16 bits is what is heard.
        let loud = of(0).iter().zip(of(row)).filter(|(a, _)| **a > -30.0);
        let far = loud.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far <= *allowed, "{name}: {far}");
    }
    let eight = write(8, SampleFormat::Int, &|x| f64::from(x) / 256.0);
    let folder = tree(&[("a/0.wav", eight), ("b/0.wav", wav(8_000, 1, &[0; 800]))]);
    let loaded = open(text(folder.path())).unwrap();
    let (eight, silent) = values(&loaded.train.features).split_at(loaded.train.features.width());
    assert!(eight.contains(&0.0), "the loudest place is 0 dB");
    assert!(silent.iter().all(|&x| x == -80.0), "silence");
}

#[test]
fn a_network_brings_its_own_rate_and_frames() {
    let folder = tree(&low_and_high());
    let loaded = open(text(folder.path())).unwrap();
    let encoding = kept(&loaded);
    let other = tree(&[("high/x.wav", wav(16_000, 1, &tone(2000.0, 16_000, 16_000)))]);
    let names = ["high", "low"].map(String::from);
    let options = SourceOptions::default();
    let judged: Loaded = open_as(text(other.path()), &encoding, &names, &options).unwrap();
    assert_eq!(judged.train.features.shape(), [1, 40, 31]);
    assert_eq!(classes(&judged.train.targets), (&[0][..], vec!["high", "low"]));
    let alone = other.path().join("high/x.wav");
    let features = open_features(text(&alone), &encoding, &options).unwrap();
    assert_eq!(features, judged.train.features);
    let names = ["deep", "low"].map(String::from);
    assert_says(
        open_as(text(other.path()), &encoding, &names, &options),
        &["class 'high'", "deep, low"],
    );
}

#[test]
fn options_of_spectrograms() {
    let folder = tree(&low_and_high());
    let options =
        SourceOptions { rate: Some(16_000), mels: Some(20), frames: Some(7), ..Default::default() };
    let loaded = open_with(text(folder.path()), &options).unwrap();
    let Encoding::Audio(audio) = &loaded.encoding else { panic!("audio was expected") };
    assert_eq!((audio.rate, audio.n_fft, audio.hop), (16_000, 512, 160));
    assert_eq!(loaded.train.features.shape(), [1, 20, 7]);
    let options = SourceOptions { mels: Some(200), ..Default::default() };
    assert_says(open_with(text(folder.path()), &options), &["mels", "200 bands", "4000 Hz"]);
}

#[test]
fn damaged_recordings_are_named() {
    let good = wav(8_000, 1, &tone(440.0, 8_000, 800));
    let cut = good[..good.len() - 301].to_vec();
    let floats = WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 32,
        sample_format: SampleFormat::Float,
    };
    let mut nan = Vec::new();
    let mut writer = WavWriter::new(std::io::Cursor::new(&mut nan), floats).unwrap();
    [0.5, f32::NAN].iter().for_each(|&x| writer.write_sample(x).unwrap());
    writer.finalize().unwrap();
    for (bytes, said) in [
        (b"RIFF".to_vec(), "the recording cannot be read"),
        (Vec::new(), "the recording cannot be read"),
        (b"no sound at all, just words".to_vec(), "the recording cannot be read"),
        (cut, "breaks after 649 of its 800 samples"),
        (nan, "sample 1 is NaN"),
        (wav(8_000, 1, &[]), "has no samples"),
        (wav(3, 1, &[1, 2]), "3 samples a second"),
    ] {
        let files = [("a/1.wav", good.clone()), ("b/bad.wav", bytes)];
        let folder = tree(&files);
        let path = folder.path().join("b/bad.wav");
        assert_says(open(text(folder.path())), &[text(&path), said]);
        let (_folder, zip) = one("set.zip", &zipped(&files));
        assert_says(open(text(&zip)), &[&format!("{}: b/bad.wav: ", zip.display()), said]);
    }
    let flat = tree(&[("1.wav", good.clone()), ("2.wav", good)]);
    assert_says(open(text(flat.path())), &["1.wav", "in no class folder", "--label-pattern"]);
}
