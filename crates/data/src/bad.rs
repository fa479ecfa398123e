//! Files that are damaged and rows that cannot be read: counted, and the first of them listed.

use crate::error::{DataError, thousands};

/// Those that are listed one by one, at most.
const LISTED: usize = 10;

/// What was wrong with what was left out.
#[derive(Debug, Default)]
pub(crate) struct Bad {
    count: u64,
    listed: Vec<String>,
}

impl Bad {
    /// Adds some.
    pub(crate) fn add(&mut self, bad: impl IntoIterator<Item = DataError>) {
        for error in bad {
            self.count += 1;
            if self.listed.len() < LISTED {
                self.listed.push(error.message());
            }
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// What was wrong with the first one.
    pub(crate) fn first(&self) -> Option<&str> {
        self.listed.first().map(String::as_str)
    }

    /// How many there were and what was wrong with the first ones, where there were any.
    pub(crate) fn note(&self) -> Option<String> {
        if self.count == 0 {
            return None;
        }
        let more = self.count as usize - self.listed.len();
        let more =
            if more > 0 { format!("; and {} more", thousands(more as u64)) } else { String::new() };
        Some(format!("{} left out: {}{more}", thousands(self.count), self.listed.join("; ")))
    }
}
