//! How often to probe, and what to make of it.

use std::time::Duration;

use crate::{PolicyError, Ratio, print_duration, value::check_span};

/// How often endpoints are probed, and how many results it takes to change the mind.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use buttress_core::ProbePolicy;
///
/// let policy = ProbePolicy::new().interval(Duration::from_secs(10)).fall(2);
/// assert!(policy.check().is_ok());
/// assert_eq!(policy.at_once(0).check().unwrap_err().to_string(), "probe.at_once = 0: needs at least 1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields, default)
)]
pub struct ProbePolicy {
    /// From one probe of an endpoint to its next; 2 s by default, as `HAProxy`'s `inter`.
    #[cfg_attr(feature = "serde", serde(with = "crate::duration_text"))]
    pub interval: Duration,
    /// A probe without an answer after this long is a bad one; 1 s by default.
    #[cfg_attr(feature = "serde", serde(with = "crate::duration_text"))]
    pub timeout: Duration,
    /// Good probes in a row until a bad endpoint counts as up; 2 by default. The first good one of all suffices.
    pub rise: u32,
    /// Bad probes in a row until an endpoint counts as down; 3 by default.
    pub fall: u32,
    /// The interval while results speak against what is believed, and the soonest that failing calls can bring a probe
    /// forward to; 500 ms by default. `HAProxy`'s `fastinter`.
    #[cfg_attr(feature = "serde", serde(with = "crate::duration_text"))]
    pub fast_interval: Duration,
    /// The interval while nobody has called any endpoint of the destination for as long; 60 s by default. Envoy's
    /// `no_traffic_interval`.
    #[cfg_attr(feature = "serde", serde(with = "crate::duration_text"))]
    pub idle_interval: Duration,
    /// How far each interval strays from its length, either way; 10 % by default. Keeps clients that started together
    /// from probing together.
    pub jitter: Ratio,
    /// Most probes on their way at once, over all endpoints of one destination; 8 by default. An endpoint that hangs
    /// holds one for the whole timeout, so that by default up to 16 of them are still probed at every interval.
    pub at_once: u32,
}

/// The widest jitter: `HAProxy`'s limit too (`spread-checks`). At all of the interval the next probe could be due at once.
const WIDEST: f64 = 0.5;

impl ProbePolicy {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(1),
            rise: 2,
            fall: 3,
            fast_interval: Duration::from_millis(500),
            idle_interval: Duration::from_secs(60),
            jitter: Ratio::new(0.1),
            at_once: 8,
        }
    }

    /// Sets the interval, and shortens the fast one or lengthens the idle one to fit.
    #[must_use]
    pub fn interval(mut self, span: Duration) -> Self {
        self.interval = span;
        self.fast_interval = self.fast_interval.min(span);
        self.idle_interval = self.idle_interval.max(span);
        self
    }

    /// Sets how long an answer is waited for.
    #[must_use]
    pub const fn timeout(mut self, span: Duration) -> Self {
        self.timeout = span;
        self
    }

    /// Sets how many good probes in a row bring a bad endpoint up.
    #[must_use]
    pub const fn rise(mut self, probes: u32) -> Self {
        self.rise = probes;
        self
    }

    /// Sets how many bad probes in a row bring an endpoint down.
    #[must_use]
    pub const fn fall(mut self, probes: u32) -> Self {
        self.fall = probes;
        self
    }

    /// Sets the interval while results speak against what is believed.
    #[must_use]
    pub const fn fast_interval(mut self, span: Duration) -> Self {
        self.fast_interval = span;
        self
    }

    /// Sets the interval while nobody calls.
    #[must_use]
    pub const fn idle_interval(mut self, span: Duration) -> Self {
        self.idle_interval = span;
        self
    }

    /// Sets how far intervals stray from their length.
    #[must_use]
    pub const fn jitter(mut self, share: Ratio) -> Self {
        self.jitter = share;
        self
    }

    /// Sets how many probes of one destination may be on their way at once.
    #[must_use]
    pub const fn at_once(mut self, probes: u32) -> Self {
        self.at_once = probes;
        self
    }

    /// Can it be?
    ///
    /// # Errors
    ///
    /// Names the field, its value and what would do.
    pub fn check(&self) -> Result<(), PolicyError> {
        check_span("probe.interval", self.interval)?;
        check_span("probe.timeout", self.timeout)?;
        check_span("probe.fast_interval", self.fast_interval)?;
        check_span("probe.idle_interval", self.idle_interval)?;
        if self.fast_interval > self.interval {
            let value = print_duration(self.fast_interval);
            let needs = "at most probe.interval";
            return Err(PolicyError::new("probe.fast_interval", value, needs));
        }
        if self.idle_interval < self.interval {
            let value = print_duration(self.idle_interval);
            let needs = "at least probe.interval";
            return Err(PolicyError::new("probe.idle_interval", value, needs));
        }
        for (field, count) in [
            ("probe.rise", self.rise),
            ("probe.fall", self.fall),
            ("probe.at_once", self.at_once),
        ] {
            if count == 0 {
                return Err(PolicyError::new(field, 0, "at least 1"));
            }
        }
        if (0.0..=WIDEST).contains(&self.jitter.as_f64()) {
            return Ok(());
        }
        let needs = "a ratio from 0 to 0.5";
        Err(PolicyError::new(
            "probe.jitter",
            self.jitter.as_f64(),
            needs,
        ))
    }
}

impl Default for ProbePolicy {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_policies_name_their_field() {
        let new = ProbePolicy::new;
        let (none, hour) = (Duration::ZERO, Duration::from_secs(3600));
        for (policy, field) in [
            (new().interval(none), "probe.interval"),
            (new().timeout(none), "probe.timeout"),
            (new().timeout(Duration::MAX), "probe.timeout"),
            (new().fast_interval(none), "probe.fast_interval"),
            (new().fast_interval(hour), "probe.fast_interval"),
            (new().idle_interval(Duration::MAX), "probe.idle_interval"),
            (
                new().idle_interval(Duration::from_secs(1)),
                "probe.idle_interval",
            ),
            (new().rise(0), "probe.rise"),
            (new().fall(0), "probe.fall"),
            (new().at_once(0), "probe.at_once"),
            (new().jitter(Ratio::percent(51)), "probe.jitter"),
            (new().jitter(Ratio::new(f64::NAN)), "probe.jitter"),
        ] {
            assert_eq!(policy.check().unwrap_err().field(), field);
        }
    }

    #[test]
    fn an_interval_takes_the_others_along() {
        for millis in [1, 100, 2_000, 3_600_000] {
            let policy = ProbePolicy::new().interval(Duration::from_millis(millis));
            assert_eq!(policy.check(), Ok(()), "{millis} ms");
        }
    }
}
