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
        self.until = self.until.clamp(self.latest, self.latest.after(PER_CALL));
        (-idle.as_secs_f64() / HALF_LIFE.as_secs_f64()).exp2()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Nanos {
        Nanos::ZERO.after(Duration::from_secs(seconds))
    }

    /// A failure at 1 000 s.
    fn failed() -> Freshness {
        let mut freshness = Freshness::new();
        freshness.left(seconds(1_000));
        freshness.failed();
        freshness
    }

    #[test]
    fn halves_each_minute_of_idleness() {
        for (at, left) in [
            (1_000, 1.0),
            (1_010, 1.0),
            (1_070, 0.5),
            (1_130, 0.25),
            (1_000_000, 0.0),
            (0, 1.0),
        ] {
            let got = failed().left(seconds(at));
            assert!((got - left).abs() < 1e-12, "{at}: {got}");
        }
    }

    #[test]
    fn calls_keep_it_fresh_but_not_ahead_of_time() {
        let mut freshness = failed();
        freshness.passed(30);
        assert!(freshness.left(seconds(1_300)) >= 1.0);
        // 30 calls account for the time they took, and for ten seconds more.
        let left = freshness.left(seconds(1_370));
        assert!((left - 0.5).abs() < 1e-12, "{left}");
    }

    #[test]
    fn fades_the_same_however_often_it_is_looked_at() {
        let (mut once, mut often) = (failed(), failed());
        let product: f64 = (1_000..1_100).map(|at| often.left(seconds(at))).product();
        let left = once.left(seconds(1_099));
        assert!((left - product).abs() < 1e-9, "{left} {product}");
    }

    #[test]
    fn a_clock_that_jumps_back_changes_nothing() {
        let mut freshness = failed();
        assert!(freshness.left(seconds(3)) >= 1.0);
        freshness.failed();
        assert!(freshness.left(seconds(1_010)) >= 1.0);
        assert!(freshness.left(Nanos::MAX) < 1e-9);
        freshness.passed(u64::MAX);
        freshness.failed();
        assert!(freshness.left(Nanos::MAX) >= 1.0);
    }
}
