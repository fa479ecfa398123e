//! Batches: every row once an epoch, the order a function of seed and epoch.

use thalweg_data::Batches;

use crate::files::assert_says;

fn epoch(batches: &mut Batches, number: u64) -> Vec<Vec<usize>> {
    batches.epoch(number).map(<[usize]>::to_vec).collect()
}

#[test]
fn an_epoch_holds_every_row_once_and_ends_short() {
    let rows: Vec<usize> = (100..110).collect();
    let mut batches = Batches::new(rows.clone(), 4, 0).unwrap();
    assert_eq!((batches.count(), batches.batch_size()), (3, 4));
    let first = epoch(&mut batches, 0);
    assert_eq!(first.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
    let mut all = first.concat();
    assert_ne!(all, rows);
    all.sort_unstable();
    assert_eq!(all, rows);
    assert_eq!(batches.in_order().flatten().copied().collect::<Vec<_>>(), rows);
}

#[test]
fn the_order_depends_on_seed_and_epoch_alone() {
    let new = |seed| Batches::new((0..50).collect(), 7, seed).unwrap();
    let mut run = new(1);
    let epochs: Vec<_> = (0..5).map(|e| epoch(&mut run, e)).collect();
    assert_eq!(epoch(&mut new(1), 3), epochs[3], "a resumed run sees what the whole run saw");
    assert_ne!(epochs[0], epochs[1]);
    assert_ne!(epoch(&mut new(2), 0), epochs[0]);
}

#[test]
fn the_short_batch_can_be_dropped() {
    let mut batches = Batches::new((0..10).collect(), 4, 0).unwrap().drop_last(true);
    assert_eq!(batches.count(), 2);
    assert_eq!(epoch(&mut batches, 0).iter().map(Vec::len).collect::<Vec<_>>(), [4, 4]);
    assert_eq!(
        batches.in_order().map(<[usize]>::len).sum::<usize>(),
        10,
        "evaluation drops nothing"
    );
    let mut even = Batches::new((0..8).collect(), 4, 0).unwrap().drop_last(true);
    assert_eq!((even.count(), epoch(&mut even, 0).len()), (2, 2));
}

#[test]
fn impossible_sizes_are_named() {
    assert_says(
        Batches::new((0..10).collect(), 0, 0),
        &["batch size 0", "10 rows", "from 1 to 10"],
    );
    assert_says(Batches::new((0..10).collect(), 11, 0), &["batch size 11", "10 rows"]);
    assert_says(Batches::new(vec![], 1, 0), &["no rows to make batches"]);
    assert_eq!(Batches::new((0..10).collect(), 10, 0).unwrap().count(), 1);
}
