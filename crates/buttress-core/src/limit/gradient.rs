//! The limit as what latencies say it should be.
//!
//! A service that is given more calls than it works on at once makes them wait, and it shows: they take longer than at
//! its best. So the limit follows the gradient, the ratio of the two (Netflix concurrency-limits; the formula is Envoy's
//! adaptive concurrency filter). What "at its best" is must not be believed for ever: the limit is lowered now and then
//! until latencies fall no further, and that is it.

use std::time::Duration;

use super::AdaptivePolicy;
use crate::{
    Nanos,
    random::{Draws, unit},
};

/// How fast it follows in one window at most, down and up (Envoy).
const STEEPEST: (f64, f64) = (0.5, 2.0);

/// What is left of it after a window with too many failures that mean overload (Netflix AIMD).
const BACKOFF: f64 = 0.9;

/// Of all calls of a window so many may fail so: the default tolerable rate.
const TOLERABLE: f64 = 0.01;

/// After so many windows at its lowest it is the measure that is wrong, not the service (Envoy).
const STUCK: u32 = 5;

/// Measures are spread by up to this share, lest all clients lower their limits at once (Envoy).
const JITTER: f64 = 0.15;

/// Latencies fall further if a lower limit has taken off more than a tenth.
const FURTHER: f64 = 0.9;

/// What was seen in a window of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Calls that went well, and how long each of them took on average.
    pub(super) calls: u32,
    pub(super) took: Duration,
    /// Calls that timed out, or were answered with overload.
    pub(super) failed: u64,
    /// How many were under way, on average.
    pub(super) in_flight: f64,
}

#[derive(Debug)]
pub(super) struct Gradient {
    policy: AdaptivePolicy,
    most: f64,
    limit: f64,
    /// How long calls take when none waits for another.
    best: Option<f64>,
    stuck: u32,
    measure: Measure,
    draws: Draws,
}

/// Is it finding out what "at its best" is?
#[derive(Clone, Copy, Debug, PartialEq)]
enum Measure {
    /// Not before then.
    At(Nanos),
    /// The limit was lowered from `back`, under which calls took `took`; those that began before are ending.
    Lowered { back: f64, took: f64 },
    /// All calls are of the lower limit.
    Measuring { back: f64, took: f64 },
}

impl Gradient {
    pub(super) fn new(policy: AdaptivePolicy, most: u32, seed: u64) -> Self {
        let mut gradient = Self {
            policy,
            most: f64::from(most),
            limit: f64::from(policy.initial),
            best: None,
            stuck: 0,
            measure: Measure::At(Nanos::ZERO),
            draws: Draws::seeded(seed),
        };
        gradient.set(gradient.limit);
        gradient
    }

    /// So many may be under way now.
    pub(super) const fn limit(&self) -> u32 {
        // Between the least and the most, both of which are whole numbers; `as` saturates.
        self.limit as u32
    }

    /// A window has ended.
    pub(super) fn window(&mut self, seen: &Seen, now: Nanos) {
        let all = seen.failed as f64 + f64::from(seen.calls);
        // One alone may be chance, however few the calls.
        if seen.failed > 1 && seen.failed as f64 > TOLERABLE * all {
            self.give_up_measuring(now);
            return self.set(self.limit * BACKOFF);
        }
        if seen.calls == 0 {
            return;
        }
        let took = seen.took.as_secs_f64().max(f64::MIN_POSITIVE);
        let Some(best) = self.best else {
            self.best = Some(took);
            return self.measure_later(now);
        };
        match self.measure {
            // Lowered → measuring.
            Measure::Lowered { back, took } => self.measure = Measure::Measuring { back, took },
            // Measuring → lowered further, or back.
            Measure::Measuring { back, took: before } => self.measured(took, before, back, now),
            Measure::At(at) if now >= at => {
                self.best = Some(best.min(took));
                self.lower(self.limit, took);
            }
            Measure::At(_) => self.follow(best.min(took), took, seen.in_flight, now),
        }
    }

    /// One step along the gradient.
    fn follow(&mut self, best: f64, took: f64, in_flight: f64, now: Nanos) {
        self.best = Some(best);
        // What is not used says nothing, neither for more nor for less.
        if 2.0 * in_flight < self.limit {
            return;
        }
        let tolerated = best * (1.0 + self.policy.buffer.as_f64());
        let gradient = (tolerated / took).clamp(STEEPEST.0, STEEPEST.1);
        let next = step(self.limit, gradient).min(self.limit.max(2.0 * in_flight));
        self.set(next);
        let lowest = self.limit <= f64::from(self.policy.least) && gradient < 1.0;
        self.stuck = if lowest { self.stuck + 1 } else { 0 };
        if self.stuck >= STUCK {
            // Fewer at once there cannot be, so this is how long they take.
            self.best = Some(took);
            self.measure_later(now);
        }
    }

    fn measured(&mut self, took: f64, before: f64, back: f64, now: Nanos) {
        self.best = Some(took);
        if took < FURTHER * before && self.limit > f64::from(self.policy.least) {
            return self.lower(back, took);
        }
        self.set(back);
        self.measure_later(now);
    }

    fn lower(&mut self, back: f64, took: f64) {
        self.measure = Measure::Lowered { back, took };
        self.set(self.limit / 2.0);
    }

    fn give_up_measuring(&mut self, now: Nanos) {
        if let Measure::Lowered { back, .. } | Measure::Measuring { back, .. } = self.measure {
            self.set(back);
            self.measure_later(now);
        }
    }

    fn measure_later(&mut self, now: Nanos) {
        self.stuck = 0;
        let seconds =
            self.policy.remeasure.as_secs_f64() * (1.0 + JITTER * unit(self.draws.next()));
        let wait = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        self.measure = Measure::At(now.after(wait));
    }

    fn set(&mut self, limit: f64) {
        let least = f64::from(self.policy.least);
        self.limit = limit.max(least).min(self.most).floor();
    }
}

/// The next limit: the gradient of it, and room to grow that counts for more where it is small.
fn step(limit: f64, gradient: f64) -> f64 {
    let follows = gradient * limit;
    follows + follows.sqrt()
}

#[cfg(all(test, not(loom)))]
mod tests;
