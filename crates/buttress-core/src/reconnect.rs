//! When a broken connection is made again, as plain data.

use std::time::Duration;

use crate::{BackoffPolicy, PolicyError, Redact, value::check_span};

/// The longest stop of a breaker in a set, too.
const LONGEST: Duration = Duration::from_secs(5);

/// When a connection that broke, or could not be made, is made again.
///
/// One that has served a call and breaks is made again at once. Only when that fails, or when it breaks before it has served
/// one, is there a wait: an accepted connection proves nothing.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use buttress_core::ReconnectPolicy;
///
/// assert!(ReconnectPolicy::new().connect_timeout(Duration::from_secs(1)).check().is_ok());
/// let error = ReconnectPolicy::new().connect_timeout(Duration::ZERO).check().unwrap_err();
/// assert_eq!(error.field(), "reconnect.connect_timeout");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields, default)
)]
pub struct ReconnectPolicy {
    /// How long making a connection may take; 5 s by default, as Envoy's `connect_timeout`: the first segment of TCP may be
    /// lost twice, for it is sent again after 1 s and after 3 s.
    #[cfg_attr(feature = "serde", serde(with = "crate::duration_text"))]
    pub connect_timeout: Duration,
    /// How long to wait after a failure; 100 ms, doubling to 5 s by default. A server that is back is found within the
    /// longest wait, and that is as long as a breaker's.
    pub backoff: BackoffPolicy,
    /// What is left out of the words of an error; values by default.
    pub redact: Redact,
}

impl ReconnectPolicy {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            backoff: BackoffPolicy::new(),
            redact: Redact::Values,
        }
    }

    /// Sets how long making a connection may take.
    #[must_use]
    pub const fn connect_timeout(mut self, span: Duration) -> Self {
        self.connect_timeout = span;
        self
    }

    /// Sets how long to wait after a failure.
    #[must_use]
    pub const fn backoff(mut self, backoff: BackoffPolicy) -> Self {
        self.backoff = backoff;
        self
    }

    /// Sets what is left out of the words of an error.
    #[must_use]
    pub const fn redact(mut self, redact: Redact) -> Self {
        self.redact = redact;
        self
    }

    /// How long to wait after a failure, the longest wait included.
    #[must_use]
    pub fn waits(&self) -> BackoffPolicy {
        let longest = self.backoff.up_to.unwrap_or(LONGEST);
        self.backoff.up_to(longest.max(self.backoff.first))
    }

    /// Can it be?
    ///
    /// # Errors
    ///
    /// Names the field, its value and what would do.
    pub fn check(&self) -> Result<(), PolicyError> {
        check_span("reconnect.connect_timeout", self.connect_timeout)?;
        self.backoff
            .check()
            .map_err(|error| error.within("reconnect.backoff"))
    }
}

impl Default for ReconnectPolicy {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_policies_name_their_field() {
        let new = ReconnectPolicy::new;
        let backoff = BackoffPolicy::new().first(Duration::MAX);
        for (policy, field) in [
            (
                new().connect_timeout(Duration::MAX),
                "reconnect.connect_timeout",
            ),
            (new().backoff(backoff), "reconnect.backoff.first"),
        ] {
            assert_eq!(policy.check().unwrap_err().field(), field);
        }
        assert_eq!(new().check(), Ok(()));
    }
}
