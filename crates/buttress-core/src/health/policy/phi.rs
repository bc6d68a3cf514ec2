//! Silence.

use std::time::Duration;

use super::check_count;
use crate::{
    PolicyError, print_duration,
    value::{LONGEST, check_span},
};

/// When silence is too long for the rhythm of good answers heard so far: φ = −log₁₀ of the chance that a healthy
/// endpoint is silent for so long.
///
/// For endpoints that are asked all the time: of one that nobody asks, silence says nothing. The defaults are those of
/// Akka and Pekko, but for the rhythm, which is there periodic.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields, default)
)]
pub struct PhiPolicy {
    /// How answers arrive; as traffic by default.
    pub rhythm: Rhythm,
    /// The φ at which the endpoint is down; 8 by default: one silence in 10⁸ is as long and means nothing.
    pub threshold: f64,
    /// The last gaps that the rhythm is learnt from; 1 000 by default, 10 000 at most.
    pub samples: u32,
    /// The least deviation that gaps are taken to have, however regular they were, and for traffic the least mean;
    /// 100 ms by default.
    #[cfg_attr(feature = "serde", serde(with = "crate::duration_text"))]
    pub min_sigma: Duration,
    /// Silence that is let pass beside what the rhythm explains; 3 s by default, none if zero.
    #[cfg_attr(feature = "serde", serde(with = "crate::duration_text"))]
    pub pause: Duration,
    /// The gap that is expected before there was any; 1 s by default.
    #[cfg_attr(feature = "serde", serde(with = "crate::duration_text"))]
    pub first_gap: Duration,
}

/// How good answers of a healthy endpoint arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Rhythm {
    /// Independently of each other, as calls of many users do: gaps are exponentially distributed.
    #[default]
    Traffic,
    /// In time, as answers to periodic probes do: gaps are normally distributed. Where a probe is given it hears those, from when
    /// each was sent, and calls no more.
    Periodic,
}

impl PhiPolicy {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            rhythm: Rhythm::Traffic,
            threshold: 8.0,
            samples: 1_000,
            min_sigma: Duration::from_millis(100),
            pause: Duration::from_secs(3),
            first_gap: Duration::from_secs(1),
        }
    }

    /// Sets how answers arrive.
    #[must_use]
    pub const fn rhythm(mut self, rhythm: Rhythm) -> Self {
        self.rhythm = rhythm;
        self
    }

    /// Sets the φ at which the endpoint is down.
    #[must_use]
    pub const fn threshold(mut self, phi: f64) -> Self {
        self.threshold = phi;
        self
    }

    /// Sets how many gaps the rhythm is learnt from.
    #[must_use]
    pub const fn samples(mut self, gaps: u32) -> Self {
        self.samples = gaps;
        self
    }

    /// Sets the least deviation that gaps are taken to have.
    #[must_use]
    pub const fn min_sigma(mut self, span: Duration) -> Self {
        self.min_sigma = span;
        self
    }

    /// Sets the silence that is let pass beside what the rhythm explains.
    #[must_use]
    pub const fn pause(mut self, span: Duration) -> Self {
        self.pause = span;
        self
    }

    /// Sets the gap that is expected before there was any.
    #[must_use]
    pub const fn first_gap(mut self, span: Duration) -> Self {
        self.first_gap = span;
        self
    }

    pub(super) fn check(&self) -> Result<(), PolicyError> {
        // Beyond 100 no rhythm is known well enough, and φ is cut off at 1 000.
        if !(0.1..=100.0).contains(&self.threshold) {
            return Err(PolicyError::new(
                "health.phi.threshold",
                self.threshold,
                "0.1 to 100",
            ));
        }
        check_count("health.phi.samples", self.samples, "gaps")?;
        check_span("health.phi.min_sigma", self.min_sigma)?;
        check_span("health.phi.first_gap", self.first_gap)?;
        if self.pause > LONGEST {
            let value = print_duration(self.pause);
            return Err(PolicyError::new("health.phi.pause", value, "0s to 24h"));
        }
        Ok(())
    }
}

impl Default for PhiPolicy {
    fn default() -> Self {
        Self::new()
    }
}
