//! Who calls, as far as it matters how many there are.

use std::hash::{BuildHasher as _, Hash, RandomState};

use crate::{
    Nanos,
    sync::{AtomicU64, Ordering},
};

/// A caller that was not seen for so long, or twice as long at most, is gone.
const GONE: u64 = 600_000_000_000;

/// The callers of late, as numbers of one byte: two that share one are one, and nobody's identity is kept.
#[derive(Debug)]
pub(crate) struct Callers {
    /// Its key is of this process, so that nobody outside can aim at another's number.
    hasher: RandomState,
    /// One bit each: those of this term, and those of the one before.
    seen: [[AtomicU64; 4]; 2],
    /// Which term it is.
    term: AtomicU64,
}

impl Callers {
    pub(super) fn new() -> Self {
        let none = || std::array::from_fn(|_| AtomicU64::new(0));
        Self {
            hasher: RandomState::new(),
            seen: [none(), none()],
            term: AtomicU64::new(0),
        }
    }

    /// The number of a caller that is calling now, never zero.
    pub(super) fn number(&self, name: &str) -> u8 {
        let number = (self.hasher.hash_one(name) % 255) as u8 + 1;
        // Relaxed, here and below: how many they are need not be right to the moment.
        let term = self.term.load(Ordering::Relaxed);
        let word = &self.seen[term as usize & 1][usize::from(number) / 64];
        let bit = 1 << (number % 64);
        if word.load(Ordering::Relaxed) & bit == 0 {
            word.fetch_or(bit, Ordering::Relaxed);
        }
        number
    }

    /// A number that nobody outside can aim at.
    pub(super) fn hash_one(&self, value: impl Hash) -> u64 {
        self.hasher.hash_one(value)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        let [one, other] = &self.seen;
        let both = one.iter().zip(other);
        both.map(|(one, other)| {
            (one.load(Ordering::Relaxed) | other.load(Ordering::Relaxed)).count_ones()
        })
        .sum()
    }

    /// Forgets those that are gone by `now`.
    pub(super) fn forget(&self, now: Nanos) {
        let term = now.as_u64() / GONE;
        let before = self.term.swap(term, Ordering::Relaxed);
        if before == term {
            return;
        }
        let forget = |of: u64| {
            let words = &self.seen[of as usize & 1];
            words
                .iter()
                .for_each(|word| word.store(0, Ordering::Relaxed));
        };
        forget(term);
        // Nobody looked in a whole term, or the clock was set back.
        if before.wrapping_add(1) != term {
            forget(term.wrapping_add(1));
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn callers_are_counted_until_they_were_gone_for_long() {
        let callers = Callers::new();
        callers.forget(Nanos::new(7 * GONE));
        let first = callers.number("a");
        assert_eq!((callers.number("a"), callers.count()), (first, 1));
        callers.forget(Nanos::new(8 * GONE));
        assert_eq!(callers.count(), 1);
        callers.forget(Nanos::new(9 * GONE));
        assert_eq!(callers.count(), 0);
        callers.number("b");
        callers.forget(Nanos::new(3 * GONE));
        assert_eq!(callers.count(), 0);
    }

    #[test]
    fn however_many_there_are_their_numbers_are_bytes_and_none_is_zero() {
        let callers = Callers::new();
        assert!((0..100_000).all(|n| callers.number(&n.to_string()) > 0));
        assert_eq!(callers.count(), 255);
    }
}
