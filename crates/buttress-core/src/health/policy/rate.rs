//! The share of failed or slow calls.

use std::time::Duration;

use super::Window;
use crate::{PolicyError, Ratio, value::check_span};

/// When the share of failed or slow calls is too large. Thresholds are inclusive, and judged at every call that ends.
///
/// The defaults are Hystrix's: half of at least 20 calls within 10 s. Those of resilience4j, which evaluates nothing
/// before the hundredth call, are `window = { calls = 100 }, at_least = 100, slow = { after = "1m" }`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields, default)
)]
pub struct RatePolicy {
    /// Which calls count; the last 10 s by default. A span is kept in tenths.
    pub window: Window,
    /// The share of failures at which the endpoint is down; a half by default.
    pub failures: Ratio,
    /// When calls count as slow, and which share of them is too much; never by default.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub slow: Option<SlowPolicy>,
    /// Below this many calls in the window the shares are unknown; 20 by default.
    pub at_least: u32,
    /// Are failures on our side of the wire and on theirs counted apart, as by Envoy? Then local ones are a share of
    /// all calls, and remote ones a share of those that were answered. Not by default.
    pub split_origins: bool,
}

impl RatePolicy {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            window: Window::Span(Duration::from_secs(10)),
            failures: Ratio::new(0.5),
            slow: None,
            at_least: 20,
            split_origins: false,
        }
    }

    /// Sets which calls count, and lowers the minimum to what the window can hold.
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.window = window;
        self.at_least = window.at_most(self.at_least);
        self
    }

    /// Sets the share of failures at which the endpoint is down.
    #[must_use]
    pub const fn failures(mut self, share: Ratio) -> Self {
        self.failures = share;
        self
    }

    /// Sets when calls count as slow, and which share of them is too much.
    #[must_use]
    pub const fn slow(mut self, slow: SlowPolicy) -> Self {
        self.slow = Some(slow);
        self
    }

    /// Sets how many calls it takes to know a share.
    #[must_use]
    pub const fn at_least(mut self, calls: u32) -> Self {
        self.at_least = calls;
        self
    }

    /// Sets whether failures on our side of the wire and on theirs are counted apart.
    #[must_use]
    pub const fn split_origins(mut self, split: bool) -> Self {
        self.split_origins = split;
        self
    }

    pub(super) fn check(&self) -> Result<(), PolicyError> {
        let fields = [
            "health.rate.window.calls",
            "health.rate.window.span",
            "health.rate.at_least",
        ];
        self.window.check(fields, self.at_least)?;
        self.failures.check_above_zero("health.rate.failures")?;
        self.slow.as_ref().map_or(Ok(()), SlowPolicy::check)
    }
}

impl Default for RatePolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// When calls count as slow, and which share of slow calls is too much.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
pub struct SlowPolicy {
    /// A call that takes longer than this is slow, however it ends.
    #[cfg_attr(feature = "serde", serde(with = "crate::duration_text"))]
    pub after: Duration,
    /// The share of slow calls at which the endpoint is down; all of them by default, as in resilience4j.
    #[cfg_attr(feature = "serde", serde(default = "all"))]
    pub over: Ratio,
}

impl SlowPolicy {
    /// A call that takes longer than `span` is slow; all calls must be, for the endpoint to be down.
    #[must_use]
    pub const fn after(span: Duration) -> Self {
        Self {
            after: span,
            over: all(),
        }
    }

    /// Sets the share of slow calls at which the endpoint is down.
    #[must_use]
    pub const fn over(mut self, share: Ratio) -> Self {
        self.over = share;
        self
    }

    fn check(&self) -> Result<(), PolicyError> {
        check_span("health.rate.slow.after", self.after)?;
        self.over.check_above_zero("health.rate.slow.over")
    }
}

const fn all() -> Ratio {
    Ratio::new(1.0)
}
