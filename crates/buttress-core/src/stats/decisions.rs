//! What became of alarms.

use crate::Rule;

/// What became of an endpoint's alarms, by the rule that raised them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Decisions {
    /// Of the rule of health.
    pub health: Decided,
    /// Of the comparison with its peers.
    pub peers: Decided,
    /// Of the comparison of its latency with theirs.
    pub latency: Decided,
    /// Of probes.
    pub probes: Decided,
}

/// What became of the alarms of one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Decided {
    /// Acted on: calls stopped.
    pub enforced: u64,
    /// Noted down and not acted on, as the policy says.
    pub unenforced: u64,
    /// Held back, for the fault is not this endpoint's.
    pub held: u64,
    /// Held back, for too many of the set were out already.
    pub overflow: u64,
}

impl Decisions {
    /// Those of all rules together.
    #[must_use]
    pub fn total(&self) -> Decided {
        let all = [self.health, self.peers, self.latency, self.probes];
        all.iter().fold(Decided::default(), |sum, one| Decided {
            enforced: sum.enforced + one.enforced,
            unenforced: sum.unenforced + one.unenforced,
            held: sum.held + one.held,
            overflow: sum.overflow + one.overflow,
        })
    }

    pub(crate) const fn of(&mut self, rule: Rule) -> &mut Decided {
        match rule {
            Rule::Health => &mut self.health,
            Rule::Peers => &mut self.peers,
            Rule::Latency => &mut self.latency,
            Rule::Probes => &mut self.probes,
        }
    }
}
