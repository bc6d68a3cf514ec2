//! What calls took, until somebody looks.

use std::time::Duration;

use crate::sync::{AtomicU64, Ordering};

/// A sum of times in nanoseconds is kept without their last six bits: in 64 ns.
const GRAIN: u32 = 6;

/// The sum has the lower 44 bits, which are 13 days, and the count of calls the upper 20. Both are of one window; should
/// that be longer than they last, one measure is wrong.
const COUNT_AT: u32 = 44;

/// How many calls ended well on one lane, and how long they took: one word.
#[derive(Debug)]
pub(crate) struct Samples(AtomicU64);

impl Samples {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn add(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        // At most an hour each, and at least one grain.
        let grains = (nanos >> GRAIN).clamp(1, (3_600 * 1_000_000_000) >> GRAIN);
        // Relaxed: the word orders nothing.
        self.0.fetch_add(1 << COUNT_AT | grains, Ordering::Relaxed);
    }

    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed) >> COUNT_AT
    }

    /// Takes out how many there were, and how long they took together.
    pub(super) fn take(&self) -> (u32, Duration) {
        let word = self.0.swap(0, Ordering::Relaxed);
        let grains = word & ((1 << COUNT_AT) - 1);
        let calls = (word >> COUNT_AT) as u32;
        (calls, Duration::from_nanos(grains << GRAIN))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn sums_what_calls_took_and_begins_anew() {
        let samples = Samples::new();
        for took in [0, 64, 6_400, 64_000_000] {
            samples.add(Duration::from_nanos(took));
        }
        samples.add(Duration::MAX);
        assert_eq!(samples.count(), 5);
        let sum = Duration::from_secs(3_600) + Duration::from_nanos(64 + 64 + 6_400 + 64_000_000);
        assert_eq!(samples.take(), (5, sum));
        assert_eq!(samples.take(), (0, Duration::ZERO));
    }
}
