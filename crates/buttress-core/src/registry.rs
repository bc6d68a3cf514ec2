//! Where exporters look.

use crate::{
    Causes, Counts, Coverage, Decisions, Episode, Events, Force, Health, Nanos, Reliability, State,
    Trend, Vitals,
    sync::{Arc, Mutex, Weak, lock},
};

/// Everything that is known of one endpoint, at one time, as plain data.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// Under which policy.
    pub policy: Arc<str>,
    /// Which endpoint, where there are several.
    pub endpoint: Option<Arc<str>>,
    /// Is it well?
    pub health: Health,
    /// How near an alarm is, 0 to 1, where its rule can tell.
    pub suspicion: Option<f64>,
    /// What the breaker does with calls.
    pub state: State,
    /// What is done with it by hand, if anything.
    pub forced: Option<Force>,
    /// The share of its calls that it gets, 0 to 1.
    pub share: f64,
    /// How many attempts ended how.
    pub counts: Counts,
    /// How often another made good what failed here first.
    pub coverage: Coverage,
    /// What became of its alarms.
    pub decisions: Decisions,
    /// What its outages say about it, where statistics are at work.
    pub reliability: Option<Reliability>,
    /// Whether its outages come more and more often, where there were enough to tell.
    pub trend: Option<Trend>,
    /// Its last outages, the current one last.
    pub episodes: Vec<Episode>,
}

impl Snapshot {
    /// Failed attempts, by cause.
    #[must_use]
    pub const fn failures(&self) -> &Causes {
        &self.counts.failures
    }
}

/// All vitals of a process, and the events about them. Clones share it.
///
/// Vitals that no layer uses any more drop out by themselves.
#[derive(Clone, Debug)]
pub struct Registry {
    members: Arc<Mutex<Vec<Weak<crate::vitals::Lanes>>>>,
    events: Arc<Events>,
}

impl Registry {
    /// An empty registry, telling what happens to `events`.
    #[must_use]
    pub fn new(events: Arc<Events>) -> Self {
        Self {
            members: Arc::default(),
            events,
        }
    }

    /// What changed lately.
    #[must_use]
    pub const fn events(&self) -> &Arc<Events> {
        &self.events
    }

    /// Makes `vitals` visible here, for as long as a layer uses them.
    pub fn add(&self, vitals: &Vitals) {
        let mut members = lock(&self.members);
        // Pruned only when full: a set of n endpoints costs O(n) in all, not O(n²).
        if members.len() == members.capacity() {
            members.retain(|member| member.strong_count() > 0);
        }
        members.push(vitals.downgrade());
    }

    /// Everything known of every endpoint, in the order they were added.
    #[must_use]
    pub fn snapshot(&self, now: Nanos) -> Vec<Snapshot> {
        let members: Vec<Vitals> = lock(&self.members)
            .iter()
            .filter_map(Vitals::upgrade)
            .collect();
        members.iter().map(|vitals| vitals.snapshot(now)).collect()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{Clock, Host, Rules};

    fn registry() -> Registry {
        Registry::new(Arc::new(Events::new(8, |_| {})))
    }

    fn vitals(name: &str) -> Vitals {
        Vitals::new(name, &Rules::default(), &Host::new(Clock(|| Nanos::ZERO)))
    }

    #[test]
    fn shows_what_is_in_use_in_the_order_it_was_added() {
        let registry = registry();
        let (first, second) = (vitals("first"), vitals("second"));
        registry.add(&first);
        registry.add(&second);
        let names: Vec<_> = registry
            .snapshot(Nanos::ZERO)
            .into_iter()
            .map(|shot| shot.policy)
            .collect();
        assert_eq!(names, ["first".into(), "second".into()] as [Arc<str>; 2]);
        drop(first);
        assert_eq!(registry.snapshot(Nanos::ZERO).len(), 1);
    }

    #[test]
    fn a_hundred_thousand_endpoints_come_and_go_without_a_trace() {
        let registry = registry();
        (0..100_000).for_each(|_| registry.add(&vitals("passing")));
        assert!(lock(&registry.members).capacity() < 1_000);
    }
}
