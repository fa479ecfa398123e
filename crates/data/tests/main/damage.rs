//! Thousands of damaged files: none may panic, none may take memory that its bytes do not justify.

use std::path::Path;

use thalweg_data::idx::Idx;
use thalweg_data::random::Philox;
use thalweg_data::{DataError, IdxProblem, Kind, SourceOptions, open_with};

use crate::files::{gz, idx, images, labels, one, png, put, text, tone, tree, wav, zipped};

/// A damaged copy: cut, lengthened, or with a few bits turned over, most of them near the start.
fn damaged(bytes: &[u8], random: &mut Philox) -> Vec<u8> {
    let mut copy = bytes.to_vec();
    let len = bytes.len() as u64;
    match random.below(4) {
        0 => copy.truncate(random.below(len) as usize),
        1 => copy.extend((0..=random.below(9)).map(|_| random.below(256) as u8)),
        _ => {
            for _ in 0..=random.below(3) {
                let reach = if random.below(2) == 0 { len.min(24) } else { len };
                copy[random.below(reach) as usize] ^= 1 << random.below(8);
            }
        }
    }
    copy
}

fn read_damaged_files() {
    let f64s: Vec<u8> = (0..40).flat_map(|i| f64::from(i).to_be_bytes()).collect();
    let plain = [
        images(20),
        labels(&[3; 30]),
        idx(0x0e, &[4, 10], &f64s),
        idx(0x0c, &[2, 2, 2, 2], &f64s[..64]),
    ];
    let files: Vec<Vec<u8>> =
        plain.iter().cloned().chain(plain.iter().map(|file| gz(file))).collect();
    let mut random = Philox::new(2024, 0);
    let (mut refused, mut read) = (0, 0);
    for round in 0..20_000 {
        let bytes = damaged(&files[round % files.len()], &mut random);
        match Idx::parse(&bytes, Path::new("damaged")) {
            Ok(idx) => {
                assert!(idx.dims.iter().product::<usize>() * idx.elements.size() <= 1 << 20);
                read += 1;
            }
            Err(DataError::Idx { problem: IdxProblem::OutOfMemory { bytes }, .. }) => {
                panic!("round {round}: {bytes} bytes were asked for");
            }
            Err(error) => {
                assert!(error.to_string().contains("\nhint: "));
                refused += 1;
            }
        }
    }
    // Turned pixels go unseen in plain files, all else must be noticed.
    assert!(refused > 10_000 && read > 1_000, "{refused} refused, {read} read");
}

/// Run by the test below in a process of its own, whose peak of address space then says what was reserved.
#[test]
#[ignore = "runs inside no_panic_and_no_large_allocation"]
fn child() {
    read_damaged_files();
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        let peak = status.lines().find_map(|line| line.strip_prefix("VmPeak:")).unwrap();
        let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kib < 1 << 20, "the peak of address space was {kib} KiB");
    }
}

#[test]
fn no_panic_and_no_large_allocation() {
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["damage::child", "--exact", "--ignored", "--test-threads=1"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

/// Reads damaged copies of a file beside a sound one; how many were read and how many refused.
fn read_copies(kind: Kind, name: &str, bytes: &[u8], rounds: usize) -> (usize, usize) {
    let sample = matches!(kind, Kind::Audio | Kind::Images);
    let (folder, path) = match sample {
        true => {
            let folder = tree(&[(format!("a/{name}"), bytes), (format!("b/{name}"), bytes)]);
            let path = folder.path().to_path_buf();
            (folder, path)
        }
        false => one(name, bytes),
    };
    let options = SourceOptions { kind: Some(kind), ..Default::default() };
    open_with(text(&path), &options).unwrap();
    let mut random = Philox::new(7, kind as u64);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..rounds {
        let at = if sample { folder.path().join("b") } else { folder.path().into() };
        put(&at, name, &damaged(bytes, &mut random));
        match open_with(text(&path), &options) {
            Ok(_) => read += 1,
            Err(error) => {
                assert!(error.to_string().contains("\nhint: "), "{error}");
                refused += 1;
            }
        }
    }
    (read, refused)
}

#[test]
fn no_reader_panics() {
    let sound = wav(8_000, 1, &tone(440.0, 8_000, 400));
    let picture = png(6, 6, |row, column| (row * column) as u8);
    let image = image::load_from_memory(&picture).unwrap();
    let written = |format| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.to_rgb8().write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    let (gif, jpeg) = (written(image::ImageFormat::Gif), written(image::ImageFormat::Jpeg));
    let story = "It was a dark and stormy night; the rain fell in torrents.\n".repeat(5);
    let table = b"text,class\nsome words,x\n\"other, words\",y\nmore,x\n";
    let ratings = b"user,item,rating\na,b,1\nc,d,2.5\n\"e\",f,3\n";
    let series: String = (0..60).map(|i| format!("{i},{}\n", i % 7)).collect();
    let tagged = b"Ann B\nsleeps O\n\nBob B\nruns O\n";
    let pairs = b"go\tva\nno way\tnon\n";
    let zip = zipped(&[("a/1.wav", &sound), ("b/1.wav", &sound)]);
    for (kind, name, bytes, least) in [
        (Kind::Audio, "1.wav", &sound[..], 20),
        (Kind::Images, "1.png", &picture, 20),
        (Kind::Images, "1.gif", &gif, 20),
        (Kind::Images, "1.jpg", &jpeg, 5),
        (Kind::Language, "t.txt", story.as_bytes(), 5),
        (Kind::Text, "t.csv", table, 20),
        (Kind::Text, "t.csv.gz", &gz(table), 20),
        (Kind::Ratings, "t.csv", ratings, 20),
        (Kind::Series, "t.csv", series.as_bytes(), 20),
        (Kind::Labelled, "t.conll", tagged, 5),
        (Kind::Pairs, "t.tsv", pairs, 5),
    ] {
        let (read, refused) = read_copies(kind, name, bytes, 120);
        assert!(refused >= least, "{kind}, {name}: {refused} refused, {read} read");
    }
    let (folder, path) = one("set.zip", &zip);
    let options = SourceOptions { kind: Some(Kind::Audio), ..Default::default() };
    let mut random = Philox::new(7, 99);
    let mut refused = 0;
    for _ in 0..300 {
        put(folder.path(), "set.zip", &damaged(&zip, &mut random));
        refused += usize::from(open_with(text(&path), &options).is_err());
    }
    assert!(refused > 150, "{refused}");
}
