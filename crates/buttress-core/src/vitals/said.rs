//! What is told of it, and what is said of its faults.

use std::time::Duration;

use super::state::State;
use crate::{
    Event, EventKind, FaultKind, Hold, Nanos, Verdict,
    sync::{Arc, Ordering, lock},
};

/// From this probability on a verdict is not looked into again: its sentence says "is".
const SURE: f64 = 0.95;

/// For how long it is. Later the recorder remembers other times.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

impl State {
    pub(super) fn tell(&self, at: Nanos, change: Option<EventKind>) {
        let Some(kind) = change else { return };
        let raised = matches!(kind, EventKind::Opened { .. } | EventKind::Held(_));
        if kind == EventKind::Held(Hold::CommonCause)
            && !self.destination.first_to_say_common_cause(at)
        {
            return;
        }
        // Its set has spared it in vain where nothing is done.
        let called = match kind {
            EventKind::Opened { wait, .. } => wait.is_zero(),
            _ => matches!(kind, EventKind::Ramping | EventKind::Closed),
        };
        if called {
            self.left();
        }
        let counts = matches!(
            kind,
            EventKind::Opened { .. } | EventKind::Ramping | EventKind::Closed
        );
        self.say(at, kind);
        if counts && self.endpoint.is_some() {
            self.destination.look_for_panic(at);
        }
        if raised {
            let verdict = lock(&self.verdict).clone();
            self.diagnosed(verdict, at);
        }
    }

    /// An alarm is about this.
    pub(crate) fn judged(&self, verdict: Option<Verdict>) {
        *lock(&self.verdict) = verdict.map(Arc::new);
    }

    /// Looks again at what the fault is, where that is not sure and it lasts: meanwhile its peers were called.
    pub(crate) fn look_again(&self, now: Nanos) {
        let unsure = |verdict: &Arc<Verdict>| {
            now.since(verdict.since) <= LOOK_AGAIN && verdict.probability < SURE
        };
        if lock(&self.verdict).as_ref().is_some_and(unsure) {
            self.reconsider(now);
        }
    }

    /// Says again what the fault is, if more is known of it than before.
    pub(super) fn reconsider(&self, now: Nanos) {
        let Some(known) = lock(&self.verdict).clone() else {
            return;
        };
        if self.state() == crate::BreakerState::Closed {
            return;
        }
        let Some(verdict) = self
            .destination
            .look_at(self, known.since, known.detected, now)
        else {
            return;
        };
        let surer = verdict.probability > known.probability + 0.05;
        let other = verdict.place != known.place || verdict.kind != known.kind;
        if surer || (other && verdict.localised()) {
            let verdict = Arc::new(verdict);
            *lock(&self.verdict) = Some(Arc::clone(&verdict));
            self.diagnosed(Some(verdict), now);
        }
    }

    pub(super) fn diagnosed(&self, verdict: Option<Arc<Verdict>>, at: Nanos) {
        if let Some(verdict) = verdict {
            let grey = verdict.kind == FaultKind::Grey;
            lock(self.signs()).diagnosed(&verdict);
            self.say(at, EventKind::Diagnosed(verdict));
            if grey {
                self.say(at, EventKind::Grey);
            }
        }
    }

    pub(super) fn say(&self, at: Nanos, kind: EventKind) {
        self.destination.host.registry.events().tell(Event {
            at,
            policy: Arc::clone(&self.destination.name),
            endpoint: self.address(),
            kind,
        });
    }

    /// It is one of those that are out, until it has left them.
    pub(crate) fn goes_out(&self) {
        self.out.store(true, Ordering::Relaxed);
    }

    pub(super) fn left(&self) {
        // Relaxed, and swapped: it leaves once, whoever notices first.
        if let (Some(tier), true) = (self.tier(), self.out.swap(false, Ordering::Relaxed)) {
            self.destination.back(tier);
        }
    }
}
