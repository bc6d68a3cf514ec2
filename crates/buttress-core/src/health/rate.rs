//! So large a share of the calls failed, or was slow.

use super::{
    Alarm, Fact, RatePolicy,
    window::{Call, Flaw, Flaws, Sliding},
};
use crate::{Nanos, Ratio, Sign};

/// Failure rate and slow-call rate over a sliding window, judged anew at every call that ends: a success too can be
/// the call that makes the minimum full.
#[derive(Debug)]
pub(crate) struct Rate {
    policy: RatePolicy,
    window: Sliding,
}

impl Rate {
    pub(crate) fn new(policy: RatePolicy) -> Self {
        Self {
            policy,
            window: Sliding::new(policy.window),
        }
    }

    pub(crate) fn record(&mut self, fact: &Fact) -> Option<Alarm> {
        if fact.sign() == Sign::Silent {
            return None;
        }
        let slow = self
            .policy
            .slow
            .is_some_and(|slow| fact.now.since(fact.started) > slow.after);
        self.window.push(&Call {
            started: fact.started,
            ended: fact.now,
            flaws: Flaws::of(fact.outcome, slow),
        });
        self.judge().map(|since| Alarm { since })
    }

    pub(crate) const fn calm(&self) -> bool {
        self.window.tally().clean()
    }

    pub(crate) fn reset(&mut self) {
        self.window.clear();
    }

    /// When the trouble began, if there is enough of it.
    fn judge(&self) -> Option<Nanos> {
        let slow = self
            .policy
            .slow
            .is_some_and(|slow| self.slow().is_some_and(|share| reaches(share, slow.over)));
        let mut since = slow.then(|| self.window.earliest(Flaw::Slow)).flatten();
        for (share, flaws) in self.shares() {
            if share.is_some_and(|share| reaches(share, self.policy.failures)) {
                let starts = flaws.iter().filter_map(|flaw| self.window.earliest(*flaw));
                since = since.into_iter().chain(starts).min();
            }
        }
        since
    }

    /// The shares that are judged, and the flaws that each counts.
    ///
    /// Split as Envoy splits: a remote failure is a call that the wire carried, so local failures are a share of all
    /// calls, and remote ones a share of those answered.
    fn shares(&self) -> [(Option<f64>, &'static [Flaw]); 2] {
        let tally = self.window.tally();
        let (local, remote) = (tally.of(Flaw::Local), tally.of(Flaw::Remote));
        if self.policy.split_origins {
            let answered = tally.calls.saturating_sub(local);
            [
                (self.share(local, tally.calls), &[Flaw::Local]),
                (self.share(remote, answered), &[Flaw::Remote]),
            ]
        } else {
            let all = self.share(tally.failed(), tally.calls);
            [(all, &[Flaw::Local, Flaw::Remote]), (None, &[])]
        }
    }

    /// The share of slow calls. Unknown below the minimum, and where nothing counts as slow.
    fn slow(&self) -> Option<f64> {
        self.policy.slow?;
        let tally = self.window.tally();
        self.share(tally.of(Flaw::Slow), tally.calls)
    }

    /// Unknown, rather than zero, while there are too few calls to tell.
    fn share(&self, part: u64, calls: u64) -> Option<f64> {
        let enough = calls >= u64::from(self.policy.at_least.max(1));
        enough.then(|| part as f64 / calls as f64)
    }
}

/// Inclusive: a strict comparison would make 100 % unreachable. A quotient of counts and a decimal literal of the same
/// value are the same double, for both are rounded once.
fn reaches(share: f64, threshold: Ratio) -> bool {
    share >= threshold.as_f64()
}

#[cfg(test)]
mod tests;
