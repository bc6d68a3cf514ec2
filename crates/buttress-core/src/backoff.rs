//! How long to wait before trying again.

use std::time::Duration;

use crate::{
    PolicyError, print_duration,
    random::{Draws, unit},
    value::check_span,
};

/// The longest wait, where nothing else is said: a tenth of Kubernetes' `CrashLoopBackOff`, for a task starts in milliseconds
/// where a container takes seconds.
const LONGEST: Duration = Duration::from_secs(30);

/// How waits grow from one failure to the next, as plain data.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use buttress_core::{BackoffPolicy, Jitter};
///
/// let policy = BackoffPolicy::new().first(Duration::from_secs(1)).up_to(Duration::from_secs(5)).jitter(Jitter::None);
/// let waits: Vec<u64> = (1..=5).map(|failures| policy.wait(failures, 0).as_secs()).collect();
/// assert_eq!(waits, [1, 2, 4, 5, 5]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields, default)
)]
pub struct BackoffPolicy {
    /// The wait after the first failure, before jitter; 100 ms by default, as systemd's `RestartSec`.
    #[cfg_attr(feature = "serde", serde(with = "crate::duration_text"))]
    pub first: Duration,
    /// The longest wait, before jitter. By default 30 s, and 5 s for a connection, whose return somebody waits for.
    #[cfg_attr(
        feature = "serde",
        serde(
            with = "crate::duration_text::option",
            skip_serializing_if = "Option::is_none"
        )
    )]
    pub up_to: Option<Duration>,
    /// By how much each wait exceeds the one before; 2 by default.
    pub factor: f64,
    /// How much of each wait is chance; half of it by default.
    pub jitter: Jitter,
}

/// How much of a wait is chance, so that those who failed together do not come back together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Jitter {
    /// Nothing: for a single client, and for tests.
    None,
    /// The upper half: from half of the wait to all of it. There is always a pause, and it still grows.
    #[default]
    Equal,
    /// All of it: from nothing to the whole wait. It spreads best (Brooker, 2015), and may not wait at all.
    Full,
}

impl BackoffPolicy {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            first: Duration::from_millis(100),
            up_to: None,
            factor: 2.0,
            jitter: Jitter::Equal,
        }
    }

    /// Sets the wait after the first failure.
    #[must_use]
    pub const fn first(mut self, span: Duration) -> Self {
        self.first = span;
        self
    }

    /// Sets the longest wait.
    #[must_use]
    pub const fn up_to(mut self, span: Duration) -> Self {
        self.up_to = Some(span);
        self
    }

    /// Sets by how much waits grow.
    #[must_use]
    pub const fn factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// Sets how much of each wait is chance.
    #[must_use]
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// The wait after so many failures in a row, by a uniform `draw`. None after none.
    #[must_use]
    pub fn wait(&self, failures: u32, draw: u64) -> Duration {
        let ceiling = self.ceiling(failures);
        match self.jitter {
            Jitter::None => ceiling,
            Jitter::Equal => scaled(ceiling, 0.5 + 0.5 * unit(draw)),
            Jitter::Full => scaled(ceiling, unit(draw)),
        }
    }

    /// The longest that the wait after so many failures can be.
    pub(crate) fn ceiling(&self, failures: u32) -> Duration {
        let Some(earlier) = failures.checked_sub(1) else {
            return Duration::ZERO;
        };
        let growth = self.factor.powi(i32::try_from(earlier).unwrap_or(i32::MAX));
        scaled(self.first, growth).min(self.longest())
    }

    fn longest(&self) -> Duration {
        self.up_to.unwrap_or(LONGEST).max(self.first)
    }

    /// Can it be?
    ///
    /// # Errors
    ///
    /// Names the field, its value and what would do.
    pub fn check(&self) -> Result<(), PolicyError> {
        check_span("first", self.first)?;
        if let Some(up_to) = self.up_to {
            check_span("up_to", up_to)?;
            if up_to < self.first {
                let value = print_duration(up_to);
                return Err(PolicyError::new("up_to", value, "at least first"));
            }
        }
        if (1.0..=10.0).contains(&self.factor) {
            return Ok(());
        }
        Err(PolicyError::new(
            "factor",
            self.factor,
            "a factor from 1 to 10",
        ))
    }
}

