//! A fast hash that is the same everywhere. It does not withstand those who look for equal ones.

use std::hash::{BuildHasherDefault, Hasher};

/// Mixes bytes into a hash. The same bytes cut into other parts make another one.
pub(crate) fn mixed(hash: u64, bytes: &[u8]) -> u64 {
    let mut hash = hash;
    let mut word = |word: u64| {
        let wide = u128::from(hash ^ word ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
        hash = (wide >> 64) as u64 ^ wide as u64 ^ hash.rotate_left(23);
    };
    let (eights, rest) = bytes.as_chunks::<8>();
    eights.iter().for_each(|&eight| word(u64::from_le_bytes(eight)));
    if !rest.is_empty() {
        word(rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)));
    }
    word(bytes.len() as u64 ^ 1 << 63);
    hash
}

/// The hash in maps.
pub(crate) type Mixing = BuildHasherDefault<Mixer>;

#[derive(Default)]
pub(crate) struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = mixed(self.0, bytes);
    }

    /// The end of a text, of which [`mixed`] knows where it is.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
