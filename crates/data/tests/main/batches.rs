//! Batches: every row once an epoch, the order a function of seed and epoch.

use thalweg_data::Batches;
use thalweg_data::batch::{BLOCK, WINDOW};
use thalweg_data::random::shuffle;

use crate::files::assert_says;

fn epoch(batches: &Batches<'_>, number: u64) -> Vec<Vec<usize>> {
    batches.epoch(number).collect()
}

#[test]
fn an_epoch_holds_every_row_once_and_ends_short() {
    let rows: Vec<usize> = (100..110).collect();
    let batches = Batches::new(rows.clone(), 4, 0).unwrap();
    assert_eq!((batches.count(), batches.batch_size()), (3, 4));
    let first = epoch(&batches, 0);
    assert_eq!(first.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
    let mut all = first.concat();
    assert_ne!(all, rows);
    all.sort_unstable();
    assert_eq!(all, rows);
    assert_eq!(batches.in_order().flatten().copied().collect::<Vec<_>>(), rows);
}

#[test]
fn the_order_depends_on_seed_and_epoch_alone() {
    let new = |seed| Batches::new((0..50).collect::<Vec<_>>(), 7, seed).unwrap();
    let run = new(1);
    let epochs: Vec<_> = (0..5).map(|e| epoch(&run, e)).collect();
    assert_eq!(epoch(&new(1), 3), epochs[3], "a resumed run sees what the whole run saw");
    assert_ne!(epochs[0], epochs[1]);
    assert_ne!(epoch(&new(2), 0), epochs[0]);
}

#[test]
fn the_short_batch_can_be_dropped() {
    let batches = Batches::new((0..10).collect::<Vec<_>>(), 4, 0).unwrap().drop_last(true);
    assert_eq!(batches.count(), 2);
    assert_eq!(epoch(&batches, 0).iter().map(Vec::len).collect::<Vec<_>>(), [4, 4]);
    assert_eq!(
        batches.in_order().map(<[usize]>::len).sum::<usize>(),
        10,
        "evaluation drops nothing"
    );
    let even = Batches::new((0..8).collect::<Vec<_>>(), 4, 0).unwrap().drop_last(true);
    assert_eq!((even.count(), epoch(&even, 0).len()), (2, 2));
}

#[test]
fn impossible_sizes_are_named() {
    assert_says(
        Batches::new((0..10).collect::<Vec<_>>(), 0, 0),
        &["batch size 0", "10 rows", "from 1 to 10"],
    );
    assert_says(Batches::new((0..10).collect::<Vec<_>>(), 11, 0), &["batch size 11", "10 rows"]);
    assert_says(Batches::new(vec![], 1, 0), &["no rows to make batches"]);
    assert_eq!(Batches::new((0..10).collect::<Vec<_>>(), 10, 0).unwrap().count(), 1);
}

/// Sets of more than a window: whole, in another order each epoch, and near in the file what is near in time.
#[test]
fn large_sets_are_shuffled_window_by_window() {
    let n = 3 * WINDOW + 5 * BLOCK;
    let rows: Vec<usize> = (0..n).map(|i| 2 * i).collect();
    let batches = Batches::new(&rows[..], 1000, 3).unwrap();
    let first: Vec<usize> = batches.epoch(0).flatten().collect();
    assert_eq!(batches.epoch(0).count(), batches.count());
    assert_eq!(batches.several(0, 7).flatten().collect::<Vec<_>>(), first);
    let mut sorted = first.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, rows);
    assert_ne!(batches.epoch(1).flatten().collect::<Vec<_>>(), first);
    for window in first.chunks(WINDOW) {
        let mut blocks: Vec<usize> = window.iter().map(|row| row / 2 / BLOCK).collect();
        blocks.sort_unstable();
        blocks.dedup();
        assert!(blocks.len() <= WINDOW / BLOCK, "{}", blocks.len());
        assert!(blocks.windows(2).any(|pair| pair[1] != pair[0] + 1), "blocks are shuffled");
    }
    let ascents = first.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!((0.49..0.51).contains(&(ascents as f64 / n as f64)), "rows are shuffled");
}

#[test]
fn up_to_a_window_every_order_is_possible() {
    let order = |n: usize| -> Vec<usize> {
        let batches = Batches::new((0..n).collect::<Vec<_>>(), n, 1).unwrap();
        batches.epoch(4).flatten().collect()
    };
    let mut whole: Vec<usize> = (0..WINDOW).collect();
    shuffle(1, 1 << 60 | 4, &mut whole);
    assert_eq!(order(WINDOW), whole);
    let mut longer = order(WINDOW + 1);
    assert_ne!(longer[..WINDOW], whole);
    longer.sort_unstable();
    assert_eq!(longer, (0..=WINDOW).collect::<Vec<_>>(), "the last block is a short one");
}
