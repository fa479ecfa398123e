//! Samples that are too many for memory train the network that they would have trained in memory.

use std::fs;

use crate::support::{Place, last};

/// A grey bitmap of 12 × 12: a bright bar that lies or stands, somewhere.
fn bar(i: usize) -> Vec<u8> {
    let (side, at) = (12usize, (i * 7) % 12);
    let pixel = |row: usize, column: usize| {
        let lit = if i.is_multiple_of(2) { row == at } else { column == at };
        (if lit { 220 } else { 30 }) + (i * 5 + row * column) % 25
    };
    // A bitmap of 24 bits, whose rows are 36 bytes long.
    let size = 54 + 36 * side;
    let mut bytes = b"BM".to_vec();
    for number in [size, 0, 54, 40, side, side, 1 | 24 << 16, 0, 36 * side, 2835, 2835, 0, 0] {
        bytes.extend((number as u32).to_le_bytes());
    }
    for row in 0..side {
        bytes.extend((0..side).flat_map(|column| [pixel(row, column) as u8; 3]));
    }
    bytes
}

#[test]
fn memory_changes_no_bit() {
    let place = Place::new();
    for i in 0..120 {
        let folder = place.path("bars").join(["lying", "standing"][i % 2]);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(format!("{i}.bmp")), bar(i)).expect("written");
    }
    let train = |out: &str, more: &[&str]| {
        let common = ["train", "bars", "--epochs", "3", "--seed", "5", "--quiet", "--json"];
        let augmented = ["--set", "train.augment=['flip', 'shift']", "--set", "train.accumulate=2"];
        let out = ["--set", "train.batch_size=16", "--out", out];
        last(&place.ok(&[&common[..], &augmented, &out, more].concat()).out)
    };
    let memory = train("memory", &[]);
    let streamed = train("streamed", &["--set", "data.memory=0", "--threads", "1"]);
    assert_eq!(memory["test"], streamed["test"]);
    for file in ["metrics.jsonl", "model.safetensors"] {
        let [a, b] = ["memory", "streamed"].map(|run| place.read(&format!("{run}/{file}")));
        assert!(a == b, "{file} is not the same");
    }

    let reports = ["memory", "streamed"].map(|run| {
        let mut report = place.json(&format!("{run}/report.json"));
        report.as_object_mut().map(|report| report.remove("command"));
        report
    });
    assert_eq!(reports[0], reports[1]);

    // Going on is the same as well.
    for run in ["memory", "streamed"] {
        place.ok(&["resume", run, "--epochs", "+1", "--quiet"]);
    }
    assert!(place.read("memory/metrics.jsonl") == place.read("streamed/metrics.jsonl"));

    // What breaks after the training is named.
    fs::write(place.path("bars/lying/8.bmp"), b"no image").expect("written");
    let done = place.thalweg(&["predict", "streamed", "bars"]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("8.bmp: the image cannot be read"), "{}", done.err);
}
