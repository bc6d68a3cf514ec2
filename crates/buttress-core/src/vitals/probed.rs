//! What probes found, beside what calls say.

use super::state::State;
use crate::{
    Cause, Edge, EventKind, Nanos, Outcome, Sign,
    health::Alarm,
    sync::{AtomicU64, Ordering},
};

/// What the last probes found.
#[derive(Debug)]
pub(super) struct Found {
    word: AtomicU64,
    /// When the first of the bad probes in a row was sent; zero if the last one was good.
    ill_since: AtomicU64,
    /// Calls that had gone well by then.
    good_then: AtomicU64,
}

const NOTHING: u64 = 0;
const WELL: u64 = 1;
const SLOW: u64 = 2;
const ILL: u64 = 3;

impl Found {
    pub(super) fn new() -> Self {
        Self {
            word: AtomicU64::new(NOTHING),
            ill_since: AtomicU64::new(0),
            good_then: AtomicU64::new(0),
        }
    }

    /// Did the last probe find it well, and as fast as usual?
    pub(super) fn well(&self) -> bool {
        // Relaxed, here and below: one prober writes; whoever reads a moment too early reads the last result.
        self.word.load(Ordering::Relaxed) == WELL
    }
}

impl State {
    /// A probe sent at `sent` is back, and that has changed what its probes say of it, or not.
    pub(super) fn probed(&self, sent: Nanos, now: Nanos, outcome: Outcome, edge: Option<Edge>) {
        let took = now.since(sent);
        let slow = took >= self.destination.norm.age();
        let found = match outcome.sign() {
            Sign::Silent => return,
            Sign::Good if slow => SLOW,
            Sign::Good => WELL,
            Sign::Bad => ILL,
        };
        self.found.word.store(found, Ordering::Relaxed);
        if found == ILL {
            if self.found.ill_since.load(Ordering::Relaxed) == 0 {
                self.found
                    .ill_since
                    .store(sent.as_u64().max(1), Ordering::Relaxed);
                self.found.good_then.store(self.good(), Ordering::Relaxed);
            }
        } else {
            self.found.ill_since.store(0, Ordering::Relaxed);
            if found == SLOW {
                self.answers_late(sent, took);
            }
        }
        match edge {
            Some(Edge::Down) => self.found_ill(now, outcome),
            Some(Edge::Up) => self.found_well(now),
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
        self.nominate(since, now);
    }

    /// Well again by its probes: its next call may find out whether that holds for calls too.
    fn found_well(&self, now: Nanos) {
        self.update(|signs| signs.hasten(now));
    }

    fn note_cause(&self, cause: Cause) {
        self.update(|signs| signs.lost_probe(cause));
    }

    /// Enough evidence of another kind than ended calls, since `since`.
    pub(crate) fn nominate(&self, since: Nanos, now: Nanos) {
        if self.state() != crate::State::Closed {
            return;
        }
        let rule = |alarm: &Alarm| self.destination.rule(self, alarm, now);
        let change = self.update(|signs| signs.accuse(Alarm { since }, now, rule));
        self.tell(now, change);
    }
}
