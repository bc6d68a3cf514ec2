//! Calls one after another, at a steady rate: what matters is only how they end.

use std::time::Duration;

use buttress::{BreakerState, Cause, Nanos, Outcome, Vitals};
use buttress_core::Rules;

use crate::policy;

/// How long each call takes.
const TOOK: Duration = Duration::from_millis(1);

/// One service alone that is called steadily.
pub(crate) struct Steady {
    pub(crate) vitals: Vitals,
    now: Nanos,
    gap: Duration,
    pub(crate) calls: u64,
}

impl Steady {
    /// A fresh one, called as often as [`policy::QUIET`] says.
    pub(crate) fn new(rules: &Rules, seed: u64) -> Self {
        Self {
            vitals: policy::destination(rules, seed).alone(),
            now: Nanos::ZERO.after(Duration::from_secs(1)),
            gap: Duration::from_secs_f64(1.0 / policy::QUIET.calls_per_second),
            calls: 0,
        }
    }

    /// So many calls that succeed.
    pub(crate) fn succeed(&mut self, calls: u64) {
        for _ in 0..calls {
            self.call(Outcome::Success);
        }
    }

    /// One that fails. Does that open the breaker?
    pub(crate) fn fail(&mut self) -> bool {
        self.call(Outcome::Failure(Cause::Error));
        self.vitals.state() != BreakerState::Closed
    }

    /// Calls that succeed until the breaker is closed again.
    pub(crate) fn recover(&mut self) {
        while self.vitals.state() != BreakerState::Closed {
            self.now = self.now.max(self.vitals.due(self.now));
            self.call(Outcome::Success);
        }
    }

    fn call(&mut self, outcome: Outcome) {
        self.now = self.now.after(self.gap);
        if let Ok(permit) = self.vitals.permit(self.now) {
            self.calls += 1;
            self.vitals.record(permit, self.now.after(TOOK), outcome);
        }
    }
}
