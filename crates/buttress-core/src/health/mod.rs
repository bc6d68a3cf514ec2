//! Judging: from outcomes to an alarm. What is done about it is the breaker's business.

mod by_origin;
mod consecutive;
mod cusum;
mod ewma;
mod phi;
mod policy;
mod rate;
mod window;

use crate::{Nanos, Outcome, Sign};
use by_origin::ByOrigin;
use consecutive::Consecutive;
use cusum::Stretched;
pub(crate) use cusum::{Bank, Ladder, Quiet, Rung};
use ewma::Ewma;
use phi::Phi;
pub use policy::{EwmaPolicy, HealthPolicy, PhiPolicy, RatePolicy, Rhythm, SlowPolicy, Window};
use rate::Rate;

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

/// A judge at work: the seam behind which every rule stands.
#[derive(Debug)]
pub(crate) enum Detector {
    Cusum(Stretched),
    Consecutive(Consecutive),
    ByOrigin(ByOrigin),
    Rate(Rate),
    Ewma(Ewma),
    Phi(Phi),
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
    /// `bank` is asked for by the rule that derives its thresholds.
    pub(crate) fn new(policy: &HealthPolicy, bank: impl FnOnce() -> Bank) -> Self {
        match *policy {
            HealthPolicy::Cusum => Self::Cusum(Stretched::new(bank())),
            HealthPolicy::Consecutive(threshold) => Self::Consecutive(Consecutive::new(threshold)),
            HealthPolicy::ConsecutiveByOrigin(threshold) => {
                Self::ByOrigin(ByOrigin::new(threshold))
            }
            HealthPolicy::Rate(policy) => Self::Rate(Rate::new(policy)),
            HealthPolicy::Ewma(policy) => Self::Ewma(Ewma::new(policy)),
            HealthPolicy::Phi(policy) => Self::Phi(Phi::new(policy)),
        }
    }

    /// Takes one fact into account.
    pub(crate) fn record(&mut self, fact: &Fact) -> Option<Alarm> {
        match self {
            Self::Cusum(rule) => rule.record(fact),
            Self::Consecutive(rule) => rule.record(fact),
            Self::ByOrigin(rule) => rule.record(fact),
            Self::Rate(rule) => rule.record(fact),
            Self::Ewma(rule) => rule.record(fact),
            Self::Phi(rule) => rule.record(fact),
        }
    }

    /// Takes into account that so many calls succeeded since the last fact: the same as recording each. Only for rules
    /// that are not [`eager`](Self::eager); those record each success, and this does nothing.
    pub(crate) fn passed(&mut self, successes: u64) {
        match self {
            Self::Cusum(rule) => rule.passed(successes),
            Self::Consecutive(rule) if successes > 0 => rule.reset(),
            Self::ByOrigin(rule) if successes > 0 => rule.reset(),
            _ => {}
        }
    }

    /// A call begun at `asked` is still under way. Is that evidence? Silence is, to a rule that listens for it.
    pub(crate) fn wait(&mut self, asked: Nanos, now: Nanos) -> Option<Alarm> {
        match self {
            Self::Phi(rule) => rule.wait(asked, now),
            _ => None,
        }
    }

    /// A probe of our own ended so. Is that evidence? It is to a rule whose rhythm is that of probes.
    pub(crate) fn probed(&mut self, fact: &Fact) -> Option<Alarm> {
        match self {
            Self::Phi(rule) => rule.probed(fact),
            _ => None,
        }
    }

    /// Must it see every success as it comes? Otherwise it is enough to tell it how many there were before a failure.
    pub(crate) const fn eager(&self) -> bool {
        match self {
            Self::Cusum(_) | Self::Consecutive(_) | Self::ByOrigin(_) => false,
            Self::Rate(_) | Self::Ewma(_) | Self::Phi(_) => true,
        }
    }

    /// Is there no evidence at all? While calm, a rule that is not [`eager`](Self::eager) needs no successes.
    pub(crate) const fn calm(&self) -> bool {
        match self {
            Self::Cusum(rule) => rule.calm(),
            Self::Consecutive(rule) => rule.calm(),
            Self::ByOrigin(rule) => rule.calm(),
            Self::Rate(rule) => rule.calm(),
            Self::Ewma(rule) => rule.calm(),
            Self::Phi(rule) => rule.calm(),
        }
    }

    /// How much evidence is enough from now on, where the rule derives it.
    pub(crate) fn retarget(&mut self, bank: Bank) {
        if let Self::Cusum(rule) = self {
            rule.retarget(bank);
        }
    }

    /// How near an alarm is at `now`, from 0 to 1, where the rule can tell.
    pub(crate) fn suspicion(&mut self, now: Nanos) -> Option<f64> {
        match self {
            Self::Cusum(rule) => Some(rule.suspicion(now)),
            _ => None,
        }
    }

    /// Forgets the evidence.
    pub(crate) fn reset(&mut self) {
        match self {
            Self::Cusum(rule) => rule.reset(),
            Self::Consecutive(rule) => rule.reset(),
            Self::ByOrigin(rule) => rule.reset(),
            Self::Rate(rule) => rule.reset(),
            Self::Ewma(rule) => rule.reset(),
            Self::Phi(rule) => rule.reset(),
        }
    }
}

#[cfg(test)]
mod tests;
