//! Judging: from outcomes to an alarm. What is done about it is the breaker's business.

mod consecutive;
mod cusum;

use crate::{Nanos, Outcome, PolicyError, Sign};
use consecutive::Consecutive;

/// Whether an endpoint is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Health {
    /// Nothing speaks against it.
    Healthy,
    /// There is evidence against it, not enough to act on.
    Suspect,
    /// It failed, and has not yet proved itself well again.
    Down,
}

/// The rule by which an endpoint is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum HealthPolicy {
    /// So many failures in a row, with no success between them. The default, at 5, is Envoy's and Finagle's.
    Consecutive(u32),
}

impl HealthPolicy {
    /// Down after `failures` in a row.
    #[must_use]
    pub const fn consecutive(failures: u32) -> Self {
        Self::Consecutive(failures)
    }

    /// Can it be?
    ///
    /// # Errors
    ///
    /// Names the field, its value and what would do.
    pub fn check(&self) -> Result<(), PolicyError> {
        match *self {
            Self::Consecutive(0) => Err(PolicyError::new(
                "health.consecutive",
                0,
                "at least 1 failure",
            )),
            Self::Consecutive(_) => Ok(()),
        }
    }
}

impl Default for HealthPolicy {
    fn default() -> Self {
        Self::Consecutive(5)
    }
}

/// A judge at work: the seam behind which every rule stands.
#[derive(Debug)]
pub(crate) enum Detector {
    Consecutive(Consecutive),
}

/// One ended call, or one that has grown too old, as a judge takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    /// When the call began.
    pub(crate) started: Nanos,
    /// When it ended, or was found too old.
    pub(crate) now: Nanos,
    /// How it went.
    pub(crate) outcome: Outcome,
}

impl Fact {
    pub(crate) const fn sign(&self) -> Sign {
        self.outcome.sign()
    }
}

/// Enough evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alarm {
    /// When the trouble began, as far as the evidence tells: not when it was noticed.
    pub(crate) since: Nanos,
}

impl Detector {
    pub(crate) const fn new(policy: &HealthPolicy) -> Self {
        match *policy {
            HealthPolicy::Consecutive(threshold) => Self::Consecutive(Consecutive::new(threshold)),
        }
    }

    /// Takes one fact into account.
    pub(crate) fn record(&mut self, fact: &Fact) -> Option<Alarm> {
        match self {
            Self::Consecutive(rule) => rule.record(fact),
        }
    }

    /// Does it remember anything that a success would change? While calm, successes need not be recorded.
    pub(crate) const fn calm(&self) -> bool {
        match self {
            Self::Consecutive(rule) => rule.calm(),
        }
    }

    /// Forgets everything.
    pub(crate) const fn reset(&mut self) {
        match self {
            Self::Consecutive(rule) => rule.reset(),
        }
    }
}
