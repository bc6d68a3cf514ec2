//! Evidence grows old.

use crate::Nanos;
use std::time::Duration;

/// Time in which old evidence halves.
const HALF_LIFE: Duration = Duration::from_secs(60);

/// How long one call keeps the evidence fresh. At one call in ten seconds or more nothing fades and the design holds to
/// the letter: calls are what counts there, not time. Below, calls say too little for too long, and failures an hour
/// apart must not add up.
const PER_CALL: Duration = Duration::from_secs(10);

/// How old the evidence is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Freshness {
    /// The latest time seen: a clock that jumps back changes nothing.
    latest: Nanos,
    /// Until when the evidence counts in full.
    until: Nanos,
}

impl Freshness {
    pub(crate) const fn new() -> Self {
        Self {
            latest: Nanos::ZERO,
            until: Nanos::ZERO,
        }
    }

    pub(crate) fn passed(&mut self, successes: u64) {
        let calls = u32::try_from(successes).unwrap_or(u32::MAX);
        self.until = self.until.after(PER_CALL.saturating_mul(calls));
    }

    /// One call failed, at the time last looked at.
    pub(crate) fn failed(&mut self) {
        self.until = self.latest.after(PER_CALL);
    }

    /// What part of the evidence is left at `now`, 0 to 1. Asked again, it tells what is left of the rest.
    pub(crate) fn left(&mut self, now: Nanos) -> f64 {
        self.latest = self.latest.max(now);
        let idle = self.latest.since(self.until);
        // Calls account for the time that was, not for time to come.
        self.until = self.until.max(self.latest).min(self.latest.after(PER_CALL));
        (-idle.as_secs_f64() / HALF_LIFE.as_secs_f64()).exp2()
    }
}
