//! The classic ways to find out whether to close, as plain data.

use std::fmt;

use crate::{PolicyError, Ratio};

/// More probes than this are no longer a few.
const MOST: u32 = 1_000;

/// How the classic breaker finds out whether to close: with at most `of` probes, which may all be under way at once. Every
/// one has a lease of its own; one that is lost has failed, and one that says nothing is sent again.
///
/// Polly, gobreaker and Sentinel close after one good probe, as `close_after = 1` does.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case", deny_unknown_fields)
)]
#[non_exhaustive]
pub enum TrialPolicy {
    /// It closes once `good` of `of` probes were good, and opens once that cannot be any more. As in failsafe-go; with all of
    /// them, as in gobreaker.
    KOfN {
        /// This many good ones close it.
        good: u32,
        /// Of so many at most.
        of: u32,
    },
    /// When all probes have ended it opens if this share of them failed, and otherwise closes. As in resilience4j.
    Rate {
        /// This share of failures opens it.
        failures: Ratio,
        /// How many there are.
        of: u32,
    },
    /// When the wait is over it closes, untried. As in Envoy, which brings ejected hosts back by time alone.
    Untried,
}

impl TrialPolicy {
    /// How many probes it takes at most.
    pub(in crate::breaker) const fn most(self) -> u32 {
        match self {
            Self::KOfN { of, .. } | Self::Rate { of, .. } => of,
            Self::Untried => 0,
        }
    }

    pub(super) fn check(self) -> Result<(), PolicyError> {
        let (field, of) = match self {
            Self::KOfN { of, .. } => ("breaker.trial.k_of_n.of", of),
            Self::Rate { of, .. } => ("breaker.trial.rate.of", of),
            Self::Untried => return Ok(()),
        };
        if !(1..=MOST).contains(&of) {
            return Err(PolicyError::new(field, of, format!("1 to {MOST} probes")));
        }
        match self {
            Self::KOfN { good, of } if !(1..=of).contains(&good) => Err(PolicyError::new(
                "breaker.trial.k_of_n.good",
                good,
                format!("1 to breaker.trial.k_of_n.of, {of}"),
            )),
            Self::Rate { failures, .. } => failures.check_above_zero("breaker.trial.rate.failures"),
            _ => Ok(()),
        }
    }
}

/// As a file has it.
impl fmt::Display for TrialPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KOfN { good, of } => write!(f, "{{ k_of_n = {{ good = {good}, of = {of} }} }}"),
            Self::Rate { failures, of } => {
                let failures = failures.as_f64();
                write!(f, "{{ rate = {{ failures = {failures}, of = {of} }} }}")
            }
            Self::Untried => f.write_str("untried"),
        }
    }
}
