//! What a policy means to those who act by it.

use std::time::Duration;

use buttress_core::{
    Explanation, HedgePolicy, Parts, PickPolicy, ProbePolicy, Ratio, Redundancy, Rules, Traffic,
};

use super::{Limits, Policy};

impl Policy {
    /// What this policy means under `traffic`, in numbers and in a sentence.
    ///
    /// # Examples
    ///
    /// ```
    /// use buttress::{Policy, Traffic};
    ///
    /// let means = Policy::new().explain(Traffic { calls_per_second: 100.0, endpoints: 3 });
    /// assert!(means.to_string().contains("at most 1 of 3 ejected"));
    /// ```
    #[must_use]
    pub fn explain(&self, traffic: Traffic) -> Explanation {
        self.rules(Parts::default()).explain(traffic)
    }

    pub(crate) fn rules(&self, parts: Parts) -> Rules {
        Rules {
            health: self.health,
            caller_share: self.caller_share,
            tolerable: self.tolerable,
            false_alarm_every: self.false_alarm_every,
            peers: self.peers,
            ejection: self.ejection,
            enforce: self.enforce,
            timeout: self.attempt(),
            hedged: self.hedged(),
            breaker: self.breaker,
            // A limit belongs to the whole; each of its parts alone only looks on, or opens.
            limit: self.limit.filter(|_| parts == Parts::default()),
            throttle: self.throttle,
            parts,
        }
    }

    pub(crate) const fn picks(&self) -> PickPolicy {
        self.pick
    }

    pub(crate) const fn probes(&self) -> ProbePolicy {
        self.probe
    }

    pub(crate) const fn asks_again(&self) -> Redundancy {
        self.redundancy
    }

    pub(crate) const fn most_resets(&self) -> Option<u32> {
        self.resets
    }

    pub(crate) const fn extra(&self) -> Ratio {
        self.extra_load
    }

    pub(crate) fn limits(&self) -> Limits {
        let nanos = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Limits {
            deadline: self.deadline.map_or(u64::MAX, nanos),
            attempt: self.attempt().map_or(u64::MAX, nanos),
            heed: true,
            tell: self.tell_deadline,
            wait: self.limit.and_then(|limit| limit.wait),
        }
    }

    /// The time for one attempt.
    pub(super) fn attempt(&self) -> Option<Duration> {
        let share = self
            .deadline
            .map(|span| span / self.redundancy.in_turn().max(1));
        self.attempt_timeout.or(share)
    }

    /// The share of calls that may be hedged: two thirds of the extra load, which leaves some for calls that fail.
    fn hedged(&self) -> Option<Ratio> {
        match self.redundancy {
            Redundancy::Hedge(HedgePolicy { after: None, .. }) => {
                Some(Ratio::new(self.extra_load.as_f64() * 2.0 / 3.0))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_gets_its_share_of_the_deadline() {
        let policy = Policy::new()
            .deadline(Duration::from_secs(3))
            .redundancy(Redundancy::failover(3));
        assert_eq!(policy.attempt(), Some(Duration::from_secs(1)));
        assert_eq!(Policy::new().attempt(), None);
    }
}
