//! One counter at work.

use super::bank::Counter;
use crate::Nanos;

/// What has come together against an endpoint, in one counter's units.
///
/// Whole numbers while nothing fades: doubles hold those exactly, far beyond any threshold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence {
    counter: Counter,
    stretch: f64,
    sum: f64,
    /// When the first of the failed calls began that the sum is made of: the change-point (Page 1954), if it was one.
    since: Nanos,
    /// Calls from that one on.
    calls: u64,
    /// Of these, failed ones.
    failures: u64,
}

impl Evidence {
    pub(crate) const fn none(counter: Counter) -> Self {
        Self {
            counter,
            stretch: 1.0,
            sum: 0.0,
            since: Nanos::ZERO,
            calls: 0,
            failures: 0,
        }
    }

    /// Takes in a failed call. Is it enough now?
    ///
    /// More than enough is not kept, so that an alarm that nobody acted on ends soon after the failures do.
    pub(crate) fn add(&mut self, started: Nanos) -> bool {
        if self.is_none() {
            (self.since, self.calls, self.failures) = (started, 0, 0);
        }
        // Calls end out of order: the trouble began with the earliest of them.
        self.since = self.since.min(started);
        self.calls = self.calls.saturating_add(1);
        self.failures = self.failures.saturating_add(1);
        let enough = self.enough();
        self.sum = (self.sum + f64::from(self.counter.steps.up)).min(enough);
        self.sum >= enough
    }

    pub(crate) fn relieve(&mut self, successes: u64) {
        self.calls = self.calls.saturating_add(successes);
        let relief = successes as f64 * f64::from(self.counter.steps.down);
        self.keep(self.sum - relief);
    }

    /// Keeps a part of it, 0 to 1.
    pub(crate) fn fade(&mut self, part: f64) {
        self.keep(self.sum * part);
    }

    pub(crate) const fn forget(&mut self) {
        self.sum = 0.0;
    }

    pub(crate) const fn is_none(&self) -> bool {
        self.sum <= 0.0
    }

    /// When its trouble began; of no meaning while there is none.
    pub(crate) const fn since(&self) -> Nanos {
        self.since
    }

    /// How much better a change at its beginning explains the calls since than the rate `tolerable` does: the logarithm
    /// of the ratio of likelihoods, at the rate since seen.
    pub(crate) fn likelihood(&self, tolerable: f64) -> f64 {
        let (failed, calls) = (self.failures as f64, self.calls as f64);
        let rate = failed / calls;
        if self.is_none() || rate <= tolerable {
            return 0.0;
        }
        let failures = failed * (rate / tolerable).ln();
        let successes = if self.failures < self.calls {
            (calls - failed) * ((1.0 - rate) / (1.0 - tolerable)).ln()
        } else {
            0.0
        };
        failures + successes
    }

    /// How much of what is needed, 0 to 1.
    pub(crate) fn part(&self) -> f64 {
        (self.sum / self.enough()).clamp(0.0, 1.0)
    }

    pub(crate) fn retarget(&mut self, counter: Counter) {
        let part = self.part();
        self.counter = counter;
        self.keep(part * self.enough());
    }

    pub(crate) const fn stretch(&mut self, factor: f64) {
        if !factor.is_nan() {
            self.stretch = factor.clamp(1.0, 10.0);
        }
    }

    fn enough(&self) -> f64 {
        (f64::from(self.counter.threshold) * self.stretch)
            .ceil()
            .max(1.0)
    }

    /// Less than one success takes away is nothing.
    const fn keep(&mut self, sum: f64) {
        self.sum = if sum < 1.0 { 0.0 } else { sum };
    }
}
