//! Shuffles. They are built on the counter-based generator of [`thalweg_graph::random`], so an order depends on the
//! seed, the stream and the length alone, never on who asks first.

use thalweg_graph::random::philox4x32;

/// Random 64-bit words of one stream, in order.
///
/// Word `2b` and `2b + 1` come from block `b`: counter `[b low, b high, stream low, stream high]`, key
/// `[seed low, seed high]`, each word low half first.
#[derive(Debug, Clone)]
pub struct Philox {
    seed: u64,
    stream: u64,
    block: u64,
    spare: Option<u64>,
}

impl Philox {
    /// The start of stream `stream` under `seed`.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Self {
        Philox { seed, stream, block: 0, spare: None }
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        if let Some(word) = self.spare.take() {
            return word;
        }
        let halves = |v: u64| [v as u32, (v >> 32) as u32];
        let ([b0, b1], [s0, s1]) = (halves(self.block), halves(self.stream));
        let r = philox4x32([b0, b1, s0, s1], halves(self.seed));
        self.block = self.block.wrapping_add(1);
        self.spare = Some(u64::from(r[2]) | u64::from(r[3]) << 32);
        u64::from(r[0]) | u64::from(r[1]) << 32
    }

    /// A uniform integer in `0..bound`, without bias: the few words that would favour small values are drawn
    /// again (Lemire 2019). A bound of 0 gives 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let reject = bound.wrapping_neg().checked_rem(bound).unwrap_or(0);
        loop {
            let wide = u128::from(self.next_u64()) * u128::from(bound);
            if wide as u64 >= reject {
                return (wide >> 64) as u64;
            }
        }
    }
}

/// Shuffles in place (Fisher–Yates from the end): every order is equally likely, and the order is a function of
/// `seed`, `stream` and the length alone.
pub fn shuffle<T>(seed: u64, stream: u64, items: &mut [T]) {
    let mut random = Philox::new(seed, stream);
    for last in (1..items.len()).rev() {
        items.swap(last, random.below(last as u64 + 1) as usize);
    }
}

/// The numbers `0..n` in the random order that [`shuffle`] gives them.
#[must_use]
pub fn permutation(seed: u64, stream: u64, n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    shuffle(seed, stream, &mut order);
    order
}

/// `n` of the numbers `0..of` in rising order, one of each of `n` stretches of them that are equally long; all of them where
/// they are no more than `n`.
#[must_use]
pub fn spread(seed: u64, stream: u64, n: usize, of: usize) -> Vec<usize> {
    if n >= of {
        return (0..of).collect();
    }
    let mut random = Philox::new(seed, stream);
    let mut one = |i: usize| {
        let (start, end) = (i * of / n, (i + 1) * of / n);
        start + random.below((end - start) as u64) as usize
    };
    (0..n).map(&mut one).collect()
}

/// A random 64-bit word of its own for each place of a stream.
#[must_use]
pub fn word(seed: u64, stream: u64, place: u64) -> u64 {
    Philox { seed, stream, block: place, spare: None }.next_u64()
}

/// The streams of this crate: a purpose in the upper half and a number within it in the lower, so that no two
/// uses of one seed draw the same values.
pub(crate) mod stream {
    /// The order of the rows in epoch `epoch`.
    pub(crate) fn epoch(epoch: u64) -> u64 {
        (1 << 60) | epoch
    }

    /// The order of the blocks of rows in epoch `epoch`, where there are several.
    pub(crate) fn blocks(epoch: u64) -> u64 {
        (8 << 60) | epoch
    }

    /// The order of the rows of window `window` of epoch `epoch`, where there are several.
    pub(crate) fn window(epoch: u64, window: u64) -> u64 {
        (9 << 60) | (window << 36) | epoch
    }

    /// The order of the rows of class `class` before they are dealt out to the parts of a split.
    pub(crate) fn split(class: u64) -> u64 {
        (2 << 60) | class
    }

    /// The order of the cards in deck `deck` of the class with this key, of which 28 bits are used.
    pub(crate) fn deck(class: u32, deck: u64) -> u64 {
        (3 << 60) | u64::from(class) << 28 | (deck & ((1 << 28) - 1))
    }

    /// The part of a group of rows.
    pub(crate) const GROUPS: u64 = 4 << 60;

    /// The rank of a row, by which a sample of rows is taken.
    pub(crate) const SAMPLE: u64 = 5 << 60;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_takes_one_of_each_stretch() {
        for (n, of) in [(7, 100), (99, 100), (1, 5), (0, 5)] {
            let chosen = spread(3, 4, n, of);
            assert_eq!(chosen.len(), n);
            for (i, place) in chosen.into_iter().enumerate() {
                assert!((i * of / n..(i + 1) * of / n).contains(&place), "{i}: {place}");
            }
        }
        assert_eq!(spread(3, 4, 5, 5), [0, 1, 2, 3, 4]);
        assert_ne!(spread(3, 4, 50, 5_000), spread(5, 4, 50, 5_000));
    }

    #[test]
    fn words_follow_the_documented_layout() {
        let (seed, stream) = (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);
        let mut random = Philox::new(seed, stream);
        let words: Vec<u64> = (0..4).map(|_| random.next_u64()).collect();
        let block = |b| philox4x32([b, 0, 0x7654_3210, 0xfedc_ba98], [0x89ab_cdef, 0x0123_4567]);
        let word = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        let (a, b) = (block(0), block(1));
        assert_eq!(words, [word(a[0], a[1]), word(a[2], a[3]), word(b[0], b[1]), word(b[2], b[3])]);
    }

    #[test]
    fn below_stays_below_and_reaches_everything() {
        let mut random = Philox::new(1, 2);
        assert_eq!(random.below(0), 0);
        assert_eq!(random.below(1), 0);
        let mut counts = [0u32; 5];
        for _ in 0..50_000 {
            counts[random.below(5) as usize] += 1;
        }
        // Five standard deviations of a binomial(50000, 1/5).
        assert!(counts.iter().all(|&c| (9_553..=10_447).contains(&c)), "{counts:?}");
        // With a bound of 3/4 of the range, plain scaling without rejection would hit every third value twice.
        let bound = 3 << 62;
        let thirds = (0..30_000).filter(|_| random.below(bound).is_multiple_of(3)).count();
        assert!((9_592..=10_408).contains(&thirds), "{thirds}");
    }

    #[test]
    fn every_order_of_three_is_equally_likely() {
        let mut counts = std::collections::BTreeMap::new();
        for stream in 0..12_000 {
            *counts.entry(permutation(7, stream, 3)).or_insert(0u32) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|&c| (1_796..=2_204).contains(&c)), "{counts:?}");
    }

    #[test]
    fn permutations_are_complete_and_pinned() {
        assert_eq!(permutation(0, 0, 0), [0usize; 0]);
        assert_eq!(permutation(0, 0, 1), [0]);
        let mut order = permutation(3, 4, 1000);
        assert_ne!(order, permutation(3, 5, 1000));
        assert_ne!(order, permutation(4, 4, 1000));
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<_>>());
        // Pinned: a change here changes every split and every run of every user.
        assert_eq!(permutation(42, 0, 10), PINNED);
    }

    const PINNED: [usize; 10] = [0, 9, 1, 7, 5, 6, 8, 2, 3, 4];
}