impl Default for BackoffPolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// Failures in a row, and the waits between them. Pure: seeded once, told what happens.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use buttress_core::{Backoff, BackoffPolicy};
///
/// let mut backoff = Backoff::new(BackoffPolicy::new(), 7);
/// let wait = backoff.failed();
/// assert!(Duration::from_millis(50) <= wait && wait <= Duration::from_millis(100));
/// assert!(backoff.failed() >= Duration::from_millis(100));
/// backoff.reset();
/// assert_eq!(backoff.failures(), 0);
/// ```
#[derive(Debug)]
pub struct Backoff {
    policy: BackoffPolicy,
    failures: u32,
    draws: Draws,
}

impl Backoff {
    /// No failure yet. The same seed and the same steps make the same waits.
    #[must_use]
    pub const fn new(policy: BackoffPolicy, seed: u64) -> Self {
        Self {
            policy,
            failures: 0,
            draws: Draws::seeded(seed),
        }
    }

    /// It failed once more: how long to wait.
    pub fn failed(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.policy.wait(self.failures, self.draws.next())
    }

    /// It is proven well: the next wait is a first one.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }

    /// Failures in a row.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

/// Saturates, whatever the factor.
fn scaled(span: Duration, factor: f64) -> Duration {
    // `max` takes no number for zero.
    Duration::try_from_secs_f64(span.as_secs_f64() * factor.max(0.0)).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn waits_double_up_to_the_longest() {
        let policy = BackoffPolicy::new().jitter(Jitter::None);
        for (failures, millis) in [
            (0, 0),
            (1, 100),
            (2, 200),
            (9, 25_600),
            (10, 30_000),
            (u32::MAX, 30_000),
        ] {
            assert_eq!(policy.wait(failures, 0), millis * MS, "{failures}");
        }
    }

    #[test]
    fn jitter_takes_the_part_it_says() {
        for (jitter, least, most) in [
            (Jitter::None, 100, 100),
            (Jitter::Equal, 50, 100),
            (Jitter::Full, 0, 100),
        ] {
            let policy = BackoffPolicy::new().jitter(jitter);
            let draws = [0, u64::MAX].map(|draw| policy.wait(1, draw).as_micros().div_ceil(1000));
            assert_eq!(draws, [least, most], "{jitter:?}");
        }
    }

    #[test]
    fn bad_policies_name_their_field() {
        let new = BackoffPolicy::new;
        for (policy, field) in [
            (new().first(Duration::ZERO), "first"),
            (new().up_to(Duration::MAX), "up_to"),
            (new().up_to(MS), "up_to"),
            (new().factor(0.5), "factor"),
            (new().factor(f64::NAN), "factor"),
        ] {
            assert_eq!(policy.check().unwrap_err().field(), field);
        }
        assert_eq!(new().check(), Ok(()));
    }

    proptest! {
        /// Checked or not.
        #[test]
        fn no_policy_makes_it_panic_or_wait_longer_than_the_longest(
            (first, up_to) in (any::<u64>(), any::<u64>()), factor in any::<f64>(), failures in any::<u32>(), draw in any::<u64>(),
        ) {
            for jitter in [Jitter::None, Jitter::Equal, Jitter::Full] {
                let policy = BackoffPolicy { first: Duration::from_nanos(first), up_to: Some(Duration::from_secs(up_to)), factor, jitter };
                prop_assert!(policy.wait(failures, draw) <= policy.longest());
            }
        }

        #[test]
        fn waits_never_shrink_before_jitter(factor in 1.0..10.0_f64, failures in 1..1000_u32) {
            let policy = BackoffPolicy::new().factor(factor).jitter(Jitter::None);
            prop_assert!(policy.wait(failures, 0) <= policy.wait(failures + 1, 0));
        }
    }
}
