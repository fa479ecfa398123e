//! Images are turned about on their way into a batch of training: the network sees each of them a little differently in
//! every epoch. What happens to a row follows from the seed, the epoch and the row alone.

use serde::{Deserialize, Serialize};
use thalweg_graph::random::Draw;

/// A change of images, `[…, height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Augment {
    /// Left and right are swapped, in every other image.
    Flip,
    /// The image is moved up or down and to a side, by at most an eighth of its height and width; its edges are repeated
    /// where it leaves room.
    Shift,
}

/// The stream of randomness of these changes: "augment".
const STREAM: u64 = 0x0061_7567_6d65_6e74;

/// Changes the images of `rows`, `x` being row-major `[rows, shape…]`. The shape has two axes at least.
pub(crate) fn augment(
    how: &[Augment],
    seed: u64,
    epoch: u64,
    rows: &[usize],
    shape: &[usize],
    x: &mut [f32],
) {
    let [.., height, width] = *shape else { return };
    let size: usize = shape.iter().product();
    let draw = Draw { seed, step: epoch, stream: STREAM };
    let mut old = vec![0.0f32; height * width];
    for (image, &row) in x.chunks_exact_mut(size.max(1)).zip(rows) {
        let [flip, down, right, _] = draw.block(row as u64);
        let flipped = how.contains(&Augment::Flip) && flip % 2 == 1;
        let shifts = how.contains(&Augment::Shift);
        let [down, right] = [(down, height), (right, width)].map(|(word, extent)| match shifts {
            true => within(word, extent / 8),
            false => 0,
        });
        if !flipped && down == 0 && right == 0 {
            continue;
        }
        for plane in image.chunks_exact_mut((height * width).max(1)) {
            old.copy_from_slice(plane);
            for (place, pixel) in plane.iter_mut().enumerate() {
                let (i, j) = (place / width, place % width);
                let j = if flipped { width - 1 - j } else { j };
                let [i, j] = [(i, down, height), (j, right, width)]
                    .map(|(at, by, extent)| (at as i64 - by).clamp(0, extent as i64 - 1) as usize);
                *pixel = old[i * width + j];
            }
        }
    }
}

/// A number from −most to most, each as likely as the others but for a share of 2⁻³².
fn within(word: u32, most: usize) -> i64 {
    let range = 2 * most as u64 + 1;
    ((u64::from(word) * range) >> 32) as i64 - most as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_swapped_and_moved_by_seed_epoch_and_row() {
        let image: Vec<f32> = (0..2 * 8 * 16).map(|i| i as f32).collect();
        let changed = |how: &[Augment], seed, epoch, row| {
            let mut x = image.clone();
            augment(how, seed, epoch, &[row], &[2, 8, 16], &mut x);
            x
        };
        let mut seen = Vec::new();
        for row in 0..40 {
            let flipped = changed(&[Augment::Flip], 1, 2, row);
            let mirror: Vec<f32> =
                image.chunks(16).flat_map(|line| line.iter().rev().copied()).collect();
            assert!(flipped == image || flipped == mirror);
            seen.push(flipped == mirror);
            // By at most a row and two columns; what leaves on a side is repeated there.
            let moved = changed(&[Augment::Shift], 1, 2, row);
            let fits = |down: i64, right: i64| {
                (0..2 * 8 * 16).all(|place: i64| {
                    let (plane, i, j) = (place / 128, place / 16 % 8, place % 16);
                    let (i, j) = ((i - down).clamp(0, 7), (j - right).clamp(0, 15));
                    moved[place as usize] == (plane * 128 + i * 16 + j) as f32
                })
            };
            assert!((-1..=1).any(|down| (-2..=2).any(|right| fits(down, right))), "{moved:?}");
        }
        assert!(seen.contains(&true) && seen.contains(&false));
        let all = |seed, epoch| -> Vec<Vec<f32>> {
            (0..10).map(|row| changed(&[Augment::Shift, Augment::Flip], seed, epoch, row)).collect()
        };
        assert_eq!(all(1, 2), all(1, 2));
        assert!(all(1, 2) != all(1, 3) && all(1, 2) != all(2, 2));
    }
}
