//! Judging: from outcomes to an alarm. What is done about it is the breaker's business.

mod consecutive;
mod cusum;

use crate::{Nanos, Outcome, PolicyError, Sign};
use consecutive::Consecutive;
use cusum::Stretched;
pub(crate) use cusum::{Bank, Ladder, Quiet, Rung};

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum HealthPolicy {
    /// The default: evidence is summed up (CUSUM), and what is enough follows from two facts of the policy, the tolerable
    /// failure rate and the false alarms allowed.
    #[default]
    Cusum,
    /// So many failures in a row, with no success between them. Envoy and Finagle use 5.
    Consecutive(u32),
}

impl HealthPolicy {
    /// Down after `failures` in a row.
    #[must_use]
    pub const fn consecutive(failures: u32) -> Self {
        Self::Consecutive(failures)
    }

    /// Its name, as a file has it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Cusum => "cusum",
            Self::Consecutive(_) => "consecutive",
        }
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
            Self::Cusum | Self::Consecutive(_) => Ok(()),
        }
    }
}

/// A judge at work: the seam behind which every rule stands.
#[derive(Debug)]
pub(crate) enum Detector {
    Cusum(Stretched),
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
    pub(crate) fn new(policy: &HealthPolicy, bank: impl FnOnce() -> Bank) -> Self {
        match *policy {
            HealthPolicy::Cusum => Self::Cusum(Stretched::new(bank())),
            HealthPolicy::Consecutive(threshold) => Self::Consecutive(Consecutive::new(threshold)),
        }
    }

    /// Takes one fact into account.
    pub(crate) fn record(&mut self, fact: &Fact) -> Option<Alarm> {
        match self {
            Self::Cusum(rule) => rule.record(fact),
            Self::Consecutive(rule) => rule.record(fact),
        }
    }

    /// That many calls went well since the last fact: the same as a fact for each of them.
    pub(crate) fn passed(&mut self, successes: u64) {
        match self {
            Self::Cusum(rule) => rule.passed(successes),
            Self::Consecutive(rule) => rule.passed(successes),
        }
    }

    /// Must it hear of every call as it ends? Otherwise it is told how many went well when one has failed.
    pub(crate) const fn eager(&self) -> bool {
        match self {
            Self::Cusum(_) | Self::Consecutive(_) => false,
        }
    }

    /// Does it remember nothing that a success would change?
    pub(crate) const fn calm(&self) -> bool {
        match self {
            Self::Cusum(rule) => rule.calm(),
            Self::Consecutive(rule) => rule.calm(),
        }
    }

    /// How much evidence is enough from now on, where the rule derives it.
    pub(crate) fn retarget(&mut self, bank: Bank) {
        if let Self::Cusum(rule) = self {
            rule.retarget(bank);
        }
    }

    /// Forgets everything.
    pub(crate) const fn reset(&mut self) {
        match self {
            Self::Cusum(rule) => rule.reset(),
            Self::Consecutive(rule) => rule.reset(),
        }
    }
}
