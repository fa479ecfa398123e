//! Randomness without state: Philox-4x32-10 turns a counter and a key into 128 random bits, so a value depends on
//! the seed, the stream and the position alone, never on who asks first. Shuffles are built on it.
//!
//! Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

const MULTIPLIER: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;

/// The Philox-4x32-10 block function: 128 random bits for a counter under a key.
///
/// Equal to Random123's `philox4x32` with 10 rounds, whose known answers are the tests of this file.
#[must_use]
pub fn philox4x32(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let product = |a: u32, b: u32| {
        let wide = u64::from(a) * u64::from(b);
        ((wide >> 32) as u32, wide as u32)
    };
    let ([mut c0, mut c1, mut c2, mut c3], [mut k0, mut k1]) = (counter, key);
    for _ in 0..ROUNDS {
        let (high0, low0) = product(MULTIPLIER[0], c0);
        let (high1, low1) = product(MULTIPLIER[1], c2);
        (c0, c1, c2, c3) = (high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0);
        k0 = k0.wrapping_add(WEYL[0]);
        k1 = k1.wrapping_add(WEYL[1]);
    }
    [c0, c1, c2, c3]
}

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

/// The streams of this crate: a purpose in the upper half and a number within it in the lower, so that no two
/// uses of one seed draw the same values.
pub(crate) mod stream {
    /// The order of the rows in epoch `epoch`.
    pub(crate) fn epoch(epoch: u64) -> u64 {
        (1 << 60) | epoch
    }

    /// The order of the rows of class `class` before they are dealt out to the parts of a split.
    pub(crate) fn split(class: u64) -> u64 {
        (2 << 60) | class
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `philox4x32 10` in Random123's `kat_vectors`.
    #[test]
    fn known_answers() {
        let ones = u32::MAX;
        assert_eq!(
            philox4x32([0; 4], [0; 2]),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        assert_eq!(
            philox4x32([ones; 4], [ones; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox4x32(
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0]
            ),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
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
