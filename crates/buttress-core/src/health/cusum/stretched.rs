//! A bank whose thresholds follow how failures cluster.

use super::{Bank, Cusum, burst::Burst};
use crate::{
    Nanos, Sign,
    health::{Alarm, Fact},
};

/// The default detector: both counters, and as much more evidence asked for as failures of good times come in bursts.
#[derive(Debug)]
pub(crate) struct Stretched {
    counters: Cusum,
    burst: Burst,
    /// Calls that succeeded since the last failure.
    successes: u64,
}

impl Stretched {
    pub(crate) const fn new(bank: Bank) -> Self {
        Self {
            counters: Cusum::new(bank),
            burst: Burst::new(),
            successes: 0,
        }
    }

    pub(crate) fn passed(&mut self, successes: u64) {
        self.counters.passed(successes);
        self.successes = self.successes.saturating_add(successes);
    }

    pub(crate) fn record(&mut self, fact: &Fact) -> Option<Alarm> {
        match fact.sign() {
            Sign::Silent => None,
            Sign::Good => {
                self.passed(1);
                None
            }
            Sign::Bad => {
                self.counters.fade(fact.now);
                let successes = std::mem::take(&mut self.successes);
                self.burst
                    .failure(successes, self.counters.calm(), fact.now);
                self.counters.stretch(self.burst.scale());
                self.counters.record(fact)
            }
        }
    }

    pub(crate) const fn calm(&self) -> bool {
        self.counters.calm()
    }

    /// How near an alarm is at `now`: 0 to 1.
    pub(crate) fn suspicion(&mut self, now: Nanos) -> f64 {
        self.counters.fade(now);
        self.counters.suspicion()
    }

    pub(crate) fn retarget(&mut self, bank: Bank) {
        self.counters.retarget(bank);
    }

    pub(crate) const fn reset(&mut self) {
        self.counters.reset();
        self.burst.discard();
        self.successes = 0;
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{
        Cause, Outcome,
        random::{Draws, unit},
    };

    /// Calls until the alarm, of so many runs, at the failure rate `p` after `healthy` calls at 1 % in runs of `burst`.
    fn delay(burst: f64, healthy: u64, p: f64, runs: u64) -> f64 {
        let total: u64 = (0..runs)
            .map(|seed| {
                let mut draws = Draws::seeded(seed);
                let mut rule = Stretched::new(Bank::design(0.01, 1e8));
                let (mut call, mut failing) = (0_u64, false);
                loop {
                    call += 1;
                    let now = Nanos::new(call * 10_000_000);
                    let draw = unit(draws.next());
                    failing = if call > healthy {
                        draw < p
                    } else if failing {
                        draw < 1.0 - 1.0 / burst
                    } else {
                        draw < 0.01 / (burst * 0.99)
                    };
                    if !failing {
                        rule.passed(1);
                        continue;
                    }
                    let outcome = Outcome::Failure(Cause::Error);
                    if rule
                        .record(&Fact {
                            started: now,
                            now,
                            outcome,
                        })
                        .is_some()
                    {
                        if call > healthy {
                            return call - healthy;
                        }
                        rule.reset();
                    }
                }
            })
            .sum();
        total as f64 / runs as f64
    }

    #[test]
    fn single_failures_leave_thresholds_as_they_were_and_bursts_raise_them() {
        let single = delay(1.0, 20_000, 0.5, 40);
        assert!((9.0..13.5).contains(&single), "{single}");
        let bursty = delay(3.0, 20_000, 0.5, 40);
        assert!(bursty > 2.0 * single, "{bursty} {single}");
    }
}
