//! A moving average of successes.

use std::time::Duration;

use super::Window;
use crate::{PolicyError, Ratio};

/// When the exponentially weighted average of successes is too low. Judged when a call fails.
///
/// The defaults are Finagle's: below 80 % of at least 5 calls, averaged over 30 s. As there, nothing is judged within
/// the first window after the first call; from then on, an endpoint that answers nothing is down after
/// 30 s · ln(1/0.8) = 6.7 s.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields, default)
)]
pub struct EwmaPolicy {
    /// The mean age of what is averaged, in time or in calls; 30 s by default.
    pub window: Window,
    /// The average below which the endpoint is down; 0.8 by default.
    pub required: Ratio,
    /// Calls within the last window that it takes to judge; 5 by default.
    pub at_least: u32,
}

impl EwmaPolicy {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            window: Window::Span(Duration::from_secs(30)),
            required: Ratio::new(0.8),
            at_least: 5,
        }
    }

    /// Sets the mean age of what is averaged, and lowers the minimum to what the window can hold.
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.window = window;
        self.at_least = window.at_most(self.at_least);
        self
    }

    /// Sets the average below which the endpoint is down.
    #[must_use]
    pub const fn required(mut self, share: Ratio) -> Self {
        self.required = share;
        self
    }

    /// Sets how many calls within the last window it takes to judge.
    #[must_use]
    pub const fn at_least(mut self, calls: u32) -> Self {
        self.at_least = calls;
        self
    }

    pub(super) fn check(&self) -> Result<(), PolicyError> {
        let fields = [
            "health.ewma.window.calls",
            "health.ewma.window.span",
            "health.ewma.at_least",
        ];
        self.window.check(fields, self.at_least)?;
        self.required.check_above_zero("health.ewma.required")
    }
}

impl Default for EwmaPolicy {
    fn default() -> Self {
        Self::new()
    }
}
