//! When a service is run again, and when no more, as plain data.

use std::time::Duration;

use crate::{BackoffPolicy, PolicyError, Redact, print_duration, value::check_span};

/// The most restarts that a limit may count: each is kept until its period is over.
const MOST_RESTARTS: u32 = 1_000;

/// When a background service is run again, and when no more.
///
/// By default it is run again after a failure, 100 ms later at first and up to 30 s later in the end, and given up with the
/// 21st failure in ten minutes. One that fails as soon as it is started is then tried for nearly five minutes: longer than
/// what it depends on takes to be restarted, and not for ever, for then somebody has to look.
///
/// | | restarts | wait | gives up | waits begin anew |
/// |---|---|---|---|---|
/// | here | on failure | 0.1 s to 30 s, doubling | 20 restarts in 10 min | after a run of 60 s |
/// | Erlang/OTP supervisor | always | none | 1 restart in 5 s | |
/// | systemd | by unit | 0.1 s | 5 starts in 10 s | |
/// | Kubernetes `CrashLoopBackOff` | always | 10 s to 300 s, doubling | never | after a run of 10 min |
///
/// The waits are a tenth of Kubernetes', for a task starts in milliseconds where a container takes seconds; and as there,
/// a run of twice the longest wait makes them begin anew.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use buttress_core::{Restart, SupervisorPolicy};
///
/// let policy = SupervisorPolicy::new().restart(Restart::Always).intensity(5, Duration::from_secs(10));
/// assert!(policy.check().is_ok());
///
/// let error = policy.intensity(100, Duration::from_secs(10)).check().unwrap_err();
/// assert_eq!(error.field(), "supervisor.period"); // the waits alone take longer: it would never be given up
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields, default)
)]
pub struct SupervisorPolicy {
    /// After which ends it is run again; after failures by default.
    pub restart: Restart,
    /// How long to wait before a restart.
    pub backoff: BackoffPolicy,
    /// After a run of this length waits begin anew; 60 s by default.
    #[cfg_attr(feature = "serde", serde(with = "crate::duration_text"))]
    pub reset_after: Duration,
    /// The most restarts in a period; with one more failure it is given up. 20 by default.
    pub intensity: u32,
    /// The period of the limit; 10 min by default. Zero: there is no limit, as with systemd.
    #[cfg_attr(feature = "serde", serde(with = "crate::duration_text"))]
    pub period: Duration,
    /// How long it may take to stop before it is aborted; 5 s by default, as OTP's `shutdown`.
    #[cfg_attr(feature = "serde", serde(with = "crate::duration_text"))]
    pub stop_within: Duration,
    /// What is left out of the words that it panics or fails with; values by default.
    pub redact: Redact,
}

/// After which ends a service is run again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Restart {
    /// After every end but a stop; OTP's `permanent`.
    Always,
    /// After errors and panics; one that returns without an error is done. OTP's `transient`.
    #[default]
    OnFailure,
    /// Never; OTP's `temporary`.
    Never,
}

