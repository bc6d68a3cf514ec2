//! What probes found, beside what calls say.

use super::state::State;
use crate::{
    Cause, Edge, EventKind, Nanos, Outcome, Rule, Sign,
    health::Alarm,
    sync::{AtomicU64, Ordering},
};

/// What the last probes found.
#[derive(Debug)]
pub(super) struct Found {
    /// When the last probe was sent, if it found it well and as fast as usual; zero otherwise.
    well_at: AtomicU64,
    /// When the last such probe was sent that a failed call came after.
    contradicted: AtomicU64,
    /// When the first of the bad probes in a row was sent; zero if the last one was good.
    ill_since: AtomicU64,
    /// Calls that had gone well by then.
    good_then: AtomicU64,
}

impl Found {
    pub(super) fn new() -> Self {
        Self {
            well_at: AtomicU64::new(0),
            contradicted: AtomicU64::new(0),
            ill_since: AtomicU64::new(0),
            good_then: AtomicU64::new(0),
        }
    }

    /// A call begun at `started` has failed.
    pub(super) fn failed(&self, started: Nanos) {
        // Relaxed, here and below: one prober writes; whoever reads a moment too early reads the last result.
        let well_at = self.well_at.load(Ordering::Relaxed);
        if well_at > 0 && started.as_u64() >= well_at {
            self.contradicted.store(well_at, Ordering::Relaxed);
        }
    }

    /// Is it well by its probes, and did a call fail all the same after one of them, sent at `since` or later?
    pub(super) fn contradicted_since(&self, since: Nanos) -> bool {
        let contradicted = self.contradicted.load(Ordering::Relaxed);
        self.well_at.load(Ordering::Relaxed) > 0 && contradicted >= since.as_u64().max(1)
    }
}

impl State {
    /// A probe sent at `sent` is back, and that has changed what its probes say of it, or not.
    pub(super) fn probed(&self, sent: Nanos, now: Nanos, outcome: Outcome, edge: Option<Edge>) {
        let took = now.since(sent);
        let slow = took >= self.destination.norm.age();
        let (well, found) = (outcome.sign() == Sign::Good, &self.found);
        if outcome.sign() == Sign::Silent {
            return;
        }
        let change = self.update(|signs| signs.heard(sent, now, outcome, self));
        self.tell(now, change);
        let well_at = if well && !slow { sent.as_u64() } else { 0 };
        found.well_at.store(well_at, Ordering::Relaxed);
        // One that was lost before: what answers late now was stuck, and is coming back.
        if well && slow && found.ill_since.load(Ordering::Relaxed) == 0 {
            self.answers_late(sent, took);
        }
        if well {
            found.ill_since.store(0, Ordering::Relaxed);
        } else if found.ill_since.load(Ordering::Relaxed) == 0 {
            found
                .ill_since
                .store(sent.as_u64().max(1), Ordering::Relaxed);
            found.good_then.store(self.good(), Ordering::Relaxed);
        }
        match edge {
            Some(Edge::Down) => self.found_ill(now, outcome),
            Some(Edge::Up) => return self.found_well(now),
            None => {}
        }
        self.reconsider(now);
    }

    /// Enough bad probes. It is out, unless calls have gone well meanwhile: traffic wins.
    fn found_ill(&self, now: Nanos, outcome: Outcome) {
        if self.good() > self.found.good_then.load(Ordering::Relaxed) {
            return self.tell(now, Some(EventKind::ProbesDisagree));
        }
        let since = Nanos::new(self.found.ill_since.load(Ordering::Relaxed));
        if let Outcome::Failure(cause) = outcome {
            self.note_cause(cause);
        }
        self.nominate(since, Rule::Probes, now);
    }

    /// Well again by its probes: its next call may find out whether that holds for calls too.
    fn found_well(&self, now: Nanos) {
        self.update(|signs| signs.hasten(now));
    }

    fn note_cause(&self, cause: Cause) {
        self.update(|signs| signs.lost_probe(cause));
    }

    /// Enough evidence of another kind than ended calls, since `since`.
    pub(crate) fn nominate(&self, since: Nanos, rule: Rule, now: Nanos) {
        if self.state() != crate::BreakerState::Closed {
            return;
        }
        let change = self.update(|signs| signs.accuse(Alarm { since }, rule, now, self));
        self.tell(now, change);
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
