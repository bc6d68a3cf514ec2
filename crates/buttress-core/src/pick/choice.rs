//! Of two, the better.

use super::load::{DOUBLING, Glance};
use crate::Nanos;

/// Latencies that differ by half are told apart: by less it is chance, and calls under way decide.
const TELLS: u32 = DOUBLING / 2;

/// Where weights differ they are the caller's word on who gets how much; only who is four times as slow gets less.
const TELLS_BY_WEIGHT: u32 = 2 * DOUBLING;

/// One of the two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) glance: Glance,
    pub(super) weight: u32,
}

/// Is the second better than the first? Hot or cold by calls under way, unless their latencies tell; then by both, as the
/// work that would be waited for. In doubt the first, which was drawn by weight.
pub(super) fn second_is_better(first: Candidate, second: Candidate, now: Nanos) -> bool {
    let latencies = [first, second].map(|one| one.glance.latency(now));
    let tells = if first.weight == second.weight {
        TELLS
    } else {
        TELLS_BY_WEIGHT
    };
    // What is not known tells nothing.
    if latencies.iter().all(|known| *known > 0) && latencies[0].abs_diff(latencies[1]) > tells {
        let cost = |one: Candidate, latency: u32| {
            latency + scale(one.glance.under_way(now) + 1) + scale(u32::MAX)
                - scale(one.weight.max(1))
        };
        return cost(second, latencies[1]) < cost(first, latencies[0]);
    }
    // With the call it would have, and without: between a large one that is busy and a small one that is idle the call
    // belongs where it was drawn.
    let share = |one: Candidate, other: Candidate, more: u32| {
        u64::from(one.glance.under_way(now) + more) * u64::from(other.weight.max(1))
    };
    share(second, first, 0) < share(first, second, 0)
        && share(second, first, 1) < share(first, second, 1)
}

/// The logarithm, as latencies are kept.
fn scale(number: u32) -> u32 {
    (number as f32).to_bits() >> (f32::MANTISSA_DIGITS - 1 - DOUBLING.ilog2())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Cause, Outcome, pick::Load};

    const NOW: Nanos = Nanos::new(1_000_000_000);

    /// So many under way, the answers of so many milliseconds.
    fn one(under_way: u32, millis: u64, weight: u32) -> Candidate {
        let load = Load::default();
        (0..40).filter(|_| millis > 0).for_each(|_| {
            load.begin(NOW);
            load.end(NOW, Duration::from_millis(millis), Outcome::Success);
        });
        (0..under_way).for_each(|_| load.begin(NOW));
        Candidate {
            glance: load.glance(),
            weight,
        }
    }

    fn failed(under_way: u32) -> Candidate {
        let load = Load::default();
        (0..2).for_each(|_| load.begin(NOW));
        load.end(NOW, Duration::from_millis(10), Outcome::Success);
        load.end(NOW, Duration::ZERO, Outcome::Failure(Cause::Error));
        (0..under_way).for_each(|_| load.begin(NOW));
        Candidate {
            glance: load.glance(),
            weight: 1,
        }
    }

    #[test]
    fn as_a_table() {
        for (what, first, second, expected) in [
            ("neither is known", one(0, 0, 1), one(0, 0, 1), false),
            ("one is hotter", one(2, 0, 1), one(1, 0, 1), true),
            (
                "one is hotter, and a little faster",
                one(2, 10, 1),
                one(1, 13, 1),
                true,
            ),
            ("one is twice as slow", one(0, 20, 1), one(0, 10, 1), true),
            (
                "one is twice as fast, with thrice the calls",
                one(2, 10, 1),
                one(0, 20, 1),
                true,
            ),
            (
                "one is ten times as slow",
                one(0, 100, 1),
                one(5, 10, 1),
                true,
            ),
            (
                "of one nothing is known",
                one(0, 100, 1),
                one(0, 0, 1),
                false,
            ),
            ("one has failed", failed(0), one(0, 0, 1), true),
            (
                "one has failed, the other is busy",
                failed(0),
                one(2, 0, 1),
                false,
            ),
            (
                "both are idle, one is larger",
                one(0, 0, 1),
                one(0, 0, 3),
                false,
            ),
            (
                "a small one is idle, a large one is not",
                one(1, 0, 100),
                one(0, 0, 1),
                false,
            ),
            (
                "and drawn the other way",
                one(0, 0, 1),
                one(1, 0, 100),
                false,
            ),
            (
                "a large one has more than its part",
                one(4, 0, 3),
                one(0, 0, 1),
                true,
            ),
            (
                "a canary is a little slower",
                one(0, 20, 1),
                one(0, 10, 99),
                false,
            ),
            (
                "a canary is ten times as slow",
                one(0, 100, 1),
                one(0, 10, 99),
                true,
            ),
        ] {
            assert_eq!(second_is_better(first, second, NOW), expected, "{what}");
        }
    }
}