impl SupervisorPolicy {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            restart: Restart::OnFailure,
            backoff: BackoffPolicy::new(),
            reset_after: Duration::from_secs(60),
            intensity: 20,
            period: Duration::from_secs(600),
            stop_within: Duration::from_secs(5),
            redact: Redact::Values,
        }
    }

    /// Sets after which ends it is run again.
    #[must_use]
    pub const fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// Sets how long to wait before a restart.
    #[must_use]
    pub const fn backoff(mut self, backoff: BackoffPolicy) -> Self {
        self.backoff = backoff;
        self
    }

    /// Sets after how long a run waits begin anew.
    #[must_use]
    pub const fn reset_after(mut self, span: Duration) -> Self {
        self.reset_after = span;
        self
    }

    /// Sets the limit: it is given up when it would take more than `restarts` in a `period`.
    #[must_use]
    pub const fn intensity(mut self, restarts: u32, period: Duration) -> Self {
        self.intensity = restarts;
        self.period = period;
        self
    }

    /// It is never given up, only waited for.
    #[must_use]
    pub const fn unlimited(mut self) -> Self {
        self.period = Duration::ZERO;
        self
    }

    /// Sets how long it may take to stop.
    #[must_use]
    pub const fn stop_within(mut self, span: Duration) -> Self {
        self.stop_within = span;
        self
    }

    /// Sets what is left out of the words that it panics or fails with.
    #[must_use]
    pub const fn redact(mut self, redact: Redact) -> Self {
        self.redact = redact;
        self
    }

    /// How long one that fails as soon as it is started is tried, at most. `None`: for ever.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        self.is_limited().then(|| {
            (1..=self.intensity.min(MOST_RESTARTS)).fold(Duration::ZERO, |sum, failures| {
                sum.saturating_add(self.backoff.ceiling(failures))
            })
        })
    }

    /// Can it be?
    ///
    /// # Errors
    ///
    /// Names the field, its value and what would do. A limit is refused that no service could reach: it would silently do
    /// nothing.
    pub fn check(&self) -> Result<(), PolicyError> {
        self.backoff
            .check()
            .map_err(|error| error.within("supervisor.backoff"))?;
        check_span("supervisor.reset_after", self.reset_after)?;
        check_span("supervisor.stop_within", self.stop_within)?;
        let Some(patience) = self.patience() else {
            return Ok(());
        };
        check_span("supervisor.period", self.period)?;
        if self.intensity > MOST_RESTARTS {
            return Err(PolicyError::new(
                "supervisor.intensity",
                self.intensity,
                "at most 1000 restarts",
            ));
        }
        if patience < self.period {
            return Ok(());
        }
        let (restarts, waits) = (self.intensity, print_duration(patience));
        let needs =
            format!("more than {waits}, the waits of {restarts} restarts, or 0s for no limit");
        let value = print_duration(self.period);
        Err(PolicyError::new("supervisor.period", value, needs))
    }

    pub(super) const fn is_limited(&self) -> bool {
        !self.period.is_zero()
    }
}

impl Default for SupervisorPolicy {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Jitter;

    #[test]
    fn by_default_what_fails_at_once_is_tried_for_some_minutes() {
        // Nine waits from 0.1 s to 25.6 s, and eleven of 30 s; three quarters of that on the average.
        let policy = SupervisorPolicy::new();
        assert_eq!(policy.patience(), Some(Duration::from_millis(381_100)));
        assert_eq!(policy.check(), Ok(()));
    }

    #[test]
    fn the_limits_of_otp_and_systemd_can_be_declared() {
        for (restarts, seconds) in [(1, 5), (5, 10), (0, 1)] {
            let policy = SupervisorPolicy::new().intensity(restarts, Duration::from_secs(seconds));
            assert_eq!(policy.check(), Ok(()), "{restarts} in {seconds} s");
        }
    }

    #[test]
    fn bad_policies_name_their_field() {
        let new = SupervisorPolicy::new;
        let (none, second) = (Duration::ZERO, Duration::from_secs(1));
        let still = BackoffPolicy::new().factor(1.0).jitter(Jitter::None);
        for (policy, field) in [
            (
                new().backoff(BackoffPolicy::new().first(none)),
                "supervisor.backoff.first",
            ),
            (
                new().backoff(BackoffPolicy::new().factor(0.0)),
                "supervisor.backoff.factor",
            ),
            (new().reset_after(none), "supervisor.reset_after"),
            (new().stop_within(none), "supervisor.stop_within"),
            (new().intensity(1, Duration::MAX), "supervisor.period"),
            (new().intensity(1_001, second), "supervisor.intensity"),
            (
                new().backoff(still).intensity(10, second),
                "supervisor.period",
            ),
        ] {
            assert_eq!(policy.check().unwrap_err().field(), field);
        }
        assert_eq!(new().unlimited().check(), Ok(()));
        assert_eq!(new().backoff(still).intensity(9, second).check(), Ok(()));
    }
}
