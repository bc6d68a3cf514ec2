//! How a limit is found out, as plain data.

use std::time::Duration;

use super::policy::check_number;
use crate::{PolicyError, Ratio, value::check_span};

/// How the limit is found out: it follows the ratio of how long calls take at their best to how long they take now.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields, default)
)]
pub struct AdaptivePolicy {
    /// The first limit; 20 by default.
    pub initial: u32,
    /// The lowest; 3 by default.
    pub least: u32,
    /// By how much calls may take longer than at their best, before it falls; a quarter by default.
    pub buffer: Ratio,
    /// How often it is measured anew what "at their best" is, by lowering the limit for some tenths of a second; each
    /// minute by default.
    #[cfg_attr(feature = "serde", serde(with = "crate::duration_text"))]
    pub remeasure: Duration,
}

impl AdaptivePolicy {
    /// The defaults: of Netflix (`initial`) and Envoy (the others).
    #[must_use]
    pub const fn new() -> Self {
        Self {
            initial: 20,
            least: 3,
            buffer: Ratio::new(0.25),
            remeasure: Duration::from_secs(60),
        }
    }

    /// Sets the first limit.
    #[must_use]
    pub const fn initial(mut self, calls: u32) -> Self {
        self.initial = calls;
        self
    }

    /// Sets the lowest limit.
    #[must_use]
    pub const fn least(mut self, calls: u32) -> Self {
        self.least = calls;
        self
    }

    /// Sets by how much calls may take longer than at their best.
    #[must_use]
    pub const fn buffer(mut self, share: Ratio) -> Self {
        self.buffer = share;
        self
    }

    /// Sets how often it is measured anew what that is.
    #[must_use]
    pub const fn remeasure(mut self, every: Duration) -> Self {
        self.remeasure = every;
        self
    }

    pub(super) fn check(&self, most: u32) -> Result<(), PolicyError> {
        check_number("limit.adaptive.least", self.least)?;
        check_number("limit.adaptive.initial", self.initial)?;
        if self.least > most {
            let needs = format!("at most limit.concurrency, {most}");
            return Err(PolicyError::new("limit.adaptive.least", self.least, needs));
        }
        self.buffer.check_above_zero("limit.adaptive.buffer")?;
        check_span("limit.adaptive.remeasure", self.remeasure)
    }
}

impl Default for AdaptivePolicy {
    fn default() -> Self {
        Self::new()
    }
}
