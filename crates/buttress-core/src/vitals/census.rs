//! What is counted of it, for whoever learns from all.

use std::sync::OnceLock;

use super::state::State;
use crate::{
    Tally,
    destination::Census,
    stats::Counters,
    sync::{Ordering, lock},
};

/// What was counted when the destination last asked.
#[derive(Debug, Default)]
pub(super) struct Asked {
    census: Census,
    /// Calls since its peers were last compared with it.
    sweep: Tally,
}

impl State {
    /// Takes out the latencies of healthy calls since the last time.
    pub(crate) fn drain_latencies(&self, mut each: impl FnMut(usize, u32)) {
        for latency in self.latencies.iter().filter_map(OnceLock::get) {
            latency.drain(&mut each);
        }
    }

    /// Calls that ended since this was last asked.
    pub(crate) fn census_since(&self) -> Census {
        let sum = |count: fn(&Counters) -> u64| {
            self.shards.iter().map(|shard| count(&shard.counters)).sum()
        };
        let (good, failures): (u64, u64) = (sum(Counters::good), sum(Counters::failures));
        let census = Census {
            calls: good + failures,
            failures,
            late: self.late.load(Ordering::Relaxed),
        };
        let mut asked = lock(&self.asked);
        let more = census.since(std::mem::replace(&mut asked.census, census));
        // A late call that fails in the end is counted twice: it was slow, and then it was lost.
        let failures = more.failures + more.late;
        asked.sweep = asked.sweep.plus(Tally::new(failures, more.calls));
        more
    }

    /// Calls of the time since this was last asked, as far as they were counted by [`census_since`](Self::census_since).
    pub(crate) fn sweep(&self) -> Tally {
        std::mem::take(&mut lock(&self.asked).sweep)
    }

    /// All calls that ended, and those of them that failed.
    pub(crate) fn tally(&self) -> Tally {
        let sum = |count: fn(&Counters) -> u64| {
            self.shards
                .iter()
                .map(|shard| count(&shard.counters))
                .sum::<u64>()
        };
        let failures = sum(Counters::failures);
        Tally::new(failures, failures + sum(Counters::good))
    }

    /// All calls that began.
    pub(super) fn calls(&self) -> u64 {
        self.shards.iter().map(|shard| shard.counters.begun()).sum()
    }

    /// Does nothing speak against it?
    pub(crate) fn is_well(&self) -> bool {
        let mut signs = lock(&self.signs);
        signs.settle(self.good());
        signs.health() == crate::Health::Healthy
    }

    /// Calls that ended as a sign of health.
    pub(super) fn good(&self) -> u64 {
        let good: u64 = self.shards.iter().map(|shard| shard.counters.good()).sum();
        good.saturating_sub(self.discounted.load(Ordering::Relaxed))
    }
}
