//! The rule by which an endpoint is judged, as plain data.

mod ewma;
mod named;
mod phi;
mod rate;

use std::time::Duration;

use crate::{PolicyError, value::check_span};
pub use ewma::EwmaPolicy;
pub use phi::{PhiPolicy, Rhythm};
pub use rate::{RatePolicy, SlowPolicy};

/// The most calls, or gaps between calls, that a rule may remember of one endpoint.
const MOST: u32 = 10_000;

/// The rule by which an endpoint is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
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
    /// So many failures in a row, local and remote ones counted apart, as by Envoy's
    /// `split_external_local_origin_errors`: an answer that is a failure ends the run of local failures, for the wire
    /// works; a local failure leaves the run of remote ones alone.
    ConsecutiveByOrigin(u32),
    /// So large a share of the recent calls failed, or was slow: the rule of Hystrix and resilience4j.
    Rate(RatePolicy),
    /// The exponentially weighted average of successes is too low: Finagle's rule.
    Ewma(EwmaPolicy),
    /// It is silent for longer than its rhythm explains: φ accrual, the rule of Akka and Cassandra.
    Phi(PhiPolicy),
}

impl HealthPolicy {
    /// Down after `failures` in a row.
    #[must_use]
    pub const fn consecutive(failures: u32) -> Self {
        Self::Consecutive(failures)
    }

    /// Down after `failures` in a row, of those on our side of the wire or of those on theirs.
    #[must_use]
    pub const fn consecutive_by_origin(failures: u32) -> Self {
        Self::ConsecutiveByOrigin(failures)
    }

    /// Down by the share of failed or slow calls.
    #[must_use]
    pub const fn rate(policy: RatePolicy) -> Self {
        Self::Rate(policy)
    }

    /// Down by a moving average of successes.
    #[must_use]
    pub const fn ewma(policy: EwmaPolicy) -> Self {
        Self::Ewma(policy)
    }

    /// Down by silence.
    #[must_use]
    pub const fn phi(policy: PhiPolicy) -> Self {
        Self::Phi(policy)
    }

    /// Its name, as a file has it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Cusum => "cusum",
            Self::Consecutive(_) => "consecutive",
            Self::ConsecutiveByOrigin(_) => "consecutive_by_origin",
            Self::Rate(_) => "rate",
            Self::Ewma(_) => "ewma",
            Self::Phi(_) => "phi",
        }
    }

    /// Can it be?
    ///
    /// # Errors
    ///
    /// Names the field, its value and what would do.
    pub fn check(&self) -> Result<(), PolicyError> {
        match self {
            Self::Cusum => Ok(()),
            Self::Consecutive(failures) => check_run("health.consecutive", *failures),
            Self::ConsecutiveByOrigin(failures) => {
                check_run("health.consecutive_by_origin", *failures)
            }
            Self::Rate(policy) => policy.check(),
            Self::Ewma(policy) => policy.check(),
            Self::Phi(policy) => policy.check(),
        }
    }
}

/// Which calls a rule looks back on: in a file, `{ calls = 100 }` or `{ span = "10s" }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Window {
    /// The last so many calls, however long ago; at most 10 000.
    Calls(u32),
    /// Those that ended within the last so long.
    Span(#[cfg_attr(feature = "serde", serde(with = "crate::duration_text"))] Duration),
}

impl Window {
    /// Can it be, and can it hold `at_least` so many calls?
    fn check(
        self,
        [calls, span, minimum]: [&'static str; 3],
        at_least: u32,
    ) -> Result<(), PolicyError> {
        check_count(minimum, at_least, "calls")?;
        match self {
            Self::Span(length) => check_span(span, length),
            Self::Calls(size) => {
                check_count(calls, size, "calls")?;
                if size < at_least {
                    let needs = format!("at most {calls}, {size}");
                    return Err(PolicyError::new(minimum, at_least, needs));
                }
                Ok(())
            }
        }
    }

    /// As many calls as are asked for, or as it can hold.
    fn at_most(self, at_least: u32) -> u32 {
        match self {
            Self::Calls(size) => at_least.min(size),
            Self::Span(_) => at_least,
        }
    }
}

fn check_run(field: &'static str, failures: u32) -> Result<(), PolicyError> {
    if failures == 0 {
        return Err(PolicyError::new(field, 0, "at least 1 failure"));
    }
    Ok(())
}

fn check_count(field: &'static str, count: u32, of: &str) -> Result<(), PolicyError> {
    if (1..=MOST).contains(&count) {
        return Ok(());
    }
    Err(PolicyError::new(field, count, format!("1 to {MOST} {of}")))
}

#[cfg(test)]
mod tests;
