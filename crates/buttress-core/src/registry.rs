//! Where exporters look.

use std::{
    collections::{BTreeMap, HashSet},
    time::SystemTime,
};

use crate::{
    BreakerState, CallCounts, Calls, Causes, Counts, Coverage, Decisions, Destination, Episode,
    Events, Force, Health, Nanos, Reliability, Trend, UnknownName, Verdict, Vitals,
    sync::{Arc, Mutex, lock},
    vitals::WeakWays,
};

/// Everything that is known of one endpoint, at one time, as plain data.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// Under which policy.
    pub policy: Arc<str>,
    /// Which endpoint, or which key, where there are several.
    pub endpoint: Option<Arc<str>>,
    /// Where it stands, as far as that was said.
    pub zone: Option<Arc<str>>,
    /// What it runs, as far as that was said.
    pub version: Option<Arc<str>>,
    /// Which tier it belongs to, where there are several endpoints.
    pub priority: Option<u32>,
    /// Is it well?
    pub health: Health,
    /// How near an alarm is, 0 to 1, where its rule can tell.
    pub suspicion: Option<f64>,
    /// What the breaker does with calls.
    pub state: BreakerState,
    /// What is done with it by hand, if anything.
    pub forced: Option<Force>,
    /// Where the fault is, as far as the calls tell; absent while it is well.
    pub verdict: Option<Arc<Verdict>>,
    /// The share of its calls that it gets, 0 to 1.
    pub share: f64,
    /// How many calls may be under way at once now, where there is a limit.
    pub limit: Option<u32>,
    /// The share of calls that is refused because others were turned down, 0 to 1.
    pub throttled: f64,
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
    /// How many other keys of its layer were forgotten, for there were more than are kept apart. Absent where there are no
    /// keys.
    pub forgotten_keys: Option<u64>,
}

impl Snapshot {
    /// Its name: that of the policy, and behind a slash the endpoint or key.
    #[must_use]
    pub fn name(&self) -> String {
        name(&self.policy, self.endpoint.as_deref())
    }

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
    members: Arc<Mutex<Vec<WeakWays>>>,
    /// By policy. Kept when no layer is left: what was counted does not become less, and names are few.
    calls: Arc<Mutex<BTreeMap<Arc<str>, Calls>>>,
    events: Arc<Events>,
    /// What the clock on the wall said at [`Nanos::ZERO`].
    epoch: Option<SystemTime>,
}

impl Registry {
    /// An empty registry, telling what happens to `events`.
    #[must_use]
    pub fn new(events: Arc<Events>) -> Self {
        Self {
            members: Arc::default(),
            calls: Arc::default(),
            events,
            epoch: None,
        }
    }

    /// The same, knowing what the clock on the wall said at [`Nanos::ZERO`]: outages are labelled with it.
    #[must_use]
    pub const fn epoch(mut self, epoch: SystemTime) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// What the clock on the wall said at `at`, where that is known. A label: it does not follow when that clock is set.
    #[must_use]
    pub fn wall(&self, at: Nanos) -> Option<SystemTime> {
        self.epoch?.checked_add(at.since(Nanos::ZERO))
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
            members.retain(|member| !member.is_gone());
            let live = members.len();
            members.reserve(live + 1);
        }
        members.push(vitals.downgrade());
    }

    /// The calls under a policy.
    #[must_use]
    pub fn calls(&self, policy: &str) -> Calls {
        let mut calls = lock(&self.calls);
        if let Some(known) = calls.get(policy) {
            return known.clone();
        }
        let new = Calls::new();
        calls.insert(policy.into(), new.clone());
        new
    }

    /// What became of calls that no endpoint's counts tell, by policy.
    #[must_use]
    pub fn call_counts(&self) -> Vec<(Arc<str>, CallCounts)> {
        let calls = lock(&self.calls);
        let counts = |(name, calls): (&Arc<str>, &Calls)| (Arc::clone(name), calls.counts());
        calls.iter().map(counts).collect()
    }

    /// Everything known of every endpoint, in the order they were added.
    #[must_use]
    pub fn snapshot(&self, now: Nanos) -> Vec<Snapshot> {
        let members = self.members();
        members.iter().map(|vitals| vitals.snapshot(now)).collect()
    }

    /// What goes by `name`: everything under the policy of that name, or the one endpoint or key that is so called
    /// (`inventory/10.0.0.1:80`).
    ///
    /// # Errors
    ///
    /// When nothing does.
    pub fn find(&self, name: &str) -> Result<Vec<Vitals>, UnknownName> {
        let members = self.members();
        let found: Vec<Vitals> = members
            .iter()
            .filter(|one| one.goes_by(name))
            .cloned()
            .collect();
        if found.is_empty() {
            let known = members
                .iter()
                .flat_map(|one| [one.policy().to_string(), one.name()]);
            return Err(UnknownName::new(name, known));
        }
        Ok(found)
    }

    /// The destinations in use, in the order they were first added.
    #[must_use]
    pub fn destinations(&self) -> Vec<Destination> {
        let mut destinations: Vec<Destination> = Vec::new();
        let mut seen = HashSet::new();
        for vitals in self.members() {
            let destination = vitals.destination();
            if seen.insert(destination.address()) {
                destinations.push(destination);
            }
        }
        destinations
    }

    pub(crate) fn members(&self) -> Vec<Vitals> {
        lock(&self.members)
            .iter()
            .filter_map(Vitals::upgrade)
            .collect()
    }
}

/// The name of what is called under `policy` at `endpoint`.
pub(crate) fn name(policy: &str, endpoint: Option<&str>) -> String {
    endpoint.map_or_else(
        || policy.to_owned(),
        |endpoint| format!("{policy}/{endpoint}"),
    )
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{Clock, Destination, Host, Rules};

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
    fn calls_under_one_policy_are_counted_together_and_stay_when_nobody_is_left() {
        let registry = registry();
        let host = Host {
            registry: registry.clone(),
            ..Host::new(Clock(|| Nanos::ZERO))
        };
        let destinations =
            ["a", "a", "b"].map(|name| Destination::new(name, &Rules::default(), &host));
        for destination in &destinations {
            destination.calls().degraded();
        }
        destinations[0].calls().expired();
        assert_eq!(
            registry.calls("a").counts(),
            destinations[1].calls().counts()
        );
        drop(destinations);
        let counts = registry.call_counts();
        let counted = |(name, counts): &(Arc<str>, CallCounts)| {
            (name.to_string(), counts.degraded, counts.expired)
        };
        assert_eq!(
            counts.iter().map(counted).collect::<Vec<_>>(),
            [("a".to_owned(), 2, 1), ("b".to_owned(), 1, 0)]
        );
    }

    #[test]
    fn a_hundred_thousand_endpoints_come_and_go_without_a_trace() {
        let registry = registry();
        (0..100_000).for_each(|_| registry.add(&vitals("passing")));
        assert!(lock(&registry.members).capacity() < 1_000);
    }
}
