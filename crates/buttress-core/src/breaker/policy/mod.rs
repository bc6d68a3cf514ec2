//! When to stop, and how to come back, as plain data.

mod growth;
mod named;
mod ramp;
mod trial;

use std::time::Duration;

pub use growth::Growth;
pub(super) use growth::scaled;
pub use ramp::RampPolicy;
pub use trial::TrialPolicy;

use crate::{PolicyError, Ratio, value::check_span};

/// When to stop calling, and how to find out that it may go on.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields, default)
)]
pub struct BreakerPolicy {
    /// How long to stop before the first probe, give or take `jitter`; 500 ms by default.
    #[cfg_attr(feature = "serde", serde(with = "crate::duration_text"))]
    pub open_for: Duration,
    /// The longest stop, to which `growth` leads. By default 5 s in a set, and 2 s where nobody else can serve.
    #[cfg_attr(
        feature = "serde",
        serde(
            with = "crate::duration_text::option",
            skip_serializing_if = "Option::is_none"
        )
    )]
    pub up_to: Option<Duration>,
    /// How each failed recovery lengthens the stop; twofold by default.
    pub growth: Growth,
    /// Well for so long, and one step of growth is undone. By default all of it is, once it has come back.
    #[cfg_attr(
        feature = "serde",
        serde(
            with = "crate::duration_text::option",
            skip_serializing_if = "Option::is_none"
        )
    )]
    pub undone_in: Option<Duration>,
    /// The part of each stop that is left to chance, so that many clients do not come back at once: half of it either way by
    /// default.
    pub jitter: Ratio,
    /// The classic recovery: so many good probes in a row and all calls flow again. By default a sequential test (about
    /// seven good probes, or two bad ones) and then a ramp.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub close_after: Option<u32>,
    /// Another classic recovery: several probes at once, and then all calls flow again.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub trial: Option<TrialPolicy>,
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
            growth: Growth::Times(2.0),
            undone_in: None,
            jitter: Ratio::new(0.5),
            close_after: None,
            trial: None,
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

    /// Sets how each failed recovery lengthens the stop.
    #[must_use]
    pub const fn growth(mut self, growth: Growth) -> Self {
        self.growth = growth;
        self
    }

    /// Sets how long it has to be well until one step of growth is undone.
    #[must_use]
    pub const fn undone_in(mut self, span: Duration) -> Self {
        self.undone_in = Some(span);
        self
    }

    /// Sets the part of each stop that is left to chance.
    #[must_use]
    pub const fn jitter(mut self, part: Ratio) -> Self {
        self.jitter = part;
        self
    }

    /// Sets the classic recovery: so many good probes in a row, and all calls flow again. It goes with no [`Self::ramp`].
    #[must_use]
    pub const fn close_after(mut self, probes: u32) -> Self {
        self.close_after = Some(probes);
        self
    }

    /// Sets another classic recovery: several probes at once, and all calls flow again. It goes with neither
    /// [`Self::close_after`] nor [`Self::ramp`].
    #[must_use]
    pub const fn trial(mut self, trial: TrialPolicy) -> Self {
        self.trial = Some(trial);
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
        self.growth.check()?;
        if let Some(span) = self.undone_in {
            check_span("breaker.undone_in", span)?;
        }
        self.jitter.check("breaker.jitter")?;
        self.check_recovery()
    }

    /// There is one way back.
    fn check_recovery(&self) -> Result<(), PolicyError> {
        const AT_ONCE: &str =
            "either this or breaker.ramp: after so many probes all calls flow again at once";
        match (self.close_after, self.trial, self.ramp) {
            (Some(_), Some(trial), _) => Err(PolicyError::new(
                "breaker.trial",
                trial,
                "either this or breaker.close_after",
            )),
            (Some(probes), None, Some(_)) => {
                Err(PolicyError::new("breaker.close_after", probes, AT_ONCE))
            }
            (None, Some(trial), Some(_)) => Err(PolicyError::new("breaker.trial", trial, AT_ONCE)),
            (None, Some(trial), None) => trial.check(),
            (None, None, Some(ramp)) => ramp.check(),
            (_, None, None) => Ok(()),
        }
    }

    /// Do all calls come back at once?
    pub(super) const fn is_classic(&self) -> bool {
        self.close_after.is_some() || self.trial.is_some()
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
