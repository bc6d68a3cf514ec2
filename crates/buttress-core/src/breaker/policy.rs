//! When to stop, and how to come back, as plain data.

use std::time::Duration;

use crate::{PolicyError, Ratio, value::check_span};

/// When to stop calling, and how to find out that it may go on.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields, default)
)]
pub struct BreakerPolicy {
    /// How long to stop before the first probe, give or take half of it; 500 ms by default.
    #[cfg_attr(feature = "serde", serde(with = "crate::duration_text"))]
    pub open_for: Duration,
    /// The longest stop: each failed recovery doubles it up to here. By default 5 s in a set, and 2 s where nobody else can
    /// serve.
    #[cfg_attr(
        feature = "serde",
        serde(
            with = "crate::duration_text::option",
            skip_serializing_if = "Option::is_none"
        )
    )]
    pub up_to: Option<Duration>,
    /// The classic recovery: so many good probes in a row and all calls flow again. By default a sequential test (about
    /// seven good probes, or two bad ones) and then a ramp.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub close_after: Option<u32>,
    /// How calls come back after the test. By default from 5 %, growing by a quarter each half second in which calls go
    /// well, in a set whose others carry the rest; from 20 %, growing by half, where nobody else can serve.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub ramp: Option<RampPolicy>,
    /// A probe without a result after this long has failed; 10 s by default.
    #[cfg_attr(feature = "serde", serde(with = "crate::duration_text"))]
    pub lease: Duration,
}

impl BreakerPolicy {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            open_for: Duration::from_millis(500),
            up_to: None,
            close_after: None,
            ramp: None,
            lease: Duration::from_secs(10),
        }
    }

    /// Sets how long to stop before the first probe.
    #[must_use]
    pub const fn open_for(mut self, span: Duration) -> Self {
        self.open_for = span;
        self
    }

    /// Sets the longest stop.
    #[must_use]
    pub const fn up_to(mut self, span: Duration) -> Self {
        self.up_to = Some(span);
        self
    }

    /// Sets the classic recovery: so many good probes in a row, and all calls flow again. It goes with no [`Self::ramp`].
    #[must_use]
    pub const fn close_after(mut self, probes: u32) -> Self {
        self.close_after = Some(probes);
        self
    }

    /// Sets how calls come back after the sequential test.
    #[must_use]
    pub const fn ramp(mut self, ramp: RampPolicy) -> Self {
        self.ramp = Some(ramp);
        self
    }

    /// Sets after how long a probe without a result has failed.
    #[must_use]
    pub const fn lease(mut self, span: Duration) -> Self {
        self.lease = span;
        self
    }

    /// Can it be?
    ///
    /// # Errors
    ///
    /// Names the field, its value and what would do.
    pub fn check(&self) -> Result<(), PolicyError> {
        check_span("breaker.open_for", self.open_for)?;
        if let Some(up_to) = self.up_to {
            check_span("breaker.up_to", up_to)?;
        }
        check_span("breaker.lease", self.lease)?;
        if let Some(up_to) = self.up_to
            && up_to < self.open_for
        {
            let value = crate::print_duration(up_to);
            return Err(PolicyError::new(
                "breaker.up_to",
                value,
                "at least breaker.open_for",
            ));
        }
        if self.close_after == Some(0) {
            return Err(PolicyError::new(
                "breaker.close_after",
                0,
                "at least 1 probe",
            ));
        }
        let Some(ramp) = self.ramp else {
            return Ok(());
        };
        if let Some(probes) = self.close_after {
            return Err(PolicyError::new(
                "breaker.close_after",
                probes,
                "either this or breaker.ramp: after so many probes all calls flow again at once",
            ));
        }
        ramp.check()
    }

    /// The longest stop, `alone` or in a set.
    pub(super) fn longest(&self, alone: bool) -> Duration {
        let usual = Duration::from_secs(if alone { 2 } else { 5 });
        self.up_to.unwrap_or(usual).max(self.open_for)
    }

    /// No wait is longer, `alone` or in a set: one that looks longer was set by a clock that was set back since.
    pub(crate) fn longest_wait(&self, alone: bool) -> Duration {
        self.longest(alone).saturating_mul(2).max(self.lease)
    }

    /// How calls come back, `alone` or in a set.
    pub(super) fn ramp_of(&self, alone: bool) -> RampPolicy {
        self.ramp.unwrap_or(if alone {
            RampPolicy::ALONE
        } else {
            RampPolicy::OF_A_SET
        })
    }
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// How calls come back to an endpoint that has passed its test.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
pub struct RampPolicy {
    /// The share of its calls that it gets at first.
    pub from: Ratio,
    /// By how much the share grows with each half second in which calls went well and none failed.
    pub factor: f64,
}

impl RampPolicy {
    /// In seven seconds at the soonest, with twenty calls in a thousand failing on a cold replica (simulated).
    pub(super) const OF_A_SET: Self = Self {
        from: Ratio::new(0.05),
        factor: 1.25,
    };
    /// In two seconds at the soonest: what is refused meanwhile nobody else serves.
    pub(super) const ALONE: Self = Self {
        from: Ratio::new(0.2),
        factor: 1.5,
    };

    fn check(self) -> Result<(), PolicyError> {
        self.from.check("breaker.ramp.from")?;
        if self.from.as_f64() < 0.01 {
            return Err(PolicyError::new(
                "breaker.ramp.from",
                self.from.as_f64(),
                "a ratio from 0.01 to 1",
            ));
        }
        if (1.05..=10.0).contains(&self.factor) {
            return Ok(());
        }
        Err(PolicyError::new(
            "breaker.ramp.factor",
            self.factor,
            "a factor from 1.05 to 10",
        ))
    }
}
