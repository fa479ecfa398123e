//! Thousands of damaged files: none may panic, none may take memory that its bytes do not justify.

use std::path::Path;

use thalweg_data::DataError;
use thalweg_data::IdxProblem;
use thalweg_data::idx::Idx;
use thalweg_data::random::Philox;

use crate::files::{gz, idx, images, labels};

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
