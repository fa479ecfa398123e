//! Which rows of a table are for learning, watching and judging, decided row by row while it is read.
//!
//! The rows of a class are dealt like cards. A deck is as small as the fractions allow (10 cards for 0.1 and 0.2: two
//! of them for the test, one for validation), and which of its places go where is a random draw by seed, class and
//! deck: so each class is in each part by its share, to within a deck. The first row of a class is always for training.

use std::collections::HashMap;

use crate::error::DataError;
use crate::random::{permutation, stream, word};
use crate::split::Fractions;

/// The shares of validation and test rows where nobody says.
const USUAL: Fractions = Fractions { valid: 0.1, test: 0.2 };
/// Cards of a deck at most.
const MOST: usize = 1000;

/// How rows are to be dealt out while a table is read. What is not said is 0 for a part that brings its own rows, else
/// 0.1 for validation and 0.2 for the test.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Deal {
    /// The share of validation rows.
    pub valid: Option<f64>,
    /// The share of test rows.
    pub test: Option<f64>,
    /// Decides who gets which card.
    pub seed: u64,
}

impl Deal {
    /// The shares, where some parts bring their own rows.
    pub(crate) fn fractions(&self, valid: bool, test: bool) -> Result<Fractions, DataError> {
        let share = |said: Option<f64>, usual: f64, own: bool, part: &str| match (said, own) {
            (Some(share), true) if share > 0.0 => Err(DataError::option(
                "split",
                format!("the {part} rows are named, and data.split.{part} asks for others"),
                format!("set data.split.{part} = 0"),
            )),
            (_, true) => Ok(0.0),
            (said, false) => Ok(said.unwrap_or(usual)),
        };
        let fractions = Fractions {
            valid: share(self.valid, USUAL.valid, valid, "valid")?,
            test: share(self.test, USUAL.test, test, "test")?,
        };
        fractions.check()?;
        Ok(fractions)
    }
}

/// What a row is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// For learning.
    Train,
    /// For early stopping and choices.
    Valid,
    /// For the final figures.
    Test,
    /// For nothing: there is no target.
    Out,
}

/// Deals out rows.
pub(crate) struct Dealer {
    seed: u64,
    fractions: Fractions,
    /// Cards in a deck, those for the test, those for validation.
    deck: [usize; 3],
    /// By class: the cards dealt and the present deck.
    hands: HashMap<String, (u64, Vec<Part>)>,
    /// The same of rows without a class, as those of a regression: they are too many for a look-up each.
    classless: (u64, Vec<Part>),
}

impl Dealer {
    pub(crate) fn new(fractions: Fractions, seed: u64) -> Dealer {
        let (deck, hands) = (deck(&fractions), HashMap::new());
        Dealer { seed, fractions, deck, hands, classless: (0, Vec::new()) }
    }

    /// The part of the next row of a class; of none, where its name is empty.
    pub(crate) fn by_class(&mut self, class: &str) -> Part {
        let size = self.deck[0] as u64;
        // Names are copied once a class, not once a row.
        let known = if class.is_empty() { None } else { self.hands.get_mut(class) };
        let (dealt, cards) = match known {
            Some(hand) => hand,
            None if class.is_empty() => &mut self.classless,
            None => self.hands.entry(class.into()).or_default(),
        };
        let (number, place) = (*dealt / size, *dealt % size);
        if place == 0 {
            let key = crc32fast::hash(class.as_bytes());
            *cards = shuffled(self.deck, self.seed, stream::deck(key, number));
            let first = cards.iter().position(|&part| part == Part::Train);
            if let (0, Some(first)) = (number, first) {
                cards.swap(0, first);
            }
        }
        *dealt += 1;
        cards[place as usize]
    }

    /// The part of all rows of a group.
    pub(crate) fn by_group(&self, group: &str) -> Part {
        let place = u64::from(crc32fast::hash(group.as_bytes()));
        // The upper 53 bits as a number from 0 to 1.
        let drawn = (word(self.seed, stream::GROUPS, place) >> 11) as f64 / (1u64 << 53) as f64;
        match drawn {
            drawn if drawn < self.fractions.test => Part::Test,
            drawn if drawn < self.fractions.test + self.fractions.valid => Part::Valid,
            _ => Part::Train,
        }
    }
}

