//! What is shown of it.

use super::{signs::Signs, state::State};
use crate::{
    Counts, Decisions, Episode, Force, Health, Nanos, Reliability, Snapshot, Trend,
    stats::Ledger,
    sync::{Arc, lock},
};

impl Signs {
    pub(super) const fn health(&self) -> Health {
        match (self.breaker.is_down(), self.detector.calm()) {
            (true, _) => Health::Down,
            (false, false) => Health::Suspect,
            (false, true) => Health::Healthy,
        }
    }

    pub(super) fn suspicion(&mut self, now: Nanos) -> Option<f64> {
        self.detector.suspicion(now)
    }

    pub(super) const fn state(&self) -> crate::State {
        self.word().state()
    }

    pub(super) const fn share(&self) -> f64 {
        if self.word().is_withdrawn() {
            0.0
        } else {
            self.breaker.share()
        }
    }

    pub(super) fn reliability(&self, now: Nanos) -> Option<Reliability> {
        self.ledger.as_ref().map(|ledger| ledger.reliability(now))
    }

    pub(super) fn trend(&self, now: Nanos) -> Option<Trend> {
        self.ledger.as_ref().and_then(|ledger| ledger.trend(now))
    }

    pub(super) const fn decisions(&self) -> Decisions {
        self.decisions
    }

    pub(super) fn episodes(&self) -> Vec<Episode> {
        self.ledger.as_ref().map_or_else(Vec::new, Ledger::episodes)
    }

    pub(super) const fn forced(&self) -> Option<Force> {
        self.force
    }
}

impl State {
    pub(super) fn snapshot(&self, now: Nanos) -> Snapshot {
        let counters: Vec<_> = self.shards.iter().map(|shard| &shard.counters).collect();
        let counts = Counts::sum(&counters);
        let mut signs = lock(self.signs());
        signs.settle(self.good());
        Snapshot {
            policy: Arc::clone(&self.destination.name),
            endpoint: self.address(),
            health: signs.health(),
            suspicion: signs.suspicion(now),
            state: signs.state(),
            share: signs.share(),
            forced: signs.forced(),
            counts,
            coverage: self.switches.read(),
            decisions: signs.decisions(),
            reliability: signs.reliability(now),
            trend: signs.trend(now),
            episodes: signs.episodes(),
        }
    }
}
