//! What is counted of it, for whoever learns from all.

use super::state::State;
use crate::{
    Counts, Health, Tally,
    destination::Census,
    peers::Spread,
    stats::Counters,
    sync::{Ordering, lock},
};

/// What was counted when the destination last asked.
#[derive(Debug, Default)]
pub(super) struct Asked {
    census: Census,
    /// Calls of which it is not clear yet whether they are of good times.
    unclear: Census,
    /// The generation they are of.
    generation: u32,
    /// Calls since its peers were last compared with it, and how long they took.
    sweep: Tally,
    spread: Spread,
    /// Answers that were learned from.
    learned: u64,
}

impl State {
    /// Calls that ended since this was last asked.
    pub(crate) fn census_since(&self) -> Census {
        let sum =
            |count: fn(&Counters) -> u64| self.shards().map(|shard| count(&shard.counters)).sum();
        let (good, failures): (u64, u64) = (sum(Counters::good), sum(Counters::failures));
        let census = Census {
            calls: good + failures,
            failures,
            late: self.late.load(Ordering::Relaxed),
            overtaken: u64::from(self.overtaken.load(Ordering::Relaxed)),
        };
        if census.calls == 0 && census.late == 0 {
            return Census::default();
        }
        let mut asked = lock(&self.asked);
        let asked = asked.get_or_insert_default();
        let more = census.since(std::mem::replace(&mut asked.census, census));
        asked.unclear.add(more);
        // A late call that fails in the end is counted twice: it was slow, and then it was lost.
        let failures = more.failures + more.late;
        asked.sweep = asked.sweep.plus(Tally::new(failures, more.calls));
        more
    }

    /// Calls of the time since this was last asked, as far as they were counted by [`census_since`](Self::census_since).
    pub(crate) fn sweep(&self) -> (Tally, Spread) {
        let mut asked = lock(&self.asked);
        asked.as_mut().map_or_else(Default::default, |asked| {
            // Where only some calls are kept, they are compared once there are enough of them.
            let waits = self.is_one_of_many() && !asked.spread.is_enough();
            let spread = if waits {
                Spread::default()
            } else {
                std::mem::take(&mut asked.spread)
            };
            (std::mem::take(&mut asked.sweep), spread)
        })
    }

    /// All calls that ended, and those of them that failed.
    pub(crate) fn tally(&self) -> Tally {
        let sum = |count: fn(&Counters) -> u64| {
            self.shards()
                .map(|shard| count(&shard.counters))
                .sum::<u64>()
        };
        let failures = sum(Counters::failures);
        Tally::new(failures, failures + sum(Counters::good))
    }

    /// All calls that began.
    pub(super) fn calls(&self) -> u64 {
        self.shards().map(|shard| shard.counters.begun()).sum()
    }

    /// Calls that have not ended.
    pub(super) fn under_way(&self) -> u64 {
        let counters: Vec<&Counters> = self.shards().map(|shard| &shard.counters).collect();
        Counts::sum(&counters).in_flight()
    }

    /// Does nothing speak against it?
    pub(crate) fn is_well(&self) -> bool {
        self.health() == Health::Healthy
    }

    pub(super) fn health(&self) -> Health {
        let Some(signs) = self.known_signs() else {
            return Health::Healthy;
        };
        let mut signs = lock(signs);
        signs.settle(self.good());
        signs.health()
    }

    /// Calls that are known by now to be of good times, and, one by one, how long the answered ones took.
    ///
    /// While something speaks against it nobody can tell: then they wait for the verdict. To leave them out would leave
    /// out just those that failed or took long, for these are what speaks against it. If an alarm follows, they were
    /// of trouble, and say nothing.
    pub(crate) fn of_good_times(&self, mut each: impl FnMut(usize, u32)) -> Census {
        let health = self.health();
        if health == Health::Healthy && self.word().is_suspect() {
            self.update(|_| ());
        }
        let generation = self.word().generation();
        let mut asked = lock(&self.asked);
        let Some(asked) = asked.as_mut() else {
            return Census::default();
        };
        let fell = std::mem::replace(&mut asked.generation, generation) != generation;
        if fell || health == Health::Down {
            asked.unclear = Census::default();
            self.drain_latencies(&mut asked.learned, |_, _, _| {});
        }
        if health != Health::Healthy {
            return Census::default();
        }
        let compared = self.endpoint.is_some();
        let Asked {
            spread, learned, ..
        } = &mut **asked;
        self.drain_latencies(learned, |bucket, seen, calls| {
            each(bucket, calls);
            if compared {
                spread.add(bucket, seen);
            }
        });
        std::mem::take(&mut asked.unclear)
    }

    /// Calls that ended as a sign of health.
    pub(super) fn good(&self) -> u64 {
        let good: u64 = self.shards().map(|shard| shard.counters.good()).sum();
        good.saturating_sub(self.discounted.load(Ordering::Relaxed))
    }
}
