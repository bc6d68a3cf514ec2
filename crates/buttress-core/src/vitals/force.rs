//! What is done with an endpoint by hand.

use std::fmt;

use super::signs::Signs;
use crate::Nanos;

/// What is done with an endpoint by hand, whatever is known of it. It stays so until it is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Force {
    /// It is called no more.
    Open,
    /// It is called no more, for it is to be taken out of service: calls under way may end.
    Drain,
    /// It is called. What is known against it is forgotten; alarms are noted down and not acted on.
    Closed,
    /// It is called, whatever it was before. Alarms are noted down and not acted on.
    MetricsOnly,
    /// It is called, and only counted.
    Disabled,
}

impl Force {
    /// Is it called no more?
    pub(crate) const fn withdraws(self) -> bool {
        matches!(self, Self::Open | Self::Drain)
    }
}

impl fmt::Display for Force {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "forced open",
            Self::Drain => "draining",
            Self::Closed => "forced closed",
            Self::MetricsOnly => "metrics only",
            Self::Disabled => "disabled",
        })
    }
}

impl Signs {
    /// Does by hand what `force` says, or no longer: then it has been in somebody's hand, or nothing is done. What was known belongs to
    /// another time.
    pub(super) fn force(&mut self, force: Option<Force>, now: Nanos) -> bool {
        let before = std::mem::replace(&mut self.force, force);
        if before.is_none() && force.is_none() {
            return false;
        }
        if force == Some(Force::MetricsOnly) && self.breaker.flows() {
            return true;
        }
        self.reset(now);
        // Whoever was out comes back by degrees, as after an outage.
        if before.is_some_and(Force::withdraws) && force.is_none() {
            self.breaker.join(now);
        }
        true
    }

    /// Forgets what is known against it: calls flow.
    pub(super) fn reset(&mut self, now: Nanos) {
        self.detector.reset();
        self.forget_proof();
        self.forget_callers();
        self.held = None;
        self.flowing = now;
        self.breaker.restart();
        if let Some(ledger) = &mut self.ledger {
            ledger.restored(now);
            ledger.calm();
        }
    }
}
