//! What is shown of it.

use super::{signs::Signs, state::State};
use crate::{
    Counts, Decisions, Endpoint, Episode, Force, Health, Nanos, Reliability, Snapshot, Trend,
    stats::{Ledger, Named},
    sync::{Arc, lock},
};

impl Signs {
    pub(super) fn health(&self) -> Health {
        match (self.breaker.is_down(), self.detector.calm()) {
            (true, _) => Health::Down,
            (false, false) => Health::Suspect,
            (false, true) => Health::Healthy,
        }
    }

    pub(super) fn suspicion(&mut self, now: Nanos) -> Option<f64> {
        self.detector.suspicion(now)
    }

    pub(super) fn state(&self) -> crate::BreakerState {
        self.word().state()
    }

    pub(super) fn share(&self) -> f64 {
        if self.word().is_withdrawn() {
            0.0
        } else {
            self.breaker.share()
        }
    }

    pub(super) fn reliability(&self, now: Nanos) -> Option<Reliability> {
        let since = self.kept_since?;
        let none_lost = || Ledger::new(since).reliability(now);
        let kept = self.ledger.as_ref();
        Some(kept.map_or_else(none_lost, |ledger| ledger.reliability(now)))
    }

    pub(super) fn trend(&self, now: Nanos) -> Option<Trend> {
        self.ledger.as_ref().and_then(|ledger| ledger.trend(now))
    }

    pub(super) fn decisions(&self) -> Decisions {
        self.decisions.as_deref().copied().unwrap_or_default()
    }

    pub(super) fn episodes(&self, now: Nanos, of: &Named<'_>) -> Vec<Episode> {
        let ledger = self.ledger.as_ref();
        ledger.map_or_else(Vec::new, |ledger| ledger.episodes(now, of))
    }

    pub(super) fn forced(&self) -> Option<Force> {
        self.force
    }
}

impl State {
    pub(super) fn snapshot(&self, now: Nanos) -> Snapshot {
        let counters: Vec<_> = self.shards().map(|shard| &shard.counters).collect();
        let counts = Counts::sum(&counters);
        let verdict = lock(&self.verdict).clone();
        let endpoint = self.endpoint.as_ref();
        let of = Named {
            policy: &self.destination.name,
            endpoint: self.address(),
            wall: &|at| self.destination.host.registry.wall(at),
        };
        let mut signs = lock(self.signs());
        signs.settle(self.good());
        let health = signs.health();
        Snapshot {
            policy: Arc::clone(&self.destination.name),
            endpoint: of.endpoint.clone(),
            zone: endpoint.and_then(|endpoint| endpoint.in_zone().cloned()),
            version: endpoint.and_then(|endpoint| endpoint.of_version().cloned()),
            priority: endpoint.map(Endpoint::tier),
            // What the last alarm was about is of another time once it is well again.
            verdict: verdict.filter(|_| health != Health::Healthy),
            health,
            suspicion: signs.suspicion(now),
            state: signs.state(),
            share: signs.share(),
            limit: self.current_limit(),
            throttled: self.throttled_share(),
            forced: signs.forced(),
            counts,
            coverage: self.switches.read(),
            decisions: signs.decisions(),
            reliability: signs.reliability(now),
            trend: signs.trend(now),
            episodes: signs.episodes(now, &of),
            forgotten_keys: self.is_keyed().then(|| self.destination.forgotten()),
        }
    }

    pub(super) fn forced(&self) -> Option<Force> {
        self.known_signs().and_then(|signs| lock(signs).forced())
    }
}
