//! Cumulative sums of evidence (CUSUM): a failure adds to it, a success takes from it, never below nothing; enough of it
//! is an alarm. No rule with as few false alarms notices a known change sooner in the worst case (Moustakides 1986).

mod bank;
mod burst;
mod evidence;
mod freshness;
mod joint;
mod ladder;
mod solve;
mod stretched;

use super::{Alarm, Fact};
use crate::{Nanos, Sign};
pub(crate) use bank::Bank;
use evidence::Evidence;
use freshness::Freshness;
pub(crate) use ladder::{Ladder, Quiet, Rung};
pub(crate) use stretched::Stretched;

/// Both counters of a bank at work.
///
/// Successes need not come one by one: what counts is how many there were before the next failure. So on the healthy
/// path they are only counted, elsewhere, and handed over by [`passed`](Self::passed) when something happens.
#[derive(Debug)]
pub(crate) struct Cusum {
    slow: Evidence,
    fast: Evidence,
    freshness: Freshness,
    tolerable: f64,
}

impl Cusum {
    pub(crate) const fn new(bank: Bank) -> Self {
        Self {
            slow: Evidence::none(bank.slow),
            fast: Evidence::none(bank.fast),
            freshness: Freshness::new(),
            tolerable: bank.tolerable,
        }
    }

    /// Takes into account that since the last fact so many calls succeeded.
    pub(crate) fn passed(&mut self, successes: u64) {
        self.slow.relieve(successes);
        self.fast.relieve(successes);
        self.freshness.passed(successes);
    }

    pub(crate) fn record(&mut self, fact: &Fact) -> Option<Alarm> {
        match fact.sign() {
            Sign::Silent => None,
            Sign::Good => {
                self.passed(1);
                None
            }
            Sign::Bad => {
                self.fade(fact.now);
                self.freshness.failed();
                self.failed(fact.started)
            }
        }
    }

    /// Lets evidence fade that is of old at `now`. [`record`](Self::record) does so itself; whoever only looks may want to.
    pub(crate) fn fade(&mut self, now: Nanos) {
        let left = self.freshness.left(now);
        self.slow.fade(left);
        self.fast.fade(left);
    }

    pub(crate) const fn calm(&self) -> bool {
        self.slow.is_none() && self.fast.is_none()
    }

    pub(crate) const fn reset(&mut self) {
        self.slow.forget();
        self.fast.forget();
    }

    /// Puts other thresholds in force. Each counter stays as near to its alarm as it was.
    pub(crate) fn retarget(&mut self, bank: Bank) {
        self.tolerable = bank.tolerable;
        self.slow.retarget(bank.slow);
        self.fast.retarget(bank.fast);
    }

    /// Asks for `factor` times as much evidence, between once and ten times.
    pub(crate) fn stretch(&mut self, factor: f64) {
        self.slow.stretch(factor);
        self.fast.stretch(factor);
    }

    /// How near the nearer counter is to its alarm: 0 to 1.
    pub(crate) fn suspicion(&self) -> f64 {
        self.slow.part().max(self.fast.part())
    }

    fn failed(&mut self, started: Nanos) -> Option<Alarm> {
        let slow = self.slow.add(started);
        let fast = self.fast.add(started);
        (slow || fast).then(|| Alarm {
            since: self.since(),
        })
    }

    /// When the trouble began. Each counter tells when its own did; the slow one is late to forget failures from before
    /// a steep change, the fast one forgets the first of a gentle change. The likelier is right, whichever tripped.
    fn since(&self) -> Nanos {
        let likelihood = |evidence: &Evidence| evidence.likelihood(self.tolerable);
        if likelihood(&self.slow) > likelihood(&self.fast) {
            self.slow.since()
        } else {
            self.fast.since()
        }
    }
}

#[cfg(test)]
mod tests;
