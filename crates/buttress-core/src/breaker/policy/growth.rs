//! How stops lengthen, as plain data.

use std::time::Duration;

use crate::PolicyError;

/// How each failed recovery lengthens the stop.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Growth {
    /// It is so many times as long; with 1 it never grows.
    Times(f64),
    /// It is longer by the first one: the n-th lasts n times as long, as Envoy's ejections do.
    Linear,
}

impl Growth {
    /// The stop after one of `last`, where the first lasts `first`. None was, if that is zero.
    pub(in crate::breaker) fn after(self, last: Duration, first: Duration) -> Duration {
        match self {
            Self::Times(factor) => scaled(last, factor.clamp(1.0, 10.0)),
            Self::Linear => last.saturating_add(first),
        }
    }

    /// What `last` comes to once so many of its steps are undone.
    pub(in crate::breaker) fn undone(
        self,
        last: Duration,
        first: Duration,
        steps: u64,
    ) -> Duration {
        // A day in steps of a millisecond is far less than this.
        let steps = steps.min(1 << 30) as u32;
        match self {
            Self::Times(factor) if factor > 1.0 => scaled(last, factor.powi(-(steps as i32))),
            Self::Times(_) => last,
            Self::Linear => last.saturating_sub(first.saturating_mul(steps)),
        }
    }

    pub(super) fn check(self) -> Result<(), PolicyError> {
        match self {
            Self::Times(factor) if !(1.0..=10.0).contains(&factor) => Err(PolicyError::new(
                "breaker.growth.times",
                factor,
                "a factor from 1 to 10",
            )),
            _ => Ok(()),
        }
    }
}

/// So many times as long; as long as can be, where that is too long or no number.
pub(in crate::breaker) fn scaled(span: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(span.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}
