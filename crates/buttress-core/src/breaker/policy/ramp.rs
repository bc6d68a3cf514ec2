//! How calls come back, as plain data.

use crate::{PolicyError, Ratio};

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
    pub(in crate::breaker) const OF_A_SET: Self = Self {
        from: Ratio::new(0.05),
        factor: 1.25,
    };
    /// In two seconds at the soonest: what is refused meanwhile nobody else serves.
    pub(in crate::breaker) const ALONE: Self = Self {
        from: Ratio::new(0.2),
        factor: 1.5,
    };

    pub(super) fn check(self) -> Result<(), PolicyError> {
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