/// The least number of cards of which both fractions are whole numbers, nearly; of awkward fractions [`MOST`].
fn deck(fractions: &Fractions) -> [usize; 3] {
    let whole = |share: f64, size: usize| (share * size as f64).round() as usize;
    let fits =
        |share: f64, size: usize| (share * size as f64 - whole(share, size) as f64).abs() < 1e-9;
    let size = (1..MOST)
        .find(|&size| fits(fractions.test, size) && fits(fractions.valid, size))
        .unwrap_or(MOST);
    [size, whole(fractions.test, size), whole(fractions.valid, size)]
}

fn shuffled([size, test, valid]: [usize; 3], seed: u64, stream: u64) -> Vec<Part> {
    let mut cards = vec![Part::Train; size];
    for (rank, place) in permutation(seed, stream, size).into_iter().enumerate() {
        if rank < test {
            cards[place] = Part::Test;
        } else if rank < test + valid {
            cards[place] = Part::Valid;
        }
    }
    cards
}

/// The parts of rows in order of time: the latest are for the test, those before them for validation. Rows of one
/// time stay together, in the later part; rows without a time are for training.
pub(crate) fn by_time(times: &[f64], fractions: &Fractions) -> Vec<Part> {
    let mut sorted: Vec<f64> = times.iter().copied().filter(|time| !time.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len();
    let count = |share: f64| (n as f64 * share + 0.5).floor() as usize;
    let (test, valid) = (count(fractions.test), count(fractions.valid));
    let start = |late: usize| match late {
        0 => f64::INFINITY,
        late => sorted.get(n.saturating_sub(late)).copied().unwrap_or(f64::INFINITY),
    };
    let (test, valid) = (start(test), if valid == 0 { f64::INFINITY } else { start(test + valid) });
    let part = |&time: &f64| match time {
        time if time >= test => Part::Test,
        time if time >= valid => Part::Valid,
        _ => Part::Train,
    };
    times.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decks_are_as_small_as_can_be() {
        assert_eq!(deck(&USUAL), [10, 2, 1]);
        assert_eq!(deck(&Fractions { valid: 0.0, test: 0.25 }), [4, 1, 0]);
        assert_eq!(deck(&Fractions { valid: 0.0, test: 0.0 }), [1, 0, 0]);
        assert_eq!(deck(&Fractions { valid: 1.0 / 3.0, test: 1.0 / 3.0 }), [3, 1, 1]);
        assert_eq!(deck(&Fractions { valid: 0.123_45, test: 0.2 }), [1000, 200, 123]);
    }

    #[test]
    fn a_deck_holds_its_shares_and_begins_with_training() {
        for seed in 0..20 {
            let mut dealer = Dealer::new(USUAL, seed);
            let parts: Vec<Part> = (0..100).map(|_| dealer.by_class("a")).collect();
            assert_eq!(parts[0], Part::Train);
            for deck in parts.chunks(10) {
                let count = |wanted| deck.iter().filter(|&&part| part == wanted).count();
                assert_eq!([Part::Train, Part::Valid, Part::Test].map(count), [7, 1, 2]);
            }
        }
    }

    #[test]
    fn the_latest_rows_are_for_the_test() {
        let times = [5.0, 1.0, f64::NAN, 4.0, 2.0, 3.0, 5.0];
        let parts = by_time(&times, &Fractions { valid: 0.2, test: 0.2 });
        use Part::{Test, Train, Valid};
        // A fifth of six rows is one; the two latest are of one time.
        assert_eq!(parts, [Test, Train, Train, Train, Train, Train, Test]);
        let apart = by_time(&[1.0, 2.0, 3.0, 4.0, 5.0], &Fractions { valid: 0.2, test: 0.2 });
        assert_eq!(apart, [Train, Train, Train, Valid, Test]);
    }
}
