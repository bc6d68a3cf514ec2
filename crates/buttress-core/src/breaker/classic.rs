//! Half-open the classic way: several probes at once, and then all calls flow again.

use std::time::Duration;

use super::{Breaker, Change, Phase, policy::TrialPolicy, sequential::Answer};
use crate::{Nanos, Permit, Sign};

impl Breaker {
    /// The wait is over.
    pub(super) fn try_out(&mut self, now: Nanos) -> (Result<Permit, Duration>, Option<Change>) {
        match self.policy.trial {
            // Open => HalfOpen: this call is the first probe.
            Some(trial) if trial != TrialPolicy::Untried => {
                self.enter(Phase::Trial(trial));
                self.probes.begin();
                self.probes.send(now);
                (Ok(self.stamp(now, true)), Some(Change::Probing))
            }
            // Open => Closed: by time alone.
            _ => {
                let change = self.close(now);
                (Ok(self.stamp(now, false)), Some(change))
            }
        }
    }

    /// A call asks for a permit while others try.
    pub(super) fn try_further(
        &mut self,
        trial: TrialPolicy,
        now: Nanos,
    ) -> (Result<Permit, Duration>, Option<Change>) {
        self.probes.expire(now, self.policy.lease);
        if let Some(change) = self.decide(trial, now) {
            // HalfOpen => Closed or Open: what was lost was the last there was to know.
            let flows = self.flows();
            let wait = self.due().since(now);
            return (
                flows.then(|| self.stamp(now, false)).ok_or(wait),
                Some(change),
            );
        }
        if self.probes.may(trial) {
            self.probes.send(now);
            return (Ok(self.stamp(now, true)), None);
        }
        (Err(self.lost_at().since(now).min(self.wait)), None)
    }

    /// A probe has ended.
    pub(super) fn tried(
        &mut self,
        trial: TrialPolicy,
        permit: Permit,
        now: Nanos,
        sign: Sign,
    ) -> Option<Change> {
        // A late answer is a failed probe, whatever it says.
        self.probes.expire(now, self.policy.lease);
        let known = self.probes.back(permit.started);
        if known && sign != Sign::Silent {
            self.probes.observe(sign == Sign::Good);
        }
        let first = known && sign == Sign::Good && self.probes.first_good();
        self.decide(trial, now)
            .or_else(|| first.then_some(Change::FirstGood))
    }

    /// When the oldest probe will be lost.
    pub(super) fn lost_at(&self) -> Nanos {
        let oldest = self.probes.oldest().unwrap_or(Nanos::ZERO);
        oldest.after(self.policy.lease)
    }

    fn decide(&mut self, trial: TrialPolicy, now: Nanos) -> Option<Change> {
        Some(match self.probes.answer(trial)? {
            // HalfOpen => Closed
            Answer::Well => self.close(now),
            // HalfOpen => Open
            Answer::Ill => self.open(now),
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
