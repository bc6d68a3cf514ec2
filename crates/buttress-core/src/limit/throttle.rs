//! Fewer calls to whoever turns calls down.
//!
//! Client-side throttling (Beyer et al., Site Reliability Engineering, ch. 21): of the calls that are wanted, so many are
//! refused here that about `multiplier` times as many are sent as are accepted. It differs in three points. Calls under
//! way count as accepted, for whoever turns calls down does so at once. What is remembered fades instead of falling out
//! of a window. And since a client that refuses nearly all of its calls would learn only after the whole window that it
//! may call again, the evidence halves with each second in which calls were sent and none was turned down.

use std::time::Duration;

use crate::{Nanos, PolicyError, Ratio, value::check_span};

/// Whether and how calls to a service are throttled that turns calls down (429, or 503 with `Retry-After`).
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields, default)
)]
pub struct ThrottlePolicy {
    /// The largest share of calls that may be refused; 0.9 by default, and 0 is off. Were it all, nobody would find out
    /// that the service is well again.
    pub at_most: Ratio,
    /// So many times as many calls are sent as are accepted; 2 by default, so that nothing is refused before every second
    /// call is turned down.
    pub multiplier: f64,
    /// How long calls are remembered; 2 minutes by default.
    #[cfg_attr(feature = "serde", serde(with = "crate::duration_text"))]
    pub window: Duration,
}

impl ThrottlePolicy {
    /// Nothing is throttled.
    pub const OFF: Self = Self {
        at_most: Ratio::new(0.0),
        ..Self::new()
    };

    /// The defaults: those of the book, and a cap.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            at_most: Ratio::new(0.9),
            multiplier: 2.0,
            window: Duration::from_secs(120),
        }
    }

    /// Sets the largest share of calls that may be refused; zero is off.
    #[must_use]
    pub const fn at_most(mut self, share: Ratio) -> Self {
        self.at_most = share;
        self
    }

    /// Sets how many times as many calls are sent as are accepted.
    #[must_use]
    pub const fn multiplier(mut self, times: f64) -> Self {
        self.multiplier = times;
        self
    }

    /// Sets how long calls are remembered.
    #[must_use]
    pub const fn window(mut self, span: Duration) -> Self {
        self.window = span;
        self
    }

    /// Can it be?
    ///
    /// # Errors
    ///
    /// Names the field, its value and what would do.
    pub fn check(&self) -> Result<(), PolicyError> {
        if !(0.0..=0.95).contains(&self.at_most.as_f64()) {
            let needs =
                "a ratio from 0 to 0.95: without any calls nobody finds out that it is well";
            let value = self.at_most.as_f64();
            return Err(PolicyError::new("throttle.at_most", value, needs));
        }
        if !(1.0..=100.0).contains(&self.multiplier) {
            let needs = "a number from 1 to 100";
            return Err(PolicyError::new(
                "throttle.multiplier",
                self.multiplier,
                needs,
            ));
        }
        check_span("throttle.window", self.window)
    }

    pub(crate) fn is_off(&self) -> bool {
        let share = self.at_most.as_f64();
        share <= 0.0 || share.is_nan()
    }

    /// The share of calls to be refused when of so many wanted calls so many were accepted.
    fn refused(&self, wanted: f64, accepted: f64) -> f64 {
        if wanted < FEW {
            return 0.0;
        }
        let share = (wanted - self.multiplier * accepted) / (wanted + 1.0);
        share.max(0.0).min(self.at_most.as_f64())
    }
}

impl Default for ThrottlePolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// From fewer calls nothing follows.
const FEW: f64 = 10.0;

/// A time in which something was sent and nothing turned down.
const QUIET: Duration = Duration::from_secs(1);

/// Calls since the beginning of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Sent.
    pub(crate) sent: u64,
    /// Of those, turned down.
    pub(crate) turned_down: u64,
    /// Not sent, for they were throttled.
    pub(crate) throttled: u64,
}

/// What is remembered of calls, and what follows.
#[derive(Debug)]
pub(crate) struct Throttle {
    policy: ThrottlePolicy,
    wanted: f64,
    accepted: f64,
    seen: Totals,
    at: Nanos,
    /// Since when nothing was turned down, and how much had been sent by then.
    quiet: (Nanos, u64),
}

impl Throttle {
    pub(crate) const fn new(policy: ThrottlePolicy, born: Nanos) -> Self {
        Self {
            policy,
            wanted: 0.0,
            accepted: 0.0,
            seen: Totals {
                sent: 0,
                turned_down: 0,
                throttled: 0,
            },
            at: born,
            quiet: (born, 0),
        }
    }

    /// The share of calls to be refused from now on.
    pub(crate) fn look(&mut self, totals: Totals, now: Nanos) -> f64 {
        // Fading with half the window as its mean age, as that of a window full of calls.
        let (lasted, memory) = (
            now.since(self.at).as_secs_f64(),
            self.policy.window.as_secs_f64() / 2.0,
        );
        let kept = (-lasted / memory).exp();
        // What came since was evenly spread.
        let fresh = if lasted > 0.0 {
            (1.0 - kept) * memory / lasted
        } else {
            1.0
        };
        let since =
            |total: fn(&Totals) -> u64| total(&totals).saturating_sub(total(&self.seen)) as f64;
        let sent = since(|totals| totals.sent);
        let turned_down = since(|totals| totals.turned_down);
        let throttled = since(|totals| totals.throttled);
        self.wanted = self.wanted * kept + (sent + throttled) * fresh;
        // One turned down may have been sent long before.
        self.accepted = (self.accepted * kept + (sent - turned_down) * fresh).max(0.0);
        (self.seen, self.at) = (totals, now);
        self.forgive(turned_down > 0.0, totals.sent, now);
        self.policy.refused(self.wanted, self.accepted)
    }

    fn forgive(&mut self, turned_down: bool, sent: u64, now: Nanos) {
        let (since, by_then) = self.quiet;
        if turned_down {
            self.quiet = (now, sent);
        } else if now.since(since) >= QUIET && sent > by_then {
            self.quiet = (now, sent);
            self.wanted = self.wanted.midpoint(self.accepted.min(self.wanted));
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
